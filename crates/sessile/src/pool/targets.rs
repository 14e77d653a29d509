//! Targets: seats of their own, made on demand, and where those come from that sessions are warmed
//! up with.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::clock::between;
use super::definition::SEPARATOR;
use super::hold::late;
use super::seat::{self, Seat, SeatRow, TARGET};
use super::served::Member;
use super::state::{NoSeat, SeatId, Target};
use super::{Pool, PoolError, PoolEventKind, Shared, accounts};
use crate::site::TargetSource;
use crate::store::{Acquired, Name, Room, StoreError};
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
        let id = self.0.seat_for(target, proxy, PATIENCE).await?;
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
        self: &Arc<Self>,
        target: &Target,
        proxy: Option<Proxy>,
        wait: Duration,
    ) -> Result<SeatId, PoolError> {
        if proxy.is_none()
            && let Some(seat) = self.live().state.seat_of(target)
        {
            return Ok(seat);
        }
        let name = seat::of_target(&self.name, target.as_str())?;
        self.until_gone(&name, wait.min(PATIENCE)).await;
        // One at a time: two who ask for the same target get the same seat.
        let turn = Arc::clone(&self.targets).lock_owned().await;
        let known = self.live().state.seat_of(target);
        match (known, proxy) {
            (None, proxy) => self.new_seat_to_the_end(name, (target, proxy), turn).await,
            (Some(seat), None) => Ok(seat),
            (Some(seat), Some(proxy)) => {
                self.change_proxy(seat, &proxy).await?;
                Ok(seat)
            }
        }
    }

    /// A seat that was dissolved is about to be gone.
    async fn until_gone(&self, name: &Name, wait: Duration) {
        let mut events = self.events.subscribe();
        let leaving = async {
            while self.has_left_over(name) {
                // Whatever happened, or was missed: it may be gone.
                let _event = events.recv().await;
            }
        };
        // Whoever asked is told that it is there still.
        let _late = timeout(wait, leaving).await;
    }

    /// Whether a seat that is leaving has this name.
    fn has_left_over(&self, name: &Name) -> bool {
        let live = self.live();
        let mut named = live.seats.iter().filter(|(_, seat)| seat.name == *name);
        named.any(|(id, _)| live.state.seat_view(*id).is_none_or(|view| view.leaving))
    }

    /// Goes on where whoever asked stops waiting: what is half made would be nobody's.
    async fn new_seat_to_the_end(
        self: &Arc<Self>,
        name: Name,
        (target, proxy): (&Target, Option<Proxy>),
        turn: OwnedMutexGuard<()>,
    ) -> Result<SeatId, PoolError> {
        let (shared, target, seat) = (Arc::clone(self), target.clone(), name.to_string());
        let making = self.tasks.spawn(async move {
            let _turn = turn;
            shared.new_seat_for(name, (&target, proxy)).await
        });
        making.await.unwrap_or_else(|panic| {
            tracing::error!(pool = %self.name, %panic, "a target's seat could not be made");
            Err(StoreError::ChangePanicked { subject: seat }.into())
        })
    }

    async fn new_seat_for(
        &self,
        name: Name,
        target: (&Target, Option<Proxy>),
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
        // No longer than others would wait for a process that was killed meanwhile.
        let term = self.term();
        let opened = timeout(term, self.hold_and_open(name, &part, target)).await;
        let opened = opened.unwrap_or_else(|_elapsed| Err(late(&self.vault, term).into()));
        if opened.is_err() {
            self.give_part_back(&part).await;
        }
        opened
    }

    async fn hold_and_open(
        &self,
        name: Name,
        part: &Arc<str>,
        target: (&Target, Option<Proxy>),
    ) -> Result<SeatId, PoolError> {
        let key = (&self.name, part);
        let owner = (&self.owner, self.term());
        let acquired = self.holds.acquire(&self.vault, key, owner).await?;
        if let Err(Acquired::Busy { holder, until }) = acquired {
            return Err(PoolError::Elsewhere {
                pool: self.name.to_string(),
                target: target.0.to_string(),
                holder: holder.to_string(),
                until,
            });
        }
        self.open_with_account(name, part, target).await
    }

    /// Where there is no account for it, no seat is opened: nothing is left of one that isn't.
    async fn open_with_account(
        &self,
        name: Name,
        part: &Arc<str>,
        target: (&Target, Option<Proxy>),
    ) -> Result<SeatId, PoolError> {
        let stored = seat::load(&self.vault, &name).await?;
        // A session that is logged in needs none before it is followed.
        if stored.as_ref().is_none_or(|row| row.member.is_none()) {
            self.account(&name, &self.definition()).await?;
        }
        let opened = self.open_seat(name.clone(), part, Some(target)).await;
        if stored.is_none() && opened.is_err() {
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
        for name in self.target_seats().await? {
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
            if let Err(error) = self.take_target(&name, &part).await {
                self.give_part_back(&part).await;
                if matches!(error, PoolError::Unreadable { .. }) {
                    self.note_unopened(name, &error);
                }
            }
        }
        Ok(())
    }

    /// The seats of targets that have a row or an account.
    async fn target_seats(&self) -> Result<BTreeSet<Name>, PoolError> {
        let start = format!("{}{SEPARATOR}{TARGET}", self.name);
        let rows = self.vault.list_room(Room::Seat, &start).await?;
        let named = rows.iter().filter_map(|row| row.name.room());
        let mut seats: BTreeSet<Name> = named.map(|(_room, name)| name).collect();
        match accounts::load(&self.vault, &self.name).await {
            Ok(accounts) => {
                let with_account = accounts.seats().filter(|seat| seat.starts_with(&start));
                seats.extend(with_account.filter_map(|seat| Name::parse(seat).ok()));
            }
            Err(error) => tracing::debug!(?error, "accounts that nobody has aren't looked for"),
        }
        Ok(seats)
    }

    async fn take_target(&self, name: &Name, part: &Arc<str>) -> Result<(), PoolError> {
        if seat::load(&self.vault, name).await?.is_some() {
            let opened = self.open_seat(name.clone(), part, None).await;
            return opened.map(drop);
        }
        // Whoever had it has dissolved it since, or was killed before it had a row.
        accounts::free(&self.vault, &self.name, name).await?;
        Err(PoolError::LeaseEnded)
    }

    /// The right to a target's seat that wasn't opened after all, whatever came in between, is others'.
    pub(super) fn give_unopened_back(self: &Arc<Self>) {
        // Else one is being opened just now.
        let Ok(turn) = Arc::clone(&self.targets).try_lock_owned() else {
            return;
        };
        let mut unopened = self.holds.parts();
        unopened.retain(|part| part.starts_with(TARGET));
        {
            let live = self.live();
            unopened.retain(|part| live.seats.of_part(part) == 0);
        }
        if unopened.is_empty() {
            return;
        }
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            let _turn = turn;
            for part in unopened {
                shared.give_part_back(&part).await;
            }
        });
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
        if !self.holds.has(&seat.part) || self.stop.is_cancelled() {
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
            // It may be logged in, and a newer Sessile can read it.
            Err(error @ KeepError::Unreadable { .. }) => Err(PoolError::Unreadable {
                pool: self.name.to_string(),
                what: error.to_string(),
            }),
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
