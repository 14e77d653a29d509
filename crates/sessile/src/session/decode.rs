//! Undoing `Content-Encoding` (RFC 9110, section 8.4) as the body arrives.

use std::io;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, header};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::error::Error;
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
pub(super) fn decoded(headers: &HeaderMap, body: ByteStream, url: &str) -> ByteStream {
    let Some(codings) = codings(headers) else {
        return body;
    };
    // The last one named was applied last.
    codings
        .into_iter()
        .rev()
        .fold(body, |body, coding| unwrap(coding, body, url.to_owned()))
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

fn unwrap(coding: Coding, body: ByteStream, url: String) -> ByteStream {
    let reader = StreamReader::new(body.map_err(io::Error::other));
    match coding {
        Coding::Brotli => stream(BrotliDecoder::new(reader), url),
        Coding::Deflate => stream(ZlibDecoder::new(reader), url),
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(reader);
            decoder.multiple_members(true);
            stream(decoder, url)
        }
        Coding::Zstd => stream(ZstdDecoder::new(reader), url),
    }
}

fn stream(decoder: impl AsyncRead + Send + 'static, url: String) -> ByteStream {
    ReaderStream::with_capacity(decoder, PIECE)
        .map(move |piece| piece.map_err(|error| explain(error, &url)))
        .boxed()
}

/// What the connection reported comes back as it was; all else is the decoder's.
fn explain(error: io::Error, url: &str) -> Error {
    let detail = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(ours)) => *ours,
        Some(Err(_)) | None => Error::Decode {
            url: url.to_owned(),
            detail,
        },
    }
}
