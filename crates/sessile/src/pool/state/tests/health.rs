//! What failures and checks do to a member.

use super::*;

#[test]
fn failures_in_a_row_let_it_rest_longer_each_time() {
    let mut pool = Pool::of(
        1,
        Rules {
            min_ready: 0,
            ..calm()
        },
    );
    let fail = |pool: &mut Pool, outcome| {
        let granted = pool.lease(&wish());
        pool.finish(granted, outcome);
        granted.member
    };
    for outcome in [
        Outcome::Blocked,
        Outcome::Challenged,
        Outcome::Ok,
        Outcome::Unreachable,
        Outcome::Blocked,
    ] {
        let member = fail(&mut pool, outcome);
        assert_eq!(pool.phase(member), Phase::Ready, "{outcome:?}");
    }
    let member = fail(&mut pool, Outcome::Challenged);
    for minutes in [5, 10, 20, 40, 60, 60] {
        let until = pool.now.plus(minutes * MINUTE);
        assert_eq!(pool.phase(member), Phase::Cooling { until });
        let refused = pool.refused(&wish());
        assert_eq!(
            refused,
            Refusal::NoneAlive {
                why: Dead::Cooling,
                next: Some(until)
            }
        );
        pool.now = until;
        let check = pool.due(Task::Validate);
        assert_eq!(pool.phase(member), Phase::Warming);
        pool.answer(check, Err(Fault::Failed));
    }
    pool.pass(60 * MINUTE);
    assert_eq!(pool.work(), [Task::Validate]);
    assert_eq!(pool.phase(member), Phase::Ready);
}

#[test]
fn a_lease_that_is_given_back_unsaid_makes_up_for_no_failure() {
    let mut pool = Pool::of(1, calm());
    for _ in 0..3 {
        let granted = pool.lease(&wish());
        let recorded = pool
            .state
            .record(granted.lease, Outcome::Challenged, pool.now);
        recorded.unwrap();
        pool.finish(granted, Outcome::Dropped);
    }
    assert_eq!(pool.state.stats(pool.now).cooling, 1);
}

#[test]
fn a_page_that_is_forbidden_is_no_reason_to_rest() {
    let mut pool = Pool::of(1, calm());
    let refused = |pool: &mut Pool| {
        for _ in 0..3 {
            assert_eq!(pool.state.due(pool.now), None);
            let granted = pool.lease(&wish());
            pool.finish(granted, Outcome::Blocked);
            assert_eq!(pool.phase(granted.member), Phase::Ready);
        }
        pool.due(Task::Validate)
    };
    let check = refused(&mut pool);
    pool.answer(check, Ok(()));
    let check = refused(&mut pool);
    pool.answer(check, Err(Fault::Failed));
    assert_eq!(pool.state.stats(pool.now).cooling, 1);
}

#[test]
fn nobody_waits_for_what_only_a_person_can_mend() {
    let mut pool = Pool::empty(calm());
    pool.state.seat(None, pool.now).unwrap();
    let make = pool.due(Task::Make);
    let ticket = pool.queue(wish());
    assert_eq!(pool.state.serve(pool.now), None);
    pool.answer(make, Err(Fault::Refused));
    let (why, next) = (Dead::Stopped, None);
    let refusal = Refusal::NoneAlive { why, next };
    assert_eq!(pool.state.serve(pool.now), Some((ticket, Err(refusal))));
}

#[test]
fn a_site_in_trouble_is_nobodys_failure() {
    let mut pool = Pool::of(1, calm());
    for outcome in [Outcome::Failing, Outcome::Dropped].repeat(5) {
        let granted = pool.lease(&wish());
        pool.finish(granted, outcome);
        assert_eq!(pool.phase(granted.member), Phase::Ready);
    }
    pool.state.validate(Which::All, pool.now);
    let check = pool.due(Task::Validate);
    pool.answer(check, Err(Fault::Later { until: None }));
    assert_eq!(pool.phase(check.member.unwrap()), Phase::Ready);
    assert_eq!(
        pool.state.next_due(pool.now),
        Some(pool.now.plus(30 * SECOND))
    );
}

