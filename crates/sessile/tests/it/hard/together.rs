//! Four holders of one session with fifty requests each; the time stands still but for what the
//! site takes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use sessile::Request;
use sessile::clock::{Clock, ManualClock, Timestamp};
use sessile::login::{Credentials, Login, LoginError};
use sessile::renew::{Again, Answer, KeepError, Kept, KeptOptions, Mode, NoRenewal, Renewer, edit};
use sessile::site::Site;
use sessile::store::{Name, StoreOptions, Vault};
use sessile::transport::Transport;

use super::town::{Door, PASSWORD, Town};

const HOLDERS: usize = 4;
const REQUESTS: usize = 50;

struct World {
    clock: Arc<ManualClock>,
    town: Arc<Town>,
    vault: Vault,
}

impl World {
    /// A site, a stored session that is logged in, and its holders.
    async fn new() -> (Self, Vec<Kept>) {
        let world = Self {
            clock: Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000))),
            town: Town::new(),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
        };
        let url = "http://town.test/login".parse().unwrap();
        let mut login = Login::form(url, "ada", PASSWORD.to_owned().into());
        login.remember = true;
        login.profile = "browser".parse().unwrap();
        let (vault, name) = (&world.vault, &name());
        let logged_in = Kept::log_in(vault, name, login, world.options()).await;
        logged_in.unwrap();
        let opened = (0..HOLDERS).map(|_| Kept::open(vault, name, world.options()));
        let holders = join_all(opened).await.into_iter().map(Result::unwrap);
        let holders = holders.collect();
        (world, holders)
    }

    fn options(&self) -> KeptOptions {
        let mut options = KeptOptions::default();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let town = Arc::clone(&self.town) as Arc<dyn Transport>;
        options.builder = options.builder.clock(clock).transport(town);
        options
    }

    /// What is stored has another password from now on.
    async fn change_password(&self) {
        edit(&self.vault, &name(), |record| {
            let login = record.login.as_mut().unwrap();
            login.credentials.password = Some("of yesterday".to_owned().into());
        })
        .await
        .unwrap();
    }
}

fn name() -> Name {
    "ada".parse().unwrap()
}

fn get(path: &str) -> Request {
    Request::get(format!("http://town.test{path}"))
}

/// The requests of all holders, at once.
async fn all(holders: &[Kept], path: &str) -> Vec<Result<Answer, KeepError>> {
    let requests = holders
        .iter()
        .flat_map(|kept| (0..REQUESTS).map(move |_| kept.send(get(path))));
    join_all(requests).await
}

