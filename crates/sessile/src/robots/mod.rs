//! What a site asks of programs in its `robots.txt` (RFC 9309).
//!
//! Pure: bytes in, permissions out. Fetching and keeping the file is `session::robots`.
//! `Crawl-delay`, which the specification does not have, is read as most crawlers read it.

mod path;

use std::time::Duration;

use url::{Position, Url};

use path::{matches, normal};

/// A site's rules.
///
/// ```
/// use sessile::robots::{Permission, Robots};
///
/// let robots = Robots::parse(b"User-agent: *\nDisallow: /private/\nCrawl-delay: 2\n");
/// let url = "https://example.com/private/1".parse().unwrap();
/// assert_eq!(robots.permission("mybot", &url), Permission::Refused { line: 2 });
/// assert_eq!(robots.crawl_delay("mybot"), Some(std::time::Duration::from_secs(2)));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Robots {
    groups: Vec<Group>,
    /// The pauses, by the name of the program.
    delays: Vec<(String, Duration)>,
}

/// Whether a program may fetch a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Permission {
    /// It may.
    Allowed,
    /// It may not.
    Refused {
        /// The line of the file that says so.
        line: usize,
    },
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Group {
    /// In lower case; `*` is everybody else.
    agents: Vec<String>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Rule {
    pattern: Vec<u8>,
    allows: bool,
    line: usize,
}

impl Robots {
    /// Reads a file. What isn't understood is passed over, as the specification asks.
    pub fn parse(file: &[u8]) -> Self {
        let mut reading = Reading::default();
        let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
        for (at, line) in lines(file).enumerate() {
            reading.line(at + 1, line);
        }
        reading.robots
    }

    /// Whether the program may fetch the page: the longest rule decides, and of two equally long
    /// ones the one that allows.
    pub fn permission(&self, agent: &str, url: &Url) -> Permission {
        let path = normal(url[Position::BeforePath..Position::AfterQuery].as_bytes());
        let rules = self.groups_of(agent).flat_map(|group| &group.rules);
        let matching = rules.filter(|rule| matches(&rule.pattern, &path));
        match matching.max_by_key(|rule| (rule.pattern.len(), rule.allows)) {
            Some(rule) if !rule.allows => Permission::Refused { line: rule.line },
            Some(_) | None => Permission::Allowed,
        }
    }

    /// The pause that the site asks for between two requests of the program.
    pub fn crawl_delay(&self, agent: &str) -> Option<Duration> {
        let wanted = self.name_for(agent);
        let of_agent = self.delays.iter().filter(|(name, _)| *name == wanted);
        of_agent.map(|(_, delay)| *delay).max()
    }

    /// All groups that name a program, else all for everybody.
    fn groups_of(&self, agent: &str) -> impl Iterator<Item = &Group> {
        let wanted = self.name_for(agent);
        self.groups
            .iter()
            .filter(move |group| group.agents.contains(&wanted))
    }

    /// What a program is called in this file (section 2.2.1).
    fn name_for(&self, agent: &str) -> String {
        let agent = product(agent.as_bytes());
        let is_named = self
            .groups
            .iter()
            .any(|group| group.agents.contains(&agent));
        if is_named { agent } else { "*".to_owned() }
    }
}

/// Lines end with CR, LF or both.
fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(file);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            rest = None;
            return Some(text);
        };
        let is_pair = text[end..].starts_with(b"\r\n");
        rest = Some(&text[end + if is_pair { 2 } else { 1 }..]);
        Some(&text[..end])
    })
}

/// The name of a program without its version, in lower case (section 2.2.1).
fn product(agent: &[u8]) -> String {
    if agent.first() == Some(&b'*') {
        return "*".to_owned();
    }
    let name = agent
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic() || b"_-".contains(byte));
    name.map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect()
}

#[derive(Default)]
struct Reading {
    robots: Robots,
    /// Whether the last group has rules already: a name after them begins another one.
    has_rules: bool,
    /// The names that a pause is for.
    names: Vec<String>,
    /// Whether a name begins a new set of these. A pause ends the set, as its writers mean it, but
    /// not the group of the rules: records that the specification lacks must not (section 2.2.4).
    has_delay: bool,
}

