//! Places that are given away again, each time under another generation.

use std::ops::{Index, IndexMut};

use super::ids::Key;

/// Values by place.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

/// What is used most of a value lies beside its generation, in one line of the processor's cache.
#[derive(Debug)]
#[repr(C, align(64))]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        let Some(place) = self.free.pop() else {
            let place = u32::try_from(self.places.len()).expect("fewer than four billion");
            let (generation, value) = (1, Some(value));
            self.places.push(Place { generation, value });
            return Key { place, generation };
        };
        let slot = &mut self.places[place as usize];
        slot.value = Some(value);
        let generation = slot.generation;
        Key { place, generation }
    }

    pub(super) fn remove(&mut self, place: u32) -> Option<T> {
        let slot = self.places.get_mut(place as usize)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(place);
        Some(value)
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.places.get(key.place as usize)?;
        (slot.generation == key.generation).then_some(slot.value.as_ref()?)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.places.get_mut(key.place as usize)?;
        (slot.generation == key.generation).then_some(slot.value.as_mut()?)
    }

    /// The key of what is at a place now.
    pub(super) fn key(&self, place: u32) -> Key {
        let generation = self.places[place as usize].generation;
        Key { place, generation }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let keyed = |(place, slot): (usize, &Place<T>)| {
            let place = u32::try_from(place).expect("fewer than four billion");
            (place, slot.generation)
        };
        let places = self.places.iter().enumerate();
        places.filter_map(move |at| {
            let (place, generation) = keyed(at);
            Some((Key { place, generation }, at.1.value.as_ref()?))
        })
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, place: u32) -> &T {
        let value = self.places[place as usize].value.as_ref();
        value.expect("who holds a place without its generation knows that it is taken")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, place: u32) -> &mut T {
        let value = self.places[place as usize].value.as_mut();
        value.expect("who holds a place without its generation knows that it is taken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_never_means_somebody_else() {
        let mut slab = Slab::default();
        let (first, second) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(first.place), Some('a'));
        assert_eq!(slab.remove(first.place), None);
        let third = slab.insert('c');
        assert_eq!(third.place, first.place);
        assert_eq!((slab.get(first), slab.get(third)), (None, Some(&'c')));
        assert_eq!((slab.len(), slab[second.place]), (2, 'b'));
        let all: Vec<_> = slab
            .iter()
            .map(|(key, value)| (key.place, *value))
            .collect();
        assert_eq!(all, [(0, 'c'), (1, 'b')]);
    }
}
