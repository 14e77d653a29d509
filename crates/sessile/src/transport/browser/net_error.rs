//! The browser's network errors as the session's.

use std::time::Duration;

use url::Url;

use crate::error::{Error, Obstacle, Phase, RedirectRefusal, TlsFault};
use crate::redact::ShownUrl;

/// What `net::ERR_…` means for who asked.
pub(super) fn error(words: &str, url: &Url, limit: Duration) -> Error {
    let origin = url.origin().ascii_serialization();
    let detail = format!("the browser says {words}");
    let connect = |obstacle| Error::Connect {
        origin: origin.clone(),
        obstacle,
        detail: detail.clone(),
    };
    let tls = |fault| Error::Tls {
        origin: origin.clone(),
        fault,
        detail: detail.clone(),
    };
    match words.strip_prefix("net::ERR_").unwrap_or(words) {
        "ADDRESS_UNREACHABLE" | "INTERNET_DISCONNECTED" | "NETWORK_ACCESS_DENIED" => {
            connect(Obstacle::Unreachable)
        }
        "CERT_AUTHORITY_INVALID" => tls(TlsFault::UnknownIssuer),
        "CERT_COMMON_NAME_INVALID" => tls(TlsFault::WrongHost),
        "CERT_DATE_INVALID" => tls(TlsFault::Expired),
        "BAD_SSL_CLIENT_AUTH_CERT" | "SSL_CLIENT_AUTH_CERT_NEEDED" => {
            tls(TlsFault::ClientCertificate)
        }
        "CONNECTION_REFUSED" => connect(Obstacle::Refused),
        "CONNECTION_TIMED_OUT" | "TIMED_OUT" => Error::TimeOut {
            phase: Phase::Connect,
            url: ShownUrl(url).to_string(),
            after: limit,
        },
        "CONTENT_LENGTH_MISMATCH" | "INCOMPLETE_CHUNKED_ENCODING" => Error::CutShort {
            url: ShownUrl(url).to_string(),
            detail,
        },
        "NAME_NOT_RESOLVED" => connect(Obstacle::NoSuchHost),
        "SSL_PROTOCOL_ERROR" => tls(TlsFault::NotTls),
        "TOO_MANY_REDIRECTS" => Error::Redirect {
            from: ShownUrl(url).to_string(),
            to: "another page".to_owned(),
            why: RedirectRefusal::Loop,
        },
        "UNSAFE_PORT" | "UNKNOWN_URL_SCHEME" => Error::bad_request(format!(
            "{} isn't opened by a browser: {detail}",
            ShownUrl(url)
        )),
        other if other.starts_with("CERT_") || other.starts_with("SSL_") => tls(TlsFault::Other),
        other
            if ["PROXY_", "SOCKS_", "TUNNEL_"]
                .iter()
                .any(|start| other.starts_with(start)) =>
        {
            connect(Obstacle::Proxy)
        }
        _ => Error::Disconnect {
            origin,
            detail,
            sent: true,
        },
    }
}
