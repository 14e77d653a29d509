//! `[limits]`: manners towards the site.

use std::time::Duration;

use super::read::Entry;
use super::schema::{Key, Section};
use crate::session::{Limits, Manners};

/// How often and how many requests at once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SiteLimits {
    /// The time between two requests.
    pub interval: Option<Duration>,
    /// How many may run at once.
    pub at_once: Option<usize>,
    /// The program's name in `robots.txt`, where that is to be obeyed.
    pub robots: Option<String>,
}

impl SiteLimits {
    /// The limits as a session keeps to them; `None` where there are none.
    pub fn manners(&self) -> Option<Manners> {
        if *self == Self::default() {
            return None;
        }
        let manners = Manners::new(Limits {
            interval: self.interval.unwrap_or_default(),
            at_once: self.at_once,
            ..Limits::default()
        });
        Some(match &self.robots {
            Some(program) => manners.obeying_robots(program.as_str()),
            None => manners,
        })
    }
}

pub(super) fn read(entry: Entry<'_>) -> SiteLimits {
    let Some(table) = entry.table(&SECTION) else {
        return SiteLimits::default();
    };
    let at_once = table.get("concurrency");
    let at_once = at_once.and_then(|entry| entry.number(1..1_001));
    let robots = table.get("robots").and_then(|entry| entry.text());
    SiteLimits {
        interval: table.get("rate").and_then(|entry| interval(&entry)),
        at_once: at_once.and_then(|number| usize::try_from(number).ok()),
        robots: robots.map(str::to_owned),
    }
}

/// `2/s` is half a second between two requests.
fn interval(entry: &Entry<'_>) -> Option<Duration> {
    let text = entry.text()?;
    let interval = text.split_once('/').and_then(|(number, unit)| {
        let number: u32 = number.trim().parse().ok()?;
        let unit = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return None,
        };
        Duration::from_secs(unit).checked_div(number)
    });
    if interval.is_none() {
        entry.advise(
            format!("`{text}` is no rate"),
            "write a number of requests and a unit: 2/s, 30/m, 100/h",
        );
    }
    interval
}

pub(super) static SECTION: Section = Section {
    title: "[limits]",
    about: "Manners towards the site. They hold for each process that uses the session, together, from \
            when it opens it, and for its login. Of these and `--rate`, `--concurrency` or a program's \
            own limits the stricter count.",
    keys: &[&[
        Key {
            name: "rate",
            takes: "requests and a unit: `2/s`, `30/m`, `100/h`",
            default: "no limit",
            about: "How often, evenly spread.",
            example: "rate = \"2/s\"",
        },
        Key {
            name: "concurrency",
            takes: "number",
            default: "no limit",
            about: "How many requests may run at once.",
            example: "concurrency = 4",
        },
        Key {
            name: "robots",
            takes: "text",
            default: "not asked",
            about: "Obey the site's `robots.txt`, its `Crawl-delay` too, under this name.",
            example: "robots = \"mybot\"",
        },
    ]],
};
