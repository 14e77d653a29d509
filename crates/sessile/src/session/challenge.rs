//! Who asks for a proof, by the signs that vendors document or that their pages can't do without.
//!
//! Pure tables over the head of a reply and the beginning of a page. A page counts only where the
//! server refuses: a login form with a captcha on a plain 200 is no challenge.

use std::fmt;

use http::{HeaderMap, StatusCode, header};

/// How much of a refusing page is looked at.
pub(crate) const PAGE_LIMIT: u64 = 32 * 1024;

/// Who asks for a proof, by the signs that its vendor documents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Challenge {
    /// Akamai: the cookie `sec_cpt` on a 428, or a page with its waiting room.
    Akamai,
    /// AWS WAF: the header `x-amzn-waf-action` with `challenge` or `captcha`, or its script.
    AwsWaf,
    /// Cloudflare: the header `cf-mitigated: challenge`, or the page that it goes with.
    Cloudflare,
    /// DataDome: the header `x-datadome` on a 403 or 401, or its captcha page.
    DataDome,
    /// A page with a widget of Friendly Captcha.
    FriendlyCaptcha,
    /// A page with a widget of hCaptcha.
    HCaptcha,
    /// HUMAN, formerly PerimeterX: its page to press and hold.
    Human,
    /// Imperva, formerly Incapsula: a page with its resource that checks the browser.
    Imperva,
    /// A page with a widget of reCAPTCHA.
    ReCaptcha,
    /// A page with a widget of Cloudflare's Turnstile.
    Turnstile,
}

impl Challenge {
    /// What the head of a reply says.
    pub(super) fn of_head(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let is = |name: &str, wanted: &[&str]| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| wanted.iter().any(|word| value.eq_ignore_ascii_case(word)))
        };
        if is("cf-mitigated", &["challenge"]) {
            return Some(Self::Cloudflare);
        }
        if is("x-amzn-waf-action", &["challenge", "captcha"]) {
            return Some(Self::AwsWaf);
        }
        if status == StatusCode::PRECONDITION_REQUIRED && sets_cookie(headers, b"sec_cpt=") {
            return Some(Self::Akamai);
        }
        let refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED);
        (refused && headers.contains_key("x-datadome")).then_some(Self::DataDome)
    }

    /// What the beginning of an HTML page says that came with a refusal.
    pub(crate) fn of_page(beginning: &[u8]) -> Option<Self> {
        let page = beginning.to_ascii_lowercase();
        let vendor = VENDORS
            .iter()
            .find(|(_, signs)| signs.iter().any(|sign| find(&page, sign).is_some()));
        if let Some((vendor, _)) = vendor {
            return Some(*vendor);
        }
        // Where a password is asked for, the captcha belongs to that login.
        if has_password_field(&page) {
            return None;
        }
        let widget = WIDGETS.iter().find(|(_, class)| has_class(&page, class));
        widget.map(|(widget, _)| *widget)
    }
}

/// What the pages of a vendor contain and others don't, in small letters.
///
/// Cloudflare adds `/cdn-cgi/challenge-platform/` to pages that it lets through as well, so that
/// is no sign; neither are the sensors of Akamai and HUMAN.
const VENDORS: [(Challenge, &[&str]); 6] = [
    (
        Challenge::Cloudflare,
        &[
            "_cf_chl_opt",
            "cf-browser-verification",
            "id=\"cf-challenge",
        ],
    ),
    (
        Challenge::AwsWaf,
        &[
            ".token.awswaf.com/",
            ".captcha.awswaf.com/",
            "window.gokuprops",
        ],
    ),
    (
        Challenge::DataDome,
        &[
            "://geo.captcha-delivery.com/",
            "://ct.captcha-delivery.com/",
            "://interstitial.captcha-delivery.com/",
        ],
    ),
    (
        Challenge::Akamai,
        &[
            "sec-if-cpt-container",
            "/_sec/cp_challenge/",
            "/_sec/verify?provider=",
        ],
    ),
    (
        Challenge::Human,
        &[
            "id=\"px-captcha\"",
            "id='px-captcha'",
            "://captcha.px-cdn.net/",
            "://captcha.px-cloud.net/",
        ],
    ),
    (Challenge::Imperva, &["/_incapsula_resource?"]),
];

/// The class that the documentation of each widget gives to its element.
const WIDGETS: [(Challenge, &str); 4] = [
    (Challenge::Turnstile, "cf-turnstile"),
    (Challenge::FriendlyCaptcha, "frc-captcha"),
    (Challenge::HCaptcha, "h-captcha"),
    (Challenge::ReCaptcha, "g-recaptcha"),
];

