//! Which member is taken: lists that are right after every change, so that none is searched.

use foldhash::HashMap;

use super::chain::{Chain, List};
use super::ids::Key;
use super::member::Stage;
use super::{Assign, Mode, State, Target, Wish};

/// The members of shared seats that have room for a lease.
#[derive(Debug)]
pub(super) struct Picker {
    /// In the order of their turns.
    turns: Chain,
    open: List,
    /// By the number of their leases; in each list, who came first.
    loads: Chain,
    by_load: Vec<List>,
    /// No list before this one has anybody.
    lowest: usize,
    /// The number of leases under which each is listed, by place; or [`UNLISTED`].
    listed: Vec<u32>,
}

const UNLISTED: u32 = u32::MAX;

impl Picker {
    pub(super) fn new(leases_per_member: u32) -> Self {
        let lists = leases_per_member.clamp(1, MOST_LOADS);
        Self {
            turns: Chain::default(),
            open: List::default(),
            loads: Chain::default(),
            by_load: vec![List::default(); lists as usize],
            lowest: 0,
            listed: Vec::new(),
        }
    }

    /// The member has room beside so many leases, or none.
    pub(super) fn put(&mut self, place: u32, load: Option<u32>) {
        let at = place as usize;
        if at >= self.listed.len() {
            self.listed.resize(at + 1, UNLISTED);
        }
        let last = self.by_load.len() - 1;
        let load = load.map_or(UNLISTED, |load| load.min(last as u32));
        let before = std::mem::replace(&mut self.listed[at], load);
        if before == load {
            return;
        }
        match before {
            UNLISTED => self.turns.push(&mut self.open, place),
            before => self.loads.remove(&mut self.by_load[before as usize], place),
        }
        match load {
            UNLISTED => self.turns.remove(&mut self.open, place),
            load => self.loads.push(&mut self.by_load[load as usize], place),
        }
        self.find_lowest(load);
    }

    fn find_lowest(&mut self, load: u32) {
        self.lowest = self.lowest.min(load as usize);
        let last = self.by_load.len() - 1;
        while self.lowest < last && self.by_load[self.lowest].is_empty() {
            self.lowest += 1;
        }
    }

    /// The member has had its turn.
    fn turn(&mut self, place: u32) {
        if self.load_of(place).is_some() {
            self.turns.remove(&mut self.open, place);
            self.turns.push(&mut self.open, place);
        }
    }

    pub(super) fn load_of(&self, place: u32) -> Option<u32> {
        let load = self.listed.get(place as usize).copied()?;
        (load != UNLISTED).then_some(load)
    }

    /// Whose turn it is.
    fn first(&self, mode: Mode) -> Option<u32> {
        match mode {
            Mode::Counted => self.open.first(),
            Mode::Exclusive => self.by_load[0].first(),
        }
    }

    /// The one with the fewest leases.
    pub(super) fn least(&self, mode: Mode) -> Option<u32> {
        match mode {
            Mode::Counted => self.by_load[self.lowest].first(),
            Mode::Exclusive => self.by_load[0].first(),
        }
    }

    fn suits(&self, place: u32, mode: Mode) -> bool {
        match mode {
            Mode::Counted => self.load_of(place).is_some(),
            Mode::Exclusive => self.load_of(place) == Some(0),
        }
    }

    #[cfg(test)]
    pub(super) fn open(&self) -> Vec<u32> {
        self.turns.iter(self.open).collect()
    }

    #[cfg(test)]
    pub(super) fn of_load(&self, load: usize) -> Vec<u32> {
        self.loads.iter(self.by_load[load]).collect()
    }
}

/// More leases than this on one member aren't told apart.
const MOST_LOADS: u32 = 1024;

/// Which seat a target had last: the latest are remembered.
#[derive(Debug, Default)]
pub(super) struct Habits {
    young: HashMap<Target, Key>,
    old: HashMap<Target, Key>,
}

impl Habits {
    fn seat(&mut self, target: &Target) -> Option<Key> {
        if let Some(seat) = self.young.get(target) {
            return Some(*seat);
        }
        let (target, seat) = self.old.remove_entry(target)?;
        self.remember(target, seat);
        Some(seat)
    }

    fn remember(&mut self, target: Target, seat: Key) {
        if self.young.len() >= HABITS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(target, seat);
    }
}

