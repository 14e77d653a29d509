//! The reference of the site file, made of the tables that the reader knows.

use super::{RENEW, SITE, check, form, limits, login, media, pool, steps};

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
        &pool::POOL,
        &pool::WARM_UP,
        &pool::COOKIES,
        &pool::TARGETS,
        &media::SECTION,
    ] {
        section.reference(&mut text);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "<!-- reference -->\n";
    const END: &str = "<!-- /reference -->";

    #[test]
    fn the_written_reference_is_the_programs() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/site-file.md");
        let text = std::fs::read_to_string(file).unwrap();
        let (before, rest) = text.split_once(START).unwrap();
        let (written, after) = rest.split_once(END).unwrap();
        let reference = format!("\n{}\n\n", reference());
        if std::env::var_os("SESSILE_BLESS").is_some() {
            let text = format!("{before}{START}{reference}{END}{after}");
            std::fs::write(file, text).unwrap();
            return;
        }
        assert!(
            written == reference,
            "docs/site-file.md is not what the program says; run this test with SESSILE_BLESS=1"
        );
    }

    #[test]
    fn every_example_is_toml() {
        for line in reference().lines() {
            let Some((_, rest)) = line.split_once("Example: `") else {
                continue;
            };
            let (example, _) = rest.rsplit_once('`').unwrap();
            let example = example.replace("\\|", "|");
            let (_, faults) = toml::de::DeTable::parse_recoverable(&example);
            assert!(faults.is_empty(), "{example}: {faults:?}");
        }
    }
}
