//! Carries out what the state says is due, and tells it what became of that.

use std::sync::Arc;
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::time::timeout;

use super::make::{Made, is_accounts};
use super::seat::{self, MemberRow};
use super::state::{Action, Fault, MemberId, Phase, SeatId, Task, Which};
use super::trouble::Trouble;
use super::{Member, PoolEventKind, Shared, Stage, accounts};
use crate::renew::{KeepError, Kept, Logins};
use crate::session::{Request, Verdict};
use crate::store::{Name, Room, StoreError};

/// The longest that an action may take: a login may take five minutes.
const LONGEST: Duration = Duration::from_secs(360);

/// What an action leaves.
pub(super) enum Done {
    Made(Box<Made>),
    Nothing,
}

impl Shared {
    /// Does one action and answers it, whatever becomes of it.
    pub(super) async fn act(self: Arc<Self>, action: Action) {
        let doing = Arc::clone(&self);
        // On a task of its own: a panic in it is one failed action.
        let mut stage = self.stage.subscribe();
        let task = self.tasks.spawn(async move {
            let closed = stage.wait_for(|stage| *stage == Stage::Closed);
            tokio::select! {
                done = timeout(LONGEST, doing.carry_out_traced(action)) => done.unwrap_or_else(|_elapsed| {
                    let why = format!("it took longer than {} s", LONGEST.as_secs());
                    Err(Trouble::new(Fault::Failed, &why))
                }),
                // What it leaves is removed by whoever has the seat next.
                _ = closed => Err(Trouble::later("the pool is closed".to_owned())),
            }
        });
        let done = task.await.unwrap_or_else(|panic| {
            tracing::error!(pool = %self.name, %panic, task = ?action.task, "an action failed");
            Err(Trouble::new(
                Fault::Failed,
                "it failed by a fault of this library",
            ))
        });
        self.answer(action, done).await;
    }

    pub(super) async fn carry_out(&self, action: Action) -> Result<Done, Trouble> {
        if action.task == Task::Make {
            let made = self.make(action.seat).await?;
            return Ok(Done::Made(Box::new(made)));
        }
        if action.task == Task::Release {
            self.release(action.seat, action.member).await?;
            return Ok(Done::Nothing);
        }
        let member = action.member.ok_or_else(Trouble::gone)?;
        let kept = self
            .live()
            .members
            .get(&member)
            .map(|member| member.kept.clone());
        let kept = kept.ok_or_else(Trouble::gone)?;
        match action.task {
            Task::Validate => self.validate_member(action.seat, &kept).await?,
            Task::Refresh => self.refresh_member(action.seat, &kept).await?,
            Task::Renew => self.renew_member(action.seat, &kept).await?,
            Task::Retire => self.retire(action.seat, &kept).await?,
            Task::Make | Task::Release => {}
        }
        Ok(Done::Nothing)
    }

    async fn validate_member(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        let report = kept
            .check()
            .await
            .map_err(|error| self.trouble(seat, &error))?;
        match report.verdict {
            Verdict::Valid => {
                self.replace_if_too_long(seat, kept);
                Ok(())
            }
            verdict => Err(Trouble::of_verdict(&verdict, &report.why, self.now())),
        }
    }

    /// Visits the site, so that it sets fresh cookies.
    async fn refresh_member(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        let definition = self.definition();
        let check = definition
            .site
            .check
            .as_ref()
            .map(|check| check.url.clone());
        let page = check.unwrap_or_else(|| definition.site.home());
        let answer = kept.send(Request::get(page.as_str())).await;
        let answer = answer.map_err(|error| self.trouble(seat, &error))?;
        let (verdict, status) = (answer.reply.verdict().clone(), answer.reply.status());
        // The connection is for the next.
        drop(answer.reply.bytes().await);
        if verdict != Verdict::Valid {
            let why = format!("the visit was answered with {status}");
            return Err(Trouble::of_verdict(&verdict, &why, self.now()));
        }
        self.replace_if_too_long(seat, kept);
        let saved = kept.save().await;
        saved.map_err(|error| self.trouble(seat, &error))
    }

