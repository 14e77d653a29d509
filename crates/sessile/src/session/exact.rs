//! A body of a length that is said beforehand.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::error::Error;
use crate::transport::ByteStream;

/// Fails where a body isn't as long as was said: the server would take the rest for it. `what`
/// names it with its verb, as in `the body is`.
pub(super) fn exactly(body: ByteStream, length: u64, what: String) -> ByteStream {
    let end = stream::iter([None]);
    let pieces = body.map(Some).chain(end);
    let checked = pieces.scan(length, move |left, piece| {
        std::future::ready(check(left, piece, &what))
    });
    checked.boxed()
}

/// The next piece, where it fits into what is left; at the end nothing may be left.
fn check(
    left: &mut u64,
    piece: Option<Result<Bytes, Error>>,
    what: &str,
) -> Option<Result<Bytes, Error>> {
    match piece {
        Some(Ok(piece)) => Some(match left.checked_sub(piece.len() as u64) {
            Some(rest) => {
                *left = rest;
                Ok(piece)
            }
            None => Err(Error::bad_request(format!(
                "{what} longer than it was said"
            ))),
        }),
        Some(Err(error)) => Some(Err(error)),
        None if *left > 0 => Some(Err(Error::bad_request(format!(
            "{what} {left} bytes shorter than it was said"
        )))),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_has_the_length_that_was_said() {
        check(&["abc", "de"], 5, Ok("abcde")).await;
        check(&[], 0, Ok("")).await;
        check(
            &["abc"],
            5,
            Err("the body is 2 bytes shorter than it was said"),
        )
        .await;
        check(
            &["abc", "def"],
            5,
            Err("the body is longer than it was said"),
        )
        .await;
    }

    async fn check(pieces: &[&'static str], length: u64, expected: Result<&str, &str>) {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok((*piece).into())).collect();
        let body = exactly(
            stream::iter(pieces).boxed(),
            length,
            "the body is".to_owned(),
        );
        let read: Result<Vec<Bytes>, Error> = body.try_collect().await;
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(
            read.map(|pieces| text(&pieces))
                .map_err(|error| error.to_string()),
            expected
        );
    }

    fn text(pieces: &[Bytes]) -> String {
        String::from_utf8(pieces.concat()).unwrap()
    }
}
