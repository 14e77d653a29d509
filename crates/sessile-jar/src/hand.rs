//! Cookies put in by hand: one by one, or as a `Cookie` line copied from a browser.
//!
//! There is no response here, so the rules of 5.7 about where a cookie came from are skipped
//! (steps 10, 13, 15, 16, 18, 23.2); the rules about the cookie itself hold.

use std::borrow::Cow;

use crate::cookie::{NewCookie, Scope};
use crate::domain::canonical;
use crate::jar::Jar;
use crate::parse::{MAX_PAIR, SetCookie, is_control, split_once, trim};
use crate::record::{Draft, PartitionKey};
use crate::storage::{MAX_AGE, Received, Stored, flags, prefixes};
use crate::suffix::is_public_suffix;
use crate::{Context, Refusal, Target, Timestamp};

impl Jar {
    /// Puts in a cookie made by hand, in the place of one with the same key.
    ///
    /// Its life is cut to 400 days from now; a cookie whose time is over deletes instead.
    ///
    /// # Errors
    /// Fails with the rule that the cookie breaks; the jar is as it was, then.
    pub fn insert(&mut self, cookie: &NewCookie, now: Timestamp) -> Result<Stored, Refusal> {
        check_text(cookie)?;
        let (domain, is_host_only) = self.scope_by_hand(&cookie.scope)?;
        let parsed = as_parsed(cookie);
        // Steps 19 to 22.
        if cookie.same_site == crate::SameSite::None && !cookie.secure {
            return Err(Refusal::SameSiteNoneInsecure);
        }
        if cookie.partition.is_some() && !cookie.secure {
            return Err(Refusal::PartitionedInsecure);
        }
        prefixes(&parsed, is_host_only, &cookie.path)?;
        let partition = match &cookie.partition {
            Some(partition) => PartitionKey {
                scheme: b"",
                site: partition.site().as_bytes(),
                ancestors: partition.ancestors(),
            },
            None => PartitionKey::NONE,
        };
        let draft = Draft {
            name: &cookie.name,
            value: &cookie.value,
            path: &cookie.path,
            partition,
            flags: flags(&parsed, is_host_only),
            // Step 6 with 5.5.
            expires: cookie.expires.map_or(Timestamp::LATEST, |expires| {
                expires.min(now.plus_seconds(MAX_AGE))
            }),
        };
        let received = Received {
            domain: &domain,
            draft,
            created: cookie.created,
        };
        Ok(self.place(&received, now))
    }

    /// Puts in a `Cookie` line that was copied from somewhere, bound to the URL it was sent to.
    ///
    /// A name that the target would be sent already gets its new value and keeps everything
    /// else. What remains becomes session cookies of the target's host alone, for all its
    /// paths, `Secure` if the target is. Of pairs with the same name the first counts, as it
    /// does for most servers. Answers the names of the pairs that were refused, with the rule.
    pub fn insert_cookie_header(
        &mut self,
        line: impl AsRef<[u8]>,
        target: &Target<'_>,
        now: Timestamp,
    ) -> Vec<(String, Refusal)> {
        let mut refused = Vec::new();
        let mut seen: Vec<&[u8]> = Vec::new();
        for pair in without_label(line.as_ref()).split(|byte| *byte == b';') {
            let (name, value) = split_once(pair, b'=').unwrap_or((b"", pair));
            let (name, value) = (trim(name), trim(value));
            if (name.is_empty() && value.is_empty()) || seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let cookie = self.pair_for(name, value, target, now);
            if let Err(refusal) = self.insert(&cookie, now) {
                refused.push((String::from_utf8_lossy(name).into_owned(), refusal));
            }
        }
        refused
    }

    /// The cookie that a pair of a `Cookie` line stands for.
    fn pair_for(
        &self,
        name: &[u8],
        value: &[u8],
        target: &Target<'_>,
        now: Timestamp,
    ) -> NewCookie {
        let context = Context::default();
        let mut matching = self.matching(target, &context, now);
        if let Some(old) = matching.find(|cookie| cookie.name() == name) {
            let mut cookie = old.to_new();
            cookie.value = value.to_vec();
            return cookie;
        }
        let mut cookie = NewCookie::new(name, value).for_host(target.host());
        cookie.secure = target.site_scheme() == "https";
        cookie
    }

    /// Steps 7 to 10, without a host to compare with.
    fn scope_by_hand<'a>(&self, scope: &'a Scope) -> Result<(Cow<'a, str>, bool), Refusal> {
        match scope {
            Scope::HostOnly(host) => Ok((canonical(host).ok_or(Refusal::Domain)?, true)),
            Scope::Domain(domain) => {
                let domain = domain.strip_prefix('.').unwrap_or(domain);
                let domain = canonical(domain).ok_or(Refusal::Domain)?;
                if !is_public_suffix(&*self.options.suffixes, &domain) {
                    return Ok((domain, false));
                }
                // Nobody else is below this machine's own name.
                if domain == "localhost" {
                    return Ok((domain, true));
                }
                Err(Refusal::PublicSuffix)
            }
        }
    }
}

