//! Where the code of a second factor comes from: a secret that is kept, a person who is there, or
//! somebody elsewhere.
//!
//! Which code of a secret is sent when is `code`'s to say; what is done with it, `flow`'s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sessile_jar::Timestamp;
use tokio::time::sleep;

use super::code::Codes;
use super::otp::OtpSecret;
use super::{CodeWanted, Credentials, Trail};
use crate::secret::Secret;
use crate::session::Session;

/// Waits for a code that is handed over by somebody who isn't here.
pub(crate) type AwaitCode =
    Arc<dyn Fn(CodeWanted) -> BoxFuture<'static, Option<Secret<String>>> + Send + Sync>;

/// Hears of each step of time whose code is about to be sent, so that nobody sends it again.
pub(crate) type NoteStep = Arc<dyn Fn(u64) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is known of the second factor beside the credentials.
#[derive(Clone, Default)]
pub(crate) struct Factor {
    /// The step of time of the last code that was sent.
    pub(crate) last_step: Option<u64>,
    /// Who is waited for where nobody is here.
    pub(crate) elsewhere: Option<AwaitCode>,
    /// Who hears of codes that are sent.
    pub(crate) note: Option<NoteStep>,
}

/// The codes of one login.
pub(crate) struct CodeSource<'a> {
    codes: Codes,
    factor: &'a Factor,
    secret: Option<&'a OtpSecret>,
}

impl<'a> CodeSource<'a> {
    pub(crate) fn new(credentials: &'a Credentials, factor: &'a Factor) -> Self {
        Self {
            codes: Codes::after(factor.last_step),
            factor,
            secret: credentials.otp.as_ref(),
        }
    }

    /// The next code; `None` where nobody has one.
    ///
    /// `ahead` is by how many milliseconds the site's clock is ahead of ours, where it has told.
    pub(crate) async fn next(
        &mut self,
        member: &Session,
        wanted: CodeWanted,
        ahead: Option<i64>,
        trail: &mut Trail,
    ) -> Option<Secret<String>> {
        if let Some(secret) = self.secret {
            return self.made(secret, member, ahead, trail).await;
        }
        if let Some(ask) = trail.person().code.clone() {
            trail.say(asks(&wanted));
            // Typing takes its time, and others go on meanwhile.
            let asked = tokio::task::spawn_blocking(move || ask(&wanted));
            return asked.await.ok().flatten();
        }
        let elsewhere = AwaitCode::clone(self.factor.elsewhere.as_ref()?);
        trail.say(format!("{}; waiting for one", asks(&wanted)));
        elsewhere(wanted).await
    }

    /// A code of the kept secret, at its time.
    async fn made(
        &mut self,
        secret: &OtpSecret,
        member: &Session,
        ahead: Option<i64>,
        trail: &mut Trail,
    ) -> Option<Secret<String>> {
        let now = member.now();
        let there = ahead.map(|ahead| now.as_millis().saturating_add(ahead));
        let there = there.map(Timestamp::from_millis);
        let turn = self.codes.turn(secret, now, there)?;
        if turn.wait > Duration::ZERO {
            let seconds = turn.wait.as_secs() + 1;
            trail.say(format!("waits {seconds} s: the code of now was used"));
            sleep(turn.wait).await;
        }
        self.codes.sent(turn.step);
        trail.last_step = self.codes.last();
        if let Some(note) = &self.factor.note {
            note(turn.step).await;
        }
        Some(secret.code(turn.step))
    }
}

fn asks(wanted: &CodeWanted) -> String {
    let page = &wanted.page;
    match wanted.refused {
        0 => format!("{page} asks for a code"),
        _ => format!("{page} asks for another code: {}", wanted.message),
    }
}

impl fmt::Debug for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factor")
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}
