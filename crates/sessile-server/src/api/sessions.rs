//! Stored sessions: which there are, what one is, its end.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use sessile::renew::{Kept, KeptOptions, Mode};
use sessile::store::Name;

use super::Daemon;
use super::extract::{Asked, May, MayManage, MayRead, Named};
use super::view::{SessionList, SessionRow, SessionView};
use crate::faults::unknown_session;
use crate::problem::{Kind, Problem};

/// Which part of a long list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// How many at most, 1 to 1000. Defaults to 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only those whose name comes after this one.
    after: Option<String>,
}

impl Part {
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(100) {
            limit @ 1..=1000 => Ok(limit as usize),
            _ => Err(Problem::new(Kind::BadRequest, "`limit` is 1 to 1000")),
        }
    }

    pub(super) fn is_after(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| name > after)
    }
}

/// Lists the stored sessions, by name.
#[utoipa::path(get, path = "/api/sessions", tag = "sessions", params(Part),
    security(("token" = ["read"])),
    responses((status = 200, body = SessionList, description = "Some of them, in the order of their names")))]
pub(super) async fn list(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Asked(part): Asked<Part>,
) -> Result<Json<SessionList>, Problem> {
    let limit = part.limit()?;
    let rows = daemon.vault.list().await?;
    let mut rows = rows.iter().filter(|row| part.is_after(row.name.as_str()));
    let sessions: Vec<_> = rows.by_ref().take(limit).collect();
    let last = sessions.last().map(|row| row.name.to_string());
    let next = rows.next().and(last);
    let sessions = sessions.into_iter().map(SessionRow::of).collect();
    Ok(Json(SessionList { sessions, next }))
}

/// Shows a stored session, its secrets masked.
///
/// A name that is one of `active`, `event`, `rotate`, `stats` and `validate` is written with a `-`
/// before it, here and in all paths of sessions.
#[utoipa::path(get, path = "/api/sessions/{name}", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    security(("token" = ["read"])),
    responses((status = 200, body = SessionView, description = "The session")))]
pub(super) async fn show(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Named(name): Named,
) -> Result<Json<SessionView>, Problem> {
    let kept = look_at(&daemon, &name).await?;
    Ok(Json(SessionView::of(&name, &kept.record(), daemon.now())))
}

/// A stored session that is neither used nor changed.
pub(super) async fn look_at(daemon: &Daemon, name: &Name) -> Result<Kept, Problem> {
    let mut options = KeptOptions::default();
    options.mode = Mode::ReadOnly;
    Ok(Kept::open(&daemon.vault, name, options).await?)
}

/// Removes a stored session. What still runs with it fails.
#[utoipa::path(delete, path = "/api/sessions/{name}", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    security(("token" = ["manage"])),
    responses((status = 204, description = "It is gone")))]
pub(super) async fn delete(
    May(caller): MayManage,
    State(daemon): State<Daemon>,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    daemon.outside_pools(&name)?;
    if !daemon.vault.remove(&name).await? {
        return Err(unknown_session(name.as_str()));
    }
    daemon.let_go(&name);
    tracing::info!(session = %name, caller = %caller.name, "removed");
    daemon.tell(daemon.event("removed").session(&name));
    Ok(StatusCode::NO_CONTENT)
}
