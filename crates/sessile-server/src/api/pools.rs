//! Pools: how they are, and what is asked of them.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use sessile::pool::{
    AccountInfo, MemberInfo, Ordered, Phase, Pool, PoolError, ProxyInfo, Target, Which,
};
use sessile::store::Name;
use utoipa::ToSchema;

use super::Daemon;
use super::extract::{Asked, May, MayManage, MayRead, MayUse, MaybeGiven};
use super::stats::OfPool;
use crate::problem::{Kind, Problem};
use crate::times;

/// The pools that this daemon serves.
#[derive(Serialize, ToSchema)]
pub(super) struct PoolList {
    pools: Vec<PoolView>,
}

/// A pool in numbers, as far as this daemon serves it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PoolView {
    name: String,
    /// Seats, wherever they are served; those of targets not counted.
    size: usize,
    /// Processes that serve it.
    owners: usize,
    /// Sessions that can be used and aren't.
    ready: usize,
    leased: usize,
    warming: usize,
    cooling: usize,
    draining: usize,
    /// Seats whose logins were given up until a person acts.
    stopped: usize,
    /// Running leases.
    leases: usize,
    /// Who waits for a lease.
    waiting: usize,
    /// Leases ever granted.
    granted: u64,
    /// Leases that ended by their time-out, ever.
    timed_out: u64,
    made: u64,
    failed: u64,
    retired: u64,
    /// Why the last login failed.
    #[schema(required = true)]
    last_trouble: Option<String>,
}

/// A pool with its parts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PoolDetail {
    #[serde(flatten)]
    pool: PoolView,
    /// The first hundred, by name.
    members: Vec<MemberView>,
    accounts: Vec<AccountView>,
    proxies: Vec<ProxyView>,
}

/// A session of a pool.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberView {
    session: String,
    seat: String,
    /// `warming`, `ready`, `leased`, `draining`, `cooling` or `retired`.
    state: &'static str,
    #[schema(required = true)]
    account: Option<String>,
    /// Without its login.
    #[schema(required = true)]
    proxy: Option<String>,
    #[schema(required = true)]
    target: Option<String>,
    born: String,
    age_minutes: f64,
    #[schema(required = true)]
    validated: Option<String>,
    /// When another takes its place.
    #[schema(required = true)]
    rotates: Option<String>,
    leases: u32,
    uses: u64,
    /// Failures in a row.
    failures: u32,
    cookies: usize,
    connections: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountView {
    user: String,
    /// How many sessions it may have.
    most: u32,
    seats: usize,
    /// Why it isn't used until a person has seen to it.
    #[schema(required = true)]
    stopped: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyView {
    /// Without its login.
    proxy: String,
    seats: usize,
    /// Failures in a row.
    failures: u32,
    #[schema(required = true)]
    cools_until: Option<String>,
}

impl PoolView {
    fn of(pool: &Pool) -> Self {
        let stats = pool.stats();
        Self {
            name: pool.name().to_string(),
            size: stats.size,
            owners: stats.owners,
            ready: stats.state.ready,
            leased: stats.state.leased,
            warming: stats.state.warming,
            cooling: stats.state.cooling,
            draining: stats.state.draining,
            stopped: stats.state.stopped,
            leases: stats.state.leases,
            waiting: stats.state.waiting,
            granted: stats.state.granted,
            timed_out: stats.state.timed_out,
            made: stats.made,
            failed: stats.failed,
            retired: stats.retired,
            last_trouble: stats.last_trouble,
        }
    }
}

impl MemberView {
    pub(super) fn of(member: &MemberInfo) -> Self {
        Self {
            session: member.session.to_string(),
            seat: member.seat.to_string(),
            state: phase_name(member.phase),
            account: member.account.clone(),
            proxy: member.proxy.clone(),
            target: member.target.as_ref().map(Target::to_string),
            born: times::text(member.born),
            age_minutes: times::minutes(member.age),
            validated: member.validated.map(times::text),
            rotates: member.rotates.map(times::text),
            leases: member.leases,
            uses: member.uses,
            failures: member.failures,
            cookies: member.cookies,
            connections: member.connections,
        }
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Cooling { .. } => "cooling",
        Phase::Draining { .. } => "draining",
        Phase::Leased => "leased",
        Phase::Ready => "ready",
        Phase::Retired => "retired",
        Phase::Warming => "warming",
    }
}

fn account(info: AccountInfo) -> AccountView {
    AccountView {
        user: info.user,
        most: info.most,
        seats: info.seats,
        stopped: info
            .stopped
            .map(|(at, why)| format!("{}: {why}", times::text(at))),
    }
}

fn proxy(info: ProxyInfo) -> ProxyView {
    ProxyView {
        proxy: info.proxy,
        seats: info.seats,
        failures: info.failures,
        cools_until: info.cools_until.map(times::text),
    }
}

/// Lists the pools that this daemon serves.
#[utoipa::path(get, path = "/api/pools", tag = "pools",
    security(("token" = ["read"])),
    responses((status = 200, body = PoolList, description = "By name")))]
