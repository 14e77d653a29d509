//! What of a journal may be believed: all of it as long as the machine runs, and after it has gone down
//! only what was noted of bytes that were on the disk by then.

/// How many bytes may be written before they are brought to the disk.
pub(crate) const EVERY: u64 = 64 << 20;

/// What a journal says to whoever opens it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Believed {
    /// Its lines, but for those of this module.
    pub(crate) lines: Vec<String>,
    /// How long it is with these alone.
    pub(crate) length: u64,
    /// Whether it wasn't written since the machine was started.
    pub(crate) is_older: bool,
}

/// Reads a journal on a machine that was started as `boot`. A last line that was cut short counts for
/// nothing.
pub(crate) fn believed(text: &str, boot: &str) -> Believed {
    let length = text.rfind('\n').map_or(0, |end| end + 1);
    let whole = text.get(..length).unwrap_or_default();
    let words = |word: &'static str| {
        whole
            .lines()
            .filter_map(move |line| line.strip_prefix(word))
    };
    let last = words(BOOT).next_back();
    let is_older = last.is_some_and(|last| last != boot);
    let length = match is_older {
        false => length,
        true => {
            let header = whole.find('\n').map_or(0, |end| end + 1);
            let safe = words(SAFE).filter_map(|number| number.parse::<usize>().ok());
            let safe = safe.filter(|safe| *safe <= length).max();
            safe.unwrap_or_default().max(header)
        }
    };
    let kept = whole.get(..length).unwrap_or_default();
    let own = |line: &&str| !line.starts_with(BOOT) && !line.starts_with(SAFE);
    Believed {
        lines: kept.lines().filter(own).map(str::to_owned).collect(),
        length: length as u64,
        is_older: is_older || last.is_none(),
    }
}

/// The line that says when the machine was started which writes from here on.
pub(crate) fn boot_line(boot: &str) -> String {
    format!("{BOOT}{boot}\n")
}

/// The line that says that what so many bytes of the journal are of is on the disk.
pub(crate) fn safe_line(noted: u64) -> String {
    format!("{SAFE}{noted}\n")
}

/// What tells one start of this machine from the next; the same for all where it can't be known.
pub(crate) fn boot() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let read = read.map(|text| text.trim().to_owned());
    read.unwrap_or_else(|_unknown| "unknown".to_owned())
}

const BOOT: &str = "boot ";
const SAFE: &str = "safe ";

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: &str = "of\nboot a\none\ntwo\nsafe 14\nthree\nfo";

    #[test]
    fn after_a_fall_what_was_on_the_disk_counts() {
        check(JOURNAL, "a", &["of", "one", "two", "three"], false);
        check(JOURNAL, "b", &["of", "one"], true);
        check("of\nboot a\none\n", "b", &["of"], true);
        check("of\nboot a\none\nsafe 99\n", "b", &["of"], true);
        // One that says nothing of it.
        check("of\none\n", "b", &["of", "one"], true);
        check("", "b", &[], true);
        check("o", "b", &[], true);
    }

    #[track_caller]
    fn check(text: &str, boot: &str, lines: &[&str], is_older: bool) {
        let found = believed(text, boot);
        let found = (found.lines, found.is_older);
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        assert_eq!(found, (lines, is_older), "{text:?} at {boot}");
    }
}
