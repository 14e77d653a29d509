//! Four processes with fifty requests each under way when the login dies. A process is this test
//! program again, told by the environment what to do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use sessile::login::Login;
use sessile::renew::{KeepError, Kept, KeptOptions, NoRenewal, edit};
use sessile::store::{KeySource, Name, StoreOptions, StoreUrl, Vault};
use sessile::{Request, Secret};
use sessile_practice::{ADA, ADA_PASSWORD, Options, Site};
use tempfile::TempDir;

const PROCESSES: usize = 4;
const REQUESTS: usize = 50;

struct World {
    folder: TempDir,
    site: Site,
    vault: Vault,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = open(&folder.path().join("store.db")).await;
        let site = Site::start(Options::default()).await.unwrap();
        let world = Self {
            folder,
            site,
            vault,
        };
        world.log_in(&name(), ADA_PASSWORD).await.unwrap();
        world
    }

    async fn log_in(&self, name: &Name, password: &str) -> Result<(), KeepError> {
        let url = format!("{}/login", self.site.url()).parse().unwrap();
        let mut login = Login::form(url, ADA, Secret::from(password.to_owned()));
        login.remember = true;
        let options = KeptOptions::default();
        Kept::log_in(&self.vault, name, login, options)
            .await
            .map(drop)
    }

    /// Lets all processes send, has the login die while every request is under way, and answers
    /// what each request came to.
    async fn die_under_all(&self) -> Vec<String> {
        let processes: Vec<Child> = (0..PROCESSES).map(|_| self.start()).collect();
        let all = u64::try_from(PROCESSES * REQUESTS).unwrap();
        let under_way = || {
            self.site
                .requests()
                .get("/members/held")
                .copied()
                .unwrap_or(0)
        };
        while under_way() < all {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.site.kill_sessions();
        self.site.let_go();
        let outcomes =
            tokio::task::spawn_blocking(|| processes.into_iter().flat_map(outcomes).collect());
        outcomes.await.unwrap()
    }

    fn start(&self) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hard::processes::process", "--nocapture"])
            .env("SESSILE_TEST_SITE", self.site.url())
            .env("SESSILE_TEST_FOLDER", self.folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

fn name() -> Name {
    "ada".parse().unwrap()
}

async fn open(path: &Path) -> Vault {
    let key = KeySource::Bytes(Secret::new([7; 32]));
    let options = StoreOptions::default();
    Vault::open(&StoreUrl::sqlite(path), &key, &options)
        .await
        .unwrap()
}

/// What a process says, without what the test harness says around it.
fn outcomes(mut process: Child) -> Vec<String> {
    let output = BufReader::new(process.stdout.take().unwrap());
    let lines = output.lines().map(Result::unwrap);
    let said = lines.filter_map(|line| Some(line.split_once("> ")?.1.to_owned()));
    let said = said.collect();
    assert!(process.wait().unwrap().success());
    said
}

fn count(outcomes: &[String], wanted: &str) -> usize {
    outcomes.iter().filter(|outcome| *outcome == wanted).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_under_way_are_answered_after_one_login() {
    let world = World::new().await;
    let outcomes = world.die_under_all().await;
    assert_eq!(
        count(&outcomes, "200"),
        PROCESSES * REQUESTS,
        "{outcomes:?}"
    );
    assert_eq!((world.site.attempts(), world.site.logins()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_sent_once() {
    let world = World::new().await;
    edit(&world.vault, &name(), |record| {
        let login = record.login.as_mut().unwrap();
        login.credentials.password = Some("of yesterday".to_owned().into());
    })
    .await
    .unwrap();
    let outcomes = world.die_under_all().await;
    let told = count(&outcomes, "login refused");
    let not_tried = count(&outcomes, "not tried again");
    assert_eq!(
        (told, not_tried),
        (1, PROCESSES * REQUESTS - 1),
        "{outcomes:?}"
    );
    assert_eq!((world.site.attempts(), world.site.logins()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_wants_no_more_logins_is_asked_once() {
    let world = World::new().await;
    for _attempt in 0..5 {
        let refused = world.log_in(&"other".parse().unwrap(), "a guess").await;
        assert!(refused.is_err());
    }
    let before = world.site.attempts();
    let outcomes = world.die_under_all().await;
    let told = count(&outcomes, "login rate-limited");
    let not_tried = count(&outcomes, "not tried again");
    assert_eq!(
        (told, not_tried),
        (1, PROCESSES * REQUESTS - 1),
        "{outcomes:?}"
    );
    assert_eq!(
        (world.site.attempts(), world.site.logins()),
        (before + 1, 1)
    );
}

/// Not a test of its own: the body of the processes that the others start.
#[test]
#[expect(clippy::disallowed_methods, reason = "the environment tells where")]
fn process() {
    let Ok(site) = std::env::var("SESSILE_TEST_SITE") else {
        return;
    };
    let folder = std::env::var("SESSILE_TEST_FOLDER").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let vault = open(&Path::new(&folder).join("store.db")).await;
        let kept = Kept::open(&vault, &name(), KeptOptions::default())
            .await
            .unwrap();
        let url = format!("{site}/members/held");
        let requests = (0..REQUESTS).map(|_| async {
            say(&match kept.send(Request::get(&url)).await {
                Ok(answer) => answer.reply.status().as_u16().to_string(),
                Err(error) => word(&error),
            });
        });
        join_all(requests).await;
        kept.save().await.unwrap();
    });
}

fn word(error: &KeepError) -> String {
    use sessile::login::LoginError;
    match error {
        KeepError::Login(LoginError::Refused { .. }) => "login refused".to_owned(),
        KeepError::Login(LoginError::RateLimited { .. }) => "login rate-limited".to_owned(),
        KeepError::LoggedOut {
            why: NoRenewal::Refused { .. },
            ..
        } => "not tried again".to_owned(),
        other => other.to_string(),
    }
}

fn say(text: &str) {
    let line = format!("> {text}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}