/// How many targets are remembered at least.
const HABITS: usize = 100_000;

impl State {
    /// A member of a shared seat that has room for the wish.
    pub(super) fn pick(&mut self, wish: &Wish) -> Option<u32> {
        match (wish.assign.unwrap_or(self.rules.assign), &wish.target) {
            (Assign::LeastUsed, _) => self.picker.least(wish.mode),
            (Assign::Random, _) => self.pick_any(wish.mode),
            (Assign::Sticky, Some(target)) => self.pick_as_before(target, wish.mode),
            (Assign::RoundRobin | Assign::Sticky, _) => self.pick_next(wish.mode),
        }
    }

    fn pick_next(&mut self, mode: Mode) -> Option<u32> {
        let place = self.picker.first(mode)?;
        self.picker.turn(place);
        Some(place)
    }

    /// Draws a few times; where hardly any has room, it is the next one's turn.
    fn pick_any(&mut self, mode: Mode) -> Option<u32> {
        self.picker.first(mode)?;
        for _ in 0..DRAWS {
            let place = self.draw();
            if self.picker.suits(place, mode) {
                return Some(place);
            }
        }
        self.pick_next(mode)
    }

    /// Any of those that could be leased; where most places are theirs, straight from these.
    fn draw(&mut self) -> u32 {
        let places = self.picker.listed.len();
        if places / 2 < self.drawn.len() {
            return u32::try_from(self.chance.below(places)).expect("fewer than four billion");
        }
        self.drawn[self.chance.below(self.drawn.len())]
    }

    /// The seat that the target had before. Where that is merely busy, another is lent; where it has
    /// nobody who could serve, another becomes the target's.
    fn pick_as_before(&mut self, target: &Target, mode: Mode) -> Option<u32> {
        let habit = self.habits.seat(target).and_then(|key| self.seats.get(key));
        let member = habit
            .filter(|seat| seat.is_served())
            .and_then(|seat| seat.member);
        match member {
            Some(place) if self.picker.suits(place, mode) => Some(place),
            Some(place) if self.members[place].stage == Stage::Serving => self.pick_next(mode),
            _ => {
                let place = self.pick_next(mode)?;
                let seat = self.members[place].seat;
                self.habits.remember(target.clone(), seat);
                Some(place)
            }
        }
    }

    /// Lists the member under what it has room for just now.
    pub(super) fn list(&mut self, place: u32) {
        let load = self.room(place);
        let member = &self.members[place];
        if !member.own {
            let listed = load.filter(|_| !member.reserved);
            return self.picker.put(place, listed);
        }
        let seat = member.seat.place;
        if load.is_some() && !self.seats[seat].lane.is_empty() {
            self.call(seat);
        }
    }

    /// Notes whether the member may be leased at all.
    pub(super) fn count_usable(&mut self, place: u32) {
        let member = &self.members[place];
        let served = self.seats[member.seat.place].is_served();
        let usable = member.stage == Stage::Serving && served;
        let member = &mut self.members[place];
        if std::mem::replace(&mut member.usable, usable) == usable {
            return;
        }
        if !usable && std::mem::take(&mut member.reserved) {
            self.queue.reserved = None;
        }
        match usable {
            true => self.tally.usable += 1,
            false => self.tally.usable -= 1,
        }
        match (self.members[place].own, usable) {
            (true, _) => {}
            (false, true) => {
                let at = u32::try_from(self.drawn.len()).expect("fewer than four billion");
                self.members[place].drawn_at = at;
                self.drawn.push(place);
            }
            (false, false) => self.leave_drawn(self.members[place].drawn_at),
        }
    }

    fn leave_drawn(&mut self, at: u32) {
        self.drawn.swap_remove(at as usize);
        if let Some(moved) = self.drawn.get(at as usize) {
            self.members[*moved].drawn_at = at;
        }
    }

    /// How many leases the member has, if it has room for one more.
    pub(super) fn room(&self, place: u32) -> Option<u32> {
        let member = &self.members[place];
        let room = !member.exclusive && member.leases < self.rules.leases_per_member.max(1);
        (member.usable && room).then_some(member.leases)
    }
}

/// How often a random pick is drawn.
const DRAWS: usize = 8;
