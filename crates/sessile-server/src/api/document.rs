//! The API's own description, OpenAPI 3.1, made of the handlers.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::events;
use crate::problem::Shown;

/// What the document says of the API as a whole.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Sessile",
        description = "HTTP sessions that stay logged in, for programs in any language.\n\nEvery path but `/healthz`, `/readyz` and this document wants a token as `Authorization: Bearer …`, with the scope that the path names: `read` (to look, secrets masked), `use` (to send through sessions and to get what they are made of) or `manage`. Each includes those before it.\n\nThe daemon's own errors are `application/problem+json` (RFC 9457) with a `type` for each kind, and have `Sessile-From: daemon`; what a site answered has `Sessile-From: site`.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(Shown))
)]
pub(super) struct Document;

/// The description of this API. Wants no token.
#[utoipa::path(get, path = "/api/openapi.json", tag = "daemon",
    responses((status = 200, body = Object, content_type = "application/json", description = "OpenAPI 3.1")))]
pub(super) async fn openapi_json() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(super::openapi);
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], TEXT.as_str()).into_response()
}

/// Adds what holds for all: how a token is shown, how a problem looks, one name for each operation.
pub(super) fn complete(api: &mut OpenApi) {
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = api.components.get_or_insert_with(Default::default);
    components.add_security_scheme("token", token);
    for item in api.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            finish(method, operation);
            if operation.operation_id.as_deref() == Some("events") {
                list_kinds(operation);
            }
        }
    }
}

/// Which events there are.
fn list_kinds(operation: &mut Operation) {
    let text = operation.description.get_or_insert_default();
    text.push_str("\n\nKinds of events; later versions may have others:\n");
    for (kind, meaning) in events::KINDS {
        text.push_str(&format!("\n- `{kind}`: {meaning}"));
    }
}

fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
        ("options", &mut item.options),
    ];
    let there = all.into_iter();
    there
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
        .collect()
}

fn finish(method: &'static str, operation: &mut Operation) {
    let id = operation.operation_id.take().unwrap_or_default();
    let passes_on = id.ends_with("fetch");
    // An operation of several methods has one name for all of them, which must differ.
    operation.operation_id = Some(match passes_on {
        true => format!("{id}_{method}"),
        false => id,
    });
    let response = match passes_on {
        true => ResponseBuilder::new().description(
            "What the site answered with another status or, with `Sessile-From: daemon`, a Problem",
        ),
        false => ResponseBuilder::new()
            .description("The daemon refuses, or could not do it: RFC 9457")
            .content(
                "application/problem+json",
                Content::new(Some(Ref::from_schema_name("Problem"))),
            ),
    };
    let all = &mut operation.responses.responses;
    all.insert("default".to_owned(), RefOr::T(response.build()));
}
