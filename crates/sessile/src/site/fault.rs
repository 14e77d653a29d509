//! What is wrong with a site file: every fault with its line and column, the line itself, and what
//! to do.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use strsim::damerau_levenshtein;

/// Everything that is wrong with one site file, in the order of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SiteErrors {
    /// What the file is called in messages.
    pub file: String,
    /// At least one.
    pub errors: Vec<SiteError>,
}

/// One thing that is wrong with a site file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SiteError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters of the line it is about.
    pub width: usize,
    /// The line itself.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What to write in its place, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for SiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{error}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for SiteErrors {}

impl SiteError {
    /// What is wrong and what to do, on one line.
    pub fn told(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, .. } = self;
        write!(f, "{line}:{column}: {}", self.told())?;
        if !self.text.trim().is_empty() {
            let (number, marks) = (line.to_string(), "^".repeat(self.width.max(1)));
            write!(f, "\n  {number} | {}", self.text)?;
            // What lies beyond the shown part of a long line has no marks.
            if *column <= self.text.chars().count() + 1 {
                let indent = number.len() + 5 + column - 1;
                write!(f, "\n{:indent$}{marks}", "")?;
            }
        }
        Ok(())
    }
}

/// Collects what is wrong while a file is read.
#[derive(Debug, Default)]
pub(super) struct Faults(RefCell<Vec<Fault>>);

#[derive(Debug)]
struct Fault {
    at: Range<usize>,
    message: String,
    hint: Option<String>,
    /// Whether what stands after it in the line is a credential.
    is_secret: bool,
}

impl Faults {
    /// Notes a fault at these bytes of the file.
    pub(super) fn note(&self, at: &Range<usize>, message: impl Into<String>) {
        self.push(at, message.into(), None, false);
    }

    /// The same, with what to do.
    pub(super) fn advise(
        &self,
        at: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(at, message.into(), Some(hint.into()), false);
    }

    /// A credential that stands in the file; the key's place. The value is not shown.
    pub(super) fn hide(&self, key: &Range<usize>, message: String, hint: String) {
        self.push(key, message, Some(hint), true);
    }

    fn push(&self, at: &Range<usize>, message: String, hint: Option<String>, is_secret: bool) {
        let mut faults = self.0.borrow_mut();
        if faults.len() < MOST {
            faults.push(Fault {
                at: at.clone(),
                message,
                hint,
                is_secret,
            });
        }
    }

    /// The faults as they are shown; `None` where there are none.
    pub(super) fn told(self, file: &str, source: &str) -> Option<SiteErrors> {
        let mut faults = self.0.into_inner();
        faults.sort_by_key(|fault| fault.at.start);
        let secrets: Vec<usize> = faults
            .iter()
            .filter(|fault| fault.is_secret)
            .map(|fault| fault.at.end)
            .collect();
        let errors = faults.into_iter().map(|fault| fault.told(source, &secrets));
        let errors: Vec<SiteError> = errors.collect();
        (!errors.is_empty()).then(|| SiteErrors {
            file: file.to_owned(),
            errors,
        })
    }
}

impl Fault {
    /// The fault and its line, which ends where a secret starts.
    fn told(self, source: &str, secrets: &[usize]) -> SiteError {
        let place = |at: usize| source.floor_char_boundary(at.min(source.len()));
        let (start, end) = (place(self.at.start), place(self.at.end));
        let piece = |from: usize, to: usize| source.get(from..to).unwrap_or_default();
        let line_start = piece(0, start).rfind('\n').map_or(0, |at| at + 1);
        let rest = piece(line_start, source.len());
        let line_end = line_start + rest.find(['\n', '\r']).unwrap_or(rest.len());
        let mut in_line = secrets
            .iter()
            .filter(|at| (line_start..line_end).contains(at));
        let text = match in_line.next() {
            Some(secret) => format!("{} …", piece(line_start, place(*secret))),
            None => piece(line_start, line_end).to_owned(),
        };
        let marked = piece(start, end.max(start)).split(['\n', '\r']).next();
        SiteError {
            line: piece(0, start).matches('\n').count() + 1,
            column: piece(line_start, start).chars().count() + 1,
            width: marked
                .map_or(0, |text| text.chars().count())
                .clamp(1, LONGEST_LINE),
            // A tab would put the marks below elsewhere.
            text: text.replace('\t', " ").chars().take(LONGEST_LINE).collect(),
            message: self.message,
            hint: self.hint,
        }
    }
}

const LONGEST_LINE: usize = 200;

/// Nobody reads more at once.
const MOST: usize = 100;

/// The word that was meant, where one is near.
pub(super) fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let close = |other: &str| {
        let most = (word.chars().count().max(other.chars().count()) / 3).clamp(1, 3);
        let distance = damerau_levenshtein(&word, &other.to_ascii_lowercase());
        (distance <= most).then_some(distance)
    };
    known
        .filter_map(|other| Some((close(other)?, other)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// "did you mean …?", or the words there are.
pub(super) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match near(word, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let known: Vec<String> = known.map(|word| format!("`{word}`")).collect();
            format!("known are {}", known.join(", "))
        }
    }
}
