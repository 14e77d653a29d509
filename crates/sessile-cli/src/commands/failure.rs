//! What the library's errors mean for the exit code, and what to do about them.

use sessile::login::oauth2::OAuthError;
use sessile::login::{LoginError, NoLoginForm};
use sessile::renew::{KeepError, NoRenewal};
use sessile::store::StoreError;
use sessile::{Error, Obstacle, TlsFault};
use sessile_record::{RecordError, ResolveError};

use crate::exit::{Exit, Failure, Stop};

/// What a command was about, which decides what an unknown session means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// To see whether one is logged in: a session that isn't there is not.
    Check,
    /// To look at or change what is stored.
    Manage,
    /// To send a request logged in.
    Send,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (exit, kind) = store_kind(&error);
        let failure = Self::of(exit, kind, &error);
        match error {
            StoreError::Locked { .. } => failure.hint("try again when the other one is done"),
            StoreError::Denied { .. } => failure.hint(
                "check the user, the database and its rights; the password comes from SESSILE_STORE_PASSWORD",
            ),
            StoreError::Unreachable { .. } => {
                failure.hint("check host and port, and whether the database runs")
            }
            StoreError::WrongKey { .. } => failure.hint(
                "name the store's own key with --key-file, SESSILE_KEY or SESSILE_PASSPHRASE",
            ),
            _ => failure,
        }
    }
}

/// A failure to open the store.
pub(super) fn of_opening(error: StoreError, purpose: Purpose) -> Failure {
    let exit = match (&error, purpose) {
        // Nobody is logged in there.
        (StoreError::NoStore { .. }, Purpose::Check | Purpose::Send) => Exit::NotLoggedIn,
        (StoreError::NoStore { .. }, Purpose::Manage) => Exit::StoreUnavailable,
        _ => return error.into(),
    };
    Failure::of(exit, "noStore", &error).hint(
        "check --store or SESSILE_STORE; `sessile login` and `sessile pool create` make a store \
         where there is none",
    )
}

fn store_kind(error: &StoreError) -> (Exit, &'static str) {
    match error {
        StoreError::BadName { .. } => (Exit::Usage, "badName"),
        StoreError::BadUrl { .. } => (Exit::Usage, "badStoreUrl"),
        StoreError::ChangePanicked { .. } | StoreError::Closed { .. } => (Exit::Failed, "store"),
        StoreError::Corrupt { .. } => (Exit::StoreUnavailable, "storeDamaged"),
        StoreError::Denied { .. } => (Exit::StoreUnavailable, "storeDenied"),
        StoreError::Fenced { .. } => (Exit::Failed, "leaseLost"),
        StoreError::FileTaken { .. } => (Exit::Failed, "fileTaken"),
        StoreError::Full { .. } => (Exit::StoreUnavailable, "storeFull"),
        StoreError::KeyFilePermissions { .. } => (Exit::StoreUnavailable, "keyFilePermissions"),
        StoreError::KeyMalformed { .. } => (Exit::StoreUnavailable, "keyMalformed"),
        StoreError::Locked { .. } => (Exit::StoreUnavailable, "storeLocked"),
        StoreError::NameTaken { .. } => (Exit::Failed, "nameTaken"),
        StoreError::NewerVersion { .. } => (Exit::StoreUnavailable, "storeNewer"),
        StoreError::NoKey { .. } => (Exit::StoreUnavailable, "noKey"),
        StoreError::NoStore { .. } => (Exit::StoreUnavailable, "noStore"),
        StoreError::NotAStore { .. } => (Exit::StoreUnavailable, "notAStore"),
        StoreError::ReadOnly { .. } => (Exit::StoreUnavailable, "storeReadOnly"),
        StoreError::Tampered { .. } => (Exit::StoreUnavailable, "recordDamaged"),
        StoreError::Unclear { .. } => (Exit::StoreUnavailable, "storeUnclear"),
        StoreError::UnknownName { .. } => (Exit::Failed, "unknownSession"),
        StoreError::Unreachable { .. } => (Exit::StoreUnavailable, "storeUnreachable"),
        StoreError::WrongKey { .. } => (Exit::StoreUnavailable, "wrongKey"),
        _ => (Exit::StoreUnavailable, "storeUnavailable"),
    }
}

