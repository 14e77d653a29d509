//! Lists of places that anything can be taken out of at once, without allocating.

/// The links of all lists of one kind. A place is in at most one list of a kind.
#[derive(Debug, Default)]
pub(super) struct Chain {
    links: Vec<Link>,
}

/// One list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

const NONE: u32 = u32::MAX;

impl Default for List {
    fn default() -> Self {
        Self {
            head: NONE,
            tail: NONE,
        }
    }
}

impl List {
    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

impl Chain {
    pub(super) fn push(&mut self, list: &mut List, place: u32) {
        let at = place as usize;
        if at >= self.links.len() {
            let none = Link {
                before: NONE,
                after: NONE,
            };
            self.links.resize(at + 1, none);
        }
        self.links[at] = Link {
            before: list.tail,
            after: NONE,
        };
        match list.tail {
            NONE => list.head = place,
            tail => self.links[tail as usize].after = place,
        }
        list.tail = place;
    }

    /// Takes a place out of the list that it is in.
    pub(super) fn remove(&mut self, list: &mut List, place: u32) {
        let Link { before, after } = self.links[place as usize];
        match before {
            NONE => list.head = after,
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => list.tail = before,
            after => self.links[after as usize].before = before,
        }
    }

    pub(super) fn after(&self, place: u32) -> Option<u32> {
        let after = self.links[place as usize].after;
        (after != NONE).then_some(after)
    }

    pub(super) fn iter(&self, list: List) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(list.first(), |place| self.after(*place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_can_be_taken_out() {
        let (mut chain, mut list) = (Chain::default(), List::default());
        for place in [3, 1, 4, 2] {
            chain.push(&mut list, place);
        }
        let mut check = |taken, expected: &[u32]| {
            chain.remove(&mut list, taken);
            assert_eq!(chain.iter(list).collect::<Vec<_>>(), expected);
            assert_eq!(list.first(), expected.first().copied());
        };
        check(1, &[3, 4, 2]);
        check(2, &[3, 4]);
        check(3, &[4]);
        check(4, &[]);
        assert!(list.is_empty());
    }
}
