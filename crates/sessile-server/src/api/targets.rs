//! The sessions of targets: an event, a channel, a customer, each with a session of its own.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use sessile::Request;
use sessile::pool::{Target, Wish};
use sessile::transport::Proxy;
use utoipa::ToSchema;

use super::Daemon;
use super::extract::{Asked, MayRead, MayUse, MaybeGiven};
use super::pools::MemberView;
use super::stats::OfPool;
use crate::faults::of_pool;
use crate::problem::{Kind, Problem};

/// The session of a target.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetView {
    event_id: String,
    pool: String,
    #[serde(flatten)]
    session: MemberView,
}

/// The session of a target, which may be an event, a channel or a customer.
#[utoipa::path(get, path = "/api/sessions/event/{eventId}", tag = "pools",
    params(("eventId" = String, Path, description = "The target"), OfPool),
    security(("token" = ["read"])),
    responses((status = 200, body = TargetView, description = "Its session")))]
pub(super) async fn show(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
    Asked(asked): Asked<OfPool>,
) -> Result<Json<TargetView>, Problem> {
    let pools = daemon.pools.some(asked.pool.as_deref())?;
    let target = target(&id)?;
    let found = pools
        .iter()
        .find_map(|pool| Some((pool, pool.target(&target).into_iter().next()?)));
    let Some((pool, member)) = found else {
        return Err(no_session(&id));
    };
    Ok(Json(TargetView {
        event_id: id,
        pool: pool.name().to_string(),
        session: MemberView::of(&member),
    }))
}

fn no_session(id: &str) -> Problem {
    let detail = format!("target `{id}` has no session here; POST makes one");
    Problem::new(Kind::UnknownSession, detail)
}

/// A target, as a person or a program names it.
pub(super) fn target(id: &str) -> Result<Target, Problem> {
    let is_fine = (1..=256).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    match is_fine {
        true => Ok(Target::new(id)),
        false => Err(Problem::new(
            Kind::BadRequest,
            "a target has 1 to 256 characters, none of them a control character",
        )),
    }
}

/// What the session of a target is made with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTarget {
    /// The proxy that it goes through, as `http://user:password@host:port`.
    #[schema(format = Password)]
    proxy: Option<String>,
    /// A page to visit first, before the answer comes.
    url: Option<String>,
}

/// Sees to it that a target has a session of its own, and waits for it for at most a minute.
#[utoipa::path(post, path = "/api/sessions/event/{eventId}", tag = "pools",
    params(("eventId" = String, Path, description = "The target"), OfPool),
    request_body = Option<NewTarget>,
    security(("token" = ["use"])),
    responses((status = 200, body = TargetView, description = "Its session, ready to be leased")))]
pub(super) async fn ensure(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Path(id): Path<String>,
    Asked(asked): Asked<OfPool>,
    MaybeGiven(given): MaybeGiven<NewTarget>,
) -> Result<Json<TargetView>, Problem> {
    let pool = daemon.pools.one(asked.pool.as_deref())?;
    let (target, given) = (target(&id)?, given.unwrap_or_default());
    let proxy = given
        .proxy
        .map(|proxy| proxy.parse::<Proxy>())
        .transpose()?;
    let busy = |error| of_pool(error, pool.now());
    pool.ensure_target(&target, proxy).await.map_err(busy)?;
    let wish = Wish::default().target(target.clone());
    let lease = pool.lease(&wish, MAKING).await.map_err(busy)?;
    if let Some(url) = given.url {
        lease.send(Request::get(url)).await?;
    }
    drop(lease);
    let member = pool.target(&target).into_iter().next();
    let member = member.ok_or_else(|| no_session(&id))?;
    Ok(Json(TargetView {
        event_id: id,
        pool: pool.name().to_string(),
        session: MemberView::of(&member),
    }))
}

/// How long a session may take to be made.
const MAKING: Duration = Duration::from_secs(60);
