//! Which of a session's headers a browser is given, since it has most of its own.
//!
//! A browser's name is taken where it is a Chromium's; any other wouldn't fit the browser, which
//! keeps its own then.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONNECTION, CONTENT_LENGTH, COOKIE, DNT, HOST,
    REFERER, TE, UPGRADE_INSECURE_REQUESTS, USER_AGENT,
};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use crate::browser::UserAgent;
use crate::secret::Secret;

/// Those that the browser sends by itself; names starting with `sec-` too.
const OF_BROWSER: [HeaderName; 13] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    DNT,
    HOST,
    HeaderName::from_static("priority"),
    REFERER,
    TE,
    UPGRADE_INSECURE_REQUESTS,
    USER_AGENT,
];

/// The session's own headers, its authorization among them.
pub(super) fn own(headers: &HeaderMap) -> Vec<(String, Secret<String>)> {
    let own = headers
        .iter()
        .filter(|(name, _)| !OF_BROWSER.contains(name) && !name.as_str().starts_with("sec-"));
    let own = own.filter_map(|(name, value)| {
        let value = String::from_utf8(value.as_bytes().to_vec()).ok()?;
        Some((name.to_string(), Secret::from(value)))
    });
    own.collect()
}

pub(super) fn referrer(headers: &HeaderMap) -> Option<String> {
    text(headers, REFERER.as_str())
}

/// The name to go by, where it is a Chromium's.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<UserAgent> {
    let name = text(headers, USER_AGENT.as_str())?;
    if !name.contains(" Chrome/") {
        tracing::debug!("the browser goes by its own name");
        return None;
    }
    Some(UserAgent {
        name,
        languages: text(headers, ACCEPT_LANGUAGE.as_str()).map(|field| languages(&field)),
        hints: hints(headers),
    })
}

/// The languages without their weights, which the browser adds.
fn languages(field: &str) -> String {
    let languages = field.split(',').filter_map(|one| one.split(';').next());
    let languages: Vec<_> = languages.map(str::trim).collect();
    languages.join(",")
}

/// The client hints that fit the name, as the protocol wants them.
fn hints(headers: &HeaderMap) -> Option<Value> {
    let brands = brands(&text(headers, "sec-ch-ua")?);
    let platform = text(headers, "sec-ch-ua-platform")?;
    let is_mobile = text(headers, "sec-ch-ua-mobile").is_some_and(|mobile| mobile == "?1");
    Some(json!({
        "brands": brands,
        "platform": platform.trim_matches('"'),
        "platformVersion": "",
        "architecture": "",
        "model": "",
        "mobile": is_mobile,
    }))
}

/// The brands of a `Sec-CH-UA` field: a name in quotes and its version, separated by commas.
fn brands(field: &str) -> Vec<Value> {
    let mut brands = Vec::new();
    // A name may have commas and semicolons: it is what is between the first and the last
    // quote before its version.
    for part in field.split("\", \"") {
        if let Some((brand, version)) = part.split_once("\";v=\"") {
            let brand = brand.trim_start_matches('"');
            let version = version.trim_end_matches('"');
            brands.push(json!({ "brand": brand, "version": version }));
        }
    }
    brands
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_has_not_of_its_own_is_added() {
        let headers = map(&[
            ("host", "h"),
            ("accept", "*/*"),
            ("sec-fetch-mode", "navigate"),
            ("cookie", "a=1"),
            ("authorization", "Bearer t"),
            ("x-key", "k"),
        ]);
        let names: Vec<_> = own(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["authorization", "x-key"]);
    }

    #[test]
    fn a_name_that_is_no_chromiums_is_not_taken() {
        let firefox = map(&[("user-agent", "Mozilla/5.0 Gecko/20100101 Firefox/150.0")]);
        assert!(user_agent(&firefox).is_none());
        let chrome = map(&[
            (
                "user-agent",
                "Mozilla/5.0 AppleWebKit/537.36 Chrome/149.0.0.0 Safari/537.36",
            ),
            (
                "sec-ch-ua",
                "\"Chromium\";v=\"149\", \"Not)A;Brand\";v=\"24\"",
            ),
            ("sec-ch-ua-platform", "\"Windows\""),
            ("accept-language", "en-US,en;q=0.9, de;q=0.8"),
        ]);
        let agent = user_agent(&chrome).unwrap();
        assert_eq!(agent.languages.unwrap(), "en-US,en,de");
        let hints = agent.hints.unwrap();
        assert_eq!(hints["platform"], "Windows");
        assert_eq!(
            hints["brands"],
            json!([
                { "brand": "Chromium", "version": "149" },
                { "brand": "Not)A;Brand", "version": "24" },
            ])
        );
    }

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }
}
