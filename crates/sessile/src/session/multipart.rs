//! Bodies of several parts (`multipart/form-data`): RFC 7578, names as the HTML standard writes
//! them ("multipart form data").
//!
//! No type is guessed from a file's name: a server that cares asks for one, and then the caller
//! knows it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::HeaderValue;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::exact::exactly;
use super::request::StreamOnce;
use crate::error::Error;
use crate::transport::{ByteStream, OutgoingBody};

/// How much of a file is read at a time.
const PIECE: usize = 64 * 1024;

/// Texts and files sent as one form.
///
/// ```
/// use sessile::Request;
/// use sessile::session::{Multipart, Part};
///
/// let form = Multipart::new()
///     .text("title", "A fine day")
///     .part("photo", Part::bytes("…").file_name("day.jpg").content_type("image/jpeg"));
/// let request = Request::post("/photos").multipart(form);
/// ```
#[derive(Debug, Default)]
pub struct Multipart {
    parts: Vec<(String, Part)>,
}

/// One part of a form.
#[derive(Debug)]
pub struct Part {
    content: Content,
    file_name: Option<String>,
    content_type: Option<HeaderValue>,
    mistake: Option<Error>,
}

enum Content {
    Bytes(Bytes),
    File {
        path: PathBuf,
        length: u64,
    },
    Stream {
        stream: Option<StreamOnce>,
        length: Option<u64>,
    },
}

impl Multipart {
    /// A form without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field of text. Its line breaks go out as CR LF, as a browser sends them.
    pub fn text(self, name: impl Into<String>, value: &str) -> Self {
        let value = with_network_breaks(value);
        self.part(name, Part::of(Content::Bytes(value.into())))
    }

    /// Adds a part: a file, or bytes with a type of their own.
    pub fn part(mut self, name: impl Into<String>, part: Part) -> Self {
        self.parts.push((name.into(), part));
        self
    }

    /// The body, with a boundary that no part contains.
    pub(super) fn into_body(mut self, boundary: String) -> Result<MultipartBody, Error> {
        match self
            .parts
            .iter_mut()
            .find_map(|(_, part)| part.mistake.take())
        {
            Some(mistake) => Err(mistake),
            None => Ok(MultipartBody {
                parts: self.parts,
                boundary,
            }),
        }
    }
}

impl Part {
    /// Bytes that are there already. Without [`Part::file_name`] it is a field, not a file.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of(Content::Bytes(bytes.into()))
    }

    /// A file, read while it is sent, as often as it is sent. It has the path's last name, and the
    /// length that it has now.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where there is no such file, or it isn't a plain one; a pipe can be
    /// sent with [`Part::stream`].
    pub fn file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let found = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !found.is_file() {
            return Err(Error::bad_request(format!(
                "{} isn't a plain file",
                path.display()
            )));
        }
        let content = Content::File {
            path: path.to_owned(),
            length: found.len(),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self::of(content).file_name(name))
    }

    /// A stream, which can be sent once. Without its length the whole form is sent in chunks,
    /// which not every server understands.
    pub fn stream(stream: ByteStream, length: Option<u64>) -> Self {
        Self::of(Content::Stream {
            stream: Some(StreamOnce::new(stream)),
            length,
        })
    }

    /// The name that the file has for the server. Defaults to the path's last name for a file,
    /// else to none.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// The type. Defaults to `application/octet-stream` for what has a file name, else to none.
    pub fn content_type(mut self, kind: &str) -> Self {
        match HeaderValue::from_str(kind) {
            Ok(kind) => self.content_type = Some(kind),
            Err(_invalid) => {
                let what = format!("`{}` can't be a part's type", kind.escape_debug());
                self.mistake = Some(Error::bad_request(what));
            }
        }
        self
    }

    fn of(content: Content) -> Self {
        Self {
            content,
            file_name: None,
            content_type: None,
            mistake: None,
        }
    }

    fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::File { length, .. } => Some(*length),
            Content::Stream { length, .. } => *length,
        }
    }

    fn try_clone(&self) -> Option<Self> {
        let content = match &self.content {
            Content::Bytes(bytes) => Content::Bytes(bytes.clone()),
            Content::File { path, length } => Content::File {
                path: path.clone(),
                length: *length,
            },
            Content::Stream { .. } => return None,
        };
        Some(Self {
            content,
            file_name: self.file_name.clone(),
            content_type: self.content_type.clone(),
            mistake: self.mistake.clone(),
        })
    }
}

