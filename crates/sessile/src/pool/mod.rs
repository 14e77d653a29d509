//! Many sessions of one site as one resource.
//!
//! A pool has *seats*, each an identity of its own towards the site. A *member* is one session made
//! for a seat; a *lease* is the right to use it. [`state`] decides, without a clock and without IO;
//! here it is carried out: `keeper` does what is due, `upkeep` shares the seats with other processes.

mod accounts;
mod actions;
mod answer;
mod clock;
mod definition;
mod error;
mod events;
mod facts;
mod guard;
mod hold;
mod holding;
mod info;
mod keeper;
mod lease;
mod leaving;
mod look;
mod make;
mod open;
mod orders;
mod outcome;
mod proxies;
mod renewal;
mod roster;
mod seat;
mod served;
mod share;
pub mod state;
mod targets;
mod traced;
mod trouble;
mod upkeep;
mod waiting;

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use sessile_jar::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, Notify as Bell, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::login::Person;
use crate::renew::{KeptOptions, Notify};
use crate::session::SessionBuilder;
use crate::store::{HolderId, Name, Vault};

pub use accounts::NoAccount;
pub use definition::{Account, Definition};
pub use error::PoolError;
pub use events::{PoolEvent, PoolEventKind};
pub use info::{AccountInfo, LeaseInfo, MemberInfo, PoolStats, ProxyInfo};
pub use lease::Lease;
pub use look::{PoolView, SeatInfo, SessionInfo};
pub use open::Closed;
pub use orders::{Ordered, Which};
pub use state::{Assign, Dead, LeaseId, MemberId, Mode, Outcome, Phase, SeatId, Target, Wish};

use clock::PoolClock;
use hold::Holds;
use proxies::ProxyHealth;
use served::{Members, Seats};
use state::State;
use targets::TargetList;
use waiting::Waiting;

/// A pool, open in this process. Cheap to clone; with the last handle and lease it ends, without the
/// patience of [`Pool::close`].
///
/// ```no_run
/// # async fn example(vault: sessile::store::Vault) -> Result<(), sessile::pool::PoolError> {
/// use std::time::Duration;
///
/// use sessile::Request;
/// use sessile::pool::{Pool, PoolOptions, Wish};
///
/// let pool = Pool::open(&vault, &"shop".parse()?, PoolOptions::default()).await?;
/// let lease = pool.lease(&Wish::default(), Duration::from_secs(10)).await?;
/// let answer = lease.send(Request::get("https://shop.example/orders")).await?;
/// println!("{}", answer.reply.text().await?);
/// drop(lease);
/// pool.close(Duration::from_secs(30)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Handle>);

/// What all handles of an open pool share. With the last of them the pool ends.
struct Handle(Arc<Shared>);

impl Deref for Handle {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.forsake();
    }
}

/// How a pool is opened.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct PoolOptions {
    /// The sessions' habits: time-outs, trust, transport. Defaults to the builder's defaults.
    pub builder: SessionBuilder,
    /// Who helps where a login can't be done with what is kept. Defaults to nobody.
    pub person: Person,
    /// How long a login that asks for a code waits for one that is handed over. Defaults to not at
    /// all.
    pub code_wait: Option<Duration>,
    /// Who hears that a person is needed. Defaults to nobody.
    pub notify: Option<Notify>,
    /// How long the right to a seat lasts that nobody extends: as long as the seats of a killed
    /// process stay empty. Defaults to 30 seconds.
    pub hold: Option<Duration>,
    /// Whether seats are served here. Without, a pool can be looked at and given orders. Defaults to
    /// yes.
    pub serves: Serves,
}

/// Whether a process takes part in serving a pool.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Serves {
    /// It looks on.
    No,
    /// It has its part of the seats.
    #[default]
    Yes,
}

struct Shared {
    name: Name,
    vault: Vault,
    options: PoolOptions,
    clock: PoolClock,
    owner: HolderId,
    definition: RwLock<Arc<Definition>>,
    live: Mutex<Live>,
    holds: Holds,
    proxies: Mutex<ProxyHealth>,
    /// Whether the upkeep has taken this process's part at least once.
    looked: AtomicBool,
    /// One seat of a target is made at a time.
    targets: Arc<AsyncMutex<()>>,
    target_list: AsyncMutex<TargetList>,
    /// Rings when something may be due.
    bell: Bell,
    /// Rings when the upkeep should look now.
    upkeep_bell: Bell,
    tasks: TaskTracker,
    /// Ends what runs for seats.
    stop: CancellationToken,
    stage: watch::Sender<Stage>,
    events: broadcast::Sender<PoolEvent>,
}

/// What changes all the time.
struct Live {
    state: State,
    seats: Seats,
    members: Members,
    waiting: Waiting,
    /// The keeper looks again then.
    sleeps_until: Timestamp,
    /// Why the last login failed, in words without secrets.
    last_trouble: Option<String>,
    counts: Counts,
    /// What was begun for seats that were lost meanwhile.
    adrift: HashMap<SeatId, Name>,
    /// How many processes serve the pool.
    owners: usize,
    /// Whether all of its seats are other processes' part.
    is_left_out: bool,
    /// Seats that can't be opened.
    unopened: HashSet<Name>,
    /// The parts whose seats aren't served because the right to them may end.
    unsure: HashSet<Arc<str>>,
}

/// What happened since the pool was opened here.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    made: u64,
    failed: u64,
    retired: u64,
    last_refresh: Option<Timestamp>,
    last_made: Option<Timestamp>,
}

/// How far the pool's life has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Open,
    Closing,
    Closed,
    /// Nobody has it any more, and nobody closed it.
    Forsaken,
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn is_open(&self) -> bool {
        *self.stage.borrow() == Stage::Open
    }

    fn definition(&self) -> Arc<Definition> {
        let definition = self.definition.read();
        Arc::clone(&definition.unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, kind: PoolEventKind) {
        let at = self.now();
        let pool = self.name.clone();
        // Nobody may be listening.
        let _unheard = self.events.send(PoolEvent { at, pool, kind });
    }

    /// How a member's session is opened.
    fn kept_options(&self) -> KeptOptions {
        KeptOptions {
            builder: self.options.builder.clone(),
            person: self.options.person.clone(),
            code_wait: self.options.code_wait,
            notify: self.options.notify.clone(),
            ..KeptOptions::default()
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PoolOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolOptions")
            .field("hold", &self.hold)
            .field("serves", &self.serves)
            .finish_non_exhaustive()
    }
}
