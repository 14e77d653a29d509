//! Asking a site's `robots.txt` before its pages (RFC 9309, section 2.3).
//!
//! Fetched through the session itself, once for an origin however many ask, and kept for a day.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sessile_jar::Timestamp;
use tokio::sync::Mutex;
use url::Url;

use super::manners::Manners;
use super::request::{Redirects, Request};
use super::{Inner, Reply, run};
use crate::error::{Error, RedirectRefusal};
use crate::redact::ShownUrl;
use crate::robots::{Permission, Robots};

/// How much of a file is read, at least (section 2.5).
const READ: u64 = 512 * 1024;

/// How long a file is used (section 2.4).
const KEEP: Duration = Duration::from_secs(24 * 3600);

/// How long a site whose file can't be had is left alone.
const KEEP_UNREACHABLE: Duration = Duration::from_secs(600);

/// What is known of one origin; who holds the lock asks for the others.
pub(super) type Known = Arc<Mutex<Option<Answer>>>;

/// What an origin answered.
#[derive(Debug)]
pub(super) struct Answer {
    rules: Rules,
    until: Timestamp,
}

#[derive(Clone, Debug)]
enum Rules {
    Known(Arc<Robots>),
    /// The server failed, which means that nothing may be fetched (section 2.3.1.4).
    Unreachable,
}

/// Whether the page may be fetched.
///
/// # Errors
///
/// [`Error::Robots`] where it may not, and what can happen to the request for the file.
pub(super) async fn ask(session: &Inner, manners: &Manners, url: &Url) -> Result<(), Error> {
    let Some(program) = manners.program() else {
        return Ok(());
    };
    // Section 2.2.2: the file itself may always be fetched.
    if url.path() == "/robots.txt" {
        return Ok(());
    }
    let line = match rules(session, manners, url).await? {
        Rules::Known(robots) => {
            manners.set_crawl_delay(url, robots.crawl_delay(program));
            match robots.permission(program, url) {
                Permission::Allowed => return Ok(()),
                Permission::Refused { line } => Some(line),
            }
        }
        Rules::Unreachable => None,
    };
    Err(Error::Robots {
        url: ShownUrl(url).to_string(),
        line,
    })
}

async fn rules(session: &Inner, manners: &Manners, url: &Url) -> Result<Rules, Error> {
    let known = manners.known(&url.origin().ascii_serialization());
    let mut known = known.lock().await;
    if let Some(answer) = known
        .as_ref()
        .filter(|answer| session.clock.now() < answer.until)
    {
        return Ok(answer.rules.clone());
    }
    let (rules, keep) = fetch(session, url).await?;
    let until = session.clock.now().plus(keep);
    *known = Some(Answer {
        rules: rules.clone(),
        until,
    });
    Ok(rules)
}

async fn fetch(session: &Inner, url: &Url) -> Result<(Rules, Duration), Error> {
    let file = url
        .join("/robots.txt")
        .map_err(|error| Error::bad_request(format!("robots.txt of {}: {error}", ShownUrl(url))))?;
    let request = Request::get(file)
        .redirects(Redirects::Follow(5))
        .without_robots();
    let everything = || (Rules::Known(Arc::default()), KEEP);
    let mut reply = match run_boxed(session, request).await {
        // Section 2.3.1.2: after five redirects the file counts as missing.
        Err(Error::Redirect {
            why: RedirectRefusal::TooMany(_),
            ..
        }) => return Ok(everything()),
        answer => answer?,
    };
    if reply.status().is_server_error() {
        return Ok((Rules::Unreachable, KEEP_UNREACHABLE));
    }
    // Section 2.3.1.3: what isn't there forbids nothing.
    if !reply.status().is_success() {
        return Ok(everything());
    }
    let robots = Robots::parse(reply.peek(READ).await?);
    Ok((Rules::Known(Arc::new(robots)), KEEP))
}

