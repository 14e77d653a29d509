//! The only place that writes to standard output and standard error.
//!
//! Standard output carries what can be piped: bodies, lists, JSON. All else goes to
//! standard error. The log of `--verbose` (see `logging`) writes to standard error too.

use std::io::{self, IsTerminal as _, Write};

use serde_json::{Value, json};

use crate::exit::{Failure, Outcome, Stop};

/// Writes results and messages in the form asked for.
pub(crate) struct Printer {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    style: Style,
}

/// How to write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Standard error understands colours, and they are wanted.
    pub(crate) colour: bool,
    /// Standard error is a terminal.
    pub(crate) err_is_terminal: bool,
    /// One JSON document on standard output, errors as JSON.
    pub(crate) json: bool,
    /// Standard output is a terminal: nothing binary goes there.
    pub(crate) out_is_terminal: bool,
    /// Only errors.
    pub(crate) quiet: bool,
}

impl Style {
    /// Whether only errors are said. A program that reads standard error is to find the one
    /// JSON document there, or nothing; what was done is in the document it gets.
    fn is_silent(self) -> bool {
        self.quiet || self.json
    }

    /// Whether a bar may move there.
    pub(crate) fn shows_progress(self) -> bool {
        self.err_is_terminal && !self.is_silent()
    }

    /// Whether the two streams are terminals is asked of them; the rest is given.
    pub(crate) fn of_process(json: bool, quiet: bool, no_colour: bool) -> Self {
        Self {
            colour: !json && !no_colour && io::stderr().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            json,
            out_is_terminal: io::stdout().is_terminal(),
            quiet,
        }
    }
}

impl Printer {
    /// A printer on the streams of this process.
    pub(crate) fn of_process(style: Style) -> Self {
        Self::new(standard_output(), Box::new(io::stderr()), style)
    }

    fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, style: Style) -> Self {
        Self { out, err, style }
    }

    /// How this printer writes.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Bytes of a body, to standard output as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome<()> {
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        written.map_err(|error| stop(&error))
    }

    /// A line of a result, to standard output.
    pub(crate) fn line(&mut self, text: &str) -> Outcome<()> {
        writeln!(self.out, "{text}").map_err(|error| stop(&error))
    }

    /// The JSON document that is the whole result, to standard output.
    pub(crate) fn document(&mut self, document: &Value) -> Outcome<()> {
        writeln!(self.out, "{document:#}").map_err(|error| stop(&error))
    }

    /// One of many JSON documents, a line each, at once.
    pub(crate) fn json_line(&mut self, document: &Value) -> Outcome<()> {
        self.line(&document.to_string())?;
        self.flush()
    }

    /// Standard output, for what writes on a thread of its own while the printer doesn't.
    #[expect(clippy::unused_self, reason = "nobody writes without the printer")]
    pub(crate) fn standard_output(&self) -> impl Write + Send + 'static {
        standard_output()
    }

    /// Rows under a heading, in columns, to standard output.
    pub(crate) fn table<const N: usize>(
        &mut self,
        heading: [&str; N],
        rows: &[[String; N]],
    ) -> Outcome<()> {
        columns(heading, rows)
            .iter()
            .try_for_each(|line| self.line(line))
    }

    /// What was done, to standard error. Nobody is left waiting for it, so that a
    /// closed standard error doesn't end the command.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.style.is_silent() {
            _ = writeln!(self.err, "{text}");
        }
    }

    /// Writes notes while somebody else holds the printer.
    pub(crate) fn noter(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let is_silent = self.style.is_silent();
        move |text| {
            if !is_silent {
                _ = writeln!(io::stderr(), "{text}");
            }
        }
    }

    /// Writes what a person has to do or nothing goes on, whoever holds the printer.
    #[expect(clippy::unused_self, reason = "nobody writes without the printer")]
    pub(crate) fn teller(&self) -> impl Fn(&str) + Send + Sync + 'static {
        |text| _ = writeln!(io::stderr(), "{text}")
    }

    /// What may need doing, to standard error.
    pub(crate) fn warn(&mut self, text: &str) {
        if !self.style.is_silent() {
            let label = self.paint(YELLOW, "warning:");
            _ = writeln!(self.err, "{label} {text}");
        }
    }

    /// Why the command failed: what, where and what to do.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if self.style.json {
            _ = writeln!(self.err, "{:#}", failure_document(failure));
            return;
        }
        let label = self.paint(RED, "error:");
        _ = writeln!(self.err, "{label} {failure}");
        if let Some(hint) = failure.advice() {
            let label = self.paint(CYAN, "hint:");
            _ = writeln!(self.err, " {label} {hint}");
        }
    }

    /// Everything written so far reaches its stream.
    pub(crate) fn flush(&mut self) -> Outcome<()> {
        self.out.flush().map_err(|error| stop(&error))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        match self.style.colour {
            true => format!("{colour}{text}{RESET}"),
            false => text.to_owned(),
        }
    }
}

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const CYAN: &str = "\u{1b}[1;36m";
const RESET: &str = "\u{1b}[0m";

