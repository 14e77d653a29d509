//! Carries out what the state says is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::make::Made;
use super::proxies::proxy_of;
use super::state::{Action, Fault, SeatId, Task, Which};
use super::trouble::Trouble;
use super::{PoolEventKind, Shared};
use crate::renew::{KeepError, Kept};
use crate::session::{Request, Verdict};

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
        let seat = self.live().seats.get(&action.seat).cloned();
        let done = match seat {
            Some(seat) => self.attempt(action, seat.end).await,
            None => Err(Trouble::gone()),
        };
        self.answer(action, done).await;
    }

    async fn attempt(
        self: &Arc<Self>,
        action: Action,
        end: CancellationToken,
    ) -> Result<Done, Trouble> {
        let doing = Arc::clone(self);
        // On a task of its own: a panic in it is one failed action.
        let task = self.tasks.spawn(async move {
            tokio::select! {
                done = timeout(LONGEST, doing.carry_out_traced(action)) => done.unwrap_or_else(|_elapsed| {
                    let why = format!("it took longer than {} s", LONGEST.as_secs());
                    Err(Trouble::new(Fault::Failed, &why))
                }),
                () = end.cancelled() => Err(Trouble::gone()),
            }
        });
        task.await.unwrap_or_else(|panic| {
            tracing::error!(pool = %self.name, %panic, task = ?action.task, "an action failed");
            Err(Trouble::new(
                Fault::Failed,
                "it failed by a fault of this library",
            ))
        })
    }

    pub(super) async fn carry_out(&self, action: Action) -> Result<Done, Trouble> {
        let is_begun = matches!(action.task, Task::Make | Task::Refresh | Task::Renew);
        if is_begun && !self.is_sure_of(action.seat) {
            return Err(Trouble::later("the store can't be reached".to_owned()).untried());
        }
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
            .map_err(|error| self.trouble(kept, &error))?;
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
        let answer = answer.map_err(|error| self.trouble(kept, &error))?;
        let (verdict, status) = (answer.reply.verdict().clone(), answer.reply.status());
        // The connection is for the next.
        drop(answer.reply.bytes().await);
        if verdict != Verdict::Valid {
            let why = format!("the visit was answered with {status}");
            return Err(Trouble::of_verdict(&verdict, &why, self.now()));
        }
        self.replace_if_too_long(seat, kept);
        let saved = kept.save().await;
        saved.map_err(|error| self.trouble(kept, &error))
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

    /// What an error of a session says; where its proxy is to blame, that is noted too.
    pub(super) fn trouble(&self, kept: &Kept, error: &KeepError) -> Trouble {
        self.proxy_failed(proxy_of(kept).as_deref(), error);
        Trouble::of(error, self.now())
    }
}
