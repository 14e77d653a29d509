//! Several processes that serve one pool. A process is this test program again, told by the
//! environment what to do.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sessile::clock::{Clock, SystemClock, Timestamp};
use sessile::pool::{Outcome, Pool, PoolOptions, Wish};
use sessile::store::{StoreOptions, StoreUrl, Vault};
use sessile::{Request, Secret, Session};
use sessile_practice::{Options, Site};
use tokio::time::sleep;

use super::support::{PATIENCE, World, name, users};

const SEATS: usize = 6;

/// The right to a seat and a lease last so long.
const TERM: Duration = Duration::from_secs(4);

/// How far the clock of a process is ahead.
const AHEAD: Duration = Duration::from_secs(10 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_is_followed_by_another_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("store.db").display());
    a_killed_process_is_followed_by_another(&url, Duration::ZERO).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_is_followed_by_another_in_postgres() {
    use crate::store::support::Ground as _;
    let database = crate::store::postgres::database::Database::new().await;
    a_killed_process_is_followed_by_another(&database.url(), AHEAD).await;
}

async fn a_killed_process_is_followed_by_another(url: &str, ahead: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(Options {
        users: users(SEATS),
        ..Options::default()
    });
    let site = site.await.unwrap();
    let vault = open(url).await;
    let world = World { site, vault };
    world
        .define(SEATS, "leases_per_session = 1\nlease_timeout = \"4s\"")
        .await;
    let first = Process::start(&world.site, url, folder.path(), Duration::ZERO);
    let second = Process::start(&world.site, url, folder.path(), ahead);
    for process in [&first, &second] {
        process.says(&format!("serves {}", SEATS / 2));
    }
    for process in [&first, &second] {
        process.says("leased");
    }
    first.kill();
    second.says(&format!("serves {SEATS}"));
    second.end();
    assert_eq!(world.site.logins(), u64::try_from(SEATS).unwrap());
    let view = Pool::look(&world.vault, &name()).await.unwrap();
    assert!(view.owners.is_empty(), "{view:?}");
    assert_eq!(view.seats.len(), SEATS);
}

