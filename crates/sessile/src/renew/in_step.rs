//! A session's token file and its record, brought in step under one turn.
//!
//! The file gets its part first, then the record both its part and what the two have in common
//! now: stopped in between, the next comparison finds them alike. What a change means is decided in
//! `token_file`.

use sessile_jar::Timestamp;

use super::sync::{edit, load};
use super::{Inner, KeepError, Mode};
use crate::record::Record;
use crate::store::{Name, Vault};
use crate::token_file::{self, Settled, Stamp, Stepped, TokenFile, TokenTrouble, Turn};

/// Keeps a session in step with a file from now on, and brings both in step.
///
/// # Errors
///
/// [`KeepError::Tokens`] where the file can't be used; nothing is changed then.
pub async fn keep_in_step(
    vault: &Vault,
    name: &Name,
    file: TokenFile,
    now: Timestamp,
) -> Result<Stepped, KeepError> {
    let link = move |record: &mut Record, file: TokenFile| record.token_file = Some(file);
    let (record, _version) = load(vault, name).await?;
    let turn = take_turn(&file).await?;
    let (file, settled) = settle(file, record, now).await?;
    finish(vault, name, (file, settled, turn), now, link).await
}

/// Brings a session in step with a file once; neither remembers the other.
///
/// # Errors
///
/// As [`keep_in_step`].
pub async fn bring_in_step(
    vault: &Vault,
    name: &Name,
    file: TokenFile,
    now: Timestamp,
) -> Result<Stepped, KeepError> {
    let (record, _version) = load(vault, name).await?;
    let turn = take_turn(&file).await?;
    let (file, settled) = settle(file, record, now).await?;
    finish(vault, name, (file, settled, turn), now, |_, _| ()).await
}

/// Brings a session in step with its token file; nothing where it has none.
///
/// # Errors
///
/// [`KeepError::Tokens`] where the file can't be used; nothing is changed then.
pub async fn step(
    vault: &Vault,
    name: &Name,
    now: Timestamp,
) -> Result<Option<Stepped>, KeepError> {
    let (record, _version) = load(vault, name).await?;
    let Some(file) = record.token_file else {
        return Ok(None);
    };
    let stepped = step_with(vault, name, &file, now).await?;
    Ok(Some(stepped.0))
}

/// Keeps the session's token file in step no longer; the file stays as it is. Answers which it was.
///
/// # Errors
///
/// [`KeepError::Unknown`] where there is no such session.
pub async fn stop_in_step(vault: &Vault, name: &Name) -> Result<Option<TokenFile>, KeepError> {
    edit(vault, name, |record| record.token_file.take()).await
}

async fn step_with(
    vault: &Vault,
    name: &Name,
    file: &TokenFile,
    now: Timestamp,
) -> Result<(Stepped, Option<Stamp>), KeepError> {
    let turn = take_turn(file).await?;
    // Whoever had the turn before has changed the record as well as the file.
    let (record, _version) = load(vault, name).await?;
    let Some(file) = record.token_file.clone() else {
        return Ok((Stepped::default(), None));
    };
    let (file, settled) = settle(file, record, now).await?;
    let stamp = settled.stamp;
    if !file.is_changed_by(&settled) {
        return Ok((settled.report, stamp));
    }
    let relink = |record: &mut Record, file: TokenFile| {
        // Another file may have been chosen meanwhile, or none.
        let chosen = record.token_file.as_mut();
        if let Some(chosen) = chosen.filter(|chosen| chosen.is_same_as(&file)) {
            *chosen = file;
        }
    };
    let report = finish(vault, name, (file, settled, turn), now, relink).await?;
    Ok((report, stamp))
}

async fn take_turn(file: &TokenFile) -> Result<Turn, KeepError> {
    let path = file.path().to_owned();
    Ok(aside(move || Turn::wait(&path)).await?)
}

/// Compares and writes the file, on a thread that may wait.
async fn settle(
    file: TokenFile,
    record: Record,
    now: Timestamp,
) -> Result<(TokenFile, Settled), KeepError> {
    let settled = aside(move || {
        let settled = file.settle(record.state.jar(), now)?;
        Ok((file, settled))
    });
    Ok(settled.await?)
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TokenTrouble> + Send + 'static,
) -> Result<T, TokenTrouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|ended| {
        Err(TokenTrouble::Io {
            doing: "look at",
            path: String::new(),
            detail: ended.to_string(),
        })
    })
}

/// Writes the record's part, and ends the turn.
async fn finish(
    vault: &Vault,
    name: &Name,
    (mut file, settled, turn): (TokenFile, Settled, Turn),
    now: Timestamp,
    link: impl FnOnce(&mut Record, TokenFile) + Send + 'static,
) -> Result<Stepped, KeepError> {
    let report = settled.report.clone();
    edit(vault, name, move |record| {
        file.apply(settled, record.state.jar_mut(), now);
        link(record, file);
    })
    .await?;
    drop(turn);
    Ok(report)
}

impl Inner {
    /// Whether there is a token file that has changed since the last look.
    pub(super) fn has_file_changed(&self) -> bool {
        let held = self.held();
        let file = held.token_file.as_ref();
        file.is_some_and(|file| held.stepped != Some(token_file::stamp(file.path())))
    }

    /// Brings record and file in step. A file that can't be used is told by
    /// [`super::Kept::token_trouble`] and keeps nobody from his work.
    pub(super) async fn step(&self) -> Result<(), KeepError> {
        let file = self.held().token_file.clone();
        let Some(file) = file.filter(|_| self.mode == Mode::Renew) else {
            return Ok(());
        };
        let done = step_with(&self.vault, &self.name, &file, self.session.now()).await;
        let (stamp, trouble) = match done {
            Ok((report, stamp)) => {
                log(&self.name, &report);
                (stamp, None)
            }
            Err(KeepError::Tokens(trouble)) => {
                tracing::warn!(session = %self.name, %trouble, "the token file is left alone");
                (token_file::stamp(file.path()), Some(trouble))
            }
            Err(other) => return Err(other),
        };
        let mut held = self.held();
        held.stepped = Some(stamp);
        held.token_trouble = trouble;
        Ok(())
    }
}

fn log(name: &Name, report: &Stepped) {
    for (token, why) in &report.refused {
        tracing::warn!(session = %name, token, why, "a token is left as it is");
    }
}