pub(super) async fn list(_may: MayRead, State(daemon): State<Daemon>) -> Json<PoolList> {
    let pools = daemon.pools.all();
    Json(PoolList {
        pools: pools.iter().map(PoolView::of).collect(),
    })
}

/// Shows a pool: its numbers, sessions, accounts and proxies.
#[utoipa::path(get, path = "/api/pools/{pool}", tag = "pools",
    params(("pool" = String, Path, description = "The pool")),
    security(("token" = ["read"])),
    responses((status = 200, body = PoolDetail, description = "The pool")))]
pub(super) async fn show(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Path(name): Path<String>,
) -> Result<Json<PoolDetail>, Problem> {
    let pool = daemon.pools.named(&name)?;
    let mut members = pool.members();
    members.sort_by(|a, b| a.session.cmp(&b.session));
    let accounts = Pool::accounts(&daemon.vault, pool.name()).await?;
    Ok(Json(PoolDetail {
        pool: PoolView::of(&pool),
        members: members.iter().take(SHOWN).map(MemberView::of).collect(),
        accounts: accounts.into_iter().map(account).collect(),
        proxies: pool.proxies().into_iter().map(proxy).collect(),
    }))
}

/// How many sessions are listed.
const SHOWN: usize = 100;

/// Which sessions something is asked of; without either all of them.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    /// A session, or its seat.
    session: Option<String>,
    /// A target, whose session is meant.
    target: Option<String>,
}

impl Selection {
    fn which(&self) -> Result<Which, Problem> {
        match (&self.session, &self.target) {
            (None, None) => Ok(Which::All),
            (Some(session), None) => Ok(Which::Seat(Name::parse(session)?)),
            (None, Some(target)) => Ok(Which::Target(Target::new(target))),
            (Some(_), Some(_)) => Err(Problem::new(
                Kind::BadRequest,
                "either `session` or `target`, not both",
            )),
        }
    }
}

/// What became of something that was asked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    pools: Vec<DoneInPool>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DoneInPool {
    pool: String,
    /// How many sessions it is done to.
    sessions: usize,
    /// How many processes have taken it on.
    owners: usize,
    /// How many processes haven't said so within some seconds.
    silent: usize,
    /// Why it isn't done in this pool, where others have begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Done {
    /// Fails where no pool has begun and one could not.
    fn of(outcomes: Vec<(String, Result<Ordered, Problem>)>) -> Result<Self, Problem> {
        let has_begun = outcomes.iter().any(|(_, outcome)| outcome.is_ok());
        let pools = outcomes.into_iter().map(|(pool, outcome)| match outcome {
            Ok(ordered) => Ok(DoneInPool {
                pool,
                sessions: ordered.sessions,
                owners: ordered.owners,
                silent: ordered.silent,
                trouble: None,
            }),
            Err(problem) if has_begun => Ok(DoneInPool {
                pool,
                trouble: Some(problem.detail().to_owned()),
                ..DoneInPool::default()
            }),
            Err(problem) => Err(problem),
        });
        let pools = pools.collect::<Result<_, _>>()?;
        Ok(Self { pools })
    }
}

