//! Somebody with a home directory of their own, who runs `sessile` in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A person whose store and key are where `sessile` puts them by default, below a home of their own.
pub(crate) struct Person {
    home: TempDir,
}

impl Person {
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("sessile-home-").tempdir();
        Self {
            home: home.unwrap(),
        }
    }

    /// `sessile` with these arguments, to be run with nothing on standard input.
    pub(crate) fn sessile(&self, arguments: &str) -> Invocation {
        self.program(Path::new(env!("CARGO_BIN_EXE_sessile")), arguments)
    }

    /// The same with another copy of the binary.
    pub(crate) fn program(&self, program: &Path, arguments: &str) -> Invocation {
        let mut command = Command::new(program);
        command
            .args(arguments.split_whitespace())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Invocation {
            line: format!("sessile {arguments}"),
            command,
            input: Vec::new(),
        }
    }

    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        self.sessile(arguments).run()
    }

    /// Lines for a shell that finds `sessile`, in their home.
    pub(crate) fn shell(&self, script: &str) -> Invocation {
        let binary = Path::new(env!("CARGO_BIN_EXE_sessile"));
        let folder = binary.parent().unwrap().display();
        let home = self.home().display();
        let mut shell = self
            .program(Path::new("/bin/sh"), "-ec")
            .argument(script)
            .environment("PATH", format!("{home}/bin:{folder}:/usr/bin:/bin"));
        shell.command.current_dir(self.home());
        shell
    }

    /// Runs the same `count` times at once and waits for all.
    pub(crate) fn run_at_once(&self, count: usize, arguments: &str) -> Vec<Outcome> {
        let running: Vec<Running> = (0..count)
            .map(|_| self.sessile(arguments).start())
            .collect();
        running.into_iter().map(Running::finish).collect()
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the store is by default.
    pub(crate) fn store(&self) -> PathBuf {
        self.home.path().join(".local/share/sessile/sessile.db")
    }

    /// Every file of the store, by name, with its bytes.
    pub(crate) fn store_files(&self) -> Vec<(String, Vec<u8>)> {
        let directory = self.store();
        let mut files: Vec<_> = fs::read_dir(directory.parent().unwrap())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }
}

/// A run that is being put together.
pub(crate) struct Invocation {
    line: String,
    command: Command,
    input: Vec<u8>,
}

impl Invocation {
    pub(crate) fn input(mut self, text: impl AsRef<[u8]>) -> Self {
        self.input.extend_from_slice(text.as_ref());
        self
    }

    /// One more argument, blanks and all.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.line = format!("{} '{argument}'", self.line);
        self.command.arg(argument);
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// By another user, who can't write where this one can.
    pub(crate) fn by_user(mut self, user: u32) -> Self {
        use std::os::unix::process::CommandExt as _;
        self.command.uid(user).gid(user);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Who ends before it has read everything has its own reason, seen in its outcome.
        let _ = stdin.write_all(&self.input);
        Running {
            line: self.line,
            child,
        }
    }

    /// The same with standard input left open for more.
    pub(crate) fn start_open(mut self) -> Running {
        Running {
            line: self.line,
            child: self.command.spawn().unwrap(),
        }
    }

    pub(crate) fn run(self) -> Outcome {
        self.start().finish()
    }
}

/// A run under way.
pub(crate) struct Running {
    line: String,
    child: Child,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by its name, as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{name}")).arg(self.pid().to_string());
        assert!(kill.status().unwrap().success());
    }

    /// The most memory that it has had so far.
    pub(crate) fn peak_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = line.unwrap().trim().trim_end_matches(" kB");
        peak.parse().unwrap()
    }

    /// Standard input, where it was left open; dropped, it is at its end.
    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// The next bytes of standard output, as soon as they are there.
    pub(crate) fn read(&mut self, count: usize) -> String {
        let stdout: &mut ChildStdout = self.child.stdout.as_mut().unwrap();
        let mut bytes = vec![0; count];
        stdout.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The next line of standard output; nothing where it is at its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let stdout: &mut ChildStdout = self.child.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        (!line.is_empty()).then(|| String::from_utf8(line).unwrap())
    }

    /// The next lines of standard error, up to the first that has this in it.
    pub(crate) fn errors_until(&mut self, text: &str) -> Vec<String> {
        let stderr: &mut ChildStderr = self.child.stderr.as_mut().unwrap();
        let mut lines = vec![String::new()];
        let mut byte = [0];
        while stderr.read(&mut byte).unwrap() == 1 {
            let line = lines.last_mut().unwrap();
            match byte[0] {
                b'\n' if line.contains(text) => return lines,
                b'\n' => lines.push(String::new()),
                other => line.push(other.into()),
            }
        }
        panic!("{text:?} wasn't said: {lines:#?}");
    }

    /// Ends it as nobody can prevent.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn finish(self) -> Outcome {
        let output = self.child.wait_with_output().unwrap();
        Outcome {
            line: self.line,
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What came of a run. The assertions show all of it when they fail, and give it back when they hold.
pub(crate) struct Outcome {
    line: String,
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "expected exit code {code}\n{}",
            self.shown()
        );
        self
    }

    /// Standard output has this in it.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(
            self.stdout().contains(text),
            "expected {text:?} on standard output\n{}",
            self.shown()
        );
        self
    }

    #[track_caller]
    pub(crate) fn prints_nothing(self) -> Self {
        assert!(
            self.stdout.is_empty(),
            "expected nothing on standard output\n{}",
            self.shown()
        );
        self
    }

    /// Standard error has each of these in it, upper or lower case.
    #[track_caller]
    pub(crate) fn says(self, fragments: &[&str]) -> Self {
        let said = self.stderr.to_lowercase();
        for fragment in fragments {
            assert!(
                said.contains(&fragment.to_lowercase()),
                "expected {fragment:?} on standard error\n{}",
                self.shown()
            );
        }
        self
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    pub(crate) fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Standard output as the JSON document that it is to be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON on standard output: {error}\n{}", self.shown()))
    }

    /// All that was seen of the run.
    pub(crate) fn shown(&self) -> String {
        format!(
            "$ {}\nexit code: {:?}\n--- standard output\n{}\n--- standard error\n{}",
            self.line,
            self.code,
            self.stdout(),
            self.stderr
        )
    }
}
