//! What seats, members, leases, tickets and actions are called.
//!
//! A place that becomes free is given away again under another generation, so that an old id never
//! means somebody else.

use std::fmt;

/// A place and the generation of what is in it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    pub(super) place: u32,
    pub(super) generation: u32,
}

impl Key {
    const fn number(self) -> u64 {
        ((self.generation as u64) << 32) | self.place as u64
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves are taken apart"
    )]
    const fn of(number: u64) -> Self {
        Self {
            place: number as u32,
            generation: (number >> 32) as u32,
        }
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub(super) Key);

        impl $name {
            /// The id as a number, which nothing else of its kind ever had in this process.
            pub const fn number(self) -> u64 {
                self.0.number()
            }

            /// The id that has this number; whether there is such a thing shows when it is used.
            pub const fn from_number(number: u64) -> Self {
                Self(Key::of(number))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.0.place, self.0.generation)
            }
        }
    )*};
}

impl MemberId {
    /// Where what belongs to a member may lie, the same for nobody else at the same time.
    pub(in crate::pool) const fn place(self) -> usize {
        self.0.place as usize
    }
}

ids! {
    /// One thing to do that was given out by [`State::due`](super::State::due).
    ActionId,
    /// The right to use a member.
    LeaseId,
    /// One session made for a seat.
    MemberId,
    /// A place in the pool.
    SeatId,
    /// A place in the queue for leases.
    Ticket,
}