    /// Logs a member in again; where that isn't to be, another member follows, with an account and a
    /// password that hold.
    async fn renew_member(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        if !self.may_log_in_again(kept).await? {
            self.make_way(seat, kept);
            let why = "its account is stopped, gone or has another password by now";
            return Err(Trouble::new(Fault::Expired, why));
        }
        let Err(error) = kept.log_in_again().await else {
            return Ok(());
        };
        let trouble = self.trouble(seat, &error);
        let is_accounts = match &error {
            KeepError::Login(error) => is_accounts(error),
            _ => trouble.fault == Fault::Refused,
        };
        if is_accounts
            && let Some(user) = account_of(kept)
            && !self.stop_account(&user, error.to_string()).await
        {
            return Err(trouble);
        }
        if is_accounts || trouble.fault == Fault::Expired {
            self.make_way(seat, kept);
            let fault = Fault::Expired;
            return Err(Trouble { fault, ..trouble });
        }
        Err(trouble)
    }

    /// Whether the account and the password that a session has are those of the definition, and the
    /// account is used.
    async fn may_log_in_again(&self, kept: &Kept) -> Result<bool, Trouble> {
        let Some(user) = account_of(kept) else {
            return Ok(true);
        };
        let definition = self.definition();
        let Some(account) = definition.account(&user) else {
            return Ok(false);
        };
        let login = kept.record().login;
        let known = login.and_then(|login| login.credentials.password);
        let is_new = match (&account.password, &known) {
            (Some(wanted), Some(known)) => wanted.expose() != known.expose(),
            (wanted, known) => wanted.is_some() != known.is_some(),
        };
        let accounts = accounts::load(&self.vault, &self.name).await?;
        Ok(!is_new && !accounts.is_stopped(&user))
    }

    /// Nobody tries an account any more; answers whether that is known to all.
    pub(super) async fn stop_account(&self, user: &str, why: String) -> bool {
        if let Err(error) = accounts::stop(&self.vault, &self.name, user, why.clone()).await {
            tracing::warn!(pool = %self.name, %error, "the account could not be stopped");
            return false;
        }
        let user = user.to_owned();
        self.tell(PoolEventKind::AccountStopped { user, why });
        true
    }

    /// A member that is out of use and can't log in any more: what is sent through it goes through
    /// the next one, and its record is to be removed.
    fn make_way(&self, seat: SeatId, kept: &Kept) {
        let mut live = self.live();
        let serving = live.state.seat_view(seat).and_then(|view| view.member);
        let phase = serving.and_then(|member| live.state.member(member));
        if phase.is_none_or(|member| member.phase != Phase::Warming) {
            // It may serve on until another one follows.
            return;
        }
        kept.set_logins(Logins::Closed);
        if let Some(seat) = live.seats.get_mut(&seat) {
            seat.row.leaving.push(kept.name().to_string());
            seat.is_dirty = true;
        }
    }

    /// A session whose cookies have become too many for a header serves on until another follows.
    fn replace_if_too_long(&self, seat: SeatId, kept: &Kept) {
        let Err(trouble) = self.measure(kept, &self.definition()) else {
            return;
        };
        let now = self.now();
        let mut live = self.live();
        live.state.rotate(Which::Seat(seat), now);
        self.settle(live, now);
        let (session, why) = (kept.name().clone(), trouble.why);
        self.tell(PoolEventKind::CheckFailed { session, why });
    }

    /// What an error of a seat's session says; where its proxy is to blame, that is noted too.
    pub(super) fn trouble(&self, seat: SeatId, error: &KeepError) -> Trouble {
        self.proxy_failed(seat, error);
        Trouble::of(error, self.now())
    }

    /// Removes a member's record. Its connections go with the last handle: a reply that is still read
    /// ends on its own.
    async fn retire(&self, seat: SeatId, kept: &Kept) -> Result<(), Trouble> {
        kept.set_logins(Logins::Closed);
        self.vault.remove(kept.name()).await?;
        let part = {
            let mut live = self.live();
            let Some(seat) = live.seats.get_mut(&seat) else {
                return Ok(());
            };
            seat.row.leaving.retain(|name| name != kept.name().as_str());
            if seat
                .row
                .member
                .as_ref()
                .is_some_and(|row| row.session == kept.name().as_str())
            {
                seat.row.member = None;
            }
            Arc::clone(&seat.part)
        };
        self.write_seat(seat, &part).await
    }

