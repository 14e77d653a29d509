//! How a run ends: the exit codes, and the failure a person or a program is told of.
//!
//! What each error of the library means is decided in `commands::failure`; how a
//! failure is written is decided in `printer`.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// The exit codes of `sessile`; scripts depend on them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// It failed, and no other code says why better.
    Failed = 1,
    /// The command line was wrong; nothing was tried.
    Usage = 2,
    /// Not logged in, or the login was refused.
    NotLoggedIn = 3,
    /// A person is needed: a captcha, a second factor, a challenge.
    PersonNeeded = 4,
    /// The store can't be opened, read or written.
    StoreUnavailable = 5,
}

impl Exit {
    /// The number the shell sees.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ended without doing what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    kind: &'static str,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure of `kind` (a camelCase word for programs), told to people by `message`.
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// A command line that can't be carried out.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// The same failure, with what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failure told by an error and the chain of what lies under it, each told once.
    pub(crate) fn of(exit: Exit, kind: &'static str, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many errors repeat the text of their source at their own end.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            next = cause.source();
        }
        Self::new(exit, kind, message)
    }

    /// The code to end with.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The word programs branch on.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// What went wrong and where.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why a command stops before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A signal of this number ended it.
    Ended(u8),
    /// It failed, and says why.
    Fail(Failure),
    /// Whoever read our output has seen enough: nothing to say, nothing went wrong.
    ReaderGone,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Fail(failure)
    }
}

/// What a command answers.
pub(crate) type Outcome<T = Exit> = Result<T, Stop>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_codes_are_what_scripts_expect() {
        let all = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotLoggedIn, 3),
            (Exit::PersonNeeded, 4),
            (Exit::StoreUnavailable, 5),
        ];
        for (exit, code) in all {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }

    #[derive(Debug)]
    struct Outer(&'static str, io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        for (own, told) in [
            ("cannot write `a`", "cannot write `a`: disk on fire"),
            ("cannot write: disk on fire", "cannot write: disk on fire"),
        ] {
            let error = Outer(own, io::Error::other("disk on fire"));
            assert_eq!(Failure::of(Exit::Failed, "io", &error).to_string(), told);
        }
    }
}
