//! The configuration that curl reads: one option a line, every value in quotes.

use http::{HeaderMap, Method, header};
use tempfile::NamedTempFile;
use url::{Position, Url};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::transport::{ConnectOptions, Outgoing, OutgoingBody, Trust};

/// Older versions cut longer lines.
const LONGEST_LINE: usize = 100_000;

/// What curl would add by itself.
const ADDED_BY_CURL: [header::HeaderName; 4] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::USER_AGENT,
];

/// The whole configuration of one exchange.
///
/// # Errors
///
/// [`Error::BadRequest`] where something can't be said to curl.
pub(super) fn write(
    request: &Outgoing,
    connect: &ConnectOptions,
    authorities: Option<&NamedTempFile>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut config = Config(Zeroizing::new(Vec::with_capacity(4096)));
    for flag in [
        "silent",
        "show-error",
        "include",
        "no-buffer",
        "globoff",
        "path-as-is",
        "suppress-connect-headers",
    ] {
        config.flag(flag);
    }
    config.value("max-redirs", b"0")?;
    config.value("proto", b"=http,https")?;
    config.value("url", address(&request.url).as_bytes())?;
    match request.method {
        Method::HEAD => config.flag("head"),
        _ => config.value("request", request.method.as_str().as_bytes())?,
    }
    config.headers(&request.headers, &request.body)?;
    let seconds = format!("{:.3}", request.patience.connect.as_secs_f64());
    config.value("connect-timeout", seconds.as_bytes())?;
    config.way(connect, &request.url)?;
    config.trust(connect, authorities)?;
    Ok(config.0)
}

struct Config(Zeroizing<Vec<u8>>);

impl Config {
    fn flag(&mut self, name: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
    }

    /// A line break, a quote or a backslash in the value stays in the value.
    fn value(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        if value.contains(&0) || value.len() > LONGEST_LINE / 2 - 64 {
            let why = "is longer than 50 KB or has a zero byte";
            return Err(Error::bad_request(format!(
                "a value that curl is to send ({name}) {why}"
            )));
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b" = \"");
        for byte in value {
            match byte {
                b'"' => self.0.extend_from_slice(b"\\\""),
                b'\\' => self.0.extend_from_slice(b"\\\\"),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b'\r' => self.0.extend_from_slice(b"\\r"),
                b'\t' => self.0.extend_from_slice(b"\\t"),
                0x0b => self.0.extend_from_slice(b"\\v"),
                other => self.0.push(*other),
            }
        }
        self.0.extend_from_slice(b"\"\n");
        Ok(())
    }

    /// The headers in their order; with a body, how long it is.
    fn headers(&mut self, headers: &HeaderMap, body: &OutgoingBody) -> Result<(), Error> {
        for name in ADDED_BY_CURL {
            if !headers.contains_key(&name) {
                self.value("header", format!("{name}:").as_bytes())?;
            }
        }
        for (name, value) in headers {
            let mut line = Zeroizing::new(Vec::from(name.as_str()));
            // A colon with nothing behind would take the header out.
            match value.is_empty() {
                true => line.push(b';'),
                false => {
                    line.extend_from_slice(b": ");
                    line.extend_from_slice(value.as_bytes());
                }
            }
            self.value("header", &line)?;
        }
        let length = match body {
            OutgoingBody::Empty => return Ok(()),
            OutgoingBody::Bytes(bytes) => Some(bytes.len()),
            OutgoingBody::Stream(_) => None,
        };
        self.value("upload-file", b"-")?;
        if let Some(length) = length.filter(|_| !headers.contains_key(header::CONTENT_LENGTH)) {
            self.value("header", format!("content-length: {length}").as_bytes())?;
        }
        // What has a length isn't cut into chunks.
        if length.is_some() || headers.contains_key(header::CONTENT_LENGTH) {
            self.value("header", b"transfer-encoding:")?;
        }
        Ok(())
    }

