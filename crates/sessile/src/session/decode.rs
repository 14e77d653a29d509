//! Undoing `Content-Encoding` (RFC 9110, section 8.4) as the body arrives.

use std::io;
use std::sync::Arc;

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use futures_util::{StreamExt, TryFutureExt, TryStreamExt, stream};
use http::{HeaderMap, header};
use tokio::io::{AsyncBufReadExt, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};
use url::Url;

use crate::error::Error;
use crate::redact::ShownUrl;
use crate::transport::ByteStream;

/// How much is decoded at a time.
const PIECE: usize = 64 * 1024;

/// The encodings that are understood, in the words of `Accept-Encoding`.
pub(crate) const ACCEPTED: &str = "gzip, deflate, br, zstd";

#[derive(Clone, Copy)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

/// The body without its encodings; an encoding that isn't known leaves it as it is.
pub(super) fn decoded(headers: &HeaderMap, body: ByteStream, url: &Arc<Url>) -> ByteStream {
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return body;
    }
    let Some(codings) = codings(headers) else {
        return body;
    };
    // The last one named was applied last.
    let codings = codings.into_iter().rev();
    codings.fold(body, |body, coding| unwrap(coding, body, Arc::clone(url)))
}

/// Whether a body with these headers is undone.
pub(super) fn is_decoded(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING) && codings(headers).is_some()
}

fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in value.to_str().ok()?.split(',') {
            codings.push(match name.trim().to_ascii_lowercase().as_str() {
                "br" => Coding::Brotli,
                "deflate" => Coding::Deflate,
                "gzip" | "x-gzip" => Coding::Gzip,
                "identity" | "" => continue,
                "zstd" => Coding::Zstd,
                _ => return None,
            });
        }
    }
    (!codings.is_empty()).then_some(codings)
}

fn unwrap(coding: Coding, body: ByteStream, url: Arc<Url>) -> ByteStream {
    let mut reader = StreamReader::new(body.map_err(io::Error::other));
    let shown = Arc::clone(&url);
    let begin = async move {
        // A body that isn't there has no encoding.
        let Some(first) = reader.fill_buf().await?.first().copied() else {
            return Ok(stream::empty().boxed());
        };
        Ok(match coding {
            Coding::Brotli => pieces(BrotliDecoder::new(reader), url),
            // Section 8.4.1.2: deflate is the zlib format, but some servers send what should be
            // inside it. RFC 1950, section 2.2: method 8, with a window of at most 2^15.
            Coding::Deflate if first & 0x8f == 8 => pieces(ZlibDecoder::new(reader), url),
            Coding::Deflate => pieces(DeflateDecoder::new(reader), url),
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                pieces(decoder, url)
            }
            Coding::Zstd => pieces(ZstdDecoder::new(reader), url),
        })
    };
    let begin = stream::once(begin.map_err(move |error| explain(error, &shown)));
    begin.try_flatten().boxed()
}

fn pieces(decoder: impl AsyncRead + Send + 'static, url: Arc<Url>) -> ByteStream {
    ReaderStream::with_capacity(decoder, PIECE)
        .map(move |piece| piece.map_err(|error| explain(error, &url)))
        .boxed()
}

/// What the connection reported comes back as it was; all else is the decoder's.
fn explain(error: io::Error, url: &Url) -> Error {
    let detail = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(ours)) => *ours,
        Some(Err(_)) | None => Error::Decode {
            url: ShownUrl(url).to_string(),
            detail,
        },
    }
}
