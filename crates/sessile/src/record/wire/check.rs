//! A learned check, as bytes.

use serde::{Deserialize, Serialize};

use super::{WireError, parse_url};
use crate::check::learn::LearnedCheck;
use crate::check::mark::Mark;
use crate::record::{Check, CheckRule};

#[derive(Deserialize, Serialize)]
pub(super) struct WireCheck {
    url: String,
    landing: String,
    member: Vec<WireMark>,
    stranger: Vec<WireMark>,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
enum WireMark {
    BodyClass(String),
    LandsAt(String),
    Link(String),
    LoginForm,
    LogoutLink(String),
    Status(u16),
    Text(String),
    UserName(String),
}

impl WireCheck {
    /// A check of the site file is in the site file.
    pub(super) fn of(check: &Check) -> Option<Self> {
        let CheckRule::Learned(learned) = &check.rule else {
            return None;
        };
        let marks = |marks: &[Mark]| marks.iter().map(WireMark::from).collect();
        Some(Self {
            url: check.url.to_string(),
            landing: learned.landing.clone(),
            member: marks(&learned.member),
            stranger: marks(&learned.stranger),
        })
    }
}

impl TryFrom<WireCheck> for Check {
    type Error = WireError;

    fn try_from(wire: WireCheck) -> Result<Self, WireError> {
        let marks = |marks: Vec<WireMark>| marks.into_iter().map(Mark::from).collect();
        let learned = LearnedCheck::new(wire.landing, marks(wire.member), marks(wire.stranger));
        Ok(Self::learned(parse_url(&wire.url, "check URL")?, learned))
    }
}

impl From<&Mark> for WireMark {
    fn from(mark: &Mark) -> Self {
        match mark {
            Mark::BodyClass(class) => Self::BodyClass(class.clone()),
            Mark::LandsAt(path) => Self::LandsAt(path.clone()),
            Mark::Link(key) => Self::Link(key.clone()),
            Mark::LoginForm => Self::LoginForm,
            Mark::LogoutLink(key) => Self::LogoutLink(key.clone()),
            Mark::Status(status) => Self::Status(*status),
            Mark::Text(text) => Self::Text(text.clone()),
            Mark::UserName(name) => Self::UserName(name.clone()),
        }
    }
}

impl From<WireMark> for Mark {
    fn from(wire: WireMark) -> Self {
        match wire {
            WireMark::BodyClass(class) => Self::BodyClass(class),
            WireMark::LandsAt(path) => Self::LandsAt(path),
            WireMark::Link(key) => Self::Link(key),
            WireMark::LoginForm => Self::LoginForm,
            WireMark::LogoutLink(key) => Self::LogoutLink(key),
            WireMark::Status(status) => Self::Status(status),
            WireMark::Text(text) => Self::Text(text),
            WireMark::UserName(name) => Self::UserName(name),
        }
    }
}