/// A failure of a stored session.
pub(super) fn of_kept(error: &KeepError, purpose: Purpose) -> Failure {
    let (exit, kind, hint) = match error {
        KeepError::Login(error) => return error.clone().into(),
        KeepError::Request(error) => return error.clone().into(),
        KeepError::Store(error) => return error.clone().into(),
        KeepError::LoggedOut {
            why: NoRenewal::PersonNeeded,
            ..
        } => (Exit::PersonNeeded, "personNeeded", None),
        KeepError::LoggedOut { name, why, .. } => {
            (Exit::NotLoggedIn, "loggedOut", advice(name, why))
        }
        KeepError::NobodyWaits { name } => {
            let hint = format!(
                "`sessile login {name} … --otp-wait 2m` waits for one; a code is good once, so \
                 take the next"
            );
            (Exit::Failed, "nobodyWaits", Some(hint))
        }
        KeepError::NotReplayable { .. } => {
            let hint = "a body of up to 16 MiB is repeated by itself";
            (Exit::Failed, "notReplayable", Some(hint.to_owned()))
        }
        KeepError::Tokens(_) => (Exit::Failed, "tokenFile", None),
        KeepError::Unknown { name, .. } => {
            let exit = match purpose {
                Purpose::Manage => Exit::Failed,
                Purpose::Check | Purpose::Send => Exit::NotLoggedIn,
            };
            (exit, "unknownSession", Some(making(name, purpose)))
        }
        KeepError::Unreadable { .. } => (Exit::StoreUnavailable, "recordUnreadable", None),
        _ => (Exit::Failed, "failed", None),
    };
    let failure = Failure::of(exit, kind, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A failure to manage what is stored: who asked for a name that isn't there sees those that are.
pub(super) fn of_managed(error: StoreError) -> Failure {
    let is_unknown = matches!(error, StoreError::UnknownName { .. });
    let failure = Failure::from(error);
    match is_unknown {
        true => failure.hint("`sessile list` shows those there are"),
        false => failure,
    }
}

fn making(name: &str, purpose: Purpose) -> String {
    let login = format!("`sessile login {name} URL --username USER` makes one");
    match purpose {
        Purpose::Check => login,
        Purpose::Send => format!("{login}, or pass --create"),
        Purpose::Manage => "`sessile list` shows those there are".to_owned(),
    }
}

fn advice(name: &str, why: &NoRenewal) -> Option<String> {
    match why {
        NoRenewal::ReadOnly => Some("leave --read-only out to have it logged in again".to_owned()),
        NoRenewal::StillAsking => Some(format!(
            "`sessile check {name} --explain` says what is known"
        )),
        _ => None,
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        let (exit, kind) = match error {
            LoginError::Request(error) => return error.into(),
            LoginError::Captcha { .. } => (Exit::PersonNeeded, "captcha"),
            LoginError::CanNotTell { .. } => (Exit::Failed, "cannotTell"),
            LoginError::Challenged { .. } => (Exit::PersonNeeded, "challenged"),
            LoginError::CodeRefused { .. } => (Exit::NotLoggedIn, "codeRefused"),
            LoginError::Failing { .. } => (Exit::Failed, "siteFailing"),
            LoginError::NoForm { .. } => (Exit::Failed, "noLoginForm"),
            LoginError::NotSafe { .. } => (Exit::Failed, "notSafe"),
            LoginError::OAuth(OAuthError::Request(error)) => return error.into(),
            LoginError::OAuth(ref error) => of_oauth(error),
            LoginError::RateLimited { .. } => (Exit::NotLoggedIn, "rateLimited"),
            LoginError::Refused { .. } => (Exit::NotLoggedIn, "loginRefused"),
            LoginError::SecondFactor { .. } => (Exit::PersonNeeded, "secondFactor"),
            LoginError::Unfinished { .. } => (Exit::PersonNeeded, "unfinished"),
            LoginError::Unproven { .. } => (Exit::NotLoggedIn, "loginUnproven"),
            _ if error.needs_person() => (Exit::PersonNeeded, "personNeeded"),
            _ => (Exit::Failed, "loginFailed"),
        };
        let failure = Self::of(exit, kind, &error);
        match error {
            LoginError::NoForm {
                ref url,
                why: NoLoginForm::NeedsJavaScript { .. },
            } => failure.hint(starter(url)),
            LoginError::CodeRefused { .. } => failure
                .hint("check the secret of the codes, or wait for the next code and log in again"),
            LoginError::SecondFactor { .. } => failure.hint(
                "`sessile login` takes the code from --otp-secret-file FILE (kept with \
                 --remember, for renewals), from --otp-command CMD, or with --otp-wait 2m from \
                 `sessile otp NAME CODE`",
            ),
            LoginError::RateLimited { .. } => failure.hint("wait before the next attempt"),
            LoginError::Refused { .. } => {
                failure.hint("check user name and password; what was stored is unchanged")
            }
            LoginError::Unproven { .. } => failure.hint(
                "where user name and password are right, the site file isn't: check `token` and \
                 [check]; `sessile site try` shows each step",
            ),
            _ => failure,
        }
    }
}

/// A site file to start from, for a page that a script logs in from.
fn starter(url: &str) -> String {
    format!(
        "write what the script sends (a browser's developer tools show it) into a file such as \
         shop.toml, and log in with --site shop.toml; docs/site-file.md explains it:\n\n\
         [login]\n\
         kind = \"json\"\n\
         url = \"{url}\"\n\
         body = {{ user = \"{{user}}\", password = \"{{password}}\" }}\n\
         token = \"$.token\"\n"
    )
}

fn of_oauth(error: &OAuthError) -> (Exit, &'static str) {
    match error {
        OAuthError::Failing { .. } => (Exit::Failed, "providerFailing"),
        OAuthError::Listen { .. } => (Exit::Failed, "cannotListen"),
        OAuthError::NoEndpoint { .. } => (Exit::Failed, "noEndpoint"),
        OAuthError::NotSafe { .. } => (Exit::Failed, "notSafe"),
        OAuthError::RateLimited { .. } => (Exit::NotLoggedIn, "rateLimited"),
        OAuthError::Refused { .. } => (Exit::NotLoggedIn, "loginRefused"),
        _ if error.needs_person() => (Exit::PersonNeeded, "personNeeded"),
        _ => (Exit::Failed, "notAProvider"),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::LimitsUnavailable { cause, .. } = &error
            && let Some(store) = cause.downcast_ref::<StoreError>()
        {
            return store.clone().into();
        }
        let exit = match error {
            Error::BadRequest { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let failure = Self::of(exit, error.kind(), &error);
        match hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Connect {
            obstacle: Obstacle::NoSuchHost,
            ..
        } => "check the host's name in the URL",
        Error::Connect {
            obstacle: Obstacle::Proxy,
            ..
        } => "check the proxy's address, and whether it runs and reaches the host",
        Error::Connect {
            obstacle: Obstacle::ProxyRefused,
            ..
        } => {
            "check the proxy's rules; where it wants a user and a password, --proxy-env VAR names \
             a variable with its whole URL"
        }
        Error::Connect { .. } => "check host and port, and whether the server runs",
        Error::CutShort { .. } | Error::Disconnect { .. } => {
            "try again; if it happens every time, the server is at fault"
        }
        Error::HoldOff { .. } => "the site asked all its callers to wait; try again after that",
        Error::Program { program, .. } if program == "curl" => "install curl, or leave --tier out",
        Error::Program { .. } => {
            "install Chromium or Chrome, or name one by its path with SESSILE_BROWSER"
        }
        Error::Redirect { .. } => "--no-follow shows the redirect itself",
        Error::Robots { .. } => "leave --robots out if the site's owner allows you more",
        Error::TimeOut { .. } => "--timeout allows more time",
        Error::Tls { fault, .. } => return tls_hint(*fault),
        _ => return None,
    })
}

fn tls_hint(fault: TlsFault) -> Option<&'static str> {
    Some(match fault {
        TlsFault::ClientCertificate => "--cert FILE (and --cert-key FILE) shows it one",
        TlsFault::Expired => "tell whoever runs the server; nothing on this side helps",
        TlsFault::NotTls => "check the port; a server without TLS is asked with http://",
        TlsFault::NotValidYet => "check the date of this machine",
        TlsFault::UnknownIssuer => "--cacert FILE trusts an authority of your own",
        TlsFault::WrongHost => "check the host's name in the URL; the certificate names others",
        _ => return None,
    })
}

const LOG_IN: &str = "`sessile login` logs in, and -s NAME records through that login";

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let (exit, kind) = match error {
            ResolveError::Request(error) => return of_kept(&error, Purpose::Send),
            ResolveError::BadAddress { .. } => (Exit::Failed, "badAddress"),
            ResolveError::LoggedOut { .. } => (Exit::NotLoggedIn, "loggedOut"),
            ResolveError::Nothing { .. } => (Exit::Failed, "noMedia"),
            ResolveError::Refused { status: 401, .. } => (Exit::NotLoggedIn, "refused"),
            ResolveError::Refused { .. } => (Exit::Failed, "refused"),
            ResolveError::Rule { .. } => (Exit::Failed, "mediaRule"),
            _ => (Exit::Failed, "resolve"),
        };
        let failure = Self::of(exit, kind, &error);
        match kind {
            "noMedia" => {
                failure.hint("a [media] section of a site file (--site FILE) says where it is")
            }
            "loggedOut" => failure.hint(LOG_IN),
            _ => failure,
        }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let (exit, kind) = match error {
            RecordError::Request(error) => return of_kept(&error, Purpose::Send),
            RecordError::Resolve(error) => return error.into(),
            RecordError::Busy { .. } => (Exit::Failed, "fileBusy"),
            RecordError::Exists { .. } => (Exit::Failed, "fileExists"),
            RecordError::File { .. } => (Exit::Failed, "outputFile"),
            RecordError::Full { .. } => (Exit::Failed, "diskFull"),
            RecordError::LoggedOut { .. } => (Exit::NotLoggedIn, "loggedOut"),
            RecordError::Nothing { .. } => (Exit::Failed, "noMedia"),
            RecordError::Playlist { .. } => (Exit::Failed, "playlist"),
            RecordError::Refused { status: 401, .. } => (Exit::NotLoggedIn, "refused"),
            RecordError::Refused { .. } => (Exit::Failed, "refused"),
            RecordError::Wrong { .. } => (Exit::Failed, "wrongMedia"),
            _ => (Exit::Failed, "record"),
        };
        let failure = Self::of(exit, kind, &error);
        match kind {
            "fileExists" => {
                failure.hint("--replace puts the recording in its place, -o names another")
            }
            "diskFull" => failure.hint("the same command goes on from there"),
            "loggedOut" => failure.hint(LOG_IN),
            _ => failure,
        }
    }
}

