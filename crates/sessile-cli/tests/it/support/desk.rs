//! A person whose browsers can be told from everybody else's: their temporary folder is known.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use super::person::Invocation;
use super::{Person, wait_for};

/// A person with a temporary folder of their own.
pub(crate) struct Desk {
    pub(crate) me: Person,
    temporary: PathBuf,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let me = Person::new();
        let temporary = me.home().join("t");
        fs::create_dir(&temporary).unwrap();
        Self { me, temporary }
    }

    pub(crate) fn sessile(&self, arguments: &str) -> Invocation {
        let invocation = self.me.sessile(arguments);
        invocation.environment("TMPDIR", &self.temporary)
    }

    /// The browser itself, without the processes of its pages, as soon as it is there.
    pub(crate) fn browser(&self) -> Pid {
        wait_for("a browser", || {
            let all = self.processes();
            let own = all.iter().find(|(_, line)| {
                line.contains("--user-data-dir=") && !line.contains("--type=") && !is_shell(line)
            });
            own.map(|(pid, _)| *pid)
        })
    }

    pub(crate) fn signal(&self, pid: Pid, signal: Signal) {
        kill_process(pid, signal).unwrap();
    }

    /// Neither a process nor a file, not even for a moment.
    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        let left = self.left_behind();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }

    /// Nobody is there any more to wait for the browser's end.
    #[track_caller]
    pub(crate) fn becomes_tidy(&self) {
        wait_for("the browser's end", || {
            self.left_behind().is_empty().then_some(())
        });
    }

    fn left_behind(&self) -> Vec<String> {
        let files = fs::read_dir(&self.temporary).unwrap();
        let files = files.map(|file| file.unwrap().path().display().to_string());
        let processes = self.processes().into_iter();
        let processes = processes.map(|(pid, line)| format!("{} {line}", pid.as_raw_nonzero()));
        files.chain(processes).collect()
    }

    /// Those that are alive and have the temporary folder in their command line.
    fn processes(&self) -> Vec<(Pid, String)> {
        let temporary = self.temporary.display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let path = entry.unwrap().path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            // A process may be gone by now; the dead have no command line.
            let (Some(number), Ok(line)) = (number, fs::read(path.join("cmdline"))) else {
                continue;
            };
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&temporary) {
                found.extend(Pid::from_raw(number).map(|pid| (pid, line)));
            }
        }
        found
    }
}

/// What starts the browser has its options in its own command line.
fn is_shell(line: &str) -> bool {
    line.starts_with("sh ") || line.starts_with("/bin/sh ")
}
