//! Media: their doors, the pages that lead to them, ranges, and what goes wrong on demand.

use std::time::Duration;

use sessile_practice::{ADA, ADA_PASSWORD, Fault, MediaFault};

use crate::browser::{Browser, Reply, start, start_still};

#[tokio::test]
async fn each_door_turns_strangers_away_in_its_manner() {
    let (_site, mut browser) = start().await;
    for (door, status) in [
        ("open", 200),
        ("member", 401),
        ("gate", 303),
        ("pass", 403),
        ("signed", 403),
        ("nowhere", 404),
    ] {
        let path = format!("/media/{door}/vod/index.m3u8");
        assert_eq!(browser.get(&path).await.status, status, "{door}");
    }
    let gate = browser.get("/media/gate/vod/index.m3u8").await;
    gate.is(303, "/login?next=/media/gate/vod/index.m3u8");
    let page = browser.get("/media/page/signed/vod/video").await;
    page.is(303, "/login?next=/media/page/signed/vod/video");

    browser.log_in(ADA, ADA_PASSWORD).await;
    for door in ["member", "gate", "pass", "signed"] {
        let link = link_of(&mut browser, door, "vod").await;
        let playlist = browser.get(&link).await;
        assert_eq!(playlist.status, 200, "{door}");
        let segment = segment_of(&link, &playlist);
        let segment = browser.send("HEAD", &segment, &[], "").await;
        assert_eq!(
            (segment.status, segment.header("content-length")),
            (200, "18800"),
            "{door}"
        );
    }
}

#[tokio::test]
async fn links_and_passes_end_by_the_clock_and_on_demand() {
    let (site, mut browser) = start_still().await;
    browser.log_in(ADA, ADA_PASSWORD).await;
    for door in ["pass", "signed"] {
        let link = link_of(&mut browser, door, "vod").await;
        assert_eq!(browser.get(&link).await.status, 200, "{door}");
        site.advance(Duration::from_secs(300));
        assert_eq!(browser.get(&link).await.status, 403, "{door}");
        let link = link_of(&mut browser, door, "vod").await;
        site.add_fault(Fault::new(&format!("/{door}/"), MediaFault::End).after(1));
        assert_eq!(browser.get(&link).await.status, 200, "{door}");
        assert_eq!(browser.get(&link).await.status, 403, "{door}");
        // Who is logged out is turned away from the page as well.
        browser.cookies.clear();
        browser.log_in(ADA, ADA_PASSWORD).await;
    }
}

#[tokio::test]
async fn every_form_of_page_leads_to_the_same_stream() {
    let (site, mut browser) = start().await;
    let path = "/media/open/vod/index.m3u8";
    let whole = format!("{}{path}", site.url());
    for (form, before, expected) in [
        ("video", "<video controls src=\"", path),
        ("source", "<source src=\"", path),
        ("link", "<a class=\"download\" href=\"", path),
        ("og", "property=\"og:video\" content=\"", &whole),
        ("json-ld", "\"contentUrl\":\"", &whole),
        ("script", "\"file\":\"", &whole.replace('/', "\\/")),
        ("iframe", "<iframe src=\"", "/media/page/open/vod/video"),
        ("api", "data-stream=\"", "vod"),
    ] {
        let page = browser.get(&format!("/media/page/open/vod/{form}")).await;
        assert_eq!(page.between(before, "\""), expected, "{form}");
    }
    let api = browser.get("/media/api/open/vod").await.json();
    assert_eq!(api["sources"][1]["url"], path);
}

