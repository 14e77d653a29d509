//! Who may ask the daemon for what: tokens with a name and a scope, kept in the store.
//!
//! `token` makes and recognises them, `grants` keeps what the daemon knows of them. A token itself
//! is shown once, when it is made; what is kept is its SHA-256.

mod grants;
mod token;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sessile::Secret;
use sessile::store::{Name, NextPlain, Opened, Room, StoreError, Vault};
use sessile_jar::Timestamp;
use thiserror::Error;
use utoipa::ToSchema;
use zeroize::Zeroizing;

pub(crate) use grants::{Caller, Grants};
pub use token::TOKEN_PREFIX;
pub(crate) use token::{Fingerprint, bearer};

/// What a token allows; each scope allows what those before it do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "each further one would widen the last"
)]
pub enum Scope {
    /// To look, with every secret masked.
    Read,
    /// To send requests through sessions, and to get what they are made of.
    Use,
    /// To log in, rotate, clean and delete.
    Manage,
}

/// A token, as it is kept: never the token itself.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Grant {
    /// What it is called.
    pub name: Name,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; `None`: when it is removed.
    pub expires: Option<Timestamp>,
    /// When it was used last, to within a minute.
    pub last_used: Option<Timestamp>,
    fingerprint: Fingerprint,
}

/// A token that is to be made.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what a token is asked for with")]
pub struct NewGrant {
    /// What it is called; it must be free.
    pub name: Name,
    /// What it allows.
    pub scope: Scope,
    /// When it ends; `None`: when it is removed.
    pub expires: Option<Timestamp>,
}

/// Why tokens can't be read or changed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AccessError {
    /// There is one of that name.
    #[error("there is a token `{0}` already; remove it first, or take another name")]
    NameTaken(Name),
    /// The machine has no randomness to give.
    #[error("no token can be made: the system gives no random bytes ({0})")]
    NoRandomness(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a token and answers it, for the one time that it is seen.
///
/// # Errors
///
/// [`AccessError::NameTaken`] where there is one of that name.
pub async fn add(
    vault: &Vault,
    new: NewGrant,
    now: Timestamp,
) -> Result<Secret<String>, AccessError> {
    let token = token::fresh()?;
    let stored = Stored {
        version: VERSION,
        sha256: Fingerprint::of(token.expose()).to_text(),
        scope: new.scope,
        created: now.as_millis(),
        expires: new.expires.map(Timestamp::as_millis),
        last_used: None,
    };
    let (name, row) = (new.name.clone(), new.name.beside(Room::Access));
    let change = move |before: Option<&Opened>| match before {
        Some(_) => Err(AccessError::NameTaken(name)),
        None => Ok(stored.write()),
    };
    vault.update(&row, change).await?;
    Ok(token)
}

/// All tokens, by name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Listed {
    /// Those that somebody can ask with.
    pub grants: Vec<Grant>,
    /// Those that this version doesn't understand: nobody can ask with them here.
    pub unreadable: Vec<Name>,
}

/// All tokens, by name.
///
/// # Errors
///
/// [`AccessError::Store`].
pub async fn list(vault: &Vault) -> Result<Listed, AccessError> {
    let mut listed = Listed::default();
    for row in vault.list_room(Room::Access, "").await? {
        let Some((_room, name)) = row.name.room() else {
            continue;
        };
        // Another process may have removed it since.
        let Some(opened) = vault.load(&row.name).await? else {
            continue;
        };
        match Stored::read(&name, &opened) {
            Some(grant) => listed.grants.push(grant),
            None => listed.unreadable.push(name),
        }
    }
    Ok(listed)
}

/// Removes a token; answers whether there was one. A daemon that runs knows it within a second; one
/// that its store has been cut off from, after half a minute at most.
///
/// # Errors
///
/// [`AccessError::Store`].
pub async fn remove(vault: &Vault, name: &Name) -> Result<bool, AccessError> {
    Ok(vault.remove(&name.beside(Room::Access)).await?)
}

/// Notes when a token was used; one that was removed meanwhile stays so.
async fn note_use(vault: &Vault, name: &Name, at: Timestamp) -> Result<(), AccessError> {
    let row = name.beside(Room::Access);
    let change = move |before: Option<&Opened>| {
        let Some(opened) = before else {
            return Ok(NextPlain::Keep);
        };
        let Some(mut stored) = Stored::parse(opened) else {
            return Ok(NextPlain::Keep);
        };
        stored.last_used = stored.last_used.max(Some(at.as_millis()));
        Ok::<_, AccessError>(stored.write())
    };
    vault.update(&row, change).await.map(drop)
}

