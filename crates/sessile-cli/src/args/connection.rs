//! The options about connections, which every command that sends has.

use std::path::PathBuf;

use clap::Args;

use super::values::{ProxyChoice, ProxyParser};

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct ConnectionArgs {
    /// Connect through http://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT
    ///
    /// A stored session keeps it, for renewals too; `none` takes it away. With socks5h the
    /// proxy looks names up. Defaults to the session's own.
    #[arg(long, value_name = "URL", value_parser = ProxyParser)]
    pub(crate) proxy: Option<ProxyChoice>,

    /// Read the proxy's URL, with user and password, from this environment variable
    #[arg(long, value_name = "VAR", conflicts_with = "proxy")]
    pub(crate) proxy_env: Option<String>,

    /// Trust the certificates in this PEM file as well as the system's, this time
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// Show the server the client certificate in this PEM file, this time
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// The PEM file with the client certificate's key; defaults to that of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) cert_key: Option<PathBuf>,

    /// Accept any certificate, this time: whoever is on the way can read and change everything
    #[arg(long)]
    pub(crate) insecure: bool,
}
