//! Where a recording's bytes come from: the session, the media's address as it is now, and another
//! one when that has stopped working (`way_in`). What a reply is worth is in `judge`.

mod judge;
mod way_in;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{IF_RANGE, RANGE};
use sessile::renew::KeepError;
use sessile::{Reply, Request, ShownUrl};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use url::Url;

pub(crate) use judge::content_range;

use judge::{in_its_place, judge};

use super::error::RecordError;
use super::event::Event;
use super::options::RecordOptions;
use crate::address;
use crate::media::{Media, Seen};
use crate::playlist::ByteRange;
use crate::through::Through;

/// The longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often new cookies are stored.
const SAVE_EVERY: Duration = Duration::from_secs(20);

/// What all parts of one recording share.
pub(crate) struct Source<'a> {
    pub(crate) session: Through,
    pub(crate) options: &'a RecordOptions,
    listener: &'a (dyn Fn(Event) + Send + Sync),
    now: Mutex<Now>,
    opening: AsyncMutex<()>,
    /// Ways in since anything new came.
    tried: AtomicU32,
    /// The newest login that was told of.
    generation: AtomicU64,
    /// Whether the login is gone for single requests though it holds for the check.
    insists: AtomicBool,
    is_live: AtomicBool,
    /// When what is new in the session was stored last.
    saved: Mutex<Instant>,
}

struct Now {
    media: Media,
    /// Counts the ways in.
    epoch: u64,
}

/// Why bytes didn't come.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The login or the address has stopped working.
    Closed(u64, RecordError),
    /// It will never come.
    Gone(RecordError),
    /// It may come when it is asked for again.
    Passing(RecordError, Option<Duration>),
    /// Nothing will come any more.
    Stop(RecordError),
}

impl Fault {
    pub(crate) fn into_error(self) -> RecordError {
        match self {
            Self::Closed(_, error)
            | Self::Gone(error)
            | Self::Passing(error, _)
            | Self::Stop(error) => error,
        }
    }
}

impl<'a> Source<'a> {
    pub(crate) fn new(
        media: Media,
        options: &'a RecordOptions,
        listener: &'a (dyn Fn(Event) + Send + Sync),
    ) -> Self {
        let session = media.session.clone();
        Self {
            generation: AtomicU64::new(session.session().read(|state| state.generation())),
            session,
            options,
            listener,
            now: Mutex::new(Now { media, epoch: 0 }),
            opening: AsyncMutex::new(()),
            tried: AtomicU32::new(0),
            insists: AtomicBool::new(false),
            is_live: AtomicBool::new(false),
            saved: Mutex::new(Instant::now()),
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.listener)(event);
    }

    pub(crate) fn warn(&self, words: impl Into<String>) {
        self.tell(Event::Warning(words.into()));
    }

    pub(crate) fn warn_of_aside(&self, aside: &Path) {
        let aside = aside.display();
        self.warn(format!(
            "what was there was recorded of something else: it is in `{aside}` now"
        ));
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The media's address as it is now, and which way in it belongs to.
    pub(crate) fn address(&self) -> (Url, u64) {
        let now = self.now();
        (now.media.resolved_url.clone(), now.epoch)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.now().epoch
    }

    /// The playlist at the media's address, where the resolver has just seen it; once.
    pub(crate) fn take_seen(&self) -> Option<Arc<Seen>> {
        self.now().media.seen.take()
    }

    /// Something new has come: what was tried before counts no more.
    pub(crate) fn has_come(&self) {
        self.tried.store(0, Ordering::Relaxed);
        self.insists.store(false, Ordering::Relaxed);
    }

    /// Sends a request for media; its answer is one that can be read.
    pub(crate) async fn fetch(&self, wanted: &Wanted<'_>) -> Result<Reply, Fault> {
        let (request, epoch) = self.request(wanted)?;
        // Many requests notice at once that a login is gone. One of them sees to it, in `open_again`,
        // where the check decides; only where that finds nothing wrong each renews for itself.
        let sent = match self.insists.load(Ordering::Relaxed) {
            true => self.session.send(request).await,
            false => self.session.send_once(request).await,
        };
        self.save_now_and_then().await;
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => return Err(fault_of(error, epoch)),
        };
        if let Some(generation) = sent.renewed
            && self.generation.fetch_max(generation, Ordering::Relaxed) < generation
        {
            self.tell(Event::Renewed);
        }
        // A page in place of media: the one that asks for the login.
        match judge(sent.reply, wanted, epoch)? {
            page if page.is_html() && !wanted.is_text => {
                Err(Fault::Closed(epoch, in_its_place(page).await))
            }
            reply => Ok(reply),
        }
    }

