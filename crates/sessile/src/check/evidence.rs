//! What one load of a page showed, as far as checks look at it.

use url::Url;

use crate::login::find::{self, NoLoginForm, ScriptHint};
use crate::login::page::{Link, Page, Text};
use crate::login::tokens::is_token_name;

/// One load of a page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// The classes of the page's body.
    pub body_classes: Vec<String>,
    /// Whether the page asks for a login.
    pub has_login_form: bool,
    /// Links and the addresses of forms.
    pub links: Vec<Link>,
    /// The HTTP status at the end.
    pub status: u16,
    /// The visible texts.
    pub texts: Vec<Text>,
    /// Where the request ended after all redirects.
    pub url: Url,
}

impl Evidence {
    /// What an HTML page showed; its URL is where the request ended.
    pub fn page(status: u16, page: &Page) -> Self {
        let forms = page.forms().iter().filter_map(|form| {
            Some(Link {
                place: "form".to_owned(),
                text: form.submits.first()?.label.clone(),
                url: form.action.clone()?,
            })
        });
        Self {
            body_classes: page.body_classes().to_vec(),
            has_login_form: has_login_form(page),
            links: page.links().iter().cloned().chain(forms).collect(),
            status,
            texts: page.texts().to_vec(),
            url: page.url().clone(),
        }
    }

    /// What a reply that is no HTML showed, such as JSON: its values and words.
    pub fn plain(status: u16, url: &Url, body: &str) -> Self {
        let cut = body.floor_char_boundary(MAX_PLAIN);
        let pieces = body.get(..cut).unwrap_or(body);
        let pieces = pieces.split([',', '{', '}', '[', ']', '\n']);
        let texts = pieces.map(|piece| piece.replace('"', "").trim().to_owned());
        let texts = texts.filter(|text| !text.is_empty() && text.len() <= 200);
        Self {
            body_classes: Vec::new(),
            has_login_form: false,
            links: Vec::new(),
            status,
            texts: texts
                .take(5_000)
                .map(|text| Text::new(text.split(':').next().unwrap_or_default(), &text))
                .collect(),
            url: url.clone(),
        }
    }

    /// The address a link leads to, without what changes on every load.
    ///
    /// The path alone on the same site, with the host on others.
    pub(crate) fn key(&self, url: &Url) -> String {
        let path = url.path().split(';').next().unwrap_or_default();
        let mut key = match url.origin() == self.url.origin() {
            true => String::new(),
            false => url.host_str().unwrap_or_default().to_owned(),
        };
        key.push_str(path);
        let mut pairs: Vec<String> = url
            .query_pairs()
            .filter(|(name, value)| !is_fleeting(name, value))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.sort();
        if !pairs.is_empty() {
            key.push('?');
            key.push_str(&pairs.join("&"));
        }
        key
    }

    /// Where the request ended.
    pub(crate) fn landing(&self) -> String {
        self.url
            .path()
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn has_link(&self, key: &str) -> bool {
        self.links.iter().any(|link| self.key(&link.url) == key)
    }

    pub(crate) fn has_text(&self, wanted: &str) -> bool {
        self.texts.iter().any(|text| text.text == wanted)
    }

    /// Whether the name stands in a visible text, as a word of its own.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let mut texts = self.texts.iter();
        texts.any(|text| crate::login::words::has_whole(&text.text.to_lowercase(), &[&name]))
    }
}

const MAX_PLAIN: usize = 1 << 20;

fn has_login_form(page: &Page) -> bool {
    match find::find(page) {
        Ok(_) => true,
        Err(NoLoginForm::Ambiguous { .. }) => true,
        Err(NoLoginForm::NeedsJavaScript { hint }) => {
            matches!(hint, ScriptHint::Form(..) | ScriptHint::LoosePassword)
        }
        Err(_) => false,
    }
}

/// Whether a query value is likely another on the next load.
fn is_fleeting(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_named = is_token_name(&name)
        || [
            "nonce",
            "_wpnonce",
            "sid",
            "t",
            "ts",
            "time",
            "rand",
            "_",
            "key",
            "hash",
            "return",
            "returnto",
            "next",
            "redirect",
            "redirect_to",
            "return_to",
            "logout_token",
            "sesskey",
        ]
        .contains(&name.as_str());
    let is_random = value.len() >= 16
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_=+.".contains(&byte));
    is_named || is_random
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleeting_parts_of_links_are_left_out() {
        check(
            "/wp-login.php?action=logout&_wpnonce=ab12",
            "/wp-login.php?action=logout",
        );
        check("/out;jsessionid=1A", "/out");
        check("/x?id=0123456789abcdef0", "/x");
        check("https://other.example/x", "other.example/x");
        check("/x?page=2&a=1#top", "/x?a=1&page=2");
    }

    #[track_caller]
    fn check(link: &str, expected: &str) {
        let url = Url::parse("https://site.example/").unwrap();
        let evidence = Evidence::plain(200, &url, "");
        assert_eq!(evidence.key(&url.join(link).unwrap()), expected);
    }
}
