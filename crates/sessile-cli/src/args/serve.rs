//! `sessile serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use url::Url;

use super::values::{CollectorParser, time_limit};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessile access add collector --scope use > token
  sessile serve
  curl -H \"Authorization: Bearer $(cat token)\" \\
    'http://127.0.0.1:8471/api/sessions/shop/fetch?url=https://shop.example/orders'

The API describes itself at /api/openapi.json.")]
pub(crate) struct ServeArgs {
    /// Where to listen: an address and a port, 0 for one that is free
    ///
    /// Beyond loopback only with --tls-cert and --tls-key.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8471")]
    pub(crate) listen: SocketAddr,

    /// Listen at a socket in the file system instead, which only its owner may connect to
    #[arg(long, value_name = "PATH", conflicts_with_all = ["listen", "tls_cert"])]
    pub(crate) unix: Option<PathBuf>,

    /// The certificate for TLS, with those that lead to its root, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// How long requests may go on that run when the daemon is to stop
    #[arg(long, value_name = "TIME", value_parser = time_limit, default_value = "30s")]
    pub(crate) drain: Duration,

    /// How long a login that asks for a one-time code waits for it to be handed over
    #[arg(long, value_name = "TIME", value_parser = time_limit, default_value = "2m")]
    pub(crate) otp_wait: Duration,

    /// Where a first token is written when there is none; with mode 0600
    ///
    /// Defaults to sessile/token in the user's configuration directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Send traces to this OpenTelemetry collector, as http://127.0.0.1:4318 (OTLP over HTTP)
    ///
    /// Defaults to what OTEL_EXPORTER_OTLP_ENDPOINT says. OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_HEADERS and OpenTelemetry's other variables are heeded. Only in programs that were built with the feature `otel`.
    #[arg(long, value_name = "URL", value_parser = CollectorParser)]
    pub(crate) otlp: Option<Url>,

    /// How the log is written, on standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON document a line, for programs
    Json,
    /// Lines for people
    #[default]
    Text,
}
