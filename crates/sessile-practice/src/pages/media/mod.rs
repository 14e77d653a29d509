//! Media: the files behind their doors, the pages that lead to them, and what goes wrong.
//!
//! `/media/DOOR/STREAM/FILE` is a file, `/media/page/DOOR/STREAM/FORM` a page that leads to it.

mod body;
mod door;
mod files;
mod forms;
mod range;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::media::Fault;
use crate::visit::bearer;
use crate::world::World;

pub(super) use body::Broken;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_practice/fault", post(add_fault))
        .route("/media/{door}/{stream}/{file}", get(files::file))
        .route("/media/api/{door}/{stream}", get(forms::api))
        .route("/media/page/{door}/{stream}/{form}", get(forms::page))
}

/// Takes what is to go wrong.
async fn add_fault(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    fault: Result<Json<Fault>, JsonRejection>,
) -> Response {
    if !bearer(&headers).is_some_and(|token| world.is_admin(token)) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    match fault {
        Ok(Json(fault)) => {
            world.media.add_fault(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => rejection.into_response(),
    }
}
