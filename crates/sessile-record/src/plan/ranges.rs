//! Which parts of a file are there and which is fetched next.

/// Parts of a file, in order and apart from each other: starts and ends.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds a part; what touches becomes one.
    pub(crate) fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let from = self.0.partition_point(|own| own.1 < start);
        let to = self.0.partition_point(|own| own.0 <= end);
        let joined = match self.0.get(from..to) {
            Some([first, .., last]) => (start.min(first.0), end.max(last.1)),
            Some([only]) => (start.min(only.0), end.max(only.1)),
            Some([]) | None => (start, end),
        };
        self.0.splice(from..to, [joined]);
    }

    /// The number of bytes in all.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// What is there from the beginning on without a hole.
    pub(crate) fn prefix(&self) -> u64 {
        match self.0.first() {
            Some((0, end)) => *end,
            _ => 0,
        }
    }

    /// What is beyond an end is there no more.
    pub(crate) fn cut(&mut self, end: u64) {
        self.0.retain(|own| own.0 < end);
        if let Some(last) = self.0.last_mut() {
            last.1 = last.1.min(end);
        }
    }

    /// The first part of at most `most` bytes that is neither here nor in `taken`, below `total`.
    pub(crate) fn missing(&self, taken: &Self, total: u64, most: u64) -> Option<(u64, u64)> {
        let mut all = self.clone();
        taken
            .0
            .iter()
            .for_each(|(start, end)| all.add(*start, *end));
        let start = all.prefix();
        let next = all.0.iter().map(|own| own.0).find(|own| *own > start);
        let end = next
            .unwrap_or(total)
            .min(total)
            .min(start.saturating_add(most));
        (start < end).then_some((start, end))
    }

    /// No longer there.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        let own = std::mem::take(&mut self.0);
        for (from, to) in own {
            self.add(from, to.min(start));
            self.add(from.max(end), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_join_and_the_first_hole_is_fetched() {
        let mut here = Ranges::default();
        here.add(10, 20);
        here.add(30, 40);
        assert_eq!(here.missing(&Ranges::default(), 50, 100), Some((0, 10)));
        here.add(0, 10);
        assert_eq!((here.prefix(), here.total()), (20, 30));
        let mut taken = Ranges::default();
        taken.add(20, 30);
        assert_eq!(here.missing(&taken, 50, 4), Some((40, 44)));
        here.cut(35);
        assert_eq!(here.missing(&taken, 50, 100), Some((35, 50)));
        here.add(20, 50);
        assert_eq!(here, Ranges(vec![(0, 50)]));
        assert_eq!(here.missing(&Ranges::default(), 50, 4), None);
        here.remove(5, 6);
        assert_eq!(here, Ranges(vec![(0, 5), (6, 50)]));
    }

    proptest! {
        #[test]
        fn parts_are_as_a_set_of_bytes(
            steps in prop::collection::vec((any::<bool>(), 0_u64..60, 0_u64..60), 0..30),
        ) {
            let mut ranges = Ranges::default();
            let mut bytes = [false; 64];
            for (adds, start, end) in steps {
                match adds {
                    true => ranges.add(start, end),
                    false if start < end => ranges.remove(start, end),
                    false => continue,
                }
                for byte in bytes.iter_mut().take(end as usize).skip(start as usize) {
                    *byte = adds;
                }
            }
            prop_assert_eq!(ranges.total(), bytes.iter().filter(|byte| **byte).count() as u64);
            prop_assert_eq!(ranges.prefix(), bytes.iter().take_while(|byte| **byte).count() as u64);
            prop_assert!(ranges.0.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
