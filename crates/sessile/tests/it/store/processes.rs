//! Several processes on one store. A process is this test program again, told by the environment what to be.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sessile::Profile;
use sessile::renew::{Kept, KeptOptions};
use sessile::session::SessionState;
use sessile::store::{Acquired, KeySource, StoreError, StoreOptions, StoreUrl, Vault};
use sessile_jar::{Context, Target};

use tokio::task::JoinSet;

use super::support::*;

/// What a process does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Adds its letter to one shared record, many times.
    Append,
    /// Receives cookies on one shared session.
    Merge,
    /// Asks for a keyring where there is none.
    NoKeyring,
    /// Reads and tries to write.
    ReadOnlyFile,
    /// Takes a lease, is told to go on, and writes under it.
    StandStill,
    /// Stores numbered records from many tasks until it is killed.
    WriteForever,
}

const ROLES: [Role; 6] = [
    Role::Append,
    Role::Merge,
    Role::NoKeyring,
    Role::ReadOnlyFile,
    Role::StandStill,
    Role::WriteForever,
];
const APPENDS: usize = 200;

/// How many cookies each process receives, how many between two writes, and how many names they have.
const MERGED: usize = 2000;
const MERGED_AT_ONCE: usize = 250;
const MERGED_NAMES: usize = 800;

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn two_processes_lose_nothing_of_each_other() {
        super::two_processes_lose_nothing_of_each_other(&Place::new()).await;
    }

    #[tokio::test]
    async fn processes_that_make_the_store_at_once_agree() {
        super::processes_that_make_the_store_at_once_agree(&Place::new()).await;
    }

    #[tokio::test]
    async fn a_killed_process_loses_nothing_acknowledged() {
        super::a_killed_process_loses_nothing_acknowledged(&Place::new()).await;
    }

    #[tokio::test]
    async fn cookies_of_four_processes_are_merged() {
        super::cookies_of_four_processes_are_merged(&Place::new()).await;
    }

    #[tokio::test]
    async fn a_process_that_stood_still_does_not_overwrite_its_successor() {
        super::a_process_that_stood_still_does_not_overwrite_its_successor(&Place::new()).await;
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;

    #[tokio::test]
    async fn two_processes_lose_nothing_of_each_other() {
        super::two_processes_lose_nothing_of_each_other(&Database::new().await).await;
    }

    #[tokio::test]
    async fn processes_that_make_the_store_at_once_agree() {
        super::processes_that_make_the_store_at_once_agree(&Database::new().await).await;
    }

    #[tokio::test]
    async fn a_killed_process_loses_nothing_acknowledged() {
        super::a_killed_process_loses_nothing_acknowledged(&Database::new().await).await;
    }

    #[tokio::test]
    async fn cookies_of_four_processes_are_merged() {
        super::cookies_of_four_processes_are_merged(&Database::new().await).await;
    }

    #[tokio::test]
    async fn a_process_that_stood_still_does_not_overwrite_its_successor() {
        let database = Database::new().await;
        super::a_process_that_stood_still_does_not_overwrite_its_successor(&database).await;
    }
}

async fn two_processes_lose_nothing_of_each_other(ground: &impl Ground) {
    let vault = ground.open().await;
    let start = vault.changes().unwrap();
    run_to_their_ends(ground, &[Role::Append; 2]);
    let shared = vault.load(&name("shared")).await.unwrap().unwrap();
    assert_eq!(shared.plain.len(), 2 * APPENDS);
    assert_ne!(vault.changes().unwrap(), start);
}

async fn processes_that_make_the_store_at_once_agree(ground: &impl Ground) {
    run_to_their_ends(ground, &[Role::Append; 4]);
    let vault = ground.open().await;
    let shared = vault.load(&name("shared")).await.unwrap().unwrap();
    assert_eq!(shared.plain.len(), 4 * APPENDS);
}