    /// Hands a seat to whoever is next, with its member.
    async fn release(&self, id: SeatId, member: Option<MemberId>) -> Result<(), Trouble> {
        let (kept, part, name, is_dissolved) = {
            let mut live = self.live();
            let view = member.and_then(|member| live.state.member(member));
            let kept = member.and_then(|member| live.members.get(&member));
            let kept = kept.map(|member| member.kept.clone());
            let Some(seat) = live.seats.get_mut(&id) else {
                return Ok(());
            };
            if let (Some(view), Some(kept)) = (view, &kept) {
                seat.row.member = Some(MemberRow::new(kept.name(), &view));
            }
            (
                kept,
                Arc::clone(&seat.part),
                seat.name.clone(),
                seat.is_dissolved,
            )
        };
        if let Some(kept) = &kept
            && let Err(error) = kept.close().await
        {
            tracing::warn!(session = %kept.name(), %error, "the last cookies could not be stored");
        }
        if is_dissolved {
            self.vault.remove(&name.beside(Room::Seat)).await?;
            accounts::free(&self.vault, &self.name, &name).await?;
            return Ok(());
        }
        self.write_seat(id, &part).await
    }

    /// Tells the state what became of an action, and does what follows from that.
    async fn answer(&self, action: Action, done: Result<Done, Trouble>) {
        let is_done = done.is_ok();
        self.conclude(action, done);
        let is_closed = *self.stage.borrow() == Stage::Closed;
        if !is_closed && !matches!(action.task, Task::Release | Task::Retire) {
            self.write_facts(action.seat).await;
        }
        self.after_release(action, is_done).await;
    }

    fn conclude(&self, action: Action, done: Result<Done, Trouble>) {
        let now = self.now();
        let (result, made, trouble) = match done {
            Ok(Done::Made(made)) => (Ok(()), Some(made), None),
            Ok(Done::Nothing) => (Ok(()), None, None),
            Err(trouble) => (Err(trouble.fault), None, Some(trouble)),
        };
        let mut live = self.live();
        let replaced = match (made, action.member) {
            (Some(made), Some(member)) => live.enthrone(action.seat, member, *made, now),
            _ => None,
        };
        let name = action.member.and_then(|member| live.members.get(&member));
        let name = name.map(|member| member.kept.name().clone());
        let seat = live.seats.get(&action.seat).map(|seat| seat.name.clone());
        // Where the seat was lost meanwhile, nobody wants to know.
        let is_known = live.state.done(action.id, result, now).is_ok();
        if !is_known && action.task == Task::Make {
            let unwanted = action
                .member
                .and_then(|member| live.members.remove(&member));
            if let Some(member) = unwanted {
                member.kept.session().close();
            }
        }
        live.after(action, result.is_ok(), trouble.as_ref(), now);
        self.settle(live, now);
        if is_known {
            self.report(action, (seat, name), replaced, trouble);
        }
    }

    /// Gives a part back once none of its seats is left.
    async fn after_release(&self, action: Action, is_done: bool) {
        if action.task != Task::Release || !is_done {
            return;
        }
        let part = {
            let mut live = self.live();
            live.seats
                .remove(&action.seat)
                .map(|seat| (seat.part, seat.name))
        };
        let Some((part, seat)) = part else {
            return;
        };
        let is_here = false;
        self.tell(PoolEventKind::SeatMoved { seat, is_here });
        let is_empty = self.live().seats.values().all(|seat| seat.part != part);
        if is_empty {
            self.holds.release(&self.vault, &part).await;
            self.upkeep_bell.notify_one();
        }
    }

    /// Tells those who listen.
    fn report(
        &self,
        action: Action,
        (seat, session): (Option<Name>, Option<Name>),
        replaces: Option<Name>,
        trouble: Option<Trouble>,
    ) {
        let Some(seat) = seat else {
            return;
        };
        let kind = match (action.task, trouble, session) {
            (Task::Make, Some(trouble), _) => {
                tracing::warn!(%seat, why = %trouble.why, "a session was not made");
                let why = trouble.why;
                PoolEventKind::LoginFailed { seat, why }
            }
            (Task::Make, None, Some(session)) => PoolEventKind::Made { session, replaces },
            (Task::Refresh, None, Some(session)) => PoolEventKind::Refreshed { session },
            (Task::Renew, None, Some(session)) => PoolEventKind::Renewed { session },
            (Task::Retire, None, Some(session)) => PoolEventKind::Retired { session },
            (Task::Validate, None, Some(session)) => PoolEventKind::Validated { session },
            (_, Some(trouble), Some(session)) => {
                let why = trouble.why;
                PoolEventKind::CheckFailed { session, why }
            }
            _ => return,
        };
        self.tell(kind);
    }

