//! `[pool]`: many sessions of the site as one resource. Pure; `pool` carries it out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::read::{Entry, Placeholders, Table};
use super::schema::{Key, Section};
use super::steps::{self, UrlTemplate};
use super::template::Values;
use crate::secret::Secret;

/// What holds for a pool of sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SitePool {
    /// How many sessions there are, those of targets aside.
    pub size: usize,
    /// How many of them are to be usable at any time.
    pub min_ready: usize,
    /// How long a session serves before another takes its place.
    pub rotate_every: Duration,
    /// How old a session may get at most.
    pub max_age: Duration,
    /// How often a session may be leased, where that is limited.
    pub max_uses: Option<u64>,
    /// How many may share a session.
    pub leases_per_session: u32,
    /// How long a lease lasts that isn't extended.
    pub lease_timeout: Duration,
    /// How long the leases of a session that was replaced may go on.
    pub drain: Duration,
    /// How often a session is checked.
    pub validate_every: Duration,
    /// How many failures in a row cool a session down.
    pub failures: u32,
    /// For how long, the first time.
    pub cool_down: Duration,
    /// For how long at most.
    pub longest_cool_down: Duration,
    /// Which session a lease gets.
    pub assign: Assignment,
    /// How many sessions an account may have.
    pub sessions_per_account: u32,
    /// The first request of a session, before anybody gets it.
    pub warm_up: Option<WarmUp>,
    /// What becomes of the cookies.
    pub cookies: SiteCookies,
    /// Sessions that belong to something of their own.
    pub targets: SiteTargets,
}

/// Which session a lease gets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Assignment {
    /// The one that was used least.
    LeastUsed,
    /// Any.
    Random,
    /// One after the other.
    #[default]
    RoundRobin,
    /// The same one for the same target.
    Sticky,
}

/// The first request of a session.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WarmUp {
    /// Where it goes.
    pub url: UrlTemplate,
    /// How long it may take.
    pub timeout: Duration,
}

impl WarmUp {
    /// Whether it needs a target.
    pub fn asks_for_target(&self) -> bool {
        self.url.asks_for("target")
    }

    /// Where it goes, for a target.
    ///
    /// # Errors
    ///
    /// What is wrong with the address, in words.
    pub fn address(&self, target: Option<&str>) -> Result<Url, String> {
        let named = target.map(|target| ("target".to_owned(), Secret::from(target.to_owned())));
        let captured: BTreeMap<String, Secret<String>> = named.into_iter().collect();
        let values = Values {
            captured: &captured,
            ..Values::of("", None)
        };
        self.url.fill(&values, None)
    }
}

/// What becomes of the cookies of a pool's sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SiteCookies {
    /// How often a session visits the site for fresh cookies, while it is used.
    pub refresh_every: Duration,
    /// When it does so though nobody uses it.
    pub force_after: Duration,
    /// When it logs in again.
    pub renew_after: Duration,
    /// How many bytes a `Cookie` header may have.
    pub header_limit: usize,
    /// The cookies that a site knows a device by: the next session in the place starts with them.
    pub device: Vec<String>,
}

/// Targets: what sessions belong to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SiteTargets {
    /// How many may have a session of their own at a time.
    pub most: usize,
    /// How long the session of one that nobody asks for is kept.
    pub idle: Duration,
    /// Where those come from that a session is warmed up with.
    pub source: Option<TargetSource>,
}

/// Where targets come from.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TargetSource {
    /// A file, one a line.
    File(PathBuf),
    /// These.
    List(Vec<String>),
    /// The first column of what a query answers.
    Query {
        /// An SQLite file, or `postgres://USER@HOST/DATABASE` without a password.
        database: String,
        /// The query, which only reads.
        sql: String,
    },
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Default for SitePool {
    fn default() -> Self {
        Self {
            size: 10,
            min_ready: 1,
            rotate_every: 30 * MINUTE,
            max_age: 2 * HOUR,
            max_uses: None,
            leases_per_session: 16,
            lease_timeout: MINUTE,
            drain: 10 * MINUTE,
            validate_every: 5 * MINUTE,
            failures: 3,
            cool_down: 5 * MINUTE,
            longest_cool_down: HOUR,
            assign: Assignment::default(),
            sessions_per_account: 1,
            warm_up: None,
            cookies: SiteCookies::default(),
            targets: SiteTargets::default(),
        }
    }
}

