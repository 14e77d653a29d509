//! What happens, as it happens (Server-Sent Events).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event as SentEvent, KeepAlive};
use futures_util::{Stream, StreamExt as _, stream};
use http::HeaderMap;

use super::Daemon;
use super::extract::MayRead;
use crate::events::{Event, Next};

/// Events as they happen: `text/event-stream`, each with an `id`, its kind as `event`, and an `Event`
/// as `data`.
///
/// Who comes back with `Last-Event-ID` gets what it missed; an event `gap`, whose data is `{}`, says
/// that not all of it is there any more: look at the state anew. A comment comes every 15 seconds, so that a dead connection is noticed.
#[utoipa::path(get, path = "/api/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen")),
    security(("token" = ["read"])),
    responses((status = 200, body = Event, content_type = "text/event-stream", description = "A stream without end")))]
pub(super) async fn events(
    _may: MayRead,
    State(daemon): State<Daemon>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<SentEvent, Infallible>>> {
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (events, place) = (Arc::clone(&daemon.events), daemon.events.begin(last_seen));
    let told = stream::unfold((events, place), |(events, place)| async move {
        let (next, place) = events.after(place).await;
        Some((Ok(written(next)), (events, place)))
    });
    let stop = daemon.stop.clone();
    let until_stopped = told.take_until(async move { stop.cancelled().await });
    // Something is sent at once, so that whoever listens knows that it is heard.
    let hello = stream::iter([Ok(SentEvent::default().comment("listening"))]);
    Sse::new(hello.chain(until_stopped)).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

const HEARTBEAT: Duration = Duration::from_secs(15);

fn written(next: Next) -> SentEvent {
    match next {
        Next::Gap { id } => SentEvent::default().id(id).event("gap").data("{}"),
        Next::Happened { id, event } => {
            let data = serde_json::to_string(&*event).unwrap_or_default();
            SentEvent::default().id(id).event(event.kind).data(data)
        }
    }
}
