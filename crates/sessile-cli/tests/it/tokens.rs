//! A session in step with a token file that Python programs read and write.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::Value;

use crate::support::{Person, Practice};

/// A person with a kept session and the place of a token file.
struct Kept {
    site: Practice,
    me: Person,
}

impl Kept {
    fn new() -> Self {
        let (site, me) = (Practice::start(), Person::new());
        site.log_in(&me, "kept", "/login", "").exits(0);
        Self { site, me }
    }

    fn file(&self) -> PathBuf {
        self.me.home().join("tokens.json")
    }

    fn link(&self, options: &str) {
        let (file, url) = (self.file(), self.site.page("/"));
        let line = format!(
            "tokens kept --file {} --url {url} {options}",
            file.display()
        );
        self.me.run(&line).exits(0);
    }

    fn in_file(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap()
    }

    fn cookie(&self, name: &str) -> String {
        let found = self.me.run(&format!("cookies kept get {name}")).exits(0);
        found.stdout().trim_end().to_owned()
    }

    fn set(&self, pair: &str) {
        let url = self.site.page("/");
        let line = format!("cookies kept set {pair} --path / --url {url}");
        self.me.run(&line).exits(0);
    }

    /// Starts a Python program that has the file's path in `path`.
    fn python(&self, program: &str) -> Child {
        let program = format!("import json, os, sys\npath = sys.argv[1]\n{program}");
        Command::new("python3")
            .args(["-c", &program])
            .arg(self.file())
            .spawn()
            .unwrap()
    }

    #[track_caller]
    fn run_python(&self, program: &str) {
        assert!(self.python(program).wait().unwrap().success());
    }
}

#[test]
fn tokens_go_both_ways() {
    let kept = Kept::new();
    kept.link("--names session,waf");
    let session = kept.cookie("session");
    assert_eq!(kept.in_file()["session"], session);

    kept.run_python(
        "json.dump({**json.load(open(path)), 'waf': 'by python', 'theirs': 5}, open(path, 'w'))",
    );
    let shown = kept.site.page("/cookies/show");
    kept.me
        .run(&format!("get -s kept {shown}"))
        .exits(0)
        .prints("waf=by python");
    kept.set("waf=by-hand");
    kept.run_python("found = json.load(open(path)); assert found['waf'] == 'by-hand', found; assert found['theirs'] == 5, found");

    // The login is renewed: its new token is in the file before the answer is out.
    let members = kept.site.page("/members");
    kept.site
        .log_in(&kept.me, "kept", "/login", "--remember")
        .exits(0);
    kept.site.kill_sessions();
    kept.me.run(&format!("get -s kept {members}")).exits(0);
    let renewed = kept.cookie("session");
    assert_ne!(renewed, session);
    assert_eq!(kept.in_file()["session"], renewed);

    let status = kept.me.run("status kept --json").exits(0).json();
    assert_eq!(status["tokenFile"]["names"][0], "session");
    kept.me.run("tokens kept --stop").exits(0);
    kept.set("waf=later");
    assert_eq!(kept.in_file()["waf"], Value::Null);
    kept.me
        .run("tokens kept")
        .exits(1)
        .says(&["no token file", "--file"]);
}

#[test]
fn a_file_that_is_missing_empty_or_damaged_costs_nobody_a_token() {
    let kept = Kept::new();
    for text in [None, Some(""), Some("{}")] {
        match text {
            None => drop(fs::remove_file(kept.file())),
            Some(text) => fs::write(kept.file(), text).unwrap(),
        }
        kept.link("--names session");
        assert_eq!(
            kept.in_file()["session"],
            kept.cookie("session"),
            "{text:?}"
        );
    }
    let damaged = "{\"session\": \"x\",\n nonsense}";
    fs::write(kept.file(), damaged).unwrap();
    let words = ["tokens.json", "line 2, column 2", "left alone"];
    let members = kept.site.page("/members");
    kept.me
        .run(&format!("get -s kept {members}"))
        .exits(0)
        .says(&words);
    kept.me
        .run("tokens kept")
        .exits(1)
        .prints_nothing()
        .says(&words);
    kept.me
        .run(&format!(
            "tokens kept --file {} --url {members}",
            kept.file().display()
        ))
        .exits(1)
        .says(&words);
    assert_eq!(fs::read_to_string(kept.file()).unwrap(), damaged);
    fs::remove_file(kept.file()).unwrap();
    let stepped = kept.me.run("tokens kept --json").exits(0).json();
    assert_eq!(stepped["toFile"][0], "session");
}

#[test]
fn once_is_once() {
    let kept = Kept::new();
    fs::write(kept.file(), r#"{"waf": "1"}"#).unwrap();
    kept.link("--once");
    assert_eq!(kept.cookie("waf"), "1");
    fs::write(kept.file(), r#"{"waf": "2"}"#).unwrap();
    kept.me
        .run(&format!("get -s kept {}", kept.site.page("/")))
        .exits(0);
    assert_eq!(kept.cookie("waf"), "1");
    kept.me
        .run("status kept")
        .exits(0)
        .prints("token file    none");
}

/// Adds one to its token again and again, with a file of its own put in the place of the old one.
const COUNTING: &str = "
for number in range(1, 41):
    while True:
        try:
            found = json.load(open(path))
            break
        except FileNotFoundError:
            pass
    assert found['session'], found
    found['python'] = str(number)
    with open(path + '.new', 'w') as file:
        json.dump(found, file)
    os.replace(path + '.new', path)
";

#[test]
fn two_processes_and_a_program_that_rewrites_the_file_agree_in_the_end() {
    let kept = Kept::new();
    fs::write(
        kept.file(),
        r#"{"a": "0", "b": "0", "python": "0", "session": null}"#,
    )
    .unwrap();
    kept.link("");
    let mut counting = kept.python(COUNTING);
    std::thread::scope(|scope| {
        for token in ["a", "b"] {
            let kept = &kept;
            scope.spawn(move || (1..=12).for_each(|number| kept.set(&format!("{token}={number}"))));
        }
    });
    assert!(counting.wait().unwrap().success());
    // Its last word, when nobody else writes.
    kept.run_python("found = json.load(open(path)); found['python'] = 'last'; json.dump(found, open(path, 'w'))");
    kept.me.run("tokens kept").exits(0);
    let session = kept.cookie("session");
    for (token, value) in [
        ("a", "12"),
        ("b", "12"),
        ("python", "last"),
        ("session", &session),
    ] {
        assert_eq!(kept.in_file()[token], value, "{token} in the file");
        assert_eq!(kept.cookie(token), value, "{token} in the session");
    }
    let left = fs::read_dir(kept.me.home()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        left.into_iter()
            .all(|name| !name.contains("sessile-tokens"))
    );
}
