//! File and jar, compared and brought in step.

use std::fs;

use sessile_jar::Context;
use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_219_200);

/// A session with its file.
struct Pair {
    folder: TempDir,
    file: TokenFile,
    jar: Jar,
}

impl Pair {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = match names {
            [] => TokenNames::OfTheFile,
            names => TokenNames::Listed(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let path = folder.path().join("tokens.json");
        let url = "https://shop.example/cart".parse().unwrap();
        Self {
            file: TokenFile::new(path, url, names).unwrap(),
            folder,
            jar: Jar::new(),
        }
    }

    fn write(&self, text: &str) {
        fs::write(self.file.path(), text).unwrap();
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(self.file.path()).ok()
    }

    /// The site sets a cookie, later than the file was written.
    fn set(&mut self, line: &str) {
        let target = Target::parse("https://shop.example/").unwrap();
        let stored = self
            .jar
            .store(line.as_bytes(), &target, &Context::default(), later());
        stored.unwrap();
    }

    fn step(&mut self) -> Result<Stepped, TokenTrouble> {
        let settled = self.file.settle(&self.jar, later())?;
        let report = settled.report.clone();
        self.file.apply(settled, &mut self.jar, later());
        Ok(report)
    }

    fn header(&self) -> String {
        let target = Target::parse("https://shop.example/").unwrap();
        let context = Context::default();
        let cookies = self.jar.select(&target, &context, later());
        let pairs = cookies.map(|cookie| {
            let (name, value) = (cookie.name_lossy(), cookie.value_lossy());
            format!("{name}={value}")
        });
        pairs.collect::<Vec<_>>().join("; ")
    }
}

/// After whatever the test writes now by the machine's clock.
fn later() -> Timestamp {
    NOW.plus_seconds(3600 * 24 * 365 * 50)
}

#[test]
fn a_file_without_tokens_is_filled_with_those_that_are_listed() {
    for text in [None, Some(""), Some("{}"), Some(" \n"), Some("\u{feff}{}")] {
        let mut pair = Pair::new(&["waf", "absent"]);
        pair.set("waf=1; Path=/");
        pair.set("other=2; Path=/");
        if let Some(text) = text {
            pair.write(text);
        }
        let report = pair.step().unwrap();
        assert_eq!(report.to_file, ["waf"], "{text:?}");
        assert_eq!(pair.text().as_deref(), Some("{\n  \"waf\": \"1\"\n}\n"));
        assert_eq!(pair.step().unwrap(), Stepped::default());
    }
}

#[test]
fn without_names_the_file_says_which() {
    let mut pair = Pair::new(&[]);
    pair.set("waf=1; Path=/");
    assert_eq!(pair.step().unwrap(), Stepped::default());
    assert_eq!(pair.text(), None);
    pair.write(r#"{"PHPSESSID": "a", "waf": null, "n": 5}"#);
    let report = pair.step().unwrap();
    assert_eq!(
        (report.to_session, report.to_file),
        (vec!["PHPSESSID".to_owned()], vec!["waf".to_owned()])
    );
    assert_eq!(pair.header(), "waf=1; PHPSESSID=a");
    assert_eq!(
        pair.text().as_deref(),
        Some("{\n  \"PHPSESSID\": \"a\",\n  \"waf\": \"1\",\n  \"n\": 5\n}\n")
    );
    // What was known once stays one when the file is found empty.
    pair.write("");
    assert_eq!(pair.step().unwrap().to_file, ["PHPSESSID", "waf"]);
}

#[test]
fn changes_go_both_ways_and_a_cookie_keeps_its_attributes() {
    let mut pair = Pair::new(&["waf", "id"]);
    pair.set("waf=1; Domain=shop.example; Path=/; Secure; HttpOnly");
    pair.set("id=1; Path=/");
    pair.step().unwrap();
    pair.write(r#"{"waf": "2", "id": "1"}"#);
    pair.set("id=9; Path=/");
    let report = pair.step().unwrap();
    assert_eq!(
        (report.to_session, report.to_file),
        (vec!["waf".to_owned()], vec!["id".to_owned()])
    );
    assert_eq!(pair.header(), "waf=2; id=9");
    let waf = pair
        .jar
        .iter()
        .find(|cookie| cookie.name() == b"waf")
        .unwrap();
    assert!(waf.is_http_only() && !waf.is_host_only());
    pair.write(r#"{"waf": null, "id": "9"}"#);
    assert_eq!(pair.step().unwrap().to_session, ["waf"]);
    assert_eq!(pair.header(), "id=9");
    pair.jar.remove("id", later());
    assert_eq!(pair.step().unwrap().to_file, ["id"]);
    assert_eq!(pair.text().as_deref(), Some("{\n  \"waf\": null\n}\n"));
}

#[test]
fn a_damaged_file_is_left_alone() {
    let mut pair = Pair::new(&["waf"]);
    pair.set("waf=1; Path=/");
    let text = "{\"waf\": \"2\",\n\"x\" }";
    pair.write(text);
    let trouble = pair.step().unwrap_err();
    let path = pair.file.path();
    assert_eq!(
        trouble.to_string(),
        format!(
            "the token file {path} is damaged at line 2, column 5: this isn't JSON; it is left alone until it is repaired or removed"
        )
    );
    assert_eq!(pair.text().as_deref(), Some(text));
    assert_eq!(pair.header(), "waf=1");
    pair.write(&" ".repeat(2 << 20));
    assert!(matches!(pair.step(), Err(TokenTrouble::TooLarge { .. })));
}

#[test]
fn a_token_that_cannot_be_a_cookie_is_said_and_the_others_go_on() {
    let mut pair = Pair::new(&["a", "b", "c"]);
    pair.write(r#"{"a": "x;y", "b": "1", "c": 5}"#);
    let report = pair.step().unwrap();
    let refused: Vec<&str> = report
        .refused
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(refused, ["a", "c"]);
    assert_eq!(pair.header(), "b=1");
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode_and_a_link_stays_one() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let mut pair = Pair::new(&["waf"]);
    pair.set("waf=1; Path=/");
    pair.step().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(Path::new(pair.file.path())), 0o600);

    let real = pair.folder.path().join("real.json");
    fs::rename(pair.file.path(), &real).unwrap();
    symlink(&real, pair.file.path()).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    pair.set("waf=2; Path=/");
    assert_eq!(pair.step().unwrap().to_file, ["waf"]);
    assert_eq!(mode(&real), 0o640);
    assert!(fs::symlink_metadata(pair.file.path()).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("\"2\""));
    assert_eq!(fs::read_dir(pair.folder.path()).unwrap().count(), 2);
}

#[test]
fn a_program_that_had_read_the_file_before_brings_no_older_token_back() {
    let mut pair = Pair::new(&["a", "b"]);
    pair.set("a=1; Path=/");
    pair.set("b=1; Path=/");
    pair.step().unwrap();
    let read_before = r#"{"a": "1", "b": "1", "mine": "x"}"#;
    pair.set("a=2; Path=/");
    pair.jar.remove("b", later());
    pair.step().unwrap();
    pair.write(read_before);
    assert_eq!(pair.step().unwrap().to_file, ["a", "b"]);
    assert_eq!(
        pair.text().as_deref(),
        Some("{\n  \"a\": \"2\",\n  \"mine\": \"x\"\n}\n")
    );
    assert_eq!(pair.header(), "a=2");
}
