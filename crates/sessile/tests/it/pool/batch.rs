//! A batch through the sessions of a pool, while they are rotated and when there are none.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sessile::batch::{
    Batch, BatchError, BatchOptions, Origin, Pooled, Progress, Report, Targets, Template, Through,
};
use sessile::pool::{Pool, PoolError, Which, Wish};
use sessile::{Secret, Session};
use sessile_practice::Options;

use super::support::{PATIENCE, World, lease, name, ready, until, users, without_a_part};

fn options(count: usize) -> Options {
    Options {
        users: users(count),
        ..Options::default()
    }
}

async fn pooled(world: &World, pool: &Pool) -> Pooled {
    let pooled = Pooled::new(pool.clone(), &world.vault, &name()).await;
    pooled.unwrap().wait(PATIENCE)
}

fn batch(world: &World, pooled: Pooled) -> Batch {
    let template = Template::get().url(&format!("{}?q={{target}}", world.members()));
    Batch::new(
        Through::Pool(pooled),
        template.unwrap(),
        BatchOptions::default(),
    )
}

fn numbers(count: usize) -> Targets {
    let mut lines = String::new();
    for number in 0..count {
        writeln!(lines, "t{number}").unwrap();
    }
    Targets::reader("numbers", Cursor::new(lines))
}

async fn run(batch: &Batch, count: usize, path: &Path) -> Result<Report, BatchError> {
    let output = batch.output(path, &Origin::new("numbers")).unwrap();
    let mut watch = |_: &Progress| {};
    batch.run(numbers(count), output, &mut watch).await
}

/// The output, by target.
fn lines(path: &Path) -> HashMap<String, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["target"].as_str().unwrap().to_owned(), line)
    });
    lines.collect()
}

#[tokio::test]
async fn a_batch_takes_no_notice_of_a_rotation() {
    const COUNT: usize = 600;
    let world = World::new(options(3)).await;
    world.define(3, "size = 3").await;
    let pool = world.open().await;
    ready(&pool, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let batch = batch(&world, pooled(&world, &pool).await);
    let rotating = async {
        for _turn in 0..3 {
            pool.rotate(&Which::default()).await.unwrap();
        }
    };
    let (report, ()) = tokio::join!(run(&batch, COUNT, &path), rotating);
    let report = report.unwrap();
    assert_eq!((report.done, report.failed, report.fallbacks), (600, 0, 0));
    let lines = lines(&path);
    assert_eq!(lines.len(), COUNT);
    let mut sessions = HashSet::new();
    for line in lines.values() {
        assert_eq!(line["status"], 200, "{line}");
        assert!(line["body"].as_str().unwrap().contains("/logout"), "{line}");
        sessions.insert(line["session"].as_str().unwrap());
    }
    assert!(sessions.len() >= 3, "{sessions:?}");
    let closed = pool.close(PATIENCE).await;
    assert_eq!(closed.cut_off, 0);
}

#[tokio::test]
async fn without_a_session_it_is_sent_without_or_not_at_all() {
    let world = World::new(options(1)).await;
    world.define(1, "size = 1").await;
    Pool::redefine(&world.vault, &name(), |definition| {
        definition.accounts[0].password = Some(Secret::from("of yesterday".to_owned()));
        Ok(())
    })
    .await
    .unwrap();
    let pool = world.open().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");

    let none = batch(&world, pooled(&world, &pool).await);
    let refused = run(&none, 3, &path).await.unwrap_err();
    let BatchError::Session(PoolError::NoneAlive { .. }) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(lines(&path).len(), 0);

    let session = Session::builder().build().unwrap();
    let fallback = pooled(&world, &pool).await.fallback(session);
    let report = run(&batch(&world, fallback), 3, &path).await.unwrap();
    assert_eq!((report.done, report.fallbacks), (3, 3));
    for line in lines(&path).values() {
        assert_eq!(line["session"], Value::Null, "{line}");
        assert_eq!(line["fallback"], true, "{line}");
    }
    assert_eq!(world.site.attempts(), 1);
    pool.close(Duration::ZERO).await;
}

#[tokio::test]
async fn where_others_have_all_seats_one_wait_will_do() {
    let world = World::new(options(1)).await;
    world.define(1, "size = 1").await;
    let (one, other) = (world.open().await, world.open().await);
    let without = without_a_part(&one, &other).await;
    let folder = tempfile::tempdir().unwrap();
    let session = Session::builder().build().unwrap();
    // Far more in all than anybody has patience for.
    let pooled = pooled(&world, without).await.wait(PATIENCE / 20);
    let batch = batch(&world, pooled.fallback(session));
    let path = folder.path().join("out");
    let running = run(&batch, 600, &path);
    let report = tokio::time::timeout(PATIENCE, running).await;
    let report = report.expect("not each target waits").unwrap();
    assert_eq!((report.done, report.fallbacks), (600, 600));
    one.close(PATIENCE).await;
    other.close(PATIENCE).await;
}

#[tokio::test]
async fn a_target_keeps_its_place_among_those_who_wait() {
    let world = World::new(options(1)).await;
    world.define(1, "size = 1\nleases_per_session = 1").await;
    let pool = world.open().await;
    ready(&pool, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let batch = batch(&world, pooled(&world, &pool).await);
    let queued = async |count| {
        until("as many wait", || pool.stats().state.waiting == count).await;
        // Longer than it takes to look what stands in the way.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3)).await;
        tokio::time::resume();
    };
    let held = lease(&pool).await;
    let before = world.site.log().len();
    let first = run(&batch, 1, &path);
    let later = async {
        queued(1).await;
        let wish = Wish::default();
        let waiting = pool.lease(&wish, PATIENCE);
        let letting_go = async {
            queued(2).await;
            drop(held);
        };
        let (later, ()) = tokio::join!(waiting, letting_go);
        drop(later.unwrap());
        world.site.log().len()
    };
    let (report, after) = tokio::join!(first, later);
    assert_eq!(report.unwrap().done, 1);
    assert!(after > before, "the target was first");
    pool.close(PATIENCE).await;
}
