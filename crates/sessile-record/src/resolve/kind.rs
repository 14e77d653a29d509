//! What an address or a reply is: which recorder it is for.

use http::header::CONTENT_TYPE;
use sessile::Reply;
use url::Url;

use crate::media::Recorder;

/// By the end of the path.
pub(super) fn of_address(url: &Url) -> Option<Recorder> {
    const FILES: [&str; 16] = [
        "aac", "avi", "flac", "flv", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpg", "oga", "ogg",
        "ogv", "wav", "webm",
    ];
    let (_, end) = url.path().rsplit('/').next()?.rsplit_once('.')?;
    let end = end.to_ascii_lowercase();
    match end.as_str() {
        "m3u8" | "m3u" => Some(Recorder::Hls),
        _ if FILES.contains(&end.as_str()) => Some(Recorder::Mp4),
        _ => None,
    }
}

/// By its `Content-Type`; one that says nothing leaves it to the address.
pub(super) fn of_reply(reply: &Reply) -> Option<Recorder> {
    let kind = reply.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    of_type(kind, reply.url())
}

fn of_type(kind: &str, url: &Url) -> Option<Recorder> {
    let kind = kind.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let (family, name) = kind.split_once('/').unwrap_or((&kind, ""));
    match (family, name) {
        (_, "vnd.apple.mpegurl" | "x-mpegurl" | "mpegurl") => Some(Recorder::Hls),
        ("audio" | "video", _) => Some(Recorder::Mp4),
        (_, "octet-stream" | "binary" | "mp4") | ("", _) => of_address(url),
        ("text", "plain") => of_address(url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_ends_of_addresses_are_known() {
        check("application/vnd.apple.mpegurl", "/x", Some(Recorder::Hls));
        check(
            "Application/X-mpegURL; charset=utf-8",
            "/x",
            Some(Recorder::Hls),
        );
        check("audio/mpegurl", "/x", Some(Recorder::Hls));
        check("video/mp4", "/x", Some(Recorder::Mp4));
        check(
            "application/octet-stream",
            "/a/x.MP4?x=.m3u8",
            Some(Recorder::Mp4),
        );
        check("", "/x.m3u8", Some(Recorder::Hls));
        check("text/plain", "/x.m3u8", Some(Recorder::Hls));
        check("text/html", "/x.m3u8", None);
        check("application/json", "/x.mp4", None);
        check("application/octet-stream", "/x.zip", None);
    }

    #[track_caller]
    fn check(kind: &str, path: &str, expected: Option<Recorder>) {
        let url = Url::parse("http://a.test").unwrap().join(path).unwrap();
        assert_eq!(of_type(kind, &url), expected, "{kind} {path}");
    }
}