/// A form with its boundary, as often as its parts can be read.
#[derive(Debug)]
pub(crate) struct MultipartBody {
    parts: Vec<(String, Part)>,
    boundary: String,
}

impl MultipartBody {
    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub(super) fn is_replayable(&self) -> bool {
        !self
            .parts
            .iter()
            .any(|(_, part)| matches!(part.content, Content::Stream { .. }))
    }

    pub(super) fn length(&self) -> Option<u64> {
        let length = |(name, part): &(String, Part)| {
            Some(self.head(name, part).len() as u64 + part.length()? + 2)
        };
        let parts: Option<u64> = self.parts.iter().map(length).sum();
        Some(parts? + self.end().len() as u64)
    }

    pub(super) fn try_clone(&self) -> Option<Self> {
        let parts = self
            .parts
            .iter()
            .map(|(name, part)| Some((name.clone(), part.try_clone()?)));
        Some(Self {
            parts: parts.collect::<Option<_>>()?,
            boundary: self.boundary.clone(),
        })
    }

    /// The body for one sending; `None` where one of its parts was a stream and is gone.
    pub(super) fn outgoing(&mut self) -> Option<OutgoingBody> {
        let mut pieces: Vec<ByteStream> = Vec::with_capacity(3 * self.parts.len() + 1);
        let mut ready = BytesMut::new();
        for at in 0..self.parts.len() {
            let (name, part) = &self.parts[at];
            ready.extend_from_slice(self.head(name, part).as_bytes());
            match &mut self.parts[at].1.content {
                Content::Bytes(bytes) => ready.extend_from_slice(bytes),
                Content::File { path, length } => {
                    pieces.push(at_once(ready.split().freeze()));
                    pieces.push(read_file(path.clone(), *length));
                }
                Content::Stream { stream, length } => {
                    pieces.push(at_once(ready.split().freeze()));
                    pieces.push(of_length(stream.take()?.into_inner(), *length));
                }
            }
            ready.extend_from_slice(b"\r\n");
        }
        ready.extend_from_slice(self.end().as_bytes());
        if pieces.is_empty() {
            return Some(OutgoingBody::Bytes(ready.freeze()));
        }
        pieces.push(at_once(ready.freeze()));
        Some(OutgoingBody::Stream(stream::iter(pieces).flatten().boxed()))
    }

    fn head(&self, name: &str, part: &Part) -> String {
        let name = escape(&with_network_breaks(name));
        let mut head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"",
            self.boundary
        );
        if let Some(file_name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", escape(file_name)));
        }
        let kind = part
            .content_type
            .as_ref()
            .and_then(|kind| kind.to_str().ok());
        let of_file = part.file_name.as_ref().map(|_| "application/octet-stream");
        if let Some(kind) = kind.or(of_file) {
            head.push_str("\r\nContent-Type: ");
            head.push_str(kind);
        }
        head.push_str("\r\n\r\n");
        head
    }

    fn end(&self) -> String {
        format!("--{}--\r\n", self.boundary)
    }
}

/// A boundary that nobody can guess, so that no part can be made to contain it.
pub(super) fn random_boundary() -> Result<String, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Error::bad_request(format!("no randomness for a boundary: {error}")))?;
    Ok(format!("sessile-{:032x}", u128::from_be_bytes(random)))
}

fn at_once(bytes: Bytes) -> ByteStream {
    stream::iter([Ok(bytes)]).boxed()
}

fn read_file(path: PathBuf, length: u64) -> ByteStream {
    let shown = path.clone();
    let opened = stream::once(async move {
        let file = File::open(&path)
            .await
            .map_err(|error| unreadable(&path, &error))?;
        let pieces = ReaderStream::with_capacity(file.take(length), PIECE);
        Ok::<_, Error>(pieces.map_err(move |error| unreadable(&path, &error)))
    });
    exactly(
        opened.try_flatten().boxed(),
        length,
        format!("{} is", shown.display()),
    )
}

