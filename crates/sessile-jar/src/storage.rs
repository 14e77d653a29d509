//! Storing a cookie (RFC 6265bis, section 5.7), step by step in the order of the text.
//!
//! Beyond the text, and said where it happens: `Partitioned` (CHIPS), the prefixes `__Http-`
//! and `__Host-Http-` and a real `Path` for `__Host-` (the successor draft).
//! Step 16 is in `related`, the limits at the end of 5.7 are in `evict`.

use crate::context::{Api, Context, Navigation, Site};
use crate::cookie::NewCookie;
use crate::delta::Stamp;
use crate::domain::domain_matches;
use crate::jar::Jar;
use crate::parse::SetCookie;
use crate::path::default_path;
use crate::record::{Draft, Flags, PartitionKey, RecordKey};
use crate::suffix::{is_public_suffix, registrable};
use crate::{Refusal, SameSite, Target, Timestamp};

/// The longest that a cookie may live: 400 days, in seconds (section 5.5).
pub(crate) const MAX_AGE: i64 = 34_560_000;

/// What storing a cookie did.
///
/// ```
/// use sessile_jar::{Context, Jar, Stored, Target, Timestamp};
///
/// let (mut jar, context) = (Jar::new(), Context::default());
/// let (shop, now) = (Target::parse("https://shop.example/")?, Timestamp::from_seconds(0));
/// assert_eq!(jar.store(b"id=1", &shop, &context, now), Ok(Stored::Added));
/// assert_eq!(jar.store(b"id=2", &shop, &context, now), Ok(Stored::Replaced));
/// assert_eq!(jar.store(b"id=; Max-Age=0", &shop, &context, now), Ok(Stored::Deleted));
/// # Ok::<(), sessile_jar::BadUrl>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stored {
    /// It is in the jar, and there was none in its place.
    Added,
    /// Its time is over, and it deleted the cookie in its place.
    Deleted,
    /// Its time is over, and there was nothing in its place.
    Nothing,
    /// It is in the jar instead of another.
    Replaced,
    /// It is in the jar, and already was, the same in everything.
    Unchanged,
}

