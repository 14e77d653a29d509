//! Cookies between a jar and a browser, with all their attributes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sessile_jar::{
    Ancestors, Cookie, Jar, NewCookie, Partition, PublicSuffixes, SameSite, Scope, Target,
    Timestamp,
};
use url::Url;

/// The cookies of a browser at one moment.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Cookies(BTreeMap<Key, NewCookie>);

/// What tells two cookies apart: the scope as `.example.com` or `example.com`, path, name and
/// partition.
type Key = (String, Vec<u8>, Vec<u8>, Option<(String, bool)>);

impl Cookies {
    /// The answer of `Storage.getCookies`.
    pub(super) fn read(answer: &Value) -> Self {
        let cookies = answer["cookies"].as_array().into_iter().flatten();
        let cookies = cookies.filter_map(read);
        Self(cookies.map(|cookie| (key(&cookie), cookie)).collect())
    }

    /// Brings what has changed since `before` into a jar, as far as it belongs to the sites of
    /// these pages; answers the names of the cookies that were set.
    pub(crate) fn bring_changes(
        &self,
        before: &Self,
        jar: &mut Jar,
        pages: &[Url],
        now: Timestamp,
    ) -> Vec<String> {
        let sites: Vec<_> = pages
            .iter()
            .filter_map(Url::host_str)
            .filter_map(site)
            .collect();
        let is_ours = |cookie: &NewCookie| {
            site(cookie.scope.domain()).is_some_and(|site| sites.contains(&site))
        };
        let gone = |key: &Key| before.0.get(key).is_some_and(is_ours) && !self.0.contains_key(key);
        if before.0.keys().any(gone) {
            jar.retain(now, |cookie| !gone(&key_of(cookie)));
        }
        let mut names = Vec::new();
        for (key, cookie) in &self.0 {
            if before.0.get(key) == Some(cookie) || !is_ours(cookie) {
                continue;
            }
            let name = String::from_utf8_lossy(&cookie.name).into_owned();
            match jar.insert(cookie, now) {
                Ok(_stored) => names.push(name),
                Err(refusal) => tracing::debug!(cookie = name, %refusal, "cookie refused"),
            }
        }
        names
    }
}

/// A jar's cookies as `Storage.setCookies` takes them, one list each, since a browser that
/// refuses one refuses its list.
pub(crate) fn for_browser(jar: &Jar, now: Timestamp) -> Vec<Value> {
    let live = jar.iter().filter(|cookie| !cookie.is_expired(now));
    live.filter_map(write).collect()
}

fn write(cookie: Cookie<'_>) -> Option<Value> {
    // The protocol has text only.
    let text = |bytes| String::from_utf8(Vec::from(bytes)).ok();
    let mut wire = json!({
        "name": text(cookie.name())?,
        "value": text(cookie.value())?,
        "path": text(cookie.path())?,
        "secure": cookie.is_secure(),
        "httpOnly": cookie.is_http_only(),
    });
    let domain = cookie.domain();
    if cookie.is_host_only() {
        let scheme = if cookie.is_secure() { "https" } else { "http" };
        wire["url"] = format!("{scheme}://{domain}/").into();
    } else {
        wire["domain"] = format!(".{domain}").into();
    }
    if let Some(expires) = cookie.expires() {
        wire["expires"] = expires.as_seconds().into();
    }
    match cookie.same_site() {
        SameSite::Default => {}
        SameSite::Lax => wire["sameSite"] = "Lax".into(),
        SameSite::None => wire["sameSite"] = "None".into(),
        SameSite::Strict => wire["sameSite"] = "Strict".into(),
    }
    if let Some(partition) = cookie.partition() {
        wire["partitionKey"] = json!({
            "topLevelSite": partition.site(),
            "hasCrossSiteAncestor": partition.ancestors() == Ancestors::CrossSite,
        });
    }
    Some(wire)
}

