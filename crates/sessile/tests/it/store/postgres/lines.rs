//! A database that is away, or goes away: what was acknowledged is there, and what failed is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sessile::renew::{KeepError, Kept, KeptOptions, edit};
use sessile::store::{StoreError, StoreOptions, StoreUrl, Vault};
use sessile::transport::{ScriptedReply, ScriptedTransport};
use sessile::{Request, Session};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::database::server;
use super::proxy::{Line, Proxy};
use crate::store::support::*;

/// For those who are to give up soon, yet not before a busy machine has done its work.
const IMPATIENT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_line_that_was_cut_is_made_anew() {
    let (proxy, database) = behind_a_proxy().await;
    let vault = open_by(&proxy, &database, Duration::from_secs(10)).await;
    for round in 0..5 {
        put(&vault, "row", &format!("{round}")).await.unwrap();
        proxy.set(Line::Cut);
        proxy.set(Line::Open);
        // What is read is read again by itself; a change is tried again as long as nothing was decided.
        let content = get(&vault, "row").await.unwrap();
        assert_eq!(content, Some(format!("{round}")));
    }
}

#[tokio::test]
async fn a_line_that_stays_cut_is_waited_for_and_then_said() {
    let (proxy, database) = behind_a_proxy().await;
    let vault = open_by(&proxy, &database, IMPATIENT).await;
    put(&vault, "row", "before").await.unwrap();
    proxy.set(Line::Cut);
    unreachable(put(&vault, "row", "lost").await.map(drop));
    unreachable(get(&vault, "row").await.map(drop));
    proxy.set(Line::Open);
    assert_eq!(get(&vault, "row").await.unwrap().as_deref(), Some("before"));
    put(&vault, "row", "after").await.unwrap();
}

#[tokio::test]
async fn a_line_that_falls_silent_is_given_up_in_time() {
    let (proxy, database) = behind_a_proxy().await;
    let vault = open_by(&proxy, &database, IMPATIENT).await;
    put(&vault, "row", "before").await.unwrap();
    proxy.set(Line::Silent);
    let error = put(&vault, "row", "lost").await.unwrap_err();
    assert!(
        error.to_string().ends_with("no answer for 2000 ms"),
        "{error}"
    );
    unreachable(get(&vault, "row").await.map(drop));
    proxy.set(Line::Open);
    put(&vault, "row", "after").await.unwrap();
    assert_eq!(get(&vault, "row").await.unwrap().as_deref(), Some("after"));
}

