//! Each rule by itself; all of them together are in `simulation`.

mod health;
mod leases;
mod picks;
mod rotation;
mod seats;

use std::time::Duration;

use sessile_jar::Timestamp;

use super::{
    Action, Assign, Dead, End, Fault, Gone, Granted, LeaseEnded, MemberId, NoSeat, Outcome, Phase,
    Refusal, Restored, Rules, SeatId, State, Target, Task, Ticket, Which, Wish,
};

/// A pool and its clock.
struct Pool {
    state: State,
    now: Timestamp,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

impl Pool {
    /// So many seats, all of whose members are ready.
    fn of(seats: usize, rules: Rules) -> Self {
        let mut pool = Self::empty(rules);
        for _ in 0..seats {
            pool.state.seat(None, pool.now).unwrap();
        }
        pool.work();
        pool
    }

    fn empty(rules: Rules) -> Self {
        Self {
            state: State::new(rules, 7),
            now: Timestamp::from_seconds(1_795_262_400),
        }
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.plus(span);
    }

    /// Does what is due, and all of it works.
    fn work(&mut self) -> Vec<Task> {
        let mut done = Vec::new();
        while let Some(action) = self.state.due(self.now) {
            self.state.done(action.id, Ok(()), self.now).unwrap();
            self.state.check_invariants();
            done.push(action.task);
        }
        done
    }

    #[track_caller]
    fn due(&mut self, task: Task) -> Action {
        let action = self.state.due(self.now).expect("something is due");
        assert_eq!(action.task, task);
        action
    }

    #[track_caller]
    fn answer(&mut self, action: Action, result: Result<(), Fault>) {
        self.state.done(action.id, result, self.now).unwrap();
        self.state.check_invariants();
    }

    #[track_caller]
    fn lease(&mut self, wish: &Wish) -> Granted {
        self.state.lease(wish, self.now).unwrap()
    }

    fn refused(&mut self, wish: &Wish) -> Refusal {
        self.state.lease(wish, self.now).unwrap_err()
    }

    fn finish(&mut self, granted: Granted, outcome: Outcome) {
        self.state.finish(granted.lease, outcome, self.now).unwrap();
        self.state.check_invariants();
    }

    fn queue(&mut self, wish: Wish) -> Ticket {
        self.state.queue(wish, self.now).unwrap()
    }

    fn served(&mut self) -> Option<Ticket> {
        self.state.serve(self.now).map(|(ticket, _)| ticket)
    }

    /// The places of the members that these leases get, each given back at once.
    fn picks(&mut self, wish: &Wish, count: usize) -> Vec<u32> {
        let mut places = Vec::new();
        for _ in 0..count {
            let granted = self.lease(wish);
            places.push(granted.seat.0.place);
            self.finish(granted, Outcome::Ok);
        }
        places
    }

    #[track_caller]
    fn phase(&self, member: MemberId) -> Phase {
        self.state.member(member).unwrap().phase
    }

    fn seats(&self) -> Vec<SeatId> {
        self.state.seats().map(|seat| seat.id).collect()
    }

    fn member(&self, seat: SeatId) -> Option<MemberId> {
        self.state.seat_view(seat).unwrap().member
    }
}

fn calm() -> Rules {
    Rules {
        max_age: None,
        rotate_every: None,
        validate_every: None,
        cookies: super::CookieRules {
            force_after: None,
            refresh_every: None,
            renew_after: None,
        },
        ..Rules::default()
    }
}

fn wish() -> Wish {
    Wish::default()
}
