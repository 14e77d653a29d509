//! What can go wrong with a store.
//!
//! No type of a database engine appears here: its words are kept as text.

use std::time::Duration;

use super::seal::KeyId;

/// Why a store did not do what was asked. Unless said otherwise, nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A name breaks a rule for names.
    #[error("bad {kind} {text:?}: {rule}")]
    BadName {
        /// What the text was to name.
        kind: &'static str,
        /// The text.
        text: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A store's URL is not one of the known forms.
    #[error("bad store URL {shown:?}: {rule}")]
    BadUrl {
        /// The URL, without what could be a password.
        shown: String,
        /// What is wrong and how to write it.
        rule: String,
    },
    /// The code that decides a change panicked.
    #[error("the change of `{subject}` panicked; nothing of it was stored")]
    ChangePanicked {
        /// What was being changed.
        subject: String,
    },
    /// The store was closed before it could answer.
    #[error("the store {place} is closed")]
    Closed {
        /// Where the store is.
        place: String,
    },
    /// The store's file is damaged. Records elsewhere in the file may still be readable.
    #[error(
        "the store {place} is damaged ({detail}): restore a backup, or copy what is readable into a new store"
    )]
    Corrupt {
        /// Where the store is.
        place: String,
        /// What was found.
        detail: String,
    },
    /// The database refuses what was asked: a wrong password, a missing right, a database that is only read.
    #[error("the store {place} refuses: {detail}")]
    Denied {
        /// Where the store is.
        place: String,
        /// What it says.
        detail: String,
    },
    /// A lease passed to another holder, whose work must not be overwritten.
    #[error(
        "the lease on `{key}` (number {held}) was lost to a successor: start again from what is stored now"
    )]
    Fenced {
        /// What was leased.
        key: String,
        /// The number that was shown.
        held: u64,
    },
    /// A backup would overwrite a file.
    #[error("there is already a file {path}: choose another name, or remove it first")]
    FileTaken {
        /// The file.
        path: String,
    },
    /// There is no room left for a write.
    #[error("no room left for the store {place}: free some disk space, or raise its limit")]
    Full {
        /// Where the store is.
        place: String,
    },
    /// The operating system refused.
    #[error("could not {doing} {place}: {detail}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        place: String,
        /// The system's words.
        detail: String,
    },
    /// A key file can be read by others.
    #[error(
        "the key file {path} may be read by others (mode {mode:o}): run `chmod 600 {path}`, and change the key if others had access"
    )]
    KeyFilePermissions {
        /// The key file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A key is not 32 bytes in a known notation.
    #[error("bad key from {origin}: {rule}")]
    KeyMalformed {
        /// Where the key came from.
        origin: String,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// Somebody else is writing and did not finish in time. Trying again may succeed.
    #[error("the store {place} is locked by {holder}: gave up after {} ms", waited.as_millis())]
    Locked {
        /// Where the store is.
        place: String,
        /// Who has the lock, as far as the system tells.
        holder: String,
        /// How long was waited.
        waited: Duration,
    },
    /// A copy or a new name would overwrite a record.
    #[error("there is already a session `{name}`: remove it first or choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The store was written by a later version of this program.
    #[error(
        "the store {place} has format {found}, this program knows up to {known}: use the newer program"
    )]
    NewerVersion {
        /// Where the store is.
        place: String,
        /// The store's format.
        found: u32,
        /// The latest known one.
        known: u32,
    },
    /// There is no key where one was expected.
    #[error("no key: {detail}")]
    NoKey {
        /// Where it was looked for and what else can be done.
        detail: String,
    },
    /// There is no store and none was to be created.
    #[error("there is no store at {place}")]
    NoStore {
        /// Where it was looked for.
        place: String,
    },
    /// The file is something else.
    #[error("{place} is not a store ({detail}): check the path")]
    NotAStore {
        /// The file.
        place: String,
        /// What it is.
        detail: String,
    },
    /// The store cannot be written by this user.
    #[error(
        "the store {place} cannot be written: check the permissions of the file and of its folder, which must be writable too"
    )]
    ReadOnly {
        /// Where the store is.
        place: String,
    },
    /// One record is not what was written under this name and version. The others stay readable.
    #[error("the session `{name}` was altered or damaged: remove it, or restore a backup")]
    Tampered {
        /// Its name.
        name: String,
    },
    /// There is no such record.
    #[error("there is no session `{name}`")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// The line broke when a change was to be made final, and the database could not be asked what became of it.
    #[error(
        "the line to the store {place} broke in the middle of a change, which may be stored or not ({detail}): look at \
         what is stored before you repeat it"
    )]
    Unclear {
        /// Where the store is.
        place: String,
        /// What happened to the line.
        detail: String,
    },
    /// There is no line to the database. Trying again may succeed.
    #[error("the store {place} can't be reached: {detail}")]
    Unreachable {
        /// Where the store is.
        place: String,
        /// What happened to the line.
        detail: String,
    },
    /// This kind of store cannot do it.
    #[error("{place} cannot {doing}")]
    Unsupported {
        /// Where the store is.
        place: String,
        /// What was asked.
        doing: &'static str,
    },
    /// The key does not open this store.
    #[error(
        "wrong key for the store {place}: it wants {wanted}, {given} was given; nothing was changed. Give the key the store was made with, or restore it together with its key"
    )]
    WrongKey {
        /// Where the store is.
        place: String,
        /// The keys that open it, by id.
        wanted: String,
        /// The key that was given.
        given: KeyId,
    },
}

impl StoreError {
    /// Whether it may pass by itself: the store is away or in use, and what was asked isn't at fault.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Unreachable { .. })
    }
}
