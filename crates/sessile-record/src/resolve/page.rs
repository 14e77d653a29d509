//! What a page shows of its media, by the ways that pages commonly have. Fetches nothing.

use std::collections::HashSet;

use sessile::site::{Content, Css};
use url::Url;

use super::kind;
use super::script;
use super::structured;
use crate::media::Recorder;

/// How many addresses of one page are kept.
const MOST: usize = 200;

/// What was seen on a page.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// What may be media, the likeliest first.
    pub(super) candidates: Vec<Candidate>,
    /// Frames of the same site.
    pub(super) frames: Vec<Url>,
    pub(super) title: Option<String>,
    /// Whether there was a DASH manifest, which nothing here records.
    pub(super) has_dash: bool,
}

/// An address that may be media.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Candidate {
    pub(super) url: Url,
    /// What it is, as far as that is known.
    pub(super) kind: Option<Recorder>,
}

/// Looks through a page that is at `here`.
pub(super) fn look(content: &Content<'_>, here: &Url) -> Sight {
    let base = one(content, "base[href]", Some("href"));
    let base = base.and_then(|href| here.join(&href).ok());
    let mut draft = Draft {
        base: base.unwrap_or_else(|| here.clone()),
        here: here.clone(),
        sight: Sight::default(),
        seen: HashSet::new(),
    };
    for css in [
        "video[src]",
        "video source[src]",
        "audio[src]",
        "audio source[src]",
    ] {
        draft.add_all(all(content, css, Some("src")));
    }
    for property in [
        "og:video:secure_url",
        "og:video:url",
        "og:video",
        "og:audio",
    ] {
        let css = format!("meta[property=\"{property}\"]");
        draft.add_all(all(content, &css, Some("content")));
    }
    let stream = "meta[name=\"twitter:player:stream\"]";
    draft.add_all(all(content, stream, Some("content")));
    let mut name = None;
    for json in all(content, "script[type=\"application/ld+json\"]", None) {
        let found = structured::media(&json);
        draft.add_all(found.content);
        draft.add_frames(found.embedded);
        name = name.or(found.name);
    }
    for text in all(content, "script:not([type=\"application/ld+json\"])", None) {
        draft.add_known(script::addresses(&text));
    }
    draft.add_known(all(content, "a[href]", Some("href")));
    draft.add_frames(all(content, "iframe[src]", Some("src")));
    let title = || one(content, "title", None);
    let title = one(content, "meta[property=\"og:title\"]", Some("content"))
        .or(name)
        .or_else(title);
    draft.sight.title = title.filter(|title| !title.trim().is_empty());
    draft.sight
}

/// What to say that was looked for.
pub(super) fn looked_for(sight: &Sight) -> Vec<String> {
    let mut looked: Vec<String> = [
        "<video> and <audio>",
        "og:video",
        "VideoObject in JSON-LD",
        "addresses in scripts",
        "links to media files",
        "frames of the same site",
    ]
    .map(str::to_owned)
    .to_vec();
    if sight.has_dash {
        looked.push("and found a DASH manifest, which isn't recorded".to_owned());
    }
    looked
}

struct Draft {
    base: Url,
    here: Url,
    sight: Sight,
    seen: HashSet<Url>,
}

impl Draft {
    fn add_all(&mut self, found: Vec<String>) {
        for text in found {
            self.add(&text, |_url| true);
        }
    }

    /// Adds those whose addresses say what they are.
    fn add_known(&mut self, found: Vec<String>) {
        for text in found {
            self.add(&text, |url| kind::of_address(url).is_some());
        }
    }

    fn add(&mut self, text: &str, is_wanted: impl Fn(&Url) -> bool) {
        let Some(url) = self.url(text) else {
            return;
        };
        let is_dash = url.path().to_ascii_lowercase().ends_with(".mpd");
        self.sight.has_dash |= is_dash;
        let has_room = self.sight.candidates.len() < MOST;
        if has_room && !is_dash && is_wanted(&url) && self.seen.insert(url.clone()) {
            let kind = kind::of_address(&url);
            self.sight.candidates.push(Candidate { url, kind });
        }
    }

