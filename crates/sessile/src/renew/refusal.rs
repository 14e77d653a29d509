//! What a refused login means for the next one: it is kept with the session, for all processes.

use std::time::Duration;

use super::{Again, Inner, KeepError, NoRenewal};
use crate::login::LoginError;
use crate::login::oauth2::OAuthError;
use crate::record::KeptRefusal;
use crate::session::Sign;

/// How long a login is left alone when the site asks to wait and doesn't say how long.
const COOL_DOWN: u64 = 300;

/// How long a login is left alone where the site itself is in trouble.
const TROUBLE: Duration = Duration::from_secs(15);

/// How long at first logins are left alone that something else ends.
const CONTESTED: Duration = Duration::from_secs(15);

/// The longest time, in seconds, for which a site is believed that it wants no login.
const LONGEST_COOL_DOWN: u64 = 24 * 3600;

impl Inner {
    /// A refused password isn't tried again: the account could be locked.
    pub(super) fn may_try(&self, sign: &Sign) -> Result<(), KeepError> {
        let Some(refusal) = self.held().last.refusal.clone() else {
            return Ok(());
        };
        let now = self.session.now();
        let again = match refusal.again {
            Some(again) if again <= now => return Ok(()),
            Some(again) => {
                let millis = again.as_millis() - now.as_millis();
                Again::After(Duration::from_millis(millis.unsigned_abs()))
            }
            None => Again::ByHand,
        };
        Err(self.logged_out(
            sign,
            NoRenewal::Refused {
                message: refusal.message,
                again,
            },
        ))
    }

    /// A page that asks for a login right after one that nothing could prove would be asked for again
    /// and again.
    pub(super) async fn remember_fruitless_login(&self) -> Result<(), KeepError> {
        let now = self.session.now();
        let again = Some(now.plus(Duration::from_secs(COOL_DOWN)));
        let message = "a page went on asking for a login after a new one".to_owned();
        self.store_refusal(KeptRefusal {
            at: now,
            message,
            again,
        })
        .await
    }

    /// Each login worked, and something else ended it: another user of the account, whose logins ours
    /// end in turn, until the site locks it.
    pub(super) async fn remember_contest(&self) -> Result<(), KeepError> {
        let contests = {
            let mut held = self.held();
            held.contests = held.contests.saturating_add(1);
            held.contests
        };
        let now = self.session.now();
        self.store_refusal(KeptRefusal {
            at: now,
            message: "something else ended each new login".to_owned(),
            again: Some(now.plus(after_contests(contests))),
        })
        .await
    }

    /// A login holds.
    pub(super) fn forget_contests(&self) {
        self.held().contests = 0;
    }

    /// What the site refused is stored, so that the next process doesn't ask again.
    pub(super) async fn remember_refusal(&self, error: &KeepError) -> Result<(), KeepError> {
        let now = self.session.now();
        let KeepError::Login(error) = error else {
            return Ok(());
        };
        let again = match error {
            // The way to the site is in trouble, which says nothing of the login.
            LoginError::Request(_) => return Ok(()),
            LoginError::Failing { .. } => Some(now.plus(TROUBLE)),
            LoginError::RateLimited { wait, .. } => {
                let wait = wait.unwrap_or(COOL_DOWN).min(LONGEST_COOL_DOWN);
                Some(now.plus(Duration::from_secs(wait)))
            }
            LoginError::OAuth(OAuthError::RateLimited { wait, .. }) => {
                let wait = wait.unwrap_or(COOL_DOWN).min(LONGEST_COOL_DOWN);
                Some(now.plus(Duration::from_secs(wait)))
            }
            LoginError::OAuth(error) if error.is_passing() => return Ok(()),
            LoginError::OAuth(OAuthError::Refused { .. })
            | LoginError::Refused { .. }
            | LoginError::Unproven { .. } => None,
            other if other.needs_person() => None,
            _ => Some(now.plus(Duration::from_secs(COOL_DOWN))),
        };
        self.store_refusal(KeptRefusal {
            at: now,
            message: error.to_string(),
            again,
        })
        .await
    }

    async fn store_refusal(&self, refusal: KeptRefusal) -> Result<(), KeepError> {
        self.held().last.refusal = Some(refusal.clone());
        let stored = super::edit(&self.vault, &self.name, move |record| {
            record.last.refusal = Some(refusal);
        });
        match stored.await {
            // Somebody removed the session meanwhile: there is nothing to remember it by.
            Ok(()) | Err(KeepError::Unknown { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// How long logins are left alone after so many requests in a row whose logins were all ended.
fn after_contests(count: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(count.saturating_sub(1));
    CONTESTED
        .saturating_mul(doubled)
        .min(Duration::from_secs(COOL_DOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_contests_grows_to_five_minutes() {
        let pauses = [1, 2, 3, 5, 6, 7, u32::MAX].map(|count| after_contests(count).as_secs());
        assert_eq!(pauses, [15, 30, 60, 240, 300, 300, 300]);
    }
}