#[tokio::test]
async fn ranges_are_for_the_edition_they_were_asked_of() {
    let (site, mut browser) = start().await;
    let clip = "/media/open/clip/clip.mp4";
    let length = site.original("clip").unwrap().len();
    let whole = head(&mut browser, clip, &[]).await;
    assert_eq!(whole.header("content-length"), length.to_string());
    let tag = whole.header("etag");
    let range = ("Range", "bytes=10-19");
    let part = head(&mut browser, clip, &[range, ("If-Range", tag)]).await;
    assert_eq!(
        part.header("content-range"),
        format!("bytes 10-19/{length}")
    );
    assert_eq!((part.status, part.header("content-length")), (206, "10"));
    let beyond = head(&mut browser, clip, &[("Range", "bytes=99999999-")]).await;
    assert_eq!((beyond.status, beyond.header("content-length")), (416, "0"));
    assert_eq!(
        site.log().last().unwrap().range.as_deref(),
        Some("bytes=99999999-")
    );

    site.add_fault(Fault::new("clip.mp4", MediaFault::Change));
    let other = head(&mut browser, clip, &[range, ("If-Range", tag)]).await;
    assert_eq!(
        (other.status, other.header("content-length")),
        (200, &*(length + 9).to_string())
    );

    let whole = head(&mut browser, "/media/open/whole/clip.mp4", &[range]).await;
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, ""));
}

#[tokio::test]
async fn answers_go_wrong_as_ordered() {
    let (site, mut browser) = start().await;
    let part = ("Range", "bytes=0-9");
    for (kind, expected) in [
        (MediaFault::Cut { after: 5 }, (206, "10", 5)),
        (MediaFault::LongLength, (206, "1010", 10)),
        (MediaFault::Short, (206, "5", 5)),
        (MediaFault::Fail { status: 500 }, (500, "0", 0)),
        (MediaFault::WrongRange, (206, "10", 10)),
    ] {
        site.add_fault(Fault::new("key-0.bin", kind));
        let reply = browser
            .send("GET", "/media/open/aes/key-0.bin", &[part], "")
            .await;
        let seen = (
            reply.status,
            reply.header("content-length"),
            reply.body.len(),
        );
        assert_eq!(seen, expected, "{kind:?}");
        let is_right = reply.header("content-range") == "bytes 0-9/16";
        let expected = reply.status == 206 && kind != MediaFault::WrongRange;
        assert_eq!(is_right, expected, "{kind:?}");
    }
    assert_eq!(
        browser.get("/media/open/aes/key-0.bin").await.body.len(),
        16
    );
}

#[tokio::test]
async fn another_process_orders_faults_by_the_token() {
    let (site, mut browser) = start().await;
    let token = format!("Bearer {}", site.admin_token());
    let order = r#"{"on": "/vod/", "kind": "fail", "status": 503, "every": 2, "times": 1}"#;
    let json = ("Content-Type", "application/json");
    let stranger = browser
        .send("POST", "/_practice/fault", &[json], order)
        .await;
    assert_eq!(stranger.status, 401);
    let headers = [json, ("Authorization", token.as_str())];
    let taken = browser
        .send("POST", "/_practice/fault", &headers, order)
        .await;
    assert_eq!(taken.status, 204);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(browser.get("/media/open/vod/index.m3u8").await.status);
    }
    assert_eq!(seen, [200, 503, 200, 200]);
}

#[tokio::test]
async fn a_playlist_that_goes_on_by_reloads_jumps_where_it_is_told() {
    let (site, mut browser) = start().await;
    site.add_fault(Fault::new("/steps/", MediaFault::Jump { by: -5 }).after(2));
    let mut first = Vec::new();
    for _ in 0..4 {
        let playlist = browser.get("/media/open/steps/index.m3u8").await;
        first.push(playlist.between("MEDIA-SEQUENCE:", "\n"));
    }
    assert_eq!(first, ["0", "4", "3", "8"]);
}

/// Where a page leads to.
async fn link_of(browser: &mut Browser, door: &str, stream: &str) -> String {
    let page = browser
        .get(&format!("/media/page/{door}/{stream}/video"))
        .await;
    page.between("<video controls src=\"", "\"")
        .replace("&amp;", "&")
}

/// The first segment that a playlist names.
fn segment_of(link: &str, playlist: &Reply) -> String {
    let mut lines = playlist.body.lines();
    let name = lines.find(|line| line.starts_with("plain-"));
    let name = name.expect("the playlist names a segment");
    let path = link.split('?').next().unwrap_or_default();
    format!("{}{name}", path.trim_end_matches("index.m3u8"))
}

async fn head(browser: &mut Browser, path: &str, headers: &[(&str, &str)]) -> Reply {
    browser.send("HEAD", path, headers, "").await
}
