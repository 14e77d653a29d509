//! `sessile pool`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sessile::transport::Proxy;

use super::login::PasswordFrom;
use super::values::{ProxyChoice, ProxyParser};

#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Make a pool of sessions of a site
    Create(PoolCreate),
    /// List the pools
    List,
    /// Show a pool: its sessions, accounts and proxies, and who serves it
    Status {
        /// The pool
        name: String,
    },
    /// Have sessions followed by fresh ones, without a gap
    Rotate(PoolWhich),
    /// Have sessions checked now
    Validate(PoolWhich),
    /// Remove pools that nobody serves, with their sessions
    Rm {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// The accounts that a pool's sessions log in with
    Account {
        #[command(subcommand)]
        command: PoolAccount,
    },
    /// The proxies that a pool's sessions go through
    Proxy {
        #[command(subcommand)]
        command: PoolProxy,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
`sessile serve` serves it. What holds for it is in the site file's [pool]; docs/site-file.md lists
every key.

Examples:
  sessile pool create shop --site shop.toml
  sessile pool account add shop ada --password-command 'pass show shop/ada'
  sessile pool status shop")]
pub(crate) struct PoolCreate {
    /// What to call it
    pub(crate) name: String,

    /// How the site logs in, and what holds for the pool
    #[arg(long, value_name = "FILE")]
    pub(crate) site: PathBuf,

    /// Go by this file from now on, where there is a pool of that name already
    ///
    /// Its accounts and proxies stay. Whoever serves it takes its rules over at once.
    #[arg(long)]
    pub(crate) replace: bool,

    /// Read the password of the database that names the targets from this environment variable
    #[arg(long, value_name = "VAR")]
    pub(crate) database_password_env: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct PoolWhich {
    /// The pool
    pub(crate) name: String,

    /// Only this session, or this seat; `sessile pool status` shows them
    pub(crate) session: Option<String>,

    /// Only the session of this target
    #[arg(long, value_name = "TARGET", conflicts_with = "session")]
    pub(crate) target: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolAccount {
    /// Add an account, or change one; accounts that were stopped are tried again
    Add(PoolAccountAdd),
    /// Remove accounts; their sessions go on until they are followed
    Rm {
        /// The pool
        name: String,
        /// Their user names
        #[arg(required = true)]
        users: Vec<String>,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  pass show shop/ada | sessile pool account add shop ada --password-stdin")]
pub(crate) struct PoolAccountAdd {
    /// The pool
    pub(crate) name: String,

    /// Who logs in
    pub(crate) user: String,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,

    /// File with the secret that the codes of its second factor are made from
    #[arg(long, value_name = "FILE")]
    pub(crate) otp_secret_file: Option<PathBuf>,

    /// How many sessions it may have
    ///
    /// Defaults to the site file's `sessions_per_account`.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) sessions: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolProxy {
    /// Add a proxy
    Add(PoolProxyAdd),
    /// Remove proxies; sessions go on through them until they are followed
    Rm {
        /// The pool
        name: String,
        /// Their addresses, without user and password
        #[arg(required = true)]
        proxies: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct PoolProxyAdd {
    /// The pool
    pub(crate) name: String,

    /// Its address: http://host:port or socks5://host:port
    #[arg(value_parser = ProxyParser, required_unless_present = "proxy_env", conflicts_with = "proxy_env")]
    pub(crate) proxy: Option<ProxyChoice>,

    /// Read the whole URL, which may have user and password, from this environment variable
    #[arg(long, value_name = "VAR")]
    pub(crate) proxy_env: Option<String>,
}

impl PoolProxyAdd {
    /// The proxy on the command line, where one is there.
    pub(crate) fn named(&self) -> Option<Proxy> {
        match &self.proxy {
            Some(ProxyChoice::Through(proxy)) => Some(proxy.clone()),
            Some(ProxyChoice::Direct) | None => None,
        }
    }
}
