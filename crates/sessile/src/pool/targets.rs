//! Targets: seats of their own, made on demand, and where those come from that sessions are warmed
//! up with.

use std::sync::Arc;
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::time::timeout;

use super::clock::between;
use super::definition::SEPARATOR;
use super::seat::{self, Seat, SeatRow, TARGET};
use super::served::Member;
use super::state::{NoSeat, SeatId, Target};
use super::{Pool, PoolError, PoolEventKind, Shared, accounts};
use crate::site::TargetSource;
use crate::store::{Acquired, Name, Room};
use crate::transport::Proxy;

mod source;

/// Targets as they were read last.
#[derive(Debug, Default)]
pub(super) struct TargetList {
    all: Arc<[String]>,
    at: Option<Timestamp>,
}

/// For how long a list that was read is good.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// For how long is waited until a seat that is leaving is gone.
const PATIENCE: Duration = Duration::from_secs(5);

impl Pool {
    /// Sees to it that a target has a session of its own here, through a proxy of its own where one
    /// is given; answers the seat. The session is being made where it wasn't there, or went through
    /// another proxy.
    ///
    /// # Errors
    ///
    /// [`PoolError::Elsewhere`] where another process serves the target just now,
    /// [`PoolError::Full`] where there are as many as the site file allows,
    /// [`PoolError::NoAccount`] where there is no account for it. Nothing is left of it then.
    pub async fn ensure_target(
        &self,
        target: &Target,
        proxy: Option<Proxy>,
    ) -> Result<Name, PoolError> {
        let id = self.0.seat_for(target, proxy).await?;
        let live = self.0.live();
        let seat = live.seats.get(&id);
        seat.map(|seat| seat.name.clone())
            .ok_or(PoolError::LeaseEnded)
    }

    /// Some target that the site file names, at random; `None` where it names none.
    ///
    /// # Errors
    ///
    /// [`PoolError::Targets`] where the file or the database can't be read.
    pub async fn random_target(&self) -> Result<Option<Target>, PoolError> {
        Ok(self.0.some_target().await?.map(|text| Target::new(&text)))
    }
}

impl Shared {
    /// The seat of a target, made where there is none.
    pub(super) async fn seat_for(
        &self,
        target: &Target,
        proxy: Option<Proxy>,
    ) -> Result<SeatId, PoolError> {
        if proxy.is_none()
            && let Some(seat) = self.live().state.seat_of(target)
        {
            return Ok(seat);
        }
        let name = seat::of_target(&self.name, target.as_str())?;
        self.until_gone(&name).await;
        // One at a time: two who ask for the same target get the same seat.
        let _turn = self.targets.lock().await;
        let known = self.live().state.seat_of(target);
        match (known, proxy) {
            (None, proxy) => self.new_seat_for(name, target, proxy).await,
            (Some(seat), None) => Ok(seat),
            (Some(seat), Some(proxy)) => {
                self.change_proxy(seat, &proxy).await?;
                Ok(seat)
            }
        }
    }

    /// A seat that was dissolved is about to be gone.
    async fn until_gone(&self, name: &Name) {
        let mut events = self.events.subscribe();
        let leaving = async {
            while self.has_left_over(name) {
                // Whatever happened, or was missed: it may be gone.
                let _event = events.recv().await;
            }
        };
        // Whoever asked is told that it is there still.
        let _late = timeout(PATIENCE, leaving).await;
    }

    /// Whether a seat that is leaving has this name.
    fn has_left_over(&self, name: &Name) -> bool {
        let live = self.live();
        let mut named = live.seats.iter().filter(|(_, seat)| seat.name == *name);
        named.any(|(id, _)| live.state.seat_view(*id).is_none_or(|view| view.leaving))
    }

