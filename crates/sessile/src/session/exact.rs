//! A body of a length that is said beforehand.

use bytes::Bytes;
use futures_util::stream::Fuse;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::Error;
use crate::transport::ByteStream;

/// Fails where a body isn't as long as was said: the server would take the rest for it. `what`
/// names it with its verb, as in `the body is`.
pub(super) fn exactly(body: ByteStream, length: u64, what: String) -> ByteStream {
    let rest = Rest {
        body: body.fuse(),
        left: length,
        what,
    };
    let pieces = stream::try_unfold(rest, |mut rest| async move {
        let piece = rest.take().await?;
        Ok(piece.map(|piece| (piece, rest)))
    });
    pieces.boxed()
}

/// What is still to come of a body.
struct Rest {
    body: Fuse<ByteStream>,
    left: u64,
    what: String,
}

impl Rest {
    /// The next piece. One that fills the length is held until the body has ended: with it the
    /// request is whole, and nobody would ask for what comes after it.
    async fn take(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(piece) = self.filled().await? else {
            return match self.left {
                0 => Ok(None),
                left => Err(self.wrong(&format!("{left} bytes shorter"))),
            };
        };
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or_else(|| self.wrong("longer"))?;
        if self.left == 0 && self.filled().await?.is_some() {
            return Err(self.wrong("longer"));
        }
        Ok(Some(piece))
    }

    /// The next piece that holds something.
    async fn filled(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.body.try_next().await? {
                Some(piece) if piece.is_empty() => {}
                next => return Ok(next),
            }
        }
    }

    fn wrong(&self, how: &str) -> Error {
        Error::bad_request(format!("{} {how} than it was said", self.what))
    }
}

#[cfg(test)]
mod tests {
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

    /// Who knows the length asks for nothing after it.
    #[tokio::test]
    async fn what_fills_the_length_waits_for_the_end() {
        let too_long = Err("the body is longer than it was said");
        first(&["abcde", "fgh"], too_long).await;
        first(&["abcde", "", "f"], too_long).await;
        first(&["abcde", ""], Ok("abcde")).await;
    }

    async fn first(pieces: &[&'static str], expected: Result<&str, &str>) {
        let piece = body(pieces, 5).next().await.unwrap();
        compare(piece.map(|piece| vec![piece]), expected);
    }

    async fn check(pieces: &[&'static str], length: u64, expected: Result<&str, &str>) {
        compare(body(pieces, length).try_collect().await, expected);
    }

    fn body(pieces: &[&'static str], length: u64) -> ByteStream {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok((*piece).into())).collect();
        exactly(
            stream::iter(pieces).boxed(),
            length,
            "the body is".to_owned(),
        )
    }

    #[track_caller]
    fn compare(read: Result<Vec<Bytes>, Error>, expected: Result<&str, &str>) {
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
