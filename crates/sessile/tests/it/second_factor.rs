//! Logins with a second factor, against the practice site.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join;
use sessile::clock::{Clock as _, SystemClock};
use sessile::login::{AskCode, Login, LoginError, OtpSecret, StepListener};
use sessile::renew::{KeepError, Kept, KeptOptions, NoRenewal, hand_over_code};
use sessile::store::{Name, StoreOptions, Vault};
use sessile::{Request, Secret};
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site, TOTP_SECRET};

struct World {
    site: Site,
    vault: Vault,
}

impl World {
    async fn new(options: Options) -> Self {
        Self {
            site: Site::start(options).await.unwrap(),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.url())
    }

    fn login(&self, shape: &str) -> Login {
        let url = self.url(&format!("/totp/{shape}/login")).parse().unwrap();
        let mut login = Login::new(url, ADA, Secret::from(ADA_PASSWORD.to_owned()));
        login.remember = true;
        login
    }

    fn with_secret(&self, shape: &str) -> Login {
        let mut login = self.login(shape);
        let period = self.period;
        login.otp = Some(OtpSecret::parse(TOTP_SECRET).unwrap());
        login
    }

    async fn log_in(&self, login: Login) -> Result<Kept, KeepError> {
        let options = KeptOptions::default();
        let done = Kept::log_in(&self.vault, &name(), login, options).await;
        done.map(|(kept, _report)| kept)
    }
}