/// What the parser would have seen to: 5.6 steps 1, 3, 4 and 5, 5.7 step 2.
fn check_text(cookie: &NewCookie) -> Result<(), Refusal> {
    let NewCookie {
        name, value, path, ..
    } = cookie;
    if name.is_empty() && value.is_empty() {
        return Err(Refusal::Empty);
    }
    let has_control = |text: &[u8]| text.iter().fold(false, |any, byte| any | is_control(*byte));
    if has_control(name) || has_control(value) || has_control(path) {
        return Err(Refusal::ControlCharacter);
    }
    if name.len() + value.len() > MAX_PAIR {
        return Err(Refusal::TooLong);
    }
    if path.first() != Some(&b'/') || path.contains(&b';') {
        return Err(Refusal::Path);
    }
    // Name and value have to come out of a `Set-Cookie` line as they went in.
    let has_delimiter = name.iter().any(|byte| matches!(byte, b'=' | b';'))
        || value.contains(&b';')
        || (name.is_empty() && value.contains(&b'='));
    if has_delimiter || trim(name) != name || trim(value) != value {
        return Err(Refusal::Delimiter);
    }
    Ok(())
}

fn as_parsed(cookie: &NewCookie) -> SetCookie<'_> {
    SetCookie {
        name: &cookie.name,
        value: &cookie.value,
        has_rooted_path: true,
        same_site: cookie.same_site,
        secure: cookie.secure,
        http_only: cookie.http_only,
        partitioned: cookie.partition.is_some(),
        ..SetCookie::default()
    }
}

/// Without the field's name, which is copied along easily.
fn without_label(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    match line.get(..7) {
        Some(label) if label.eq_ignore_ascii_case(b"cookie:") => line.get(7..).unwrap_or(line),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_219_200);

    #[test]
    fn a_line_is_bound_to_its_url() {
        let mut jar = Jar::new();
        let target = Target::parse("https://www.shop.example/cart").unwrap();
        let refused = jar.insert_cookie_header("Cookie: a=1; b=2=3;; a=4; plain", &target, NOW);
        assert_eq!(refused, []);
        check(&jar, "https://www.shop.example/", "a=1; b=2=3; plain");
        check(&jar, "http://www.shop.example/", "");
        check(&jar, "https://shop.example/", "");
        check(&jar, "https://a.www.shop.example/", "");
    }

    #[test]
    fn a_line_gives_new_values_to_cookies_that_are_there() {
        let mut jar = Jar::new();
        let target = Target::parse("https://www.shop.example/cart").unwrap();
        let line = b"a=1; Domain=shop.example; Path=/";
        jar.store(line, &target, &Context::default(), NOW).unwrap();
        jar.insert_cookie_header("a=2; b=3", &target, NOW);
        check(&jar, "https://www.shop.example/", "a=2; b=3");
        check(&jar, "https://shop.example/", "a=2");
    }

    #[test]
    fn prefixes_hold_for_lines_too() {
        let mut jar = Jar::new();
        let target = Target::parse("http://shop.example/").unwrap();
        let refused = jar.insert_cookie_header("__Host-a=1; b=2", &target, NOW);
        assert_eq!(refused, [("__Host-a".to_owned(), Refusal::HostPrefix)]);
        check(&jar, "http://shop.example/", "b=2");
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_it() {
        let new = |name: &str, value: &str| NewCookie::new(name, value).for_host("shop.example");
        refuse(&new("", ""), Refusal::Empty);
        refuse(&new("a=b", "c"), Refusal::Delimiter);
        refuse(&new("", "a=b"), Refusal::Delimiter);
        refuse(&new("a", "b;c"), Refusal::Delimiter);
        refuse(&new("a", " b"), Refusal::Delimiter);
        refuse(&new("a", "b\r\nc"), Refusal::ControlCharacter);
        refuse(&new("a", &"x".repeat(4096)), Refusal::TooLong);
        refuse(&new("__Secure-a", "b"), Refusal::SecurePrefix);
        refuse(&NewCookie::new("a", "b"), Refusal::Domain);
        refuse(
            &NewCookie::new("a", "b").for_domain("co.uk"),
            Refusal::PublicSuffix,
        );
        refuse(
            &NewCookie {
                path: b"x".to_vec(),
                ..new("a", "b")
            },
            Refusal::Path,
        );
        let none = NewCookie {
            same_site: crate::SameSite::None,
            ..new("a", "b")
        };
        refuse(&none, Refusal::SameSiteNoneInsecure);
    }

    #[test]
    fn this_machine_may_be_a_domain() {
        let mut jar = Jar::new();
        jar.insert(&NewCookie::new("a", "b").for_domain("localhost"), NOW)
            .unwrap();
        check(&jar, "http://localhost:8000/", "a=b");
    }

    #[test]
    fn lives_are_cut_and_ended() {
        let mut jar = Jar::new();
        let mut cookie = NewCookie::new("a", "b").for_domain(".Shop.example");
        cookie.expires = Some(NOW.plus_seconds(2 * MAX_AGE));
        assert_eq!(jar.insert(&cookie, NOW), Ok(Stored::Added));
        let expires = jar.iter().next().unwrap().expires();
        assert_eq!(expires, Some(NOW.plus_seconds(MAX_AGE)));
        cookie.expires = Some(NOW);
        assert_eq!(jar.insert(&cookie, NOW), Ok(Stored::Deleted));
        assert!(jar.is_empty());
    }

    #[track_caller]
    fn check(jar: &Jar, url: &str, expected: &str) {
        let target = Target::parse(url).unwrap();
        let header = jar.cookie_header(&target, &Context::default(), NOW);
        let header = String::from_utf8(header.unwrap_or_default()).unwrap();
        assert_eq!(header, expected, "{url}");
    }

    #[track_caller]
    fn refuse(cookie: &NewCookie, expected: Refusal) {
        assert_eq!(Jar::new().insert(cookie, NOW), Err(expected));
    }
}
