//! Sessions as the API shows them: every secret masked.

use serde::Serialize;
use sessile::record::{KeptRefusal, Record};
use sessile::store::{Name, RowSummary};
use sessile::transport::Proxy;
use sessile::{Authorization, ShownUrl};
use sessile_jar::{Cookie, SameSite, Timestamp};
use utoipa::ToSchema;

use crate::times;

/// A stored session, as it is known without opening it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionRow {
    name: String,
    /// Counts the logins.
    generation: u64,
    created: String,
    updated: String,
}

/// Stored sessions, by name.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionList {
    pub(super) sessions: Vec<SessionRow>,
    /// What to ask for as `after` to get those that come next; none after the last.
    #[schema(required = true)]
    pub(super) next: Option<String>,
}

/// One stored session. Values that may be secret aren't there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionView {
    name: String,
    /// Stays the same whatever the session is called.
    id: String,
    /// Counts the logins.
    generation: u64,
    created: String,
    /// Since it was logged in last or, never logged in, made.
    age_minutes: f64,
    #[schema(required = true)]
    last_login: Option<String>,
    #[schema(required = true)]
    last_check: Option<CheckView>,
    #[schema(required = true)]
    last_refusal: Option<RefusalView>,
    #[schema(required = true)]
    user: Option<String>,
    #[schema(required = true)]
    login_page: Option<String>,
    #[schema(required = true)]
    base_url: Option<String>,
    profile: String,
    /// Without its login.
    #[schema(required = true)]
    proxy: Option<String>,
    /// Which kind: `basic`, `bearer`, `digest` or `header`.
    #[schema(required = true)]
    authorization: Option<&'static str>,
    password_remembered: bool,
    otp_remembered: bool,
    requests: u64,
    replies: u64,
    /// The names of the headers that were set for it.
    headers: Vec<String>,
    cookies: Vec<CookieView>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct CheckView {
    at: String,
    /// In words.
    found: String,
}

/// A login that the site refused, after which none worked.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusalView {
    at: String,
    /// In the site's words.
    message: String,
}

/// A cookie without its value.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CookieView {
    pub(super) name: String,
    pub(super) domain: String,
    /// Whether it goes to that very host only.
    pub(super) host_only: bool,
    pub(super) path: String,
    /// None: with the session.
    #[schema(required = true)]
    pub(super) expires: Option<String>,
    pub(super) created: String,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    /// `strict`, `lax`, `none` or `default`.
    pub(super) same_site: &'static str,
    /// The top-level site that it belongs to, where it is partitioned.
    #[schema(required = true)]
    pub(super) partition: Option<String>,
}

impl SessionRow {
    pub(super) fn of(row: &RowSummary) -> Self {
        Self {
            name: row.name.to_string(),
            generation: row.generation,
            created: times::text(row.created),
            updated: times::text(row.updated),
        }
    }
}

impl SessionView {
    pub(super) fn of(name: &Name, record: &Record, now: Timestamp) -> Self {
        let (state, last) = (&record.state, &record.last);
        let login = record.login.as_ref();
        let since = last.login.unwrap_or(record.created);
        let credentials = login.map(|login| &login.credentials);
        Self {
            name: name.to_string(),
            id: record.id.clone(),
            generation: state.generation(),
            created: times::text(record.created),
            age_minutes: times::minutes(times::between(since, now)),
            last_login: last.login.map(times::text),
            last_check: last.check.as_ref().map(|(at, found)| CheckView {
                at: times::text(*at),
                found: found.clone(),
            }),
            last_refusal: last.refusal.as_ref().map(RefusalView::of),
            user: credentials.map(|credentials| credentials.user.clone()),
            login_page: login.map(|login| ShownUrl(login.how.start()).to_string()),
            base_url: state.base_url().map(|url| ShownUrl(url).to_string()),
            profile: state.profile().to_string(),
            proxy: state.proxy().map(Proxy::to_string),
            authorization: state.authorization().map(Authorization::kind),
            password_remembered: credentials.is_some_and(|kept| kept.password.is_some()),
            otp_remembered: credentials.is_some_and(|kept| kept.otp.is_some()),
            requests: state.counts().requests,
            replies: state.counts().replies,
            headers: state
                .headers()
                .iter()
                .map(|(name, _)| name.to_string())
                .collect(),
            cookies: state.jar().iter().map(CookieView::of).collect(),
        }
    }
}

impl RefusalView {
    pub(super) fn of(refusal: &KeptRefusal) -> Self {
        Self {
            at: times::text(refusal.at),
            message: refusal.message.clone(),
        }
    }
}

impl CookieView {
    pub(super) fn of(cookie: Cookie<'_>) -> Self {
        Self {
            name: cookie.name_lossy().into_owned(),
            domain: cookie.domain().to_owned(),
            host_only: cookie.is_host_only(),
            path: String::from_utf8_lossy(cookie.path()).into_owned(),
            expires: cookie.expires().map(times::text),
            created: times::text(cookie.created()),
            secure: cookie.is_secure(),
            http_only: cookie.is_http_only(),
            same_site: same_site(cookie.same_site()),
            partition: cookie
                .partition()
                .map(|partition| partition.site().to_owned()),
        }
    }
}

fn same_site(rule: SameSite) -> &'static str {
    match rule {
        SameSite::Default => "default",
        SameSite::Lax => "lax",
        SameSite::None => "none",
        SameSite::Strict => "strict",
    }
}