#[tokio::test(start_paused = true)]
async fn two_hundred_requests_on_a_dead_login_are_answered_after_one_login() {
    let (world, holders) = World::new().await;
    for path in ["/members", "/data", "/slow"] {
        let before = world.town.logins();
        world.town.kill();
        let answers = all(&holders, path).await;
        assert_eq!(answers.len(), HOLDERS * REQUESTS);
        for answer in answers {
            assert_eq!(answer.unwrap().reply.status(), 200, "{path}");
        }
        assert_eq!(world.town.logins(), before + 1, "{path}");
        assert_eq!(world.town.attempts(), before + 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_renewed_before_the_cookie_ends_that_carries_it() {
    let (world, _form) = World::new().await;
    let file = "[login]\nurl = 'http://town.test/login'\n[renew]\ncookies = 'sid'\n";
    let site = Arc::new(Site::parse(file, "town.toml").unwrap());
    let password = Some(PASSWORD.to_owned().into());
    let mut login = Login::site(site, Credentials::new("ada", password));
    login.remember = true;
    let (vault, name) = (&world.vault, &name());
    let logged_in = Kept::log_in(vault, name, login, world.options()).await;
    logged_in.unwrap();
    let opened = (0..HOLDERS).map(|_| Kept::open(vault, name, world.options()));
    let holders: Vec<Kept> = join_all(opened)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let before = world.town.logins();

    // The cookie lives ten minutes, and the margin is one.
    world.clock.advance(Duration::from_secs(530));
    let mut options = world.options();
    options.mode = Mode::ReadOnly;
    let reader = Kept::open(vault, name, options).await.unwrap();
    assert!(all(&holders, "/data").await.iter().all(Result::is_ok));
    assert_eq!(world.town.logins(), before);

    world.clock.advance(Duration::from_secs(15));
    reader.send(get("/data")).await.unwrap();
    assert_eq!(world.town.logins(), before, "a read-only run logged in");
    for _round in 0..2 {
        for answer in all(&holders, "/data").await {
            assert_eq!(answer.unwrap().reply.status(), 200);
        }
        assert_eq!(world.town.logins(), before + 1);
    }

    // What can't be renewed early is used while it lasts, and left alone.
    world.clock.advance(Duration::from_secs(545));
    world.town.set_door(Door::Failing);
    for _round in 0..2 {
        assert!(all(&holders, "/data").await.iter().all(Result::is_ok));
    }
    assert_eq!(world.town.attempts(), world.town.logins() + 1);
}

#[tokio::test(start_paused = true)]
async fn who_logs_in_again_is_the_same_as_before() {
    let (world, holders) = World::new().await;
    let agents = world.town.agents();
    assert_eq!(agents.len(), 1, "{agents:?}");
    let proxy: sessile::transport::Proxy = "http://proxy.test:3128".parse().unwrap();
    let chosen = Some(proxy.clone());
    edit(&world.vault, &name(), move |record| {
        record.state.set_proxy(chosen)
    })
    .await
    .unwrap();
    let before = holders[0].record();
    world.town.kill();
    holders[0].send(get("/members")).await.unwrap();
    let after = holders[0].record();
    assert_eq!(after.state.generation(), before.state.generation() + 1);
    assert_eq!(after.state.profile(), before.state.profile());
    assert_eq!(after.state.proxy(), Some(&proxy));
    assert_eq!((after.id, after.created), (before.id, before.created));
    assert_eq!(world.town.agents(), agents);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_sent_once_whoever_asks() {
    let (world, holders) = World::new().await;
    world.change_password().await;
    world.town.kill();
    let mut told = 0;
    for _round in 0..2 {
        for answer in all(&holders, "/members").await {
            match answer.unwrap_err() {
                KeepError::Login(LoginError::Refused { .. }) => told += 1,
                KeepError::LoggedOut { why, .. } => {
                    assert!(matches!(why, NoRenewal::Refused { .. }), "{why}");
                }
                other => panic!("{other}"),
            }
        }
        // However long ago it was.
        world.clock.advance(Duration::from_secs(30 * 24 * 3600));
    }
    assert_eq!((told, world.town.attempts()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_site_that_wants_no_logins_is_left_alone_by_all_for_as_long() {
    let (world, holders) = World::new().await;
    let stored = || async { Kept::open(&world.vault, &name(), world.options()).await };
    let before = stored().await.unwrap().record();
    world.town.kill();
    world.town.set_door(Door::TooMany);
    assert!(all(&holders, "/members").await.iter().all(Result::is_err));
    world.clock.advance(Duration::from_secs(59));
    world.town.set_door(Door::Open);
    assert!(all(&holders, "/members").await.iter().all(Result::is_err));
    assert_eq!(world.town.attempts(), 2);

    // The login that failed has left the one that is stored.
    let after = stored().await.unwrap().record();
    assert_eq!(after.state.generation(), before.state.generation());
    let cookies = |record: &sessile::record::Record| -> Vec<String> {
        let cookies = record.state.jar().iter();
        cookies
            .map(|cookie| cookie.value_lossy().into_owned())
            .collect()
    };
    assert_eq!(cookies(&after), cookies(&before));

    world.clock.advance(Duration::from_secs(2));
    assert!(all(&holders, "/members").await.iter().all(Result::is_ok));
    assert_eq!((world.town.attempts(), world.town.logins()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_site_in_trouble_is_left_alone_for_a_moment_and_then_asked_again() {
    let (world, holders) = World::new().await;
    world.town.kill();
    world.town.set_door(Door::Failing);
    let mut told = 0;
    for answer in all(&holders, "/members").await {
        let error = answer.unwrap_err();
        if matches!(error, KeepError::Login(LoginError::Failing { .. })) {
            told += 1;
        }
    }
    assert_eq!((told, world.town.attempts()), (1, 2));
    world.town.set_door(Door::Open);
    world.clock.advance(Duration::from_secs(16));
    assert!(all(&holders, "/members").await.iter().all(Result::is_ok));
    assert_eq!(world.town.logins(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_of_another_holder_starts_nothing_and_brings_nothing_back() {
    let (world, holders) = World::new().await;
    world.town.kill();
    let late = holders[0].send(get("/slow"));
    let meanwhile = async {
        let answer = holders[1].send(get("/data")).await.unwrap();
        assert_eq!(answer.renewal.unwrap().by, Renewer::Ourselves);
    };
    let (late, ()) = join(late, meanwhile).await;
    let late = late.unwrap();
    assert_eq!(late.renewal.unwrap().by, Renewer::Other);
    assert_eq!((world.town.logins(), world.town.attempts()), (2, 2));
    holders[0].save().await.unwrap();

    // A slow reply to a request that was sent before the login died.
    let slow = holders[0].send(get("/slow"));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.town.kill();
        holders[1].send(get("/data")).await.unwrap();
        // The first holder hears of it while its request is still under way.
        holders[0].send(get("/data")).await.unwrap();
    };
    let (slow, ()) = join(slow, meanwhile).await;
    assert_eq!(slow.unwrap().reply.status(), 200);
    let state = holders[0].session().state();
    let mut cookies = state.jar().iter();
    // The first reply came too late, the second was to the request's repetition, the third again
    // came too late.
    let seen = cookies.find(|cookie| cookie.name_lossy() == "seen");
    assert_eq!(seen.unwrap().value_lossy(), "2");
    assert_eq!(world.town.logins(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_ended_again_and_again_is_renewed_as_often() {
    let (world, holders) = World::new().await;
    let kept = &holders[0];
    for round in 0..20 {
        let before = world.town.logins();
        world.town.kill_again(2);
        let answer = kept.send(get("/data")).await.unwrap();
        assert_eq!(answer.reply.status(), 200, "{round}");
        assert_eq!(world.town.logins(), before + 2, "{round}");
    }
    // One request asks for so many logins and no more; then they are left alone for a while.
    let before = world.town.logins();
    world.town.kill_again(9);
    let refused = kept.send(get("/data")).await.unwrap_err();
    let KeepError::LoggedOut { why, .. } = refused else {
        panic!("{refused}");
    };
    assert!(matches!(why, NoRenewal::StillAsking), "{why}");
    let refused = kept.send(get("/data")).await.unwrap_err();
    let is_held_back = matches!(
        refused,
        KeepError::LoggedOut {
            why: NoRenewal::Refused {
                again: Again::After(_),
                ..
            },
            ..
        }
    );
    assert!(is_held_back, "{refused}");
    assert_eq!(world.town.logins(), before + 3);
    world.clock.advance(Duration::from_secs(16));
    world.town.kill_again(1);
    let answer = kept.send(get("/data")).await.unwrap();
    assert_eq!(answer.reply.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_can_be_repeated_is_sent_twice_at_most_and_another_once() {
    let (world, holders) = World::new().await;
    world.town.kill();
    let posts = holders.iter().flat_map(|kept| {
        (0..REQUESTS).map(move |_| kept.send(Request::post("http://town.test/notes").body("one")))
    });
    for answer in join_all(posts).await {
        assert_eq!(answer.unwrap().reply.status(), 201);
    }
    let count = HOLDERS * REQUESTS;
    assert_eq!(
        world.town.notes(),
        (count, 2 * u32::try_from(count).unwrap())
    );

    world.town.kill();
    let piece = bytes::Bytes::from_static(b"two");
    let stream = futures_util::stream::once(async move { Ok(piece) });
    let streamed = Request::post("http://town.test/notes").stream(Box::pin(stream));
    let refused = holders[0].send(streamed).await.unwrap_err();
    assert!(
        matches!(refused, KeepError::NotReplayable { .. }),
        "{refused}"
    );
    assert_eq!(world.town.notes().0, count);
    assert_eq!(world.town.logins(), 3);
}