impl Jar {
    /// Stores what a response's `Set-Cookie` field says.
    ///
    /// One field, one call: several fields are never joined.
    ///
    /// # Errors
    /// Fails with the rule that the cookie was refused by; the jar is as it was, then.
    pub fn store(
        &mut self,
        set_cookie: &[u8],
        target: &Target<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Result<Stored, Refusal> {
        let cookie = SetCookie::parse(set_cookie)?;
        let received = self.receive(&cookie, target, context, now)?;
        Ok(self.place(&received, now))
    }

    /// Steps 1 to 22 and 23.2: whether and as what a cookie may come in.
    pub(crate) fn receive<'a>(
        &self,
        cookie: &SetCookie<'a>,
        target: &'a Target<'_>,
        context: &'a Context,
        now: Timestamp,
    ) -> Result<Received<'a>, Refusal> {
        // Step 1 (ignoring cookies at will): skipped, the jar has no such policy.
        // Steps 3 and 4 (control characters, size): done by the parser.
        // Step 2: something has to be there.
        if cookie.name.is_empty() && cookie.value.is_empty() {
            return Err(Refusal::Empty);
        }
        // Step 5 (creation and access times): done when it is put in.
        // Step 6.
        let expires = expiry(cookie, now);
        // Steps 7 to 10.
        let (domain, is_host_only) = self.scope(cookie, target)?;
        // Step 11.
        let path = path(cookie, target);
        // Step 12.
        let is_secure = cookie.secure;
        // Step 13: over a plain connection nothing Secure comes in.
        if is_secure && !target.is_secure() {
            return Err(Refusal::SecureByPlain);
        }
        // Steps 14 and 15: a script can't set what it could not see.
        if cookie.http_only && context.api == Api::NonHttp {
            return Err(Refusal::HttpOnlyByScript);
        }
        // Step 16: Secure cookies are left alone by plain connections.
        if !is_secure && !target.is_secure() {
            self.leave_secure(cookie.name, domain, path, now)?;
        }
        // Steps 17 to 19.
        same_site(cookie, context)?;
        // CHIPS: a partitioned cookie has to be Secure.
        if cookie.partitioned && !is_secure {
            return Err(Refusal::PartitionedInsecure);
        }
        // Steps 20 to 22.
        prefixes(cookie, is_host_only, path)?;
        let draft = Draft {
            name: cookie.name,
            value: cookie.value,
            path,
            partition: self.partition(cookie, target, context),
            flags: flags(cookie, is_host_only),
            expires,
        };
        let received = Received {
            domain,
            draft,
            created: None,
        };
        // Step 23.2; the rest of 23, and 24, when it is put in.
        self.leave_http_only(&received, context, now)?;
        Ok(received)
    }

    /// Steps 7 to 10: the domain, and whether it means the host alone.
    fn scope<'a>(
        &self,
        cookie: &SetCookie<'a>,
        target: &'a Target<'_>,
    ) -> Result<(&'a str, bool), Refusal> {
        let host = target.host();
        // Step 7: the last Domain, or the empty string.
        let attribute = cookie.domain.unwrap_or_default();
        // Step 8: ASCII only.
        if !attribute.is_ascii() {
            return Err(Refusal::DomainNotAscii);
        }
        // Step 10, second half: no Domain, the host alone.
        if attribute.is_empty() {
            return Ok((host, true));
        }
        // 5.6.3 step 3, lower case: a domain that matches is the end of the host, which is so.
        let end = host.len().checked_sub(attribute.len());
        let domain = end
            .and_then(|start| host.get(start..))
            .filter(|end| end.as_bytes().eq_ignore_ascii_case(attribute));
        let Some(domain) = domain else {
            return Err(self.refused_domain(attribute));
        };
        // Step 9: a public suffix is for its own host alone.
        if self.is_suffix(domain) {
            if domain == host {
                return Ok((host, true));
            }
            return Err(Refusal::PublicSuffix);
        }
        // Step 10, first half.
        if domain_matches(host, domain) {
            Ok((domain, false))
        } else {
            Err(Refusal::DomainMismatch)
        }
    }

    /// Steps 9.3 and 10.1 for a domain that the host does not end in.
    fn refused_domain(&self, attribute: &[u8]) -> Refusal {
        let domain = String::from_utf8_lossy(attribute).to_ascii_lowercase();
        if is_public_suffix(&*self.options.suffixes, &domain) {
            Refusal::PublicSuffix
        } else {
            Refusal::DomainMismatch
        }
    }

    /// Whether a domain is a public suffix; known without the list where it has cookies.
    fn is_suffix(&self, domain: &str) -> bool {
        self.domains.get(domain).map_or_else(
            || is_public_suffix(&*self.options.suffixes, domain),
            |bucket| bucket.is_suffix,
        )
    }

    /// CHIPS: the partition of a cookie set with `Partitioned`.
    fn partition<'a>(
        &self,
        cookie: &SetCookie<'_>,
        target: &'a Target<'_>,
        context: &'a Context,
    ) -> PartitionKey<'a> {
        if !cookie.partitioned {
            return PartitionKey::NONE;
        }
        match &context.partition {
            Some(partition) => PartitionKey {
                scheme: b"",
                site: partition.site().as_bytes(),
                ancestors: partition.ancestors(),
            },
            None => PartitionKey {
                scheme: target.site_scheme().as_bytes(),
                site: registrable(&*self.options.suffixes, target.host()).as_bytes(),
                ..PartitionKey::NONE
            },
        }
    }

    /// Step 23.2: a script can't replace what it can't see.
    fn leave_http_only(
        &self,
        received: &Received<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if context.api == Api::Http {
            return Ok(());
        }
        let old = self.domains.get(received.domain).and_then(|bucket| {
            let place = bucket.position(&received.draft.key())?;
            bucket.records().get(place)
        });
        match old {
            Some(old) if old.flags.is_http_only() && !old.is_expired(now) => {
                Err(Refusal::OverwriteHttpOnly)
            }
            _ => Ok(()),
        }
    }

    /// Steps 23 and 24: in the place of the cookie with the same key, or beside the others.
    pub(crate) fn place(&mut self, received: &Received<'_>, now: Timestamp) -> Stored {
        let Received { domain, draft, .. } = received;
        // After the steps: expired cookies have to leave.
        self.sweep_if_due(now);
        let stamp = self.next_stamp(now);
        self.revision += 1;
        let is_over = draft.expires <= now;
        match self.live_place(domain, &draft.key(), now) {
            None if is_over => {
                // Another copy of the jar may have what is to be deleted.
                self.note_removal(domain, &draft.key(), stamp);
                Stored::Nothing
            }
            None => {
                self.put_beside(received, stamp, now);
                Stored::Added
            }
            Some(place) if is_over => {
                self.take(domain, place);
                self.note_removal(domain, &draft.key(), stamp);
                self.line_revision += 1;
                Stored::Deleted
            }
            Some(place) => self.put_instead(received, place, stamp, now),
        }
    }

    /// Where a cookie lies; one whose time is over is put out on the way.
    fn live_place(&mut self, domain: &str, key: &RecordKey<'_>, now: Timestamp) -> Option<usize> {
        let bucket = self.domains.get(domain)?;
        let place = bucket.position(key)?;
        if bucket.records().get(place)?.is_expired(now) {
            self.take(domain, place);
            return None;
        }
        Some(place)
    }

    /// Step 24, with nothing in its place.
    fn put_beside(&mut self, received: &Received<'_>, stamp: Stamp, now: Timestamp) {
        let Received {
            domain,
            draft,
            created,
        } = received;
        let mut record = self.fresh(draft, now);
        // Step 5: the creation time, unless one was given by hand.
        record.created = created.unwrap_or(now);
        (record.stamp, record.revision) = (stamp, self.revision);
        self.removals.forget(domain, &draft.key());
        self.add(domain, record);
        self.line_revision += 1;
        self.keep_limits(domain, &draft.partition, now);
    }

    /// Steps 23.3, 23.4 and 24: the old record becomes the new one.
    fn put_instead(
        &mut self,
        received: &Received<'_>,
        place: usize,
        stamp: Stamp,
        now: Timestamp,
    ) -> Stored {
        let Received { domain, draft, .. } = received;
        let revision = self.revision;
        let Some(bucket) = self.domains.get_mut(domain) else {
            return Stored::Nothing;
        };
        bucket.revision = revision;
        let Some(record) = bucket.record_mut(place) else {
            return Stored::Nothing;
        };
        let (old_expires, was_secure) = (record.expires, record.flags.is_secure());
        let is_same = record.is_same(draft);
        record.update(draft);
        record.touch(now);
        (record.stamp, record.revision) = (stamp, revision);
        // Step 23.3: the creation time stays, unless one was given by hand.
        let old_created = record.created;
        let created = received.created.filter(|created| *created != old_created);
        self.secure_len += usize::from(draft.flags.is_secure());
        self.secure_len -= usize::from(was_secure);
        self.earliest_expiry = self.earliest_expiry.min(draft.expires);
        if let Some(created) = created {
            self.recreate(domain, place, created);
        }
        // A line that was written down stays right if the cookie only lives longer.
        if !is_same || draft.expires < old_expires || created.is_some() {
            self.line_revision += 1;
        }
        if is_same && draft.expires == old_expires && created.is_none() {
            Stored::Unchanged
        } else {
            Stored::Replaced
        }
    }

    fn note_removal(&mut self, domain: &str, key: &RecordKey<'_>, stamp: Stamp) {
        let limit = self.options.limits.removals;
        self.removals
            .note(domain, key, (stamp, self.revision), limit);
    }

    /// Gives a record another creation time, and with it another place.
    fn recreate(&mut self, domain: &str, place: usize, created: Timestamp) {
        let Some(bucket) = self.domains.get_mut(domain) else {
            return;
        };
        let mut record = bucket.remove(place);
        record.created = created;
        bucket.insert(record);
    }
}

