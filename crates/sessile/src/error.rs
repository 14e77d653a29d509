//! What can go wrong with a request, by whose fault it is.
//!
//! Store and login have errors of their own; this one is the session's and the transports'.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

/// Why a request has no reply.
///
/// The text says what was attempted and what went wrong, never a secret: URLs appear as
/// [`ShownUrl`](crate::ShownUrl) writes them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that can't be sent.
    BadRequest {
        /// What is wrong and what to do.
        what: String,
    },
    /// The session was closed before or while the request ran.
    Closed,
    /// No connection could be made.
    Connect {
        /// Scheme, host and port.
        origin: String,
        /// What stood in the way.
        obstacle: Obstacle,
        /// The operating system's words.
        detail: String,
    },
    /// The reply ended before its end.
    CutShort {
        /// What was fetched.
        url: String,
        /// What was missing.
        detail: String,
    },
    /// The body isn't what its `Content-Encoding` says.
    Decode {
        /// What was fetched.
        url: String,
        /// The decoder's words.
        detail: String,
    },
    /// The connection broke after it was made.
    Disconnect {
        /// Scheme, host and port.
        origin: String,
        /// The operating system's words.
        detail: String,
        /// Whether the server can have seen the request.
        sent: bool,
    },
    /// The host asked for a longer pause than is granted; nothing was sent.
    HoldOff {
        /// Host and port.
        host: String,
        /// How much of the pause is left.
        pause: Duration,
    },
    /// What is known of the limits of a host, and kept with others, can't be had; nothing was sent.
    LimitsUnavailable {
        /// Host and port.
        host: String,
        /// Why not.
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A program that sends requests for the session is missing or failed.
    Program {
        /// Which one.
        program: String,
        /// What became of it.
        detail: String,
    },
    /// The server's bytes aren't HTTP.
    Protocol {
        /// Scheme, host and port.
        origin: String,
        /// What was not understood.
        detail: String,
    },
    /// A redirect that isn't followed.
    Redirect {
        /// The page that redirects.
        from: String,
        /// Where it leads.
        to: String,
        /// Why it isn't followed.
        why: RedirectRefusal,
    },
    /// The site's `robots.txt`, which the session was told to obey, refuses the page.
    Robots {
        /// What was to be fetched.
        url: String,
        /// The line of the file; `None` where the server failed to give the file.
        line: Option<usize>,
    },
    /// The reply's status says that the request failed; only
    /// [`Reply::error_for_status`](crate::Reply::error_for_status) makes an error of it.
    Status {
        /// What was fetched.
        url: String,
        /// The status.
        status: StatusCode,
    },
    /// It took too long.
    TimeOut {
        /// Which part of the exchange.
        phase: Phase,
        /// What was fetched.
        url: String,
        /// The limit that was reached.
        after: Duration,
    },
    /// No trusted TLS connection could be made.
    Tls {
        /// Scheme, host and port.
        origin: String,
        /// What is wrong, for who decides what to do.
        fault: TlsFault,
        /// The same in words.
        detail: String,
    },
    /// The reply is larger than the session accepts.
    TooLarge {
        /// What was fetched.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
}

/// What stood in the way of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The name has no address.
    NoSuchHost,
    /// The proxy can't be reached, or couldn't reach the host.
    Proxy,
    /// The proxy refuses to pass this on.
    ProxyRefused,
    /// Nobody listens there.
    Refused,
    /// The host can't be reached.
    Unreachable,
}

/// The parts of an exchange that have a limit of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Making the connection, TLS included.
    Connect,
    /// Waiting for the next bytes of the reply.
    Read,
    /// The whole exchange, redirects included.
    Total,
}

/// Why a redirect isn't followed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RedirectRefusal {
    /// `Location` isn't a URL.
    BadLocation,
    /// It asks for a body at another site than the one that the body is meant for.
    BodyElsewhere,
    /// It leads from https to http.
    Downgrade,
    /// A rule of the caller's forbids it, for this reason.
    Forbidden(&'static str),
    /// The chain came back to where it had been.
    Loop,
    /// The body was streamed and is gone, but 307 and 308 ask for it again.
    NotReplayable,
    /// It leads to something that isn't http or https.
    OtherScheme,
    /// There were more than the limit.
    TooMany(usize),
}

/// Why no TLS connection can be trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The server wants a client certificate, or refuses the one it got.
    ClientCertificate,
    /// The server's certificate has expired.
    Expired,
    /// What answers at that port doesn't speak TLS.
    NotTls,
    /// The server's certificate isn't valid yet, or the clock of this machine is wrong.
    NotValidYet,
    /// Anything else; the detail says it.
    Other,
    /// Nobody that is trusted signed the server's certificate.
    UnknownIssuer,
    /// The server's certificate is for another host.
    WrongHost,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Blame {
    /// The program that asked.
    Caller,
    /// What lies between.
    Network,
    /// The other side.
    Server,
}