    /// Stores new cookies, so that other processes have them and a kill loses few.
    async fn save_now_and_then(&self) {
        {
            let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
            if saved.elapsed() < SAVE_EVERY {
                return;
            }
            *saved = Instant::now();
        }
        self.save().await;
    }

    /// Stores what is new in the session. What can't be stored is no reason to lose a recording.
    pub(crate) async fn save(&self) {
        if let Err(error) = self.session.save().await {
            self.warn(format!("the session couldn't be stored: {error}"));
        }
    }

    fn request(&self, wanted: &Wanted<'_>) -> Result<(Request, u64), Fault> {
        let now = self.now();
        let home = &now.media.resolved_url;
        let url = wanted.url;
        if let Some(why) = address::refuse(url, home) {
            return Err(not_fetched(home, url, why));
        }
        let mut request = Request::get(url.as_str())
            .redirect_rule(address::refuse_redirect)
            .header("accept", "*/*");
        for (name, value) in &now.media.headers {
            match name.eq_ignore_ascii_case("referer") {
                true => {
                    let referer = value.parse().ok();
                    let referer = referer.map(|page| address::referer(&page, url));
                    request = request.header(name, referer.as_deref().unwrap_or(value));
                }
                // What the site's rules add may be a credential: it is for the media's own origin.
                false if url.origin() == home.origin() => request = request.header(name, value),
                false => {}
            }
        }
        if wanted.is_text {
            return Ok((request, now.epoch));
        }
        request = request.header("accept-encoding", "identity");
        if let Some(range) = wanted.range {
            let end = range.start + range.length - 1;
            request = request.header(RANGE.as_str(), &format!("bytes={}-{end}", range.start));
        }
        if let Some(validator) = wanted.unless_changed {
            request = request.header(IF_RANGE.as_str(), validator);
        }
        Ok((request, now.epoch))
    }

    /// Whether what fails in passing is tried again: so many times, or as long as a live stream may
    /// bring nothing.
    pub(crate) fn may_try(&self, tried: u32, began: Instant) -> bool {
        let (is_live, patience) = (self.is_live(), self.options.live_patience);
        tried < self.options.retries || (is_live && began.elapsed() < patience)
    }

    /// The pause before the next try; `None` where one was asked for by whose end a live stream that
    /// brings nothing would have been given up.
    pub(crate) fn pause(&self, tried: u32, asked: Option<Duration>) -> Option<Duration> {
        let is_over = self.is_live() && asked > Some(self.options.live_patience);
        (!is_over).then(|| pause(self.options, tried, asked))
    }

    fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// Whether it has no end that is known.
    pub(crate) fn set_live(&self, is_live: bool) {
        self.is_live.store(is_live, Ordering::Relaxed);
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a Url,
    pub(crate) range: Option<ByteRange>,
    /// What the whole file must still be, for a part of it.
    pub(crate) unless_changed: Option<&'a str>,
    /// Whether it is a playlist, which may come compressed.
    pub(crate) is_text: bool,
    /// Whether the whole file in place of the part is an answer.
    pub(crate) may_be_whole: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn text(url: &'a Url) -> Self {
        Self {
            url,
            range: None,
            unless_changed: None,
            is_text: true,
            may_be_whole: true,
        }
    }

    pub(crate) fn bytes(url: &'a Url, range: Option<ByteRange>) -> Self {
        Self {
            is_text: false,
            range,
            ..Self::text(url)
        }
    }
}

fn not_fetched(home: &Url, url: &Url, why: &str) -> Fault {
    Fault::Stop(RecordError::Playlist {
        url: ShownUrl(home).to_string(),
        what: format!("{} isn't fetched: {why}", ShownUrl(url)),
    })
}

fn fault_of(error: KeepError, epoch: u64) -> Fault {
    let is_passing = match &error {
        KeepError::Request(request) => request.is_retry_sensible(),
        KeepError::Store(_) => true,
        KeepError::LoggedOut { .. } => return Fault::Closed(epoch, error.into()),
        _ => false,
    };
    match is_passing {
        true => Fault::Passing(error.into(), None),
        false => Fault::Stop(error.into()),
    }
}

/// Reads a reply to its end where that is near, so that its connection can be used again.
pub(crate) async fn read_out(reply: &mut Reply) {
    const NEAR: Duration = Duration::from_millis(100);
    let _rest = tokio::time::timeout(NEAR, reply.chunk()).await;
}

/// The pause before the next try, doubled each time.
pub(crate) fn pause(options: &RecordOptions, tried: u32, asked: Option<Duration>) -> Duration {
    let first = options.retry_pause;
    let grown = first.saturating_mul(1 << tried.min(5));
    let longest = first.saturating_mul(30);
    grown
        .min(longest)
        .max(asked.unwrap_or_default().min(LONGEST))
}
