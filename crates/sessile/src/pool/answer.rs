//! What became of an action: told to the state, written down and passed on.

use sessile_jar::Timestamp;

use super::actions::Done;
use super::make::Made;
use super::served::Member;
use super::state::{Action, Fault, MemberId, SeatId, Task};
use super::trouble::Trouble;
use super::{PoolEventKind, Shared};
use crate::store::Name;

impl Shared {
    /// Tells the state what became of an action, and does what follows from that.
    pub(super) async fn answer(&self, action: Action, done: Result<Done, Trouble>) {
        let is_done = done.is_ok();
        self.conclude(action, done);
        if action.task == Task::Make {
            self.remove_adrift(action.seat).await;
        }
        self.after_release(action, is_done).await;
        // What is left is written when the pool ends, or with the next look.
        if !self.stop.is_cancelled()
            && let Err(error) = self.tidy(action.seat).await
        {
            tracing::debug!(?error, "a seat's row is written later");
        }
    }

    fn conclude(&self, action: Action, done: Result<Done, Trouble>) {
        let now = self.now();
        let mut live = self.live();
        let (result, made, trouble) = match live.still_wanted(action.seat, done, now) {
            Ok(Done::Made(made)) => (Ok(()), Some(made), None),
            Ok(Done::Nothing) => (Ok(()), None, None),
            Err(trouble) => (Err(trouble.fault), None, Some(trouble)),
        };
        let Some(seat) = live.seats.get(&action.seat).map(|seat| seat.name.clone()) else {
            // Nobody wants to know.
            let _gone = live.state.done(action.id, result, now);
            return self.settle(live, now);
        };
        let replaced = match (made, action.member) {
            (Some(made), Some(member)) => live.enthrone(action.seat, member, *made, now),
            _ => None,
        };
        let name = action.member.and_then(|member| live.members.get(&member));
        let name = name.map(|member| member.kept.name().clone());
        let _answered_once = live.state.done(action.id, result, now);
        live.after(action, result.is_ok(), trouble.as_ref(), now);
        self.settle(live, now);
        if !self.stop.is_cancelled() {
            self.report(action, (seat, name), replaced, trouble);
        }
    }

    /// Tells those who listen.
    fn report(
        &self,
        action: Action,
        (seat, session): (Name, Option<Name>),
        replaces: Option<Name>,
        trouble: Option<Trouble>,
    ) {
        let kind = match (action.task, trouble, session) {
            (Task::Make, Some(trouble), _) if !trouble.is_tried => {
                return self.tell_of_wait(action.seat, seat, trouble.why);
            }
            (Task::Make, Some(trouble), _) => {
                tracing::warn!(%seat, why = %trouble.why, "a session was not made");
                let why = trouble.why;
                PoolEventKind::LoginFailed { seat, why }
            }
            (Task::Make, None, Some(session)) => PoolEventKind::Made { session, replaces },
            (Task::Refresh, None, Some(session)) => PoolEventKind::Refreshed { session },
            (Task::Renew, None, Some(session)) => PoolEventKind::Renewed { session },
            (Task::Retire, None, Some(session)) => PoolEventKind::Retired { session },
            (Task::Validate, None, Some(session)) => PoolEventKind::Validated { session },
            (_, Some(trouble), Some(session)) => {
                let why = trouble.why;
                PoolEventKind::CheckFailed { session, why }
            }
            _ => return,
        };
        self.tell(kind);
    }

    /// Once, until it waits for something else.
    fn tell_of_wait(&self, id: SeatId, seat: Name, why: String) {
        if let Some(seat) = self.live().seats.get_mut(&id)
            && seat.waits.replace(why.clone()).as_ref() == Some(&why)
        {
            return;
        }
        tracing::warn!(%seat, %why, "the seat waits");
        self.tell(PoolEventKind::SeatWaits { seat, why });
    }
}

impl super::Live {
    /// A member for a seat that was lost meanwhile, or is to have another proxy, is nobody's.
    fn still_wanted(
        &self,
        seat: SeatId,
        done: Result<Done, Trouble>,
        now: Timestamp,
    ) -> Result<Done, Trouble> {
        let Ok(Done::Made(made)) = done else {
            return done;
        };
        let why = match self.seats.get(&seat) {
            Some(seat) if seat.row.target_proxy == made.target_proxy => {
                return Ok(Done::Made(made));
            }
            Some(_) => Trouble::new(
                Fault::Later { until: Some(now) },
                "the target has another proxy by now",
            )
            .untried(),
            None => Trouble::gone(),
        };
        made.dismiss();
        Err(why)
    }

    /// Puts a member that was made into its seat; answers whom it replaces.
    fn enthrone(
        &mut self,
        seat: SeatId,
        member: MemberId,
        made: Made,
        now: Timestamp,
    ) -> Option<Name> {
        let serving = self.state.seat_view(seat).and_then(|view| view.member);
        let serving = serving.and_then(|member| self.members.get(&member));
        let replaced = serving.map(|member| member.kept.name().clone());
        let kept = made.take_over();
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.row.making = None;
            seat.waits = None;
            self.members.insert(member, Member::of(seat, kept));
        }
        self.counts.made += 1;
        self.counts.last_made = Some(now);
        self.last_trouble = None;
        replaced
    }

    /// What the pool notes of an answered action beside what the state does.
    fn after(&mut self, action: Action, is_done: bool, trouble: Option<&Trouble>, now: Timestamp) {
        match (action.task, is_done) {
            (Task::Make, false) => {
                self.counts.failed += u64::from(trouble.is_some_and(|trouble| trouble.is_tried));
                self.last_trouble = trouble.map(|trouble| trouble.why.clone());
                if let Some(seat) = self.seats.get_mut(&action.seat) {
                    seat.row.give_up();
                }
            }
            (Task::Refresh, true) => self.counts.last_refresh = Some(now),
            (Task::Retire | Task::Release, true) => {
                let member = action
                    .member
                    .and_then(|member| self.members.remove(&member));
                if member.is_some() && action.task == Task::Retire {
                    self.counts.retired += 1;
                }
            }
            _ => {}
        }
    }
}
