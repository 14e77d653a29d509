//! A small JSON file of named tokens, kept in step with a session's cookies.
//!
//! Other programs read and write such files: `{"aws_waf_token": "…", "PHPSESSID": "…"}`. `content`
//! is what is in one, `decide` what a change on either side means for the other, `place` how it is
//! read and written. When that is done, and what the store keeps of it, is `renew`'s.

mod content;
mod decide;
mod place;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sessile_jar::{Jar, NewCookie, Refusal, Target, Timestamp};
use url::Url;
use zeroize::Zeroizing;

use crate::redact::ShownUrl;
use content::Content;
use decide::{InFile, InJar, Step};

pub use trouble::TokenTrouble;

pub(crate) use decide::{Digest, Seen};
pub(crate) use place::{Stamp, Turn, stamp};

/// A file of tokens that belongs to a session.
///
/// ```
/// use sessile::token_file::{TokenFile, TokenNames};
///
/// let url = "https://shop.example/".parse().unwrap();
/// let file = TokenFile::new("/home/ada/tokens.json", url, TokenNames::OfTheFile)?;
/// assert_eq!(file.path(), "/home/ada/tokens.json");
/// # Ok::<(), sessile::token_file::TokenTrouble>(())
/// ```
#[derive(Clone)]
pub struct TokenFile {
    path: String,
    url: Url,
    names: TokenNames,
    /// What each token was when both sides had the same.
    seen: BTreeMap<String, Seen>,
}

/// Which cookies are tokens of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum TokenNames {
    /// These.
    Listed(Vec<String>),
    /// Those that the file names.
    OfTheFile,
}

/// What was done to bring file and session in step. No value is shown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stepped {
    /// Tokens whose change in the file went into the session.
    pub to_session: Vec<String>,
    /// Tokens whose change in the session went into the file.
    pub to_file: Vec<String>,
    /// Tokens that one side can't take, and why; they stay as they are.
    pub refused: Vec<(String, String)>,
}

/// What is to be done to the session's record, once the file has its part.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) report: Stepped,
    /// The file afterwards.
    pub(crate) stamp: Option<Stamp>,
    seen: BTreeMap<String, Seen>,
    /// What goes into the jar; without a value it goes out of it.
    changes: Vec<(String, Option<Zeroizing<String>>)>,
}

