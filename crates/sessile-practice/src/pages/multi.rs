//! A login form with every kind of field, all of which must come along as a
//! browser would send them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};

use super::door::{self, Denial, Fields};
use super::layout::Page;
use crate::visit::Visit;
use crate::world::World;

const LANGUAGES: [&str; 3] = ["de", "en", "fr"];
const REGIONS: [&str; 3] = ["eu-central", "eu-north", "us-east"];
const DEVICES: [&str; 2] = ["private", "shared"];

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/multi/login", get(show).post(submit))
}

async fn show(State(world): State<Arc<World>>, visit: Visit) -> Response {
    page(&world, &visit, None)
}

async fn submit(State(world): State<Arc<World>>, visit: Visit, fields: Fields) -> Response {
    let admit = |()| door::admit(&world, &visit, &fields, fields.value("csrf"));
    match check(&fields).and_then(admit) {
        Ok(inside) => inside,
        Err(denial) => page(&world, &visit, Some(&denial)),
    }
}

fn check(fields: &Fields) -> Result<(), Denial> {
    fields.need_one_of("language", &LANGUAGES)?;
    fields.need_one_of("region", &REGIONS)?;
    fields.need_one_of("device", &DEVICES)?;
    fields.need_one_of("terms", &["yes"])?;
    // A box without a value is sent as `on`; one that isn't ticked is not sent.
    fields.need_one_of("cookies", &["on"])?;
    if fields
        .value("newsletter")
        .is_some_and(|value| value != "weekly")
    {
        return Err(Denial::Incomplete("newsletter"));
    }
    fields.need_one_of("comment", &[""])?;
    fields.need_one_of("action", &["login"])
}

fn page(world: &World, visit: &Visit, denial: Option<&Denial>) -> Response {
    let body = html! {
        (door::alert(denial))
        form id="login" action="/multi/login" method="post" {
            input type="hidden" name="csrf" value=(visit.token(world));
            (door::name_input())
            (door::password_input())
            (choices())
            (boxes())
            textarea name="comment" aria-label="Comment" {}
            button type="submit" name="action" value="login" { "Log in" }
            button type="submit" name="action" value="guest" { "Look around as a guest" }
        }
    };
    let page = Page::new("Log in", visit.user.as_deref(), body);
    door::shown(denial, (visit.seed_cookie(), page))
}

/// Without a `selected` option, the first one counts.
fn choices() -> Markup {
    html! {
        label { "Language" select name="language" {
            @for language in LANGUAGES { option value=(language) { (language) } }
        } }
        label { "Region" select name="region" {
            option value="" disabled { "Choose one" }
            @for region in REGIONS { option value=(region) selected[region == "eu-north"] { (region) } }
        } }
        @for device in DEVICES {
            label class="inline" {
                input type="radio" name="device" value=(device) checked[device == "private"];
                "This is a " (device) " device"
            }
        }
    }
}

fn boxes() -> Markup {
    html! {
        label class="inline" { input type="checkbox" name="terms" value="yes" checked; "I agree to the terms" }
        label class="inline" { input type="checkbox" name="cookies" checked; "Cookies are fine" }
        label class="inline" { input type="checkbox" name="newsletter" value="weekly"; "Send me the newsletter" }
        input type="text" name="unused" value="never sent" disabled;
    }
}