impl Default for SiteCookies {
    fn default() -> Self {
        Self {
            refresh_every: 30 * MINUTE,
            force_after: 4 * HOUR,
            renew_after: 24 * HOUR,
            header_limit: 8000,
            device: Vec::new(),
        }
    }
}

impl Default for SiteTargets {
    fn default() -> Self {
        Self {
            most: 1000,
            idle: HOUR,
            source: None,
        }
    }
}

/// The longest lease.
const LONGEST_LEASE: Duration = HOUR;

pub(super) fn read(entry: &Entry<'_>, base: Option<&Url>) -> SitePool {
    let Some(table) = entry.table(&POOL) else {
        return SitePool::default();
    };
    let mut pool = SitePool::default();
    read_numbers(&table, &mut pool);
    read_times(&table, &mut pool);
    set(
        &mut pool.assign,
        table.get("assign").and_then(|entry| entry.word(&WORDS)),
    );
    pool.warm_up = table
        .get("warm_up")
        .and_then(|entry| read_warm_up(&entry, base));
    if let Some(entry) = table.get("cookies") {
        pool.cookies = read_cookies(&entry);
    }
    if let Some(entry) = table.get("targets") {
        pool.targets = read_targets(&entry);
    }
    pool
}

fn read_numbers(table: &Table<'_>, pool: &mut SitePool) {
    let number =
        |name: &str, most: i64| table.get(name).and_then(|entry| entry.number(1..most + 1));
    let size = table
        .get("size")
        .and_then(|entry| entry.number(0..1_000_001));
    set(&mut pool.size, size.and_then(count));
    if let Some(entry) = table.get("min_ready") {
        set(
            &mut pool.min_ready,
            entry.number(0..1_000_001).and_then(count),
        );
        if pool.min_ready > pool.size {
            entry.refuse(format!("`min_ready` is more than `size`, {}", pool.size));
        }
    }
    pool.max_uses = number("max_uses", 1_000_000_000).and_then(|n| u64::try_from(n).ok());
    let small = |name| number(name, 100_000).and_then(|n| u32::try_from(n).ok());
    set(&mut pool.leases_per_session, small("leases_per_session"));
    set(&mut pool.failures, small("failures"));
    set(
        &mut pool.sessions_per_account,
        small("sessions_per_account"),
    );
}

fn read_times(table: &Table<'_>, pool: &mut SitePool) {
    let time = |name: &str| table.get(name).and_then(|entry| positive(&entry));
    set(&mut pool.rotate_every, time("rotate_every"));
    set(&mut pool.max_age, time("max_age"));
    set(&mut pool.drain, time("drain"));
    set(&mut pool.validate_every, time("validate_every"));
    set(&mut pool.cool_down, time("cool_down"));
    set(&mut pool.longest_cool_down, time("longest_cool_down"));
    if let Some(entry) = table.get("lease_timeout") {
        set(&mut pool.lease_timeout, positive(&entry));
        if pool.lease_timeout > LONGEST_LEASE {
            entry.refuse("a lease lasts one hour at most; longer ones are extended");
        }
    }
}

/// A length of time that isn't nothing.
fn positive(entry: &Entry<'_>) -> Option<Duration> {
    let time = entry.duration()?;
    if time.is_zero() {
        entry.refuse(format!("`{}` takes more than nothing", entry.key));
    }
    (!time.is_zero()).then_some(time)
}

