//! A client just big enough: one request a connection, and a cookie jar that
//! takes every cookie and sends it everywhere.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use sessile_practice::{Clock, Options, Site};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Clone, Default)]
pub(crate) struct Browser {
    address: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) async fn start() -> (Site, Browser) {
    let site = Site::start(Options::default()).await.unwrap();
    let browser = Browser::at(&site);
    (site, browser)
}

/// A site whose time stands still, so that no code ends while a test runs.
pub(crate) async fn start_still() -> (Site, Browser) {
    let clock = Clock::standing_at(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let options = Options {
        clock,
        ..Options::default()
    };
    let site = Site::start(options).await.unwrap();
    let browser = Browser::at(&site);
    (site, browser)
}

impl Browser {
    pub(crate) fn at(site: &Site) -> Self {
        Self {
            address: site.url().replace("http://", ""),
            ..Self::default()
        }
    }

    pub(crate) async fn get(&mut self, target: &str) -> Reply {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Reply {
        let body = encoded(fields);
        self.send("POST", target, &[("Content-Type", FORM)], &body)
            .await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        if !pairs.is_empty() {
            head += &format!("Cookie: {}\r\n", pairs.join("; "));
        }
        let length = body.len();
        head += &format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        let reply = Reply::parsed(&self.exchange(&head).await);
        self.keep(&reply);
        reply
    }

    /// Sends these bytes and reads until the site closes the connection.
    pub(crate) async fn exchange(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Logs in at `/login`.
    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> Reply {
        let token = self.get("/login").await.input("csrf");
        let fields = [
            ("csrf", token.as_str()),
            ("user", user),
            ("password", password),
        ];
        self.post("/login", &fields).await
    }

    fn keep(&mut self, reply: &Reply) {
        for line in reply.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Reply {
    pub(crate) fn parsed(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let headers = headers.lines().map(|line| line.split_once(':').unwrap());
        Self {
            status: status.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers
                .map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// The value of the first hidden input of that name.
    #[track_caller]
    pub(crate) fn input(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    #[track_caller]
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self
            .body
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {}", self.body));
        rest.split(after).next().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn alert(&self) -> String {
        self.between("role=\"alert\">", "<")
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, location: &str) {
        assert_eq!(
            (self.status, self.header("location")),
            (status, location),
            "{}",
            self.body
        );
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let pairs = fields
        .iter()
        .map(|(n, v)| format!("{}={}", escaped(n), escaped(v)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
