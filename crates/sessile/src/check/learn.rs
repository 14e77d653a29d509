//! Learns from three loads of one page how a login shows, and judges by it.
//!
//! What differs between two loads by strangers is chance and is not looked
//! at: counters, dates, advertisements, tokens.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use super::evidence::Evidence;
use super::mark::Mark;
use crate::login::page::Link;
use crate::login::words;

/// How a page shows that its reader is logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LearnedCheck {
    /// Where a member's request ends.
    pub landing: String,
    /// What only a member's page shows; one of them is enough.
    pub member: Vec<Mark>,
    /// What only a stranger's page shows.
    pub stranger: Vec<Mark>,
}

/// What a check says of a load.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a check says yes, no or nothing")]
pub enum Judgement {
    /// The login is gone, and what shows it.
    Expired(String),
    /// The load tells nothing, and why.
    Unsure(String),
    /// The login holds, and what shows it.
    Valid(String),
}

/// What one rule of a check said of a load.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule, in words.
    pub rule: String,
    /// Whether it holds.
    pub holds: bool,
}

/// Compares a member's load with two of strangers.
///
/// `names` are the names the user goes by. Answers `None` if the page shows
/// everybody the same: then another page must be asked.
pub fn learn(member: &Evidence, strangers: [&Evidence; 2], names: &[&str]) -> Option<LearnedCheck> {
    let stranger = stranger_marks(member, strangers);
    let is_elsewhere = stranger
        .iter()
        .any(|mark| matches!(mark, Mark::LandsAt(_) | Mark::LoginForm | Mark::Status(_)));
    let mut marks = strong_marks(member, strangers, names);
    // Another page altogether differs in everything, which says little.
    if marks.is_empty() && !is_elsewhere {
        marks = weak_marks(member, strangers);
    }
    let check = LearnedCheck {
        landing: member.landing(),
        member: marks,
        stranger,
    };
    (!check.member.is_empty() || !check.stranger.is_empty()).then_some(check)
}

impl LearnedCheck {
    /// A check from its parts, as they were stored.
    pub fn new(landing: String, member: Vec<Mark>, stranger: Vec<Mark>) -> Self {
        Self {
            landing,
            member,
            stranger,
        }
    }

    /// The check without what a second load by the member does not bear out.
    ///
    /// `None` if nothing is left.
    #[must_use]
    pub fn confirm(mut self, again: &Evidence) -> Option<Self> {
        self.member.retain(|mark| mark.shows_in(again));
        self.stranger.retain(|mark| !mark.shows_in(again));
        (!self.member.is_empty() || !self.stranger.is_empty()).then_some(self)
    }

    /// What each mark says of a load, those of members first.
    pub fn findings(&self, evidence: &Evidence) -> Vec<Finding> {
        let finding = |who: &str, mark: &Mark| Finding {
            rule: format!("{who}: {mark}"),
            holds: mark.shows_in(evidence),
        };
        let member = self.member.iter().map(|mark| finding("members", mark));
        let stranger = self.stranger.iter().map(|mark| finding("strangers", mark));
        member.chain(stranger).collect()
    }

    /// Says whether the login that `evidence` was loaded with still holds.
    pub fn judge(&self, evidence: &Evidence) -> Judgement {
        let shown = self.stranger.iter().filter(|mark| mark.shows_in(evidence));
        let (strong, weak): (Vec<&Mark>, Vec<&Mark>) = shown.partition(|mark| mark.is_strong());
        let member = self.member.iter().find(|mark| mark.shows_in(evidence));
        let status = evidence.status;
        if member.is_none() && (status == 401 || self.stranger.contains(&Mark::Status(status))) {
            return Judgement::Expired(format!("the status is {status}"));
        }
        if status >= 400 {
            return Judgement::Unsure(format!("the status is {status}"));
        }
        match (member, strong.first().or(weak.first())) {
            (Some(mark), None) => Judgement::Valid(mark.to_string()),
            (Some(mark), Some(sign)) if strong.is_empty() || outweighs(mark, sign) => {
                Judgement::Valid(mark.to_string())
            }
            (Some(mark), Some(sign)) => Judgement::Unsure(format!("{mark}, but {sign}")),
            (None, Some(sign)) => Judgement::Expired(sign.to_string()),
            (None, None) => self.judge_unmarked(evidence),
        }
    }