/// Without the standard library's line buffer, which would copy every body once more.
#[cfg(unix)]
fn standard_output() -> Box<dyn Write + Send> {
    use std::fs::File;
    use std::os::fd::AsFd as _;

    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(output) => Box::new(io::BufWriter::new(File::from(output))),
        // Closed by whoever started us: what is written is reported as any other failure.
        Err(_) => Box::new(io::stdout()),
    }
}

#[cfg(not(unix))]
fn standard_output() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// A reader that closed the pipe has had what it wanted (`sessile list | head -1`).
fn stop(error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::ReaderGone,
        _ => Failure::new(
            crate::exit::Exit::Failed,
            "output",
            format!("cannot write to standard output: {error}"),
        )
        .into(),
    }
}

fn failure_document(failure: &Failure) -> Value {
    json!({ "error": {
        "code": failure.exit().code(),
        "kind": failure.kind(),
        "message": failure.to_string(),
        "hint": failure.advice(),
    } })
}

fn columns<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let heading = heading.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let width = |row: &[String; N]| row.get(column).map_or(0, |cell| cell.chars().count());
        all().map(width).max().unwrap_or(0)
    });
    all().map(|row| padded(row, &widths)).collect()
}

fn padded(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    padded.join("  ").trim_end().to_owned()
}

/// Text from outside, safe on a terminal: control characters can't move its cursor.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::exit::Exit;

    /// What a printer under test wrote.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer with its standard output and standard error.
    pub(crate) fn printer(style: Style) -> (Printer, Written, Written) {
        let (out, err) = (Written::default(), Written::default());
        let printer = Printer::new(Box::new(out.clone()), Box::new(err.clone()), style);
        (printer, out, err)
    }

    fn failure() -> Failure {
        Failure::new(
            Exit::NotLoggedIn,
            "unknownSession",
            "no session `shop` in sqlite:x.db",
        )
        .hint("`sessile login shop URL` makes one")
    }

    #[test]
    fn a_failure_is_told_to_people() {
        let (mut printer, out, err) = printer(Style::default());
        printer.failure(&failure());
        assert_eq!(out.text(), "");
        assert_eq!(
            err.text(),
            "error: no session `shop` in sqlite:x.db\n hint: `sessile login shop URL` makes one\n",
        );
    }

    #[test]
    fn a_failure_is_told_to_programs() {
        let (mut printer, out, err) = printer(Style {
            json: true,
            ..Style::default()
        });
        printer.failure(&failure());
        assert_eq!(out.text(), "");
        let document: Value = serde_json::from_str(&err.text()).unwrap();
        assert_eq!(
            document,
            json!({ "error": {
            "code": 3,
            "kind": "unknownSession",
            "message": "no session `shop` in sqlite:x.db",
            "hint": "`sessile login shop URL` makes one",
        } })
        );
    }

    #[test]
    fn quiet_and_json_say_errors_only() {
        for (quiet, json, start) in [(true, false, "error: "), (false, true, "{")] {
            let (mut printer, _, err) = printer(Style {
                quiet,
                json,
                ..Style::default()
            });
            printer.note("logged in");
            printer.warn("two days old");
            assert_eq!(err.text(), "");
            printer.failure(&failure());
            assert!(err.text().starts_with(start), "{}", err.text());
        }
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        let (mut plain, _, err) = printer(Style::default());
        plain.warn("w");
        assert_eq!(err.text(), "warning: w\n");
        let (mut coloured, _, err) = printer(Style {
            colour: true,
            ..Style::default()
        });
        coloured.warn("w");
        assert_eq!(err.text(), "\u{1b}[1;33mwarning:\u{1b}[0m w\n");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["shop".into(), "7".into()], ["a".into(), String::new()]];
        let lines = columns(["NAME", "COOKIES"], &rows);
        assert_eq!(lines, ["NAME  COOKIES", "shop  7", "a"]);
    }

    #[test]
    fn a_site_s_words_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut printer = Printer::new(Box::new(Closed), Box::new(Closed), Style::default());
        assert!(matches!(printer.line("x"), Err(Stop::ReaderGone)));
        printer.note("nobody listens");
    }
}
