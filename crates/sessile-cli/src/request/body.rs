//! Bodies that are read: a whole one from a file or standard input, and forms with files.

use std::io::Read;

use bytes::Bytes;
use futures_util::stream;
use sessile::session::{Multipart, Part};
use sessile::transport::ByteStream;
use sessile::{Error, Request};

use super::content::{Field, Inputs, unreadable};
use crate::exit::{Exit, Failure};
use crate::items::{FilePart, Source};

/// Up to here a body is held in memory, so that it can be sent again after a renewal.
const WHOLE: u64 = 16 * 1024 * 1024;

/// How much of a longer one is read at a time.
const PIECE: usize = 64 * 1024;

/// The request with the source's bytes as its body.
pub(crate) fn attach(
    request: Request,
    source: &Source,
    inputs: &mut Inputs,
) -> Result<Request, Failure> {
    let mut reader = inputs.open(source)?;
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(WHOLE + 1)
        .read_to_end(&mut head)
        .map_err(|error| unreadable(source, &error))?;
    if head.len() as u64 <= WHOLE {
        return Ok(request.body(head));
    }
    let name = source.to_string();
    Ok(request.stream(Box::pin(pieces(head, reader, name))))
}

/// The form; its files are read while they are sent.
pub(crate) fn form(fields: Vec<Field>, inputs: &mut Inputs) -> Result<Multipart, Failure> {
    let mut form = Multipart::new();
    for field in fields {
        form = match field {
            Field::File(file) => {
                let part = part(&file, inputs)?;
                form.part(file.name, part)
            }
            Field::Text { name, text } => form.text(name, &text),
        };
    }
    Ok(form)
}

fn part(file: &FilePart, inputs: &mut Inputs) -> Result<Part, Failure> {
    let part = match &file.source {
        Source::File(path) => {
            Part::file(path).map_err(|error| Failure::of(Exit::Failed, "input", &error))?
        }
        stdin @ Source::StandardInput => Part::bytes(inputs.bytes(stdin)?).file_name("stdin"),
    };
    Ok(match &file.media_type {
        Some(media_type) => part.content_type(media_type),
        None => part,
    })
}

type Reader = Box<dyn Read + Send>;

fn pieces(head: Vec<u8>, reader: Reader, name: String) -> ByteStream {
    let first = stream::once(async { Ok(Bytes::from(head)) });
    let rest = stream::try_unfold(reader, move |reader| {
        let name = name.clone();
        async move { next(reader).await.map_err(|why| lost(&name, &why)) }
    });
    Box::pin(stream::StreamExt::chain(first, rest))
}

/// Reading waits for the disk or for another program, so it does that elsewhere.
async fn next(mut reader: Reader) -> std::io::Result<Option<(Bytes, Reader)>> {
    let read = move || {
        let mut piece = vec![0; PIECE];
        let length = reader.read(&mut piece)?;
        piece.truncate(length);
        Ok((length > 0).then(|| (Bytes::from(piece), reader)))
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(piece) => piece,
        Err(stopped) => Err(std::io::Error::other(stopped)),
    }
}

fn lost(name: &str, why: &std::io::Error) -> Error {
    Error::BadRequest {
        what: format!("cannot read {name}: {why}"),
    }
}
