//! The browser's way back: one request to this machine, with the provider's answer in its query.
//!
//! Anybody on this machine can ask here: only who knows the state is believed.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use url::Url;

use super::{OAuthError, Redirect};
use crate::secret::Secret;

/// How long a request may be; codes of a few kilobytes exist.
const HEAD: usize = 32 * 1024;

/// How long a connection may take to ask. Browsers open some that they never use.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections are served at once.
const AT_ONCE: usize = 16;

/// A port of this machine that the browser is led back to.
pub(super) struct Loopback {
    listener: TcpListener,
    url: Url,
    path: String,
}

/// What the browser came back with.
pub(super) enum Came {
    Code(Secret<String>),
    Refused {
        error: String,
        description: Option<String>,
    },
}

impl Loopback {
    pub(super) async fn listen(redirect: &Redirect) -> Result<Self, OAuthError> {
        let (host, port) = redirect.listen_at();
        let failed = |error: std::io::Error| OAuthError::Listen {
            at: redirect.to_string(),
            detail: error.to_string(),
        };
        let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self {
            listener,
            url: redirect.with_port(port),
            path: redirect.path().to_owned(),
        })
    }

    /// The address to be led back to.
    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    /// Waits until the browser comes back; others are turned away.
    pub(super) async fn wait(&self, state: &Secret<String>, issuer: Option<&str>) -> Came {
        let visitor = Visitor {
            path: &self.path,
            state,
            issuer,
        };
        let connections =
            stream::unfold((), |()| async { Some((self.listener.accept().await, ())) });
        let answers = connections.map(|accepted| {
            let served = async {
                let Ok((connection, _from)) = accepted else {
                    // Such as too many open files: trying again at once would find the same.
                    sleep(Duration::from_millis(100)).await;
                    return None;
                };
                timeout(PATIENCE, serve(connection, &visitor)).await.ok()?
            };
            served.boxed()
        });
        let mut answers = answers.buffer_unordered(AT_ONCE).boxed();
        loop {
            if let Some(Some(came)) = answers.next().await {
                return came;
            }
        }
    }
}

/// Who is expected.
struct Visitor<'a> {
    path: &'a str,
    state: &'a Secret<String>,
    issuer: Option<&'a str>,
}

impl Visitor<'_> {
    /// What a request target says; the reason where it isn't who is expected.
    fn recognize(&self, target: &str) -> Result<Came, &'static str> {
        let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(target));
        let url = url.map_err(|_malformed| "That is no address.")?;
        if url.path() != self.path {
            return Err("There is nothing here.");
        }
        let field = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find_map(|(found, value)| (found == name).then(|| value.into_owned()))
        };
        if field("state").as_ref() != Some(self.state.expose()) {
            return Err("This isn't the login that was begun here. Begin it once more.");
        }
        // RFC 9207: another provider's answer, sent here to be redeemed at this one.
        if let (Some(said), Some(expected)) = (field("iss"), self.issuer)
            && said != expected
        {
            return Err("This is another provider's answer.");
        }
        match (field("code"), field("error")) {
            (_, Some(error)) => Ok(Came::Refused {
                error,
                description: field("error_description"),
            }),
            (Some(code), None) => Ok(Came::Code(Secret::from(code))),
            (None, None) => Err("The provider's answer has neither a code nor an error in it."),
        }
    }
}

async fn serve(mut connection: TcpStream, visitor: &Visitor<'_>) -> Option<Came> {
    let head = read_head(&mut connection).await?;
    let came = match head.split(' ').collect::<Vec<_>>()[..] {
        ["GET", target, _version] => visitor.recognize(target),
        _ => Err("Only GET is answered here."),
    };
    let (status, words) = match &came {
        Ok(Came::Code(_)) => (
            "200 OK",
            "You are back. The login goes on where it was begun; you can close this window.",
        ),
        Ok(Came::Refused { .. }) => (
            "200 OK",
            "The provider refused the login. The reason is shown where it was begun; you can close \
             this window.",
        ),
        Err(why) => ("404 Not Found", *why),
    };
    // Who doesn't read the page has been here all the same.
    let _unread = connection.write_all(page(status, words).as_bytes()).await;
    let _unread = connection.shutdown().await;
    came.ok()
}

/// The first line of a request, once its whole head is there.
async fn read_head(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD || connection.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8(head).ok()?;
    text.lines().next().map(str::to_owned)
}

fn page(status: &str, words: &str) -> String {
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sessile</title>\
         <body style=\"font: 1.1em sans-serif; margin: 3em\"><p>{words}</p></body></html>\n"
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_state_is_believed() {
        check("/callback?code=c1&state=s1", "code c1");
        check("/callback?state=s1&code=a%2Fb%3D", "code a/b=");
        check(
            "/callback?code=c1&state=s1&iss=https%3A%2F%2Fid.test",
            "code c1",
        );
        check(
            "/callback?error=access_denied&error_description=not+today&state=s1",
            "refused access_denied: not today",
        );
        check(
            "/callback?code=c1&state=s2",
            "This isn't the login that was begun here. Begin it once more.",
        );
        check(
            "/callback?code=c1",
            "This isn't the login that was begun here. Begin it once more.",
        );
        check(
            "/callback?state=s1&code=c1&iss=https%3A%2F%2Fevil.test",
            "This is another provider's answer.",
        );
        check(
            "/callback?state=s1",
            "The provider's answer has neither a code nor an error in it.",
        );
        check("/favicon.ico", "There is nothing here.");
        check("//[", "That is no address.");
    }

    #[track_caller]
    fn check(target: &str, expected: &str) {
        let state = Secret::from("s1".to_owned());
        let visitor = Visitor {
            path: "/callback",
            state: &state,
            issuer: Some("https://id.test"),
        };
        let found = match visitor.recognize(target) {
            Ok(Came::Code(code)) => format!("code {}", code.expose()),
            Ok(Came::Refused { error, description }) => {
                format!("refused {error}: {}", description.unwrap_or_default())
            }
            Err(why) => why.to_owned(),
        };
        assert_eq!(found, expected, "{target}");
    }
}
