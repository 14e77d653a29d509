//! Another way in, once a login or an address has stopped working.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile::login::LoginError;
use sessile::renew::{Again, KeepError, NoRenewal};
use tokio::time::Instant;

use super::{Source, pause};
use crate::media::Media;
use crate::record::{Event, RecordError};
use crate::resolve;
use crate::through::{Against, Login};

/// How often in a row a recording looks for a way in again before anything new has come.
const WAYS_IN: u32 = 5;

impl Source<'_> {
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
                Obstacle::Closes(wait)
                    if self.may_try(tried, began)
                        && let Some(pause) = self.pause(tried, wait) =>
                {
                    tokio::time::sleep(pause).await;
                    tried += 1;
                }
                Obstacle::Closes(_) => return Err(error.into()),
                // A check that can't be made says nothing of the login.
                Obstacle::Elsewhere => return Ok(false),
            }
        }
    }

    pub(super) fn tell_renewed(&self) {
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
