//! The processes of one browser: their start, and their end with nothing left behind.
//!
//! The protocol goes through a pipe, not through a port that others on this machine could reach.
//! When the pipe closes the browser ends by itself, so it outlives nobody, not even a program
//! that was killed; `launch.sh` then takes its folder away.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process_group, test_kill_process_group};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::fault::Fault;
use crate::secret::STORE_VARIABLES;

/// The names under which a Chromium is found.
const PROGRAMS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "brave-browser",
    "microsoft-edge",
];

/// How long the last words and the exit of a browser that has ended are waited for.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// With a longer folder than this the paths of the browser's sockets are too long.
const LONGEST_FOLDER: usize = 45;

/// How often it is looked whether killed processes are gone, and how long in between.
const ATTEMPTS: u32 = 200;
const MOMENT: Duration = Duration::from_millis(5);

/// What `launch.sh` ends with where there is no program.
const NOT_FOUND: i32 = 127;

const SCRIPT: &str = include_str!("launch.sh");

/// What keeps a browser to what it is asked, as far as it can be told: it still looks at its start
/// whether its maker's servers know it, without anything of the session.
const QUIET: [&str; 13] = [
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-features=MediaRouter,OptimizationHints,Translate",
    "--disable-quic",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--password-store=basic",
];

/// How a browser is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    /// The program; `None` looks for the usual ones.
    pub(crate) program: Option<OsString>,
    /// Whether a person sees it.
    pub(crate) has_window: bool,
    /// Options beside the usual ones.
    pub(crate) options: Vec<String>,
}

/// A browser that runs, and its pipes.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) input: ChildStdin,
    pub(super) output: ChildStdout,
}

/// The processes of a browser; they and their folder are gone when it is dropped.
pub(super) struct Process {
    child: Child,
    words: Option<ChildStderr>,
    group: Option<Pid>,
    folder: Option<TempDir>,
    programs: Vec<OsString>,
}

impl Launch {
    /// What a person would call the program.
    pub(crate) fn name(&self) -> String {
        let named = self.program.as_deref().map(Path::new);
        named.map_or("chromium".to_owned(), |path| path.display().to_string())
    }

    /// Starts the browser.
    pub(super) fn start(&self) -> Result<Started, Fault> {
        let cannot = |error: io::Error| Fault::Start(error.to_string());
        let folder = tempfile::Builder::new().prefix("sessile-").tempdir();
        let folder = folder.map_err(cannot)?;
        let programs = match &self.program {
            Some(program) => vec![program.clone()],
            None => PROGRAMS.map(OsString::from).to_vec(),
        };
        let mut command = self.command(folder.path(), &programs);
        let mut child = command.spawn().map_err(cannot)?;
        let input = child.stdin.take().expect("it was made above");
        let output = child.stdout.take().expect("it was made above");
        Ok(Started {
            process: Process {
                words: child.stderr.take(),
                group: child.id().and_then(|id| Pid::from_raw(id.cast_signed())),
                child,
                folder: Some(folder),
                programs,
            },
            input,
            output,
        })
    }

    fn command(&self, folder: &Path, programs: &[OsString]) -> Command {
        let mut command = Command::new("sh");
        for name in STORE_VARIABLES {
            command.env_remove(name);
        }
        command.arg("-c").arg(SCRIPT).arg("sh").arg(folder);
        command.args(programs).arg("--");
        let mut profile = OsString::from("--user-data-dir=");
        profile.push(folder.join("profile"));
        let mut dumps = OsString::from("--crash-dumps-dir=");
        dumps.push(folder);
        command.args([profile, dumps]);
        command.arg("--remote-debugging-pipe");
        command.args(QUIET);
        if !self.has_window {
            command.args(["--headless", "--disable-gpu", "--mute-audio"]);
        }
        if geteuid().is_root() {
            tracing::warn!("the browser runs as root, and so without its sandbox");
            command.arg("--no-sandbox");
        }
        command.args(&self.options).arg("about:blank");
        // What it puts there would stay.
        command.env("XDG_CACHE_HOME", folder.join("cache"));
        if folder.as_os_str().len() <= LONGEST_FOLDER {
            command.env("TMPDIR", folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        // A group of its own can be ended as a whole, and a Ctrl-C isn't its business.
        command.process_group(0).kill_on_drop(true);
        command
    }
}

impl Process {
    /// Why it has ended, where its pipe is closed.
    pub(super) async fn obituary(&mut self) -> Fault {
        let words = match self.words.take() {
            Some(words) => last_words(words).await,
            None => String::new(),
        };
        match timeout(AFTERWARDS, self.child.wait()).await {
            Ok(Ok(status)) if status.code() == Some(NOT_FOUND) => {
                let names = self.programs.iter();
                Fault::Missing(names.map(|name| name.display().to_string()).collect())
            }
            Ok(_) | Err(_) => Fault::End(words),
        }
    }

    /// Ends what still runs and waits until it is gone.
    pub(super) async fn end(self) {
        // Where that fails the runtime is going down and has dropped it already.
        _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    /// Every process of the group; the group's name is taken as long as the child isn't waited for.
    fn kill(&mut self) {
        let Some(group) = self.group.filter(|_| self.child.id().is_some()) else {
            return;
        };
        // A group whose processes have all ended can't be killed.
        _ = kill_process_group(group, Signal::KILL);
        for _attempt in 0..ATTEMPTS {
            let has_ended = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if has_ended && test_kill_process_group(group).is_err() {
                break;
            }
            std::thread::sleep(MOMENT);
        }
    }

    /// Processes that were killed a moment ago may still be writing.
    fn remove_folder(&mut self) {
        let Some(folder) = self.folder.take() else {
            return;
        };
        for _attempt in 0..ATTEMPTS {
            match std::fs::remove_dir_all(folder.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(_) => std::thread::sleep(MOMENT),
                Ok(()) => {}
            }
        }
        // Its own removal reports that there is nothing left to remove.
        _ = folder.close();
    }
}

/// Also where nobody waits for its end, as in a request that was given up.
impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.remove_folder();
    }
}

/// The line of what it wrote last that says most.
async fn last_words(mut words: ChildStderr) -> String {
    let mut bytes = Vec::new();
    // What was read until then will do.
    _ = timeout(AFTERWARDS, words.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().rfind(|line| line.contains(":FATAL:"));
    fatal
        .or_else(|| lines().next_back())
        .unwrap_or("")
        .to_owned()
}