impl Error {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::BadRequest { .. }
            | Self::Closed
            | Self::LimitsUnavailable { .. }
            | Self::Program { .. }
            | Self::Robots { .. } => Blame::Caller,
            Self::Status { status, .. } if status.is_client_error() => Blame::Caller,
            Self::Connect { .. } | Self::Disconnect { .. } | Self::TimeOut { .. } => Blame::Network,
            Self::CutShort { .. }
            | Self::Decode { .. }
            | Self::HoldOff { .. }
            | Self::Protocol { .. }
            | Self::Redirect { .. }
            | Self::Status { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. } => Blame::Server,
        }
    }

    /// Whether the same request may succeed when it is sent again later.
    pub fn is_retry_sensible(&self) -> bool {
        match self {
            Self::Connect { obstacle, .. } => match obstacle {
                Obstacle::NoSuchHost | Obstacle::ProxyRefused => false,
                Obstacle::Proxy | Obstacle::Refused | Obstacle::Unreachable => true,
            },
            Self::CutShort { .. }
            | Self::Disconnect { .. }
            | Self::HoldOff { .. }
            | Self::LimitsUnavailable { .. }
            | Self::Robots { line: None, .. }
            | Self::TimeOut { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            Self::BadRequest { .. }
            | Self::Closed
            | Self::Decode { .. }
            | Self::Program { .. }
            | Self::Protocol { .. }
            | Self::Redirect { .. }
            | Self::Robots { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. } => false,
        }
    }

    /// One word for it, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "badRequest",
            Self::Closed => "closed",
            Self::Connect { .. } => "connect",
            Self::CutShort { .. } => "cutShort",
            Self::Decode { .. } => "decode",
            Self::Disconnect { .. } => "disconnect",
            Self::HoldOff { .. } => "holdOff",
            Self::LimitsUnavailable { .. } => "limitsUnavailable",
            Self::Program { .. } => "program",
            Self::Protocol { .. } => "protocol",
            Self::Redirect { .. } => "redirect",
            Self::Robots { .. } => "robots",
            Self::Status { .. } => "status",
            Self::TimeOut { .. } => "timeOut",
            Self::Tls { .. } => "tls",
            Self::TooLarge { .. } => "tooLarge",
        }
    }

    pub(crate) fn bad_request(what: impl Into<String>) -> Self {
        Self::BadRequest { what: what.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest { what } => f.write_str(what),
            Self::Closed => f.write_str("the session is closed"),
            Self::Connect {
                origin,
                obstacle,
                detail,
            } => {
                write!(f, "can't connect to {origin}: {obstacle} ({detail})")
            }
            Self::CutShort { url, detail } => {
                write!(f, "the reply of {url} was cut short: {detail}")
            }
            Self::Decode { url, detail } => {
                write!(
                    f,
                    "the body of {url} isn't what its Content-Encoding says: {detail}"
                )
            }
            Self::Disconnect {
                origin,
                detail,
                sent,
            } => {
                let when = if *sent {
                    "before it replied"
                } else {
                    "before the request was sent"
                };
                write!(f, "{origin} closed the connection {when}: {detail}")
            }
            Self::HoldOff { host, pause } => {
                write!(f, "{host} asks to be left alone for {} s", pause.as_secs())
            }
            Self::LimitsUnavailable { host, .. } => {
                write!(f, "the limits for {host} can't be had, so nothing is sent")
            }
            Self::Program { program, detail } => {
                write!(f, "the program `{program}` failed: {detail}")
            }
            Self::Protocol { origin, detail } => {
                write!(f, "{origin} doesn't speak HTTP as it should: {detail}")
            }
            Self::Redirect { from, to, why } => {
                write!(f, "{from} redirects to {to}, which isn't followed: {why}")
            }
            Self::Robots {
                url,
                line: Some(line),
            } => {
                write!(f, "robots.txt doesn't allow {url} (line {line})")
            }
            Self::Robots { url, line: None } => {
                write!(f, "robots.txt can't be had, so {url} isn't fetched")
            }
            Self::Status { url, status } => write!(f, "{url} answered {status}"),
            Self::TimeOut { phase, url, after } => {
                write!(f, "{url}: {phase} took longer than {after:?}")
            }
            Self::Tls { origin, detail, .. } => {
                write!(f, "no trusted TLS connection to {origin}: {detail}")
            }
            Self::TooLarge { url, limit } => {
                write!(
                    f,
                    "the reply of {url} is larger than the limit of {limit} bytes"
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let Self::LimitsUnavailable { cause, .. } = self else {
            return None;
        };
        Some(&**cause)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchHost => "no such host",
            Self::Proxy => "the proxy failed",
            Self::ProxyRefused => "the proxy refuses",
            Self::Refused => "connection refused",
            Self::Unreachable => "host unreachable",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Read => "waiting for the reply",
            Self::Total => "the whole exchange",
        })
    }
}

impl fmt::Display for RedirectRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLocation => f.write_str("the address can't be read"),
            Self::BodyElsewhere => {
                f.write_str("it asks another site for the body, which is not meant for it")
            }
            Self::Downgrade => f.write_str("it leads from https to http"),
            Self::Forbidden(why) => f.write_str(why),
            Self::Loop => f.write_str("redirect loop, the chain has been there before"),
            Self::NotReplayable => {
                f.write_str("it asks for the body again, but the body was streamed and is gone")
            }
            Self::OtherScheme => f.write_str("only http and https are followed"),
            Self::TooMany(limit) => write!(f, "more than {limit} redirects"),
        }
    }
}
