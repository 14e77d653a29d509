//! The keys of a site file as a table: the reader knows no others, and the reference is made of it.

use std::fmt::Write as _;

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it takes, in words.
    pub(super) takes: &'static str,
    /// What holds without it.
    pub(super) default: &'static str,
    pub(super) about: &'static str,
    /// A line of TOML.
    pub(super) example: &'static str,
}

/// A table of keys.
#[derive(Debug)]
pub(super) struct Section {
    /// As it is called in messages and in the reference.
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) keys: &'static [&'static [Key]],
}

impl Section {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys.iter().copied().flatten()
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.keys().any(|key| key.name == name)
    }

    /// The section as a chapter of the reference.
    pub(super) fn reference(&self, into: &mut String) {
        // Writing into a String doesn't fail.
        let _ = write!(into, "### {}\n\n{}\n\n", self.title, self.about);
        into.push_str("| key | takes | default | |\n| --- | --- | --- | --- |\n");
        for key in self.keys() {
            let cell = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(
                into,
                "| `{}` | {} | {} | {} Example: `{}` |",
                key.name,
                cell(key.takes),
                cell(key.default),
                cell(key.about),
                cell(key.example),
            );
        }
        into.push('\n');
    }
}
