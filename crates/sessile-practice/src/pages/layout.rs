//! The frame around every page.

use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 0 1rem; color: #222 }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; border-bottom: 1px solid #ccc; padding: 1rem 0 }
header form { margin-left: auto }
main form { display: grid; gap: .75rem; max-width: 20rem; margin: 1rem 0 }
label { display: grid; gap: .25rem }
label.inline { display: flex; align-items: center }
input, select, button { font: inherit; padding: .35rem .5rem }
[role=alert] { background: #fde8e8; border: 1px solid #c33; padding: .5rem }
aside, footer { color: #666; margin: 2rem 0 }
";

/// What a page shows within the frame.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// The name in the corner.
    pub(super) user: Option<&'a str>,
    /// More for the document's head.
    pub(super) head: Markup,
    pub(super) body: Markup,
}

impl<'a> Page<'a> {
    pub(super) fn new(title: &'a str, user: Option<&'a str>, body: Markup) -> Self {
        Self {
            title,
            user,
            head: Markup::default(),
            body,
        }
    }

    fn markup(self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " – Practice" }
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                    (self.head)
                }
                body {
                    (header(self.user))
                    main { h1 { (self.title) } (self.body) }
                    footer { "A website to practise on. Nothing here is real." }
                }
            }
        }
    }
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let headers = [
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "same-origin"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Html(self.markup().into_string())).into_response()
    }
}

fn header(user: Option<&str>) -> Markup {
    html! {
        header {
            nav { a href="/" { "Home" } " · " a href="/members" { "Members" } " · " a href="/login" { "Log in" } }
            form role="search" action="/search" method="get" {
                input type="search" name="q" aria-label="Search" placeholder="Search";
                button type="submit" { "Search" }
            }
            @if let Some(user) = user {
                span class="corner" { span class="user" { (user) } " · " a href="/logout" { "Log out" } }
            }
        }
    }
}