#[tokio::test]
async fn requests_go_on_while_the_database_is_away_and_their_cookies_are_stored_afterwards() {
    let (proxy, database) = behind_a_proxy().await;
    for away in [Line::Cut, Line::Silent] {
        let vault = open_by(&proxy, &database, IMPATIENT).await;
        let site = ScriptedTransport::new();
        for number in 0..20 {
            let reply = ScriptedReply::ok("hello").header("set-cookie", &format!("id={number}"));
            site.on(format!("GET http://a.test/{number}"), reply);
        }
        let mut options = KeptOptions::default();
        options.save_every = Duration::ZERO;
        options.builder = Session::builder().transport(site);
        let kept = Kept::create(&vault, &name("row"), <_>::default(), options).unwrap();
        kept.save().await.unwrap();
        let ask = async |number: u32| {
            let url = format!("http://a.test/{number}");
            kept.send(Request::get(&url)).await.unwrap();
        };
        ask(0).await;
        proxy.set(away);
        for number in 1..20 {
            ask(number).await;
        }
        unreachable(kept.save().await.map_err(|error| match error {
            KeepError::Store(error) => error,
            other => panic!("{other}"),
        }));
        proxy.set(Line::Open);
        kept.close().await.unwrap();
        let subject = name("row");
        let stored = edit(&vault, &subject, |record| {
            let jar = record.state.jar();
            let cookies = jar.iter().map(|cookie| cookie.value().to_owned());
            cookies.collect::<Vec<_>>()
        });
        assert_eq!(stored.await.unwrap(), [b"19"]);
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_looked_up() {
    let (proxy, database) = behind_a_proxy().await;
    let vault = open_by(&proxy, &database, Duration::from_secs(10)).await;
    put(&vault, "row", "before").await.unwrap();
    proxy.set(Line::LoseAnswer);
    let stored = put(&vault, "row", "stored").await.unwrap();
    assert_eq!(proxy.met.load(Ordering::SeqCst), 1);
    let loaded = vault.load(&name("row")).await.unwrap();
    assert_eq!(loaded, Some(stored));
}

#[tokio::test]
async fn a_commit_that_is_lost_changed_nothing() {
    let (proxy, database) = behind_a_proxy().await;
    let vault = open_by(&proxy, &database, Duration::from_secs(10)).await;
    let before = put(&vault, "row", "before").await.unwrap();
    proxy.set(Line::LoseCommit);
    unreachable(put(&vault, "row", "lost").await.map(drop));
    assert_eq!(proxy.met.load(Ordering::SeqCst), 1);
    assert_eq!(vault.load(&name("row")).await, Ok(Some(before)));
    put(&vault, "row", "after").await.unwrap();
}

#[tokio::test]
async fn when_nobody_can_be_asked_what_became_of_a_commit_that_is_said() {
    let (proxy, database) = behind_a_proxy().await;
    let vault = open_by(&proxy, &database, IMPATIENT).await;
    put(&vault, "row", "before").await.unwrap();
    // The line falls silent between the decision and the commit, and stays so.
    let subject = name("row");
    let (decided, silenced) = (mpsc::channel(), mpsc::channel());
    let change = vault.update(&subject, move |_before| {
        decided.0.send(()).unwrap();
        silenced.1.recv().unwrap();
        Ok::<_, StoreError>(write("unclear"))
    });
    let mut task = JoinSet::new();
    task.spawn_blocking(move || {
        decided.1.recv().unwrap();
        proxy.set(Line::Silent);
        silenced.0.send(()).unwrap();
        proxy
    });
    let error = change.await.unwrap_err();
    assert!(matches!(error, StoreError::Unclear { .. }), "{error}");
    let proxy = task.join_next().await.unwrap().unwrap();
    proxy.set(Line::Open);
    let content = get(&vault, "row").await.unwrap();
    assert!(
        matches!(content.as_deref(), Some("before" | "unclear")),
        "{content:?}"
    );
}

#[tokio::test]
async fn a_database_that_was_never_there_is_said_at_once() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let url = StoreUrl::parse(&format!("postgres://me:hunter2@127.0.0.1:{port}/web")).unwrap();
    let error = Vault::open(&url, &key(1), &StoreOptions::default())
        .await
        .unwrap_err();
    let said = error.to_string();
    let start = format!("the store postgres://me@127.0.0.1:{port}/web can't be reached: ");
    assert!(said.starts_with(&start), "{said}");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn who_stands_still_in_the_middle_of_a_change_is_thrown_out() {
    let database = Database::new().await;
    let mut options = StoreOptions::default();
    options.lock_timeout = IMPATIENT;
    let slow = database.try_open(&key(1), &options).await.unwrap();
    put(&slow, "row", "before").await.unwrap();
    let other = database.open().await;
    let (stored, go_on) = mpsc::channel::<()>();
    let (started, stands) = mpsc::channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let subject = name("row");
        let change = slow.update(&subject, move |_before| {
            started.send(()).unwrap();
            go_on.recv().unwrap();
            Ok::<_, StoreError>(write("too late"))
        });
        let outcome = change.await;
        (slow, outcome)
    });
    tokio::task::spawn_blocking(move || stands.recv().unwrap())
        .await
        .unwrap();
    // It waits until the database has lost patience with the other.
    put(&other, "row", "meanwhile").await.unwrap();
    stored.send(()).unwrap();
    let (slow, outcome) = task.join_next().await.unwrap().unwrap();
    unreachable(outcome.map(drop));
    assert_eq!(
        get(&slow, "row").await.unwrap().as_deref(),
        Some("meanwhile")
    );
}

#[tokio::test]
async fn a_lock_that_is_held_for_too_long_is_said() {
    let database = Database::new().await;
    let mut options = StoreOptions::default();
    options.lock_timeout = Duration::from_millis(300);
    let impatient = database.try_open(&key(1), &options).await.unwrap();
    let vault = database.open().await;
    put(&vault, "row", "before").await.unwrap();
    database.sql("BEGIN; SELECT * FROM record FOR UPDATE").await;
    match put(&impatient, "row", "late").await {
        Err(StoreError::Locked { waited, .. }) => assert_eq!(waited, Duration::from_millis(300)),
        other => panic!("{other:?}"),
    }
    // Readers go on meanwhile, and so do writers of other rows.
    assert_eq!(get(&vault, "row").await.unwrap().as_deref(), Some("before"));
    put(&vault, "other", "x").await.unwrap();
    database.sql("ROLLBACK").await;
    put(&vault, "row", "after").await.unwrap();
}

#[tokio::test]
async fn changes_of_others_are_heard_and_a_lost_line_is_never_quiet() {
    let (proxy, database) = behind_a_proxy().await;
    let ours = open_by(&proxy, &database, Duration::from_secs(10)).await;
    let other = database.open().await;
    put(&other, "row", "1").await.unwrap();
    let seen = quiet(&ours).await;
    put(&other, "row", "2").await.unwrap();
    until("a change is heard", || ours.changes().unwrap() != seen).await;
    quiet(&ours).await;
    for lost in [Line::Cut, Line::Silent] {
        proxy.set(lost);
        // As long as nothing can be heard, every look may find something.
        until("the loss is noticed", || {
            let numbers = [(); 3].map(|()| ours.changes().unwrap());
            numbers[0] < numbers[1] && numbers[1] < numbers[2]
        })
        .await;
        let seen = ours.changes().unwrap();
        proxy.set(Line::Open);
        assert_ne!(quiet(&ours).await, seen);
    }
}

