//! From a page to its media.

use sessile::site::Site;
use sessile_record::Recorder;

use crate::stage::Stage;

/// How the practice site's script finds its media.
const RULES: &str = r##"
[login]
kind = "form"
url = "SITE/login"

[media]
capture.door = { css = "#player", attribute = "data-door" }
capture.film = { css = "#player", attribute = "data-stream" }
steps = [{ url = "/media/api/{door}/{film}", capture.stream = { jsonpath = "$.sources[?@.type=='main'].url" }, capture.name = { jsonpath = "$.title" } }]
url = "{stream}"
title = "{name}"
"##;

#[tokio::test]
async fn every_form_of_page_leads_to_its_media() {
    let stage = Stage::new().await;
    for (stream, recorder, file) in [
        ("vod", Recorder::Hls, "index.m3u8"),
        ("clip", Recorder::Mp4, "clip.mp4"),
    ] {
        for form in ["video", "source", "og", "json-ld", "script", "iframe"] {
            let page = format!("/media/page/open/{stream}/{form}");
            let found = stage.resolve(&page, None).await;
            let found = found.unwrap_or_else(|error| panic!("{page}: {error}"));
            let expected = stage.url(&format!("/media/open/{stream}/{file}"));
            assert_eq!(found.resolved_url, expected, "{form}");
            assert_eq!(found.recorder, recorder, "{form}");
            let title = found.title.unwrap_or_default();
            assert!(
                title.contains(&format!("A walk: {stream}")),
                "{form}: {title}"
            );
            assert_eq!(found.page, stage.url(&page), "{form}");
        }
    }
}

#[tokio::test]
async fn media_that_is_linked_directly_is_its_own_page() {
    let stage = Stage::new().await;
    for (path, recorder) in [
        ("/media/open/vod/index.m3u8", Recorder::Hls),
        ("/media/open/clip/clip.mp4", Recorder::Mp4),
    ] {
        let found = stage.resolve(path, None).await.unwrap();
        assert_eq!(found.resolved_url, stage.url(path));
        assert_eq!(found.recorder, recorder, "{path}");
    }
}

#[tokio::test]
async fn a_site_file_s_rules_find_what_only_scripts_do() {
    let stage = Stage::new().await;
    let text = RULES.replace("SITE", &stage.site.url());
    let site = Site::parse(&text, "practice.toml").unwrap();
    let page = "/media/page/open/vod/api";
    let found = stage.resolve(page, site.media.as_ref()).await.unwrap();
    assert_eq!(found.resolved_url, stage.url("/media/open/vod/index.m3u8"));
    assert_eq!(found.title.as_deref(), Some("A walk: vod / part 1"));
    assert_eq!(found.recorder, Recorder::Hls);

    // Without them nothing is found, and it is said what was looked for.
    let error = stage.resolve(page, None).await.unwrap_err().to_string();
    for looked in [
        "<video>", "og:video", "JSON-LD", "scripts", "links", "frames",
    ] {
        assert!(error.contains(looked), "{looked}: {error}");
    }
    // Rules that find nothing are named.
    let error = stage
        .resolve("/media/page/open/vod/video", site.media.as_ref())
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("door"), "{error}");
}

#[tokio::test]
async fn the_end_of_a_link_is_read_from_it() {
    let stage = Stage::new().await;
    let media = stage.media("signed", "vod").await;
    let (_, query) = media.resolved_url.query_pairs().next().unwrap();
    let expires = media.expires.unwrap();
    assert_eq!(expires.as_seconds().to_string(), query);
}