    /// Judges a page that shows neither what members nor what strangers see.
    fn judge_unmarked(&self, evidence: &Evidence) -> Judgement {
        let landing = evidence.landing();
        if landing != self.landing {
            return Judgement::Unsure(format!("the request ends at {landing}"));
        }
        match (self.member.first(), self.stranger.first()) {
            (Some(missing), _) => Judgement::Expired(format!("no longer true: {missing}")),
            (None, Some(sign)) => Judgement::Valid(format!("not true: {sign}")),
            (None, None) => Judgement::Unsure("the check has no marks".to_owned()),
        }
    }
}

impl fmt::Display for LearnedCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |marks: &[Mark]| {
            let words: Vec<String> = marks.iter().map(Mark::to_string).collect();
            words.join(", or ")
        };
        match (self.member.is_empty(), self.stranger.is_empty()) {
            (false, true) => write!(f, "logged in: {}", list(&self.member)),
            (true, false) => write!(f, "logged out: {}", list(&self.stranger)),
            (false, false) => {
                let (member, stranger) = (list(&self.member), list(&self.stranger));
                write!(f, "logged in: {member}; logged out: {stranger}")
            }
            (true, true) => f.write_str("nothing learned"),
        }
    }
}

const MAX_MARKS: usize = 4;

/// A way to log out is only offered to members, whatever else the page asks.
fn outweighs(mark: &Mark, sign: &Mark) -> bool {
    matches!(mark, Mark::LogoutLink(_)) && matches!(sign, Mark::Link(_) | Mark::Text(_))
}

fn stranger_marks(member: &Evidence, [first, second]: [&Evidence; 2]) -> Vec<Mark> {
    let mut marks = Vec::new();
    if first.status == second.status && first.status != member.status {
        marks.push(Mark::Status(first.status));
    }
    if first.landing() == second.landing() && first.landing() != member.landing() {
        marks.push(Mark::LandsAt(first.landing()));
    }
    if first.has_login_form && second.has_login_form && !member.has_login_form {
        marks.push(Mark::LoginForm);
    }
    let links = first
        .links
        .iter()
        .map(|link| Mark::Link(first.key(&link.url)));
    let texts = first.texts.iter().map(|text| text.text.as_str());
    let texts = texts
        .filter(|text| is_lasting(text))
        .map(|text| Mark::Text(text.to_owned()));
    let second = Seen::new(second);
    let member = Seen::new(member);
    let mut told: Vec<Mark> = links
        .chain(texts)
        .filter(|mark| second.shows(mark) && !member.shows(mark))
        .collect();
    // What speaks of logging in says most.
    told.sort_by_key(|mark| !mark.is_strong());
    push_new(&mut marks, told, MAX_MARKS);
    marks
}

fn strong_marks(member: &Evidence, strangers: [&Evidence; 2], names: &[&str]) -> Vec<Mark> {
    let logouts = member.links.iter().filter(|link| is_logout(link));
    let logouts = logouts.map(|link| Mark::LogoutLink(member.key(&link.url)));
    let names = names.iter().filter(|name| name.chars().count() > 1);
    let names = names.map(|name| Mark::UserName((*name).to_owned()));
    let classes = member
        .body_classes
        .iter()
        .filter(|class| is_member_class(class));
    let classes = classes.map(|class| Mark::BodyClass(class.clone()));
    let found = logouts.chain(classes).chain(names).filter(|mark| {
        mark.shows_in(member) && !strangers.iter().any(|stranger| mark.shows_in(stranger))
    });
    let mut marks = Vec::new();
    push_new(&mut marks, found.collect(), MAX_MARKS);
    marks
}

fn is_logout(link: &Link) -> bool {
    let address = format!(
        "{} {}",
        link.url.path(),
        link.url.query().unwrap_or_default()
    );
    words::has(&address.to_lowercase(), words::LOGOUT)
        || words::has_whole(&link.text.to_lowercase(), words::LOGOUT)
}

fn is_member_class(class: &str) -> bool {
    let class: String = class.chars().filter(char::is_ascii_alphanumeric).collect();
    let class = class.to_ascii_lowercase();
    let is_denied = ["not", "no", "un"].iter().any(|no| class.starts_with(no));
    !is_denied && words::has(&class, &["loggedin", "signedin", "authenticated"])
}

/// Links and texts that only the member's page has, outside the places of chance.
fn weak_marks(member: &Evidence, strangers: [&Evidence; 2]) -> Vec<Mark> {
    let noise = Noise::between(strangers);
    let seen = strangers.map(Seen::new);
    let is_new = |mark: &Mark| !seen.iter().any(|seen| seen.shows(mark));
    let links = member
        .links
        .iter()
        .filter(|link| !noise.has_link(member, link));
    let links = links.map(|link| Mark::Link(member.key(&link.url)));
    let links: Vec<Mark> = links.filter(is_new).collect();
    let texts = member
        .texts
        .iter()
        .filter(|text| !noise.texts.contains(&text.place));
    let texts = texts.filter(|text| is_lasting(&text.text));
    let texts: Vec<Mark> = texts
        .map(|text| Mark::Text(text.text.clone()))
        .filter(is_new)
        .collect();
    let mut marks = Vec::new();
    push_new(&mut marks, links, MAX_MARKS / 2);
    push_new(&mut marks, texts, MAX_MARKS / 2);
    marks
}

