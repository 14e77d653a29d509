//! What a person asks of a pool, wherever its seats are served.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::definition::SEPARATOR;
use super::roster::{self, OrderTask, SILENCE};
use super::state::{self, SeatId, Target};
use super::upkeep::ALIVE;
use super::{Pool, PoolError, Shared, Stage, seat};
use crate::store::{Name, Vault};

/// Which sessions something is asked of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Which {
    /// All of them.
    #[default]
    All,
    /// That of a seat; a session's own name will do.
    Seat(Name),
    /// That of a target.
    Target(Target),
}

/// What became of something that was asked of a pool.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Ordered {
    /// How many sessions it is done to.
    pub sessions: usize,
    /// How many processes have taken it on.
    pub owners: usize,
    /// How many processes haven't said so in time.
    pub silent: usize,
}

/// How long is waited for what other processes say.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

impl Pool {
    /// Has sessions followed by the next ones, which are made at once; the old ones serve until then.
    ///
    /// # Errors
    ///
    /// [`PoolError::UnknownPart`] where there is no such session; [`PoolError::Store`] where other
    /// processes can't be told.
    pub async fn rotate(&self, which: &Which) -> Result<Ordered, PoolError> {
        order(&self.0.vault, &self.0.name, OrderTask::Rotate, which).await
    }

    /// Has sessions checked now.
    ///
    /// # Errors
    ///
    /// As [`Pool::rotate`].
    pub async fn validate(&self, which: &Which) -> Result<Ordered, PoolError> {
        order(&self.0.vault, &self.0.name, OrderTask::Validate, which).await
    }

    /// Has the cookies of sessions refreshed now.
    ///
    /// # Errors
    ///
    /// As [`Pool::rotate`].
    pub async fn refresh(&self, which: &Which) -> Result<Ordered, PoolError> {
        order(&self.0.vault, &self.0.name, OrderTask::Refresh, which).await
    }

    /// As [`Pool::rotate`], without opening the pool. Where no process serves it, nothing is done.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`], [`PoolError::UnknownPart`], [`PoolError::Store`].
    pub async fn ask_rotation(
        vault: &Vault,
        name: &Name,
        which: &Which,
    ) -> Result<Ordered, PoolError> {
        Self::definition(vault, name).await?;
        order(vault, name, OrderTask::Rotate, which).await
    }

    /// As [`Pool::validate`], without opening the pool.
    ///
    /// # Errors
    ///
    /// As [`Pool::ask_rotation`].
    pub async fn ask_validation(
        vault: &Vault,
        name: &Name,
        which: &Which,
    ) -> Result<Ordered, PoolError> {
        Self::definition(vault, name).await?;
        order(vault, name, OrderTask::Validate, which).await
    }

    /// Waits until every seat that is this process's part is served here; answers whether that came
    /// to be in time. Where other processes serve the pool too, theirs aren't waited for.
    pub async fn served(&self, limit: Duration) -> bool {
        let start = Instant::now();
        loop {
            let parts = self.0.looked.load(Ordering::Relaxed);
            if parts || start.elapsed() >= limit {
                return parts;
            }
            sleep(LOOK).await;
        }
    }