impl From<ResolveError> for Stop {
    fn from(error: ResolveError) -> Self {
        Self::Fail(error.into())
    }
}

impl From<RecordError> for Stop {
    fn from(error: RecordError) -> Self {
        Self::Fail(error.into())
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fail(error.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fail(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_needs_a_script_comes_with_a_file_to_start_from() {
        let told = starter("http://h/login");
        let (_, file) = told.split_once("[login]").unwrap();
        let site = sessile::site::Site::parse(&format!("[login]{file}"), "shop.toml");
        assert_eq!(site.unwrap().login.kind(), "json");
    }

    #[test]
    fn an_unknown_session_means_what_was_wanted_of_it() {
        for (purpose, exit) in [
            (Purpose::Check, Exit::NotLoggedIn),
            (Purpose::Manage, Exit::Failed),
            (Purpose::Send, Exit::NotLoggedIn),
        ] {
            let error = KeepError::Unknown {
                name: "shop".into(),
                place: "sqlite:a.db".into(),
            };
            assert_eq!(of_kept(&error, purpose).exit(), exit, "{purpose:?}");
        }
    }

    #[test]
    fn each_fault_has_its_exit_code() {
        let place = || "sqlite:a.db".to_owned();
        let (url, user) = (|| "http://h/".to_owned(), || "ada".to_owned());
        let refused = LoginError::Refused {
            url: url(),
            user: user(),
            message: "no".into(),
        };
        let second = LoginError::SecondFactor {
            url: url(),
            user: user(),
            message: "code".into(),
        };
        let logged_out = KeepError::LoggedOut {
            name: "shop".into(),
            sign: "401".into(),
            why: NoRenewal::NoPassword,
        };
        check(
            StoreError::ReadOnly { place: place() },
            Exit::StoreUnavailable,
            "storeReadOnly",
        );
        check(
            StoreError::Full { place: place() },
            Exit::StoreUnavailable,
            "storeFull",
        );
        check(
            StoreError::Tampered { name: "a".into() },
            Exit::StoreUnavailable,
            "recordDamaged",
        );
        check(refused, Exit::NotLoggedIn, "loginRefused");
        check(second, Exit::PersonNeeded, "secondFactor");
        check(logged_out, Exit::NotLoggedIn, "loggedOut");
        check(Error::Closed, Exit::Failed, "closed");
        check(
            Error::BadRequest { what: "w".into() },
            Exit::Usage,
            "badRequest",
        );
    }

    #[track_caller]
    fn check(error: impl Into<KeepError>, exit: Exit, kind: &str) {
        let failure = of_kept(&error.into(), Purpose::Send);
        assert_eq!((failure.exit(), failure.kind()), (exit, kind), "{failure}");
    }
}