/// The future of a request holds that of its robots.txt, so one of them has to be boxed.
fn run_boxed(session: &Inner, request: Request) -> BoxFuture<'_, Result<Reply, Error>> {
    run::run(session, request).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Session;
    use crate::clock::ManualClock;
    use crate::session::{Limits, Manners, RetryPolicy};
    use crate::transport::{ScriptedReply, ScriptedTransport};
    use tokio::time::Instant;

    const FILE: &str = "GET http://a.test/robots.txt";
    const RULES: &str = "User-agent: *\nDisallow: /private\nCrawl-delay: 5";

    struct World {
        script: Arc<ScriptedTransport>,
        clock: Arc<ManualClock>,
        session: Session,
    }

    impl World {
        fn new() -> Self {
            let script = ScriptedTransport::new();
            let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(0)));
            let session = Session::builder()
                .base_url("http://a.test/")
                .unwrap()
                .query("key", "k")
                .transport(Arc::<ScriptedTransport>::clone(&script))
                .clock(Arc::<ManualClock>::clone(&clock))
                .retry(RetryPolicy::never())
                .manners(Manners::new(Limits::default()).obeying_robots("bot"))
                .build()
                .unwrap();
            Self {
                script,
                clock,
                session,
            }
        }

        fn asked_for_file(&self) -> usize {
            let sent = self.script.sent();
            sent.iter()
                .filter(|sent| sent.url.path() == "/robots.txt")
                .count()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_is_asked_once_a_day_and_obeyed() {
        let world = World::new();
        world.script.on_each(FILE, ScriptedReply::ok(RULES));
        world
            .script
            .on_each("GET http://a.test/news*", ScriptedReply::ok(""));
        let start = Instant::now();
        let news = || world.session.get("/news");
        let (one, two) = tokio::join!(news(), news());
        one.unwrap();
        two.unwrap();
        assert_eq!(world.asked_for_file(), 1);
        // The file was the first request, and its pause counts from the second on.
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        let refused = world.session.get("/private/1").await.unwrap_err();
        let text = "robots.txt doesn't allow http://a.test/private/1?key=… (line 2)";
        assert_eq!(refused.to_string(), text);
        world.clock.advance(KEEP);
        news().await.unwrap();
        assert_eq!(world.asked_for_file(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_missing_forbids_nothing() {
        for status in [401, 404, 410] {
            let world = World::new();
            world.script.on(FILE, ScriptedReply::status(status));
            world
                .script
                .on("GET http://a.test/private*", ScriptedReply::ok(""));
            assert!(world.session.get("/private").await.is_ok(), "{status}");
        }
        let world = World::new();
        world.script.on(FILE, ScriptedReply::redirect(302, "/1"));
        for step in 1..=5 {
            let to = format!("/{}", step + 1);
            world.script.on(
                format!("GET http://a.test/{step}"),
                ScriptedReply::redirect(302, &to),
            );
        }
        world
            .script
            .on("GET http://a.test/private*", ScriptedReply::ok(""));
        assert!(world.session.get("/private").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_fails_forbids_everything_for_a_while() {
        let world = World::new();
        world.script.on(FILE, ScriptedReply::status(503));
        for _ in 0..2 {
            let error = world.session.get("/news").await.unwrap_err();
            assert!(matches!(error, Error::Robots { line: None, .. }), "{error}");
        }
        world.clock.advance(KEEP_UNREACHABLE);
        world.script.on(FILE, ScriptedReply::ok(""));
        world
            .script
            .on("GET http://a.test/news*", ScriptedReply::ok(""));
        world.session.get("/news").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_redirect_is_asked_about_as_well() {
        let world = World::new();
        world.script.on(FILE, ScriptedReply::ok(""));
        world.script.on(
            "GET http://a.test/go*",
            ScriptedReply::redirect(302, "http://b.test/x"),
        );
        world.script.on(
            "GET http://b.test/robots.txt",
            ScriptedReply::ok("User-agent: bot\nDisallow: /"),
        );
        let error = world.session.get("/go").await.unwrap_err();
        assert!(
            matches!(error, Error::Robots { line: Some(2), .. }),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_a_host_asks_for_holds_for_every_session() {
        let script = ScriptedTransport::new();
        let manners = Manners::new(Limits::default());
        let session = || {
            let transport = Arc::<ScriptedTransport>::clone(&script);
            let builder = Session::builder()
                .transport(transport)
                .manners(manners.clone());
            builder.retry(RetryPolicy::never()).build().unwrap()
        };
        let busy = ScriptedReply::status(429).header("retry-after", "30");
        script.on("GET http://a.test/", busy);
        script.on("GET http://a.test/", ScriptedReply::ok(""));
        script.on("GET http://b.test/", ScriptedReply::ok(""));
        let start = Instant::now();
        session().get("http://a.test/").await.unwrap();
        session().get("http://b.test/").await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        session().get("http://a.test/").await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }
}
