//! Which item of a row is fetched next and which may be written: many at once are fetched, one after
//! the other is written, each once.

use std::collections::VecDeque;

/// A place in the row; they are written in this order.
pub(crate) type Ticket = u64;

/// The items that aren't written yet.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    /// How many may be fetched at once.
    parallel: usize,
    /// The ticket of the first item.
    head: Ticket,
    items: VecDeque<(T, State)>,
    fetching: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Fetching,
    /// Fetched, and kept until its turn.
    Held,
    /// It will never come.
    Lost,
    Waiting,
    Writing,
}

impl<T> Schedule<T> {
    pub(crate) fn new(parallel: usize) -> Self {
        Self {
            parallel: parallel.max(1),
            head: 0,
            items: VecDeque::new(),
            fetching: 0,
        }
    }

    /// Adds an item at the end.
    pub(crate) fn push(&mut self, item: T) {
        self.items.push_back((item, State::Waiting));
    }

    /// The item whose turn it is to be written.
    pub(crate) fn turn(&self) -> Ticket {
        self.head
    }

    /// How many aren't written yet.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the first is fetched or written at this moment.
    pub(crate) fn is_head_busy(&self) -> bool {
        let head = self.items.front().map(|(_, state)| *state);
        matches!(head, Some(State::Fetching | State::Writing))
    }

    pub(crate) fn item(&self, ticket: Ticket) -> Option<&T> {
        self.items.get(self.index(ticket)?).map(|(item, _)| item)
    }

    /// All items that aren't written yet.
    pub(crate) fn items_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map(|(item, _)| item)
    }

    /// The next to be fetched, where there is room: as many as are fetched at once may be fetched and
    /// held beside them.
    pub(crate) fn fetch(&mut self) -> Option<Ticket> {
        if self.fetching >= self.parallel {
            return None;
        }
        let window = self.items.iter_mut().take(self.parallel * 2).enumerate();
        let mut waiting = window.filter(|(_, (_, state))| *state == State::Waiting);
        let (index, (_, state)) = waiting.next()?;
        *state = State::Fetching;
        self.fetching += 1;
        Some(self.head + index as u64)
    }

    /// It was fetched and is kept.
    pub(crate) fn hold(&mut self, ticket: Ticket) {
        self.leave_fetching(ticket, State::Held);
    }

    /// It has to be fetched again.
    pub(crate) fn again(&mut self, ticket: Ticket) {
        self.leave_fetching(ticket, State::Waiting);
    }

    /// It can't be had.
    pub(crate) fn lose(&mut self, ticket: Ticket) {
        self.leave_fetching(ticket, State::Lost);
    }

    /// One that waits to be fetched isn't any more.
    pub(crate) fn give_up(&mut self, ticket: Ticket) {
        if let Some(index) = self.index(ticket)
            && self.items[index].1 == State::Waiting
        {
            self.items[index].1 = State::Lost;
        }
    }

    fn leave_fetching(&mut self, ticket: Ticket, next: State) {
        let Some(index) = self.index(ticket) else {
            return;
        };
        let state = &mut self.items[index].1;
        match state {
            State::Fetching => self.fetching -= 1,
            // What was kept and couldn't be written.
            State::Writing => {}
            State::Held | State::Lost | State::Waiting => return,
        }
        *state = next;
    }

    /// The item that is kept and may be written now.
    pub(crate) fn write(&mut self) -> Option<Ticket> {
        let (_, state) = self.items.front_mut()?;
        if *state != State::Held {
            return None;
        }
        *state = State::Writing;
        Some(self.head)
    }

    /// The item whose turn it is was written; it leaves the row.
    pub(crate) fn written(&mut self) -> Option<T> {
        let (_, state) = self.items.front()?;
        match state {
            State::Fetching => self.fetching -= 1,
            State::Writing => {}
            State::Held | State::Lost | State::Waiting => return None,
        }
        self.pop()
    }

    /// The item whose turn it is can't be had; it leaves the row.
    pub(crate) fn pass_over(&mut self) -> Option<T> {
        match self.items.front()?.1 {
            State::Lost => self.pop(),
            State::Fetching | State::Held | State::Waiting | State::Writing => None,
        }
    }

    fn pop(&mut self) -> Option<T> {
        self.head += 1;
        self.items.pop_front().map(|(item, _)| item)
    }

    fn index(&self, ticket: Ticket) -> Option<usize> {
        let index = usize::try_from(ticket.checked_sub(self.head)?).ok()?;
        (index < self.items.len()).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_more_are_fetched_than_may_be() {
        let mut row = Schedule::new(2);
        (0..5).for_each(|item| row.push(item));
        assert_eq!(
            [row.fetch(), row.fetch(), row.fetch()],
            [Some(0), Some(1), None]
        );
        row.hold(1);
        assert_eq!([row.fetch(), row.fetch()], [Some(2), None]);
        assert_eq!(row.write(), None);
        row.hold(0);
        assert_eq!(row.write(), Some(0));
        assert_eq!(row.written(), Some(0));
        assert_eq!(row.write(), Some(1));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut row = Schedule::new(2);
        (0..9).for_each(|item| row.push(item));
        assert_eq!(row.fetch(), Some(0));
        for kept in 1..4 {
            assert_eq!(row.fetch(), Some(kept));
            row.hold(kept);
        }
        assert_eq!(row.fetch(), None, "the first one is slow");
    }

    proptest! {
        #[test]
        fn any_order_writes_each_once_in_order(
            parallel in 1_usize..6,
            count in 1_u64..40,
            choices in prop::collection::vec((any::<u8>(), 0_u8..10), 400),
        ) {
            let mut row = Schedule::new(parallel);
            (0..count).for_each(|item| row.push(item));
            let mut fetching = Vec::new();
            let mut done = Vec::new();
            let mut choices = choices.into_iter().cycle();
            while row.len() > 0 {
                while let Some(ticket) = row.fetch() {
                    fetching.push(ticket);
                }
                prop_assert!(fetching.len() <= parallel);
                if !fetching.is_empty() {
                    let (which, what) = choices.next().unwrap();
                    let ticket = fetching.swap_remove(usize::from(which) % fetching.len());
                    match what {
                        0 => row.again(ticket),
                        1 => row.lose(ticket),
                        2 if ticket == row.turn() => done.extend(row.written()),
                        _ => row.hold(ticket),
                    }
                }
                loop {
                    if let Some(lost) = row.pass_over() {
                        done.push(lost);
                    } else if row.write().is_some() {
                        done.extend(row.written());
                    } else {
                        break;
                    }
                }
            }
            prop_assert_eq!(done, (0..count).collect::<Vec<_>>());
        }
    }
}
