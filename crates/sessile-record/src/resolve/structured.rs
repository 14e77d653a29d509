//! Media in a page's structured data (JSON-LD, schema.org).

use serde_json::Value;

/// What one block says.
#[derive(Debug, Default)]
pub(super) struct Structured {
    /// Addresses of media.
    pub(super) content: Vec<String>,
    /// Addresses of players.
    pub(super) embedded: Vec<String>,
    pub(super) name: Option<String>,
}

/// The media that a block of JSON-LD describes.
pub(super) fn media(json: &str) -> Structured {
    let mut found = Structured::default();
    if let Ok(value) = serde_json::from_str(json) {
        look(&value, &mut found);
    }
    found
}

/// As deep as the parser lets a document be.
fn look(value: &Value, found: &mut Structured) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| look(item, found)),
        Value::Object(object) => {
            if object.get("@type").is_some_and(is_media) {
                let texts = |key| object.get(key).into_iter().flat_map(texts);
                found.content.extend(texts("contentUrl"));
                found.embedded.extend(texts("embedUrl"));
                let name = texts("name").next();
                found.name = found.name.take().or(name);
            }
            object.values().for_each(|item| look(item, found));
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_media(kind: &Value) -> bool {
    const MEDIA: [&str; 3] = ["AudioObject", "MediaObject", "VideoObject"];
    texts(kind).iter().any(|kind| {
        let name = kind.rsplit('/').next().unwrap_or_default();
        MEDIA.contains(&name)
    })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_found_wherever_they_are() {
        let json = r#"{"@graph": [{"@type": "WebPage", "video":
            {"@type": ["http://schema.org/VideoObject"], "name": "One",
             "contentUrl": ["a.mp4", "b.mp4"], "embedUrl": "/embed"}}]}"#;
        let found = media(json);
        assert_eq!(found.content, ["a.mp4", "b.mp4"]);
        assert_eq!(found.embedded, ["/embed"]);
        assert_eq!(found.name.as_deref(), Some("One"));
        assert!(media("{\"contentUrl\": \"x.mp4\"}").content.is_empty());
        assert!(media(&"[".repeat(100_000)).content.is_empty());
    }
}
