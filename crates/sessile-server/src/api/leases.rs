//! Leases: the right to use a session of a pool for a while.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use sessile::pool::{Assign, Lease, LeaseId, LeaseInfo, Outcome, Pool, PoolError, Wish};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::Daemon;
use super::bundle::{self, Bundle, ForRequest, Headers};
use super::extract::{Asked, Given, MayRead, MayUse, MaybeGiven};
use super::fetch::{self, Fetch, Passing};
use super::targets::target;
use crate::faults::of_pool;
use crate::leases::Handed;
use crate::problem::{Kind, Problem};
use crate::times;
use crate::traced;

/// What is wished for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLease {
    /// The target whose session is wanted. It is made where it has none.
    target: Option<String>,
    /// Whether nobody else may use the session meanwhile. Defaults to no.
    #[serde(default)]
    exclusive: bool,
    /// How many seconds it lasts if it is neither given back nor extended; at most 3600. Defaults to
    /// what the site file says.
    #[schema(minimum = 1, maximum = 3600)]
    timeout: Option<u32>,
    /// How many seconds to wait for one, at most 300. Defaults to 10.
    #[schema(minimum = 0, maximum = 300)]
    wait: Option<u32>,
    /// Which session is taken: `sticky`, `round-robin`, `random` or `least-used`. Defaults to what
    /// the site file says.
    assign: Option<AssignBy>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AssignBy {
    LeastUsed,
    Random,
    RoundRobin,
    Sticky,
}

/// A running lease.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeaseView {
    /// Its name; whoever knows it can use the lease.
    id: String,
    pool: String,
    session: String,
    exclusive: bool,
    /// Whether it may outlast the drain of its session.
    pinned: bool,
    /// Higher for each later lease, so that one who was away can be told from its successor.
    fence: u64,
    /// When it ends if it is neither given back nor extended.
    expires_at: String,
}

impl LeaseView {
    fn of(id: String, handed: &Handed, info: &LeaseInfo) -> Self {
        Self {
            id,
            pool: handed.pool.name().to_string(),
            session: info.session.to_string(),
            exclusive: info.is_exclusive(),
            pinned: info.is_pinned,
            fence: handed.fence,
            expires_at: times::text(info.until),
        }
    }
}

impl NewLease {
    fn wish(&self) -> Result<(Wish, Duration), Problem> {
        let bad = |detail| Problem::new(Kind::BadRequest, detail);
        let mut wish = Wish::default();
        if let Some(id) = &self.target {
            wish = wish.target(target(id)?);
        }
        if self.exclusive {
            wish = wish.exclusive();
        }
        if let Some(seconds) = self.timeout {
            wish = wish.time_out(
                seconds_within(seconds, 1..=3600)
                    .ok_or_else(|| bad("`timeout` is 1 to 3600 seconds"))?,
            );
        }
        if let Some(assign) = self.assign {
            wish = wish.assign(match assign {
                AssignBy::LeastUsed => Assign::LeastUsed,
                AssignBy::Random => Assign::Random,
                AssignBy::RoundRobin => Assign::RoundRobin,
                AssignBy::Sticky => Assign::Sticky,
            });
        }
        let wait = seconds_within(self.wait.unwrap_or(10), 0..=300);
        Ok((wish, wait.ok_or_else(|| bad("`wait` is 0 to 300 seconds"))?))
    }
}

fn seconds_within(seconds: u32, range: std::ops::RangeInclusive<u32>) -> Option<Duration> {
    range
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds.into()))
}

/// Leases a session of a pool. Where all are in use, the caller waits its turn.
#[utoipa::path(post, path = "/api/pools/{pool}/leases", tag = "leases",
    params(("pool" = String, Path, description = "The pool")),
    request_body = Option<NewLease>,
    security(("token" = ["use"])),
    responses((status = 201, body = LeaseView, description = "The lease; `Location` says where it is")))]
pub(super) async fn create(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(pool): Path<String>,
    MaybeGiven(given): MaybeGiven<NewLease>,
) -> Result<Response, Problem> {
    let pool = daemon.pools.named(&pool)?;
    let (wish, wait) = given.unwrap_or_default().wish()?;
    let lease = grant(&pool, &wish, wait).await?;
    let info = pool.lease_info(lease.id())?;
    let (name, handed) = daemon
        .pools
        .leases
        .hand_out(pool.clone(), lease.into_id(), pool.now());
    let place = HeaderValue::try_from(format!("/api/leases/{name}"));
    let view = Json(LeaseView::of(name, &handed, &info));
    let mut response = (StatusCode::CREATED, view).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// A lease; the session of a target is made where there is none.
async fn grant(pool: &Pool, wish: &Wish, wait: Duration) -> Result<Lease, Problem> {
    if let Some(target) = &wish.target {
        let ensured = pool.ensure_target(target, None).await;
        ensured.map_err(|error| of_pool(error, pool.now()))?;
    }
    let span = traced::lease(pool.name());
    let granted = pool.lease(wish, wait).await;
    let granted = granted.map_err(|error| of_pool(error, pool.now()));
    traced::leased(&span, &granted);
    granted
}

/// Shows a running lease.
#[utoipa::path(get, path = "/api/leases/{id}", tag = "leases",
    params(("id" = String, Path, description = "The lease")),
    security(("token" = ["read"])),
    responses((status = 200, body = LeaseView, description = "It runs")))]
