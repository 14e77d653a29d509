//! Secrets a person or a program hands over: by prompt, standard input, environment
//! or command. Never as an argument's value, which everybody on the machine can read.

use std::io::{self, IsTerminal as _, Read};
use std::process::{Command, Stdio};

use sessile::secret::STORE_VARIABLES;
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::settings::Environment;

/// A secret that was handed over.
pub(crate) type Handed = Zeroizing<String>;

/// Where a secret comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// The first line a command prints.
    Command(String),
    /// An environment variable.
    Environment(String),
    /// A person at the terminal.
    Prompt,
    /// Standard input, to its end.
    StandardInput,
}

/// Gets the secret that `what` names: "password of ada".
pub(crate) fn read(
    origin: &Origin,
    what: &str,
    environment: &Environment,
) -> Result<Handed, Failure> {
    let secret = match origin {
        Origin::Command(command) => from_command(command)?,
        Origin::Environment(variable) => from_environment(variable, environment)?,
        Origin::Prompt => ask(what)?,
        // Typed at a terminal it would be seen: ask without echo.
        Origin::StandardInput if io::stdin().is_terminal() => ask(what)?,
        Origin::StandardInput => from_reader(io::stdin().lock())?,
    };
    match secret.is_empty() {
        true => Err(Failure::usage(format!("the {what} is empty"))),
        false => Ok(secret),
    }
}

/// Whether somebody is there to be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks at the terminal, without echo.
pub(crate) fn ask(what: &str) -> Result<Handed, Failure> {
    if !can_ask() {
        return Err(
            Failure::usage(format!("no {what}: there is no terminal to ask at")).hint(
                "hand it over by standard input, an environment variable or a command; see --help",
            ),
        );
    }
    rpassword::prompt_password(format!("{}: ", capitalized(what)))
        .map(Zeroizing::new)
        .map_err(|error| cannot_read("from the terminal", &error))
}

fn from_environment(variable: &str, environment: &Environment) -> Result<Handed, Failure> {
    environment
        .text(variable)?
        .map(Zeroizing::new)
        .ok_or_else(|| Failure::usage(format!("the environment variable {variable} is not set")))
}

/// The whole of a reader; one line end at its end belongs to `echo`, not to the secret.
fn from_reader(reader: impl Read) -> Result<Handed, Failure> {
    // Grown in place: a buffer that moves would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    reader
        .take(LONGEST as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read("from standard input", &error))?;
    if bytes.len() == LONGEST {
        return Err(Failure::usage("standard input is too long for a secret"));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::usage("the secret on standard input is not UTF-8"))?;
    Ok(Zeroizing::new(without_line_end(text).to_owned()))
}

const LONGEST: usize = 64 * 1024;

/// The first line that a command prints.
pub(crate) fn from_command(command: &str) -> Result<Handed, Failure> {
    let child = shell(command)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot_read("from the command", &error))?;
    let printed = Zeroizing::new(child.stdout);
    if !child.status.success() {
        let end = child.status;
        return Err(Failure::new(
            Exit::Failed,
            "passwordCommand",
            format!("the command that prints the secret failed: {end}"),
        )
        .hint(format!("run it by hand: {command}")));
    }
    let text = std::str::from_utf8(&printed)
        .map_err(|_| Failure::usage("what the command printed is not UTF-8"))?;
    // Password managers print the password first and notes below.
    let first = text.split('\n').next().unwrap_or_default();
    Ok(Zeroizing::new(without_line_end(first).to_owned()))
}

#[cfg(not(windows))]
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    without_store(&mut shell);
    shell
}

#[cfg(windows)]
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    without_store(&mut shell);
    shell
}

/// What opens the store is no other program's business.
pub(crate) fn without_store(command: &mut Command) {
    for name in STORE_VARIABLES {
        command.env_remove(name);
    }
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn capitalized(what: &str) -> String {
    let mut letters = what.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn cannot_read(place: &str, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "passwordInput",
        format!("cannot read the secret {place}: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::environment;

    #[test]
    fn one_line_end_is_not_part_of_the_secret() {
        for (given, expected) in [
            ("pa ss", "pa ss"),
            ("pass\n", "pass"),
            ("pass\r\n", "pass"),
            ("pass\n\n", "pass\n"),
            (" pass ", " pass "),
        ] {
            assert_eq!(
                *from_reader(given.as_bytes()).unwrap(),
                expected,
                "{given:?}"
            );
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        check_refused(from_reader(&b"\xff\xfe"[..]), "not UTF-8");
        check_refused(from_reader(io::repeat(b'x')), "too long");
        let nowhere = Origin::Environment("NOWHERE".into());
        check_refused(
            read(&nowhere, "password", &environment(&[])),
            "NOWHERE is not set",
        );
    }

    #[test]
    fn a_variable_is_read() {
        let origin = Origin::Environment("P".into());
        let secret = read(&origin, "password", &environment(&[("P", "hunter2")])).unwrap();
        assert_eq!(*secret, "hunter2");
    }

    #[test]
    #[cfg(unix)]
    fn a_command_s_first_line_is_read() {
        let run = |command: &str| {
            read(
                &Origin::Command(command.into()),
                "password",
                &environment(&[]),
            )
        };
        assert_eq!(*run("printf 'hunter2\\nnotes\\n'").unwrap(), "hunter2");
        check_refused(run("exit 3"), "exit status: 3");
        check_refused(run("true"), "the password is empty");
    }

    #[track_caller]
    fn check_refused(found: Result<Handed, Failure>, words: &str) {
        let message = found.unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}