fn of_length(stream: ByteStream, length: Option<u64>) -> ByteStream {
    match length {
        Some(length) => exactly(stream, length, "a part of the form is".to_owned()),
        None => stream,
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::bad_request(format!("{} can't be read: {error}", path.display()))
}

/// HTML: in names and in text, every line break is CR LF.
fn with_network_breaks(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\n', "\r\n")
}

/// HTML: the three characters that would end a name are percent-encoded, all others stay.
fn escape(name: &str) -> String {
    name.replace('\n', "%0A")
        .replace('\r', "%0D")
        .replace('"', "%22")
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            Self::Stream { .. } => f.write_str("stream"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(body: &mut MultipartBody) -> Result<String, Error> {
        let mut whole = Vec::new();
        match body.outgoing().unwrap() {
            OutgoingBody::Bytes(bytes) => whole.extend_from_slice(&bytes),
            OutgoingBody::Empty => {}
            OutgoingBody::Stream(mut pieces) => {
                while let Some(piece) = pieces.next().await {
                    whole.extend_from_slice(&piece?);
                }
            }
        }
        Ok(String::from_utf8(whole).unwrap())
    }

    fn body(form: Multipart) -> MultipartBody {
        form.into_body("B".to_owned()).unwrap()
    }

    #[tokio::test]
    async fn parts_are_written_as_browsers_write_them() {
        let form = Multipart::new()
            .text("a \"b\"\n", "x\ny\r\nz\r")
            .part("f", Part::bytes("1").file_name("ä\"\r\n.txt"))
            .part("g", Part::bytes("{}").content_type("application/json"));
        let mut body = body(form);
        let expected = "--B\r\nContent-Disposition: form-data; name=\"a %22b%22%0D%0A\"\r\n\r\n\
                        x\r\ny\r\nz\r\n\r\n\
                        --B\r\nContent-Disposition: form-data; name=\"f\"; \
                        filename=\"ä%22%0D%0A.txt\"\r\n\
                        Content-Type: application/octet-stream\r\n\r\n1\r\n\
                        --B\r\nContent-Disposition: form-data; name=\"g\"\r\n\
                        Content-Type: application/json\r\n\r\n{}\r\n--B--\r\n";
        assert_eq!(sent(&mut body).await.unwrap(), expected);
        assert_eq!(body.length(), Some(expected.len() as u64));
        assert_eq!(body.content_type(), "multipart/form-data; boundary=B");
    }

    #[tokio::test]
    async fn a_file_is_sent_as_often_as_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let text = "line\n".repeat(40_000);
        std::fs::write(&path, &text).unwrap();
        let mut body = body(
            Multipart::new()
                .part("f", Part::file(&path).unwrap())
                .text("a", "1"),
        );
        assert!(body.is_replayable());
        let first = sent(&mut body).await.unwrap();
        assert!(first.contains("filename=\"notes.txt\"") && first.contains(&text));
        assert_eq!(body.length(), Some(first.len() as u64));
        assert_eq!(sent(&mut body.try_clone().unwrap()).await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "four").unwrap();
        let mut body = body(Multipart::new().part("f", Part::file(&path).unwrap()));
        std::fs::write(&path, "four and more").unwrap();
        assert!(
            sent(&mut body)
                .await
                .unwrap()
                .contains("\r\n\r\nfour\r\n--B")
        );
        std::fs::write(&path, "tw").unwrap();
        let error = sent(&mut body).await.unwrap_err().to_string();
        assert!(
            error.ends_with("log is 2 bytes shorter than it was said"),
            "{error}"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(
            sent(&mut body)
                .await
                .unwrap_err()
                .to_string()
                .contains("can't be read")
        );
    }

    #[tokio::test]
    async fn a_stream_is_sent_once_and_as_long_as_it_was_said() {
        let stream = |text: &'static str| at_once(Bytes::from_static(text.as_bytes()));
        let mut once = body(Multipart::new().part("f", Part::stream(stream("abc"), None)));
        assert_eq!((once.length(), once.is_replayable()), (None, false));
        assert!(once.try_clone().is_none());
        assert!(sent(&mut once).await.unwrap().contains("abc"));
        assert!(once.outgoing().is_none());
        for (length, expected) in [(3, None), (2, Some("longer")), (4, Some("shorter"))] {
            let part = Part::stream(stream("abc"), Some(length));
            let error = sent(&mut body(Multipart::new().part("f", part)))
                .await
                .err();
            let text = error.map(|error| error.to_string());
            assert_eq!(text.is_some(), expected.is_some(), "{length}: {text:?}");
            assert!(
                text.unwrap_or_default()
                    .contains(expected.unwrap_or_default()),
                "{length}"
            );
        }
    }

    #[test]
    fn mistakes_are_said() {
        let form = Multipart::new().part("f", Part::bytes("1").content_type("a\nb"));
        assert!(form.into_body("B".to_owned()).is_err());
        assert!(
            Part::file("/")
                .unwrap_err()
                .to_string()
                .contains("isn't a plain file")
        );
        assert!(
            Part::file("/no/such")
                .unwrap_err()
                .to_string()
                .contains("can't be read")
        );
    }
}