/// A cookie that may come in.
#[derive(Clone, Copy)]
pub(crate) struct Received<'a> {
    pub(crate) domain: &'a str,
    pub(crate) draft: Draft<'a>,
    /// The creation time, where one was given by hand.
    pub(crate) created: Option<Timestamp>,
}

impl Received<'_> {
    /// The cookie as one made by hand.
    pub(crate) fn to_new(self) -> NewCookie {
        let Draft { flags, .. } = self.draft;
        let mut cookie = NewCookie::new(self.draft.name, self.draft.value);
        cookie = if flags.is_host_only() {
            cookie.for_host(self.domain)
        } else {
            cookie.for_domain(self.domain)
        };
        cookie.path = self.draft.path.to_vec();
        cookie.expires = Some(self.draft.expires).filter(|time| *time != Timestamp::LATEST);
        cookie.same_site = flags.same_site();
        cookie.secure = flags.is_secure();
        cookie.http_only = flags.is_http_only();
        cookie.partition = self.draft.partition.to_partition();
        cookie
    }
}

/// Steps 12, 14 and 17, and the second halves of step 10.
pub(crate) fn flags(cookie: &SetCookie<'_>, is_host_only: bool) -> Flags {
    Flags::default()
        .with_host_only(is_host_only)
        .with_secure(cookie.secure)
        .with_http_only(cookie.http_only)
        .with_same_site(cookie.same_site)
}

