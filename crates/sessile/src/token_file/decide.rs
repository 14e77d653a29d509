//! What a change on either side means for the other. Pure.
//!
//! A token that one side alone has changed goes to the other. Changed on both, the later change
//! stays: the file's time of change against the cookie's; at the same time the file's. A name that the
//! file doesn't have says nothing, since files are found empty while others write them: `null` is
//! how a file takes a token away. A file that says again what the session replaced a moment ago was
//! written by somebody who had read it before: the session's token stays.

use std::fmt;
use std::time::Duration;

use blake2::{Blake2b256, Digest as _};
use sessile_jar::Timestamp;
use zeroize::Zeroizing;

/// A token in the file.
#[derive(Clone, Eq, PartialEq)]
pub(super) enum InFile {
    /// The file says that there is none.
    Null,
    Text(Zeroizing<String>),
}

/// A token among the cookies.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct InJar {
    pub(super) value: Zeroizing<String>,
    pub(super) changed: Timestamp,
}

/// What is to be done with a token; without a value it is taken away.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Step<'a> {
    Keep,
    ToFile(Option<&'a str>),
    ToJar(Option<&'a str>),
}

/// A value that can be recognised and not read.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl Digest {
    pub(crate) fn of(value: &str) -> Self {
        let mut hash = Blake2b256::new();
        hash.update(b"sessile token");
        hash.update(value.as_bytes());
        Self(hash.finalize().into())
    }
}

/// What is known of a token since file and jar were alike.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen {
    /// What both had; nothing if neither had it.
    pub(crate) value: Option<Digest>,
    /// What of the file the session's changes took the place of a moment ago, and when.
    pub(crate) replaced: Vec<(Digest, Timestamp)>,
}

impl Seen {
    /// How long somebody may take between reading the file and writing it.
    const MOMENT: Duration = Duration::from_secs(10);

    /// How many of a token's values are remembered for so long.
    const REMEMBERED: usize = 32;

    fn is(&self, value: &str) -> bool {
        self.value == Some(Digest::of(value))
    }

    fn has_just_replaced(&self, value: &str, now: Timestamp) -> bool {
        let digest = Digest::of(value);
        let is_recent = |at: Timestamp| now <= at.plus(Self::MOMENT);
        let mut replaced = self.replaced.iter();
        replaced.any(|(known, at)| *known == digest && is_recent(*at))
    }

    /// What is known once the file has got `value` in the place of `replaced`.
    pub(super) fn replace(
        &mut self,
        value: Option<Digest>,
        replaced: Option<Digest>,
        now: Timestamp,
    ) {
        self.value = value;
        self.replaced.extend(replaced.map(|digest| (digest, now)));
        let too_many = self.replaced.len().saturating_sub(Self::REMEMBERED);
        self.replaced.drain(..too_many);
    }

    /// Forgets what nobody asks for any more; answers whether anything is left.
    pub(super) fn refresh(&mut self, now: Timestamp) -> bool {
        self.replaced.retain(|(_, at)| now <= at.plus(Self::MOMENT));
        *self != Self::default()
    }
}

/// Decides about one token, by what both sides had when they were alike.
pub(super) fn decide<'a>(
    seen: &Seen,
    (in_file, in_jar): (Option<&'a InFile>, Option<&'a InJar>),
    (modified, now): (Timestamp, Timestamp),
) -> Step<'a> {
    match (in_file, in_jar) {
        (None | Some(InFile::Null), None) => Step::Keep,
        (None, Some(jar)) => Step::ToFile(Some(&jar.value)),
        (Some(InFile::Null), Some(jar)) => {
            let is_taken_away = seen.value.is_some();
            match is_taken_away && (seen.is(&jar.value) || modified >= jar.changed) {
                true => Step::ToJar(None),
                false => Step::ToFile(Some(&jar.value)),
            }
        }
        (Some(InFile::Text(file)), None) => {
            match seen.is(file) || seen.has_just_replaced(file, now) {
                true => Step::ToFile(None),
                false => Step::ToJar(Some(file)),
            }
        }
        (Some(InFile::Text(file)), Some(jar)) if **file == *jar.value => Step::Keep,
        (Some(InFile::Text(file)), Some(jar)) => {
            let is_old = seen.is(file) || seen.has_just_replaced(file, now);
            match !is_old && (seen.is(&jar.value) || modified >= jar.changed) {
                true => Step::ToJar(Some(file)),
                false => Step::ToFile(Some(&jar.value)),
            }
        }
    }
}

impl InFile {
    pub(super) fn into_text(self) -> Option<Zeroizing<String>> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_changed_alone_is_followed() {
        // Seen, in the file (`-`: not there), in the jar, the file's time (the jar's is 5).
        check("a a a 9", "keep");
        check("a b a 1", "to jar b");
        check("a a b 9", "to file b");
        check("a null a 1", "to jar none");
        check("a a - 9", "to file none");
        check("- b - 1", "to jar b");
        check("- - b 9", "to file b");
        check("- null b 9", "to file b");
    }

    #[test]
    fn a_name_that_is_not_in_the_file_says_nothing() {
        check("a - a 9", "to file a");
        check("a - b 9", "to file b");
        check("a - - 9", "keep");
        check("a null - 9", "keep");
        check("- - - 9", "keep");
    }

    #[test]
    fn changed_on_both_sides_the_later_stays() {
        check("a b c 4", "to file c");
        check("a b c 5", "to jar b");
        check("a b c 6", "to jar b");
        check("a b b 4", "keep");
        check("- b c 4", "to file c");
        check("- b c 6", "to jar b");
        check("a null c 4", "to file c");
        check("a null c 6", "to jar none");
        check("a b - 4", "to jar b");
    }

    #[test]
    fn what_was_replaced_a_moment_ago_is_no_change() {
        check("a old a 9", "to file a");
        check("a old a 11000", "to jar old");
        check("- old - 9", "to file none");
        check("- old - 11000", "to jar old");
    }

    #[track_caller]
    fn check(case: &str, expected: &str) {
        let parts: Vec<&str> = case.split(' ').collect();
        let [seen, file, jar, time] = parts.as_slice() else {
            panic!("{case}")
        };
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let seen = Seen {
            value: (*seen != "-").then(|| Digest::of(seen)),
            replaced: vec![(Digest::of("old"), Timestamp::from_millis(0))],
        };
        let in_file = match *file {
            "-" => None,
            "null" => Some(InFile::Null),
            value => Some(InFile::Text(text(value))),
        };
        let in_jar = (*jar != "-").then(|| InJar {
            value: text(jar),
            changed: Timestamp::from_millis(5),
        });
        let modified = Timestamp::from_millis(time.parse().unwrap());
        let sides = (in_file.as_ref(), in_jar.as_ref());
        let now = Timestamp::from_millis(if *time == "11000" { 11_000 } else { 10_000 });
        let step = match decide(&seen, sides, (modified, now)) {
            Step::Keep => "keep".to_owned(),
            Step::ToFile(value) => format!("to file {}", value.unwrap_or("none")),
            Step::ToJar(value) => format!("to jar {}", value.unwrap_or("none")),
        };
        assert_eq!(step, expected, "{case}");
    }
}