async fn a_killed_process_loses_nothing_acknowledged(ground: &impl Ground) {
    let mut all = BTreeMap::new();
    for round in 0..kills() {
        let acknowledged = killed_after(ground, 1 + (round * 37) % 97);
        stored_as_said(&ground.open().await, &acknowledged).await;
        all.extend(acknowledged);
    }
    let vault = ground.open().await;
    stored_as_said(&vault, &all).await;
    assert!(all.len() >= kills());
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

/// As many as a jar keeps of four processes; each is set several times over, so that the last one counts.
async fn cookies_of_four_processes_are_merged(ground: &impl Ground) {
    let vault = ground.open().await;
    let state = SessionState::new(Profile::Standard);
    let kept = Kept::create(&vault, &name("shared"), state, KeptOptions::default()).unwrap();
    kept.save().await.unwrap();
    run_to_their_ends(ground, &[Role::Merge; 4]);
    let shared = name("shared");
    let kept = Kept::open(&vault, &shared, KeptOptions::default());
    let state = kept.await.unwrap().session().state();
    let mut values: BTreeMap<String, usize> = BTreeMap::new();
    for cookie in state.jar().iter() {
        let value = String::from_utf8(cookie.value().to_vec()).unwrap();
        *values.entry(value).or_default() += 1;
    }
    assert_eq!(values.values().sum::<usize>(), 4 * MERGED_NAMES);
    // Each of the last values is there once for each process.
    let last = (MERGED - MERGED_NAMES)..MERGED;
    let expected: BTreeMap<String, usize> = last.map(|turn| (turn.to_string(), 4)).collect();
    assert_eq!(values, expected);
}

async fn a_process_that_stood_still_does_not_overwrite_its_successor(ground: &impl Ground) {
    let vault = ground.open().await;
    let mut process = start_process(ground, Role::StandStill);
    let mut lines = process.lines();
    assert_eq!(lines.next().as_deref(), Some("held"));
    process.signal(Signal::STOP);
    let key = lease_key("stand still");
    let lease = loop {
        match vault
            .acquire(&key, &holder("successor"), Duration::from_secs(30))
            .await
            .unwrap()
        {
            Acquired::Granted(lease) => break lease,
            Acquired::Busy { .. } => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let next = write_under("by the successor", &lease);
    vault
        .update(&name("shared"), |_before| Ok::<_, StoreError>(next))
        .await
        .unwrap();
    process.signal(Signal::CONT);
    process.go_on();
    assert_eq!(lines.collect::<Vec<_>>(), ["fenced", "fenced"]);
    process.child.wait().unwrap();
    let stored = get(&vault, "shared").await.unwrap();
    assert_eq!(stored.as_deref(), Some("by the successor"));
}

/// Starts all at once, and sees them through.
fn run_to_their_ends(ground: &impl Ground, roles: &[Role]) {
    let processes = roles.iter().map(|role| start_process(ground, *role));
    for mut process in processes.collect::<Vec<_>>() {
        assert_eq!(process.lines().collect::<Vec<_>>(), ["done"]);
        assert!(process.child.wait().unwrap().success());
    }
}

/// Kills a writing process after it said `enough`, and answers all that it said.
fn killed_after(ground: &impl Ground, enough: usize) -> BTreeMap<String, String> {
    let mut process = start_process(ground, Role::WriteForever);
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

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Tells it what it waits for.
    fn go_on(&mut self) {
        self.child
            .stdin
            .take()
            .unwrap()
            .write_all(b"go on\n")
            .unwrap();
    }
}

/// Runs a process to its end, and answers what it says.
pub(super) fn run_process(place: &Place, role: Role) -> Vec<String> {
    let mut process = start_process(place, role);
    let said = process.lines().collect();
    process.child.wait().unwrap();
    said
}

fn start_process(ground: &impl Ground, role: Role) -> Process {
    spawn(Command::new(std::env::current_exe().unwrap()), ground, role)
}

fn spawn(mut command: Command, ground: &impl Ground, role: Role) -> Process {
    let mut child = command
        .args(["--exact", "store::processes::process", "--nocapture"])
        .env("SESSILE_TEST_ROLE", format!("{role:?}"))
        .env("SESSILE_TEST_STORE", ground.url())
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdin(Stdio::piped())
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
    let url = StoreUrl::parse(&std::env::var("SESSILE_TEST_STORE").unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let source = match role {
        Role::NoKeyring => KeySource::Keyring {
            entry: "test".to_owned(),
            create: true,
        },
        _ => key(1),
    };
    runtime.block_on(async {
        let opened = Vault::open(&url, &source, &StoreOptions::default()).await;
        match (role, opened) {
            (Role::Append, vault) => append(&vault.unwrap()).await,
            (Role::Merge, vault) => merge(&vault.unwrap()).await,
            (Role::StandStill, vault) => stand_still(&vault.unwrap()).await,
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

async fn merge(vault: &Vault) {
    let shared = name("shared");
    let kept = Kept::open(vault, &shared, KeptOptions::default())
        .await
        .unwrap();
    let me = std::process::id();
    for start in (0..MERGED).step_by(MERGED_AT_ONCE) {
        kept.session().update(|state, now| {
            for turn in start..start + MERGED_AT_ONCE {
                let number = turn % MERGED_NAMES;
                // A site may not set more than a browser would keep of it.
                let url = format!("https://site{}.p{me}.example/", number / 100);
                let line = format!("n{number}={turn}; Max-Age=3600");
                let target = Target::parse(&url).unwrap();
                let context = Context::default();
                let stored = state
                    .jar_mut()
                    .store(line.as_bytes(), &target, &context, now);
                assert!(stored.is_ok(), "{line}");
            }
        });
        kept.save().await.unwrap();
    }
    say("done");
}

async fn stand_still(vault: &Vault) {
    let key = lease_key("stand still");
    let ttl = Duration::from_millis(300);
    let lease = granted(vault.acquire(&key, &holder("first"), ttl).await);
    let next = write_under("by the first", &lease);
    vault
        .update(&name("shared"), |_before| Ok::<_, StoreError>(next))
        .await
        .unwrap();
    say("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let next = write_under("too late", &lease);
    let written = vault
        .update(&name("shared"), |_before| Ok::<_, StoreError>(next))
        .await;
    let extended = vault.extend(&lease, ttl).await;
    for error in [written.map(drop), extended.map(drop)] {
        match error {
            Err(StoreError::Fenced { .. }) => say("fenced"),
            other => say(&format!("{other:?}")),
        }
    }
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
