//! Why: for every stored cookie whether a request carries it, for a `Set-Cookie` line whether
//! it is stored, each with the rule.
//!
//! The rules themselves are asked, not told again: `select` and `storage` decide here, too.

use std::fmt;

use crate::context::Context;
use crate::cookie::{Cookie, NewCookie};
use crate::date::parse_date;
use crate::domain::domain_matches;
use crate::jar::Jar;
use crate::parse::{MAX_ATTRIBUTE, SetCookie, max_age, split_once, trim};
use crate::select::Asking;
use crate::storage::{MAX_AGE, Received, Stored};
use crate::{Refusal, Target, Timestamp};

impl Jar {
    /// For every cookie in the jar, whether a request to the target carries it.
    ///
    /// Those that go come first, in the order they are sent in. Nothing counts as used.
    ///
    /// ```
    /// use sessile_jar::{Context, Jar, Omission, Target, Timestamp};
    ///
    /// let (mut jar, context) = (Jar::new(), Context::default());
    /// let now = Timestamp::from_seconds(1_795_219_200);
    /// let shop = Target::parse("https://shop.example/")?;
    /// jar.store(b"id=a3f", &shop, &context, now)?;
    /// let other = Target::parse("https://www.shop.example/")?;
    /// let [sending] = &jar.explain(&other, &context, now)[..] else { panic!() };
    /// assert_eq!(sending.omission, Some(Omission::HostOnly));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(
        &self,
        target: &Target<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Vec<Sending<'_>> {
        let asking = Asking::new(self, target, context, now);
        let mut all = Vec::with_capacity(self.len);
        for (domain, bucket) in self.domains.iter() {
            let is_own_host = domain == target.host();
            let matches = domain_matches(target.host(), domain);
            for record in bucket.records() {
                let omission = if matches {
                    asking.admits(record, is_own_host, bucket.is_suffix).err()
                } else {
                    Some(Omission::DomainMismatch)
                };
                let cookie = Cookie::new(domain, record);
                all.push(Sending { cookie, omission });
            }
        }
        all.sort_by(|one, other| {
            let rank = |sending: &Sending<'_>| sending.omission.is_some();
            let order = one.cookie.record.sending_order(other.cookie.record);
            rank(one).cmp(&rank(other)).then(order)
        });
        all
    }

    /// What storing a `Set-Cookie` line would do, and what in the line counts for nothing.
    ///
    /// ```
    /// use sessile_jar::{Context, Jar, Note, Refusal, Target, Timestamp};
    ///
    /// let shop = Target::parse("https://shop.example/")?;
    /// let now = Timestamp::from_seconds(1_795_219_200);
    /// let line = b"id=a3f; Domain=example; Expires=soon";
    /// let storing = Jar::new().explain_store(line, &shop, &Context::default(), now);
    /// assert_eq!(storing.outcome, Err(Refusal::PublicSuffix));
    /// assert_eq!(storing.notes, [Note::ExpiresUnreadable]);
    /// # Ok::<(), sessile_jar::BadUrl>(())
    /// ```
    pub fn explain_store(
        &self,
        set_cookie: &[u8],
        target: &Target<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Storing {
        let parsed = match SetCookie::parse(set_cookie) {
            Ok(parsed) => parsed,
            Err(refusal) => {
                return Storing {
                    outcome: Err(refusal),
                    cookie: None,
                    notes: Vec::new(),
                };
            }
        };
        let notes = notes(set_cookie, &parsed, now);
        match self.receive(&parsed, target, context, now) {
            Ok(received) => Storing {
                outcome: Ok(self.outlook(&received, now)),
                cookie: Some(received.to_new()),
                notes,
            },
            Err(refusal) => Storing {
                outcome: Err(refusal),
                cookie: None,
                notes,
            },
        }
    }

    /// What putting in a cookie would do.
    fn outlook(&self, received: &Received<'_>, now: Timestamp) -> Stored {
        let draft = &received.draft;
        let old = self.domains.get(received.domain).and_then(|bucket| {
            let place = bucket.position(&draft.key())?;
            bucket.records().get(place)
        });
        // One whose time is over is as good as gone.
        let old = old.filter(|old| !old.is_expired(now));
        let is_over = draft.expires <= now;
        match old {
            None if is_over => Stored::Nothing,
            None => Stored::Added,
            Some(_) if is_over => Stored::Deleted,
            Some(old) if old.is_same(draft) && old.expires == draft.expires => Stored::Unchanged,
            Some(_) => Stored::Replaced,
        }
    }
}

/// Whether a request carries a cookie.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The cookie.
    pub cookie: Cookie<'a>,
    /// The rule by which it is not sent; `None` if it is.
    pub omission: Option<Omission>,
}

/// What storing a `Set-Cookie` line would do.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Storing {
    /// What it would do to the jar, or the rule by which it is refused.
    pub outcome: Result<Stored, Refusal>,
    /// The cookie with all it would be stored with; `None` if it is refused.
    pub cookie: Option<NewCookie>,
    /// What in the line counts for nothing, or for something else than it says.
    pub notes: Vec<Note>,
}

