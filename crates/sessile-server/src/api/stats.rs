//! How the sessions are that this daemon serves: counts, ages, cookies.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sessile::renew::Kept;
use sessile_jar::Timestamp;
use utoipa::ToSchema;

use super::Daemon;
use super::extract::{Asked, MayRead};
use super::view::CookieView;
use crate::open::Glance;
use crate::problem::{Kind, Problem};
use crate::times;

/// Which pool. Without one all that this daemon serves.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfPool {
    /// The pool's name.
    pub(super) pool: Option<String>,
}

/// The sessions in numbers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionStats {
    total_sessions: usize,
    /// Those in use at this moment.
    active_sessions: usize,
    /// Those whose login holds as far as is known.
    valid_sessions: usize,
    /// In minutes, since the last login.
    average_age: f64,
    /// In minutes, since the last login.
    oldest_session: f64,
}

impl SessionStats {
    fn of(glances: &[Glance], now: Timestamp) -> Self {
        let ages = glances
            .iter()
            .map(|glance| times::between(glance.since, now));
        let total: f64 = ages.clone().map(|age| age.as_secs_f64()).sum();
        let count = u32::try_from(glances.len()).unwrap_or(u32::MAX);
        let average = total / f64::from(count.max(1));
        Self {
            total_sessions: glances.len(),
            active_sessions: glances.iter().filter(|glance| glance.is_active).count(),
            valid_sessions: glances.iter().filter(|glance| glance.is_valid).count(),
            average_age: times::minutes(std::time::Duration::from_secs_f64(average)),
            oldest_session: times::minutes(ages.max().unwrap_or_default()),
        }
    }
}

/// The sessions in numbers.
#[utoipa::path(get, path = "/api/sessions/stats", tag = "sessions", params(OfPool),
    security(("token" = ["read"])),
    responses((status = 200, body = SessionStats, description = "Ages are in minutes")))]
pub(super) async fn sessions(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
) -> Result<Json<SessionStats>, Problem> {
    let glances = asked.glances(&daemon)?;
    Ok(Json(SessionStats::of(&glances, daemon.now())))
}

/// Sessions in use at this moment.
#[derive(Serialize, ToSchema)]
pub(super) struct ActiveSessions {
    /// The first hundred, by name.
    sessions: Vec<ActiveSession>,
    /// How many there are in all.
    total: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveSession {
    name: String,
    /// Since the last login.
    age_minutes: f64,
    /// Whether its login holds as far as is known.
    valid: bool,
}

/// The sessions in use at this moment.
#[utoipa::path(get, path = "/api/sessions/active", tag = "sessions", params(OfPool),
    security(("token" = ["read"])),
    responses((status = 200, body = ActiveSessions, description = "At most a hundred of them")))]
pub(super) async fn active(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
) -> Result<Json<ActiveSessions>, Problem> {
    let mut active = asked.glances(&daemon)?;
    active.retain(|glance| glance.is_active);
    active.sort_by(|a, b| a.name.cmp(&b.name));
    let now = daemon.now();
    let shown = active.iter().take(SHOWN).map(|glance| ActiveSession {
        name: glance.name.to_string(),
        age_minutes: times::minutes(times::between(glance.since, now)),
        valid: glance.is_valid,
    });
    Ok(Json(ActiveSessions {
        sessions: shown.collect(),
        total: active.len(),
    }))
}

impl OfPool {
    fn glances(&self, daemon: &Daemon) -> Result<Vec<Glance>, Problem> {
        self.refuse_unknown()?;
        Ok(daemon.sessions.glances())
    }

    fn kept(&self, daemon: &Daemon) -> Result<Vec<Kept>, Problem> {
        self.refuse_unknown()?;
        Ok(daemon.sessions.kept())
    }

    fn refuse_unknown(&self) -> Result<(), Problem> {
        match &self.pool {
            None => Ok(()),
            Some(pool) => Err(Problem::new(
                Kind::UnknownPool,
                format!("there is no pool `{pool}`"),
            )),
        }
    }
}

/// How many are listed.
const SHOWN: usize = 100;

/// Sessions and their cookies in numbers.
#[derive(Serialize, ToSchema)]
pub(super) struct CookieStats {
    sessions: SessionStats,
    cookies: CookieCounts,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CookieCounts {
    /// Sessions that have a `Cookie` header to send.
    cached_headers: usize,
    /// When cookies were last thrown away or asked for anew.
    #[schema(required = true)]
    last_cookie_reset: Option<String>,
    captured_state: CapturedState,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CapturedState {
    has_cookies: bool,
    cookie_count: usize,
    /// When the last cookie came.
    #[schema(required = true)]
    last_refresh: Option<String>,
}

/// Sessions and their cookies in numbers.
#[utoipa::path(get, path = "/api/cookies/stats", tag = "cookies", params(OfPool),
    security(("token" = ["read"])),
    responses((status = 200, body = CookieStats, description = "Counts and times")))]
pub(super) async fn cookies(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
) -> Result<Json<CookieStats>, Problem> {
    let kept = asked.kept(&daemon)?;
    let jars = kept.iter().map(|kept| {
        kept.session().read(|state| {
            let changes = state.jar().iter().map(|cookie| cookie.changed());
            (state.jar().len(), changes.max())
        })
    });
    let jars: Vec<_> = jars.collect();
    let count = jars.iter().map(|(cookies, _changed)| cookies).sum();
    let last = jars.iter().filter_map(|(_cookies, changed)| *changed).max();
    Ok(Json(CookieStats {
        sessions: SessionStats::of(&asked.glances(&daemon)?, daemon.now()),
        cookies: CookieCounts {
            cached_headers: jars.iter().filter(|(cookies, _)| *cookies > 0).count(),
            last_cookie_reset: daemon.last_reset().map(times::text),
            captured_state: CapturedState {
                has_cookies: count > 0,
                cookie_count: count,
                last_refresh: last.map(times::text),
            },
        },
    }))
}

/// The cookies that came last, without their values.
#[derive(Serialize, ToSchema)]
pub(super) struct RecentCookies {
    /// The last hundred, latest first.
    cookies: Vec<RecentCookie>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RecentCookie {
    /// Whose it is.
    session: String,
    /// When it came.
    changed: String,
    #[serde(flatten)]
    cookie: CookieView,
}

/// The cookies that came last, without their values.
#[utoipa::path(get, path = "/api/cookies/recent", tag = "cookies", params(OfPool),
    security(("token" = ["read"])),
    responses((status = 200, body = RecentCookies, description = "At most a hundred of them")))]
pub(super) async fn recent(
    _may: MayRead,
    State(daemon): State<Daemon>,
    Asked(asked): Asked<OfPool>,
) -> Result<Json<RecentCookies>, Problem> {
    let mut all: Vec<(Timestamp, RecentCookie)> = Vec::new();
    for kept in asked.kept(&daemon)? {
        kept.session().read(|state| {
            all.extend(state.jar().iter().map(|cookie| {
                let recent = RecentCookie {
                    session: kept.name().to_string(),
                    changed: times::text(cookie.changed()),
                    cookie: CookieView::of(cookie),
                };
                (cookie.changed(), recent)
            }));
        });
    }
    all.sort_by_key(|(changed, _cookie)| Reverse(*changed));
    let cookies = all.into_iter().take(SHOWN).map(|(_changed, cookie)| cookie);
    Ok(Json(RecentCookies {
        cookies: cookies.collect(),
    }))
}