/// Has sessions followed by the next ones. The old ones serve until those have logged in.
#[utoipa::path(post, path = "/api/sessions/rotate", tag = "pools", params(OfPool),
    request_body = Option<Selection>,
    security(("token" = ["manage"])),
    responses((status = 200, body = Done, description = "It has begun")))]
pub(super) async fn rotate(
    May(caller): MayManage,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
    MaybeGiven(given): MaybeGiven<Selection>,
) -> Result<Json<Done>, Problem> {
    tracing::info!(pool = asked.pool, caller = %caller.name, "rotating");
    give(Order::Rotate, &daemon, &asked, given).await
}

/// Has sessions checked now.
#[utoipa::path(post, path = "/api/sessions/validate", tag = "pools", params(OfPool),
    request_body = Option<Selection>,
    security(("token" = ["use"])),
    responses((status = 200, body = Done, description = "It has begun")))]
pub(super) async fn validate(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
    MaybeGiven(given): MaybeGiven<Selection>,
) -> Result<Json<Done>, Problem> {
    give(Order::Validate, &daemon, &asked, given).await
}

/// Has the cookies of sessions refreshed now.
#[utoipa::path(post, path = "/api/cookies/refresh", tag = "cookies", params(OfPool),
    request_body = Option<Selection>,
    security(("token" = ["use"])),
    responses((status = 200, body = Done, description = "It has begun")))]
pub(super) async fn refresh(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
    MaybeGiven(given): MaybeGiven<Selection>,
) -> Result<Json<Done>, Problem> {
    let done = give(Order::Refresh, &daemon, &asked, given).await?;
    daemon.note_reset();
    Ok(done)
}

/// What pools are told to do now.
enum Order {
    Refresh,
    Rotate,
    Validate,
}

/// Tells it to the pools that are meant; one session or target is known to one of them.
async fn give(
    order: Order,
    daemon: &Daemon,
    asked: &OfPool,
    given: Option<Selection>,
) -> Result<Json<Done>, Problem> {
    let which = given.unwrap_or_default().which()?;
    let mut outcomes = Vec::new();
    for pool in daemon.pools.some(asked.pool.as_deref())? {
        let ordered = match order {
            Order::Refresh => pool.refresh(&which).await,
            Order::Rotate => pool.rotate(&which).await,
            Order::Validate => pool.validate(&which).await,
        };
        if !matches!(ordered, Err(PoolError::UnknownPart { .. })) {
            outcomes.push((pool.name().to_string(), ordered.map_err(Problem::from)));
        }
    }
    let done = Done::of(outcomes)?;
    match (which, done.pools.is_empty()) {
        (Which::Seat(_) | Which::Target(_), true) => Err(Problem::new(
            Kind::UnknownSession,
            "no pool has this session; one of no pool has `login` and `check` for itself",
        )),
        (_, _) => Ok(Json(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_fails_does_not_hide_what_others_have_begun() {
        let begun = || ("a".to_owned(), Ok(Ordered::default()));
        let failed = || {
            (
                "b".to_owned(),
                Err(Problem::new(Kind::Closing, "it is closed")),
            )
        };
        let troubles = |outcomes| {
            let done = Done::of(outcomes).ok()?;
            let troubles = done.pools.into_iter().map(|done| done.trouble);
            Some(troubles.collect::<Vec<_>>())
        };
        let trouble = Some("it is closed".to_owned());
        assert_eq!(troubles(vec![begun(), begun()]), Some(vec![None, None]));
        assert_eq!(troubles(vec![failed(), begun()]), Some(vec![trouble, None]));
        assert_eq!(troubles(vec![failed()]), None);
        assert_eq!(troubles(vec![]), Some(vec![]));
    }
}