impl Reading {
    fn line(&mut self, number: usize, line: &[u8]) {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (key, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        match key.to_ascii_lowercase().as_slice() {
            b"user-agent" => self.agent(value),
            b"allow" => self.rule(number, value, true),
            b"disallow" => self.rule(number, value, false),
            b"crawl-delay" => self.delay(value),
            _ => {}
        }
    }

    fn agent(&mut self, value: &[u8]) {
        if self.has_rules || self.has_delay {
            self.names.clear();
            self.has_delay = false;
        }
        if self.has_rules || self.robots.groups.is_empty() {
            self.robots.groups.push(Group::default());
            self.has_rules = false;
        }
        self.names.push(product(value));
        if let Some(group) = self.robots.groups.last_mut() {
            group.agents.push(product(value));
        }
    }

    /// A rule before any name is for nobody; an empty one is no rule.
    fn rule(&mut self, line: usize, value: &[u8], allows: bool) {
        let Some(group) = self.robots.groups.last_mut() else {
            return;
        };
        self.has_rules = true;
        if !value.is_empty() {
            group.rules.push(Rule {
                pattern: normal(value),
                allows,
                line,
            });
        }
    }

    fn delay(&mut self, value: &[u8]) {
        // Only the first pause of a set counts, or a long file could ask for any amount of memory.
        if std::mem::replace(&mut self.has_delay, true) {
            return;
        }
        let seconds = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        if let Some(delay) = seconds.and_then(|number| Duration::try_from_secs_f64(number).ok()) {
            let delays = self.names.iter().map(|name| (name.clone(), delay));
            self.robots.delays.extend(delays);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_rule_decides() {
        let file = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/*.gif$\nAllow: /c\n\
                    Disallow: /c";
        check(file, "bot", "/", None);
        check(file, "bot", "/ab", Some(2));
        check(file, "bot", "/a/b/c", None);
        check(file, "bot", "/a/b/x.gif", Some(4));
        check(file, "bot", "/a/b/x.gif?big", None);
        check(file, "bot", "/c", None);
    }

    #[test]
    fn a_named_group_takes_the_place_of_everybodys() {
        let file = "User-agent: *\nDisallow: /\n\nUser-agent: Good-Bot/2.0\nUser-agent: other\n\
                    Disallow: /no\n\nUser-agent: GOOD-BOT\nDisallow: /never";
        check(file, "good-bot", "/yes", None);
        check(file, "Good-Bot/7.1", "/no", Some(6));
        check(file, "good-bot", "/never", Some(9));
        check(file, "other", "/never", None);
        check(file, "good", "/yes", Some(2));
    }

    #[test]
    fn odd_files_are_read_as_far_as_they_go() {
        check("", "bot", "/", None);
        check("Disallow: /\nUser-agent: *\nDisallow:", "bot", "/", None);
        check(
            "\u{feff}user-agent : *\r\rdisallow:/a # no\r\n",
            "bot",
            "/a",
            Some(3),
        );
        check(
            "User-agent: a\nSitemap: x\nUser-agent: bot\nDisallow: /",
            "bot",
            "/",
            Some(4),
        );
        check("User-agent: *\nDisallow /\nDisallow", "bot", "/", None);
        check(
            "User-agent: *\nDisallow: /%7Ea/\u{fc}\nDisallow: /b%2fc",
            "bot",
            "/~a/%C3%BCx",
            Some(2),
        );
        check("User-agent: *\nDisallow: /b%2fc", "bot", "/b/c", None);
    }

    #[test]
    fn delays_are_of_the_group() {
        let file = b"User-agent: *\nCrawl-delay: 10\n\nUser-agent: bot\nCrawl-delay: 0.5\nAllow: /";
        let robots = Robots::parse(file);
        assert_eq!(robots.crawl_delay("bot"), Some(Duration::from_millis(500)));
        assert_eq!(robots.crawl_delay("other"), Some(Duration::from_secs(10)));
        for odd in ["-1", "x", "1e300", "NaN", ""] {
            let robots = Robots::parse(format!("User-agent: *\nCrawl-delay: {odd}").as_bytes());
            assert_eq!(robots.crawl_delay("bot"), None, "{odd}");
        }
    }

    #[track_caller]
    fn check(file: &str, agent: &str, path: &str, refused_by: Option<usize>) {
        let url = Url::parse("https://a.example").unwrap().join(path).unwrap();
        let permission = Robots::parse(file.as_bytes()).permission(agent, &url);
        let expected = refused_by.map_or(Permission::Allowed, |line| Permission::Refused { line });
        assert_eq!(permission, expected, "{agent} {path} in {file:?}");
    }

    fn files() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "User-agent: (\\*|bot|other|Bot/1)",
            // Without `*`: robotstxt 0.3 takes `/*a/` not to match `/aa/`. See `path` for those.
            "(Allow|Disallow): /[ab/$]{0,5}",
            "Disallow:",
            // Without `Sitemap`: robotstxt 0.3 lets it end a group, which section 2.2.4 forbids.
            "# a",
        ];
        prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(file in prop::collection::vec(any::<u8>(), 0..200)) {
            let url = Url::parse("https://a.example/a?b").unwrap();
            Robots::parse(&file).permission("bot", &url);
        }

        #[test]
        fn another_implementation_agrees(file in files(), path in "/[ab/]{0,6}") {
            let text = format!("https://a.example{path}");
            let permission = Robots::parse(file.as_bytes()).permission("bot", &text.parse().unwrap());
            let allowed = robotstxt::DefaultMatcher::default()
                .one_agent_allowed_by_robots(&file, "bot", &text);
            prop_assert_eq!(permission == Permission::Allowed, allowed);
        }
    }
}