/// Step 6: Max-Age before Expires, both at most 400 days ahead (5.5, 5.6.1, 5.6.2).
fn expiry(cookie: &SetCookie<'_>, now: Timestamp) -> Timestamp {
    match (cookie.max_age, cookie.expires) {
        // 5.6.2 step 7: zero or less is the earliest time there is.
        (Some(..=0), _) => Timestamp::EARLIEST,
        (Some(seconds), _) => now.plus_seconds(seconds.min(MAX_AGE)),
        (None, Some(date)) => date.min(now.plus_seconds(MAX_AGE)),
        // Neither: it ends with the session.
        (None, None) => Timestamp::LATEST,
    }
}

/// Step 11 with 5.6.4: the last Path, or the default path.
fn path<'a>(cookie: &SetCookie<'a>, target: &'a Target<'_>) -> &'a [u8] {
    match cookie.path {
        Some(path @ [b'/', ..]) => path,
        _ => default_path(target.path()),
    }
}

/// Steps 17 to 19: `SameSite`, and where a cookie with one may come from.
fn same_site(cookie: &SetCookie<'_>, context: &Context) -> Result<(), Refusal> {
    if cookie.same_site == SameSite::None {
        // Step 19.
        return if cookie.secure {
            Ok(())
        } else {
            Err(Refusal::SameSiteNoneInsecure)
        };
    }
    match (context.site, context.api, context.navigation) {
        // Step 18.2.
        (Site::SameSite, _, _) => Ok(()),
        // Step 18.1: a script in a frame of another site.
        (Site::CrossSite, Api::NonHttp, _) => Err(Refusal::SameSite),
        // Step 18.3: a window that goes there, by whatever method.
        (Site::CrossSite, Api::Http, Navigation::Safe | Navigation::Unsafe) => Ok(()),
        // Step 18.4.
        (Site::CrossSite, Api::Http, Navigation::No) => Err(Refusal::SameSite),
    }
}

/// Steps 20 to 22, and the successor draft's `__Http-` and `__Host-Http-`.
pub(crate) fn prefixes(
    cookie: &SetCookie<'_>,
    is_host_only: bool,
    path: &[u8],
) -> Result<(), Refusal> {
    // Step 22: without a name, the value must not pass for a name with a prefix.
    if cookie.name.is_empty() {
        let passes = PREFIXES
            .iter()
            .any(|prefix| has_prefix(cookie.value, prefix));
        return if passes {
            Err(Refusal::NamelessPrefix)
        } else {
            Ok(())
        };
    }
    if !cookie.name.starts_with(b"__") {
        return Ok(());
    }
    // Step 21; the successor draft wants a Path that says `/`, not one that leads there.
    let is_for_host = cookie.secure && is_host_only && cookie.has_rooted_path && path == b"/";
    let is_for_http = cookie.secure && cookie.http_only;
    for (prefix, is_kept, refusal) in [
        (
            HOST_HTTP,
            is_for_host && is_for_http,
            Refusal::HostHttpPrefix,
        ),
        (HOST, is_for_host, Refusal::HostPrefix),
        (HTTP, is_for_http, Refusal::HttpPrefix),
        // Step 20.
        (SECURE, cookie.secure, Refusal::SecurePrefix),
    ] {
        if has_prefix(cookie.name, prefix) && !is_kept {
            return Err(refusal);
        }
    }
    Ok(())
}

