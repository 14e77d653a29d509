//! `sessile key`: which key seals the store, and a fresh one in its place.

use serde_json::json;

use super::failure::Purpose;
use super::work::{self, Work};
use crate::args::KeyCommand;
use crate::exit::{Exit, Outcome};
use crate::key_file::KeyFile;
use crate::settings::Key;

pub(super) async fn run(command: KeyCommand, work: &mut Work<'_>) -> Outcome {
    match command {
        KeyCommand::Rotate => rotate(work).await,
    }
}

async fn rotate(work: &mut Work<'_>) -> Outcome {
    let key = work.settings()?.key;
    let vault = work.present_vault(Purpose::Manage).await?;
    let file = match &key {
        Key::File(path) => Some(KeyFile::new(path)),
        Key::Bytes(_) | Key::Passphrase(_) => None,
    };
    let source = match &file {
        Some(file) => file.next_source(),
        None => work::source(&key)?,
    };
    let put_in_place = || file.as_ref().map_or(Ok(()), KeyFile::replace);
    let done = vault.rotate_key(&source, |_| (), put_in_place).await?;
    if file.is_none() {
        work.printer.note(
            "the store has a fresh key; the one from the environment still opens it, and stays as it is",
        );
    }
    if done.unreadable > 0 {
        let count = done.unreadable;
        work.printer.warn(&format!(
            "{count} damaged sessions could not be sealed again"
        ));
    }
    let sealed = done.done - done.unreadable;
    work.printer.note(&format!(
        "sealed with a fresh key: {sealed} of {} sessions",
        done.done
    ));
    if work.json() {
        work.printer
            .document(&json!({ "sealed": sealed, "unreadable": done.unreadable }))?;
    }
    Ok(Exit::Done)
}
