//! Why a browser didn't do what it was asked.

use std::time::Duration;

use crate::error::Error;

/// Why a browser didn't do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// What it says isn't the protocol.
    Babble(&'static str),
    /// The page's own process crashed.
    Crash,
    /// It ended, with these last words.
    End(String),
    /// It doesn't answer within this time.
    Hang(Duration),
    /// None of these programs is there.
    Missing(Vec<String>),
    /// It refuses a command.
    Refuse {
        /// Which one.
        command: &'static str,
        /// In its own words.
        why: String,
    },
    /// It can't be started.
    Start(String),
}

impl Fault {
    /// The same as the session's error.
    pub(crate) fn error(self, program: &str) -> Error {
        let detail = match self {
            Self::Babble(what) => format!("it doesn't speak the DevTools protocol: {what}"),
            Self::Crash => "the page's process crashed".to_owned(),
            Self::End(words) if words.is_empty() => "it ended before it was done".to_owned(),
            Self::End(words) => format!("it ended before it was done: {words}"),
            Self::Hang(limit) => {
                format!("it hasn't answered for {limit:?} and was ended")
            }
            Self::Missing(programs) => match &*programs {
                [only] => format!("there is no program `{only}`"),
                several => format!("it is not installed; looked for {}", several.join(", ")),
            },
            Self::Refuse { command, why } => format!("it refuses {command}: {why}"),
            Self::Start(why) => format!("it can't be started: {why}"),
        };
        Error::Program {
            program: program.to_owned(),
            detail,
        }
    }
}
