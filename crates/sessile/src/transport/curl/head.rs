//! The head of a reply as curl writes it.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

/// Heads are smaller than this.
pub(super) const LONGEST: usize = 256 * 1024;

/// Status, version and headers.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
}

/// The length of the first head in these bytes, its empty line included.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let end = start + bytes[start..].iter().position(|byte| *byte == b'\n')?;
        let line = &bytes[start..end];
        start = end + 1;
        if matches!(line, b"" | b"\r") {
            return Some(start);
        }
    }
}

/// Reads one head.
///
/// # Errors
///
/// What isn't HTTP in it.
pub(super) fn parse(bytes: &[u8]) -> Result<Head, &'static str> {
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let (version, status) = status_line(lines.next().unwrap_or_default())?;
    let mut headers = HeaderMap::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.ok_or("a header without a colon")?);
        let name = HeaderName::from_bytes(name).map_err(|_invalid| "a header's name")?;
        let value = HeaderValue::from_bytes(value[1..].trim_ascii())
            .map_err(|_invalid| "a header's value")?;
        headers
            .try_append(name, value)
            .map_err(|_too_many| "too many headers")?;
    }
    Ok(Head {
        status,
        version,
        headers,
    })
}

fn status_line(line: &[u8]) -> Result<(Version, StatusCode), &'static str> {
    let mut words = line.split(|byte| *byte == b' ');
    let version = match words.next() {
        Some(b"HTTP/1.0") => Version::HTTP_10,
        Some(b"HTTP/1.1") => Version::HTTP_11,
        Some(b"HTTP/2" | b"HTTP/2.0") => Version::HTTP_2,
        Some(b"HTTP/3" | b"HTTP/3.0") => Version::HTTP_3,
        Some(_) | None => return Err("no status line"),
    };
    let status = StatusCode::from_bytes(words.next().unwrap_or_default());
    Ok((version, status.map_err(|_invalid| "the status")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let text =
            b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie:b=2\r\nx: \r\n\r\nbody\r\n\r\n";
        let end = length(text).unwrap();
        assert_eq!(&text[end..], b"body\r\n\r\n");
        let head = parse(&text[..end]).unwrap();
        assert_eq!(
            (head.status.as_u16(), head.version),
            (200, Version::HTTP_11)
        );
        let cookies: Vec<_> = head.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(head.headers["x"], "");
        assert_eq!(length(b"HTTP/2 200 \r\nx: y\r\n"), None);
        assert_eq!(parse(b"HTTP/2 204 \n\n").unwrap().version, Version::HTTP_2);
    }

    #[test]
    fn what_is_not_http_is_named() {
        for (text, why) in [
            ("", "no status line"),
            ("ok", "no status line"),
            ("HTTP/1.1 xx\r\n\r\n", "the status"),
            ("HTTP/1.1 200\r\nx\r\n\r\n", "a header without a colon"),
            ("HTTP/1.1 200\r\nx y: 1\r\n\r\n", "a header's name"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), why, "{text:?}");
        }
    }
}
