//! A reply, its body still arriving.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, Version, header};
use serde::de::DeserializeOwned;
use url::Url;

use super::challenge::{Challenge, PAGE_LIMIT};
use super::deadline::Deadline;
use super::decode;
use super::fallback::{PassedOver, Tier};
use super::manners::Ender;
use super::verdict::{self, Verdict};
use crate::error::Error;
use crate::redact::ShownUrl;
use crate::transport::ByteStream;

/// What a server answered.
///
/// The body streams: [`Reply::bytes`], [`Reply::text`] and [`Reply::json`] read it whole,
/// [`Reply::chunk`] piece by piece. It is decoded already (gzip, deflate, brotli, zstd).
pub struct Reply {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) url: Arc<Url>,
    pub(super) history: Vec<Hop>,
    pub(super) elapsed: Duration,
    pub(super) verdict: Verdict,
    pub(super) generation: u64,
    pub(super) cookies_set: Vec<String>,
    pub(super) tier: Tier,
    pub(super) passed_over: Vec<PassedOver>,
    pub(super) ender: Option<Ender>,
    pub(super) body: ReplyBody,
}

/// A body, read whole.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "it is text or it isn't")]
pub enum Content {
    /// What isn't text.
    Bytes(Bytes),
    /// What is.
    Text(String),
}

/// One page on the way to the final one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Hop {
    /// What was asked.
    pub url: Url,
    /// What it answered.
    pub status: StatusCode,
}

impl Reply {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The HTTP version spoken.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The headers as they came.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the body that is read isn't the one that came: its `Content-Encoding` was undone, so
    /// that this header and `Content-Length` don't describe it any more.
    pub fn is_decoded(&self) -> bool {
        decode::is_decoded(&self.headers)
    }

    /// Where the reply came from, after redirects.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The pages that redirected here, first to last.
    pub fn history(&self) -> &[Hop] {
        &self.history
    }

    /// From the start of the first request to the head of this reply.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What the reply says of the session.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The login that the request was sent with.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The names of the cookies that this reply and those before it in the chain set.
    pub fn cookies_set(&self) -> &[String] {
        &self.cookies_set
    }

    /// The way that it came.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The ways that were tried and didn't serve, in order, each with the reason.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Lets other requests to the host go before this body has been read: those that have to be
    /// made before it is known whether anybody reads it.
    pub(crate) fn make_room(&mut self) {
        if let Some(ender) = self.ender.take() {
            ender.end();
        }
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// What can happen to a connection: [`Error::CutShort`], [`Error::TimeOut`], and
    /// [`Error::Decode`] where the body isn't what its encoding says.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.body.next().await.transpose()
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`Reply::chunk`], and [`Error::TooLarge`] past the session's limit.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let limit = self.body.limit;
        self.body.read(limit).await?;
        if self.body.is_over(limit) {
            return Err(Error::TooLarge {
                url: ShownUrl(&self.url).to_string(),
                limit,
            });
        }
        Ok(self.body.take_head())
    }

    /// The whole body as text, by the `charset` of its `Content-Type`, else as UTF-8.
    ///
    /// # Errors
    ///
    /// As [`Reply::bytes`]. Bytes that aren't text become U+FFFD.
    pub async fn text(self) -> Result<String, Error> {
        self.text_with("utf-8").await
    }

    /// The whole body as text, by the `charset` of its `Content-Type`, else by this one, as
    /// `shift_jis`; a name that the Encoding standard doesn't have means UTF-8.
    ///
    /// # Errors
    ///
    /// As [`Reply::text`].
    pub async fn text_with(self, charset: &str) -> Result<String, Error> {
        let label = self.charset();
        let bytes = self.bytes().await?;
        Ok(decode_text(
            &bytes,
            Some(label.as_deref().unwrap_or(charset)),
        ))
    }

    /// The whole body as text where it is text, by the `charset` of its `Content-Type` or else as
    /// UTF-8; as bytes where that can't be read so.
    ///
    /// # Errors
    ///
    /// As [`Reply::bytes`].
    pub async fn content(self) -> Result<Content, Error> {
        let label = self.charset();
        let bytes = self.bytes().await?;
        Ok(match whole_text(&bytes, label.as_deref()) {
            Some(text) => Content::Text(text),
            None => Content::Bytes(bytes),
        })
    }

    /// The beginning of the body, as [`Reply::content`] gives it, and whether that is all of it.
    pub(crate) async fn beginning(mut self, limit: u64) -> Result<(Content, bool), Error> {
        let label = self.charset();
        self.body.read(limit).await?;
        let is_whole = !self.body.is_over(limit);
        let mut bytes = self.body.take_head();
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        // Where it was cut may be in the middle of a character.
        let longest = if is_whole { 0 } else { bytes.len().min(3) };
        let text = (0..=longest).find_map(|cut| {
            let whole = bytes.get(..bytes.len() - cut)?;
            whole_text(whole, label.as_deref())
        });
        Ok(match text {
            Some(text) => (Content::Text(text), is_whole),
            None => (Content::Bytes(bytes), is_whole),
        })
    }

    /// The reply, unless its status says that the request failed (4xx and 5xx).
    ///
    /// # Errors
    ///
    /// [`Error::Status`].
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.status.is_client_error() || self.status.is_server_error() {
            let url = ShownUrl(&self.url).to_string();
            return Err(Error::Status {
                url,
                status: self.status,
            });
        }
        Ok(self)
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    ///
    /// As [`Reply::bytes`], and [`Error::Decode`] where it isn't JSON of this shape.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let url = ShownUrl(&self.url).to_string();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Decode {
            url,
            detail: format!("not the expected JSON: {error}"),
        })
    }

    /// Whether the body says that it is an HTML page.
    pub fn is_html(&self) -> bool {
        let kind = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        kind.is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or("").trim();
            kind.eq_ignore_ascii_case("text/html")
                || kind.eq_ignore_ascii_case("application/xhtml+xml")
        })
    }

    /// The beginning of the body, which stays in its place.
    ///
    /// # Errors
    ///
    /// As [`Reply::chunk`].
    pub(crate) async fn peek(&mut self, limit: u64) -> Result<&[u8], Error> {
        self.body.read(limit).await?;
        Ok(self.body.head.bytes())
    }

    /// Whether the page may say more than the head did.
    pub(super) fn may_hide_challenge(&self) -> bool {
        verdict::may_hide_challenge(self.status, &self.verdict) && self.is_html()
    }

    /// Names who asks for a proof where only the page says it. A body that can't be read fails
    /// for whoever reads it, not here.
    pub(super) async fn look_for_challenge(&mut self) {
        if let Err(error) = self.body.read(PAGE_LIMIT).await {
            self.body.rest = Some(Box::pin(stream::iter([Err(error)])));
        }
        if let Some(challenge) = Challenge::of_page(self.body.head.bytes()) {
            self.verdict = Verdict::Challenged(challenge);
        }
    }

    pub(crate) fn set_verdict(&mut self, verdict: Verdict) {
        self.verdict = verdict;
    }

    fn charset(&self) -> Option<String> {
        let kind = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let parameter = kind.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then_some(value)
        })?;
        Some(parameter.trim().trim_matches('"').to_owned())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Reply({} {}, {})",
            self.status,
            ShownUrl(&self.url),
            self.verdict
        )
    }
}

