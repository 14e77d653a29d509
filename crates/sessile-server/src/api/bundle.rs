//! What a session is made of, for programs that send by themselves. Here secrets are handed out:
//! that is what is asked for.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, Method, header};
use serde::{Deserialize, Serialize};
use sessile::Request;
use sessile::record::Record;
use sessile::renew::Kept;
use sessile::store::Name;
use sessile_jar::Timestamp;
use url::Url;
use utoipa::ToSchema;

use super::Daemon;
use super::extract::{Asked, MayUse, Named};
use super::view::{CookieView, RefusalView};
use crate::fetch::VerdictName;
use crate::open::InUse;
use crate::problem::{Kind, Problem};
use crate::times;

/// For which request.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ForRequest {
    /// The URL that will be asked for.
    url: String,
    /// The method. Defaults to GET.
    method: Option<String>,
}

/// A header as it is to be sent.
#[derive(Serialize, ToSchema)]
pub(super) struct Header {
    name: String,
    value: String,
}

/// What is known of a login that is handed out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginSeen {
    /// What the last reply or check that this daemon saw says of the session; none where there was
    /// none, and for sessions of pools, whose pool looks after them.
    #[schema(required = true)]
    verdict: Option<&'static str>,
    #[schema(required = true)]
    last_refusal: Option<RefusalView>,
}

impl LoginSeen {
    /// Whoever gets a login that is known to be dead is told, and so is the log.
    fn of(kept: &Kept, record: &Record, verdict: Option<VerdictName>) -> Self {
        let refusal = record.last.refusal.as_ref();
        let verdict_name = verdict.map(VerdictName::as_str);
        if refusal.is_some() || verdict.is_some_and(|verdict| !verdict.is_for_session()) {
            tracing::warn!(
                session = %kept.name(),
                verdict = verdict_name,
                is_refused = refusal.is_some(),
                "a login is handed out that doesn't hold any more"
            );
        }
        Self {
            verdict: verdict_name,
            last_refusal: refusal.map(RefusalView::of),
        }
    }
}

/// The headers of one request.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Headers {
    session: String,
    /// Counts the logins: headers of an older one are good for nothing.
    generation: u64,
    /// In the order in which they are to be sent; `Cookie` is among them, `Host` is not.
    headers: Vec<Header>,
    /// When the first of its cookies or its token ends; none where nothing is known to end.
    #[schema(required = true)]
    expires: Option<String>,
    #[serde(flatten)]
    seen: LoginSeen,
}

/// The headers that a request to a URL carries at this moment.
#[utoipa::path(get, path = "/api/sessions/{name}/headers", tag = "sessions",
    params(("name" = String, Path, description = "The session"), ForRequest),
    security(("token" = ["use"])),
    responses((status = 200, body = Headers, description = "Headers, with their secrets")))]
pub(super) async fn headers(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Named(name): Named,
    Asked(asked): Asked<ForRequest>,
) -> Result<Json<Headers>, Problem> {
    let session = up_to_date(&daemon, &name).await?;
    headers_of(session.kept(), &asked, session.verdict()).map(Json)
}

pub(super) fn headers_of(
    kept: &Kept,
    asked: &ForRequest,
    verdict: Option<VerdictName>,
) -> Result<Headers, Problem> {
    let method = asked.method.as_deref().unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_not_a_token| Problem::new(Kind::BadRequest, "`method` isn't one"))?;
    let headers = kept
        .session()
        .headers_of(Request::new(method, &asked.url))?;
    let record = kept.record();
    Ok(Headers {
        session: kept.name().to_string(),
        generation: record.state.generation(),
        headers: listed(&headers),
        expires: expires(&record).map(times::text),
        seen: LoginSeen::of(kept, &record, verdict),
    })
}

async fn up_to_date(daemon: &Daemon, name: &Name) -> Result<InUse, Problem> {
    let session = daemon.session(name).await?;
    let brought = session.kept().bring_up_to_date().await;
    brought.map_err(|error| daemon.failed(name, error))?;
    Ok(session)
}

/// Everything but `Host`, which whoever sends knows.
fn listed(headers: &HeaderMap) -> Vec<Header> {
    let all = headers.iter().filter(|(name, _)| **name != header::HOST);
    all.map(|(name, value)| Header {
        name: name.to_string(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    })
    .collect()
}

/// When the first of what it is made of ends.
fn expires(record: &Record) -> Option<Timestamp> {
    let cookies = record
        .state
        .jar()
        .iter()
        .filter_map(|cookie| cookie.expires());
    let token = record.tokens.as_ref().and_then(|tokens| tokens.expires);
    cookies.chain(token).min()
}

/// Everything that another program needs to use the session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    session: String,
    /// Counts the logins.
    generation: u64,
    #[schema(required = true)]
    base_url: Option<String>,
    #[schema(required = true)]
    user_agent: Option<String>,
    /// The headers of a request for the base URL, without `Host` and `Cookie`, in order.
    headers: Vec<Header>,
    cookies: Vec<BundledCookie>,
    /// With its login.
    #[schema(required = true)]
    proxy: Option<String>,
    /// When the first of its cookies or its token ends.
    #[schema(required = true)]
    expires: Option<String>,
    /// Where the next bundle is.
    next: String,
    #[serde(flatten)]
    seen: LoginSeen,
}

#[derive(Serialize, ToSchema)]
pub(super) struct BundledCookie {
    #[serde(flatten)]
    scope: CookieView,
    value: String,
}

/// Everything that another program needs to use the session by itself.
#[utoipa::path(get, path = "/api/sessions/{name}/bundle", tag = "sessions",
    params(("name" = String, Path, description = "The session")),
    security(("token" = ["use"])),
    responses((status = 200, body = Bundle, description = "The session, with its secrets")))]
pub(super) async fn bundle(
    _may: MayUse,
    State(daemon): State<Daemon>,
    Named(name): Named,
) -> Result<Json<Bundle>, Problem> {
    let session = up_to_date(&daemon, &name).await?;
    bundle_of(session.kept(), own_path(&name), session.verdict()).map(Json)
}

/// The path of a session's bundle.
fn own_path(name: &Name) -> String {
    let mut url = Url::parse("http://localhost/api/sessions").expect("it is one");
    if let Ok(mut path) = url.path_segments_mut() {
        // The `-` is right before every name.
        path.push(&format!("-{name}")).push("bundle");
    }
    url.path().to_owned()
}

pub(super) fn bundle_of(
    kept: &Kept,
    next: String,
    verdict: Option<VerdictName>,
) -> Result<Bundle, Problem> {
    let record = kept.record();
    let state = &record.state;
    let base = state
        .base_url()
        .or_else(|| Some(record.login.as_ref()?.how.start()));
    let mut headers = match base {
        Some(url) => kept.session().headers_of(Request::get(url.as_str()))?,
        None => state.profile().headers(),
    };
    headers.remove(header::COOKIE);
    let user_agent = headers.get(header::USER_AGENT);
    Ok(Bundle {
        session: kept.name().to_string(),
        generation: state.generation(),
        base_url: state.base_url().map(Url::to_string),
        user_agent: user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        headers: listed(&headers),
        cookies: state
            .jar()
            .iter()
            .map(|cookie| BundledCookie {
                value: cookie.value_lossy().into_owned(),
                scope: CookieView::of(cookie),
            })
            .collect(),
        proxy: state.proxy().map(|proxy| proxy.url().expose().clone()),
        expires: expires(&record).map(times::text),
        next,
        seen: LoginSeen::of(kept, &record, verdict),
    })
}