#[tokio::test]
async fn a_server_that_crashes_among_writers_loses_nothing_acknowledged() {
    let server = Server::start();
    let database = Database::on(&server.url()).await;
    let writers = Writers::start(&database).await;
    for _crash in 0..3 {
        writers.wait_for_more(40).await;
        server.tell("crash");
        server.tell("again");
    }
    writers.wait_for_more(40).await;
    writers.end_and_compare(&database).await;
}

#[tokio::test]
async fn connections_ended_in_the_middle_of_changes_lose_nothing_acknowledged() {
    let server = Server::start();
    let database = Database::on(&server.url()).await;
    let writers = Writers::start(&database).await;
    for _round in 0..20 {
        writers.wait_for_more(10).await;
        database
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sessile'")
            .await;
    }
    writers.wait_for_more(40).await;
    writers.end_and_compare(&database).await;
}

/// Tasks that write numbered rows, on two handles, until they are told to end.
struct Writers {
    is_over: Arc<AtomicBool>,
    tasks: JoinSet<BTreeMap<String, Result<(), StoreError>>>,
    count: Arc<std::sync::atomic::AtomicUsize>,
}

impl Writers {
    async fn start(database: &Database) -> Self {
        let mut writers = Self {
            is_over: Arc::default(),
            tasks: JoinSet::new(),
            count: Arc::default(),
        };
        for handle in 0..2 {
            let vault = database.open().await;
            for task in 0..4 {
                let (vault, is_over) = (vault.clone(), Arc::clone(&writers.is_over));
                let count = Arc::clone(&writers.count);
                writers.tasks.spawn(async move {
                    let mut outcomes = BTreeMap::new();
                    for number in 0.. {
                        if is_over.load(Ordering::SeqCst) {
                            break;
                        }
                        let row = format!("row {handle} {task} {number}");
                        let outcome = put(&vault, &row, &row).await.map(drop);
                        let is_stored = outcome.is_ok();
                        outcomes.insert(row, outcome);
                        if is_stored {
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    outcomes
                });
            }
        }
        writers
    }

    /// Until so many more rows are acknowledged.
    async fn wait_for_more(&self, rows: usize) {
        let enough = self.count.load(Ordering::SeqCst) + rows;
        until("the writers go on", || {
            self.count.load(Ordering::SeqCst) >= enough
        })
        .await;
    }

    async fn end_and_compare(self, database: &Database) {
        self.is_over.store(true, Ordering::SeqCst);
        let vault = database.open().await;
        let (mut stored, mut failed) = (0, 0);
        for (row, outcome) in self.tasks.join_all().await.into_iter().flatten() {
            let content = get(&vault, &row).await.unwrap();
            match outcome {
                Ok(()) => {
                    stored += 1;
                    assert_eq!(content.as_ref(), Some(&row), "acknowledged");
                }
                Err(StoreError::Unreachable { .. }) => {
                    failed += 1;
                    assert_eq!(content, None, "{row} was refused");
                }
                Err(StoreError::Unclear { .. }) => {}
                Err(other) => panic!("{row}: {other}"),
            }
        }
        assert!(stored >= 100, "{stored} stored, {failed} failed");
        assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
    }
}

/// A server of this test's own, which may crash.
struct Server {
    folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        server.tell("start");
        server
    }

    fn url(&self) -> String {
        let url = std::fs::read_to_string(self.folder.path().join("url")).unwrap();
        url.trim().to_owned()
    }

    fn tell(&self, verb: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test-postgres");
        let told = Command::new(script)
            .arg(verb)
            .arg(self.folder.path())
            .status();
        assert!(told.unwrap().success(), "{verb}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell("stop");
    }
}

async fn behind_a_proxy() -> (Proxy, Database) {
    let url = url::Url::parse(&server()).unwrap();
    (Proxy::to(url.port().unwrap()).await, Database::new().await)
}

async fn open_by(proxy: &Proxy, database: &Database, patience: Duration) -> Vault {
    let mut options = StoreOptions::default();
    options.lock_timeout = patience;
    let url = database.url_by(&proxy.url(&database.server));
    Vault::open(&StoreUrl::parse(&url).unwrap(), &key(1), &options)
        .await
        .unwrap()
}

/// The number of changes, once nothing moves it.
async fn quiet(vault: &Vault) -> u64 {
    let mut seen = 0;
    until("nothing changes", || {
        let before = seen;
        seen = vault.changes().unwrap();
        seen == before
    })
    .await;
    seen
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _try in 0..3000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not after half a minute");
}

#[track_caller]
fn unreachable(outcome: Result<(), StoreError>) {
    match outcome {
        Err(StoreError::Unreachable { .. }) => {}
        other => panic!("{other:?}"),
    }
}
