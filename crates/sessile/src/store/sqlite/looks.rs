//! Whether anybody has changed the file, for those who ask so often that not each of them looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The last look, and what would make it worthless.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Mutex<Option<Look>>,
    /// Counts what this process has committed.
    commits: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    commits: u64,
    found: u64,
}

impl Looks {
    /// This process has changed the file: the next one looks.
    pub(super) fn note_commit(&self) {
        self.commits.fetch_add(1, Ordering::Release);
    }

    /// What the last look found, where that is young enough, else what `look` finds.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long other processes are left unseen is real time, whatever the store's clock says"
    )]
    pub(super) fn find<E>(
        &self,
        every: Duration,
        look: impl FnOnce() -> Result<u64, E>,
    ) -> Result<u64, E> {
        if every.is_zero() {
            return look();
        }
        // Read before the look: what is committed during it makes it worthless too.
        let commits = self.commits.load(Ordering::Acquire);
        let at = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let young =
            last.filter(|last| last.commits == commits && at.duration_since(last.at) < every);
        if let Some(young) = young {
            return Ok(young.found);
        }
        let found = look()?;
        *last = Some(Look { at, commits, found });
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_serves_until_something_is_committed() {
        let (looks, hour) = (Looks::default(), Duration::from_secs(3600));
        let find = |every, found| looks.find(every, || Ok::<_, ()>(found));
        assert_eq!(find(hour, 1), Ok(1));
        assert_eq!(find(hour, 2), Ok(1));
        looks.note_commit();
        assert_eq!(find(hour, 3), Ok(3));
        assert_eq!(find(Duration::ZERO, 4), Ok(4));
        assert_eq!(looks.find(Duration::from_nanos(1), || Err(())), Err(()));
    }
}
