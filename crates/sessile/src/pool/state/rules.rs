//! The rules of a pool, as values.

use std::time::Duration;

/// How a pool is kept.
///
/// ```
/// use sessile::pool::state::Rules;
///
/// let rules = Rules::default();
/// assert_eq!(rules.size, 10);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// Which member is taken where the wish doesn't say. Defaults to round-robin.
    pub assign: Assign,
    /// How many validations and refreshes run at the same time. Defaults to 4.
    pub checks_at_once: usize,
    /// How the cookies of a member are kept fresh.
    pub cookies: CookieRules,
    /// How long a member cools after too many failures; each time in a row twice as long, at most
    /// [`Rules::cool_down_longest`]. Defaults to 5 minutes.
    pub cool_down: Duration,
    /// The longest that a member cools. Defaults to an hour.
    pub cool_down_longest: Duration,
    /// How long the leases of a member that is leaving may go on. Defaults to 10 minutes.
    pub drain: Duration,
    /// So many failures in a row let a member cool. Defaults to 3.
    pub failures: u32,
    /// How many members that were followed by another one a seat may still have; a rotation waits
    /// where there are more. Defaults to 8.
    pub generations: u32,
    /// How long a lease lasts where nobody says. Defaults to a minute.
    pub lease_time_out: Duration,
    /// The longest time-out of a lease. Defaults to an hour.
    pub lease_time_out_longest: Duration,
    /// How many counted leases a member has at the same time. Defaults to 16.
    pub leases_per_member: u32,
    /// How long a seat waits after a failed login before the next; each time in a row twice as long,
    /// at most [`Rules::login_retry_longest`]. Defaults to 5 seconds.
    pub login_retry: Duration,
    /// The longest wait between failed logins. Defaults to 10 minutes.
    pub login_retry_longest: Duration,
    /// How many logins run at the same time. Defaults to 2.
    pub makes_at_once: usize,
    /// A member of this age is used no more, even where none follows it; a successor is made before.
    /// Defaults to 2 hours.
    pub max_age: Option<Duration>,
    /// A member that had so many leases is used no more; a successor is made before. Defaults to none.
    pub max_uses: Option<u64>,
    /// Where fewer members than this can be used, those that cool are replaced. Defaults to 1.
    pub min_ready: usize,
    /// The age at which a member is followed by the next, or up to a tenth earlier, so that not all are
    /// at once. Defaults to 30 minutes.
    pub rotate_every: Option<Duration>,
    /// How many seats there are at most. Defaults to 10.
    pub size: usize,
    /// How often a member is checked. Defaults to 5 minutes.
    pub validate_every: Option<Duration>,
    /// How many may wait for a lease. Defaults to 10,000.
    pub waiting: usize,
}

/// How the cookies of a member are kept fresh.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CookieRules {
    /// A refresh is no longer put off for running leases after so long. Defaults to 4 hours.
    pub force_after: Option<Duration>,
    /// A member's cookies are refreshed so often, when no lease runs. Defaults to 30 minutes.
    pub refresh_every: Option<Duration>,
    /// A member is logged in again after so long. Defaults to 24 hours.
    pub renew_after: Option<Duration>,
}

/// Which of the members that can be used is taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Assign {
    /// The one with the fewest running leases; of these the one that has waited longest.
    LeastUsed,
    /// Any.
    Random,
    /// Each in its turn.
    #[default]
    RoundRobin,
    /// For the same target the same seat, while it can be used.
    Sticky,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            assign: Assign::default(),
            checks_at_once: 4,
            cookies: CookieRules::default(),
            cool_down: 5 * MINUTE,
            cool_down_longest: 60 * MINUTE,
            drain: 10 * MINUTE,
            failures: 3,
            generations: 8,
            lease_time_out: MINUTE,
            lease_time_out_longest: 60 * MINUTE,
            leases_per_member: 16,
            login_retry: Duration::from_secs(5),
            login_retry_longest: 10 * MINUTE,
            makes_at_once: 2,
            max_age: Some(120 * MINUTE),
            max_uses: None,
            min_ready: 1,
            rotate_every: Some(30 * MINUTE),
            size: 10,
            validate_every: Some(5 * MINUTE),
            waiting: 10_000,
        }
    }
}

impl Default for CookieRules {
    fn default() -> Self {
        Self {
            force_after: Some(240 * MINUTE),
            refresh_every: Some(30 * MINUTE),
            renew_after: Some(24 * 60 * MINUTE),
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
