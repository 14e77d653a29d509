//! Several processes on one file. A process is this test program again, told by the environment what to be.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use sessile::store::{KeySource, StoreError, StoreOptions, StoreUrl, Vault};

use tokio::task::JoinSet;

use super::support::*;

/// What a process does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Adds its letter to one shared record, many times.
    Append,
    /// Asks for a keyring where there is none.
    NoKeyring,
    /// Reads and tries to write.
    ReadOnlyFile,
    /// Stores numbered records from many tasks until it is killed.
    WriteForever,
}

const ROLES: [Role; 4] = [
    Role::Append,
    Role::NoKeyring,
    Role::ReadOnlyFile,
    Role::WriteForever,
];
const APPENDS: usize = 200;

#[tokio::test]
async fn two_processes_lose_nothing_of_each_other() {
    let place = Place::new();
    let vault = place.open().await;
    let start = vault.changes().unwrap();
    let processes = [
        start_process(&place, Role::Append),
        start_process(&place, Role::Append),
    ];
    for mut process in processes {
        assert_eq!(process.lines().count(), 1);
        assert!(process.child.wait().unwrap().success());
    }
    let shared = vault.load(&name("shared")).await.unwrap().unwrap();
    assert_eq!(shared.plain.len(), 2 * APPENDS);
    assert_ne!(vault.changes().unwrap(), start);
}

#[tokio::test]
async fn processes_that_make_the_store_at_once_agree() {
    let place = Place::new();
    let processes: Vec<Process> = (0..4)
        .map(|_| start_process(&place, Role::Append))
        .collect();
    for mut process in processes {
        assert_eq!(process.lines().count(), 1);
        assert!(process.child.wait().unwrap().success());
    }
    let shared = place
        .open()
        .await
        .load(&name("shared"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shared.plain.len(), 4 * APPENDS);
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let place = Place::new();
    let mut all = BTreeMap::new();
    for round in 0..kills() {
        let acknowledged = killed_after(&place, 1 + (round * 37) % 97);
        stored_as_said(&place.open().await, &acknowledged).await;
        all.extend(acknowledged);
    }
    let vault = place.open().await;
    stored_as_said(&vault, &all).await;
    assert!(all.len() >= kills());
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

/// Kills a writing process after it said `enough`, and answers all that it said.
fn killed_after(place: &Place, enough: usize) -> BTreeMap<String, String> {
    let mut process = start_process(place, Role::WriteForever);
    let mut lines = process.lines();
    let mut said: Vec<String> = lines.by_ref().take(enough).collect();
    process.child.kill().unwrap();
    // What it had said before it died counts as well; its last line may be cut off.
    said.extend(lines.filter(|line| line.ends_with('.')));
    process.child.wait().unwrap();
    let pairs = said
        .iter()
        .filter_map(|line| line.trim_end_matches('.').split_once(' '));
    pairs
        .map(|(key, content)| (key.to_owned(), content.to_owned()))
        .collect()
}

async fn stored_as_said(vault: &Vault, said: &BTreeMap<String, String>) {
    for (key, content) in said {
        let stored = get(vault, key).await.unwrap();
        assert_eq!(stored.as_ref(), Some(content), "{key}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a longer run is asked for by the environment"
)]
fn kills() -> usize {
    std::env::var("SESSILE_KILLS").map_or(25, |count| count.parse().unwrap())
}

struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// What the process says, without what the test harness says around it.
    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let lines = self.output.take().unwrap().lines();
        lines.map_while(Result::ok).filter_map(|line| {
            let (_harness, said) = line.split_once("> ")?;
            Some(said.to_owned())
        })
    }
}

/// Runs a process to its end, and answers what it says.
pub(super) fn run_process(place: &Place, role: Role) -> Vec<String> {
    let mut process = start_process(place, role);
    let said = process.lines().collect();
    process.child.wait().unwrap();
    said
}

fn start_process(place: &Place, role: Role) -> Process {
    spawn(Command::new(std::env::current_exe().unwrap()), place, role)
}

fn spawn(mut command: Command, place: &Place, role: Role) -> Process {
    let mut child = command
        .args(["--exact", "store::processes::process", "--nocapture"])
        .env("SESSILE_TEST_ROLE", format!("{role:?}"))
        .env("SESSILE_TEST_STORE", place.path())
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().map(BufReader::new);
    Process { child, output }
}

/// Runs a process without the rights of the superuser, and answers what it says.
#[cfg(unix)]
pub(super) fn as_nobody(place: &Place, role: Role) -> Vec<String> {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    // The program may lie where only the superuser may enter.
    let copies = tempfile::tempdir().unwrap();
    let program = copies.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command.current_dir("/");
    if std::fs::metadata(copies.path()).unwrap().uid() == 0 {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(copies.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(65534).gid(65534);
    }
    let mut process = spawn(command, place, role);
    let said = process.lines().collect();
    process.child.wait().unwrap();
    said
}

/// Not a test of its own: the body of the processes that the others start.
#[test]
#[expect(clippy::disallowed_methods, reason = "the environment tells the role")]
fn process() {
    let Ok(role) = std::env::var("SESSILE_TEST_ROLE") else {
        return;
    };
    let role = ROLES
        .into_iter()
        .find(|known| format!("{known:?}") == role)
        .unwrap();
    let path = PathBuf::from(std::env::var("SESSILE_TEST_STORE").unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let source = match role {
        Role::NoKeyring => KeySource::Keyring {
            entry: "test".to_owned(),
            create: true,
        },
        Role::Append | Role::ReadOnlyFile | Role::WriteForever => key(1),
    };
    runtime.block_on(async {
        let opened = Vault::open(&StoreUrl::sqlite(path), &source, &StoreOptions::default()).await;
        match (role, opened) {
            (Role::Append, vault) => append(&vault.unwrap()).await,
            (Role::WriteForever, vault) => write_forever(&vault.unwrap()).await,
            (Role::NoKeyring, opened) => say(&opened.unwrap_err().to_string()),
            (Role::ReadOnlyFile, Ok(vault)) => read_only(&vault).await,
            (Role::ReadOnlyFile, Err(StoreError::ReadOnly { .. })) => say("read-only"),
            (Role::ReadOnlyFile, Err(other)) => say(&other.to_string()),
        }
    });
}

async fn append(vault: &Vault) {
    let shared = name("shared");
    for _time in 0..APPENDS {
        let add_one = vault.update(&shared, |before| {
            let mut content = before.map_or_else(Vec::new, |before| before.plain.to_vec());
            content.push(b'x');
            Ok::<_, StoreError>(write(content))
        });
        add_one.await.unwrap();
    }
    say("done");
}

async fn write_forever(vault: &Vault) {
    let start = vault.list().await.unwrap().len();
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let vault = vault.clone();
        tasks.spawn(async move {
            for number in 0.. {
                let key = format!("key-{start}-{task}-{number}");
                let content = format!("content-of-{key}");
                put(&vault, &key, &content).await.unwrap();
                // One record is fought over by all.
                put(&vault, "shared", &content).await.unwrap();
                say(&format!("{key} {content}."));
            }
        });
    }
    tasks.join_all().await;
}

async fn read_only(vault: &Vault) {
    let stored = get(vault, "row 0").await;
    say(if matches!(stored, Ok(Some(_))) {
        "read"
    } else {
        "unreadable"
    });
    match put(vault, "late", "x").await {
        Err(StoreError::ReadOnly { .. }) => say("read-only"),
        other => say(&format!("{other:?}")),
    }
}

fn say(text: &str) {
    // At once and in one piece; a reader that is gone ends the process.
    let line = format!("> {text}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}
