//! The public pages: home, search, and what isn't there.

use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use serde::Deserialize;

use super::layout::Page;
use crate::visit::Visit;
use crate::world::World;

/// Pages worth a link on the home page.
const TOUR: &[(&str, &str)] = &[
    ("/login", "log in"),
    ("/two-step/login", "log in, in two steps"),
    ("/meta/login", "log in, token in a meta element"),
    ("/script/login", "log in, token in a script"),
    ("/js/login", "log in, form made by a script"),
    ("/checked", "a page for browsers that run scripts"),
    ("/app", "a page whose login is in the browser's storage"),
    ("/two-forms", "log in, or register"),
    ("/multi/login", "log in, with many fields"),
    (
        "/parts/login",
        "log in, in parts that a script puts together",
    ),
    ("/totp/field/login", "log in, with a code"),
    ("/totp", "the second factor’s secret"),
    ("/members", "members: a redirect for strangers"),
    ("/members/plain", "members: a sentence for strangers"),
    ("/members/soft", "members: a login form for strangers"),
    ("/members/subtle", "members: nearly the same for strangers"),
    ("/media/page/open/vod/video", "a film for everybody"),
    ("/media/page/gate/vod/source", "a film for members"),
    (
        "/media/page/signed/clip/og",
        "a film behind a link that ends",
    ),
];

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/", get(home))
        .route("/no-form", get(no_form))
        .route("/search", get(search))
}

pub(super) async fn not_found(visit: Visit) -> Response {
    let body = html! { p { "There is no such page." } };
    let page = Page::new("Not found", visit.user.as_deref(), body);
    (StatusCode::NOT_FOUND, page).into_response()
}

async fn home(visit: Visit) -> Response {
    let body = html! {
        p { "A public page. To see more, " a href="/login" { "log in" } "." }
        ul { @for (path, what) in TOUR { li { a href=(path) { (what) } } } }
    };
    Page::new("Welcome", visit.user.as_deref(), body).into_response()
}

async fn search(visit: Visit, Query(search): Query<Search>) -> Response {
    let body = html! { p { "Nothing was found for “" (search.q) "”." } };
    Page::new("Search", visit.user.as_deref(), body).into_response()
}

async fn no_form(visit: Visit) -> Response {
    let body = html! { p { "A page with nothing to fill in but the search." } };
    Page::new("No form", visit.user.as_deref(), body).into_response()
}