    fn add_frames(&mut self, found: Vec<String>) {
        for text in found {
            let url = self.url(&text);
            let url = url.filter(|url| is_same_site(url, &self.here) && *url != self.here);
            if let Some(url) = url.filter(|_| self.sight.frames.len() < MOST) {
                self.sight.frames.push(url);
            }
        }
    }

    fn url(&self, text: &str) -> Option<Url> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let url = self.base.join(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    }
}

/// The same host, or one below the other.
fn is_same_site(one: &Url, other: &Url) -> bool {
    let (Some(one), Some(other)) = (one.domain(), other.domain()) else {
        return one.host() == other.host();
    };
    let is_below = |low: &str, high: &str| {
        let rest = low.strip_suffix(high);
        rest.is_some_and(|rest| rest.ends_with('.'))
    };
    one == other || is_below(one, other) || is_below(other, one)
}

fn all(content: &Content<'_>, css: &str, attribute: Option<&str>) -> Vec<String> {
    let css = Css::parse(css).expect("a selector of our own");
    content.pick_all(&css, attribute)
}

fn one(content: &Content<'_>, css: &str, attribute: Option<&str>) -> Option<String> {
    let css = Css::parse(css).expect("a selector of our own");
    content.pick(&css, attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_seen() {
        check("<video src=/v.mp4></video>", &["http://a.test/v.mp4"]);
        check(
            "<base href=/d/><video><source src=a.m3u8><source src=b.mp4></video>",
            &["http://a.test/d/a.m3u8", "http://a.test/d/b.mp4"],
        );
        check(
            "<meta property=og:video content=http://b.test/v>",
            &["http://b.test/v"],
        );
        check(
            "<script type=application/ld+json>{\"@type\":\"VideoObject\",\"contentUrl\":\"/v.mp4\"}</script>",
            &["http://a.test/v.mp4"],
        );
        check(
            "<script>play({src: 'http:\\/\\/a.test\\/v.m3u8?t=1\\u0026x=2'})</script>",
            &["http://a.test/v.m3u8?t=1&x=2"],
        );
        check(
            "<a href=v.mp4>download</a><a href=/about>x</a>",
            &["http://a.test/p/v.mp4"],
        );
        check(
            "<video src=blob:http://a.test/1></video><video src=''></video>",
            &[],
        );
        check("<video src=/m.mpd></video>", &[]);
    }

    #[track_caller]
    fn check(html: &str, expected: &[&str]) {
        let here = "http://a.test/p/q".parse().unwrap();
        let sight = look(&Content::new(html, true), &here);
        let urls: Vec<&str> = sight
            .candidates
            .iter()
            .map(|one| one.url.as_str())
            .collect();
        assert_eq!(urls, expected, "{html}");
    }

    #[test]
    fn frames_are_of_the_same_site() {
        let here = "http://www.a.test/p".parse().unwrap();
        let html = "<iframe src=/f></iframe><iframe src=http://a.test/g></iframe>\
            <iframe src=http://nota.test/></iframe><iframe src=http://ads.test/></iframe>";
        let sight = look(&Content::new(html, true), &here);
        let urls: Vec<&str> = sight.frames.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["http://www.a.test/f", "http://a.test/g"]);
    }

    #[test]
    fn titles_are_the_pages() {
        let here = "http://a.test/".parse().unwrap();
        let title = |html: &str| look(&Content::new(html, true), &here).title;
        assert_eq!(title("<title>One</title>").as_deref(), Some("One"));
        let both = "<title>One</title><meta property=og:title content=Two>";
        assert_eq!(title(both).as_deref(), Some("Two"));
        assert_eq!(title("<title> </title>"), None);
    }
}
