//! The files themselves: whole or in part, in order or not.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::body::Broken;
use super::door::{Door, Target};
use super::range::{Wanted, wanted};
use crate::media::{Place, Stream, Trouble};
use crate::pages::home;
use crate::visit::Visit;
use crate::world::World;

/// When the first edition of everything was made.
const MADE: u64 = 1_700_000_000;

/// A file, behind its door.
pub(super) async fn file(
    State(world): State<Arc<World>>,
    Path((door, name, file)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    visit: Visit,
) -> Response {
    let (Some(door), Some(stream)) = (Door::parse(&door), Stream::parse(&name)) else {
        return home::not_found(visit).await;
    };
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let target = Target { path, query };
    if let Some(turned_away) = door.refusal(&world, &headers, &name, &target) {
        return turned_away;
    }
    let troubles = world.media.troubles(path);
    if troubles.contains(&Trouble::End) {
        world.state().sessions.revoke_all(|_| true);
        if let Some(turned_away) = door.refusal(&world, &headers, &name, &target) {
            return turned_away;
        }
    }
    if let Some(status) = failing(&troubles) {
        return status.into_response();
    }
    let jump = troubles.iter().find_map(|trouble| match trouble {
        Trouble::Jump { by } => Some(*by),
        _ => None,
    });
    let suffix = match query {
        "" => String::new(),
        _ => format!("?{query}"),
    };
    let edition = world.media.edition();
    let place = Place {
        edition,
        moment: match file.ends_with(".m3u8") {
            true => world
                .media
                .moment(path, jump.unwrap_or_default(), world.now()),
            false => Default::default(),
        },
        suffix: &suffix,
    };
    let Some(resource) = stream.resource(&file, world.media.shelf(), &place) else {
        return home::not_found(visit).await;
    };
    let answer = Answer {
        bytes: resource.bytes,
        kind: resource.kind,
        has_ranges: stream != Stream::Whole && !file.ends_with(".m3u8"),
        tag: format!("\"{name}-{file}-{edition}\""),
        date: httpdate::fmt_http_date(
            std::time::SystemTime::UNIX_EPOCH
                + std::time::Duration::from_secs(MADE + edition as u64),
        ),
    };
    answer.respond(&headers, &troubles)
}

/// A file as it is to be answered.
struct Answer {
    bytes: Bytes,
    kind: &'static str,
    has_ranges: bool,
    tag: String,
    date: String,
}

impl Answer {
    fn respond(self, headers: &HeaderMap, troubles: &[Trouble]) -> Response {
        let length = self.bytes.len();
        let wanted = match self.may_be_part(headers, troubles) {
            true => wanted(text(headers, &RANGE), length),
            false => Wanted::Whole,
        };
        let (status, part, told) = match wanted {
            Wanted::Part(range) => {
                let told = told_range(&range, length, troubles);
                (
                    StatusCode::PARTIAL_CONTENT,
                    self.bytes.slice(range),
                    Some(told),
                )
            }
            Wanted::Unsatisfiable => {
                let told = format!("bytes */{length}");
                (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(told))
            }
            Wanted::Whole => (StatusCode::OK, self.bytes.clone(), None),
        };
        let mut fields = vec![
            (CACHE_CONTROL, "no-store".to_owned()),
            (CONTENT_TYPE, self.kind.to_owned()),
        ];
        if self.has_ranges {
            fields.push((ACCEPT_RANGES, "bytes".to_owned()));
            fields.push((ETAG, self.tag));
            fields.push((LAST_MODIFIED, self.date));
        }
        fields.extend(told.map(|told| (CONTENT_RANGE, told)));
        let (length, body) = body(part, troubles);
        fields.push((CONTENT_LENGTH, length.to_string()));
        let fields = axum::response::AppendHeaders(fields);
        (status, fields, body).into_response()
    }

    fn may_be_part(&self, headers: &HeaderMap, troubles: &[Trouble]) -> bool {
        let is_same = text(headers, &IF_RANGE)
            .is_none_or(|condition| condition == self.tag || condition == self.date);
        self.has_ranges && is_same && !troubles.contains(&Trouble::WholeForRange)
    }
}

/// The length to tell, and what comes.
fn body(part: Bytes, troubles: &[Trouble]) -> (usize, Body) {
    let length = part.len();
    for trouble in troubles {
        match *trouble {
            Trouble::Cut { after } => {
                return (length, Broken::cut(part.slice(..after.min(length))));
            }
            Trouble::LongLength => return (length + 1000, Broken::cut(part)),
            Trouble::Short => return (length / 2, part.slice(..length / 2).into()),
            Trouble::Stall { after } => {
                return (length, Broken::stall(part.slice(..after.min(length))));
            }
            _ => {}
        }
    }
    (length, part.into())
}

fn told_range(range: &std::ops::Range<usize>, length: usize, troubles: &[Trouble]) -> String {
    let shift = usize::from(troubles.contains(&Trouble::WrongRange));
    let (first, last) = (range.start + shift, range.end - 1 + shift);
    format!("bytes {first}-{last}/{}", length + shift)
}

fn failing(troubles: &[Trouble]) -> Option<StatusCode> {
    troubles.iter().find_map(|trouble| match trouble {
        Trouble::Fail { status } => StatusCode::from_u16(*status).ok(),
        _ => None,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
