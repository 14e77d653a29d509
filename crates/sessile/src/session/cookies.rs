//! Between the jar and HTTP's headers.

use http::{HeaderMap, HeaderValue, header};
use sessile_jar::{Context, Jar, Target, Timestamp};
use url::Url;

use crate::error::Error;
use crate::redact::ShownUrl;

/// The `Cookie` header for a URL, and until when it is the same while the jar doesn't change.
pub(super) fn line(jar: &Jar, url: &Url, now: Timestamp) -> (Option<HeaderValue>, Timestamp) {
    let Some(target) = target(url) else {
        return (None, Timestamp::LATEST);
    };
    let mut text = Vec::new();
    let line = jar.write_cookie_header(&target, &Context::default(), now, &mut text);
    (sensitive(text), line.valid_until)
}

/// The same with cookies by hand, which take the place of the jar's of the same name.
///
/// # Errors
///
/// [`Error::BadRequest`] names the cookie that can't be sent.
pub(super) fn line_with(
    jar: &Jar,
    url: &Url,
    by_hand: &[(String, String)],
    now: Timestamp,
) -> Result<Option<HeaderValue>, Error> {
    let Some(target) = target(url) else {
        return Ok(None);
    };
    for (name, value) in by_hand {
        check(name, value)?;
    }
    let context = Context::default();
    let by_hand = || {
        by_hand
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    };
    let kept = jar
        .select(&target, &context, now)
        .map(|cookie| (cookie.name(), cookie.value()))
        .filter(|(name, _)| by_hand().all(|(own, _)| own != *name));
    let mut text = Vec::new();
    for (name, value) in kept.chain(by_hand()) {
        if !text.is_empty() {
            text.extend_from_slice(b"; ");
        }
        text.extend_from_slice(name);
        if !name.is_empty() {
            text.push(b'=');
        }
        text.extend_from_slice(value);
    }
    Ok(sensitive(text))
}

/// A delimiter or a line break would make other cookies or headers of one.
fn check(name: &str, value: &str) -> Result<(), Error> {
    let is_bad = |text: &str| text.contains(';') || text.chars().any(char::is_control);
    if is_bad(name) || name.contains('=') || is_bad(value) {
        let name = name.escape_debug();
        let why = "its name or value has a delimiter or a control character";
        return Err(Error::bad_request(format!(
            "the cookie `{name}` can't be sent: {why}"
        )));
    }
    Ok(())
}

fn sensitive(line: Vec<u8>) -> Option<HeaderValue> {
    if line.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(line)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Stores what a reply sets; `names` gains the names of the cookies that were stored.
pub(super) fn take_in(
    jar: &mut Jar,
    url: &Url,
    headers: &HeaderMap,
    now: Timestamp,
    names: &mut Vec<String>,
) {
    if !headers.contains_key(header::SET_COOKIE) {
        return;
    }
    let Some(target) = target(url) else { return };
    for value in headers.get_all(header::SET_COOKIE) {
        let bytes = value.as_bytes();
        match jar.store(bytes, &target, &Context::default(), now) {
            Ok(_stored) => names.push(name_of(bytes)),
            Err(refusal) => {
                tracing::debug!(url = %ShownUrl(url), cookie = name_of(bytes), %refusal, "cookie refused");
            }
        }
    }
}

/// Puts the cookies of a `Cookie` header into the jar, bound to a URL.
pub(super) fn insert_line(
    jar: &mut Jar,
    line: &[u8],
    url: &Url,
    now: Timestamp,
) -> Result<(), Error> {
    let target = target(url).ok_or_else(|| Error::bad_request("the base URL has no host"))?;
    match jar.insert_cookie_header(line, &target, now).first() {
        None => Ok(()),
        Some((name, refusal)) => Err(Error::bad_request(format!(
            "the Cookie header: `{}` can't be kept: {refusal}",
            name.escape_debug()
        ))),
    }
}

/// Where a request goes, in the jar's words.
pub(crate) fn target(url: &Url) -> Option<Target<'_>> {
    Target::new(url.scheme(), url.host_str()?, url.path()).ok()
}

/// The name in a `Set-Cookie` field, for people.
fn name_of(field: &[u8]) -> String {
    let pair = field.split(|byte| *byte == b';').next().unwrap_or_default();
    // Without an equals sign all of it is the value, which isn't shown.
    let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(0);
    String::from_utf8_lossy(&pair[..end]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_shows_nothing_of_the_value() {
        check("id=a3f; Path=/", "id");
        check(" id = a3f", "id");
        check("a3f; Path=/", "");
        check("a3f; Max-Age=5", "");
        check("=a3f", "");
    }

    #[track_caller]
    fn check(field: &str, name: &str) {
        assert_eq!(name_of(field.as_bytes()), name, "{field}");
    }
}
