//! A Python website under gunicorn, in a process of its own.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{prepared, wait_for};

/// What gunicorn writes before its address.
const LISTENING: &str = "Listening at: ";

/// A running website; ends when dropped.
pub(crate) struct Gunicorn {
    child: Child,
    log: TempDir,
    url: String,
}

impl Gunicorn {
    pub(crate) fn httpbin() -> Self {
        Self::start("httpbin:app", |_| {})
    }

    /// Starts a WSGI application on a free port of loopback.
    pub(crate) fn start(application: &str, adapt: impl FnOnce(&mut Command)) -> Self {
        let program = prepared("SESSILE_TEST_VENV").join("bin/gunicorn");
        let log = tempfile::tempdir().unwrap();
        let log_file = File::create(log.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command
            .args(["--bind=127.0.0.1:0", "--worker-class=gthread"])
            .args(["--threads=24", "--no-control-socket", application])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(log_file.try_clone().unwrap())
            .stderr(log_file);
        adapt(&mut command);
        let mut child = command.spawn().unwrap();
        let url = wait_for("gunicorn listening", || {
            let log = log_of(log.path());
            if let Some(status) = child.try_wait().unwrap() {
                panic!("gunicorn ended ({status}) instead of serving:\n{log}");
            }
            let (_, rest) = log.split_once(LISTENING)?;
            let (url, _) = rest.split_once(' ')?;
            Some(url.to_owned())
        });
        Self { child, log, url }
    }

    /// Where it is, such as `http://127.0.0.1:4711`: no slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Gunicorn {
    fn drop(&mut self) {
        // A signal it can hear, so that it ends its worker too.
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap();
        if std::thread::panicking() {
            eprintln!("--- gunicorn's log\n{}", log_of(self.log.path()));
        }
    }
}

fn log_of(directory: &Path) -> String {
    fs::read_to_string(directory.join("log")).unwrap_or_default()
}
