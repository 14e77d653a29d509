//! Where a recording's bytes come from: the session, the media's address as it is now, and another
//! one when that has stopped working.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_RANGE, IF_RANGE, RANGE};
use sessile::login::LoginError;
use sessile::renew::{Again, KeepError, NoRenewal};
use sessile::{Reply, Request, ShownUrl, Verdict};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use url::Url;

use super::error::RecordError;
use super::event::Event;
use super::options::RecordOptions;
use crate::address;
use crate::login_page;
use crate::media::{Media, Seen};
use crate::playlist::ByteRange;
use crate::resolve;
use crate::through::{Against, Login, Through};

/// How often in a row a recording looks for a way in again before anything new has come.
const WAYS_IN: u32 = 5;

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

    /// Finds a way in again: the login is checked and renewed, the page resolved again. Many may ask;
    /// one does it.
    pub(crate) async fn open_again(&self, epoch: u64, why: RecordError) -> Result<(), RecordError> {
        let _turn = self.opening.lock().await;
        if self.epoch() != epoch {
            return Ok(());
        }
        let tried = self.tried.fetch_add(1, Ordering::Relaxed);
        if tried >= WAYS_IN {
            return Err(why);
        }
        let pause = self.options.retry_pause.saturating_mul(tried);
        tokio::time::sleep(pause).await;
        let against = match why {
            RecordError::LoggedOut { .. } => Against::LoginPage,
            _ => Against::Refusal,
        };
        let is_renewed = self.renew(against).await?;
        self.insists.store(!is_renewed, Ordering::Relaxed);
        let media = self.now().media.clone();
        let has_page = media.page != media.resolved_url || media.rules.is_some();
        if !has_page && !is_renewed && tried > 0 {
            return Err(why);
        }
        if has_page {
            let found = self.resolve_again(&media).await?;
            if found.recorder != media.recorder {
                return Err(why);
            }
            self.tell(Event::ResolvedAgain);
            self.now().media = found;
        }
        self.now().epoch += 1;
        Ok(())
    }

    /// The page once more, as often as it takes: its hiccup is no reason to end a recording.
    async fn resolve_again(&self, media: &Media) -> Result<Media, RecordError> {
        let began = Instant::now();
        let mut tried = 0;
        loop {
            match resolve::again(media).await {
                Ok(found) => return Ok(found),
                Err(error) if error.is_passing() && self.may_try(tried, began) => {
                    tokio::time::sleep(pause(self.options, tried, None)).await;
                    tried += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether what fails in passing is tried again: so many times, or as long as a live stream may
    /// bring nothing.
    pub(crate) fn may_try(&self, tried: u32, began: Instant) -> bool {
        let is_live = self.is_live.load(Ordering::Relaxed);
        tried < self.options.retries || (is_live && began.elapsed() < self.options.live_patience)
    }

    /// Whether it has no end that is known.
    pub(crate) fn set_live(&self, is_live: bool) {
        self.is_live.store(is_live, Ordering::Relaxed);
    }

    /// Has a kept session look whether its login holds, as often as it takes while the site wants no
    /// logins; answers whether it was renewed.
    async fn renew(&self, against: Against) -> Result<bool, RecordError> {
        let began = Instant::now();
        let mut tried = 0;
        loop {
            let error = match self.session.see_to_login(against).await {
                Ok(Login::Holds | Login::Unknown) => return Ok(false),
                Ok(Login::Renewed) => {
                    self.tell_renewed();
                    return Ok(true);
                }
                Err(error) => error,
            };
            match obstacle(&error) {
                Obstacle::Closed => return Err(error.into()),
                Obstacle::Closes(wait) if self.may_try(tried, began) => {
                    tokio::time::sleep(pause(self.options, tried, wait)).await;
                    tried += 1;
                }
                Obstacle::Closes(_) => return Err(error.into()),
                // A check that can't be made says nothing of the login.
                Obstacle::Elsewhere => return Ok(false),
            }
        }
    }

    fn tell_renewed(&self) {
        let generation = self.session.session().read(|state| state.generation());
        if self.generation.fetch_max(generation, Ordering::Relaxed) < generation {
            self.tell(Event::Renewed);
        }
    }
}

/// What keeps from logging in again.
enum Obstacle {
    /// The login was refused, or only a person can.
    Closed,
    /// The site wants none for now, perhaps for so long.
    Closes(Option<Duration>),
    /// Something that says nothing of the login.
    Elsewhere,
}

fn obstacle(error: &KeepError) -> Obstacle {
    match error {
        KeepError::LoggedOut { why, .. } => match why {
            NoRenewal::Refused {
                again: Again::After(wait),
                ..
            } => Obstacle::Closes(Some(*wait)),
            NoRenewal::Busy(_) | NoRenewal::Interrupted => Obstacle::Closes(None),
            _ => Obstacle::Closed,
        },
        KeepError::Login(LoginError::Request(_)) => Obstacle::Elsewhere,
        KeepError::Login(LoginError::Failing { .. }) => Obstacle::Closes(None),
        KeepError::Login(LoginError::RateLimited { wait, .. }) => {
            Obstacle::Closes(wait.map(Duration::from_secs))
        }
        KeepError::Login(_) => Obstacle::Closed,
        _ => Obstacle::Elsewhere,
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

fn judge(reply: Reply, wanted: &Wanted<'_>, epoch: u64) -> Result<Reply, Fault> {
    let status = reply.status();
    let url = || ShownUrl(reply.url()).to_string();
    let refused = || RecordError::Refused {
        url: url(),
        status: status.as_u16(),
    };
    match reply.verdict() {
        Verdict::Expired(_) | Verdict::Blocked | Verdict::Challenged(_) => {
            return Err(Fault::Closed(epoch, refused()));
        }
        Verdict::RateLimited { wait } => return Err(Fault::Passing(refused(), *wait)),
        Verdict::Failing(_) => return Err(Fault::Passing(refused(), None)),
        _ => {}
    }
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            return Err(Fault::Passing(refused(), None));
        }
        StatusCode::RANGE_NOT_SATISFIABLE if wanted.range.is_some() => {
            return Err(Fault::Gone(refused()));
        }
        status if !status.is_success() => return Err(Fault::Gone(refused())),
        _ => {}
    }
    let is_part = status == StatusCode::PARTIAL_CONTENT;
    match wanted.range {
        Some(range) if is_part => {
            let got = content_range(&reply);
            // A file may be shorter than what is asked for, never begin elsewhere.
            let fits = got.is_some_and(|(start, _, _)| start == range.start);
            if !fits {
                let what = "another range came than was asked for".to_owned();
                return Err(Fault::Passing(
                    RecordError::Wrong { url: url(), what },
                    None,
                ));
            }
        }
        Some(_) if !wanted.may_be_whole => {
            let what = "the server doesn't give parts of it".to_owned();
            return Err(Fault::Gone(RecordError::Wrong { url: url(), what }));
        }
        None if is_part => {
            let what = "a part came where all was asked for".to_owned();
            return Err(Fault::Passing(
                RecordError::Wrong { url: url(), what },
                None,
            ));
        }
        _ => {}
    }
    Ok(reply)
}

/// What a page that came in place of media says.
async fn in_its_place(mut page: Reply) -> RecordError {
    const LOOK_AT: usize = 1 << 20;
    let mut bytes = Vec::new();
    while bytes.len() < LOOK_AT
        && let Ok(Some(piece)) = page.chunk().await
    {
        bytes.extend_from_slice(&piece);
    }
    let url = ShownUrl(page.url()).to_string();
    match login_page::is_one(&String::from_utf8_lossy(&bytes)) {
        true => RecordError::LoggedOut { url },
        false => {
            let what = "a page came in its place".to_owned();
            RecordError::Wrong { url, what }
        }
    }
}

/// First byte, last byte and the whole length, where it is known.
pub(crate) fn content_range(reply: &Reply) -> Option<(u64, u64, Option<u64>)> {
    let text = reply.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total: Option<u64> = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, end, total))
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
