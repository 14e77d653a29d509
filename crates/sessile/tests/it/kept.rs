//! Kept sessions against the practice website: logged in, forgotten, renewed.

use std::sync::Arc;

use futures_util::FutureExt as _;
use sessile::login::{Login, LoginError, StepListener};
use sessile::renew::{KeepError, Kept, KeptOptions, Mode, NoRenewal, Renewer, edit};
use sessile::store::{Name, StoreOptions, Vault};
use sessile::{Request, Secret, Verdict};
use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD, LOCKED, LOCKED_PASSWORD};
use sessile_practice::{Options, Site};

struct World {
    site: Site,
    vault: Vault,
}

impl World {
    async fn new() -> Self {
        Self {
            site: Site::start(Options::default()).await.unwrap(),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.url())
    }

    fn login(&self, path: &str) -> Login {
        let url = self.url(path).parse().unwrap();
        let mut login = Login::form(url, ADA, Secret::from(ADA_PASSWORD.to_owned()));
        login.remember = true;
        login
    }

    async fn log_in(&self, path: &str) -> Kept {
        let options = KeptOptions::default();
        Kept::log_in(&self.vault, &name(), self.login(path), options)
            .await
            .unwrap()
            .0
    }

    async fn open(&self) -> Kept {
        Kept::open(&self.vault, &name(), KeptOptions::default())
            .await
            .unwrap()
    }
}

fn name() -> Name {
    "ada".parse().unwrap()
}

async fn text(kept: &Kept, url: &str) -> String {
    kept.send(Request::get(url))
        .await
        .unwrap()
        .reply
        .text()
        .await
        .unwrap()
}

/// What waits for its site is kept in memory, once for each request that runs, and copied on its way
/// there: what only few requests do is in boxes of its own.
#[tokio::test]
async fn a_request_takes_little_room() {
    let world = World::new().await;
    let kept = Kept::create(
        &world.vault,
        &name(),
        <_>::default(),
        KeptOptions::default(),
    )
    .unwrap();
    let room = size_of_val(&kept.send(Request::get("http://a.test/")));
    assert!(room <= 12 * 1024, "{room} bytes");
}

#[tokio::test]
async fn every_kind_of_login_page_is_understood() {
    for path in [
        "/login",
        "/members",
        "/members/plain",
        "/members/soft",
        "/members/subtle",
        "/two-step/login",
        "/meta/login",
        "/script/login",
        "/two-forms",
        "/multi/login",
        "/",
    ] {
        let world = World::new().await;
        let kept = world.log_in(path).await;
        assert_eq!(world.site.logins(), 1, "{path}");
        let page = text(&kept, &world.url("/members")).await;
        assert!(page.contains(ADA), "{path}: {page}");
        assert!(
            kept.record().check.is_some(),
            "{path}: no check was learned"
        );
        world.site.stop().await;
    }
}

#[tokio::test]
async fn odd_passwords_arrive_as_they_are() {
    let world = World::new().await;
    let url = world.url("/login").parse().unwrap();
    let login = Login::form(url, GRACE, Secret::from(GRACE_PASSWORD.to_owned()));
    Kept::log_in(&world.vault, &name(), login, KeptOptions::default())
        .await
        .unwrap();
    assert_eq!(world.site.logins(), 1);
}

#[tokio::test]
async fn a_forgotten_login_is_renewed_and_the_request_answered() {
    for page in [
        "/members",
        "/members/plain",
        "/members/soft",
        "/members/subtle",
    ] {
        let world = World::new().await;
        world.log_in(page).await;
        world.site.kill_sessions();
        let kept = world.open().await;
        let answer = kept.send(Request::get(world.url(page))).await.unwrap();
        let renewal = answer.renewal.expect("the login was renewed");
        assert_eq!(renewal.by, Renewer::Ourselves, "{page}");
        assert_eq!(*answer.reply.verdict(), Verdict::Valid, "{page}");
        let text = answer.reply.text().await.unwrap();
        assert!(text.contains(ADA), "{page}: {text}");
        assert_eq!(world.site.logins(), 2, "{page}");
    }
}

