//! The file, for all who write to it. Writing is done by the runtime's threads for what blocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::record::RecordError;
use crate::record::part::PartFile;

/// Counts the states of a file that were begun: what comes late of an earlier one is written nowhere.
pub(super) type Edition = u32;

/// The file, for all who write to it.
#[derive(Clone)]
pub(super) struct File(Arc<Mutex<Inner>>);

struct Inner {
    part: PartFile,
    edition: Edition,
    syncing: Option<JoinHandle<()>>,
}

impl From<PartFile> for File {
    fn from(part: PartFile) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            part,
            edition: 0,
            syncing: None,
        })))
    }
}

impl File {
    pub(super) fn edition(&self) -> Edition {
        self.lock().edition
    }

    /// Begins anew, with this first line in the journal.
    pub(super) async fn begin(&self, header: String) -> Result<(), RecordError> {
        self.lock().edition += 1;
        self.run(move |part| part.begin(&header)).await
    }

    /// Work with the file, where it may wait.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut PartFile) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        self.blocking(move |inner| work(&mut inner.part)).await
    }

    /// Writes to a state of the file; to one that is no more nothing is written.
    pub(super) async fn write(
        &self,
        edition: Edition,
        work: impl FnOnce(&mut PartFile) -> Result<(), RecordError> + Send + 'static,
    ) -> Result<(), RecordError> {
        let own = self.clone();
        self.blocking(move |inner| {
            if inner.edition != edition {
                return Ok(());
            }
            work(&mut inner.part)?;
            if let Some(sync) = inner.part.sync_due() {
                // More is fetched and written meanwhile.
                inner.syncing = Some(spawn_blocking(move || {
                    let done = sync.run();
                    own.lock().part.synced(&sync, done);
                }));
            }
            Ok(())
        })
        .await
    }

    /// Waits until nothing is on its way to the disk.
    pub(super) async fn settle(&self) {
        let syncing = self.lock().syncing.take();
        if let Some(syncing) = syncing {
            // Only the end of the runtime ends it before its end.
            let _ended = syncing.await;
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let own = self.clone();
        let done = spawn_blocking(move || work(&mut own.lock())).await;
        // Only a panic of the work itself, or the end of the runtime, comes here.
        done.unwrap_or_else(|failed| {
            let path = self.lock().part.part().to_owned();
            let why = std::io::Error::other(failed.to_string());
            Err(RecordError::File { path, why })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_late_of_an_earlier_state_is_written_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let file = File::from(PartFile::open(&path).unwrap().0);
        let before = file.edition();
        file.begin("two".to_owned()).await.unwrap();
        let late = |part: &mut PartFile| part.write_at(b"late", 0);
        file.write(before, late).await.unwrap();
        assert_eq!(file.run(|part| part.length()).await.unwrap(), 0);
        let own = |part: &mut PartFile| part.write_at(b"own", 0);
        file.write(file.edition(), own).await.unwrap();
        assert_eq!(file.run(|part| part.length()).await.unwrap(), 3);
    }
}
