//! Addresses with places for a target, which stays in its place.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::super::target::TargetFault;
use super::PLACEHOLDER;
use crate::error::Error;

/// An address with places for a target.
#[derive(Clone, Debug)]
pub(super) struct UrlTemplate {
    text: String,
    /// Each text, and what stands after it.
    pieces: Vec<(String, Option<Place>)>,
    /// How many segments of its path mean another one (`.` and `..`), whatever the target.
    dots: Option<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// In the host or the port.
    Authority,
    /// In the path, the query or the fragment.
    Behind,
    /// At the very start: the target begins the URL.
    Start,
}

/// Everything but what never has a meaning of its own (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl UrlTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(PLACEHOLDER) {
            let offset = text.len() - rest.len() + before.len();
            pieces.push((before.to_owned(), Some(place(text, offset)?)));
            rest = after;
        }
        pieces.push((rest.to_owned(), None));
        let mut template = Self {
            text: text.to_owned(),
            pieces,
            dots: None,
        };
        template.dots = template.check()?;
        Ok(template)
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Tries it with a target that fits everywhere; answers how many such segments its path has.
    fn check(&self) -> Result<Option<usize>, Error> {
        if self
            .pieces
            .first()
            .is_some_and(|(_, place)| *place == Some(Place::Start))
        {
            return Ok(None);
        }
        let bad = |what: &str| Error::BadRequest {
            what: format!("the URL of the targets {what}"),
        };
        let text = self.text.replace(PLACEHOLDER, "1");
        let url = resolve(&text).map_err(|why| bad(&format!("isn't a URL: {why}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("isn't an http or https URL"));
        }
        if has_user(&url) {
            return Err(bad(
                "holds a user or password, which is not sent from there",
            ));
        }
        Ok(Some(dot_segments(&text)))
    }

    pub(super) fn has_place(&self) -> bool {
        self.pieces.len() > 1
    }

    pub(super) fn fill(&self, target: &str) -> Result<String, TargetFault> {
        let mut filled = String::with_capacity(self.text.len() + target.len());
        for (text, place) in &self.pieces {
            filled.push_str(text);
            match place {
                None => {}
                Some(Place::Authority) if is_host(target) => filled.push_str(target),
                Some(Place::Authority) => return Err(TargetFault::NotAHost),
                Some(Place::Behind) => filled.extend(utf8_percent_encode(target, ENCODED)),
                Some(Place::Start) => {
                    own_address(target, false)?;
                    filled.push_str(target);
                }
            }
        }
        let Some(dots) = self.dots else {
            return own_address(&filled, false);
        };
        resolve(&filled).map_err(|why| TargetFault::NotAUrl(why.to_string()))?;
        match dot_segments(&filled) == dots {
            true => Ok(filled),
            false => Err(TargetFault::Escapes),
        }
    }
}

/// An address that a target brings with it.
pub(super) fn own_address(text: &str, may_be_relative: bool) -> Result<String, TargetFault> {
    match Url::parse(text) {
        Ok(url) if has_user(&url) => Err(TargetFault::Secret),
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        Ok(url) => Err(TargetFault::NotAUrl(format!(
            "its scheme is `{}`",
            url.scheme()
        ))),
        Err(url::ParseError::RelativeUrlWithoutBase) if may_be_relative => Ok(text.to_owned()),
        Err(why) => Err(TargetFault::NotAUrl(why.to_string())),
    }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// How many segments of the path mean another one. Encoding doesn't take that meaning away.
fn dot_segments(url: &str) -> usize {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split('/');
    segments
        .map(|segment| segment.to_ascii_lowercase().replace("%2e", "."))
        .filter(|segment| matches!(segment.as_str(), "." | ".."))
        .count()
}

/// The URL, a relative one as on some host.
fn resolve(text: &str) -> Result<Url, url::ParseError> {
    match Url::parse(text) {
        Err(url::ParseError::RelativeUrlWithoutBase) => Url::parse("http://host/")?.join(text),
        parsed => parsed,
    }
}

/// Where in a URL an offset is.
fn place(text: &str, offset: usize) -> Result<Place, Error> {
    if offset == 0 {
        return Ok(match text.strip_prefix(PLACEHOLDER) {
            Some(rest) if !rest.is_empty() && !rest.starts_with(['/', '?', '#']) => {
                return Err(Error::BadRequest {
                    what: format!("after a {PLACEHOLDER} that begins the URL comes /, ? or #"),
                });
            }
            _ => Place::Start,
        });
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(Place::Behind);
    };
    if scheme.contains(['/', '?', '#']) {
        return Ok(Place::Behind);
    }
    if offset < scheme.len() {
        return Err(Error::BadRequest {
            what: format!("{PLACEHOLDER} can't stand for a part of the scheme"),
        });
    }
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Ok(match offset < scheme.len() + "://".len() + authority {
        true => Place::Authority,
        false => Place::Behind,
    })
}

/// A host's name or address, with a port perhaps, or a part of a name.
fn is_host(text: &str) -> bool {
    let fits = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_encoded_for_its_place() {
        check(
            "http://h/i/{target}",
            "a/b c?d#e%",
            Ok("http://h/i/a%2Fb%20c%3Fd%23e%25"),
        );
        check(
            "http://h/?q={target}&x=1",
            "a&b=c+d",
            Ok("http://h/?q=a%26b%3Dc%2Bd&x=1"),
        );
        check("http://h/#{target}", "é", Ok("http://h/#%C3%A9"));
        check("/i/{target}/{target}", "7", Ok("/i/7/7"));
        check("i?id={target}", "../x", Ok("i?id=..%2Fx"));
        check(
            "http://{target}/x",
            "a.example:8080",
            Ok("http://a.example:8080/x"),
        );
        check(
            "https://{target}.example",
            "bücher",
            Ok("https://bücher.example"),
        );
        check("http://h:{target}/", "81", Ok("http://h:81/"));
        check("{target}/robots.txt", "http://h", Ok("http://h/robots.txt"));
        check("http://h/fixed", "a", Ok("http://h/fixed"));
    }

    #[test]
    fn a_target_stays_in_its_place() {
        check("http://h/i/{target}", "..", Err(TargetFault::Escapes));
        check("http://h/i/{target}?q", ".", Err(TargetFault::Escapes));
        check("http://h/i/%2E{target}", ".", Err(TargetFault::Escapes));
        check("http://h/i?q={target}", "..", Ok("http://h/i?q=.."));
        check("http://h/v{target}", "..", Ok("http://h/v.."));
        check("/a/{target}/b", "..", Err(TargetFault::Escapes));
        for host in ["a/b", "a@b", "a?b", "a#b", "a\\b", "a b", "a%2fb"] {
            check("http://{target}/", host, Err(TargetFault::NotAHost));
        }
        check(
            "http://h:{target}/",
            "x",
            Err(TargetFault::NotAUrl("invalid port number".into())),
        );
        check("{target}/x", "http://ada:pw@h", Err(TargetFault::Secret));
    }

    #[test]
    fn a_template_that_makes_no_url_is_refused() {
        for (text, words) in [
            ("http://ada:pw@{target}/", "user or password"),
            ("http://[{target}/", "isn't a URL"),
            ("ftp://h/{target}", "http or https"),
            ("ht{target}://h/", "scheme"),
            ("{target}.example/", "comes /, ? or #"),
        ] {
            let error = UrlTemplate::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[track_caller]
    fn check(template: &str, target: &str, expected: Result<&str, TargetFault>) {
        let template = UrlTemplate::parse(template).unwrap();
        let filled = template.fill(target);
        assert_eq!(filled, expected.map(str::to_owned), "{target}");
    }
}