    /// Brings what is known of a seat's member to its row.
    pub(super) async fn write_facts(&self, id: SeatId) {
        let part = {
            let mut live = self.live();
            let serving = live.state.seat_view(id).and_then(|view| view.member);
            let view = serving.and_then(|member| live.state.member(member));
            let kept = serving.and_then(|member| live.members.get(&member));
            let row = kept
                .zip(view)
                .map(|(member, view)| MemberRow::new(member.kept.name(), &view));
            let Some(seat) = live.seats.get_mut(&id) else {
                return;
            };
            if seat.is_dissolved || (seat.row.member == row && !seat.is_dirty) {
                return;
            }
            seat.row.member = row;
            Arc::clone(&seat.part)
        };
        if let Err(error) = self.write_seat(id, &part).await {
            tracing::debug!(?error, "a seat's row is written later");
        }
    }

    /// Writes a seat's row as it is now.
    pub(super) async fn write_seat(&self, id: SeatId, part: &str) -> Result<(), Trouble> {
        let fence = self.holds.fence(part).ok_or_else(Trouble::gone)?;
        let (name, row) = {
            let mut live = self.live();
            let seat = live.seats.get_mut(&id).ok_or_else(Trouble::gone)?;
            seat.is_dirty = false;
            (seat.name.clone(), seat.row.clone())
        };
        let written = seat::store(&self.vault, &name, &row, fence).await;
        if let Err(StoreError::Fenced { .. }) = written {
            self.lose_part(part);
        } else if written.is_err()
            && let Some(seat) = self.live().seats.get_mut(&id)
        {
            seat.is_dirty = true;
        }
        Ok(written?)
    }

    /// A part is another's: its seats are forgotten at once.
    pub(super) fn lose_part(&self, part: &str) {
        self.holds.forget(part);
        let now = self.now();
        let mut live = self.live();
        let lost = live.seats.iter().filter(|(_, seat)| &*seat.part == part);
        let lost: Vec<(SeatId, Name)> = lost.map(|(id, seat)| (*id, seat.name.clone())).collect();
        for (id, _name) in &lost {
            let members = live.state.members().filter(|member| member.seat == *id);
            let members: Vec<MemberId> = members.map(|member| member.id).collect();
            for member in members {
                if let Some(member) = live.members.remove(&member) {
                    member.kept.set_logins(Logins::Closed);
                    member.kept.session().close();
                }
            }
            // It is gone either way.
            let _gone = live.state.lose(*id, now);
            live.seats.remove(id);
        }
        self.settle(live, now);
        for (_id, seat) in lost {
            let is_here = false;
            tracing::warn!(%seat, "the seat is another process's now");
            self.tell(PoolEventKind::SeatMoved { seat, is_here });
        }
        self.upkeep_bell.notify_one();
    }
}

/// Whose account a session logs in with, where it has one.
fn account_of(kept: &Kept) -> Option<String> {
    let user = kept.record().login?.credentials.user;
    (!user.is_empty()).then_some(user)
}

impl super::Live {
    /// Puts a member that was made into its seat; answers whom it replaces.
    fn enthrone(
        &mut self,
        seat: SeatId,
        member: MemberId,
        made: Made,
        now: Timestamp,
    ) -> Option<Name> {
        let serving = self.state.seat_view(seat).and_then(|view| view.member);
        let serving = serving.and_then(|member| self.members.get(&member));
        let replaced = serving.map(|member| member.kept.name().clone());
        let kept = made.take_over();
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.row.making = None;
            let leaving = replaced.iter().map(ToString::to_string);
            seat.row.leaving.extend(leaving);
        }
        self.members.insert(member, Member { kept });
        self.counts.made += 1;
        self.counts.last_made = Some(now);
        self.last_trouble = None;
        replaced
    }

    /// What the pool notes of an answered action beside what the state does.
    fn after(&mut self, action: Action, is_done: bool, trouble: Option<&Trouble>, now: Timestamp) {
        match (action.task, is_done) {
            (Task::Make, false) => {
                self.counts.failed += 1;
                self.last_trouble = trouble.map(|trouble| trouble.why.clone());
            }
            (Task::Refresh, true) => self.counts.last_refresh = Some(now),
            (Task::Retire | Task::Release, true) => {
                let member = action
                    .member
                    .and_then(|member| self.members.remove(&member));
                if member.is_some() && action.task == Task::Retire {
                    self.counts.retired += 1;
                }
            }
            _ => {}
        }
    }
}