pub(super) async fn show(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
) -> Result<Json<LeaseView>, Problem> {
    let handed = daemon.pools.leases.named(&id)?;
    let info = handed.pool.lease_info(handed.lease)?;
    Ok(Json(LeaseView::of(id, &handed, &info)))
}

/// How a lease is changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaseChange {
    /// How many seconds it lasts from now, at most 3600.
    #[schema(minimum = 1, maximum = 3600)]
    timeout: Option<u32>,
    /// Whether it may outlast the drain of its session, as a recording does. It stays so.
    #[serde(default)]
    pinned: bool,
}

/// Extends a lease, or pins its session.
#[utoipa::path(patch, path = "/api/leases/{id}", tag = "leases",
    params(("id" = String, Path, description = "The lease")),
    request_body = LeaseChange,
    security(("token" = ["use"])),
    responses((status = 200, body = LeaseView, description = "As it is now")))]
pub(super) async fn change(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
    Given(change): Given<LeaseChange>,
) -> Result<Json<LeaseView>, Problem> {
    let handed = daemon.pools.leases.named(&id)?;
    if let Some(seconds) = change.timeout {
        let time = seconds_within(seconds, 1..=3600);
        let time =
            time.ok_or_else(|| Problem::new(Kind::BadRequest, "`timeout` is 1 to 3600 seconds"))?;
        handed.pool.extend(handed.lease, time).await?;
    }
    if change.pinned {
        handed.pool.pin(handed.lease)?;
    }
    let info = handed.pool.lease_info(handed.lease)?;
    Ok(Json(LeaseView::of(id, &handed, &info)))
}

/// What came of the use of a lease.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Returned {
    /// Defaults to `ok`.
    outcome: Option<ReturnedOutcome>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReturnedOutcome {
    Blocked,
    Challenged,
    Dropped,
    Expired,
    Failing,
    Ok,
    RateLimited,
    Unreachable,
}

impl From<ReturnedOutcome> for Outcome {
    fn from(returned: ReturnedOutcome) -> Self {
        match returned {
            ReturnedOutcome::Blocked => Self::Blocked,
            ReturnedOutcome::Challenged => Self::Challenged,
            ReturnedOutcome::Dropped => Self::Dropped,
            ReturnedOutcome::Expired => Self::Expired,
            ReturnedOutcome::Failing => Self::Failing,
            ReturnedOutcome::Ok => Self::Ok,
            ReturnedOutcome::RateLimited => Self::RateLimited { until: None },
            ReturnedOutcome::Unreachable => Self::Unreachable,
        }
    }
}

/// Gives a lease back, and says what came of it.
#[utoipa::path(delete, path = "/api/leases/{id}", tag = "leases",
    params(("id" = String, Path, description = "The lease")),
    request_body = Option<Returned>,
    security(("token" = ["use"])),
    responses((status = 204, description = "It is given back")))]
pub(super) async fn finish(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
    MaybeGiven(returned): MaybeGiven<Returned>,
) -> Result<StatusCode, Problem> {
    let handed = daemon.pools.leases.named(&id)?;
    let outcome = returned.unwrap_or_default().outcome;
    let outcome = outcome.map_or(Outcome::Ok, Outcome::from);
    daemon.pools.leases.forget(&id);
    handed.pool.finish(handed.lease, outcome)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The headers that a request through a lease's session carries at this moment.
#[utoipa::path(get, path = "/api/leases/{id}/headers", tag = "leases",
    params(("id" = String, Path, description = "The lease"), ForRequest),
    security(("token" = ["use"])),
    responses((status = 200, body = Headers, description = "Headers, with their secrets")))]
pub(super) async fn headers(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
    Asked(asked): Asked<ForRequest>,
) -> Result<Json<Headers>, Problem> {
    let lease = running(&daemon, &id)?;
    lease.session().bring_up_to_date().await?;
    bundle::headers_of(lease.session(), &asked, None).map(Json)
}

/// Everything that another program needs to use a lease's session by itself.
#[utoipa::path(get, path = "/api/leases/{id}/bundle", tag = "leases",
    params(("id" = String, Path, description = "The lease")),
    security(("token" = ["use"])),
    responses((status = 200, body = Bundle, description = "The session, with its secrets")))]