    /// Waits, once the pool is [served](Self::served), until some of its seats are this process's part:
    /// for at most `limit`, and no longer than a process that was killed is counted.
    ///
    /// # Errors
    ///
    /// [`PoolError::ServedElsewhere`] where all of them are other processes' part.
    pub async fn partakes(&self, limit: Duration) -> Result<(), PoolError> {
        let start = Instant::now();
        let limit = limit.min(SILENCE + 2 * ALIVE);
        loop {
            {
                let live = self.0.live();
                match live.is_left_out {
                    false => return Ok(()),
                    true if start.elapsed() >= limit => return Err(self.0.left_out(&live)),
                    true => {}
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until nothing is under way here any more; answers whether that came to be in time.
    pub async fn settled(&self, limit: Duration) -> bool {
        let start = Instant::now();
        loop {
            let now = self.0.now();
            let is_busy = {
                let mut live = self.0.live();
                let next = live.state.next_due(now);
                live.state.stats(now).acting > 0 || next.is_some_and(|next| next <= now)
            };
            if !is_busy || start.elapsed() >= limit {
                return !is_busy;
            }
            sleep(LOOK).await;
        }
    }
}

/// Tells all owners, and waits a moment for what they say.
async fn order(
    vault: &Vault,
    pool: &Name,
    task: OrderTask,
    which: &Which,
) -> Result<Ordered, PoolError> {
    let seat = match which {
        Which::All => None,
        Which::Seat(name) => Some(known_seat(vault, pool, seat_of(name), name.as_str()).await?),
        Which::Target(target) => {
            let seat = seat::of_target(pool, target.as_str())?;
            Some(known_seat(vault, pool, seat.as_str(), target.as_str()).await?)
        }
    };
    let (number, roster) = roster::ask(vault, pool, task, seat).await?;
    let asked: Vec<String> = roster.owners().map(str::to_owned).collect();
    let start = Instant::now();
    loop {
        let roster = roster::look(vault, pool).await?;
        let order = roster.orders.iter().find(|order| order.number == number);
        let done = order.map(|order| order.done.clone()).unwrap_or_default();
        let silent = asked
            .iter()
            .filter(|owner| !done.contains_key(*owner))
            .count();
        if silent == 0 || start.elapsed() >= PATIENCE {
            return Ok(Ordered {
                sessions: done.values().sum(),
                owners: done.len(),
                silent,
            });
        }
        sleep(LOOK).await;
    }
}

/// A seat that the pool has; `asked` is what it was asked for by.
async fn known_seat(
    vault: &Vault,
    pool: &Name,
    seat: &str,
    asked: &str,
) -> Result<String, PoolError> {
    let is_of_pool = seat
        .strip_prefix(pool.as_str())
        .is_some_and(|rest| rest.starts_with(SEPARATOR));
    if is_of_pool && seat::load(vault, &Name::parse(seat)?).await?.is_some() {
        return Ok(seat.to_owned());
    }
    Err(PoolError::unknown_part(pool, "session", asked.to_owned()))
}

/// The seat of a session: `shop~3` of `shop~3.17`.
fn seat_of(name: &Name) -> &str {
    let text = name.as_str();
    match text.split_once(SEPARATOR) {
        Some((_, rest)) if rest.contains('.') => text
            .rsplit_once('.')
            .map_or(text, |(seat, _generation)| seat),
        _ => text,
    }
}

impl Shared {
    /// Carries out what was asked since the last look.
    pub(super) async fn follow_orders(&self, roster: &roster::Roster, last: &mut u64) {
        let mut done = Vec::new();
        for order in &roster.orders {
            if order.number <= *last || *self.stage.borrow() != Stage::Open {
                continue;
            }
            *last = order.number;
            done.push((order.number, self.follow(order.task, order.seat.as_deref())));
        }
        if done.is_empty() {
            return;
        }
        if let Err(error) = roster::report(&self.vault, &self.name, &self.owner, done).await {
            tracing::warn!(pool = %self.name, %error, "what was done could not be reported");
        }
    }

    fn follow(&self, task: OrderTask, seat: Option<&str>) -> usize {
        let now = self.now();
        let mut live = self.live();
        let which = match seat {
            None => state::Which::All,
            Some(name) => match live.seat_named(name) {
                Some(seat) => state::Which::Seat(seat),
                None => return 0,
            },
        };
        let count = match task {
            OrderTask::Refresh => live.state.refresh(which, now),
            OrderTask::Rotate => live.state.rotate(which, now),
            OrderTask::Validate => live.state.validate(which, now),
        };
        self.settle(live, now);
        count
    }
}

impl super::Live {
    fn seat_named(&self, name: &str) -> Option<SeatId> {
        let mut seats = self.seats.iter();
        let found = seats.find(|(_, seat)| seat.name.as_str() == name)?;
        Some(*found.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_seat() {
        check("shop~3.17", "shop~3");
        check("shop~3", "shop~3");
        check("shop.de~t-0a.2", "shop.de~t-0a");
        check("shop.de~4", "shop.de~4");
    }

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(seat_of(&name.parse().unwrap()), expected, "{name}");
    }
}
