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
    period: Duration,
}

impl World {
    async fn new() -> Self {
        Self::with_period(Duration::from_secs(30)).await
    }

    /// Each code is good for this long.
    async fn with_period(period: Duration) -> Self {
        let options = Options {
            totp_period: period,
            ..Options::default()
        };
        Self {
            site: Site::start(options).await.unwrap(),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
            period,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.url())
    }

    fn login(&self, shape: &str) -> Login {
        let url = self.url(&format!("/totp/{shape}/login")).parse().unwrap();
        let mut login = Login::form(url, ADA, Secret::from(ADA_PASSWORD.to_owned()));
        login.remember = true;
        login
    }

    fn with_secret(&self, shape: &str) -> Login {
        let (letters, period) = (TOTP_SECRET.trim_end_matches('='), self.period.as_secs());
        let address = format!("otpauth://totp/Practice?secret={letters}&period={period}");
        let mut login = self.login(shape);
        login.credentials.otp = Some(OtpSecret::parse(&address).unwrap());
        login
    }

    fn with_person(&self, ask: AskCode) -> Login {
        let mut login = self.login("field");
        login.person.code = Some(ask);
        login
    }

    async fn log_in(&self, login: Login) -> Result<Kept, KeepError> {
        self.log_in_with(login, KeptOptions::default()).await
    }

    async fn log_in_with(&self, login: Login, options: KeptOptions) -> Result<Kept, KeepError> {
        let done = Kept::log_in(&self.vault, &name(), login, options).await;
        done.map(|(kept, _report)| kept)
    }

    async fn open(&self) -> Kept {
        let options = KeptOptions::default();
        Kept::open(&self.vault, &name(), options).await.unwrap()
    }

    async fn members(&self, kept: &Kept) -> Result<String, KeepError> {
        let url = self.url("/totp/field/members");
        let answer = kept.send(Request::get(url)).await?;
        Ok(answer.reply.text().await?)
    }
}

fn name() -> Name {
    "ada".parse().unwrap()
}

#[tokio::test]
async fn a_kept_secret_logs_in_and_renews_without_a_person() {
    for shape in ["field", "boxes"] {
        let world = World::new().await;
        let kept = world.log_in(world.with_secret(shape)).await.unwrap();
        assert_eq!((world.site.codes(), world.site.logins()), (1, 1), "{shape}");
        assert!(kept.record().last.code.is_some());
        world.site.kill_sessions();
        // The next code's time.
        world.site.advance(world.period);
        let kept = world.open().await;
        let page = world.members(&kept).await.unwrap();
        assert!(page.contains(ADA), "{shape}: {page}");
        assert_eq!((world.site.codes(), world.site.logins()), (2, 2), "{shape}");
    }
}

#[tokio::test]
async fn a_site_whose_clock_differs_gets_the_codes_of_its_own_time() {
    let world = World::new().await;
    world.site.advance(Duration::from_secs(600));
    world.log_in(world.with_secret("field")).await.unwrap();
    assert_eq!(world.site.codes(), 1);
}

#[tokio::test]
async fn no_code_is_sent_twice_and_the_next_one_is_waited_for() {
    let world = World::with_period(Duration::from_secs(2)).await;
    world.log_in(world.with_secret("field")).await.unwrap();
    for round in 2..=3 {
        world.site.kill_sessions();
        let kept = world.open().await;
        assert!(world.members(&kept).await.unwrap().contains(ADA));
        assert_eq!((world.site.codes(), world.site.logins()), (round, round));
    }
}

#[tokio::test]
async fn a_code_that_somebody_else_has_used_is_followed_by_the_next() {
    let world = World::with_period(Duration::from_secs(2)).await;
    let other: Name = "other".parse().unwrap();
    let login = world.with_secret("field");
    let first = Kept::log_in(&world.vault, &other, login, KeptOptions::default()).await;
    first.unwrap();
    world.log_in(world.with_secret("field")).await.unwrap();
    // The second session doesn't know what the first has sent, and asks at most twice.
    assert_eq!(world.site.logins(), 2);
    assert!((2..=3).contains(&world.site.codes()));
}

#[tokio::test]
async fn a_wrong_secret_ends_after_three_codes_and_is_not_tried_again() {
    let world = World::with_period(Duration::from_secs(1)).await;
    world.log_in(world.with_secret("field")).await.unwrap();
    sessile::renew::edit(&world.vault, &name(), |record| {
        let login = record.login.as_mut().unwrap();
        let other = OtpSecret::parse("otpauth://totp/?secret=JBSWY3DPEHPK3PXP&period=1").unwrap();
        login.credentials.otp = Some(other);
    })
    .await
    .unwrap();
    world.site.kill_sessions();
    let before = world.site.codes();
    let refused = world.members(&world.open().await).await.unwrap_err();
    let KeepError::Login(LoginError::CodeRefused { message, .. }) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(message, "Wrong code.");
    assert!((1..=3).contains(&(world.site.codes() - before)));
    let sent = world.site.codes();
    let refused = world.members(&world.open().await).await.unwrap_err();
    let KeepError::LoggedOut { why, .. } = &refused else {
        panic!("{refused}");
    };
    assert!(matches!(why, NoRenewal::Refused { .. }), "{why}");
    assert_eq!(world.site.codes(), sent);
}