/// Something in a `Set-Cookie` line that does not mean what its writer may have meant.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Note {
    /// The attribute's value has more than 1,024 bytes: it counts for nothing.
    AttributeTooLong(String),
    /// The value of `Expires` is no date: it counts for nothing.
    ExpiresUnreadable,
    /// The cookie was to live longer than 400 days: it does not.
    LifeCut,
    /// The value of `Max-Age` is no whole number: it counts for nothing.
    MaxAgeUnreadable,
    /// `Max-Age` counts, `Expires` does not.
    MaxAgeWins,
    /// The `Path` does not start with a slash: the default path is taken.
    PathNotRooted,
    /// The attribute is there more than once: the last one counts.
    Repeated(String),
    /// The value of `SameSite` is not known: it is as if it were not there.
    SameSiteUnknown,
    /// The attribute is not known: it counts for nothing.
    UnknownAttribute(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttributeTooLong(name) => {
                write!(f, "{name} has more than 1024 bytes and counts for nothing")
            }
            Self::ExpiresUnreadable => f.write_str("Expires is no date and counts for nothing"),
            Self::LifeCut => f.write_str("the cookie's life is cut to 400 days"),
            Self::MaxAgeUnreadable => {
                f.write_str("Max-Age is no whole number and counts for nothing")
            }
            Self::MaxAgeWins => f.write_str("Max-Age counts, Expires does not"),
            Self::PathNotRooted => {
                f.write_str("Path does not start with a slash, the default path is taken")
            }
            Self::Repeated(name) => {
                write!(f, "{name} is there more than once, the last one counts")
            }
            Self::SameSiteUnknown => f.write_str("SameSite has an unknown value, as if not there"),
            Self::UnknownAttribute(name) => write!(f, "{name} is not known and counts for nothing"),
        }
    }
}

/// The rule by which a stored cookie is not sent.
///
/// ```
/// use sessile_jar::Omission;
///
/// assert_eq!(Omission::Secure.to_string(), "the cookie is Secure, the connection is not");
/// assert_eq!(Omission::Secure.section(), "5.8.3 step 3");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Omission {
    /// The host neither is the cookie's domain nor lies below it.
    DomainMismatch,
    /// Its time is over.
    Expired,
    /// The cookie is for its own host alone.
    HostOnly,
    /// The cookie is hidden from scripts.
    HttpOnly,
    /// It was set under another top-level site.
    Partition,
    /// The path is not the cookie's and not below it.
    PathMismatch,
    /// The cookie's domain is a public suffix by now.
    PublicSuffix,
    /// From another site, `SameSite=Lax` (or none said) asks for a navigation by a safe method.
    SameSiteLax,
    /// From another site, `SameSite=Strict` is never sent.
    SameSiteStrict,
    /// The connection is plain and the cookie `Secure`.
    Secure,
}

impl Omission {
    /// The place of the rule, in RFC 6265bis (draft 22) unless it says otherwise.
    pub fn section(self) -> &'static str {
        match self {
            Self::Expired => "5.7, eviction",
            Self::Partition => "CHIPS",
            Self::PathMismatch => "5.8.3 step 3, 5.1.4",
            Self::DomainMismatch => "5.8.3 step 3, 5.1.3",
            Self::SameSiteLax | Self::SameSiteStrict => "5.8.3 step 3, 5.6.7.1",
            Self::HostOnly | Self::HttpOnly | Self::PublicSuffix | Self::Secure => "5.8.3 step 3",
        }
    }
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DomainMismatch => "the host does not belong to the cookie's domain",
            Self::Expired => "the cookie's time is over",
            Self::HostOnly => "the cookie is for its own host alone",
            Self::HttpOnly => "the cookie is hidden from scripts",
            Self::Partition => "the cookie was set under another top-level site",
            Self::PathMismatch => "the path is not below the cookie's",
            Self::PublicSuffix => "the cookie's domain is a public suffix",
            Self::SameSiteLax => {
                "from another site the cookie goes with a navigation by a safe method only"
            }
            Self::SameSiteStrict => "the cookie never goes with a request from another site",
            Self::Secure => "the cookie is Secure, the connection is not",
        })
    }
}

fn notes(line: &[u8], parsed: &SetCookie<'_>, now: Timestamp) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for attribute in line.split(|byte| *byte == b';').skip(1) {
        let (name, value) = split_once(attribute, b'=').unwrap_or((attribute, b""));
        let (name, value) = (trim(name), trim(value));
        let shown = String::from_utf8_lossy(name).into_owned();
        if name.is_empty() && value.is_empty() {
            continue;
        }
        notes.extend(note(&shown, value));
        if seen.iter().any(|other| other.eq_ignore_ascii_case(&shown)) {
            notes.push(Note::Repeated(shown));
        } else {
            seen.push(shown);
        }
    }
    if parsed.max_age.is_some() && parsed.expires.is_some() {
        notes.push(Note::MaxAgeWins);
    }
    let is_cut = match (parsed.max_age, parsed.expires) {
        (Some(seconds), _) => seconds > MAX_AGE,
        (None, Some(date)) => date > now.plus_seconds(MAX_AGE),
        (None, None) => false,
    };
    if is_cut {
        notes.push(Note::LifeCut);
    }
    notes
}

