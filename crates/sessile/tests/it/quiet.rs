//! A process that is killed while its session is quiet. It is this test program again, told by the
//! environment what to do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sessile::renew::{Kept, KeptOptions, Mode};
use sessile::store::{KeySource, Name, StoreOptions, StoreUrl, Vault};
use sessile::{Request, Secret, Session, SessionState};

use crate::recorder::Recorder;

const SETS_ONE: &str = "HTTP/1.1 200 OK\r\nset-cookie: quiet=1\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn what_is_new_in_a_quiet_session_survives_a_kill_once_its_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("sessions.db");
    let mut child = quiet_process(&store, Duration::from_millis(20));
    let vault = open(&store).await;
    // It sends nothing more: only time can bring its cookie to the store.
    while cookies(&vault).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let vault = open(&store).await;
    assert_eq!(cookies(&vault).await, 1);
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kill_before_that_costs_what_was_new_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("sessions.db");
    let mut child = quiet_process(&store, Duration::from_secs(3600));
    child.kill().unwrap();
    child.wait().unwrap();
    let vault = open(&store).await;
    assert_eq!(cookies(&vault).await, 0);
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

/// A process that has got a cookie and goes quiet.
fn quiet_process(store: &Path, save_every: Duration) -> Child {
    let server = Recorder::answering(vec![SETS_ONE]);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "quiet::process", "--nocapture"])
        .env("SESSILE_TEST_QUIET", store)
        .env("SESSILE_TEST_EVERY", save_every.as_millis().to_string())
        .env("SESSILE_TEST_PAGE", format!("http://{}/", server.address))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("> sent")));
    child
}

/// Not a test of its own: the body of the process that the others start.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment tells what to do"
)]
async fn process() {
    let Ok(store) = std::env::var("SESSILE_TEST_QUIET") else {
        return;
    };
    let text = |name: &str| std::env::var(name).unwrap();
    let mut options = KeptOptions::default();
    options.save_every = Duration::from_millis(text("SESSILE_TEST_EVERY").parse().unwrap());
    options.builder = Session::builder();
    let vault = open(Path::new(&store)).await;
    let kept = Kept::create(&vault, &name(), SessionState::default(), options).unwrap();
    kept.save().await.unwrap();
    kept.send(Request::get(text("SESSILE_TEST_PAGE")))
        .await
        .unwrap();
    std::io::stdout().write_all(b"> sent\n").unwrap();
    std::future::pending().await
}

async fn open(store: &Path) -> Vault {
    let key = KeySource::Bytes(Secret::new([1; 32]));
    let options = StoreOptions::default();
    Vault::open(&StoreUrl::sqlite(store), &key, &options)
        .await
        .unwrap()
}

async fn cookies(vault: &Vault) -> usize {
    let mut options = KeptOptions::default();
    options.mode = Mode::ReadOnly;
    let kept = Kept::open(vault, &name(), options).await.unwrap();
    kept.session().state().jar().len()
}

fn name() -> Name {
    "quiet".parse().unwrap()
}
