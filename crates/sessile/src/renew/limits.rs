//! The limits of hosts, kept in a store for everybody who uses it.
//!
//! Each host belongs to one of a fixed number of notes, by its name: a note holds the hosts whose
//! limits still matter, so that there is never more to keep than is going on. When a request may
//! go is decided by the session; here its decision is carried out in the store's transaction, by
//! the store's clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use url::Url;

use sessile_jar::Timestamp;

use crate::session::{Entry, Fault, Manners, Register, Standing, key};
use crate::store::{StoreError, Vault};

/// How many notes there are: enough that hosts seldom share one.
const NOTES: u64 = 64;

/// The same manners, with limits and pauses that hold for everybody who uses the store.
///
/// Kept sessions share theirs by themselves; this is for sessions that aren't kept.
///
/// ```
/// # async fn example(vault: sessile::store::Vault) -> Result<(), sessile::Error> {
/// use sessile::Session;
/// use sessile::session::{Limits, Manners};
///
/// let manners = Manners::new(Limits::per_second(2));
/// let session = Session::builder()
///     .manners(sessile::renew::share_limits(manners, &vault))
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub fn share_limits(manners: Manners, vault: &Vault) -> Manners {
    manners.kept_in(|| register(vault))
}

/// What is going on at a host, among everybody who keeps limits in the store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct HostLimits {
    /// How long the host wants to be left alone.
    pub pause: Duration,
    /// How long the next request has to wait for its turn.
    pub wait: Duration,
    /// How many requests are running, of those whose number is limited.
    pub running: usize,
}

/// What is going on at the host of a URL; nothing is written.
///
/// # Errors
///
/// [`StoreError`] where the store can't be read.
pub async fn limits_at(vault: &Vault, url: &Url, now: Timestamp) -> Result<HostLimits, StoreError> {
    let host = key(url);
    let note = vault.load_note(number(host)).await?;
    let note = note.map(|opened| Note::read(&opened.plain));
    let standing = note.and_then(|note| note.0.get(host).map(Wire::standing));
    let (standing, now) = (standing.unwrap_or_default(), moment(now));
    let left = |at: Option<Duration>| at.unwrap_or_default().saturating_sub(now);
    let running = standing.running.iter().filter(|(_, until)| *until > now);
    Ok(HostLimits {
        pause: left(standing.paused_until),
        wait: left(standing.even.max(standing.paused_until)),
        running: running.count(),
    })
}

pub(super) fn register(vault: &Vault) -> Register {
    let vault = vault.clone();
    Register::new(move |host, entry| {
        let vault = vault.clone();
        async move {
            enter(&vault, &host, entry)
                .await
                .map_err(|error| Arc::new(error) as Fault)
        }
        .boxed()
    })
}

async fn enter(vault: &Vault, host: &str, entry: Entry) -> Result<(), StoreError> {
    let name = host.to_owned();
    let change = move |note: Option<&[u8]>, now: Timestamp| {
        let mut note = note.map(Note::read).unwrap_or_default();
        note.enter(name, entry, moment(now)).then(|| note.write())
    };
    vault.note(number(host), change).await
}

/// A store's time as a moment.
fn moment(now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0))
}

/// Which note a host belongs to, in every process the same (FNV-1a).
fn number(host: &str) -> u64 {
    let hash = host.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash % NOTES
}

/// The hosts of a note.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Note(BTreeMap<String, Wire>);

/// The standing of a host as it is written, in microseconds since 1970.
#[derive(Debug, Deserialize, Serialize)]
struct Wire {
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    even: Option<u64>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    paused_until: Option<u64>,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    running: Vec<(u64, u64)>,
    #[serde(rename = "s")]
    seen: u64,
}

impl Note {
    /// What can't be read is forgotten: it would have mattered for moments only.
    fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written")
    }

    /// Carries the entry out; answers whether it left something to be written.
    fn enter(&mut self, host: String, entry: Entry, now: Duration) -> bool {
        let mut standing = self
            .0
            .get(&host)
            .map_or_else(Standing::default, Wire::standing);
        standing.see(now);
        let before = standing.clone();
        entry(&mut standing, now);
        let is_changed = standing != before;
        self.0.insert(host, Wire::from(standing));
        self.0.retain(|_, wire| wire.standing().is_ahead_of(now));
        is_changed
    }
}

