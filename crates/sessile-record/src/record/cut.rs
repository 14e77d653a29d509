//! A film that was ended before its end: what stands under its name plays, and the next run of the same
//! recording, which goes on from the part file, knows it for its own and puts the whole in its place.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::options::Existing;
use super::part::beside;

/// The journal's line that says which file is such a one.
pub(crate) fn line(file: &Path) -> io::Result<String> {
    Ok(line_of(&std::fs::metadata(file)?))
}

/// Whether a line of a journal is one of these.
pub(crate) fn is_line(line: &str) -> bool {
    line.starts_with(WORD)
}

/// What to do where `file` is there already: what the recording `path` has left is replaced.
pub(crate) fn existing(path: &Path, file: &Path, existing: Existing) -> Existing {
    match is_own(path, file) {
        true => Existing::Replace,
        false => existing,
    }
}

fn is_own(path: &Path, file: &Path) -> bool {
    let (Ok(part), Ok(found)) = (
        std::fs::metadata(beside(path, ".part")),
        std::fs::symlink_metadata(file),
    ) else {
        return false;
    };
    // Where nothing was made of it, it is the part file under another name.
    let is_linked = (part.dev(), part.ino()) == (found.dev(), found.ino());
    let journal = || std::fs::read_to_string(beside(path, ".part.journal")).unwrap_or_default();
    is_linked
        || journal()
            .lines()
            .any(|line| line == line_of(&found).trim_end())
}

const WORD: &str = "cut ";

/// The line of a file that looks like this.
pub(crate) fn line_of(file: &Metadata) -> String {
    let (number, length) = (file.ino(), file.len());
    let (seconds, nanos) = (file.mtime(), file.mtime_nsec());
    format!("{WORD}{number} {length} {seconds} {nanos}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.ts"), folder.path().join("b.ts"));
        let of = |file: &Path| existing(&path, file, Existing::Refuse);
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(of(&path), Existing::Refuse, "there is no recording");
        std::fs::write(beside(&path, ".part"), "part").unwrap();
        assert_eq!(of(&path), Existing::Refuse, "it left nothing");
        std::fs::write(beside(&path, ".part.journal"), line(&path).unwrap()).unwrap();
        assert_eq!(of(&path), Existing::Replace);
        std::fs::write(&path, "mine again").unwrap();
        assert_eq!(of(&path), Existing::Refuse, "it was changed since");
        std::fs::hard_link(beside(&path, ".part"), &other).unwrap();
        assert_eq!(of(&other), Existing::Replace);
    }
}
