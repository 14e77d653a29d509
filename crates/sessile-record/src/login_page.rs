//! What a page that asks for a login looks like, where it came in place of something else.

use sessile::site::{Content, Css};

/// Whether a page asks whoever sees it to log in.
pub(crate) fn is_one(html: &str) -> bool {
    const FIELDS: &str = "input[type=password i], input[autocomplete=current-password i]";
    let fields = Css::parse(FIELDS).expect("it is a selector");
    Content::new(html, true).has(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_what_a_login_asks_for() {
        assert!(is_one(
            "<form><input name=user><input type=Password></form>"
        ));
        assert!(!is_one("<p>input type=password</p><input type=search>"));
        assert!(!is_one(""));
    }
}
