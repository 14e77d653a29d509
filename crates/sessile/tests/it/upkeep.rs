//! What a store goes through in the long run: leases that nobody wants any more, keys that change
//! under everybody's hands, a disk that takes no more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sessile::Secret;
use sessile::clock::{Clock, ManualClock, Timestamp};
use sessile::store::{
    Acquired, HolderId, KeySource, Lease, LeaseKey, Name, NextPlain, StoreError, StoreOptions,
    StoreUrl, Vault,
};
use tokio::task::JoinSet;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn leases_that_ended_long_ago_leave_and_numbers_go_on_growing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
    let mut options = StoreOptions::default();
    options.clock = Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>;
    for url in [StoreUrl::sqlite(&path), StoreUrl::Memory] {
        let vault = Vault::open(&url, &key(1), &options).await.unwrap();
        let mut last = lease(&vault, "early", HOUR).await;
        let early = last.clone();
        for round in 0..3 {
            for number in 0..400 {
                let next = lease(&vault, &format!("{round} {number}"), HOUR).await;
                assert!(next.number > last.number);
                last = next;
            }
            clock.advance(HOUR * 30);
        }
        let long = lease(&vault, "long", HOUR * 1000).await;
        for number in 0..1100 {
            lease(&vault, &format!("later {number}"), HOUR).await;
        }
        // Who slept through all of it is refused, and a long lease holds.
        let late = write(&vault, "a", Some(&early)).await;
        assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
        write(&vault, "a", Some(&long)).await.unwrap();
        assert!(lease(&vault, "early", HOUR).await.number > long.number);
    }
    let store = rusqlite::Connection::open(&path).unwrap();
    let count = "SELECT count(*) FROM lease";
    let left: i64 = store.query_row(count, (), |row| row.get(0)).unwrap();
    assert!(left < 2200, "{left}");
}

