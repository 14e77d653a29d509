//! The spans of what a pool does.

use tracing::{Instrument as _, Span};

use super::Shared;
use super::actions::Done;
use super::state::{Action, Fault, Task};
use super::trouble::Trouble;
use crate::spans;

impl Shared {
    /// Carries an action out, inside its span.
    pub(super) async fn carry_out_traced(&self, action: Action) -> Result<Done, Trouble> {
        let span = self.span(action);
        let done = self.carry_out(action).instrument(span.clone()).await;
        if let Err(trouble) = &done {
            spans::failed(&span, word(trouble.fault));
        }
        done
    }

    fn span(&self, action: Action) -> Span {
        let live = self.live();
        let serving = live
            .state
            .seat_view(action.seat)
            .and_then(|seat| seat.member);
        let task = match action.task {
            Task::Make if serving.is_some() => "rotate",
            Task::Make => "make",
            Task::Refresh => "refresh",
            Task::Release => "release",
            Task::Renew => "renew",
            Task::Retire => "retire",
            Task::Validate => "validate",
        };
        let seat = live.seats.get(&action.seat).map(|seat| &seat.name);
        spans::of_pool(task, &self.name, seat)
    }
}

const fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::Expired => "expired",
        Fault::Failed => "failed",
        Fault::Later { .. } => "later",
        Fault::NeedsPerson => "person-needed",
        Fault::Refused => "refused",
    }
}