fn sets_cookie(headers: &HeaderMap, start: &[u8]) -> bool {
    let mut set = headers.get_all(header::SET_COOKIE).iter();
    set.any(|value| value.as_bytes().starts_with(start))
}

/// Whether an element has this class: the word alone may be in a script or a style of any page.
fn has_class(page: &[u8], class: &str) -> bool {
    tags(page).any(|tag| {
        let Some(at) = find(tag, "class=") else {
            return false;
        };
        let value = &tag[at + "class=".len()..];
        let value = match value.first() {
            Some(&quote @ (b'"' | b'\'')) => value[1..].split(|byte| *byte == quote).next(),
            Some(_) | None => value.split(u8::is_ascii_whitespace).next(),
        };
        let mut words = value.unwrap_or_default().split(u8::is_ascii_whitespace);
        words.any(|word| word == class.as_bytes())
    })
}

fn has_password_field(page: &[u8]) -> bool {
    tags(page)
        .filter(|tag| tag.starts_with(b"input"))
        .any(|tag| find(tag, "password").is_some())
}

/// What stands between angle brackets.
fn tags(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    let pieces = page.split(|byte| *byte == b'<').skip(1);
    pieces.filter_map(|piece| piece.split(|byte| *byte == b'>').next())
}

fn find(text: &[u8], wanted: &str) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted.as_bytes())
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Akamai => "Akamai asks for a browser check",
            Self::AwsWaf => "AWS WAF asks for a browser check",
            Self::Cloudflare => "Cloudflare asks for a browser check",
            Self::DataDome => "DataDome asks for a browser check",
            Self::FriendlyCaptcha => "the page asks to pass a Friendly Captcha",
            Self::HCaptcha => "the page asks to solve an hCaptcha",
            Self::Human => "HUMAN (PerimeterX) asks for a person",
            Self::Imperva => "Imperva asks for a browser check",
            Self::ReCaptcha => "the page asks to solve a reCAPTCHA",
            Self::Turnstile => "the page asks to pass Cloudflare's Turnstile",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_known_by_their_pages() {
        check(
            "<title>Just a moment...</title><script>window._cf_chl_opt={cvId:'3'}</script>",
            Some(Challenge::Cloudflare),
        );
        check(
            "<script src=\"https://a1.b2.eu-west-1.token.awswaf.com/a1/challenge.js\"></script>",
            Some(Challenge::AwsWaf),
        );
        check(
            "<script>window.gokuProps = {}</script>",
            Some(Challenge::AwsWaf),
        );
        check(
            "<script src=\"https://ct.captcha-delivery.com/c.js\"></script>",
            Some(Challenge::DataDome),
        );
        check(
            "<div id=\"sec-if-cpt-container\"></div>",
            Some(Challenge::Akamai),
        );
        check("<div id=\"px-captcha\"></div>", Some(Challenge::Human));
        check(
            "<iframe src=\"/_Incapsula_Resource?incident_id=1\"></iframe>",
            Some(Challenge::Imperva),
        );
    }

    #[test]
    fn widgets_are_known_by_their_elements() {
        check(
            "<form><div class=\"box g-recaptcha\" data-sitekey=x></div></form>",
            Some(Challenge::ReCaptcha),
        );
        check("<div class='h-captcha'></div>", Some(Challenge::HCaptcha));
        check("<div class=cf-turnstile></div>", Some(Challenge::Turnstile));
        check("<div class=frc-captcha>", Some(Challenge::FriendlyCaptcha));
        check("<DIV CLASS=\"CF-Turnstile\">", Some(Challenge::Turnstile));
    }

    #[test]
    fn what_other_pages_have_too_is_no_sign() {
        check("<h1>403 Forbidden</h1>", None);
        check("", None);
        check("<class=\"", None);
        check("<style>.g-recaptcha { width: 1px }</style>", None);
        check("<div class=\"g-recaptcha-badge\"></div>", None);
        check("<a href=\"/help/h-captcha\">class=h-captcha</a>", None);
        check(
            "<script src=\"https://www.google.com/recaptcha/api.js\"></script>",
            None,
        );
        check(
            "<script src=\"/cdn-cgi/challenge-platform/scripts/jsd/main.js\"></script>",
            None,
        );
        check("<script>window._pxAppId = 'PX1'</script>", None);
        check(
            "<form><input type=password><div class=g-recaptcha></div></form>",
            None,
        );
    }

    #[track_caller]
    fn check(page: &str, expected: Option<Challenge>) {
        assert_eq!(Challenge::of_page(page.as_bytes()), expected, "{page}");
    }
}