#[tokio::test]
async fn who_changes_the_keys_is_named_and_waited_for_no_longer_than_said() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
    let mut options = StoreOptions::default();
    options.clock = Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>;
    let vault = Vault::in_memory(&options).await.unwrap();
    let lock = LeaseKey::parse("key rotation").unwrap();
    let killed = HolderId::parse("4711-abc").unwrap();
    let fifteen = Duration::from_secs(15);
    vault.acquire(&lock, &killed, fifteen).await.unwrap();
    let refused = vault.rotate_key(&key(2), |_| (), || Ok(())).await;
    let words = refused.unwrap_err().to_string();
    assert!(
        words.contains("process 4711, which changes its keys"),
        "{words}"
    );
    assert!(words.contains("15 s"), "{words}");
    clock.advance(fifteen);
    vault.rotate_key(&key(2), |_| (), || Ok(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let vault = open(&path, &key(1)).await.unwrap();
    let rows = rows();
    for start in (0..rows).step_by(256) {
        let names = (start..rows.min(start + 256)).map(|row| format!("row {row}"));
        let written = names.map(|row| {
            let vault = vault.clone();
            async move { write(&vault, &row, None).await.map(drop) }
        });
        futures_util::future::try_join_all(written).await.unwrap();
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let other = open(&path, &key(1)).await.unwrap();
        let is_over = Arc::clone(&is_over);
        writers.spawn(async move {
            let mut written = 0;
            while !is_over.load(Ordering::SeqCst) {
                let name = format!("row {}", (written * 7919 + writer) % rows);
                append(&other, &name, writer).await;
                written += 1;
            }
            written
        });
    }
    let (next, runtime) = (key(2), tokio::runtime::Handle::current());
    let mut written = 0;
    let done = vault.rotate_key(
        &next,
        |_| (),
        || {
            // Whoever slept through all of it would be told that his key is retired.
            is_over.store(true, Ordering::SeqCst);
            let all = tokio::task::block_in_place(|| runtime.block_on(writers.join_all()));
            written = all.into_iter().sum();
            Ok(())
        },
    );
    let done = done.await.unwrap();
    assert_eq!((done.done, done.unreadable), (rows as u64, 0));
    assert!(matches!(
        open(&path, &key(1)).await,
        Err(StoreError::WrongKey { .. })
    ));
    let vault = open(&path, &key(2)).await.unwrap();
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
    let mut found = 0;
    for row in vault.list().await.unwrap() {
        found += vault.load(&row.name).await.unwrap().unwrap().plain.len() - CONTENT.len();
    }
    assert_eq!(
        found, written,
        "every write that was acknowledged is there, once"
    );
}

/// A larger run is asked for by the environment.
#[expect(clippy::disallowed_methods, reason = "the environment tells how many")]
fn rows() -> usize {
    std::env::var("SESSILE_ROTATED").map_or(2000, |count| count.parse().unwrap())
}

#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_takes_no_more_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    // In blocks of 512 bytes. A file may not grow beyond it, wherever in a write that is; ignored,
    // the signal of it leaves an error to the writer, as a full disk does.
    let shell = r#"trap "" XFSZ; ulimit -f 900; exec "$0" "$@""#;
    let mut child = Command::new("sh")
        .args(["-c", shell])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "upkeep::writer", "--nocapture"])
        .env("SESSILE_TEST_FULL", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines
        .map_while(Result::ok)
        .filter_map(|line| Some(line.split_once("> ")?.1.to_owned()))
        .collect();
    assert!(child.wait().unwrap().success());
    let (last, written) = said.split_last().unwrap();
    assert!(
        last.starts_with("failed: ") && last.contains("sessions.db"),
        "{last}"
    );
    assert!(written.len() > 10, "{said:?}");
    let vault = open(&path, &key(1)).await.unwrap();
    for name in written {
        let stored = vault.load(&name.parse().unwrap()).await.unwrap();
        assert_eq!(stored.unwrap().plain.as_slice(), CONTENT, "{name}");
    }
    write(&vault, "later", None).await.unwrap();
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

/// Not a test of its own: the body of the process that may not write much.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment tells what to do"
)]
async fn writer() {
    let Ok(path) = std::env::var("SESSILE_TEST_FULL") else {
        return;
    };
    let say = |text: &str| {
        std::io::stdout()
            .write_all(format!("> {text}\n").as_bytes())
            .unwrap();
    };
    let vault = open(Path::new(&path), &key(1)).await.unwrap();
    for number in 0.. {
        let name = format!("row {number}");
        match write(&vault, &name, None).await {
            Ok(()) => say(&name),
            Err(error) => return say(&format!("failed: {error}")),
        }
    }
}

const CONTENT: &[u8] = &[b'x'; 200];

async fn open(path: &Path, key: &KeySource) -> Result<Vault, StoreError> {
    Vault::open(&StoreUrl::sqlite(path), key, &StoreOptions::default()).await
}

fn key(fill: u8) -> KeySource {
    KeySource::Bytes(Secret::new([fill; 32]))
}

async fn lease(vault: &Vault, key: &str, ttl: Duration) -> Lease {
    let holder = HolderId::parse("holder").unwrap();
    let key = LeaseKey::parse(key).unwrap();
    match vault.acquire(&key, &holder, ttl).await.unwrap() {
        Acquired::Granted(lease) => lease,
        busy @ Acquired::Busy { .. } => panic!("{busy:?}"),
    }
}

async fn write(vault: &Vault, name: &str, lease: Option<&Lease>) -> Result<(), StoreError> {
    let (name, fence): (Name, _) = (name.parse()?, lease.map(Lease::fence));
    let next = NextPlain::Write {
        generation: 0,
        plain: CONTENT.to_vec().into(),
        fence,
    };
    let written = vault.update(&name, move |_before| Ok::<_, StoreError>(next));
    written.await.map(drop)
}

/// Adds one byte to a record.
async fn append(vault: &Vault, name: &str, writer: usize) {
    let name: Name = name.parse().unwrap();
    let appended = vault.update(&name, move |before| {
        let mut plain = before.unwrap().plain.to_vec();
        plain.push(u8::try_from(writer).unwrap());
        Ok::<_, StoreError>(NextPlain::Write {
            generation: 0,
            plain: plain.into(),
            fence: None,
        })
    });
    appended.await.unwrap();
}