/// What one load shows, for looking up many marks.
struct Seen {
    links: HashSet<String>,
    texts: HashSet<String>,
}

impl Seen {
    fn new(evidence: &Evidence) -> Self {
        let links = evidence.links.iter().map(|link| evidence.key(&link.url));
        Self {
            links: links.collect(),
            texts: evidence
                .texts
                .iter()
                .map(|text| text.text.clone())
                .collect(),
        }
    }

    fn shows(&self, mark: &Mark) -> bool {
        match mark {
            Mark::Link(key) | Mark::LogoutLink(key) => self.links.contains(key),
            Mark::Text(text) => self.texts.contains(text),
            Mark::BodyClass(_)
            | Mark::LandsAt(_)
            | Mark::LoginForm
            | Mark::Status(_)
            | Mark::UserName(_) => false,
        }
    }
}

fn push_new(marks: &mut Vec<Mark>, found: Vec<Mark>, most: usize) {
    let mut left = most;
    for mark in found {
        if left > 0 && !marks.contains(&mark) {
            marks.push(mark);
            left -= 1;
        }
    }
}

/// The places where two loads by strangers differ.
struct Noise {
    /// By place, and whether the link stays on the site.
    links: BTreeSet<(String, bool)>,
    texts: BTreeSet<String>,
}

impl Noise {
    fn between([first, second]: [&Evidence; 2]) -> Self {
        let links = |evidence: &Evidence| {
            let links = evidence.links.iter();
            grouped(links.map(|link| (link_place(evidence, link), evidence.key(&link.url))))
        };
        // Texts that differ in their digits alone are no marks anyway.
        let texts = |evidence: &Evidence| {
            let texts = evidence.texts.iter();
            grouped(texts.map(|text| (text.place.clone(), shape(&text.text))))
        };
        Self {
            links: differing(&links(first), &links(second)),
            texts: differing(&texts(first), &texts(second)),
        }
    }

    fn has_link(&self, evidence: &Evidence, link: &Link) -> bool {
        self.links.contains(&link_place(evidence, link))
    }
}

fn link_place(evidence: &Evidence, link: &Link) -> (String, bool) {
    (
        link.place.clone(),
        link.url.origin() == evidence.url.origin(),
    )
}

type Groups<K> = BTreeMap<K, BTreeSet<String>>;

fn grouped<K: Ord>(items: impl Iterator<Item = (K, String)>) -> Groups<K> {
    let mut groups = Groups::new();
    for (place, item) in items {
        groups.entry(place).or_default().insert(item);
    }
    groups
}

fn differing<K: Clone + Ord>(first: &Groups<K>, second: &Groups<K>) -> BTreeSet<K> {
    let places = first.keys().chain(second.keys());
    places
        .filter(|place| first.get(place) != second.get(place))
        .cloned()
        .collect()
}

fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.chars() {
        let is_number =
            c.is_ascii_digit() || (matches!(c, '.' | ',' | ':') && shape.ends_with('#'));
        match is_number {
            true if shape.ends_with('#') => {}
            true => shape.push('#'),
            false => shape.push(c),
        }
    }
    shape
}

/// Whether a text is likely still the same tomorrow.
fn is_lasting(text: &str) -> bool {
    let lower = text.to_lowercase();
    text.chars().filter(|c| c.is_alphabetic()).count() >= 3
        && !text.chars().any(|c| c.is_ascii_digit())
        && !words::has_whole(&lower, FLEETING)
}

const FLEETING: &[&str] = &[
    "ago",
    "today",
    "tonight",
    "yesterday",
    "tomorrow",
    "just now",
    "morning",
    "afternoon",
    "evening",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "heute",
    "gestern",
    "morgen",
    "abend",
    "aujourd'hui",
    "hier",
    "bonsoir",
    "hoy",
    "ayer",
    "oggi",
    "ieri",
    "hoje",
    "ontem",
    "vandaag",
    "dzisiaj",
    "last login",
    "successfully",
    "welcome back",
    "you are now logged in",
    "you have been logged in",
    "signed in successfully",
];
