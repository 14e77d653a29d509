//! Logs members in again, where that is to be.

use super::make::is_accounts;
use super::state::{Fault, Phase, SeatId};
use super::trouble::Trouble;
use super::{Shared, accounts};
use crate::renew::{KeepError, Kept, Logins};

impl Shared {
    /// Logs a member in again; where that isn't to be, another member follows, with an account and a
    /// password that hold.
    pub(super) async fn renew_member(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        if !self.may_log_in_again(kept).await? {
            self.make_way(seat, kept);
            let why = "its account is stopped, gone or has another password by now";
            return Err(Trouble::new(Fault::Expired, why));
        }
        let Err(error) = kept.log_in_again().await else {
            return Ok(());
        };
        let trouble = self.trouble(kept, &error);
        let is_accounts = match &error {
            KeepError::Login(error) => is_accounts(error),
            _ => trouble.fault == Fault::Refused,
        };
        if is_accounts
            && let Some(user) = account_of(kept)
            && !self.stop_account(&user, error.to_string()).await
        {
            return Err(trouble);
        }
        if is_accounts || trouble.fault == Fault::Expired {
            self.make_way(seat, kept);
            let fault = Fault::Expired;
            return Err(Trouble { fault, ..trouble });
        }
        Err(trouble)
    }

    /// Whether the account and the password that a session has are those of the definition, and the
    /// account is used.
    async fn may_log_in_again(&self, kept: &Kept) -> Result<bool, Trouble> {
        let Some(user) = account_of(kept) else {
            return Ok(true);
        };
        let definition = self.definition();
        let Some(account) = definition.account(&user) else {
            return Ok(false);
        };
        let login = kept.record().login;
        let known = login.and_then(|login| login.credentials.password);
        let is_new = match (&account.password, &known) {
            (Some(wanted), Some(known)) => wanted.expose() != known.expose(),
            (wanted, known) => wanted.is_some() != known.is_some(),
        };
        let accounts = accounts::load(&self.vault, &self.name).await?;
        Ok(!is_new && !accounts.is_stopped(&user))
    }

    /// A member that is out of use and can't log in any more: what is sent through it goes through
    /// the next one.
    fn make_way(&self, seat: SeatId, kept: &Kept) {
        let live = self.live();
        let serving = live.state.seat_view(seat).and_then(|view| view.member);
        let phase = serving.and_then(|member| live.state.member(member));
        // Any other may serve on until another one follows.
        if phase.is_some_and(|member| member.phase == Phase::Warming) {
            kept.set_logins(Logins::Closed);
        }
    }
}

/// Whose account a session logs in with, where it has one.
fn account_of(kept: &Kept) -> Option<String> {
    let user = kept.record().login?.credentials.user;
    (!user.is_empty()).then_some(user)
}
