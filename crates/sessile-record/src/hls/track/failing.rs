//! What becomes of items and playlists that can't be had: tried again, by another way in, or gone.

use super::{Done, Track};
use crate::hls::load;
use crate::plan::schedule::Ticket;
use crate::record::RecordError;
use crate::record::source::Fault;

/// How many ways in may be tried to one segment of a live stream.
const WAYS_TO_ONE: u32 = 3;

impl Track<'_> {
    pub(super) fn failed(&mut self, ticket: Ticket, fault: Fault) -> Result<(), RecordError> {
        match fault {
            // It has left the playlist, and its own address doesn't work any more.
            Fault::Closed(_, why) if self.is_stale(ticket) => self.gone(ticket, why),
            Fault::Closed(epoch, why) => self.refused(ticket, epoch, why),
            // Kept, and then found to be what it shouldn't: once more from the server.
            Fault::Passing(..) => {
                self.schedule.again(ticket);
                Ok(())
            }
            Fault::Gone(why) => self.gone(ticket, why),
            Fault::Stop(why) => Err(why),
        }
    }

    /// Another way in may lead to it; one that stays shut while the rest of a live stream comes is gone.
    fn refused(&mut self, ticket: Ticket, epoch: u64, why: RecordError) -> Result<(), RecordError> {
        let ways = self.refused.entry(ticket).or_default();
        *ways += 1;
        if self.was_live && *ways > WAYS_TO_ONE {
            return self.gone(ticket, why);
        }
        self.schedule.again(ticket);
        if !self.is_opening && self.loaded.epoch <= epoch {
            self.opens_for = Some(ticket);
        }
        self.open(epoch, why);
        Ok(())
    }

    /// There is no other way in to a single segment, which was refused again after the last one.
    pub(super) fn shut(&mut self, why: RecordError) -> Result<(), RecordError> {
        let ticket = self.opens_for.take();
        let is_again = |ticket: &Ticket| self.refused.get(ticket).is_some_and(|ways| *ways > 1);
        let is_refusal = matches!(
            why,
            RecordError::LoggedOut { .. } | RecordError::Refused { .. } | RecordError::Wrong { .. }
        );
        match ticket.filter(|ticket| self.was_live && is_refusal && is_again(ticket)) {
            Some(ticket) => {
                self.schedule_reload(self.loaded.media.target / 2);
                // It waits: it was to be fetched again.
                self.schedule.give_up(ticket);
                self.gone(ticket, why)
            }
            None => Err(why),
        }
    }

    /// Whether its address is of an earlier way in than the newest playlist.
    fn is_stale(&self, ticket: Ticket) -> bool {
        let item = self.schedule.item(ticket);
        item.is_some_and(|item| item.epoch < self.loaded.epoch && !self.is_opening)
    }

    /// A live recording goes on without what it can't have; one of something that stays doesn't.
    fn gone(&mut self, ticket: Ticket, why: RecordError) -> Result<(), RecordError> {
        let Some(item) = self.schedule.item(ticket) else {
            return Err(why);
        };
        match item.position.filter(|_| self.was_live) {
            Some(position) => self.tell_gap(position, 1, why.to_string()),
            None if self.failure.as_ref().is_none_or(|(at, _)| ticket < *at) => {
                self.failure = Some((ticket, why));
            }
            None => {}
        }
        self.schedule.lose(ticket);
        Ok(())
    }

    /// Looks for a way in again, once for all who ask.
    fn open(&mut self, epoch: u64, why: RecordError) {
        if self.is_opening {
            return;
        }
        // Others have found one, and this playlist is of it already.
        if self.loaded.epoch > epoch {
            return;
        }
        self.is_opening = true;
        self.reload_at = None;
        let (shared, which, quality) = (self.shared, self.which, self.options().quality);
        self.jobs.push(Box::pin(async move {
            let source = shared.source;
            let opened = source.open_again(epoch, why).await;
            let located = match opened {
                Ok(()) => load::insist(source, which, quality).await,
                Err(error) => Err(error),
            };
            Done::Opened(located.map(|(loaded, _)| loaded))
        }));
    }

    pub(super) fn reload_failed(&mut self, fault: Fault) -> Result<(), RecordError> {
        match fault {
            Fault::Closed(epoch, why) => self.open(epoch, why),
            Fault::Stop(why) => return Err(why),
            Fault::Gone(_) | Fault::Passing(..) => {
                self.end_if_silent();
                self.schedule_reload(self.loaded.media.target / 2);
            }
        }
        Ok(())
    }
}
