//! A daemon of a person's, asked with curl as a program in any language would.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use super::person::Running;
use super::{Invocation, Outcome, Person};

/// A running `sessile serve`.
pub(crate) struct Served {
    running: Running,
    /// The first token.
    pub(crate) token: String,
    pub(crate) url: String,
}

impl Served {
    /// Starts a daemon on a free port; its log goes on with `options`.
    pub(crate) fn start(me: &Person, options: &str) -> Self {
        let line = format!("serve --listen 127.0.0.1:0 --json {options}");
        Self::of(me, me.sessile(&line))
    }

    /// Starts a daemon by a line that has `--json`.
    pub(crate) fn of(me: &Person, serve: Invocation) -> Self {
        let mut running = serve.start();
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            text.push_str(&running.read(1));
        }
        let document: Value = serde_json::from_str(&text).unwrap();
        let url = document["listening"].as_str().unwrap().to_owned();
        let file = me.home().join(".config/sessile/token");
        let token = fs::read_to_string(file).unwrap().trim().to_owned();
        Self {
            running,
            token,
            url,
        }
    }

    /// Asks for a path with the token; `options` are curl's.
    pub(crate) fn ask(&self, path: &str, options: &[&str]) -> Asked {
        let mut curl = Command::new("curl");
        // The token isn't on a command line, as it shouldn't be anywhere.
        let authorization = format!("Authorization: Bearer {}", self.token);
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "120",
            "--header",
            "@-",
        ])
        .args(options)
        .arg(format!("{}{path}", self.url));
        Asked::of(curl, &authorization)
    }

    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Ends it as a supervisor does, and waits.
    pub(crate) fn stop(self) -> Outcome {
        self.running.signal("TERM");
        self.running.finish()
    }

    pub(crate) fn kill(self) {
        self.running.kill();
    }
}

/// What curl got.
pub(crate) struct Asked(Output);

impl Asked {
    pub(crate) fn of(mut curl: Command, standard_input: &str) -> Self {
        use std::io::Write as _;
        use std::process::Stdio;

        curl.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = curl.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(standard_input.as_bytes())
            .unwrap();
        Self(child.wait_with_output().unwrap())
    }

    #[track_caller]
    pub(crate) fn text(&self) -> String {
        let errors = String::from_utf8_lossy(&self.0.stderr);
        assert!(self.0.status.success(), "{errors}");
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
    }
}