fn decode_text(bytes: &[u8], label: Option<&str>) -> String {
    let encoding = label
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .unwrap_or(encoding_rs::UTF_8);
    encoding.decode(bytes).0.into_owned()
}

/// The text, where every byte is part of it.
fn whole_text(bytes: &[u8], label: Option<&str>) -> Option<String> {
    let encoding = label.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
    let (text, _, is_broken) = encoding.unwrap_or(encoding_rs::UTF_8).decode(bytes);
    (!is_broken).then(|| text.into_owned())
}

/// A body of which the beginning may have been read already.
pub(super) struct ReplyBody {
    head: Head,
    rest: Option<ByteStream>,
    /// How much may be read whole.
    pub(super) limit: u64,
}

/// What was read; a single piece, as small bodies are, isn't copied.
enum Head {
    Joined(BytesMut),
    Piece(Bytes),
}

impl Head {
    fn push(&mut self, piece: Bytes) {
        match self {
            Self::Joined(all) => all.extend_from_slice(&piece),
            Self::Piece(first) if first.is_empty() => *first = piece,
            Self::Piece(first) => {
                let mut all = BytesMut::with_capacity(first.len() + piece.len());
                all.extend_from_slice(first);
                all.extend_from_slice(&piece);
                *self = Self::Joined(all);
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Joined(all) => all,
            Self::Piece(first) => first,
        }
    }

    fn freeze(self) -> Bytes {
        match self {
            Self::Joined(all) => all.freeze(),
            Self::Piece(first) => first,
        }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::Piece(Bytes::new())
    }
}

impl ReplyBody {
    pub(super) fn new(rest: ByteStream, limit: u64) -> Self {
        Self {
            head: Head::default(),
            rest: Some(rest),
            limit,
        }
    }

    /// Fails when the time is over.
    pub(super) fn keep(&mut self, deadline: Deadline, url: Arc<Url>) {
        self.rest = self.rest.take().map(|rest| deadline.limit(rest, url));
    }

    /// Reads into `head` until it holds more than `limit` or everything.
    async fn read(&mut self, limit: u64) -> Result<(), Error> {
        while !self.is_over(limit) {
            let Some(rest) = &mut self.rest else {
                return Ok(());
            };
            match rest.next().await.transpose()? {
                Some(piece) => self.head.push(piece),
                None => self.rest = None,
            }
        }
        Ok(())
    }

    /// Reads to the end where it is near, so that the connection can be used again.
    pub(super) async fn skip_little(&mut self) -> Result<(), Error> {
        self.read(self.limit).await
    }

    fn is_over(&self, limit: u64) -> bool {
        self.head.bytes().len() as u64 > limit
    }

    fn take_head(&mut self) -> Bytes {
        std::mem::take(&mut self.head).freeze()
    }
}

impl Stream for ReplyBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.head.bytes().is_empty() {
            return Poll::Ready(Some(Ok(self.take_head())));
        }
        match &mut self.rest {
            Some(rest) => rest.as_mut().poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}
