//! How a kept session is opened.

use std::fmt;
use std::time::Duration;

use super::notify::Notify;
use crate::login::{How, Person};
use crate::session::{SessionBuilder, SessionState};

/// What a kept session may do by itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mode {
    /// Neither renew nor write.
    ReadOnly,
    /// Renew the login and save what changes.
    #[default]
    Renew,
}

/// How a kept session is opened.
#[non_exhaustive]
pub struct KeptOptions {
    /// What it may do by itself. Defaults to [`Mode::Renew`].
    pub mode: Mode,
    /// Who helps where a login can't be renewed with what is kept. Defaults to nobody.
    pub person: Person,
    /// How long a login that asks for a code waits for one that
    /// [`hand_over_code`](super::hand_over_code) brings, where no secret and no person has it. Defaults
    /// to not at all.
    pub code_wait: Option<Duration>,
    /// Who hears, once for each trouble, that a person is needed. Defaults to nobody.
    pub notify: Option<Notify>,
    /// How long new cookies may wait to be stored, together with those that come meanwhile: what a
    /// killed process can lose. [`Kept::save`](super::Kept::save) and
    /// [`Kept::close`](super::Kept::close) store them at once, and so does the end of the last handle.
    /// Defaults to one second.
    pub save_every: Duration,
    /// The session's habits: time-outs, trust, transport. Limits for hosts, where it has some, are
    /// shared with everybody who uses the store; those of a site file are kept as well, the stricter
    /// of each. Defaults to the builder's defaults.
    pub builder: SessionBuilder,
}

impl Default for KeptOptions {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            person: Person::default(),
            code_wait: None,
            notify: None,
            save_every: Duration::from_secs(1),
            builder: SessionBuilder::default(),
        }
    }
}

impl KeptOptions {
    /// With the limits of the site file that the login goes by, where it has some.
    pub(super) fn towards(mut self, how: Option<&How>) -> Self {
        let site = how.and_then(How::site);
        if let Some(manners) = site.and_then(|site| site.limits.manners()) {
            self.builder = self.builder.and_manners(manners);
        }
        self
    }
}

impl fmt::Debug for KeptOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptOptions")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Who a session is to a site before it logs in.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to an identity")]
pub struct Identity {
    /// Its profile, its proxy, and the cookies that it starts with.
    pub state: SessionState,
    /// The step of time of the last one-time code that its account was asked for.
    pub last_code: Option<u64>,
}
