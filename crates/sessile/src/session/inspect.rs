//! A session as it is at one moment, to be looked at.
//!
//! Values that may be secret are [`Secret`]: printing shows that they are there, and
//! [`Secret::expose`] is how to ask for them.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use httpdate::HttpDate;
use sessile_jar::{Cookie, SameSite, Timestamp};

use super::{Counts, Inner, SessionState};
use crate::profile::{Contradiction, Profile, contradictions};
use crate::redact::ShownUrl;
use crate::secret::Secret;

/// What a session is and has.
///
/// ```
/// use sessile::Session;
///
/// let session = Session::builder().header("x-api-key", "hidden").build()?;
/// let seen = session.inspect();
/// assert_eq!(seen.profile.to_string(), "standard");
/// assert!(seen.to_string().contains("x-api-key: …"));
/// # Ok::<(), sessile::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// What relative URLs are relative to, without user, password and query values.
    pub base_url: Option<String>,
    /// The profile that it got.
    pub profile: Profile,
    /// How the headers contradict each other, where they claim to be a browser's.
    pub contradictions: Vec<Contradiction>,
    /// The headers of every request, in order, without cookies and authorization.
    pub headers: Vec<InspectedHeader>,
    /// The kind of authorization: `basic`, `bearer`, `digest` or `header`.
    pub authorization: Option<&'static str>,
    /// The cookies, oldest first.
    pub cookies: Vec<InspectedCookie>,
    /// The proxy, without its login.
    pub proxy: Option<String>,
    /// How many connections are open.
    pub connections: usize,
    /// The logins so far.
    pub generation: u64,
    /// What it has done.
    pub counts: Counts,
}

/// A header of every request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: InspectedValue,
}

/// A value that is nobody's secret, or may be somebody's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum InspectedValue {
    /// Set for this session, and shown as `…`.
    Hidden(Secret<String>),
    /// The profile's, the same for everybody who has it.
    Open(String),
}

/// A cookie with its attributes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret<String>,
    /// The domain it goes back to.
    pub domain: String,
    /// Whether it goes to that very host only.
    pub is_host_only: bool,
    /// The path it goes back to.
    pub path: String,
    /// When it ends; `None`: with the session.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it goes over https only.
    pub is_secure: bool,
    /// Whether scripts of the page can't see it.
    pub is_http_only: bool,
    /// When it goes along with requests from other sites.
    pub same_site: SameSite,
    /// The top-level site it belongs to, where it is partitioned.
    pub partition: Option<String>,
}

impl Inspection {
    pub(super) fn of(session: &Inner) -> Self {
        let proxy = session.transport.proxy().map(|proxy| proxy.to_string());
        let connections = session.transport.connections();
        Self::of_state(&session.live().state, proxy, connections)
    }

    fn of_state(state: &SessionState, proxy: Option<String>, connections: usize) -> Self {
        let headers = merged(state);
        let mut cookies: Vec<_> = state.jar.iter().map(InspectedCookie::of).collect();
        cookies.sort_by_key(|cookie| cookie.created);
        Self {
            base_url: state.base_url.as_ref().map(|url| ShownUrl(url).to_string()),
            contradictions: contradictions(&headers),
            headers: inspected(&headers, &state.headers.to_map()),
            profile: state.profile.clone(),
            authorization: state.authorization.as_ref().map(super::Authorization::kind),
            cookies,
            proxy,
            connections,
            generation: state.generation,
            counts: state.counts,
        }
    }
}

/// The profile's headers, the session's own in their place or after them.
fn merged(state: &SessionState) -> HeaderMap {
    let mut merged = state.profile.headers();
    for (name, value) in &state.headers {
        merged.insert(name, value);
    }
    merged
}

fn inspected(headers: &HeaderMap, of_session: &HeaderMap) -> Vec<InspectedHeader> {
    // What everybody sends in their own words is no secret either.
    let harmless = [header::USER_AGENT, header::ACCEPT, header::ACCEPT_LANGUAGE];
    let lines = headers.iter().map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let is_open = !of_session.contains_key(name) || harmless.contains(name);
        InspectedHeader {
            name: name.as_str().to_owned(),
            value: if is_open {
                InspectedValue::Open(text)
            } else {
                InspectedValue::Hidden(Secret::from(text))
            },
        }
    });
    lines.collect()
}

