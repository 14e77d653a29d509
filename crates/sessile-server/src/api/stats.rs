//! How the sessions are that this daemon serves: counts, ages, cookies.

use std::cmp::Reverse;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sessile::pool::{MemberInfo, Phase, Pool};
use sessile::renew::Kept;
use sessile_jar::Timestamp;
use utoipa::ToSchema;

use super::Daemon;
use super::extract::{Asked, MayRead};
use super::view::CookieView;
use crate::open::Glance;
use crate::problem::Problem;
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
#[derive(Default, Serialize, ToSchema)]
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
    pub(super) fn total(&self) -> usize {
        self.total_sessions
    }

    pub(super) fn active(&self) -> usize {
        self.active_sessions
    }

    pub(super) fn valid(&self) -> usize {
        self.valid_sessions
    }

    /// Those that are open and in no pool.
    pub(super) fn outside_pools(daemon: &Daemon) -> Self {
        let (glances, now) = (daemon.sessions.glances(), daemon.now());
        let ages = glances
            .iter()
            .map(|glance| times::between(glance.since, now));
        let sum: f64 = ages.clone().map(|age| age.as_secs_f64()).sum();
        Self {
            total_sessions: glances.len(),
            active_sessions: glances.iter().filter(|glance| glance.is_active).count(),
            valid_sessions: glances.iter().filter(|glance| glance.is_valid).count(),
            average_age: minutes(sum / number(glances.len())),
            oldest_session: times::minutes(ages.max().unwrap_or_default()),
        }
    }

    pub(super) fn of_pool(pool: &Pool) -> Self {
        let stats = pool.stats();
        Self {
            total_sessions: stats.total,
            active_sessions: stats.active,
            valid_sessions: stats.valid,
            average_age: times::minutes(stats.average_age),
            oldest_session: times::minutes(stats.oldest),
        }
    }

    fn of(asked: &OfPool, daemon: &Daemon) -> Result<Self, Problem> {
        let pools = daemon.pools.some(asked.pool.as_deref())?;
        let start = match &asked.pool {
            Some(_) => Self::default(),
            None => Self::outside_pools(daemon),
        };
        Ok(pools
            .iter()
            .map(Self::of_pool)
            .fold(start, |all, one| all.and(&one)))
    }

    fn and(self, other: &Self) -> Self {
        let (mine, theirs) = (self.total_sessions, other.total_sessions);
        let ages = self.average_age * number(mine) + other.average_age * number(theirs);
        Self {
            total_sessions: mine + theirs,
            active_sessions: self.active_sessions + other.active_sessions,
            valid_sessions: self.valid_sessions + other.valid_sessions,
            average_age: minutes(60.0 * ages / number(mine + theirs)),
            oldest_session: self.oldest_session.max(other.oldest_session),
        }
    }
}

/// A count to divide by.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX).max(1))
}

fn minutes(seconds: f64) -> f64 {
    times::minutes(Duration::try_from_secs_f64(seconds).unwrap_or_default())
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
    SessionStats::of(&asked, &daemon).map(Json)
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
    /// None for one that belongs to no pool.
    #[schema(required = true)]
    pool: Option<String>,
    #[schema(required = true)]
    target: Option<String>,
    /// Since the last login.
    age_minutes: f64,
    /// Whether its login holds as far as is known.
    valid: bool,
    /// How many use it.
    leases: u32,
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
    let mut active = Vec::new();
    for pool in daemon.pools.some(asked.pool.as_deref())? {
        // Most often there are none, which costs nothing to know.
        if pool.stats().state.leases > 0 {
            let members = pool
                .members()
                .into_iter()
                .filter(|member| member.leases > 0);
            active.extend(members.map(|member| ActiveSession::of_member(&pool, &member)));
        }
    }
    if asked.pool.is_none() {
        let now = daemon.now();
        let open = daemon
            .sessions
            .glances()
            .into_iter()
            .filter(|glance| glance.is_active);
        active.extend(open.map(|glance| ActiveSession::of_open(&glance, now)));
    }
    active.sort_by(|a, b| a.name.cmp(&b.name));
    let total = active.len();
    active.truncate(SHOWN);
    Ok(Json(ActiveSessions {
        sessions: active,
        total,
    }))
}

impl ActiveSession {
    fn of_member(pool: &Pool, member: &MemberInfo) -> Self {
        Self {
            name: member.session.to_string(),
            pool: Some(pool.name().to_string()),
            target: member.target.as_ref().map(ToString::to_string),
            age_minutes: times::minutes(member.age),
            valid: matches!(member.phase, Phase::Leased | Phase::Ready),
            leases: member.leases,
        }
    }

    fn of_open(glance: &Glance, now: Timestamp) -> Self {
        Self {
            name: glance.name.to_string(),
            pool: None,
            target: None,
            age_minutes: times::minutes(times::between(glance.since, now)),
            valid: glance.is_valid,
            leases: glance.running,
        }
    }
}

impl OfPool {
    /// The sessions that are open here.
    fn kept(&self, daemon: &Daemon) -> Result<Vec<Kept>, Problem> {
        let pools = daemon.pools.some(self.pool.as_deref())?;
        let mut kept: Vec<Kept> = pools.iter().flat_map(Pool::sessions).collect();
        if self.pool.is_none() {
            kept.extend(daemon.sessions.kept());
        }
        Ok(kept)
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
        sessions: SessionStats::of(&asked, &daemon)?,
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
    let mut last: Vec<(Timestamp, RecentCookie)> = Vec::new();
    for kept in asked.kept(&daemon)? {
        add_recent(&mut last, &kept);
    }
    let cookies = last.into_iter().map(|(_changed, cookie)| cookie);
    Ok(Json(RecentCookies {
        cookies: cookies.collect(),
    }))
}

/// Adds a session's cookies to those that came last; only those that may stay are looked at closely.
fn add_recent(last: &mut Vec<(Timestamp, RecentCookie)>, kept: &Kept) {
    let least = last.get(SHOWN - 1).map(|(changed, _cookie)| *changed);
    let before = last.len();
    kept.session().read(|state| {
        let cookies = state.jar().iter();
        let mut later: Vec<_> = cookies
            .filter(|cookie| least.is_none_or(|least| cookie.changed() > least))
            .collect();
        later.sort_by_key(|cookie| Reverse(cookie.changed()));
        last.extend(later.into_iter().take(SHOWN).map(|cookie| {
            let recent = RecentCookie {
                session: kept.name().to_string(),
                changed: times::text(cookie.changed()),
                cookie: CookieView::of(cookie),
            };
            (cookie.changed(), recent)
        }));
    });
    if last.len() > before {
        last.sort_by_key(|(changed, _cookie)| Reverse(*changed));
        last.truncate(SHOWN);
    }
}
