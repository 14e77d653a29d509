//! A JSON interface behind bearer tokens.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::Entered;
use crate::visit::bearer;
use crate::world::{Refusal, World};

/// Far more than a demo posts; it only bounds what the site keeps.
const MOST_ITEMS: usize = 100_000;

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

#[derive(Deserialize)]
struct WithCode {
    #[serde(flatten)]
    credentials: Credentials,
    code: String,
}

/// The user whose token came along.
struct Holder(String);

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/login", post(login))
        .route("/api/totp/login", post(login_with_code))
        .route("/api/me", get(me))
        .route("/api/items", get(items).post(add_item))
}

async fn login(
    State(world): State<Arc<World>>,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Response {
    let Json(Credentials { user, password }) = match credentials {
        Ok(credentials) => credentials,
        Err(rejection) => return unreadable(&rejection),
    };
    match world.try_password(&user, &password) {
        Ok(user) => granted(&world, &user),
        Err(refusal) => refused(refusal),
    }
}

/// The same with a code of the second factor, in one request.
async fn login_with_code(
    State(world): State<Arc<World>>,
    given: Result<Json<WithCode>, JsonRejection>,
) -> Response {
    let Json(WithCode { credentials, code }) = match given {
        Ok(given) => given,
        Err(rejection) => return unreadable(&rejection),
    };
    let user = match world.check_password(&credentials.user, &credentials.password) {
        Ok(user) => user,
        Err(refusal) => return refused(refusal),
    };
    match world.try_code("", &user, &code) {
        Ok(()) => granted(&world, &user),
        Err(refusal) => refused(refusal),
    }
}

fn granted(world: &World, user: &str) -> Response {
    let (token, lifetime) = world.open_token(user);
    let grant = json!({ "token": token, "expires_in": lifetime.as_secs() });
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(grant)).into_response();
    response.extensions_mut().insert(Entered(user.to_owned()));
    response
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Locked => error(StatusCode::FORBIDDEN, "account_locked"),
        Refusal::TooMany(wait) => {
            let wait = [(RETRY_AFTER, wait.as_secs().max(1).to_string())];
            (
                wait,
                error(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
            )
                .into_response()
        }
        Refusal::UsedCode | Refusal::Wrong | Refusal::WrongCode => {
            error(StatusCode::UNAUTHORIZED, "invalid_credentials")
        }
    }
}

async fn me(Holder(user): Holder) -> Response {
    Json(json!({ "user": user })).into_response()
}

async fn items(State(world): State<Arc<World>>, _: Holder) -> Response {
    Json(json!({ "items": world.state().items })).into_response()
}

async fn add_item(
    State(world): State<Arc<World>>,
    Holder(user): Holder,
    item: Result<Json<Value>, JsonRejection>,
) -> Response {
    let Json(item) = match item {
        Ok(item) => item,
        Err(rejection) => return unreadable(&rejection),
    };
    let items = &mut world.state().items;
    if items.len() == MOST_ITEMS {
        return error(StatusCode::INSUFFICIENT_STORAGE, "full");
    }
    let stored = json!({ "id": items.len() + 1, "by": user, "item": item });
    items.push(stored.clone());
    (StatusCode::CREATED, Json(stored)).into_response()
}

impl FromRequestParts<Arc<World>> for Holder {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, Response> {
        // RFC 6750, section 3.1: no error code for a request that didn't try.
        let token = bearer(&parts.headers).ok_or_else(|| challenge("Bearer"))?;
        let user = world.token_user(token).map(Self);
        user.ok_or_else(|| challenge("Bearer error=\"invalid_token\""))
    }
}

fn challenge(scheme: &'static str) -> Response {
    let refused = error(StatusCode::UNAUTHORIZED, "invalid_token");
    ([(WWW_AUTHENTICATE, scheme)], refused).into_response()
}

fn unreadable(rejection: &JsonRejection) -> Response {
    let status = match rejection.status() {
        // JSON of the wrong shape is the same mistake to a client as no JSON.
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    error(status, "invalid_request")
}

fn error(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}