#[tokio::test]
async fn a_login_that_holds_is_left_alone() {
    for page in [
        "/members",
        "/members/plain",
        "/members/soft",
        "/members/subtle",
        "/",
    ] {
        let world = World::new().await;
        world.log_in("/members").await;
        let kept = world.open().await;
        for _ in 0..5 {
            let answer = kept.send(Request::get(world.url(page))).await.unwrap();
            assert!(answer.renewal.is_none(), "{page}");
        }
        assert_eq!(world.site.logins(), 1, "{page}");
    }
}

#[tokio::test]
async fn tasks_that_notice_together_log_in_once() {
    let world = World::new().await;
    let kept = world.log_in("/members").await;
    world.site.kill_sessions();
    let url = world.url("/members");
    let requests = (0..50).map(|_| {
        let (kept, url) = (kept.clone(), url.clone());
        async move { text(&kept, &url).await }
    });
    for page in futures_util::future::join_all(requests).await {
        assert!(page.contains(ADA), "{page}");
    }
    assert_eq!(world.site.logins(), 2);
}

#[tokio::test]
async fn holders_that_notice_together_log_in_once() {
    let world = World::new().await;
    world.log_in("/members").await;
    world.site.kill_sessions();
    let mut holders = Vec::new();
    for _ in 0..8 {
        holders.push(world.open().await);
    }
    let url = world.url("/members");
    let requests = holders.iter().map(|kept| text(kept, &url));
    for page in futures_util::future::join_all(requests).await {
        assert!(page.contains(ADA), "{page}");
    }
    assert_eq!(world.site.logins(), 2);
}

