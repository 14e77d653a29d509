//! The practice site, served beside the test that uses it.

use std::ops::Deref;
use std::time::Duration;

use sessile_practice::{GRACE, GRACE_PASSWORD, Options, Site};
use tokio::runtime::Runtime;

use super::{Invocation, Outcome, Person, films};

/// A running practice site; ends when dropped.
pub(crate) struct Practice {
    site: Site,
    // Dropped after the site, whose task it runs.
    _runtime: Runtime,
}

impl Practice {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    /// With films that can be watched.
    pub(crate) fn with_films() -> Self {
        Self::with(Options {
            media: Some(films()),
            ..Options::default()
        })
    }

    /// With a fresh code of the second factor each time so much has passed.
    pub(crate) fn with_codes_every(period: Duration) -> Self {
        Self::with(Options {
            totp_period: period,
            ..Options::default()
        })
    }

    fn with(options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let site = runtime.block_on(Site::start(options)).unwrap();
        Self {
            site,
            _runtime: runtime,
        }
    }

    /// Runs the login with a second factor, as the session `ada`.
    pub(crate) fn log_in_with_code(&self, person: &Person, options: &str) -> Invocation {
        let url = self.page("/totp/field/login");
        let line = format!("login ada {url} --username {GRACE} --password-stdin {options}");
        person.sessile(&line).input(GRACE_PASSWORD)
    }

    /// The address of a page, given its path.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// Logs Grace in at the page, as the session `name`.
    pub(crate) fn log_in(&self, person: &Person, name: &str, path: &str, options: &str) -> Outcome {
        let url = self.page(path);
        let line = format!("login {name} {url} --username {GRACE} --password-stdin {options}");
        person.sessile(&line).input(GRACE_PASSWORD).run()
    }
}

impl Deref for Practice {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}
