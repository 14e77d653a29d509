//! What came of a target, as its line says it.

use super::line::{Fault, Line};
use super::through::{Attempted, Replied, Sender};
use crate::error::Error;
use crate::pool::PoolError;
use crate::renew::KeepError;

/// The line of a target; without an outcome where the program failed at it.
pub(super) fn line(target: &str, attempted: Option<Attempted>) -> Line<'_> {
    let Some(Attempted {
        result,
        elapsed,
        sender,
    }) = attempted
    else {
        let message = "the program failed at this target".to_owned();
        let kind = "panicked";
        return Line::without_reply(target, Fault { kind, message });
    };
    let mut line = match result {
        Ok(replied) => with_reply(target, replied),
        Err(error) => Line::without_reply(target, failure(&error)),
    };
    line.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match sender {
        Sender::Fallback(_) => line.fallback = true,
        Sender::Nameless => {}
        Sender::Session(name) => line.session = Some(name),
    }
    line
}

fn with_reply(target: &str, replied: Replied) -> Line<'_> {
    let refused = (replied.verdict != crate::session::Verdict::Valid).then(|| Fault {
        kind: replied.verdict.kind(),
        message: replied.verdict.to_string(),
    });
    let lost = replied.lost().map(of_request);
    Line {
        target,
        url: Some(replied.url),
        status: Some(replied.status),
        verdict: Some(replied.verdict.kind()),
        body: replied.body.ok().flatten(),
        error: refused.or(lost),
        ..Line::new(target)
    }
}

fn failure(error: &PoolError) -> Fault {
    let kind = match error {
        PoolError::Keep(KeepError::Request(error)) => return of_request(error),
        PoolError::Keep(KeepError::NotReplayable { .. }) => "notReplayable",
        PoolError::Keep(_) => "loggedOut",
        _ => "noSession",
    };
    Fault {
        kind,
        message: error.to_string(),
    }
}

fn of_request(error: &Error) -> Fault {
    Fault {
        kind: error.kind(),
        message: error.to_string(),
    }
}
