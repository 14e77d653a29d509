//! What curl's exit codes mean, as its manual lists them.

use std::process::ExitStatus;

use url::{Position, Url};

use crate::error::{Error, Obstacle, Phase, TlsFault};
use crate::redact::ShownUrl;
use crate::transport::Patience;

/// How an exchange failed before its reply began.
pub(super) struct Ended<'a> {
    pub(super) program: &'a str,
    pub(super) url: &'a Url,
    pub(super) patience: Patience,
    pub(super) has_proxy: bool,
    pub(super) status: ExitStatus,
    /// curl's own words, where there are some.
    pub(super) words: String,
}

impl Ended<'_> {
    pub(super) fn error(self) -> Error {
        let origin = origin(self.url);
        let detail = self.detail();
        let connect = |obstacle| Error::Connect {
            origin: origin.clone(),
            obstacle,
            detail: detail.clone(),
        };
        match self.status.code() {
            Some(3) => Error::bad_request(format!("curl can't read the URL: {detail}")),
            Some(5 | 97) => connect(Obstacle::Proxy),
            Some(6) => connect(Obstacle::NoSuchHost),
            Some(7) if self.has_proxy => connect(Obstacle::Proxy),
            Some(7) => connect(Obstacle::Refused),
            // What a tunnel's refusal is told by has changed between versions; the words name it.
            Some(56) if self.has_proxy && self.words.contains("CONNECT") => {
                connect(Obstacle::ProxyRefused)
            }
            // Only connecting has a limit that curl knows.
            Some(28) => Error::TimeOut {
                phase: Phase::Connect,
                url: origin,
                after: self.patience.connect,
            },
            Some(35 | 51 | 53 | 54 | 58 | 59 | 60 | 66 | 77 | 80 | 82 | 83 | 90 | 91) => {
                let fault = TlsFault::Other;
                Error::Tls {
                    origin,
                    fault,
                    detail,
                }
            }
            Some(52 | 55 | 56) => Error::Disconnect {
                origin,
                detail,
                sent: true,
            },
            Some(1 | 8 | 16 | 92 | 95) => Error::Protocol { origin, detail },
            Some(18) => Error::CutShort {
                url: ShownUrl(self.url).to_string(),
                detail,
            },
            Some(_) | None => Error::Program {
                program: self.program.to_owned(),
                detail,
            },
        }
    }

    fn detail(&self) -> String {
        let words = self.words.trim();
        match words.is_empty() {
            true => shown(self.status),
            false => words.to_owned(),
        }
    }
}

/// How a process ended, in words.
pub(super) fn shown(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("curl ended with code {code}"),
        None => format!("it was killed ({status})"),
    }
}

/// Scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(80);
    let host = &url[Position::BeforeHost..Position::AfterHost];
    format!("{}://{host}:{port}", url.scheme())
}