fn note(name: &str, value: &[u8]) -> Option<Note> {
    if value.len() > MAX_ATTRIBUTE {
        return Some(Note::AttributeTooLong(name.to_owned()));
    }
    match name.to_ascii_lowercase().as_str() {
        "expires" if parse_date(value).is_none() => Some(Note::ExpiresUnreadable),
        "max-age" if max_age(value).is_none() => Some(Note::MaxAgeUnreadable),
        "path" if value.first() != Some(&b'/') => Some(Note::PathNotRooted),
        "samesite" => {
            let known: [&[u8]; 3] = [b"lax", b"none", b"strict"];
            let is_known = known.iter().any(|word| value.eq_ignore_ascii_case(word));
            (!is_known).then_some(Note::SameSiteUnknown)
        }
        "domain" | "expires" | "httponly" | "max-age" | "partitioned" | "path" | "secure" => None,
        _ => Some(Note::UnknownAttribute(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Navigation, Site};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_219_200);

    #[test]
    fn every_omission_has_its_rule() {
        let own = Context::default();
        let image = Context {
            site: Site::CrossSite,
            ..Context::default()
        };
        let form = Context {
            navigation: Navigation::Unsafe,
            ..image.clone()
        };
        let script = Context {
            api: crate::Api::NonHttp,
            ..Context::default()
        };
        check(
            "a=1",
            "https://b.example/",
            &own,
            Some(Omission::DomainMismatch),
        );
        check(
            "a=1",
            "https://w.a.example/",
            &own,
            Some(Omission::HostOnly),
        );
        check(
            "a=1; Path=/x",
            "https://a.example/y",
            &own,
            Some(Omission::PathMismatch),
        );
        check(
            "a=1; Secure",
            "http://a.example/",
            &own,
            Some(Omission::Secure),
        );
        check(
            "a=1; HttpOnly",
            "https://a.example/",
            &script,
            Some(Omission::HttpOnly),
        );
        check("a=1; Max-Age=0", "https://a.example/", &own, None);
        check(
            "a=1",
            "https://a.example/",
            &image,
            Some(Omission::SameSiteLax),
        );
        check(
            "a=1; SameSite=Lax",
            "https://a.example/",
            &form,
            Some(Omission::SameSiteLax),
        );
        check(
            "a=1; SameSite=Strict",
            "https://a.example/",
            &form,
            Some(Omission::SameSiteStrict),
        );
        check(
            "a=1; SameSite=None; Secure",
            "https://a.example/",
            &image,
            None,
        );
        check("a=1; Domain=a.example", "https://w.a.example/", &own, None);
    }

    #[test]
    fn what_counts_for_nothing_is_said() {
        let long = "x".repeat(1025);
        check_notes("a=1; Path=/; Secure; SameSite=Lax", &[]);
        check_notes("a=1; Expires=soon", &[Note::ExpiresUnreadable]);
        check_notes("a=1; Max-Age=5.5", &[Note::MaxAgeUnreadable]);
        check_notes("a=1; Max-Age=34560001", &[Note::LifeCut]);
        check_notes("a=1; path=x", &[Note::PathNotRooted]);
        check_notes("a=1; SameSite=Some", &[Note::SameSiteUnknown]);
        check_notes(
            "a=1; Secrue;",
            &[Note::UnknownAttribute("Secrue".to_owned())],
        );
        check_notes("a=1; Path=/; path=/x", &[Note::Repeated("path".to_owned())]);
        let line = format!("a=1; Path={long}");
        check_notes(&line, &[Note::AttributeTooLong("Path".to_owned())]);
        let both = "a=1; Max-Age=5; Expires=Mon, 10-Dec-2007 17:02:24 GMT";
        check_notes(both, &[Note::MaxAgeWins]);
    }

    #[track_caller]
    fn check(line: &str, url: &str, context: &Context, expected: Option<Omission>) {
        let mut jar = Jar::new();
        let from = Target::parse("https://a.example/").expect("a url");
        let own = Context::default();
        jar.store(line.as_bytes(), &from, &own, NOW)
            .expect("a cookie");
        let target = Target::parse(url).expect("a url");
        let omission = jar
            .explain(&target, context, NOW)
            .first()
            .and_then(|sending| sending.omission);
        assert_eq!(omission, expected, "{line} to {url}");
        let is_sent = jar.cookie_header(&target, context, NOW).is_some();
        assert_eq!(is_sent, omission.is_none() && !jar.is_empty());
    }

    #[track_caller]
    fn check_notes(line: &str, expected: &[Note]) {
        let target = Target::parse("https://a.example/").expect("a url");
        let own = Context::default();
        let storing = Jar::new().explain_store(line.as_bytes(), &target, &own, NOW);
        assert_eq!(storing.notes, expected, "{line}");
        assert!(storing.outcome.is_ok());
    }
}