#[tokio::test]
async fn a_wrong_password_names_the_sites_words_and_changes_nothing() {
    let world = World::new().await;
    world.log_in("/members").await;
    let before = world.vault.load(&name()).await.unwrap().unwrap().version;
    let mut login = world.login("/members");
    login.credentials.password = Some(Secret::from("wrong-guess".to_owned()));
    let refused = Kept::log_in(&world.vault, &name(), login, KeptOptions::default()).await;
    let Err(KeepError::Login(LoginError::Refused { message, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert!(message.contains("Wrong user name or password"), "{message}");
    assert!(!message.contains("wrong-guess"), "{message}");
    assert_eq!(
        world.vault.load(&name()).await.unwrap().unwrap().version,
        before
    );
    assert!(
        text(&world.open().await, &world.url("/members"))
            .await
            .contains(ADA)
    );
}

#[tokio::test]
async fn a_locked_account_is_said() {
    let world = World::new().await;
    let url = world.url("/login").parse().unwrap();
    let login = Login::form(url, LOCKED, Secret::from(LOCKED_PASSWORD.to_owned()));
    let refused = Kept::log_in(&world.vault, &name(), login, KeptOptions::default()).await;
    let Err(KeepError::Login(LoginError::Refused { message, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert!(message.to_lowercase().contains("locked"), "{message}");
    assert!(world.vault.load(&name()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_refused_renewal_is_not_tried_again() {
    let world = World::new().await;
    world.log_in("/members").await;
    edit(&world.vault, &name(), |record| {
        let login = record.login.as_mut().unwrap();
        login.credentials.password = Some(Secret::from("changed-since".to_owned()));
    })
    .await
    .unwrap();
    world.site.kill_sessions();
    let attempts = world.site.attempts();
    for round in 0..3 {
        let kept = world.open().await;
        let refused = kept.send(Request::get(world.url("/members"))).await;
        match (round, refused) {
            (0, Err(KeepError::Login(LoginError::Refused { .. }))) => {}
            (
                _,
                Err(KeepError::LoggedOut {
                    why: NoRenewal::Refused { .. },
                    ..
                }),
            ) => {}
            (_, other) => panic!("round {round}: {other:?}"),
        }
    }
    assert_eq!(world.site.attempts(), attempts + 1);
    // A person who logs in again clears it.
    world.log_in("/members").await;
    assert!(world.open().await.record().last.refusal.is_none());
    assert!(
        text(&world.open().await, &world.url("/members"))
            .await
            .contains(ADA)
    );
}

#[tokio::test]
async fn a_renewal_sends_the_password_only_where_a_person_has_sent_it() {
    let world = World::new().await;
    world.log_in("/members").await;
    edit(&world.vault, &name(), |record| {
        let login = record.login.as_mut().unwrap();
        assert_eq!(login.sent_to.len(), 1);
        login.sent_to = vec!["https://login.example".to_owned()];
    })
    .await
    .unwrap();
    world.site.kill_sessions();
    let attempts = world.site.attempts();
    let kept = world.open().await;
    let refused = kept.send(Request::get(world.url("/members"))).await;
    assert!(
        matches!(refused, Err(KeepError::Login(LoginError::NotSafe { .. }))),
        "{refused:?}"
    );
    assert_eq!(world.site.attempts(), attempts);
}

#[tokio::test]
async fn a_login_that_works_again_makes_up_for_a_refused_one() {
    let world = World::new().await;
    world.log_in("/members").await;
    edit(&world.vault, &name(), |record| {
        let login = record.login.as_mut().unwrap();
        login.credentials.password = Some(Secret::from("changed-since".to_owned()));
    })
    .await
    .unwrap();
    world.site.kill_sessions();
    let refused = world
        .open()
        .await
        .send(Request::get(world.url("/members")))
        .await;
    assert!(refused.is_err());
    world.log_in("/members").await;
    world.site.kill_sessions();
    assert!(
        text(&world.open().await, &world.url("/members"))
            .await
            .contains(ADA)
    );
}

#[tokio::test]
async fn without_a_password_a_renewal_asks_or_says_so() {
    let world = World::new().await;
    let mut login = world.login("/members");
    login.remember = false;
    Kept::log_in(&world.vault, &name(), login, KeptOptions::default())
        .await
        .unwrap();
    world.site.kill_sessions();
    let refused = world
        .open()
        .await
        .send(Request::get(world.url("/members")))
        .await;
    assert!(
        matches!(
            refused,
            Err(KeepError::LoggedOut {
                why: NoRenewal::NoPassword,
                ..
            })
        ),
        "{refused:?}"
    );
    let mut options = KeptOptions::default();
    options.person.password = Some(Arc::new(|login| {
        assert_eq!(login.user, ADA);
        Some(Secret::from(ADA_PASSWORD.to_owned()))
    }));
    let kept = Kept::open(&world.vault, &name(), options).await.unwrap();
    assert!(text(&kept, &world.url("/members")).await.contains(ADA));
    assert!(kept.record().login.unwrap().credentials.password.is_none());
}

#[tokio::test]
async fn read_only_neither_renews_nor_writes() {
    let world = World::new().await;
    world.log_in("/members").await;
    world.site.kill_sessions();
    let before = world.vault.load(&name()).await.unwrap().unwrap().version;
    let mut options = KeptOptions::default();
    options.mode = Mode::ReadOnly;
    let kept = Kept::open(&world.vault, &name(), options).await.unwrap();
    let refused = kept.send(Request::get(world.url("/members"))).await;
    assert!(
        matches!(
            refused,
            Err(KeepError::LoggedOut {
                why: NoRenewal::ReadOnly,
                ..
            })
        ),
        "{refused:?}"
    );
    kept.save().await.unwrap();
    assert_eq!(
        world.vault.load(&name()).await.unwrap().unwrap().version,
        before
    );
    assert_eq!(world.site.logins(), 1);
}

#[tokio::test]
async fn a_post_is_repeated_once_after_the_login_is_renewed() {
    let world = World::new().await;
    let kept = world.log_in("/members").await;
    world.site.kill_sessions();
    let note = serde_json::json!({ "note": "one" });
    let request = Request::post(world.url("/members/notes")).json(&note);
    let answer = kept.send(request).await.unwrap();
    assert_eq!(answer.reply.status().as_u16(), 201);
    assert!(answer.renewal.is_some());
    assert_eq!(
        text(&kept, &world.url("/members/notes")).await,
        r#"[{"note":"one"}]"#
    );
    assert_eq!(world.site.requests()["/members/notes"], 3);
}

#[tokio::test]
async fn a_streamed_body_is_not_sent_twice() {
    let world = World::new().await;
    let kept = world.log_in("/members").await;
    world.site.kill_sessions();
    let piece = bytes::Bytes::from_static(b"{}");
    let stream = futures_util::stream::once(async move { Ok(piece) });
    let request = Request::post(world.url("/members/notes"))
        .header("content-type", "application/json")
        .stream(Box::pin(stream));
    let refused = kept.send(request).await;
    assert!(
        matches!(refused, Err(KeepError::NotReplayable { .. })),
        "{refused:?}"
    );
    // The login itself is back.
    assert_eq!(world.site.logins(), 2);
    assert_eq!(text(&kept, &world.url("/members/notes")).await, "[]");
}

#[tokio::test]
async fn cookies_of_two_holders_are_merged() {
    let world = World::new().await;
    world.log_in("/members").await;
    let (one, other) = (world.open().await, world.open().await);
    text(&one, &world.url("/cookies/five")).await;
    one.save().await.unwrap();
    // Seen by the other on its next request, without being told.
    let shown = text(&other, &world.url("/cookies/show")).await;
    assert!(shown.contains("="), "{shown}");
    let names = |kept: &Kept| {
        let state = kept.session().state();
        let jar = state.jar();
        let mut names: Vec<String> = jar
            .iter()
            .map(|cookie| cookie.name_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&one), names(&other));
    assert!(names(&other).len() >= 6, "{:?}", names(&other));
}

#[tokio::test]
async fn what_was_set_elsewhere_is_not_set_back() {
    let world = World::new().await;
    let kept = world.log_in("/members").await;
    edit(&world.vault, &name(), |record| {
        let now = record.created;
        record.state.set_header("x-team", "blue", now).unwrap();
    })
    .await
    .unwrap();
    // Has not looked at the store since, and has something of its own to say.
    kept.session()
        .update(|state, now| state.set_header("cookie", "basket=7", now))
        .unwrap();
    kept.save().await.unwrap();
    for kept in [kept, world.open().await] {
        let state = kept.session().state();
        assert_eq!(state.headers().get("x-team").unwrap(), "blue");
        let mut cookies = state.jar().iter();
        assert!(cookies.any(|cookie| cookie.name_lossy() == "basket"));
    }
}

#[tokio::test]
async fn a_setting_that_is_not_saved_yet_survives_what_others_save() {
    let world = World::new().await;
    let kept = world.log_in("/members").await;
    kept.session()
        .update(|state, now| state.set_header("x-team", "red", now))
        .unwrap();
    let other = world.open().await;
    text(&other, &world.url("/cookies/five")).await;
    other.save().await.unwrap();
    text(&kept, &world.url("/members")).await;
    assert_eq!(
        kept.session().state().headers().get("x-team").unwrap(),
        "red"
    );
}

#[tokio::test]
async fn a_session_that_was_replaced_is_not_brought_back() {
    let world = World::new().await;
    let stale = world.log_in("/members").await;
    world.log_in("/members").await;
    text(&stale, &world.url("/members")).await;
    world.vault.remove(&name()).await.unwrap();
    let state = sessile::session::SessionState::default();
    let fresh = Kept::create(&world.vault, &name(), state, KeptOptions::default()).unwrap();
    fresh.save().await.unwrap();
    stale.save().await.unwrap();
    let stored = world.open().await.record();
    assert_eq!(stored.id, fresh.record().id);
    assert_eq!(stored.state.generation(), 0);
    assert!(stored.state.jar().is_empty() && stored.login.is_none());
    // The next look makes it the same one.
    let page = stale.send(Request::get(world.url("/"))).await.unwrap();
    assert!(page.renewal.is_none());
    assert_eq!(stale.record().id, stored.id);
    assert!(stale.record().login.is_none());
}

#[tokio::test]
async fn two_first_logins_at_once_do_not_mix() {
    let world = World::new().await;
    let url = || world.url("/login").parse().unwrap();
    let ada = Login::form(url(), ADA, Secret::from(ADA_PASSWORD.to_owned()));
    let grace = Login::form(url(), GRACE, Secret::from(GRACE_PASSWORD.to_owned()));
    let name = name();
    let log_in = |login| Kept::log_in(&world.vault, &name, login, KeptOptions::default());
    let (ada, grace) = futures_util::future::join(log_in(ada), log_in(grace)).await;
    assert_eq!(
        (ada.unwrap().1.generation, grace.unwrap().1.generation),
        (1, 2)
    );
    let kept = world.open().await;
    let user = kept.record().login.unwrap().credentials.user;
    let page = text(&kept, &world.url("/members")).await;
    assert_eq!(user, GRACE);
    assert!(page.contains(GRACE), "{page}");
}

#[tokio::test]
async fn a_session_removed_while_a_person_logs_in_is_stored_anew() {
    let world = World::new().await;
    world.log_in("/members").await;
    let mut login = world.login("/members");
    let vault = world.vault.clone();
    login.person.hears = Some(StepListener::new(move |_step| {
        // A store in memory answers at once.
        let removed = vault.remove(&name()).now_or_never();
        removed.expect("it waits for nothing").unwrap();
    }));
    let (kept, _report) = Kept::log_in(&world.vault, &name(), login, KeptOptions::default())
        .await
        .unwrap();
    let stored = world.open().await.record();
    assert_eq!(stored.state.generation(), kept.record().state.generation());
    assert!(stored.login.is_some());
}

#[tokio::test]
async fn a_session_emptied_during_a_renewal_stays_empty() {
    let world = World::new().await;
    let mut login = world.login("/members");
    login.remember = false;
    Kept::log_in(&world.vault, &name(), login, KeptOptions::default())
        .await
        .unwrap();
    world.site.kill_sessions();
    let vault = world.vault.clone();
    let mut options = KeptOptions::default();
    // Somebody empties it while the password is typed.
    options.person.password = Some(Arc::new(move |_login| {
        let name = name();
        let emptied = edit(&vault, &name, |record| {
            record.login = None;
            record.state.clear(record.created);
        });
        emptied
            .now_or_never()
            .expect("it waits for nothing")
            .unwrap();
        Some(Secret::from(ADA_PASSWORD.to_owned()))
    }));
    let kept = Kept::open(&world.vault, &name(), options).await.unwrap();
    let _stranger = kept.send(Request::get(world.url("/members"))).await;
    let stored = world.open().await.record();
    assert!(stored.login.is_none() && stored.state.jar().is_empty());
    assert_eq!(stored.state.generation(), 2);
}

#[tokio::test]
async fn a_proxy_of_others_is_taken_over_unless_another_was_chosen_here() {
    let world = World::new().await;
    let kept = world.log_in("/login").await;
    let proxy = |host: &str| format!("http://ada:pw@{host}:3128").parse().unwrap();
    let session = name();
    let others = |host| {
        let proxy = proxy(host);
        edit(&world.vault, &session, move |record| {
            record.state.set_proxy(Some(proxy))
        })
    };
    let shown = |kept: &Kept| kept.session().inspect().proxy.unwrap();

    others("one.test").await.unwrap();
    kept.save().await.unwrap();
    assert_eq!(shown(&kept), "http://one.test:3128");

    let chosen = proxy("two.test");
    kept.session()
        .update(|state, _now| state.set_proxy(Some(chosen)));
    others("three.test").await.unwrap();
    kept.save().await.unwrap();
    assert_eq!(shown(&kept), "http://two.test:3128");
    let options = KeptOptions::default();
    let again = Kept::open(&world.vault, &session, options).await.unwrap();
    assert_eq!(shown(&again), "http://two.test:3128");
}
