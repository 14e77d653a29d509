//! Between the jar and HTTP's headers.

use http::{HeaderMap, HeaderValue, header};
use sessile_jar::{Context, Jar, Target, Timestamp};
use url::Url;

use crate::error::Error;
use crate::redact::ShownUrl;

/// The `Cookie` header for a URL. Cookies by hand take the place of the jar's of the same name.
pub(super) fn line(
    jar: &Jar,
    url: &Url,
    by_hand: &[(String, String)],
    now: Timestamp,
) -> Option<HeaderValue> {
    let target = target(url)?;
    let context = Context::default();
    let mut line = Vec::new();
    if by_hand.is_empty() {
        jar.write_cookie_header(&target, &context, now, &mut line);
    } else {
        let kept: Vec<_> = jar
            .select(&target, &context, now)
            .filter(|cookie| by_hand.iter().all(|(name, _)| name.as_bytes() != cookie.name()))
            .map(|cookie| (cookie.name(), cookie.value()))
            .collect();
        let by_hand = by_hand.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        for (name, value) in kept.into_iter().chain(by_hand) {
            if !line.is_empty() {
                line.extend_from_slice(b"; ");
            }
            line.extend_from_slice(name);
            if !name.is_empty() {
                line.push(b'=');
            }
            line.extend_from_slice(value);
        }
    }
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
    let end = field.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(0);
    String::from_utf8_lossy(&field[..end]).trim().to_owned()
}
