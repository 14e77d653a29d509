//! Where the code of a second factor comes from: a secret that is kept, a person who is there, or
//! somebody elsewhere.
//!
//! Which code of a secret is sent when is `code`'s to say; what is done with it, `flow`'s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::Login;
use super::code::Codes;
use super::flow::FormLogin;
use super::otp::OtpSecret;
use crate::secret::Secret;
use crate::session::Session;

/// A code that a site asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodeWanted {
    /// The page that asks, without secrets.
    pub url: String,
    /// Who logs in.
    pub user: String,
    /// The site's own words.
    pub message: String,
    /// How many codes it has refused in this login.
    pub refused: usize,
    /// How many digits it takes, where the form says so.
    pub digits: Option<usize>,
}

/// Asks a person for the code; `None` where there is none to be had. It may wait: it is called on
/// a thread of its own.
pub type AskCode = Arc<dyn Fn(&CodeWanted) -> Option<Secret<String>> + Send + Sync>;

/// Waits for a code that is handed over by somebody who isn't here.
pub(crate) type AwaitCode =
    Arc<dyn Fn(CodeWanted) -> BoxFuture<'static, Option<Secret<String>>> + Send + Sync>;

/// Hears of each step of time whose code is about to be sent, so that nobody sends it again.
pub(crate) type NoteStep = Arc<dyn Fn(u64) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is known of the second factor beside the login itself.
#[derive(Clone, Default)]
pub(crate) struct Factor {
    /// The step of time of the last code that was sent.
    pub(crate) last_step: Option<u64>,
    pub(crate) elsewhere: Option<AwaitCode>,
    pub(crate) note: Option<NoteStep>,
}

impl fmt::Debug for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factor")
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}

/// Gets the codes of one login.
pub(super) struct CodeSource<'a> {
    codes: Codes,
    factor: &'a Factor,
    login: &'a Login,
}

impl<'a> CodeSource<'a> {
    pub(super) fn new(login: &'a Login, factor: &'a Factor) -> Self {
        Self {
            codes: Codes::after(factor.last_step),
            factor,
            login,
        }
    }

    /// The next code; `None` where nobody has one.
    ///
    /// `ahead` is by how many milliseconds the site's clock is ahead of ours, where it has told.
    pub(super) async fn next(
        &mut self,
        member: &Session,
        wanted: CodeWanted,
        ahead: Option<i64>,
        flow: &mut FormLogin,
    ) -> Option<Secret<String>> {
        if let Some(secret) = &self.login.otp {
            return self.made(secret, member, ahead, flow).await;
        }
        if let Some(ask) = &self.login.code {
            flow.say("asks for the code of the second factor".to_owned());
            let ask = AskCode::clone(ask);
            // Others may go on meanwhile: the code is typed on a thread of its own.
            return tokio::task::spawn_blocking(move || ask(&wanted))
                .await
                .ok()?;
        }
        let elsewhere = self.factor.elsewhere.as_ref()?;
        flow.say("waits for the code of the second factor".to_owned());
        elsewhere(wanted).await
    }

    /// The step of time of the last code that was sent.
    pub(super) fn last_step(&self) -> Option<u64> {
        self.codes.last()
    }

    async fn made(
        &mut self,
        secret: &OtpSecret,
        member: &Session,
        ahead: Option<i64>,
        flow: &mut FormLogin,
    ) -> Option<Secret<String>> {
        let now = member.now();
        let there = ahead.map(|ahead| {
            sessile_jar::Timestamp::from_millis(now.as_millis().saturating_add(ahead))
        });
        let turn = self.codes.turn(secret, now, there)?;
        if turn.wait > Duration::ZERO {
            let seconds = turn.wait.as_secs() + 1;
            flow.say(format!(
                "waits {seconds} s for the next code: the one of now was used"
            ));
            sleep(turn.wait).await;
        }
        self.codes.sent(turn.step);
        if let Some(note) = &self.factor.note {
            note(turn.step).await;
        }
        Some(secret.code(turn.step))
    }
}
