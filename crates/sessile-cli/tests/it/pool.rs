//! Pools: from the command line, and Django under one that rotates.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use sessile::pool::{Account, Definition, Pool, PoolOptions, Wish};
use sessile::site::Site;
use sessile::store::{StoreOptions, Vault};
use sessile::{Request, Secret};
use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD};
use tokio::task::JoinSet;

use crate::support::{ADMIN, Django, MEMBERS_PAGE, Outcome, Person, Practice, Table};

fn site_file(me: &Person, site: &Practice) -> String {
    let file = me.home().join("shop.toml");
    let text = format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
         css = \"a[href='/logout']\"\n[pool]\nsize = 4\n",
        site.page("")
    );
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn add_account(me: &Person, user: &str, password: &str) -> Outcome {
    let line = format!("pool account add shop {user} --password-stdin");
    me.sessile(&line).input(password).run()
}

#[test]
fn a_pool_is_made_steered_and_removed() {
    let (site, me) = (Practice::start(), Person::new());
    let file = site_file(&me, &site);
    me.run(&format!("pool create shop --site {file}"))
        .exits(0)
        .prints_nothing()
        .says(&["pool shop", "sessile pool account add shop USER"]);
    add_account(&me, ADA, ADA_PASSWORD)
        .exits(0)
        .says(&["added ada"]);
    add_account(&me, GRACE, GRACE_PASSWORD)
        .exits(0)
        .says(&["added grace"]);
    me.run("pool proxy add shop http://127.0.0.1:1").exits(0);
    me.run("pool proxy rm shop http://127.0.0.1:1").exits(0);
    me.run("pool status shop")
        .exits(0)
        .prints("0 of 2")
        .prints("nobody");

    me.run("pool validate shop")
        .exits(0)
        .says(&["2 sessions to be checked"]);
    let names = || {
        let status = me.run("pool status shop --json").exits(0).json();
        let seats = status["seats"].as_array().unwrap().clone();
        let names = seats
            .iter()
            .map(|seat| seat["session"]["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(), ["shop~0.1", "shop~1.1"]);
    me.run("pool rotate shop shop~1.1")
        .exits(0)
        .says(&["1 session to be followed"]);
    assert_eq!(names(), ["shop~0.1", "shop~1.2"]);
    let members = site.page("/members");
    me.run(&format!("get -s shop~1.2 {members}"))
        .exits(0)
        .prints("Log out");
    let shown = me
        .run("pool status shop")
        .exits(0)
        .prints("2 of 2")
        .prints("shop~1.2");
    for secret in [ADA_PASSWORD, GRACE_PASSWORD] {
        assert!(!shown.stdout().contains(secret));
        assert!(
            me.store_files()
                .iter()
                .all(|(_, bytes)| !contains(bytes, secret))
        );
    }
    me.run("pool list").exits(0).prints("shop");
    me.run("pool rm shop").exits(0);
    me.run("list").exits(0).says(&["no sessions"]);
    me.run("pool list").exits(0).says(&["no pools"]);
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn an_account_that_is_refused_is_told_and_tried_again_when_it_was_changed() {
    let (site, me) = (Practice::start(), Person::new());
    let file = site_file(&me, &site);
    me.run(&format!("pool create shop --site {file}")).exits(0);
    add_account(&me, ADA, "of yesterday").exits(0);
    me.run("pool validate shop").exits(1).says(&["no session"]);
    me.run("pool status shop")
        .exits(0)
        .prints("stopped: ")
        .says(&["pool account add shop"]);
    add_account(&me, ADA, ADA_PASSWORD).exits(0);
    me.run("pool validate shop").exits(0);
    me.run("pool status shop").exits(0).prints("1 of 1");
}

/// What is wrong, the command line, its exit code, and what is to be said of it.
const ROWS: &str = "
    no site file        | pool create shop                              | 2 | --site
    unknown site file   | pool create shop --site nowhere.toml          | 2 | nowhere.toml
    name with a tilde   | pool create a~b --site FILE                   | 2 | ~
    taken               | pool create shop --site FILE                  | 1 | shop; --replace
    unknown pool        | pool status other                             | 1 | other; sessile pool list
    unknown to rotate   | pool rotate other                             | 1 | other
    unknown to remove   | pool rm other                                 | 1 | other
    unknown account     | pool account rm shop bob                      | 1 | bob
    unknown proxy       | pool proxy rm shop http://h:1                 | 1 | http://h:1
    password shown      | pool account add shop ada --password hunter2  | 2 | process list; --password-stdin
    proxy with password | pool proxy add shop http://u:hunter2@h:1      | 2 | --proxy-env
    proxy that is none  | pool proxy add shop ftp://h:1                 | 2 | http://
    no sessions         | pool account add shop ada --sessions 0        | 2 | --sessions
";

#[test]
fn what_is_wrong_is_said() {
    let (site, me) = (Practice::start(), Person::new());
    let file = site_file(&me, &site);
    me.run(&format!("pool create shop --site {file}")).exits(0);
    let mut table = Table::new();
    for [what, line, code, fragments] in Table::rows(ROWS) {
        table.row(what, || {
            let outcome = me
                .run(&line.replace("FILE", &file))
                .exits(code.parse().unwrap());
            assert!(!outcome.stderr().contains("hunter2"), "{line}");
            let fragments: Vec<&str> = fragments.split("; ").collect();
            outcome.says(&fragments);
        });
    }
    table.done();
}

const CLIENTS: usize = 50;
const SESSIONS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn nobody_notices_a_rotation_at_django() {
    let django = Django::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(rotate(&django));
}

async fn rotate(django: &Django) {
    let admin = django.admin();
    let text = format!(
        "[login]\nurl = \"{admin}\"\n[check]\nurl = \"{admin}\"\ntext = \"{MEMBERS_PAGE}\"\n\
         [pool]\nsize = {SESSIONS}\nsessions_per_account = {SESSIONS}\nrotate_every = \"2s\"\n"
    );
    let site = Arc::new(Site::parse(&text, "django.toml").unwrap());
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let name = "django".parse().unwrap();
    let mut definition = Definition::new(name, site);
    let password = Secret::from(django.password().to_owned());
    definition.accounts = vec![Account::new(ADMIN, Some(password))];
    Pool::define(&vault, &definition).await.unwrap();
    let pool = Pool::open(&vault, &definition.name, PoolOptions::default())
        .await
        .unwrap();
    let end = tokio::time::Instant::now() + duration();
    let clients = (0..CLIENTS).map(|_| use_until_rotated(pool.clone(), admin.clone(), end));
    let sent = clients.collect::<JoinSet<u64>>().join_all().await;
    let (sent, stats) = (sent.iter().sum::<u64>(), pool.stats());
    let (followed, failed) = (stats.retired, stats.failed);
    eprintln!("{sent} requests, {followed} sessions followed, {failed} logins failed");
    assert!(followed >= SESSIONS as u64);
    pool.close(PATIENCE).await;
    assert_eq!(vault.list().await.unwrap().len(), SESSIONS);
}

/// For how long; by hand some minutes.
fn duration() -> Duration {
    let seconds = std::env::var_os("SESSILE_TEST_ROTATION");
    let seconds = seconds.and_then(|text| text.to_str()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

/// Sends until every session was followed, and to the end; answers how often.
async fn use_until_rotated(pool: Pool, admin: String, end: tokio::time::Instant) -> u64 {
    let mut sent = 0;
    while pool.stats().retired < SESSIONS as u64 || tokio::time::Instant::now() < end {
        let lease = pool.lease(&Wish::default(), PATIENCE).await.unwrap();
        let answer = lease.send(Request::get(&admin)).await.unwrap();
        assert_eq!(answer.reply.status().as_u16(), 200);
        assert!(answer.reply.text().await.unwrap().contains(MEMBERS_PAGE));
        sent += 1;
        // The machine has a login to compute meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sent
}