pub(super) async fn bundle(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
) -> Result<Json<Bundle>, Problem> {
    let lease = running(&daemon, &id)?;
    lease.session().bring_up_to_date().await?;
    let next = format!("/api/leases/{id}/bundle");
    bundle::bundle_of(lease.session(), next, None).map(Json)
}

fn running(daemon: &Daemon, id: &str) -> Result<Lease, Problem> {
    let handed = daemon.pools.leases.named(id)?;
    Ok(handed.pool.leased(handed.lease)?)
}

pub(super) fn fetch_route() -> UtoipaMethodRouter<Daemon> {
    let (schemas, paths, _documented) = routes!(lease_fetch);
    (schemas, paths, axum::routing::any(lease_fetch))
}

pub(super) fn pool_fetch_route() -> UtoipaMethodRouter<Daemon> {
    let (schemas, paths, _documented) = routes!(pool_fetch);
    (schemas, paths, axum::routing::any(pool_fetch))
}

/// Sends a request through a lease's session, as `/api/sessions/{name}/fetch` does.
#[utoipa::path(method(get, post, put, patch, delete, options), path = "/api/leases/{id}/fetch", tag = "leases",
    params(("id" = String, Path, description = "The lease"), Fetch),
    security(("token" = ["use"])),
    responses((status = 200, description = "What the site answered, whatever its status")))]
pub(super) async fn lease_fetch(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
    Asked(asked): Asked<Fetch>,
    request: Request,
) -> Result<Response, Problem> {
    let lease = running(&daemon, &id)?;
    send(&daemon, lease, None, &asked, request).await
}

/// Through which session, beside what is fetched.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PoolFetch {
    /// The URL to fetch; it may be relative to the sessions' base URL.
    url: String,
    /// How many redirects are followed, at most 20; 0 answers the redirect itself, with
    /// `Sessile-Location` in place of `Location`.
    #[param(minimum = 0, maximum = 20)]
    redirects: Option<u8>,
    /// The target whose session is wanted. It is made where it has none.
    target: Option<String>,
    /// How many seconds to wait for a session, at most 300. Defaults to 10.
    #[param(minimum = 0, maximum = 300)]
    wait: Option<u32>,
}

/// Sends a request through a session of a pool, which is leased for that long.
#[utoipa::path(method(get, post, put, patch, delete, options), path = "/api/pools/{pool}/fetch", tag = "leases",
    params(("pool" = String, Path, description = "The pool"), PoolFetch),
    security(("token" = ["use"])),
    responses((status = 200, description = "What the site answered, whatever its status")))]
pub(super) async fn pool_fetch(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(pool): Path<String>,
    Asked(asked): Asked<PoolFetch>,
    request: Request,
) -> Result<Response, Problem> {
    let pool = daemon.pools.named(&pool)?;
    let wished = NewLease {
        target: asked.target,
        wait: asked.wait,
        ..NewLease::default()
    };
    let (wish, wait) = wished.wish()?;
    let lease = grant(&pool, &wish, wait).await?;
    let lasting = lasting(&daemon, &pool, &lease)?;
    let asked = Fetch {
        url: asked.url,
        redirects: asked.redirects,
    };
    send(&daemon, lease, Some(lasting), &asked, request).await
}

/// Lets a lease last until what is answered is dropped, however long a body takes to pass.
fn lasting(daemon: &Daemon, pool: &Pool, lease: &Lease) -> Result<DropGuard, Problem> {
    lease.pin()?;
    let time = times::between(pool.now(), lease.until());
    let ended = CancellationToken::new();
    let extending = extend(pool.clone(), lease.id(), time);
    daemon
        .tasks
        .spawn(ended.clone().run_until_cancelled_owned(extending));
    Ok(ended.drop_guard())
}

async fn extend(pool: Pool, lease: LeaseId, time: Duration) {
    loop {
        sleep((time / 3).max(SHORTEST_PAUSE)).await;
        match pool.extend(lease, time).await {
            Ok(_until) => {}
            Err(PoolError::LeaseEnded) => return,
            Err(error) => {
                tracing::warn!(pool = %pool.name(), %error, "a lease could not be extended")
            }
        }
    }
}

/// Between two extensions.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The lease is held until the body has passed.
async fn send(
    daemon: &Daemon,
    lease: Lease,
    lasting: Option<DropGuard>,
    asked: &Fetch,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = fetch::for_site(asked, request, daemon.metrics.sent()).await?;
    let answer =
        fetch::measured(daemon, lease.send(wanted), |answer| answer.reply.verdict()).await?;
    let (name, generation) = (lease.name().to_string(), answer.reply.generation());
    let passing = Passing {
        _session: (lease, lasting),
        received: daemon.metrics.received(),
    };
    Ok(fetch::answer(answer.reply, &name, generation, passing))
}
