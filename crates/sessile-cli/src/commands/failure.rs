//! What the library's errors mean for the exit code, and what to do about them.

use sessile::login::LoginError;
use sessile::renew::{KeepError, NoRenewal};
use sessile::store::StoreError;
use sessile::{Error, Obstacle};

use crate::exit::{Exit, Failure};

/// What a command was about, which decides what an unknown session means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// To look at or change what is stored.
    Manage,
    /// To be logged in: a session that isn't there is not.
    Use,
}

/// A failure of the store.
pub(super) fn of_store(error: StoreError) -> Failure {
    let (exit, kind) = match &error {
        StoreError::BadName { .. } => (Exit::Usage, "badName"),
        StoreError::BadUrl { .. } => (Exit::Usage, "badStoreUrl"),
        StoreError::ChangePanicked { .. } | StoreError::Closed { .. } => (Exit::Failed, "store"),
        StoreError::Corrupt { .. } => (Exit::StoreUnavailable, "storeDamaged"),
        StoreError::Fenced { .. } => (Exit::Failed, "leaseLost"),
        StoreError::Full { .. } => (Exit::StoreUnavailable, "storeFull"),
        StoreError::KeyFilePermissions { .. } => (Exit::StoreUnavailable, "keyFilePermissions"),
        StoreError::KeyMalformed { .. } => (Exit::StoreUnavailable, "keyMalformed"),
        StoreError::Locked { .. } => (Exit::StoreUnavailable, "storeLocked"),
        StoreError::NameTaken { .. } => (Exit::Failed, "nameTaken"),
        StoreError::NewerVersion { .. } => (Exit::StoreUnavailable, "storeNewer"),
        StoreError::NoKey { .. } => (Exit::StoreUnavailable, "noKey"),
        StoreError::NotAStore { .. } => (Exit::StoreUnavailable, "notAStore"),
        StoreError::ReadOnly { .. } => (Exit::StoreUnavailable, "storeReadOnly"),
        StoreError::Tampered { .. } => (Exit::StoreUnavailable, "recordDamaged"),
        StoreError::UnknownName { .. } => (Exit::Failed, "unknownSession"),
        StoreError::WrongKey { .. } => (Exit::StoreUnavailable, "wrongKey"),
        _ => (Exit::StoreUnavailable, "storeUnavailable"),
    };
    let failure = Failure::new(exit, kind, error.to_string());
    match error {
        StoreError::Locked { .. } => failure.hint("try again when the other one is done"),
        StoreError::WrongKey { .. } => {
            failure.hint("name the store's own key with --key-file, SESSILE_KEY or SESSILE_PASSPHRASE")
        }
        _ => failure,
    }
}

/// A failure of a stored session.
pub(super) fn of_kept(error: KeepError, purpose: Purpose) -> Failure {
    match error {
        KeepError::Login(error) => of_login(error),
        KeepError::Request(error) => of_request(&error),
        KeepError::Store(error) => of_store(error),
        KeepError::LoggedOut { ref name, ref why, .. } => {
            let hint = advice(name, why);
            let failure = Failure::new(Exit::NotLoggedIn, "loggedOut", error.to_string());
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        KeepError::NotReplayable { .. } => {
            Failure::new(Exit::Failed, "notReplayable", error.to_string())
                .hint("send a body from a file instead of standard input to have it repeated")
        }
        KeepError::Unknown { ref name, .. } => {
            let exit = match purpose {
                Purpose::Manage => Exit::Failed,
                Purpose::Use => Exit::NotLoggedIn,
            };
            let hint = format!("`sessile login {name} URL --username USER` makes one; `sessile list` shows those there are");
            Failure::new(exit, "unknownSession", error.to_string()).hint(hint)
        }
        KeepError::Unreadable { .. } => {
            Failure::new(Exit::StoreUnavailable, "recordUnreadable", error.to_string())
        }
        other => Failure::new(Exit::Failed, "failed", other.to_string()),
    }
}

fn advice(name: &str, why: &NoRenewal) -> Option<String> {
    match why {
        NoRenewal::ReadOnly => Some("leave --read-only out to have it logged in again".to_owned()),
        NoRenewal::StillAsking => Some(format!("`sessile check {name} --explain` says what is known")),
        _ => None,
    }
}

/// A login that did not come about.
pub(super) fn of_login(error: LoginError) -> Failure {
    if let LoginError::Request(error) = &error {
        return of_request(error);
    }
    let (exit, kind) = match &error {
        LoginError::CanNotTell { .. } => (Exit::Failed, "cannotTell"),
        LoginError::Challenged { .. } => (Exit::PersonNeeded, "challenged"),
        LoginError::NoForm { .. } => (Exit::Failed, "noLoginForm"),
        LoginError::NotSafe { .. } => (Exit::Failed, "notSafe"),
        LoginError::RateLimited { .. } => (Exit::Failed, "rateLimited"),
        LoginError::Refused { .. } => (Exit::NotLoggedIn, "loginRefused"),
        LoginError::SecondFactor { .. } => (Exit::PersonNeeded, "secondFactor"),
        other if other.needs_person() => (Exit::PersonNeeded, "personNeeded"),
        _ => (Exit::Failed, "loginFailed"),
    };
    let failure = Failure::new(exit, kind, error.to_string());
    match error {
        LoginError::NoForm { .. } => failure.hint("give the address of the page with the login form"),
        LoginError::Refused { .. } => failure.hint("check user name and password; what was stored is unchanged"),
        _ => failure,
    }
}

/// A request without a reply.
pub(super) fn of_request(error: &Error) -> Failure {
    let (exit, kind) = match error {
        Error::BadRequest { .. } => (Exit::Usage, "badRequest"),
        Error::Closed => (Exit::Failed, "closed"),
        Error::Connect { .. } => (Exit::Failed, "connect"),
        Error::CutShort { .. } => (Exit::Failed, "cutShort"),
        Error::Decode { .. } => (Exit::Failed, "decode"),
        Error::Disconnect { .. } => (Exit::Failed, "disconnect"),
        Error::Protocol { .. } => (Exit::Failed, "protocol"),
        Error::Redirect { .. } => (Exit::Failed, "redirect"),
        Error::TimeOut { .. } => (Exit::Failed, "timeOut"),
        Error::Tls { .. } => (Exit::Failed, "tls"),
        Error::TooLarge { .. } => (Exit::Failed, "tooLarge"),
        _ => (Exit::Failed, "request"),
    };
    let failure = Failure::new(exit, kind, error.to_string());
    match hint(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Connect { obstacle: Obstacle::NoSuchHost, .. } => "check the host's name in the URL",
        Error::Connect { .. } => "check host and port, and whether the server runs",
        Error::CutShort { .. } | Error::Disconnect { .. } => "try again; if it happens every time, the server is at fault",
        Error::Redirect { .. } => "--no-follow shows the redirect itself",
        Error::TimeOut { .. } => "--timeout allows more time",
        Error::Tls { .. } => "--cacert FILE trusts an authority of your own, --insecure trusts anybody",
        _ => return None,
    })
}
