//! `multipart/form-data` (RFC 7578), as the HTML standard has browsers write it.

/// One part of a form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) bytes: Vec<u8>,
}

impl Part {
    /// A field that holds text.
    pub(super) fn text(name: String, text: String) -> Self {
        Self {
            name,
            file_name: None,
            media_type: None,
            bytes: text.into_bytes(),
        }
    }
}

/// The media type with its boundary, and the body.
pub(super) fn encode(parts: &[Part]) -> (String, Vec<u8>) {
    let boundary = boundary(parts);
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.bytes.len() + 256).sum());
    for part in parts {
        body.extend_from_slice(head(part, &boundary).as_bytes());
        body.extend_from_slice(&part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

fn head(part: &Part, boundary: &str) -> String {
    let mut head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
        escaped(&part.name)
    );
    if let Some(file_name) = &part.file_name {
        head.push_str(&format!("; filename=\"{}\"", escaped(file_name)));
    }
    if let Some(media_type) = &part.media_type {
        head.push_str(&format!("\r\nContent-Type: {}", escaped(media_type)));
    }
    head.push_str("\r\n\r\n");
    head
}

/// What would end the quotes or the line.
fn escaped(text: &str) -> String {
    text.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A boundary that none of the parts holds: it is looked for, not hoped for.
fn boundary(parts: &[Part]) -> String {
    let mut number = 0_u64;
    loop {
        let boundary = format!("sessile-boundary-{number:016x}");
        let held = |part: &Part| holds(&part.bytes, boundary.as_bytes());
        if !parts.iter().any(held) {
            return boundary;
        }
        number += 1;
    }
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_as_browsers_write_them() {
        let file = Part {
            name: "up \"load\"".into(),
            file_name: Some("a\nb.png".into()),
            media_type: Some("image/png".into()),
            bytes: vec![0, 255],
        };
        let (media_type, body) = encode(&[Part::text("title".into(), "Cat".into()), file]);
        assert_eq!(
            media_type,
            "multipart/form-data; boundary=sessile-boundary-0000000000000000"
        );
        let expected = b"--sessile-boundary-0000000000000000\r\n\
            Content-Disposition: form-data; name=\"title\"\r\n\r\nCat\r\n\
            --sessile-boundary-0000000000000000\r\n\
            Content-Disposition: form-data; name=\"up %22load%22\"; filename=\"a%0Ab.png\"\r\n\
            Content-Type: image/png\r\n\r\n\x00\xff\r\n\
            --sessile-boundary-0000000000000000--\r\n";
        assert_eq!(body, expected);
    }

    #[test]
    fn the_boundary_is_in_no_part() {
        let hostile = Part::text("a".into(), "--sessile-boundary-0000000000000000--".into());
        assert_eq!(boundary(&[hostile]), "sessile-boundary-0000000000000001");
    }
}