impl InspectedCookie {
    fn of(cookie: Cookie<'_>) -> Self {
        Self {
            name: cookie.name_lossy().into_owned(),
            value: Secret::from(cookie.value_lossy().into_owned()),
            domain: cookie.domain().to_owned(),
            is_host_only: cookie.is_host_only(),
            path: String::from_utf8_lossy(cookie.path()).into_owned(),
            expires: cookie.expires(),
            created: cookie.created(),
            is_secure: cookie.is_secure(),
            is_http_only: cookie.is_http_only(),
            same_site: cookie.same_site(),
            partition: cookie
                .partition()
                .map(|partition| partition.site().to_owned()),
        }
    }
}

/// For people: one line a fact, every value masked that may be a secret.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = "none";
        writeln!(f, "base URL: {}", self.base_url.as_deref().unwrap_or(none))?;
        writeln!(f, "profile: {}", self.profile)?;
        for contradiction in &self.contradictions {
            writeln!(f, "  {contradiction}")?;
        }
        writeln!(f, "authorization: {}", self.authorization.unwrap_or(none))?;
        writeln!(f, "proxy: {}", self.proxy.as_deref().unwrap_or(none))?;
        writeln!(f, "connections: {}", self.connections)?;
        writeln!(f, "generation: {}", self.generation)?;
        writeln!(
            f,
            "requests: {}, replies: {}",
            self.counts.requests, self.counts.replies
        )?;
        writeln!(f, "headers: {}", self.headers.len())?;
        for header in &self.headers {
            writeln!(f, "  {}: {}", header.name, header.value)?;
        }
        writeln!(f, "cookies: {}", self.cookies.len())?;
        for cookie in &self.cookies {
            writeln!(f, "  {cookie}")?;
        }
        Ok(())
    }
}

impl fmt::Display for InspectedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden(_) => f.write_str("…"),
            Self::Open(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for InspectedCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.is_host_only { "" } else { "." };
        write!(f, "{}=… for {dot}{}{}", self.name, self.domain, self.path)?;
        let flags = [
            (self.is_secure, ", Secure"),
            (self.is_http_only, ", HttpOnly"),
        ];
        for (_, flag) in flags.into_iter().filter(|(is_set, _)| *is_set) {
            f.write_str(flag)?;
        }
        match self.same_site {
            SameSite::Default => {}
            SameSite::Lax | SameSite::None | SameSite::Strict => {
                write!(f, ", SameSite={:?}", self.same_site)?;
            }
        }
        if let Some(site) = &self.partition {
            write!(f, ", Partitioned by {site}")?;
        }
        match self.expires.map(date) {
            Some(Some(date)) => write!(f, ", until {date}"),
            Some(None) => f.write_str(", for ever"),
            None => f.write_str(", for the session"),
        }
    }
}

/// The moment as HTTP writes it; `None` after the year 9999, which it can't.
fn date(at: Timestamp) -> Option<HttpDate> {
    const END: u64 = 253_402_300_800;
    // What ended before 1970 has ended, whenever that was.
    let seconds = u64::try_from(at.as_seconds()).unwrap_or(0);
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    at.filter(|_| seconds < END).map(HttpDate::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Authorization;
    use crate::{Session, clock::ManualClock};
    use std::sync::Arc;

    #[test]
    fn everything_is_shown_and_no_secret() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_795_219_200)));
        let session = Session::builder()
            .base_url("https://ada:pw1@a.example/?t=pw2")
            .unwrap()
            .clock(clock)
            .profile("firefox/150/linux".parse::<Profile>().unwrap())
            .header("accept-language", "de")
            .header("x-api-key", "pw3")
            .header("cookie", "id=pw4")
            .authorization(Authorization::Bearer(Secret::from("pw5".to_owned())))
            .build()
            .unwrap();
        let seen = session.inspect();
        let expected = "base URL: https://a.example/?t=…\nprofile: firefox/150/linux\n\
            authorization: bearer\nproxy: none\nconnections: 0\ngeneration: 0\n\
            requests: 0, replies: 0\nheaders: 6\n  \
            user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0\n  \
            accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\n  \
            accept-language: de\n  accept-encoding: gzip, deflate, br, zstd\n  \
            connection: keep-alive\n  x-api-key: …\ncookies: 1\n  \
            id=… for a.example/, Secure, for the session\n";
        assert_eq!(seen.to_string(), expected);
        assert!(!format!("{seen:?}{seen}").contains("pw"), "{seen:?}");
        assert_eq!(seen.cookies[0].value.expose(), "pw4");
    }

    #[test]
    fn a_browser_with_a_foreign_agent_is_noticed() {
        let session = Session::builder()
            .profile("chrome/147/macos".parse::<Profile>().unwrap())
            .header(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Gecko Firefox/1.0",
            )
            .build()
            .unwrap();
        assert!(
            session
                .inspect()
                .contradictions
                .contains(&Contradiction::Hints)
        );
    }
}
