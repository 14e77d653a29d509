//! Fifty tasks in four processes on one session whose access token lives for two seconds, at a
//! provider that gives each refresh token out for one use and takes everything back when one is used
//! twice. A process is this test program again, told by the environment what to do.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sessile::login::{Credentials, Login};
use sessile::renew::{Kept, KeptOptions};
use sessile::site::Site;
use sessile::store::{KeySource, Name, StoreOptions, StoreUrl, Vault};
use sessile::{Request, Secret};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{OpenIdProvider, browser};

/// How many tasks each process has.
const TASKS: [usize; 4] = [13, 13, 12, 12];

/// How long each task waits before it asks again.
const PACE: Duration = Duration::from_millis(100);

#[test]
fn each_refresh_token_is_used_once_however_many_share_it() {
    let provider = OpenIdProvider::with_tokens_for(2);
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("sessions.db");
    block_on(log_in(&provider, &store));
    assert_eq!(provider.grants().of("authorization_code"), 1);

    let time = time();
    let processes = TASKS.map(|tasks| start(&store, &provider.orders(), tasks, time));
    let answered: usize = processes.map(answers).iter().sum();

    let grants = provider.grants();
    let refreshes = grants.of("refresh_token");
    println!(
        "{answered} answers, {refreshes} refreshes in {} s",
        time.as_secs()
    );
    assert!(answered > 50, "{answered} answers");
    // A token lives between one and two seconds: the provider counts whole ones.
    let fewest = usize::try_from(time.as_secs() / 4).unwrap();
    assert!(refreshes >= fewest, "{refreshes} refreshes");
    assert_eq!(grants.refused, [""; 0]);
    assert_eq!(grants.shown.len(), refreshes, "tokens that were shown");
    let twice: Vec<_> = grants
        .shown
        .iter()
        .filter(|(_, count)| **count > 1)
        .collect();
    assert!(twice.is_empty(), "shown more than once: {twice:?}");
    assert_eq!(grants.of("authorization_code"), 1);
}

async fn log_in(provider: &OpenIdProvider, store: &Path) {
    let file = provider.site_file("client_id = \"app\"\nscopes = [\"openid\", \"orders\"]");
    let text = std::fs::read_to_string(&file).unwrap();
    let site = Site::parse(&text, &file).unwrap();
    let mut login = Login::site(Arc::new(site), Credentials::default());
    login.person.visit = Some(Arc::new(|page| {
        let done = Command::new(browser()).arg(page.url.as_str()).status();
        assert!(done.unwrap().success());
    }));
    let vault = open(store).await;
    Kept::log_in(&vault, &name(), login, KeptOptions::default())
        .await
        .unwrap();
}

fn start(store: &Path, orders: &str, tasks: usize, time: Duration) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "many_tokens::process", "--nocapture"])
        .env("MANY_TOKENS_STORE", store)
        .env("MANY_TOKENS_ORDERS", orders)
        .env("MANY_TOKENS_TASKS", tasks.to_string())
        .env("MANY_TOKENS_SECONDS", time.as_secs().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How many answers a process got, which has to end well.
fn answers(process: Child) -> usize {
    let output = process.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    let count = said.lines().find_map(|line| line.strip_prefix("> "));
    count.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
}

/// Not a test of its own: the body of the processes that the other one starts.
#[test]
fn process() {
    let told = |name: &str| variable(&format!("MANY_TOKENS_{name}"));
    let Some(store) = told("STORE") else {
        return;
    };
    let number = |name: &str| told(name).unwrap().parse::<u64>().unwrap();
    let (tasks, time) = (number("TASKS"), Duration::from_secs(number("SECONDS")));
    let orders = told("ORDERS").unwrap();
    let answered = block_on(async {
        let vault = open(Path::new(&store)).await;
        let kept = Kept::open(&vault, &name(), KeptOptions::default())
            .await
            .unwrap();
        let mut running = JoinSet::new();
        for _task in 0..tasks {
            running.spawn(ask(kept.clone(), orders.clone(), time));
        }
        running.join_all().await.into_iter().sum::<usize>()
    });
    println!("\n> {answered}");
}

/// Asks again and again; every answer has to be a good one.
async fn ask(kept: Kept, orders: String, time: Duration) -> usize {
    let started = Instant::now();
    let mut answered = 0;
    while started.elapsed() < time {
        let answer = kept.send(Request::get(orders.as_str())).await.unwrap();
        assert_eq!(answer.reply.status(), 200);
        assert_eq!(answer.reply.text().await.unwrap(), "the orders of ada\n");
        answered += 1;
        tokio::time::sleep(PACE).await;
    }
    answered
}

/// A longer run is asked for by the environment.
fn time() -> Duration {
    let seconds = variable("SESSILE_TOKEN_SECONDS");
    Duration::from_secs(seconds.map_or(15, |text| text.parse().unwrap()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

async fn open(store: &Path) -> Vault {
    let key = KeySource::Bytes(Secret::new([7; 32]));
    let options = StoreOptions::default();
    Vault::open(&StoreUrl::sqlite(store), &key, &options)
        .await
        .unwrap()
}

fn name() -> Name {
    "shared".parse().unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}
