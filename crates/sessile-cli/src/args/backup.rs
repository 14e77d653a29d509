//! `sessile backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
#[command(after_help = "\
The file is sealed as the store is and opens with the key that the store has now, which is not in
it: keep the key elsewhere. Other processes may go on reading and writing meanwhile.

Example:
  sessile backup ~/backups/sessions-$(date +%F)")]
pub(crate) struct BackupArgs {
    /// The file to write, which must not be there yet
    pub(crate) file: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = "\
A backup is a store itself: `--store sqlite:FILE` looks into it, with the key it was made with.

Example:
  sessile restore ~/backups/sessions-2026-11-21 --force")]
pub(crate) struct RestoreArgs {
    /// The backup
    pub(crate) file: PathBuf,

    /// Replace the sessions that the store holds, all of them
    #[arg(long)]
    pub(crate) force: bool,
}
