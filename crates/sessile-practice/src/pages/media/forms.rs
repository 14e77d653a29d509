//! Pages that lead to a stream, in all the forms in which pages do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use serde_json::json;

use super::door::Door;
use crate::media::Stream;
use crate::pages::home;
use crate::pages::layout::Page;
use crate::visit::Visit;
use crate::world::World;

/// A page that leads to a stream.
pub(super) async fn page(
    State(world): State<Arc<World>>,
    Path((door, name, form)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    visit: Visit,
) -> Response {
    let (Some(way), Some(stream)) = (Door::parse(&door), Stream::parse(&name)) else {
        return home::not_found(visit).await;
    };
    if let Some(turned_away) = way.page_refusal(&world, &headers, uri.path()) {
        return turned_away;
    }
    let (query, cookie) = way.permission(&world, &name);
    let path = format!("/media/{door}/{name}/{}{query}", stream.entry());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let link = Link {
        whole: format!("http://{}{path}", host.unwrap_or_default()),
        path,
        title: title(&name),
    };
    let Some((head, body)) = link.written(&form, &door, &name) else {
        return home::not_found(visit).await;
    };
    let page = Page {
        title: &link.title,
        user: visit.user.as_deref(),
        head,
        body,
    };
    (cookie, page).into_response()
}

/// What a script of the page asks for.
pub(super) async fn api(
    State(world): State<Arc<World>>,
    Path((door, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    visit: Visit,
) -> Response {
    let (Some(way), Some(stream)) = (Door::parse(&door), Stream::parse(&name)) else {
        return home::not_found(visit).await;
    };
    if let Some(turned_away) = way.page_refusal(&world, &headers, uri.path()) {
        return turned_away;
    }
    let (query, cookie) = way.permission(&world, &name);
    let answer = json!({
        "title": title(&name),
        "sources": [
            { "type": "preview", "url": "/media/open/clip/preview.gif" },
            { "type": "main", "url": format!("/media/{door}/{name}/{}{query}", stream.entry()) },
        ],
    });
    (cookie, Json(answer)).into_response()
}

/// Where a stream is.
struct Link {
    path: String,
    title: String,
    whole: String,
}

impl Link {
    /// What stands in the head and the body of a page of that form.
    fn written(&self, form: &str, door: &str, name: &str) -> Option<(Markup, Markup)> {
        let (path, whole) = (&self.path, &self.whole);
        let nothing = Markup::default;
        Some(match form {
            "api" => (
                nothing(),
                html! { div #player data-door=(door) data-stream=(name) {} },
            ),
            "iframe" => {
                let inner = format!("/media/page/{door}/{name}/video");
                (nothing(), html! { iframe src=(inner) {} })
            }
            "json-ld" => (script("application/ld+json", &self.object()), nothing()),
            "link" => (
                nothing(),
                html! { p { a.download href=(path) { "Download" } } },
            ),
            "og" => {
                let head = html! {
                    meta property="og:title" content=(self.title);
                    meta property="og:video" content=(whole);
                };
                (head, nothing())
            }
            "script" => {
                // As some servers write it: every slash behind a backslash.
                let setup = json!({ "file": whole }).to_string().replace('/', "\\/");
                let text = format!("window.player.setup({setup});");
                (nothing(), script("text/javascript", &text))
            }
            "source" => {
                let kind = match path.contains(".m3u8") {
                    true => "application/vnd.apple.mpegurl",
                    false => "video/mp4",
                };
                (
                    nothing(),
                    html! { video controls { source src=(path) type=(kind); } },
                )
            }
            "video" => (nothing(), html! { video controls src=(path) {} }),
            _ => return None,
        })
    }

    fn object(&self) -> String {
        json!({
            "@context": "https://schema.org",
            "@type": "VideoObject",
            "name": self.title,
            "contentUrl": self.whole,
        })
        .to_string()
    }
}

/// With what no file's name may have.
fn title(name: &str) -> String {
    format!("A walk: {name} / part 1")
}

fn script(kind: &str, text: &str) -> Markup {
    html! { script type=(kind) { (PreEscaped(text)) } }
}
