//! Calls in any order, sensible or not: the state never contradicts itself and never panics.

use std::time::Duration;

use proptest::prelude::*;
use sessile_jar::Timestamp;

use super::{
    Action, Assign, Fault, Granted, LeaseId, Outcome, Restored, Rules, SeatId, State, Target,
    Ticket, Which, Wish,
};

#[derive(Clone, Debug)]
enum Call {
    Close,
    Done(usize, Result<(), Fault>),
    Due,
    Extend(usize, u32),
    Finish(usize, Outcome),
    GiveAway(usize),
    GiveUp(usize),
    Lease(Wish),
    Lose(usize),
    Pass(i64),
    Pin(usize),
    Queue(Wish),
    Refresh(usize),
    Remove(usize),
    Replace(usize),
    Restore(usize, u32),
    Resume(usize),
    Retry(usize),
    Rotate(usize),
    Seat(Option<u8>),
    Serve,
    SetRules(Box<Rules>),
    Stats,
    Suspend(usize),
    Validate(usize),
}

fn call() -> impl Strategy<Value = Call> {
    let any = || 0..12_usize;
    prop_oneof![
        1 => Just(Call::Close),
        20 => (any(), result()).prop_map(|(at, result)| Call::Done(at, result)),
        20 => Just(Call::Due),
        2 => (any(), any_span()).prop_map(|(at, span)| Call::Extend(at, span)),
        10 => (any(), outcome()).prop_map(|(at, outcome)| Call::Finish(at, outcome)),
        2 => any().prop_map(Call::GiveAway),
        3 => any().prop_map(Call::GiveUp),
        20 => wish().prop_map(Call::Lease),
        1 => any().prop_map(Call::Lose),
        10 => (-100_000..2_000_000_i64).prop_map(Call::Pass),
        2 => any().prop_map(Call::Pin),
        5 => wish().prop_map(Call::Queue),
        2 => any().prop_map(Call::Refresh),
        1 => any().prop_map(Call::Remove),
        1 => any().prop_map(Call::Replace),
        2 => (any(), any_span()).prop_map(|(at, span)| Call::Restore(at, span)),
        2 => any().prop_map(Call::Resume),
        2 => any().prop_map(Call::Retry),
        3 => any().prop_map(Call::Rotate),
        8 => proptest::option::weighted(0.3, 0..3_u8).prop_map(Call::Seat),
        10 => Just(Call::Serve),
        1 => rules().prop_map(|rules| Call::SetRules(Box::new(rules))),
        2 => Just(Call::Stats),
        2 => any().prop_map(Call::Suspend),
        2 => any().prop_map(Call::Validate),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let max_uses = proptest::option::weighted(0.2, 0..4_u64);
    (1..4_u32, 0..5_usize, max_uses).prop_map(|(leases_per_member, size, max_uses)| Rules {
        leases_per_member,
        size,
        max_uses,
        waiting: 6,
        ..Rules::default()
    })
}

fn any_span() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), 0..10_000_000_u32]
}

fn result() -> impl Strategy<Value = Result<(), Fault>> {
    let until = Some(Timestamp::LATEST);
    prop_oneof![
        6 => Just(Ok(())),
        1 => Just(Err(Fault::Expired)),
        1 => Just(Err(Fault::Failed)),
        1 => Just(Err(Fault::Later { until: None })),
        1 => Just(Err(Fault::Later { until })),
        1 => Just(Err(Fault::NeedsPerson)),
        1 => Just(Err(Fault::Refused)),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Blocked),
        Just(Outcome::Expired),
        Just(Outcome::Failing),
        Just(Outcome::Ok),
        Just(Outcome::RateLimited { until: None }),
        Just(Outcome::RateLimited {
            until: Some(Timestamp::LATEST)
        }),
        Just(Outcome::Unreachable),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let assign = prop_oneof![
        Just(None),
        Just(Some(Assign::LeastUsed)),
        Just(Some(Assign::Random)),
        Just(Some(Assign::Sticky)),
    ];
    let target = proptest::option::weighted(0.3, 0..3_u8);
    let span = proptest::option::weighted(0.3, any_span());
    (assign, target, span, proptest::bool::weighted(0.2)).prop_map(
        |(assign, target, span, alone)| Wish {
            assign,
            target: target.map(named),
            time_out: span.map(|span| Duration::from_millis(span.into())),
            mode: match alone {
                true => super::Mode::Exclusive,
                false => super::Mode::Counted,
            },
        },
    )
}

fn named(target: u8) -> Target {
    Target::new(&target.to_string())
}