impl TokenFile {
    /// The file at an absolute path, whose tokens are cookies that are sent to `url`.
    ///
    /// # Errors
    ///
    /// [`TokenTrouble::BadPath`] and [`TokenTrouble::BadUrl`].
    pub fn new(path: impl AsRef<Path>, url: Url, names: TokenNames) -> Result<Self, TokenTrouble> {
        let path = path.as_ref();
        let text = path.to_str().filter(|_| path.is_absolute());
        let text = text.ok_or_else(|| TokenTrouble::BadPath {
            path: path.display().to_string(),
        })?;
        if Target::parse(url.as_str()).is_err() {
            let url = ShownUrl(&url).to_string();
            return Err(TokenTrouble::BadUrl { url });
        }
        Ok(Self {
            path: text.to_owned(),
            url,
            names,
            seen: BTreeMap::new(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where its tokens are sent.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Which cookies are its tokens.
    pub fn names(&self) -> &TokenNames {
        &self.names
    }

    /// The tokens that file and session had alike when they were looked at last.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        let known = self.seen.iter().filter(|(_, seen)| seen.value.is_some());
        known.map(|(name, _)| name.as_str())
    }

    pub(crate) fn seen(&self) -> &BTreeMap<String, Seen> {
        &self.seen
    }

    pub(crate) fn with_seen(mut self, seen: BTreeMap<String, Seen>) -> Self {
        self.seen = seen;
        self
    }

    /// Compares file and jar and gives the file its part; the jar's part is in the answer.
    ///
    /// The file comes first: stopped before the record knows of it, the next comparison finds both
    /// sides alike. Blocks for as long as the file system does.
    pub(crate) fn settle(&self, jar: &Jar, now: Timestamp) -> Result<Settled, TokenTrouble> {
        let path = PathBuf::from(&self.path);
        for _again in 0..ATTEMPTS {
            let found = place::read(&path, !self.seen.is_empty())?;
            let mut content = found.content;
            let mut settled = self.compare(&mut content, found.modified, jar, now);
            settled.stamp = found.stamp;
            if settled.report.to_file.is_empty() {
                return Ok(settled);
            }
            // Whoever wrote it meanwhile is to be heard first.
            if let Some(stamp) = place::replace(&path, &content, found.stamp)? {
                settled.stamp = Some(stamp);
                return Ok(settled);
            }
        }
        Err(TokenTrouble::Busy {
            path: self.path.clone(),
        })
    }

    fn compare(
        &self,
        content: &mut Content,
        modified: Timestamp,
        jar: &Jar,
        now: Timestamp,
    ) -> Settled {
        let mut settled = Settled {
            report: Stepped::default(),
            stamp: None,
            seen: BTreeMap::new(),
            changes: Vec::new(),
        };
        for name in self.tokens(content) {
            let seen = self.seen.get(&name).cloned().unwrap_or_default();
            match self.look(content, &name, (&seen, modified), (jar, now)) {
                Ok(found) => settled.take((name, seen), found, content, now),
                Err(why) => settled.refuse((name, seen), why),
            }
        }
        settled
    }

    /// Looks at one token; fails with the reason where one side can't take it.
    fn look(
        &self,
        content: &Content,
        name: &str,
        (seen, modified): (&Seen, Timestamp),
        (jar, now): (&Jar, Timestamp),
    ) -> Result<Move, String> {
        let (in_file, in_jar) = (content.token(name)?, self.in_jar(jar, name, now)?);
        let sides = (in_file.as_ref(), in_jar.as_ref());
        let owned = |value: Option<&str>| value.map(|value| Zeroizing::new(value.to_owned()));
        Ok(match decide::decide(seen, sides, (modified, now)) {
            Step::Keep => Move::Nowhere(in_file.and_then(InFile::into_text)),
            Step::ToFile(value) => {
                let value = owned(value);
                Move::ToFile(value, in_file.and_then(InFile::into_text))
            }
            Step::ToJar(value) => {
                let tried = self.put(&mut jar.clone(), name, value, now);
                tried.map_err(|why| format!("it can't be a cookie: {why}"))?;
                Move::ToJar(owned(value))
            }
        })
    }

    /// The names to look at.
    fn tokens(&self, content: &Content) -> BTreeSet<String> {
        match &self.names {
            TokenNames::Listed(names) => names.iter().cloned().collect(),
            TokenNames::OfTheFile => {
                let named = content.names().map(str::to_owned);
                named.chain(self.seen.keys().cloned()).collect()
            }
        }
    }

    fn in_jar(&self, jar: &Jar, name: &str, now: Timestamp) -> Result<Option<InJar>, String> {
        let Ok(target) = Target::parse(self.url.as_str()) else {
            return Ok(None);
        };
        let Some(cookie) = jar.get(name, &target, now) else {
            return Ok(None);
        };
        let value = std::str::from_utf8(cookie.value())
            .map_err(|_bytes| "the cookie's value isn't text".to_owned())?;
        Ok(Some(InJar {
            value: Zeroizing::new(value.to_owned()),
            changed: cookie.changed(),
        }))
    }

    /// Puts a token into a jar, in the place of the cookie that is sent already, or takes it out.
    fn put(
        &self,
        jar: &mut Jar,
        name: &str,
        value: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Ok(target) = Target::parse(self.url.as_str()) else {
            return Ok(());
        };
        let present = jar.get(name, &target, now).map(|cookie| cookie.to_new());
        let Some(value) = value else {
            if let Some(cookie) = present {
                jar.remove_at(cookie.scope.domain(), &cookie.path, name, now);
            }
            return Ok(());
        };
        let mut cookie = present.unwrap_or_else(|| {
            let mut cookie = NewCookie::new(name, "").for_host(target.host());
            cookie.secure = self.url.scheme() == "https";
            cookie
        });
        cookie.value = value.into();
        jar.insert(&cookie, now).map(drop)
    }

    /// Does to the session what was settled.
    pub(crate) fn apply(&mut self, settled: Settled, jar: &mut Jar, now: Timestamp) {
        for (name, value) in settled.changes {
            let value = value.as_ref().map(|value| value.as_str());
            // It was tried before; a jar that has changed since has the last word.
            let _refused = self.put(jar, &name, value, now);
        }
        self.seen = settled.seen;
    }

    /// Whether it is the same file for the same tokens.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (&self.path, &self.url, &self.names) == (&other.path, &other.url, &other.names)
    }

    /// Whether the record has to change.
    pub(crate) fn is_changed_by(&self, settled: &Settled) -> bool {
        !settled.changes.is_empty() || settled.seen != self.seen
    }
}

/// Where a token goes, and what both sides have afterwards.
enum Move {
    Nowhere(Option<Zeroizing<String>>),
    /// With what it takes the place of.
    ToFile(Option<Zeroizing<String>>, Option<Zeroizing<String>>),
    ToJar(Option<Zeroizing<String>>),
}

impl Settled {
    fn take(
        &mut self,
        (name, mut seen): (String, Seen),
        found: Move,
        content: &mut Content,
        now: Timestamp,
    ) {
        let digest =
            |value: &Option<Zeroizing<String>>| value.as_ref().map(|value| Digest::of(value));
        match found {
            Move::Nowhere(value) => seen.value = digest(&value),
            Move::ToFile(value, replaced) => {
                seen.replace(digest(&value), digest(&replaced), now);
                content.set(&name, value.as_ref().map(|value| value.as_str()));
                self.report.to_file.push(name.clone());
            }
            Move::ToJar(value) => {
                seen.value = digest(&value);
                seen.replaced.clear();
                self.report.to_session.push(name.clone());
                self.changes.push((name.clone(), value));
            }
        }
        if seen.refresh(now) {
            self.seen.insert(name, seen);
        }
    }

    /// A token that stays as it is, on both sides, until somebody looks.
    fn refuse(&mut self, (name, seen): (String, Seen), why: String) {
        self.report.refused.push((name.clone(), why));
        if seen != Seen::default() {
            self.seen.insert(name, seen);
        }
    }
}

/// How often the file is looked at anew when somebody else writes it at the same time.
const ATTEMPTS: usize = 20;

/// Shows no value; a token's name is none.
impl std::fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenFile")
            .field("path", &self.path)
            .field("url", &ShownUrl(&self.url).to_string())
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
