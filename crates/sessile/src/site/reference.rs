//! The reference of the site file, made of the tables that the reader knows.

use super::{RENEW, SITE, check, form, limits, login, steps};

/// Every key of a site file, its type, default and an example, as Markdown.
pub fn reference() -> String {
    let mut text = String::new();
    SITE.reference(&mut text);
    for section in login::sections() {
        section.reference(&mut text);
    }
    for section in [
        &form::FIELDS,
        &steps::STEP,
        &steps::CAPTURE,
        &steps::EXPECT,
        &check::CHECK,
        &check::EXPIRED,
        &RENEW,
        &limits::SECTION,
    ] {
        section.reference(&mut text);
    }
    text.trim_end().to_owned()
}