/// A process that serves the pool and uses its sessions, each alone.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(site: &Site, url: &str, folder: &Path, ahead: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pool::shared::process", "--nocapture"])
            .env("SESSILE_TEST_SITE", site.url())
            .env("SESSILE_TEST_STORE", url)
            .env("SESSILE_TEST_FOLDER", folder)
            .env("SESSILE_TEST_AHEAD", ahead.as_secs().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Some((_, said)) = line.split_once("> ") else {
                    continue;
                };
                if sender.send(said.to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits until it says so, and that nothing was leased twice until then.
    #[track_caller]
    fn says(&self, wanted: &str) {
        tokio::task::block_in_place(|| {
            loop {
                let said = self.lines.recv_timeout(PATIENCE);
                let said = said.unwrap_or_else(|_| panic!("it doesn't say `{wanted}`"));
                assert!(!said.starts_with("wrong"), "{said}");
                if said == wanted {
                    return;
                }
            }
        });
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it end by itself.
    #[track_caller]
    fn end(mut self) {
        drop(self.child.stdin.take());
        self.says("closed");
        assert!(self.child.wait().unwrap().success());
    }
}

/// Not a test of its own: the body of the processes that the others start.
#[test]
#[expect(clippy::disallowed_methods, reason = "the environment tells where")]
fn process() {
    let Ok(site) = std::env::var("SESSILE_TEST_SITE") else {
        return;
    };
    let (Ok(url), Ok(ahead)) = (
        std::env::var("SESSILE_TEST_STORE"),
        std::env::var("SESSILE_TEST_AHEAD"),
    ) else {
        return;
    };
    let folder = PathBuf::from(std::env::var("SESSILE_TEST_FOLDER").unwrap());
    let ahead = Duration::from_secs(ahead.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(&site, &url, &folder, ahead));
}

async fn serve(site: &str, url: &str, folder: &Path, ahead: Duration) {
    let vault = open(url).await;
    let mut options = PoolOptions::default();
    options.hold = Some(TERM);
    options.builder = Session::builder().clock(Arc::new(Ahead(ahead)));
    let pool = Pool::open(&vault, &name(), options).await.unwrap();
    let stop = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut served = 0;
    let mut round = 0_u64;
    while !stop.is_finished() {
        let serves = pool.stats().valid;
        if serves != served {
            served = serves;
            say(&format!("serves {serves}"));
        }
        round += 1;
        use_one(&pool, site, folder, round).await;
    }
    pool.close(PATIENCE).await;
    say("closed");
}

/// Leases a session, and notes that nobody else may have it until when.
async fn use_one(pool: &Pool, site: &str, folder: &Path, round: u64) {
    let wish = Wish::default().exclusive();
    // Before it is granted: it ends no sooner, however late the mark is written.
    let until = SystemClock.now().plus(TERM).as_millis();
    let Ok(lease) = pool.lease(&wish, Duration::from_millis(200)).await else {
        return;
    };
    let mark = folder.join(lease.name().as_str());
    let made = OpenOptions::new().write(true).create_new(true).open(&mark);
    match made {
        Ok(mut file) => write!(file, "{until}").unwrap(),
        // A process that was killed left it: its lease has to be over.
        Err(_there) => {
            let left = fs::read_to_string(&mark).unwrap_or_default();
            let left: i64 = left.parse().unwrap_or(i64::MAX);
            if left > SystemClock.now().as_millis() {
                say(&format!("wrong: {} is leased twice", lease.name()));
            }
            fs::write(&mark, until.to_string()).unwrap();
        }
    }
    let answer = lease.send(Request::get(format!("{site}/members"))).await;
    if let Ok(answer) = answer {
        drop(answer.reply.bytes().await);
    }
    // Every tenth lease is under way for a while.
    sleep(Duration::from_millis(if round.is_multiple_of(10) {
        300
    } else {
        5
    }))
    .await;
    // One whose seat was lost in between is somebody else's.
    let is_ours = pool.lease_info(lease.id()).is_ok();
    if is_ours {
        fs::remove_file(&mark).unwrap();
        lease.finish(Outcome::Ok).ok();
        if round.is_multiple_of(10) {
            say("leased");
        }
    }
}

async fn open(url: &str) -> Vault {
    let key = sessile::store::KeySource::Bytes(Secret::new([1; 32]));
    let url = StoreUrl::parse(url).unwrap();
    Vault::open(&url, &key, &StoreOptions::default())
        .await
        .unwrap()
}

/// The machine's clock, put forward.
#[derive(Debug)]
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0)
    }
}

fn say(text: &str) {
    let line = format!("> {text}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

#[cfg(feature = "postgres")]
mod database {
    use sessile::pool::PoolError;

    use super::*;
    use crate::pool::support::{fetch, lease, ready};
    use crate::store::postgres::database::{Database, server};
    use crate::store::postgres::proxy::{Line, Proxy};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pool_outlives_its_database_being_cut_off() {
        let database = Database::new().await;
        let port = url::Url::parse(&server()).unwrap().port().unwrap();
        let line = Proxy::to(port).await;
        let url = StoreUrl::parse(&database.url_by(&line.url(&database.server))).unwrap();
        let key = sessile::store::KeySource::Bytes(Secret::new([1; 32]));
        let mut options = StoreOptions::default();
        options.lock_timeout = Duration::from_secs(1);
        let vault = Vault::open(&url, &key, &options).await.unwrap();
        let site = Site::start(Options {
            users: users(2),
            ..Options::default()
        });
        let site = site.await.unwrap();
        let world = World { site, vault };
        world.define(2, "lease_timeout = \"3s\"").await;
        let mut options = PoolOptions::default();
        options.hold = Some(TERM);
        let pool = Pool::open(&world.vault, &name(), options).await.unwrap();
        ready(&pool, 2).await;
        line.set(Line::Cut);
        // Until nobody can know any more whose the seats are.
        let refused = loop {
            match pool.lease(&Wish::default(), Duration::ZERO).await {
                Ok(lease) => drop(lease),
                Err(error) => break error,
            }
            sleep(Duration::from_millis(20)).await;
        };
        let is_known = matches!(
            refused,
            PoolError::Store(_) | PoolError::NoneAlive { .. } | PoolError::LeaseEnded
        );
        assert!(is_known, "{refused:?}");
        line.set(Line::Open);
        ready(&pool, 2).await;
        assert_eq!(fetch(&lease(&pool).await, &world.members()).await, 200);
        assert_eq!(world.site.logins(), 2);
        pool.close(PATIENCE).await;
    }
}
