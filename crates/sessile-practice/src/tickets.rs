//! Things a client holds by a secret: sessions, bearer tokens, logins under way.
//!
//! Only the secret's digest is kept, so nothing here can leak one.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::secret::{self, Digest};

/// Values, each behind a secret and for a time.
pub(crate) struct Tickets<T> {
    by_digest: HashMap<Digest, Ticket<T>>,
}

struct Ticket<T> {
    until: SystemTime,
    value: T,
}

impl<T> Tickets<T> {
    pub(crate) fn new() -> Self {
        Self {
            by_digest: HashMap::new(),
        }
    }

    /// Keeps `value` and answers the secret it is had by.
    pub(crate) fn issue(&mut self, value: T, now: SystemTime, lifetime: Duration) -> String {
        self.by_digest.retain(|_, ticket| now < ticket.until);
        let secret = secret::random();
        let until = now + lifetime;
        self.by_digest
            .insert(Digest::of(&secret), Ticket { until, value });
        secret
    }

    pub(crate) fn value(&self, secret: &str, now: SystemTime) -> Option<&T> {
        let ticket = self.by_digest.get(&Digest::of(secret))?;
        (now < ticket.until).then_some(&ticket.value)
    }

    pub(crate) fn value_mut(&mut self, secret: &str, now: SystemTime) -> Option<&mut T> {
        let ticket = self.by_digest.get_mut(&Digest::of(secret))?;
        (now < ticket.until).then_some(&mut ticket.value)
    }

    /// Lets a ticket that is still good live for `lifetime` from now on.
    pub(crate) fn extend(&mut self, secret: &str, now: SystemTime, lifetime: Duration) {
        let ticket = self.by_digest.get_mut(&Digest::of(secret));
        if let Some(ticket) = ticket.filter(|ticket| now < ticket.until) {
            ticket.until = now + lifetime;
        }
    }

    pub(crate) fn revoke(&mut self, secret: &str) {
        self.by_digest.remove(&Digest::of(secret));
    }

    /// Forgets the tickets whose value is `doomed`, and says how many were.
    pub(crate) fn revoke_all(&mut self, doomed: impl Fn(&T) -> bool) -> usize {
        let before = self.by_digest.len();
        self.by_digest.retain(|_, ticket| !doomed(&ticket.value));
        before - self.by_digest.len()
    }

    pub(crate) fn alive(&self, now: SystemTime) -> usize {
        let tickets = self.by_digest.values();
        tickets.filter(|ticket| now < ticket.until).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const START: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_ticket_ends_with_its_lifetime() {
        let mut tickets = Tickets::new();
        let secret = tickets.issue("ada", START, HOUR);
        assert_eq!(
            tickets.value(&secret, START + HOUR - Duration::from_nanos(1)),
            Some(&"ada")
        );
        assert_eq!(tickets.value(&secret, START + HOUR), None);
        assert_eq!(tickets.alive(START + HOUR), 0);
    }

    #[test]
    fn extending_does_not_wake_the_dead() {
        let mut tickets = Tickets::new();
        let secret = tickets.issue("ada", START, HOUR);
        tickets.extend(&secret, START + HOUR / 2, HOUR);
        assert_eq!(tickets.value(&secret, START + HOUR), Some(&"ada"));
        tickets.extend(&secret, START + HOUR * 2, HOUR);
        assert_eq!(tickets.value(&secret, START + HOUR * 2), None);
    }

    #[test]
    fn revoking_takes_only_what_it_names() {
        let mut tickets = Tickets::new();
        let ada = tickets.issue("ada", START, HOUR);
        let grace = tickets.issue("grace", START, HOUR);
        assert_eq!(tickets.revoke_all(|user| *user == "ada"), 1);
        assert_eq!(tickets.value(&ada, START), None);
        assert_eq!(tickets.value(&grace, START), Some(&"grace"));
        tickets.revoke(&grace);
        assert_eq!(tickets.alive(START), 0);
    }

    #[test]
    fn secrets_do_not_repeat() {
        let mut tickets = Tickets::new();
        let first = tickets.issue((), START, HOUR);
        let second = tickets.issue((), START, HOUR);
        assert_eq!(first.len(), 64);
        assert_ne!(first, second);
    }
}