/// What lies in the store.
#[derive(Deserialize, Serialize)]
struct Stored {
    version: u32,
    sha256: String,
    scope: Scope,
    created: i64,
    expires: Option<i64>,
    last_used: Option<i64>,
}

const VERSION: u32 = 1;

impl Stored {
    /// `None` for one of another version.
    fn parse(opened: &Opened) -> Option<Self> {
        let stored: Option<Self> = serde_json::from_slice(&opened.plain).ok();
        stored.filter(|stored| stored.version == VERSION)
    }

    fn read(name: &Name, opened: &Opened) -> Option<Grant> {
        let stored = Self::parse(opened)?;
        let fingerprint = Fingerprint::from_text(&stored.sha256)?;
        Some(Grant {
            name: name.clone(),
            scope: stored.scope,
            created: Timestamp::from_millis(stored.created),
            expires: stored.expires.map(Timestamp::from_millis),
            last_used: stored.last_used.map(Timestamp::from_millis),
            fingerprint,
        })
    }

    fn write(&self) -> NextPlain {
        let plain = serde_json::to_vec(self).expect("numbers and text can be written");
        NextPlain::Write {
            generation: 0,
            plain: Zeroizing::new(plain),
            fence: None,
        }
    }
}

impl Scope {
    /// One word, as on the command line: `read`, `use` or `manage`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Use => "use",
            Self::Manage => "manage",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = [Self::Read, Self::Use, Self::Manage].into_iter();
        let found = all.find(|scope| scope.as_str() == text);
        found.ok_or_else(|| "a scope is `read`, `use` or `manage`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use sessile::store::StoreOptions;

    use super::*;

    fn named(name: &str) -> NewGrant {
        NewGrant {
            name: name.parse().unwrap(),
            scope: Scope::Use,
            expires: None,
        }
    }

    #[tokio::test]
    async fn a_token_is_kept_as_its_hash_and_removed_for_good() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let now = Timestamp::from_seconds(5);
        let token = add(&vault, named("robot"), now).await.unwrap();
        assert!(token.expose().starts_with(TOKEN_PREFIX));
        let taken = add(&vault, named("robot"), now).await.unwrap_err();
        assert!(matches!(taken, AccessError::NameTaken(_)), "{taken}");
        let listed = list(&vault).await.unwrap().grants;
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].scope, listed[0].created), (Scope::Use, now));
        assert!(!format!("{listed:?}").contains(token.expose().trim_start_matches(TOKEN_PREFIX)));
        let name = "robot".parse().unwrap();
        note_use(&vault, &name, now).await.unwrap();
        assert_eq!(list(&vault).await.unwrap().grants[0].last_used, Some(now));
        assert!(remove(&vault, &name).await.unwrap());
        note_use(&vault, &name, now).await.unwrap();
        assert!(!remove(&vault, &name).await.unwrap());
        assert_eq!(vault.list().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_token_of_a_later_version_leaves_the_others_alone() {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        let now = Timestamp::from_seconds(5);
        add(&vault, named("robot"), now).await.unwrap();
        let later: Name = "later".parse().unwrap();
        let plain = br#"{"version":2,"holder":"robot"}"#.to_vec();
        let row = later.beside(Room::Access);
        let write = move |_before: Option<&Opened>| {
            Ok::<_, AccessError>(NextPlain::Write {
                generation: 0,
                plain: Zeroizing::new(plain),
                fence: None,
            })
        };
        vault.update(&row, write).await.unwrap();
        let listed = list(&vault).await.unwrap();
        assert_eq!(listed.grants.len(), 1);
        assert_eq!(listed.unreadable, std::slice::from_ref(&later));
        note_use(&vault, &later, now).await.unwrap();
        assert_eq!(list(&vault).await.unwrap(), listed);
    }

    #[test]
    fn scopes_widen() {
        assert!(Scope::Read < Scope::Use && Scope::Use < Scope::Manage);
        for scope in [Scope::Read, Scope::Use, Scope::Manage] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert!("admin".parse::<Scope>().is_err());
    }
}