    /// Proxy, names and the own address; the environment has no say.
    fn way(&mut self, connect: &ConnectOptions, url: &Url) -> Result<(), Error> {
        match &connect.proxy {
            None => self.value("noproxy", b"*")?,
            Some(proxy) => self.value("proxy", proxy.url().expose().as_bytes())?,
        }
        if let Some(address) = connect.local_address {
            self.value("interface", address.to_string().as_bytes())?;
        }
        let port = url.port_or_known_default().unwrap_or(80);
        for (host, addresses) in &connect.hosts {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let line = format!("{host}:{port}:{}", addresses.join(","));
            self.value("resolve", line.as_bytes())?;
        }
        Ok(())
    }

    fn trust(
        &mut self,
        connect: &ConnectOptions,
        authorities: Option<&NamedTempFile>,
    ) -> Result<(), Error> {
        if connect.tls.identity.is_some() {
            let why = "curl can't be given a client certificate; send the request directly";
            return Err(Error::bad_request(why));
        }
        if let Trust::DangerAnyone = connect.tls.trust {
            self.flag("insecure");
        }
        match authorities.map(|file| file.path().to_str()) {
            None => Ok(()),
            Some(Some(path)) => self.value("cacert", path.as_bytes()),
            Some(None) => Err(Error::bad_request("the temporary folder's name isn't text")),
        }
    }
}

/// Neither the user that the URL may name nor its fragment is sent.
fn address(url: &Url) -> String {
    format!(
        "{}://{}{}",
        url.scheme(),
        &url[Position::BeforeHost..Position::AfterPort],
        &url[Position::BeforePath..Position::AfterQuery]
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;

    use super::*;
    use crate::transport::Patience;

    fn lines(headers: &[(&'static str, &[u8])], body: OutgoingBody) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = header::HeaderName::from_static(name);
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let request = Outgoing {
            method: Method::POST,
            url: Arc::new("http://u:p@a.test/x?\"y\\'#z".parse().unwrap()),
            headers: map,
            body,
            patience: Patience::default(),
        };
        let config = write(&request, &ConnectOptions::default(), None).unwrap();
        String::from_utf8_lossy(&config).into_owned()
    }

    #[test]
    fn values_stay_values() {
        let config = lines(
            &[("x-a", b"1\\\" \\n output = \"/tmp/x\ty"), ("x-empty", b"")],
            OutgoingBody::Empty,
        );
        let line = r#"header = "x-a: 1\\\" \\n output = \"/tmp/x\ty""#;
        assert!(config.lines().any(|found| found == line), "{config}");
        assert!(config.contains("header = \"x-empty;\"\n"), "{config}");
        let url = r#"url = "http://a.test/x?%22y\\%27""#;
        let shown = config.lines().find(|line| line.starts_with("url")).unwrap();
        assert!(shown == url || shown == url.replace("%27", "'"), "{shown}");
    }

    #[test]
    fn no_value_makes_a_second_line() {
        let mut config = Config(Zeroizing::new(Vec::new()));
        config.value("url", b"a\"\noutput = \"b\r\n\x0b\\").unwrap();
        let text = String::from_utf8(config.0.to_vec()).unwrap();
        assert_eq!(text, "url = \"a\\\"\\noutput = \\\"b\\r\\n\\v\\\\\"\n");
        assert_eq!(text.lines().count(), 1);
        assert!(config.value("url", b"a\0b").is_err());
        assert!(config.value("url", &vec![b'a'; LONGEST_LINE]).is_err());
    }

    #[test]
    fn a_body_of_known_length_says_so() {
        let config = lines(&[], OutgoingBody::Bytes("hello".into()));
        assert!(config.contains("header = \"content-length: 5\"\n"));
        assert!(config.contains("header = \"transfer-encoding:\"\n"));
        let config = lines(
            &[],
            OutgoingBody::Stream(Box::pin(futures_util::stream::empty())),
        );
        assert!(!config.contains("content-length"));
        assert!(config.contains("upload-file = \"-\"\n"));
    }
}