const HOST: &[u8] = b"__Host-";
const HOST_HTTP: &[u8] = b"__Host-Http-";
const HTTP: &[u8] = b"__Http-";
const SECURE: &[u8] = b"__Secure-";
const PREFIXES: [&[u8]; 4] = [HOST, HOST_HTTP, HTTP, SECURE];

/// Section 5.4: in any case.
fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_219_200);

    #[test]
    fn domains_have_to_be_the_host_or_above_it() {
        check(
            "a=1; Domain=example.com",
            "https://www.example.com/",
            Ok("example.com, and below"),
        );
        check(
            "a=1; Domain=.Example.COM",
            "https://www.example.com/",
            Ok("example.com, and below"),
        );
        check(
            "a=1; Domain=",
            "https://www.example.com/",
            Ok("www.example.com"),
        );
        check(
            "a=1; Domain=x; Domain",
            "https://www.example.com/",
            Ok("www.example.com"),
        );
        check(
            "a=1; Domain=example.com",
            "https://notexample.com/",
            Err(Refusal::DomainMismatch),
        );
        check(
            "a=1; Domain=www.example.com",
            "https://example.com/",
            Err(Refusal::DomainMismatch),
        );
        check(
            "a=1; Domain=..example.com",
            "https://example.com/",
            Err(Refusal::DomainMismatch),
        );
        check(
            "a=1; Domain=example.com.",
            "https://example.com/",
            Err(Refusal::DomainMismatch),
        );
        check(
            "a=1; Domain=0.0.1",
            "http://127.0.0.1/",
            Err(Refusal::DomainMismatch),
        );
        check(
            "a=1; Domain=127.0.0.1",
            "http://127.0.0.1/",
            Ok("127.0.0.1, and below"),
        );
        check(
            "a=1; Domain=\u{e9}.example",
            "https://a.example/",
            Err(Refusal::DomainNotAscii),
        );
    }

    #[test]
    fn public_suffixes_are_for_their_own_host() {
        check(
            "a=1; Domain=com",
            "https://example.com/",
            Err(Refusal::PublicSuffix),
        );
        check(
            "a=1; Domain=co.uk",
            "https://example.co.uk/",
            Err(Refusal::PublicSuffix),
        );
        check(
            "a=1; Domain=co.uk.",
            "https://example.co.uk./",
            Err(Refusal::PublicSuffix),
        );
        check(
            "a=1; Domain=github.io",
            "https://user.github.io/",
            Err(Refusal::PublicSuffix),
        );
        check(
            "a=1; Domain=github.io",
            "https://github.io/",
            Ok("github.io"),
        );
        check(
            "a=1; Domain=localhost",
            "http://localhost/",
            Ok("localhost"),
        );
        check("a=1", "http://intranet/", Ok("intranet"));
    }

    #[test]
    fn secure_needs_a_secure_connection() {
        check(
            "a=1; Secure",
            "http://a.example/",
            Err(Refusal::SecureByPlain),
        );
        check("a=1; Secure", "http://localhost/", Ok("localhost"));
        check("a=1; Secure", "wss://a.example/", Ok("a.example"));
        check(
            "a=1; SameSite=None",
            "https://a.example/",
            Err(Refusal::SameSiteNoneInsecure),
        );
        check(
            "a=1; Partitioned",
            "https://a.example/",
            Err(Refusal::PartitionedInsecure),
        );
    }

    #[test]
    fn prefixes_are_kept_in_any_case() {
        let url = "https://a.example/x/y";
        check("__secure-a=1", url, Err(Refusal::SecurePrefix));
        check("__SECURE-a=1; Secure", url, Ok("a.example"));
        check("__Host-a=1; Secure", url, Err(Refusal::HostPrefix));
        check("__Host-a=1; Secure; Path=/x", url, Err(Refusal::HostPrefix));
        check("__Host-a=1; Path=/", url, Err(Refusal::HostPrefix));
        check(
            "__Host-a=1; Secure; Path=/; Domain=a.example",
            url,
            Err(Refusal::HostPrefix),
        );
        check("__Host-a=1; Secure; Path=/; Domain=", url, Ok("a.example"));
        check(
            "__Host-a=1; Secure; Path",
            "https://a.example/",
            Err(Refusal::HostPrefix),
        );
        check("__Http-a=1; Secure", url, Err(Refusal::HttpPrefix));
        check("__Http-a=1; Secure; HttpOnly", url, Ok("a.example"));
        let line = "__Host-Http-a=1; Secure; Path=/";
        check(line, url, Err(Refusal::HostHttpPrefix));
        check(&format!("{line}; HttpOnly"), url, Ok("a.example"));
        check("=__Host-a", url, Err(Refusal::NamelessPrefix));
        check("__hTTp-a", url, Err(Refusal::NamelessPrefix));
        check("__Hosta=1", url, Ok("a.example"));
    }

    #[test]
    fn something_has_to_be_there() {
        for line in ["", "=", " ; Path=/", "=\t;"] {
            check(line, "https://a.example/", Err(Refusal::Empty));
        }
        check(
            "a\u{1}=1",
            "https://a.example/",
            Err(Refusal::ControlCharacter),
        );
        let long = format!("a={}", "x".repeat(4096));
        check(&long, "https://a.example/", Err(Refusal::TooLong));
    }

    #[test]
    fn scripts_and_other_sites_may_do_less() {
        let script = Context {
            api: Api::NonHttp,
            ..Context::default()
        };
        let image = Context {
            site: Site::CrossSite,
            ..Context::default()
        };
        let form = Context {
            navigation: Navigation::Unsafe,
            ..image.clone()
        };
        let target = Target::parse("https://a.example/").unwrap();
        let mut jar = Jar::new();
        for (line, context, expected) in [
            ("a=1; HttpOnly", &script, Err(Refusal::HttpOnlyByScript)),
            ("a=1; HttpOnly", &form, Ok(Stored::Added)),
            ("a=2", &script, Err(Refusal::OverwriteHttpOnly)),
            ("a=; Max-Age=0", &script, Err(Refusal::OverwriteHttpOnly)),
            ("b=1", &image, Err(Refusal::SameSite)),
            ("b=1; SameSite=None; Secure", &image, Ok(Stored::Added)),
            ("b=1; SameSite=Strict", &form, Ok(Stored::Replaced)),
        ] {
            let stored = jar.store(line.as_bytes(), &target, context, NOW);
            assert_eq!(stored, expected, "{line}");
        }
    }

    #[test]
    fn lives_end_after_400_days_at_most() {
        let most = Some(NOW.plus_seconds(MAX_AGE));
        check_expiry("a=1", None);
        check_expiry("a=1; Max-Age=60", Some(NOW.plus_seconds(60)));
        check_expiry("a=1; Max-Age=99999999999999999999", most);
        check_expiry("a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", most);
        let both = "a=1; Max-Age=60; Expires=Fri, 31 Dec 9999 23:59:59 GMT";
        check_expiry(both, Some(NOW.plus_seconds(60)));
    }

    /// The domain that the cookie gets, or the rule it is refused by.
    #[track_caller]
    fn check(line: &str, url: &str, expected: Result<&str, Refusal>) {
        let target = Target::parse(url).expect("a url");
        let mut jar = Jar::new();
        let stored = jar.store(line.as_bytes(), &target, &Context::default(), NOW);
        let got = stored.map(|_| {
            let cookie = jar.iter().next().expect("it was stored");
            let below = if cookie.is_host_only() {
                ""
            } else {
                ", and below"
            };
            format!("{}{below}", cookie.domain())
        });
        assert_eq!(
            got.as_deref().map_err(|refusal| *refusal),
            expected,
            "{line} from {url}"
        );
    }

    #[track_caller]
    fn check_expiry(line: &str, expected: Option<Timestamp>) {
        let target = Target::parse("https://a.example/").expect("a url");
        let mut jar = Jar::new();
        jar.store(line.as_bytes(), &target, &Context::default(), NOW)
            .expect("a cookie");
        let expires = jar.iter().next().and_then(|cookie| cookie.expires());
        assert_eq!(expires, expected, "{line}");
    }
}
