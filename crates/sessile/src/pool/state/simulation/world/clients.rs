//! Who leases in this world: they come, use, keep, extend and forget.

use super::*;

impl World {
    pub(super) fn arrive(&mut self) {
        if !self.busy {
            return;
        }
        let burst = match self.chance.below(40) {
            0 => 30,
            _ => 1,
        };
        for _ in 0..burst {
            self.one_client();
        }
        let gap = self.between(SECOND, 12 * MINUTE);
        self.after(gap, Event::Arrive);
    }

    pub(super) fn one_client(&mut self) {
        let wish = self.wish();
        let own = wish
            .target
            .as_ref()
            .and_then(|target| self.state.seat_of(target));
        match self.state.lease(&wish, self.shown()) {
            Ok(granted) => {
                self.books.check_not_overtaken(&wish, own);
                self.use_lease(&wish, own, granted);
            }
            Err(Refusal::UnknownTarget) => assert!(own.is_none() && wish.target.is_some()),
            Err(Refusal::Busy { next } | Refusal::NoneAlive { next, .. }) => {
                assert!(next.is_none_or(|at| at >= self.shown()));
                self.wait(wish, own);
            }
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    pub(super) fn wait(&mut self, wish: Wish, own: Option<SeatId>) {
        match self.state.queue(wish.clone(), self.shown()) {
            Ok(ticket) => {
                self.books.queue(ticket, wish, own);
                let patience = self.between(SECOND, 3 * MINUTE);
                self.after(patience, Event::GiveUp(ticket));
            }
            Err(Refusal::Full) => assert_eq!(self.books.waiting.len(), self.state.rules().waiting),
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    pub(super) fn wish(&mut self) -> Wish {
        let mut wish = Wish::default();
        if self.one_in(6) {
            wish = wish.exclusive();
        }
        if self.one_in(3) {
            let any = self.chance.below(3);
            wish = wish.target(targets()[any].clone());
        }
        if self.one_in(2) {
            let assigns = [
                Assign::LeastUsed,
                Assign::Random,
                Assign::RoundRobin,
                Assign::Sticky,
            ];
            wish = wish.assign(assigns[self.chance.below(4)]);
        }
        if self.one_in(4) {
            let span = self.between(1, 2 * HOUR);
            wish = wish.time_out(Duration::from_millis(span.unsigned_abs()));
        }
        wish
    }

    pub(super) fn use_lease(&mut self, wish: &Wish, own: Option<SeatId>, granted: Granted) {
        let until = granted.until.as_millis() - self.offset;
        self.books
            .grant(&self.state, wish, own, granted, (self.now, until));
        // Spent by its last use, it may be followed at once.
        self.excused |= self.state.rules().max_uses.is_some();
        let lease = granted.lease;
        match self.chance.below(20) {
            // Forgotten.
            0 => {}
            1 => self.after(10 * SECOND, Event::Prolong(lease)),
            2 => {
                self.state
                    .pin(lease, self.shown())
                    .expect("it was just granted");
                self.books
                    .held
                    .get_mut(&lease)
                    .expect("it was just granted")
                    .pinned = true;
                self.after(20 * SECOND, Event::Prolong(lease));
            }
            3 => {
                let late = until - self.now + 1;
                self.after(late, Event::Finish(lease));
            }
            _ => {
                let used = self.between(10, 90 * SECOND);
                self.after(used, Event::Finish(lease));
            }
        }
    }

    pub(super) fn prolong(&mut self, lease: LeaseId) {
        let more = self.between(MINUTE, 90 * MINUTE);
        let until = self
            .shown()
            .plus(Duration::from_millis(more.unsigned_abs()));
        let extended = self.state.extend(lease, until, self.shown());
        let Some(held) = self
            .books
            .held
            .get_mut(&lease)
            .filter(|held| held.until > self.now)
        else {
            assert!(extended.is_err());
            return;
        };
        // It ended in this very moment, by the drain of its member.
        let Ok(until) = extended else { return };
        let until = until.as_millis() - self.offset;
        assert!(until >= held.until && until <= (self.now + HOUR).max(held.until));
        held.until = until;
        if self.busy && !self.one_in(4) {
            let gap = self.between(SECOND, 5 * MINUTE);
            self.after(gap, Event::Prolong(lease));
        } else {
            let gap = self.between(SECOND, 5 * MINUTE);
            self.after(gap, Event::Finish(lease));
        }
    }

    pub(super) fn finish(&mut self, lease: LeaseId) {
        let held = self
            .books
            .held
            .get(&lease)
            .filter(|held| held.until > self.now)
            .cloned();
        let outcome = held
            .as_ref()
            .map_or(Outcome::Ok, |held| self.outcome(held.seat));
        self.excused = !matches!(outcome, Outcome::Ok | Outcome::Dropped | Outcome::Failing);
        let finished = self.state.finish(lease, outcome, self.shown());
        assert!(
            held.is_some() || finished.is_err(),
            "given back after its end"
        );
        if finished.is_ok() {
            self.books.give_back(lease);
            assert!(self.state.finish(lease, Outcome::Ok, self.shown()).is_err());
        }
    }

    pub(super) fn outcome(&mut self, seat: SeatId) -> Outcome {
        let shown = self.shown();
        let place = self.seats.get(&seat).copied();
        let Some(place) = place else {
            return Outcome::Dropped;
        };
        if place.proxy_back_at > self.now {
            return Outcome::Unreachable;
        }
        if self.site.trouble_until > self.now {
            return Outcome::Failing;
        }
        if place.dead {
            return Outcome::Expired;
        }
        match self.chance.below(60) {
            0 => Outcome::Blocked,
            1 => Outcome::Challenged,
            2 => Outcome::RateLimited { until: None },
            3 => {
                let wait = self.between(-MINUTE, 2 * HOUR);
                let until = Timestamp::from_millis(shown.as_millis() + wait);
                Outcome::RateLimited { until: Some(until) }
            }
            4..8 => Outcome::Dropped,
            _ => Outcome::Ok,
        }
    }

    pub(super) fn give_up(&mut self, ticket: Ticket) {
        let waited = self
            .books
            .waiting
            .iter()
            .find(|(_, waits)| waits.ticket == ticket);
        let arrival = waited.map(|(arrival, _)| *arrival);
        assert_eq!(self.state.give_up(ticket), arrival.is_some());
        if let Some(arrival) = arrival {
            self.books.waiting.remove(&arrival);
        }
    }

    // ---- actions
}