    async fn new_seat_for(
        &self,
        name: Name,
        target: &Target,
        proxy: Option<Proxy>,
    ) -> Result<SeatId, PoolError> {
        let pool = self.name.to_string();
        if !self.is_open() {
            return Err(PoolError::Closed { pool });
        }
        if self.live().state.is_full() {
            return Err(PoolError::Full { pool });
        }
        if self.has_left_over(&name) {
            return Err(PoolError::Busy { pool, next: None });
        }
        let part: Arc<str> = seat::part_of_target(&name).into();
        let key = (&self.name, &part);
        let acquired = self
            .holds
            .acquire(&self.vault, key, (&self.owner, self.term()));
        if let Err(Acquired::Busy { holder, until }) = acquired.await? {
            return Err(PoolError::Elsewhere {
                pool,
                target: target.to_string(),
                holder: holder.to_string(),
                until,
            });
        }
        let opened = self.open_with_account(name, &part, (target, proxy)).await;
        if opened.is_err() {
            self.give_part_back(&part).await;
        }
        opened
    }

    /// Where there is no account for it, no seat is opened: nothing is left of one that isn't.
    async fn open_with_account(
        &self,
        name: Name,
        part: &Arc<str>,
        target: (&Target, Option<Proxy>),
    ) -> Result<SeatId, PoolError> {
        let is_new = seat::load(&self.vault, &name).await?.is_none();
        self.account(&name, &self.definition()).await?;
        let opened = self.open_seat(name.clone(), part, Some(target)).await;
        if is_new && opened.is_err() {
            accounts::free(&self.vault, &self.name, &name).await?;
        }
        opened
    }

    /// From now on the target's requests go through this proxy: its session steps down.
    async fn change_proxy(&self, id: SeatId, proxy: &Proxy) -> Result<(), PoolError> {
        {
            let now = self.now();
            let wanted = proxy.url().expose().clone();
            let mut live = self.live();
            let seat = live.seats.get_mut(&id).ok_or(PoolError::LeaseEnded)?;
            if seat.row.target_proxy.as_ref() == Some(&wanted) {
                return Ok(());
            }
            seat.row.target_proxy = Some(wanted);
            // It may be leaving.
            let _gone = live.state.replace(id, now);
            self.settle(live, now);
        }
        self.bell.notify_one();
        self.write_seat(id).await
    }

    /// Takes seats of targets that nobody serves.
    pub(super) async fn take_targets(&self) -> Result<(), PoolError> {
        let start = Name::parse(&format!("{}{SEPARATOR}{TARGET}", self.name))?;
        for row in self.vault.list_room(Room::Seat, start.as_str()).await? {
            let Some((_, name)) = row.name.room() else {
                continue;
            };
            let _turn = self.targets.lock().await;
            let part: Arc<str> = seat::part_of_target(&name).into();
            if self.holds.has(&part) || !self.is_open() {
                continue;
            }
            let key = (&self.name, &part);
            let owner = (&self.owner, self.term());
            if self.holds.acquire(&self.vault, key, owner).await?.is_err() {
                continue;
            }
            // Whoever had it may have dissolved it since.
            let opened = match seat::load(&self.vault, &name).await? {
                Some(_row) => self.open_seat(name.clone(), &part, None).await,
                None => Err(PoolError::LeaseEnded),
            };
            if let Err(error) = opened {
                self.give_part_back(&part).await;
                if matches!(error, PoolError::Unreadable { .. }) {
                    self.note_unopened(name, &error);
                }
            }
        }
        Ok(())
    }

    /// Puts a seat that is held here into the state, with the member that it has.
    pub(super) async fn open_seat(
        &self,
        name: Name,
        part: &Arc<str>,
        target: Option<(&Target, Option<Proxy>)>,
    ) -> Result<SeatId, PoolError> {
        let stored = seat::load(&self.vault, &name).await?;
        let mut row = stored.clone().unwrap_or_default();
        if let Some((target, proxy)) = target {
            row.target = Some(target.to_string());
            if let Some(proxy) = proxy {
                row.target_proxy = Some(proxy.url().expose().clone());
            }
        }
        // Whoever had the seat before may have been killed in the middle of a login.
        row.give_up();
        let member = self.adopt(&mut row).await?;
        let now = self.now();
        let mut seat = Seat::new(name.clone(), Arc::clone(part), row, now);
        seat.written = stored;
        seat.end = self.stop.child_token();
        let id = self.seat_in(seat, member, now)?;
        self.bell.notify_one();
        let is_here = true;
        self.tell(PoolEventKind::SeatMoved {
            seat: name,
            is_here,
        });
        if let Err(error) = self.tidy(id).await {
            tracing::debug!(?error, "what was left behind is removed later");
        }
        Ok(id)
    }

