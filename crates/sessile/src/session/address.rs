//! Where a request goes.
//!
//! Reading a URL costs as much as all else that a session does for a small request; what the last
//! request has read serves the next one.

use std::sync::Arc;

use url::{Position, Url};

use super::{Live, absolute_url};
use crate::error::Error;

/// The address of the last request, as it was given and as it was read.
#[derive(Debug)]
pub(super) struct Last {
    given: Box<str>,
    url: Arc<Url>,
}

/// The URL that a request means.
///
/// # Errors
///
/// [`Error::BadRequest`] where it can't be fetched.
pub(super) fn of(live: &mut Live, given: &str) -> Result<Arc<Url>, Error> {
    if let Some(last) = &live.last
        && *last.given == *given
    {
        return Ok(Arc::clone(&last.url));
    }
    let near = live
        .last
        .as_ref()
        .and_then(|last| at_origin(&last.url, given));
    let url = Arc::new(match (near, &live.state.base_url) {
        (Some(url), _) => url,
        (None, Some(base)) => base.join(given).map_err(|error| {
            Error::bad_request(format!("the URL can't be joined to the base URL: {error}"))
        })?,
        (None, None) => absolute_url(given)?,
    });
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Error::bad_request(
            "only http and https URLs can be fetched",
        ));
    }
    let given = given.into();
    live.last = Some(Box::new(Last {
        given,
        url: Arc::clone(&url),
    }));
    Ok(url)
}

/// The URL where it is at the same origin as another, so that only its path has to be read.
fn at_origin(other: &Url, given: &str) -> Option<Url> {
    let path = given.strip_prefix(&other[..Position::BeforePath])?;
    // `//` would begin another host, and what isn't plain may be read as something else.
    let is_path = path.starts_with('/') && !path.starts_with("//");
    let is_plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain {
        other.join(path).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_at_the_same_origin_is_read_alone() {
        let other: Url = "http://a.test:81/x?y".parse().unwrap();
        let near = |given| at_origin(&other, given).map(String::from);
        assert_eq!(
            near("http://a.test:81/b/../c?d#e").unwrap(),
            "http://a.test:81/c?d#e"
        );
        for elsewhere in [
            "http://a.test:81",
            "http://a.test:81//b.test/",
            "http://a.test:81/\\b.test/",
            "http://a.test:81/\t/b.test/",
            "http://a.test:811/",
            "http://a.test/",
            "https://a.test:81/",
            "/c",
        ] {
            assert_eq!(near(elsewhere), None, "{elsewhere}");
        }
    }

    proptest! {
        /// The short way leads to the same place.
        #[test]
        fn a_path_is_read_as_the_whole_would_be(rest in "/[ -~]{0,20}") {
            let other: Url = "http://u@a.test/x".parse().unwrap();
            let given = format!("http://u@a.test{rest}");
            if let Some(url) = at_origin(&other, &given) {
                prop_assert_eq!(Ok(url), Url::parse(&given));
            }
        }
    }
}