fn read(wire: &Value) -> Option<NewCookie> {
    let text = |name: &str| wire[name].as_str();
    let is = |name: &str| wire[name].as_bool().unwrap_or(false);
    let mut cookie = NewCookie::new(text("name")?, text("value")?);
    let domain = text("domain")?;
    cookie.scope = match domain.strip_prefix('.') {
        Some(domain) => Scope::Domain(domain.to_owned()),
        None => Scope::HostOnly(domain.to_owned()),
    };
    cookie.path = text("path")?.into();
    cookie.secure = is("secure");
    cookie.http_only = is("httpOnly");
    let ends = wire["expires"].as_f64().filter(|_| !is("session"));
    let ends = ends.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    cookie.expires = ends.map(|ends| Timestamp::from_millis(0).plus(ends));
    cookie.same_site = match text("sameSite") {
        Some("Lax") => SameSite::Lax,
        Some("None") => SameSite::None,
        Some("Strict") => SameSite::Strict,
        Some(_) | None => SameSite::Default,
    };
    let partition = &wire["partitionKey"];
    cookie.partition = partition["topLevelSite"].as_str().map(|site| {
        let is_cross_site = partition["hasCrossSiteAncestor"].as_bool();
        Partition::new(
            site,
            match is_cross_site {
                Some(true) => Ancestors::CrossSite,
                Some(false) | None => Ancestors::SameSite,
            },
        )
    });
    Some(cookie)
}

fn key(cookie: &NewCookie) -> Key {
    let scope = match &cookie.scope {
        Scope::Domain(domain) => format!(".{domain}"),
        Scope::HostOnly(host) => host.clone(),
    };
    let partition = cookie.partition.as_ref().map(|partition| {
        let is_cross_site = partition.ancestors() == Ancestors::CrossSite;
        (partition.site().to_owned(), is_cross_site)
    });
    (scope, cookie.path.clone(), cookie.name.clone(), partition)
}

fn key_of(cookie: Cookie<'_>) -> Key {
    key(&cookie.to_new())
}

/// The site that a host belongs to.
fn site(host: &str) -> Option<String> {
    let target = Target::new("https", host, "/").ok()?;
    let site = Partition::of(&target, Ancestors::SameSite, &PublicSuffixes);
    Some(site.site().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    #[test]
    fn every_attribute_goes_there_and_comes_back() {
        let mut jar = Jar::new();
        let mut host = NewCookie::new("__Host-id", "a\"é").for_host("shop.example");
        (host.secure, host.http_only, host.same_site) = (true, true, SameSite::Strict);
        host.partition = Some(Partition::new("https://shop.example", Ancestors::CrossSite));
        let mut domain = NewCookie::new("", "nameless").for_domain("shop.example");
        domain.path = b"/deep".to_vec();
        domain.expires = Some(NOW.plus(Duration::from_secs(3600)));
        for cookie in [&host, &domain] {
            jar.insert(cookie, NOW).unwrap();
        }
        // A browser answers what it was given, with `domain` in place of `url` and `session`.
        let mut answer = for_browser(&jar, NOW);
        for cookie in &mut answer {
            if cookie["url"].is_string() {
                cookie["domain"] = "shop.example".into();
            }
            cookie["session"] = cookie["expires"].is_null().into();
        }
        let read = Cookies::read(&json!({ "cookies": answer }));
        let read: Vec<_> = read.0.into_values().collect();
        assert_eq!(read, [domain, host]);
    }

    #[test]
    fn changes_of_the_site_alone_come_into_the_jar() {
        let mut jar = Jar::new();
        let kept = NewCookie::new("kept", "1").for_host("www.shop.example");
        let gone = NewCookie::new("gone", "1").for_host("www.shop.example");
        let foreign = NewCookie::new("foreign", "1").for_host("ads.example");
        for cookie in [&kept, &gone, &foreign] {
            jar.insert(cookie, NOW).unwrap();
        }
        let before = browser(&[&kept, &gone, &foreign]);
        let fresh = NewCookie::new("fresh", "2").for_domain("shop.example");
        let tracker = NewCookie::new("tracker", "2").for_host("ads.example");
        let after = browser(&[&kept, &fresh, &tracker]);
        // Somebody else has changed it meanwhile; what the browser left alone is not touched.
        let newer = NewCookie::new("kept", "2").for_host("www.shop.example");
        jar.insert(&newer, NOW).unwrap();
        let page = Url::parse("https://www.shop.example/").unwrap();
        let set = after.bring_changes(&before, &mut jar, &[page], NOW);
        assert_eq!(set, ["fresh"]);
        let mut left: Vec<_> = jar
            .iter()
            .map(|cookie| format!("{}={}", cookie.name_lossy(), cookie.value_lossy()))
            .collect();
        left.sort();
        assert_eq!(left, ["foreign=1", "fresh=2", "kept=2"]);
    }

    fn browser(cookies: &[&NewCookie]) -> Cookies {
        let cookies = cookies.iter();
        Cookies(
            cookies
                .map(|cookie| (key(cookie), NewCookie::clone(cookie)))
                .collect(),
        )
    }
}