    /// Puts a seat into the state, while its part is held.
    fn seat_in(
        &self,
        seat: Seat,
        member: Option<crate::renew::Kept>,
        now: Timestamp,
    ) -> Result<SeatId, PoolError> {
        let pool = || self.name.to_string();
        let mut live = self.live();
        if !self.holds.has(&seat.part) {
            return Err(PoolError::LeaseEnded);
        }
        let id = match live.state.seat(seat.target(), now) {
            Ok(id) => id,
            Err(NoSeat::Taken(id)) => return Ok(id),
            Err(NoSeat::Closing) => return Err(PoolError::Closed { pool: pool() }),
            Err(NoSeat::Full) => return Err(PoolError::Full { pool: pool() }),
        };
        if let (Some(kept), Some(facts)) = (member, &seat.row.member)
            && let Ok(member) = live.state.restore(id, facts.restored(), now)
        {
            live.members.insert(member, Member::of(&seat, kept));
        }
        if live.unsure.contains(&seat.part) {
            // It was there just now.
            let _gone = live.state.suspend(id, now);
        }
        live.seats.insert(id, seat);
        self.settle(live, now);
        Ok(id)
    }

    /// The session of a member that was there before; a row whose session is gone has none.
    async fn adopt(&self, row: &mut SeatRow) -> Result<Option<crate::renew::Kept>, PoolError> {
        use crate::renew::{KeepError, Kept};
        let Some(member) = &row.member else {
            return Ok(None);
        };
        let name = Name::parse(&member.session)?;
        match Kept::open(&self.vault, &name, self.kept_options()).await {
            Ok(kept) => Ok(Some(kept)),
            Err(KeepError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(session = %name, %error, "the session can't be taken over");
                row.member = None;
                Ok(None)
            }
        }
    }

    /// Some target of those that the site file names, at random.
    pub(super) async fn some_target(&self) -> Result<Option<String>, PoolError> {
        let definition = self.definition();
        let Some(source) = &definition.site.pool.targets.source else {
            return Ok(None);
        };
        let all = self.target_list(source, &definition).await?;
        let drawn = getrandom::u64().unwrap_or(0);
        let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let at = drawn
            .checked_rem(count)
            .and_then(|at| usize::try_from(at).ok());
        Ok(at.and_then(|at| all.get(at).cloned()))
    }

    async fn target_list(
        &self,
        source: &TargetSource,
        definition: &super::Definition,
    ) -> Result<Arc<[String]>, PoolError> {
        let mut list = self.target_list.lock().await;
        let now = self.now();
        if list.at.is_some_and(|at| between(at, now) < GOOD_FOR) {
            return Ok(Arc::clone(&list.all));
        }
        let password = definition.database_password.clone();
        let all = source::read(source.clone(), password).await;
        let all = all.map_err(|what| PoolError::Targets {
            pool: self.name.to_string(),
            what,
        })?;
        *list = TargetList {
            all: all.into(),
            at: Some(now),
        };
        Ok(Arc::clone(&list.all))
    }

    /// Dissolves the seats of targets that nobody has asked for in a while.
    pub(super) fn remove_idle_targets(&self) {
        let idle = self.definition().site.pool.targets.idle;
        let now = self.now();
        let mut live = self.live();
        let seats = live
            .seats
            .iter()
            .filter(|(_, seat)| seat.row.target.is_some() && between(seat.asked, now) >= idle);
        let seats: Vec<SeatId> = seats.map(|(id, _)| *id).collect();
        let unused = seats.into_iter().filter(|seat| {
            let mut members = live.state.members_of(*seat);
            members.all(|member| member.leases == 0)
        });
        for seat in unused.collect::<Vec<_>>() {
            // It may be leaving already.
            let _gone = live.state.remove(seat, now);
            if let Some(seat) = live.seats.get_mut(&seat) {
                seat.is_dissolved = true;
            }
        }
        self.settle(live, now);
    }
}
