//! Logins whose form is not all there is to it: the token is elsewhere on the
//! page, a script makes the form, or there is another form beside it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use maud::{Markup, PreEscaped, html};
use serde_json::json;

use super::door::{self, Denial, Fields};
use super::layout::Page;
use crate::visit::Visit;
use crate::world::World;

const ADD_TOKEN: &str = "
document.getElementById('login').addEventListener('submit', (event) => {
  const input = document.createElement('input');
  input.type = 'hidden';
  input.name = '_token';
  input.value = window.__CSRF__;
  event.target.append(input);
});
";

const BUILD_FORM: &str = "
const make = (name, attributes) => Object.assign(document.createElement(name), attributes);
fetch('/js/token').then((reply) => reply.json()).then(({ csrf }) => {
  const form = make('form', { action: '/login', method: 'post' });
  form.append(
    make('input', { type: 'hidden', name: 'csrf', value: csrf }),
    make('input', { name: 'user', placeholder: 'User name', autocomplete: 'username' }),
    make('input', { type: 'password', name: 'password', placeholder: 'Password' }),
    make('button', { textContent: 'Log in' }),
  );
  document.getElementById('app').append(form);
});
";

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/meta/login", get(show_meta).post(submit_meta))
        .route("/script/login", get(show_script).post(submit_script))
        .route("/js/login", get(show_js))
        .route("/js/token", get(js_token))
        .route("/two-forms", get(show_two).post(submit_two))
        .route("/two-forms/register", post(register))
}

async fn show_meta(State(world): State<Arc<World>>, visit: Visit) -> Response {
    meta_page(&world, &visit, None)
}

async fn submit_meta(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let header = headers
        .get("x-csrf-token")
        .and_then(|token| token.to_str().ok());
    match door::admit(&world, &visit, &fields, header.or(fields.value("_csrf"))) {
        Ok(inside) => inside,
        Err(denial) => meta_page(&world, &visit, Some(&denial)),
    }
}

fn meta_page(world: &World, visit: &Visit, denial: Option<&Denial>) -> Response {
    let head = html! { meta name="csrf-token" content=(visit.token(world)); };
    let body = bare_form("/meta/login", denial);
    let page = Page {
        head,
        ..Page::new("Log in", visit.user.as_deref(), body)
    };
    door::shown(denial, (visit.seed_cookie(), page))
}

async fn show_script(State(world): State<Arc<World>>, visit: Visit) -> Response {
    script_page(&world, &visit, None)
}

async fn submit_script(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    match door::admit(&world, &visit, &fields, fields.value("_token")) {
        Ok(inside) => inside,
        Err(denial) => script_page(&world, &visit, Some(&denial)),
    }
}

fn script_page(world: &World, visit: &Visit, denial: Option<&Denial>) -> Response {
    // The token is hexadecimal and a dot, so it can't end the string or the script.
    let token = format!("window.__CSRF__ = \"{}\";", visit.token(world));
    let body = html! {
        (bare_form("/script/login", denial))
        script { (PreEscaped(token)) (PreEscaped(ADD_TOKEN)) }
    };
    let page = Page::new("Log in", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

async fn show_js(visit: Visit) -> Response {
    let body = html! {
        div id="app" {}
        noscript { "You need to enable JavaScript to use this page." }
        script { (PreEscaped(BUILD_FORM)) }
    };
    Page::new("Log in", visit.user.as_deref(), body).into_response()
}

async fn js_token(State(world): State<Arc<World>>, visit: Visit) -> Response {
    let token = Json(json!({ "csrf": visit.token(&world) }));
    (visit.seed_cookie(), token).into_response()
}

async fn show_two(State(world): State<Arc<World>>, visit: Visit) -> Response {
    two_page(&world, &visit, None)
}

async fn submit_two(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    match door::admit(&world, &visit, &fields, fields.value("csrf")) {
        Ok(inside) => inside,
        Err(denial) => two_page(&world, &visit, Some(&denial)),
    }
}

async fn register(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    let checked = visit.check(&world, fields.value("csrf"));
    let message = match checked {
        Err(forgery) => forgery.to_string(),
        Ok(()) => "Nobody can register here at the moment.".to_owned(),
    };
    let body = html! { p role="alert" { (message) } };
    let page = Page::new("Register", visit.user.as_deref(), body);
    (StatusCode::FORBIDDEN, page).into_response()
}

fn two_page(world: &World, visit: &Visit, denial: Option<&Denial>) -> Response {
    let token = visit.token(world);
    let body = html! {
        (door::alert(denial))
        h2 { "Log in" }
        form id="login" action="/two-forms" method="post" {
            input type="hidden" name="csrf" value=(token);
            (door::name_input())
            (door::password_input())
            button type="submit" { "Log in" }
        }
        h2 { "Register" }
        (registration(&token))
    };
    let page = Page::new("Log in or register", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

fn registration(token: &str) -> Markup {
    html! {
        form id="register" action="/two-forms/register" method="post" {
            input type="hidden" name="csrf" value=(token);
            label { "User name" input type="text" name="user" autocomplete="username" required; }
            label { "Password" input type="password" name="password" autocomplete="new-password" required; }
            label { "Again" input type="password" name="confirm" autocomplete="new-password" required; }
            button type="submit" { "Register" }
        }
    }
}

/// A form without its token.
fn bare_form(action: &str, denial: Option<&Denial>) -> Markup {
    html! {
        (door::alert(denial))
        form id="login" action=(action) method="post" {
            (door::name_input())
            (door::password_input())
            button type="submit" { "Log in" }
        }
    }
}
