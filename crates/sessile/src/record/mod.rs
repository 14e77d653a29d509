//! What is kept of one named session: its state, how it logs in, how it is checked.
//!
//! A value without behaviour; `renew` works with it, `wire` turns it into bytes.

mod tokens;
mod wire;

use std::fmt;

use sessile_jar::Timestamp;
use url::Url;

use crate::check::learn::LearnedCheck;
use crate::login::{Credentials, How};
use crate::redact::ShownUrl;
use crate::session::SessionState;
use crate::site::SiteCheck;
use crate::token_file::TokenFile;

pub use tokens::Tokens;
pub use wire::WireError;
pub(crate) use wire::{decode, encode};

/// Everything that is kept of one named session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Stays the same for the record's life, whatever it is called; 32 hexadecimal digits.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// Cookies, what a browser's pages keep beside them, headers, authorization and counts.
    pub state: SessionState,
    /// How it logs in, where it does.
    pub login: Option<KeptLogin>,
    /// How to see that it is still logged in, where that is known.
    pub check: Option<Check>,
    /// What came with an access token, where one was given.
    pub tokens: Option<Tokens>,
    /// What happened last.
    pub last: Last,
    /// The file of tokens that it is kept in step with, where there is one.
    pub token_file: Option<TokenFile>,
}

/// A login that can be done again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeptLogin {
    /// Which way it goes.
    pub how: How,
    /// What it shows the site; without secrets where they weren't to be remembered.
    pub credentials: Credentials,
    /// The origins that the password was sent to; a renewal sends it to no other.
    pub sent_to: Vec<String>,
}

/// A page that shows whether one is logged in, and what it shows.
#[derive(Clone)]
#[non_exhaustive]
pub struct Check {
    /// The page.
    pub url: Url,
    /// What tells the logged-in page from a stranger's.
    pub rule: CheckRule,
}

/// How a page tells whether one is logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CheckRule {
    /// By what a login has learned of it.
    Learned(LearnedCheck),
    /// By the rules of a site file.
    Site(SiteCheck),
}

impl Check {
    /// A check by what a login has learned of the page.
    pub fn learned(url: Url, learned: LearnedCheck) -> Self {
        let rule = CheckRule::Learned(learned);
        Self { url, rule }
    }

    /// A check by the rules of a site file.
    pub fn of_site(check: &SiteCheck) -> Self {
        Self {
            url: check.url.clone(),
            rule: CheckRule::Site(check.clone()),
        }
    }
}

impl fmt::Display for CheckRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learned(learned) => learned.fmt(f),
            Self::Site(check) => {
                let rules: Vec<String> = check.rules.iter().map(ToString::to_string).collect();
                f.write_str(&rules.join(", and "))
            }
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("url", &ShownUrl(&self.url))
            .field("rule", &self.rule)
            .finish()
    }
}

/// When things happened last.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Last {
    /// A login that worked.
    pub login: Option<Timestamp>,
    /// A check, and what it found in words.
    pub check: Option<(Timestamp, String)>,
    /// The step of time of the last one-time code that was sent: none is sent twice.
    pub code: Option<u64>,
    /// What a person was told of, and when; forgotten at the next login that works.
    pub told: Vec<(String, Timestamp)>,
    /// A login that the site refused; it isn't tried again before somebody looks.
    pub refusal: Option<KeptRefusal>,
}

/// A login that the site refused.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeptRefusal {
    /// When.
    pub at: Timestamp,
    /// In the site's own words where it had some.
    pub message: String,
    /// When it may be tried again; `None`: not before a person logs in.
    pub again: Option<Timestamp>,
}

impl Record {
    /// A record of a session that starts now.
    pub fn new(state: SessionState, now: Timestamp) -> Self {
        let mut random = [0; 16];
        // Without randomness the machine can't open a TLS connection either; the id needs only to
        // be different from the others, which the time sees to.
        if getrandom::fill(&mut random).is_err() {
            random[..8].copy_from_slice(&now.as_millis().to_be_bytes());
        }
        Self {
            id: format!("{:032x}", u128::from_be_bytes(random)),
            created: now,
            state,
            login: None,
            check: None,
            tokens: None,
            last: Last::default(),
            token_file: None,
        }
    }

    /// Empties it: what is left is a name. Its cookies are removed as of `now`; login, check, tokens,
    /// headers and token file are gone.
    pub fn empty(&mut self, now: Timestamp) {
        self.login = None;
        self.check = None;
        self.tokens = None;
        self.last = Last::default();
        self.token_file = None;
        self.state.clear(now);
    }
}

impl Last {
    /// Takes over what happened later there than here.
    pub(crate) fn take_newer(&mut self, other: Self) {
        self.login = self.login.max(other.login);
        self.code = self.code.max(other.code);
        if other.check.as_ref().map(|check| check.0) > self.check.as_ref().map(|check| check.0) {
            self.check = other.check;
        }
    }
}