fn count(number: i64) -> Option<usize> {
    usize::try_from(number).ok()
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn read_warm_up(entry: &Entry<'_>, base: Option<&Url>) -> Option<WarmUp> {
    let table = entry.table(&WARM_UP)?;
    let known = Placeholders {
        fixed: &["target"],
        captured: &[],
    };
    let url = steps::read_url(&table.need("url")?, base, known)?;
    let timeout = table.get("timeout").and_then(|entry| positive(&entry));
    Some(WarmUp {
        url,
        timeout: timeout.unwrap_or(Duration::from_secs(5)),
    })
}

fn read_cookies(entry: &Entry<'_>) -> SiteCookies {
    let mut cookies = SiteCookies::default();
    let Some(table) = entry.table(&COOKIES) else {
        return cookies;
    };
    let time = |name: &str| table.get(name).and_then(|entry| positive(&entry));
    set(&mut cookies.refresh_every, time("refresh_every"));
    set(&mut cookies.force_after, time("force_after"));
    set(&mut cookies.renew_after, time("renew_after"));
    let limit = table.get("header_limit");
    let limit = limit.and_then(|entry| entry.number(100..1_000_001));
    set(&mut cookies.header_limit, limit.and_then(count));
    if let Some(entry) = table.get("device") {
        cookies.device = entry.one_or_more(|item| item.text().map(str::to_owned));
    }
    cookies
}

fn read_targets(entry: &Entry<'_>) -> SiteTargets {
    let mut targets = SiteTargets::default();
    let Some(table) = entry.table(&TARGETS) else {
        return targets;
    };
    let most = table
        .get("most")
        .and_then(|entry| entry.number(1..1_000_001));
    set(&mut targets.most, most.and_then(count));
    set(
        &mut targets.idle,
        table.get("idle").and_then(|entry| positive(&entry)),
    );
    targets.source = read_source(&table);
    targets
}

fn read_source(table: &Table<'_>) -> Option<TargetSource> {
    let list = table.get("list");
    let file = table.get("file");
    let sql = table.get("sql");
    let database = table.get("database");
    let sources = [
        list.is_some(),
        file.is_some(),
        sql.is_some() || database.is_some(),
    ];
    if sources.into_iter().filter(|is_there| *is_there).count() > 1 {
        table.refuse(
            "targets come from one place",
            "write `list`, or `file`, or `database` and `sql`",
        );
        return None;
    }
    if let Some(list) = list {
        return Some(TargetSource::List(
            list.one_or_more(|item| item.text().map(str::to_owned)),
        ));
    }
    if let Some(file) = file {
        return Some(TargetSource::File(file.text()?.into()));
    }
    if sql.is_none() && database.is_none() {
        return None;
    }
    let sql = table.need("sql")?.text()?.to_owned();
    let entry = table.need("database")?;
    let database = entry.text()?.to_owned();
    let url = database.contains("://").then(|| Url::parse(&database));
    if let Some(Ok(url)) = &url
        && url.password().is_some()
    {
        table.refuse(
            "a site file holds no password",
            "leave it out; `sessile pool create` takes it from you",
        );
        return None;
    }
    Some(TargetSource::Query { database, sql })
}

const WORDS: [(&str, Assignment); 4] = [
    ("round-robin", Assignment::RoundRobin),
    ("random", Assignment::Random),
    ("least-used", Assignment::LeastUsed),
    ("sticky", Assignment::Sticky),
];

/// A key that takes a length of time.
const fn time(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Key {
    Key {
        name,
        takes: "length of time",
        default,
        about,
        example,
    }
}

/// A key that takes a number.
const fn number(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Key {
    Key {
        name,
        takes: "number",
        default,
        about,
        example,
    }
}

pub(super) static POOL: Section = Section {
    title: "[pool]",
    about: "Many sessions of the site as one resource: `sessile pool create` makes it.",
    keys: &[&[
        number(
            "size",
            "10",
            "How many sessions there are, those of targets aside.",
            "size = 20",
        ),
        number(
            "min_ready",
            "1",
            "How many are to be usable at any time.",
            "min_ready = 2",
        ),
        time(
            "rotate_every",
            "`30m`",
            "How long a session serves before another, already logged in and checked, takes its place.",
            "rotate_every = \"1h\"",
        ),
        time(
            "max_age",
            "`2h`",
            "How old a session may get at most.",
            "max_age = \"4h\"",
        ),
        number(
            "max_uses",
            "no limit",
            "How often a session may be leased.",
            "max_uses = 5000",
        ),
        number(
            "leases_per_session",
            "16",
            "How many may share a session.",
            "leases_per_session = 4",
        ),
        time(
            "lease_timeout",
            "`1m`",
            "How long a lease lasts that isn't extended; an hour at most.",
            "lease_timeout = \"5m\"",
        ),
        time(
            "drain",
            "`10m`",
            "How long the leases of a session that was replaced may go on. A recording may go on for longer.",
            "drain = \"30m\"",
        ),
        time(
            "validate_every",
            "`5m`",
            "How often a session is checked.",
            "validate_every = \"1m\"",
        ),
        number(
            "failures",
            "3",
            "How many failures in a row cool a session down.",
            "failures = 5",
        ),
        time(
            "cool_down",
            "`5m`",
            "For how long the first time; each time twice as long.",
            "cool_down = \"2m\"",
        ),
        time(
            "longest_cool_down",
            "`1h`",
            "For how long at most.",
            "longest_cool_down = \"6h\"",
        ),
        Key {
            name: "assign",
            takes: "`round-robin`, `random`, `least-used`, `sticky`",
            default: "`round-robin`",
            about: "Which session a lease gets. `sticky`: the same one for the same target.",
            example: "assign = \"least-used\"",
        },
        number(
            "sessions_per_account",
            "1",
            "How many sessions an account may have at a time, the one that takes another's place aside.",
            "sessions_per_account = 2",
        ),
        Key {
            name: "warm_up",
            takes: "table",
            default: "none",
            about: "The first request of a session, before anybody gets it.",
            example: "[pool.warm_up]",
        },
        Key {
            name: "cookies",
            takes: "table",
            default: "as below",
            about: "What becomes of the cookies.",
            example: "[pool.cookies]",
        },
        Key {
            name: "targets",
            takes: "table",
            default: "as below",
            about: "Things that have a session of their own.",
            example: "[pool.targets]",
        },
    ]],
};

pub(super) static WARM_UP: Section = Section {
    title: "[pool.warm_up]",
    about: "A session that doesn't come through it is not used.",
    keys: &[&[
        Key {
            name: "url",
            takes: "address with placeholders",
            default: "required",
            about: "Where it goes; `{target}` is a target of `[pool.targets]`, or the session's own.",
            example: "url = \"/event/{target}\"",
        },
        time(
            "timeout",
            "`5s`",
            "How long it may take.",
            "timeout = \"10s\"",
        ),
    ]],
};

pub(super) static COOKIES: Section = Section {
    title: "[pool.cookies]",
    about: "A pool's sessions keep their cookies fresh, used or not.",
    keys: &[&[
        time(
            "refresh_every",
            "`30m`",
            "How often a session that is used visits the site for fresh cookies.",
            "refresh_every = \"10m\"",
        ),
        time(
            "force_after",
            "`4h`",
            "When it does so though nobody uses it.",
            "force_after = \"2h\"",
        ),
        time(
            "renew_after",
            "`24h`",
            "When it logs in again.",
            "renew_after = \"12h\"",
        ),
        number(
            "header_limit",
            "8000",
            "How many bytes a `Cookie` header may have; a session with more is replaced.",
            "header_limit = 4000",
        ),
        Key {
            name: "device",
            takes: "text or list of texts",
            default: "none",
            about: "The cookies that the site knows a device by: the session that takes another's place starts with them.",
            example: "device = [\"device_id\"]",
        },
    ]],
};

pub(super) static TARGETS: Section = Section {
    title: "[pool.targets]",
    about: "A target, an event for example, has a session of its own, made when it is first asked for. \
            Sessions are warmed up with one of those that `list`, `file` or `sql` name.",
    keys: &[&[
        number(
            "most",
            "1000",
            "How many may have one at a time.",
            "most = 50",
        ),
        time(
            "idle",
            "`1h`",
            "How long the session of one that nobody asks for is kept.",
            "idle = \"15m\"",
        ),
        Key {
            name: "list",
            takes: "text or list of texts",
            default: "none",
            about: "These.",
            example: "list = [\"123\", \"124\"]",
        },
        Key {
            name: "file",
            takes: "file",
            default: "none",
            about: "Those of a file, one a line.",
            example: "file = \"events.txt\"",
        },
        Key {
            name: "database",
            takes: "SQLite file, or `postgres://USER@HOST/DATABASE` without a password",
            default: "none",
            about: "The database of `sql`; it is only read.",
            example: "database = \"events.db\"",
        },
        Key {
            name: "sql",
            takes: "text",
            default: "none",
            about: "A query whose first column has the targets.",
            example: "sql = \"SELECT id FROM events WHERE live\"",
        },
    ]],
};

#[cfg(test)]
mod tests {
    use super::super::Site;
    use super::*;

    fn parse(rules: &str) -> Result<SitePool, String> {
        let text =
            format!("base_url = \"http://a.test\"\n[login]\nurl = \"/login\"\n[pool]\n{rules}\n");
        let site = Site::parse(&text, "a.toml").map_err(|errors| errors.to_string())?;
        Ok(site.pool)
    }

    #[test]
    fn rules_are_read() {
        let pool = parse(
            "size = 3\nrotate_every = \"1h\"\nassign = \"sticky\"\n[pool.warm_up]\n\
             url = \"/event/{target}\"\n[pool.targets]\nlist = [\"1\", \"2\"]\n[pool.cookies]\n\
             device = \"id\"",
        )
        .unwrap();
        assert_eq!((pool.size, pool.rotate_every), (3, HOUR));
        assert_eq!(pool.assign, Assignment::Sticky);
        let warm_up = pool.warm_up.unwrap();
        let address = warm_up.address(Some("a/b")).unwrap();
        assert_eq!(address.as_str(), "http://a.test/event/a%2Fb");
        assert!(warm_up.asks_for_target() && warm_up.address(None).is_err());
        assert_eq!(pool.cookies.device, ["id"]);
        let source = TargetSource::List(vec!["1".to_owned(), "2".to_owned()]);
        assert_eq!(pool.targets.source, Some(source));
    }

    #[test]
    fn what_is_wrong_is_told() {
        check("size = -1", "a whole number from 0 to 1000000");
        check("size = 2\nmin_ready = 3", "`min_ready` is more than `size`");
        check("lease_timeout = \"2h\"", "one hour at most");
        check("drain = \"0s\"", "more than nothing");
        check("assign = \"any\"", "`any` is no value of `assign`");
        check("rotate_evry = \"1h\"", "did you mean `rotate_every`?");
        check("[pool.warm_up]\ntimeout = \"1s\"", "needs `url`");
        check(
            "[pool.warm_up]\nurl = \"/{event}\"",
            "nothing is called {event}",
        );
        check(
            "[pool.targets]\nlist = \"1\"\nfile = \"f\"",
            "targets come from one place",
        );
        check("[pool.targets]\nsql = \"SELECT 1\"", "needs `database`");
        check(
            "[pool.targets]\nsql = \"SELECT 1\"\ndatabase = \"postgres://u:hunter2@h/d\"",
            "a site file holds no password",
        );
    }

    #[track_caller]
    fn check(rules: &str, expected: &str) {
        let said = parse(rules).unwrap_err();
        assert!(said.contains(expected), "{rules}: {said}");
        // The line that is shown is the line that is wrong, and never one with a secret.
        assert!(!said.contains("hunter2"), "{said}");
    }
}