/// What the calls have got so far, ended or not.
#[derive(Debug, Default)]
struct Got {
    actions: Vec<Action>,
    leases: Vec<LeaseId>,
    seats: Vec<SeatId>,
    tickets: Vec<Ticket>,
}

proptest! {
    #[test]
    fn any_calls_in_any_order_leave_the_state_sound(
        calls in proptest::collection::vec(call(), 1..120),
        rules in rules(),
    ) {
        let mut state = State::new(rules, 7);
        let mut now = Timestamp::from_seconds(1_795_262_400);
        let mut got = Got::default();
        for call in calls {
            if let Call::Pass(millis) = call {
                now = Timestamp::from_millis(now.as_millis() + millis);
            }
            make(&mut state, &call, now, &mut got);
            state.check_invariants();
            state.check_lists();
            let due = state.next_due(now);
            prop_assert!(due.is_none_or(|at| at >= now));
        }
    }
}

fn make(state: &mut State, call: &Call, now: Timestamp, got: &mut Got) {
    let at = |list: &[SeatId], at: &usize| list.get(*at).copied().unwrap_or(SeatId::from_number(7));
    let lease = |at: &usize| {
        got.leases
            .iter()
            .rev()
            .nth(*at)
            .copied()
            .unwrap_or(LeaseId::from_number(7))
    };
    let which = |seat: &usize| match seat {
        0 => Which::All,
        seat => Which::Seat(at(&got.seats, seat)),
    };
    match call {
        Call::Close => state.close(now),
        Call::Done(at, result) => {
            if let Some(action) = got.actions.iter().rev().nth(*at) {
                _ = state.done(action.id, *result, now);
            }
        }
        Call::Due => got.actions.extend(state.due(now)),
        Call::Extend(at, span) => {
            let until = now.plus(Duration::from_millis((*span).into()));
            _ = state.extend(lease(at), until, now);
        }
        Call::Finish(at, outcome) => _ = state.finish(lease(at), *outcome, now),
        Call::GiveAway(seat) => _ = state.give_away(at(&got.seats, seat), now),
        Call::GiveUp(at) => {
            _ = got
                .tickets
                .iter()
                .rev()
                .nth(*at)
                .map(|ticket| state.give_up(*ticket))
        }
        Call::Lease(wish) => {
            let granted = state.lease(wish, now).ok();
            got.leases
                .extend(granted.map(|granted| had(state, granted)));
        }
        Call::Lose(seat) => _ = state.lose(at(&got.seats, seat), now),
        Call::Pass(_) => while state.expire(now).is_some() {},
        Call::Pin(at) => _ = state.pin(lease(at), now),
        Call::Queue(wish) => got.tickets.extend(state.queue(wish.clone(), now)),
        Call::Refresh(seat) => _ = state.refresh(which(seat), now),
        Call::Remove(seat) => _ = state.remove(at(&got.seats, seat), now),
        Call::Restore(seat, age) => {
            let born = Timestamp::from_millis(now.as_millis() - i64::from(*age));
            let facts = Restored {
                born,
                ..Restored::default()
            };
            _ = state.restore(at(&got.seats, seat), facts, now);
        }
        Call::Replace(seat) => _ = state.replace(at(&got.seats, seat), now),
        Call::Resume(seat) => _ = state.resume(at(&got.seats, seat), now),
        Call::Retry(seat) => _ = state.retry(at(&got.seats, seat), now),
        Call::Rotate(seat) => _ = state.rotate(which(seat), now),
        Call::Seat(target) => got.seats.extend(state.seat(target.map(named), now)),
        Call::Serve => {
            let served = state.serve(now).and_then(|(_, served)| served.ok());
            got.leases.extend(served.map(|granted| had(state, granted)));
        }
        Call::SetRules(rules) => state.set_rules((**rules).clone(), now),
        Call::Stats => {
            let stats = state.stats(now);
            let members = state.members().count();
            let counted = stats.ready + stats.leased + stats.warming + stats.cooling;
            assert_eq!(counted + stats.draining + stats.retired, members);
        }
        Call::Suspend(seat) => _ = state.suspend(at(&got.seats, seat), now),
        Call::Validate(seat) => _ = state.validate(which(seat), now),
    }
}

/// A lease that was had just now: never more on a member than the rules say. Older ones may be, by
/// rules that allowed for more.
fn had(state: &State, granted: Granted) -> LeaseId {
    let member = state
        .member(granted.member)
        .expect("a lease is on a member");
    assert!(
        member.leases <= state.rules().leases_per_member,
        "{member:?}"
    );
    granted.lease
}