#[test]
fn a_dead_login_is_renewed_before_it_is_used_again() {
    let mut pool = Pool::of(1, calm());
    let (first, second) = (pool.lease(&wish()), pool.lease(&wish()));
    pool.finish(first, Outcome::Expired);
    assert_eq!(pool.phase(first.member), Phase::Warming);
    let renew = pool.due(Task::Renew);
    pool.finish(second, Outcome::Expired);
    assert_eq!(pool.state.due(pool.now), None, "once for all who noticed");
    pool.answer(renew, Ok(()));
    assert_eq!(pool.phase(first.member), Phase::Ready);
    assert_eq!(pool.state.due(pool.now), None);
}

#[test]
fn where_it_cannot_log_in_again_another_is_made() {
    let mut pool = Pool::of(1, calm());
    let held = pool.lease(&wish());
    pool.finish(held, Outcome::Expired);
    let renew = pool.due(Task::Renew);
    pool.answer(renew, Err(Fault::Expired));
    assert_eq!(pool.work(), [Task::Retire, Task::Make]);
    assert_ne!(pool.lease(&wish()).member, held.member);
}

#[test]
fn where_too_few_can_be_used_those_that_rest_are_replaced_but_not_in_haste() {
    let mut pool = Pool::of(2, calm());
    pool.pass(3 * MINUTE);
    let limited = Outcome::RateLimited { until: None };
    for _ in 0..2 {
        let granted = pool.lease(&wish());
        pool.finish(granted, limited);
    }
    assert_eq!(pool.state.due(pool.now), None, "a login was just made");
    pool.pass(2 * MINUTE);
    let make = pool.due(Task::Make);
    let other = pool.due(Task::Make);
    pool.answer(make, Ok(()));
    assert_eq!(Some(pool.lease(&wish()).member), make.member);
    pool.answer(other, Ok(()));
}

#[test]
fn cookies_are_refreshed_in_a_quiet_moment_or_when_it_takes_too_long() {
    let mut rules = calm();
    rules.cookies.refresh_every = Some(30 * MINUTE);
    rules.cookies.force_after = Some(240 * MINUTE);
    let mut pool = Pool::of(1, rules);
    let long = wish().time_out(60 * MINUTE);
    let held = pool.lease(&long);
    pool.pass(31 * MINUTE);
    assert_eq!(pool.state.due(pool.now), None, "somebody uses it");
    pool.finish(held, Outcome::Ok);
    assert_eq!(pool.work(), [Task::Refresh]);
    let held = pool.lease(&long);
    for _ in 0..3 {
        pool.pass(59 * MINUTE);
        assert_eq!(pool.state.due(pool.now), None);
        let until = pool.now.plus(60 * MINUTE);
        pool.state.extend(held.lease, until, pool.now).unwrap();
    }
    pool.pass(59 * MINUTE);
    let until = pool.now.plus(60 * MINUTE);
    pool.state.extend(held.lease, until, pool.now).unwrap();
    pool.pass(5 * MINUTE);
    assert_eq!(pool.work(), [Task::Refresh]);
}

#[test]
fn not_more_runs_at_once_than_may() {
    let mut pool = Pool::empty(calm());
    for _ in 0..5 {
        pool.state.seat(None, pool.now).unwrap();
    }
    let makes = [pool.due(Task::Make), pool.due(Task::Make)];
    assert_eq!(pool.state.due(pool.now), None);
    assert_eq!(pool.state.next_due(pool.now), None, "an answer comes first");
    pool.answer(makes[0], Ok(()));
    pool.due(Task::Make);
    assert_eq!(pool.state.due(pool.now), None);
    assert_eq!(pool.state.done(makes[0].id, Ok(()), pool.now), Err(Gone));
}