#[tokio::test]
async fn a_person_is_asked_again_with_the_sites_words() {
    let world = World::new().await;
    let site = Arc::new(world.site.code());
    let said = Arc::new(Mutex::new(Vec::new()));
    let ask: AskCode = {
        let said = Arc::clone(&said);
        Arc::new(move |wanted| {
            assert_eq!((wanted.user.as_str(), wanted.digits), (ADA, Some(6)));
            let mut said = said.lock().unwrap();
            said.push((wanted.refused, wanted.message.clone()));
            let code = if said.len() < 2 {
                "12345x"
            } else {
                site.as_str()
            };
            Some(Secret::from(code.to_owned()))
        })
    };
    let kept = world.log_in(world.with_person(ask)).await.unwrap();
    assert!(world.members(&kept).await.unwrap().contains(ADA));
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 2);
    assert_eq!(said[1], (1, "Wrong code.".to_owned()));
}

#[tokio::test]
async fn a_person_who_is_wrong_three_times_is_told_so() {
    let world = World::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let ask: AskCode = {
        let asked = Arc::clone(&asked);
        Arc::new(move |_wanted| {
            asked.fetch_add(1, Ordering::SeqCst);
            Some(Secret::from("wrong1".to_owned()))
        })
    };
    let refused = world.log_in(world.with_person(ask)).await.unwrap_err();
    let KeepError::Login(LoginError::CodeRefused { count, .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!((count, asked.load(Ordering::SeqCst)), (3, 3));
    assert_eq!((world.site.attempts(), world.site.codes()), (1, 3));
    assert!(world.vault.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn without_a_code_the_login_ends_and_the_next_starts_anew() {
    let world = World::new().await;
    for _time in 0..2 {
        let refused = world.log_in(world.login("field")).await.unwrap_err();
        let KeepError::Login(LoginError::SecondFactor { message, .. }) = refused else {
            panic!("{refused}");
        };
        assert!(message.contains("6-digit code"), "{message}");
    }
    world.log_in(world.with_secret("field")).await.unwrap();
    assert_eq!((world.site.attempts(), world.site.logins()), (3, 1));
}

#[tokio::test]
async fn a_code_is_handed_over_to_a_login_that_waits() {
    let world = World::new().await;
    // Hears when the login begins to wait.
    let (sender, waits) = tokio::sync::oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let mut login = world.login("field");
    login.person.hears = Some(StepListener::new(move |step| {
        if step.contains("waiting for one")
            && let Some(sender) = sender.lock().unwrap().take()
        {
            sender.send(()).unwrap();
        }
    }));
    let mut options = KeptOptions::default();
    options.code_wait = Some(Duration::from_secs(60));
    let hand_over = async {
        waits.await.unwrap();
        let code = || Secret::from(world.site.code());
        // It may not lie there yet.
        while let Err(error) =
            hand_over_code(&world.vault, &name(), code(), SystemClock.now()).await
        {
            assert!(matches!(error, KeepError::NobodyWaits { .. }), "{error}");
            tokio::task::yield_now().await;
        }
    };
    let (kept, ()) = join(world.log_in_with(login, options), hand_over).await;
    assert!(world.members(&kept.unwrap()).await.unwrap().contains(ADA));
    let code = Secret::from("123456".to_owned());
    let late = hand_over_code(&world.vault, &name(), code, SystemClock.now()).await;
    assert!(matches!(late, Err(KeepError::NobodyWaits { .. })));
}

#[tokio::test]
async fn a_trusted_device_needs_no_code_at_a_renewal() {
    let world = World::new().await;
    let mut login = world.with_secret("field");
    let sessile::login::How::Form(place) = &mut login.how else {
        unreachable!("it is a form");
    };
    place.trusts_device = true;
    world.log_in(login).await.unwrap();
    world.site.kill_sessions();
    let kept = world.open().await;
    assert!(world.members(&kept).await.unwrap().contains(ADA));
    assert_eq!((world.site.codes(), world.site.logins()), (1, 2));
}

#[tokio::test]
async fn without_remembering_neither_password_nor_secret_is_kept() {
    let world = World::new().await;
    let mut login = world.with_secret("field");
    login.remember = false;
    world.log_in(login).await.unwrap();
    let credentials = world.open().await.record().login.unwrap().credentials;
    assert!(credentials.password.is_none() && credentials.otp.is_none());
}