impl Wire {
    fn standing(&self) -> Standing {
        let running = self.running.iter();
        Standing {
            even: self.even.map(Duration::from_micros),
            paused_until: self.paused_until.map(Duration::from_micros),
            running: running
                .map(|(ticket, until)| (*ticket, Duration::from_micros(*until)))
                .collect(),
            seen: Duration::from_micros(self.seen),
        }
    }
}

impl From<Standing> for Wire {
    fn from(standing: Standing) -> Self {
        let running = standing.running.into_iter();
        Self {
            even: standing.even.map(micros),
            paused_until: standing.paused_until.map(micros),
            running: running
                .map(|(ticket, until)| (ticket, micros(until)))
                .collect(),
            seen: micros(standing.seen),
        }
    }
}

/// Rounded up, so that nobody goes too early.
fn micros(moment: Duration) -> u64 {
    let nanos = moment.as_nanos().div_ceil(1000);
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::clock::Clock;
    use crate::login::{Credentials, Login};
    use crate::renew::{Kept, KeptOptions};
    use crate::session::{Limits, RetryPolicy};
    use crate::session::{Request, SessionBuilder};
    use crate::site::Site;
    use crate::store::StoreOptions;
    use crate::transport::{ScriptedReply, ScriptedTransport};
    use crate::{Error, Session};

    const SECOND: Duration = Duration::from_secs(1);
    const PAGE: &str = "http://a.test/";

    /// The runtime's clock, which stands still until everybody waits.
    #[derive(Debug)]
    struct RuntimesClock(Instant);

    impl Clock for RuntimesClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(1_000_000).plus(self.0.elapsed())
        }
    }

    async fn vault() -> Vault {
        let options = StoreOptions {
            clock: Arc::new(RuntimesClock(Instant::now())),
            ..StoreOptions::default()
        };
        Vault::in_memory(&options).await.unwrap()
    }

    /// A session as another process would have it: it shares nothing but the store.
    fn session(vault: &Vault, limits: Limits, script: &Arc<ScriptedTransport>) -> Session {
        Session::builder()
            .transport(Arc::<ScriptedTransport>::clone(script))
            .retry(RetryPolicy::never())
            .manners(share_limits(Manners::new(limits), vault))
            .build()
            .unwrap()
    }

    fn at_once(limit: usize) -> Limits {
        Limits {
            at_once: Some(limit),
            ..Limits::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_keep_one_rate() {
        let (vault, script) = (vault().await, ScriptedTransport::new());
        script.on_each("GET http://a.test/", ScriptedReply::ok(""));
        script.on_each("GET http://b.test/", ScriptedReply::ok(""));
        let start = Instant::now();
        let sessions = (0..5).map(|_| session(&vault, Limits::per_second(2), &script));
        let twice = sessions.map(async |session| {
            session.get(PAGE).await.unwrap();
            session.get(PAGE).await.unwrap();
        });
        futures_util::future::join_all(twice).await;
        assert_eq!(start.elapsed(), 9 * SECOND / 2);
        let other = session(&vault, Limits::per_second(2), &script);
        other.get("http://b.test/").await.unwrap();
        assert_eq!(start.elapsed(), 9 * SECOND / 2);
        let now = RuntimesClock(start).now();
        let found = limits_at(&vault, &PAGE.parse().unwrap(), now)
            .await
            .unwrap();
        assert_eq!((found.wait, found.running), (SECOND / 2, 0));
        assert!(vault.list().await.unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_files_limits_hold_from_the_login_on() {
        let (vault, script) = (vault().await, ScriptedTransport::new());
        script.on_each("GET http://a.test/", ScriptedReply::ok("in"));
        let file = "[login]\nkind = \"bearer\"\nurl = \"http://a.test/\"\n\
                    [check]\nurl = \"http://a.test/\"\ntext = \"in\"\n[limits]\nrate = \"1/s\"\n";
        let site = Arc::new(Site::parse(file, "a.toml").unwrap());
        let token = Some("t".to_owned().into());
        let login = Login::site(site, Credentials::new("", token));
        let options = |builder: SessionBuilder| KeptOptions {
            builder: builder.transport(Arc::<ScriptedTransport>::clone(&script)),
            ..KeptOptions::default()
        };
        let name = "a".parse().unwrap();
        let logged_in = Kept::log_in(&vault, &name, login, options(Session::builder())).await;
        let (first, _) = logged_in.unwrap();
        let loose = Session::builder().manners(Manners::new(Limits::per_second(10)));
        let second = Kept::open(&vault, &name, options(loose)).await.unwrap();
        let start = Instant::now();
        for kept in [&first, &second, &first, &second] {
            kept.send(Request::get(PAGE)).await.unwrap();
        }
        // The login was on the site just before: the first request waits for its turn too.
        assert_eq!(start.elapsed(), 4 * SECOND);
        let slow = Limits {
            interval: 5 * SECOND,
            ..Limits::default()
        };
        let strict = Session::builder().manners(Manners::new(slow));
        let strict = Kept::open(&vault, &name, options(strict)).await.unwrap();
        for _time in 0..2 {
            strict.send(Request::get(PAGE)).await.unwrap();
        }
        assert_eq!(start.elapsed(), 10 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_all() {
        let (vault, script) = (vault().await, ScriptedTransport::new());
        let busy = ScriptedReply::status(429).header("retry-after", "30");
        script.on("GET http://a.test/", busy);
        script.on("GET http://a.test/", ScriptedReply::ok(""));
        let start = Instant::now();
        let limits = Limits::default();
        session(&vault, limits, &script).get(PAGE).await.unwrap();
        let impatient = Limits {
            longest_pause: SECOND,
            ..limits
        };
        let refused = session(&vault, impatient, &script).get(PAGE).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::HoldOff { .. }), "{refused}");
        session(&vault, limits, &script).get(PAGE).await.unwrap();
        assert_eq!(start.elapsed(), 30 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_run_at_once_among_all() {
        let (vault, script) = (vault().await, ScriptedTransport::new());
        script.on_each("GET http://a.test/", ScriptedReply::ok("page"));
        let first = session(&vault, at_once(1), &script);
        let second = session(&vault, at_once(1), &script);
        let unread = first.get(PAGE).await.unwrap();
        // A reply that is read slowly is no end.
        let early = timeout(30 * SECOND, second.get(PAGE)).await;
        assert!(early.is_err());
        unread.bytes().await.unwrap();
        let whole = timeout(SECOND, second.get(PAGE)).await.unwrap().unwrap();
        // One that is dropped is one.
        drop(whole);
        timeout(SECOND, first.get(PAGE)).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_takes_no_place_for_ever() {
        let (vault, script) = (vault().await, ScriptedTransport::new());
        script.on_each("GET http://a.test/", ScriptedReply::ok("page"));
        let gone = session(&vault, at_once(1), &script);
        let reply = gone.get(PAGE).await.unwrap();
        let other = session(&vault, at_once(1), &script);
        let start = Instant::now();
        let waiting = other.get(PAGE);
        timeout(2 * crate::session::TERM, waiting)
            .await
            .unwrap()
            .unwrap();
        assert!(start.elapsed() >= crate::session::TERM);
        drop(reply);
    }

    #[tokio::test]
    async fn limits_that_cannot_be_had_are_told() {
        let (vault, script) = (vault().await, ScriptedTransport::new());
        let session = session(&vault, Limits::default(), &script);
        vault.close().await.unwrap();
        let error = session.get(PAGE).await.unwrap_err();
        let text = "the limits for a.test can't be had, so nothing is sent";
        assert_eq!(error.to_string(), text);
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.downcast_ref::<StoreError>().is_some(), "{cause}");
    }

    #[test]
    fn a_note_holds_what_is_going_on() {
        let mut note = Note::default();
        let reserve = |seconds: u64| -> Entry {
            Box::new(move |standing, now| standing.even = Some(now + Duration::from_secs(seconds)))
        };
        let look: fn() -> Entry = || Box::new(|_, _| {});
        assert!(note.enter("a.test".into(), reserve(5), 100 * SECOND));
        assert!(!note.enter("a.test".into(), look(), 101 * SECOND));
        let mut note = Note::read(&note.write());
        assert!(note.enter("b.test".into(), reserve(5), 103 * SECOND));
        assert_eq!(note.0.len(), 2);
        assert!(note.enter("b.test".into(), reserve(5), 106 * SECOND));
        assert_eq!(note.0.keys().collect::<Vec<_>>(), ["b.test"]);
        assert!(Note::read(b"something else").0.is_empty());
    }
}
