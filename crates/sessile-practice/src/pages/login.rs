//! The ordinary login, and logging out.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::door::{self, Denial, Fields};
use super::layout::Page;
use crate::visit::{CSRF, SESSION, Visit, dropped_cookie};
use crate::world::World;

#[derive(Deserialize)]
struct Wish {
    next: Option<String>,
}

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/login", get(show).post(submit))
        .route("/logout", get(ask).post(leave))
}

/// The login form, which goes to `/login` from whatever page it is on. The
/// page must carry the visitor's seed cookie.
pub(super) fn form(token: &str, next: &str, denial: Option<&Denial>) -> Markup {
    html! {
        (door::alert(denial))
        form id="login" action="/login" method="post" {
            input type="hidden" name="csrf" value=(token);
            input type="hidden" name="next" value=(next);
            (door::name_input())
            (door::password_input())
            label class="inline" { input type="checkbox" name="remember" value="yes"; "Remember me" }
            button type="submit" name="action" value="login" { "Log in" }
        }
    }
}

/// The form that logs out.
pub(super) fn logout_form(token: &str) -> Markup {
    html! {
        form id="logout" action="/logout" method="post" {
            input type="hidden" name="csrf" value=(token);
            button type="submit" { "Log out" }
        }
    }
}

async fn show(State(world): State<Arc<World>>, visit: Visit, Query(wish): Query<Wish>) -> Response {
    page(&world, &visit, wish.next.as_deref(), None)
}

async fn submit(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    match door::admit(&world, &visit, &fields, fields.value("csrf")) {
        Ok(inside) => inside,
        Err(denial) => page(&world, &visit, fields.value("next"), Some(&denial)),
    }
}

fn page(world: &World, visit: &Visit, next: Option<&str>, denial: Option<&Denial>) -> Response {
    let next = next.filter(|next| door::is_local(next));
    let body = form(&visit.token(world), next.unwrap_or(door::INSIDE), denial);
    let page = Page::new("Log in", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

async fn ask(State(world): State<Arc<World>>, visit: Visit) -> Response {
    let body = logout_form(&visit.token(&world));
    let page = Page::new("Log out", visit.user.as_deref(), body);
    (visit.seed_cookie(), page).into_response()
}

async fn leave(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    if let Err(forgery) = visit.check(&world, fields.value("csrf")) {
        let body = html! { p role="alert" { (forgery.to_string()) } };
        let page = Page::new("Log out", visit.user.as_deref(), body);
        return (StatusCode::FORBIDDEN, page).into_response();
    }
    if let Some(id) = &visit.session {
        world.state().sessions.revoke(id);
    }
    let gone = [SESSION, CSRF].map(|name| (SET_COOKIE, dropped_cookie(name)));
    (AppendHeaders(gone), door::see_other("/")).into_response()
}
