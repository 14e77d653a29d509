//! Whether a session may log in again by itself.
//!
//! A pool makes the next session of a place while this one serves. A login of this one meanwhile
//! could end the other's, on sites that allow one session per user; so it waits, and later is refused.

use tokio::sync::watch;

use super::{Inner, KeepError, Kept, NoRenewal};
use crate::session::Sign;

/// Whether a session may log in again by itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Logins {
    /// Never: another session has taken its place.
    Closed,
    /// Not now; whoever finds the login gone waits.
    Held,
    /// Whenever it has to.
    #[default]
    Open,
}

/// Where it is said.
#[derive(Debug)]
pub(super) struct Gate(watch::Sender<Logins>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(Logins::Open))
    }
}

impl Kept {
    /// Says whether it may log in again by itself.
    pub fn set_logins(&self, logins: Logins) {
        self.0.gate.0.send_replace(logins);
    }

    /// Waits for a login that is under way.
    pub async fn login_done(&self) {
        drop(self.0.renewing.lock().await);
    }

    /// Whether it may log in again by itself.
    pub fn logins(&self) -> Logins {
        *self.0.gate.0.borrow()
    }
}

impl Inner {
    /// Whether a login would have to wait.
    pub(super) fn is_held(&self) -> bool {
        *self.gate.0.borrow() == Logins::Held
    }

    /// Whether there will be none any more.
    pub(super) fn is_replaced(&self) -> bool {
        *self.gate.0.borrow() == Logins::Closed
    }

    /// Waits until it is known whether it may log in.
    pub(super) async fn pass_gate(&self, sign: &Sign) -> Result<(), KeepError> {
        let mut gate = self.gate.0.subscribe();
        let known = gate.wait_for(|logins| *logins != Logins::Held).await;
        // The sender lives as long as the session.
        match known.map_or(Logins::Open, |logins| *logins) {
            Logins::Closed => Err(self.logged_out(sign, NoRenewal::Replaced)),
            Logins::Held | Logins::Open => Ok(()),
        }
    }
}
