//! Batches through a session whose transport is a script: what is asked, and what each line says.

use std::collections::HashMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sessile::Session;
use sessile::batch::{
    Batch, BatchError, BatchOptions, Bodies, End, Failures, Origin, Progress, Report, Targets,
    Template, Through,
};
use sessile::session::RetryPolicy;
use sessile::transport::{ScriptedReply, ScriptedTransport};
use tempfile::TempDir;
use tokio::time::Instant;

/// A script, and a place for the output.
struct Desk {
    script: Arc<ScriptedTransport>,
    folder: TempDir,
    options: BatchOptions,
}

impl Desk {
    fn new() -> Self {
        Self {
            script: ScriptedTransport::new(),
            folder: tempfile::tempdir().unwrap(),
            options: BatchOptions::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn session(&self) -> Session {
        let builder = Session::builder().retry(RetryPolicy::never());
        builder.transport(self.script.clone()).build().unwrap()
    }

    fn batch(&self, template: Template) -> Batch {
        Batch::new(
            Through::Plain(self.session()),
            template,
            self.options.clone(),
        )
    }

    async fn run(&self, template: Template, targets: &'static str) -> Result<Report, BatchError> {
        let batch = self.batch(template);
        let output = batch.output(&self.path(), &Origin::new("list"))?;
        run(&batch, output, targets, &mut |_| {}).await
    }

    /// The output, by target.
    fn lines(&self) -> HashMap<String, Value> {
        let text = fs::read_to_string(self.path()).unwrap();
        let lines = text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["target"].as_str().unwrap().to_owned(), line)
        });
        lines.collect()
    }

    fn count(&self, url: &str) -> usize {
        let sent = self.script.sent();
        sent.iter().filter(|sent| sent.url.as_str() == url).count()
    }
}

async fn run(
    batch: &Batch,
    output: sessile::batch::Output,
    targets: &'static str,
    watch: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Report, BatchError> {
    let targets = Targets::reader("list", Cursor::new(targets));
    batch.run(targets, output, watch).await
}

fn items() -> Template {
    Template::get().url("http://a.test/{target}").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_one_target_is_its_own_affair() {
    let desk = Desk::new();
    desk.script
        .on("GET http://a.test/1", ScriptedReply::ok("one"));
    desk.script
        .on("GET http://a.test/3", ScriptedReply::ok("three"));
    // The script has no answer to 2, which is a panic.
    let report = desk.run(items(), "1\n2\n3\n").await.unwrap();
    assert_eq!(
        (report.done, report.failed, report.end),
        (3, 1, End::Complete)
    );
    let lines = desk.lines();
    assert_eq!(lines["2"]["error"]["kind"], "panicked");
    assert_eq!(lines["3"]["body"], "three");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_a_host_asks_for_holds_for_its_other_targets() {
    let mut desk = Desk::new();
    desk.options.concurrency = 1.try_into().unwrap();
    let busy = ScriptedReply::status(429).header("retry-after", "300");
    desk.script.on("GET http://a.test/1", busy);
    desk.script
        .on_each("GET http://a.test/*", ScriptedReply::ok("ok"));
    desk.script
        .on("GET http://b.test/4", ScriptedReply::ok("ok"));
    let start = Instant::now();
    let mut at_b = None;
    let batch = desk.batch(items());
    let output = batch.output(&desk.path(), &Origin::new("list")).unwrap();
    let targets = concat!("1\n2\n3\n", r#"{"target":"4","url":"http://b.test/4"}"#);
    let mut watch = |progress: &Progress| {
        if progress.done == 1 && at_b.is_none() {
            at_b = Some(start.elapsed());
        }
    };
    let report = run(&batch, output, targets, &mut watch).await.unwrap();
    assert_eq!((report.done, report.failed), (4, 0));
    assert!(start.elapsed() >= Duration::from_secs(300));
    // Another host has nothing to do with it.
    assert!(at_b.unwrap() < Duration::from_secs(300), "{at_b:?}");
    assert_eq!(desk.lines()["1"]["attempts"], 2);
    assert_eq!(desk.lines()["2"]["attempts"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_not_done_twice() {
    let desk = Desk::new();
    let failing = || ScriptedReply::status(502);
    desk.script.on_each("POST http://a.test/1", failing());
    let template = || {
        let template = Template::new(http::Method::POST);
        template
            .url("http://a.test/{target}")
            .unwrap()
            .text("{target}")
    };
    desk.run(template(), "1").await.unwrap();
    assert_eq!(desk.count("http://a.test/1"), 1);
    let other = Desk::new();
    other.script.on_each("POST http://a.test/1", failing());
    other.run(template().repeatable(), "1").await.unwrap();
    assert_eq!(other.count("http://a.test/1"), 4);
    assert_eq!(other.lines()["1"]["error"]["kind"], "failing");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_closed_ends_the_batch_and_targets_stay_open() {
    let desk = Desk::new();
    let batch = desk.batch(items());
    let output = batch.output(&desk.path(), &Origin::new("list")).unwrap();
    let Through::Plain(session) = Through::Plain(desk.session()) else {
        unreachable!()
    };
    session.close();
    let closed = Batch::new(Through::Plain(session), items(), BatchOptions::default());
    let error = run(&closed, output, "1\n2", &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, BatchError::Session(_)), "{error}");
    assert!(desk.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_batch_is_gone_on_with() {
    let mut desk = Desk::new();
    desk.options.concurrency = 1.try_into().unwrap();
    desk.script
        .on_each("GET http://a.test/*", ScriptedReply::ok("ok"));
    let batch = desk.batch(items());
    let output = batch.output(&desk.path(), &Origin::new("list")).unwrap();
    let stop = batch.stop();
    let mut watch = |progress: &Progress| {
        if progress.done == 2 {
            stop.stop();
        }
    };
    let report = run(&batch, output, "1\n2\n3\n4\n5\n6\n", &mut watch)
        .await
        .unwrap();
    assert_eq!(report.end, End::Stopped);
    assert!((2..6).contains(&report.done), "{report:?}");
    let again = desk.run(items(), "1\n2\n3\n4\n5\n6\n").await.unwrap();
    assert_eq!((again.before, again.before + again.done), (report.done, 6));
    assert_eq!(desk.script.sent().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn bodies_go_where_they_are_wanted() {
    let text = "é".repeat(600);
    for (bodies, field, expected) in [
        (Bodies::default(), "body", Value::from(text.clone())),
        (Bodies::Inline(101), "body", "é".repeat(50).into()),
        (Bodies::Leave, "body", Value::Null),
    ] {
        let mut desk = Desk::new();
        let is_cut = bodies == Bodies::Inline(101);
        desk.options.bodies = bodies;
        desk.script
            .on("GET http://a.test/1", ScriptedReply::ok(text.clone()));
        desk.run(items(), "1").await.unwrap();
        let line = &desk.lines()["1"];
        assert_eq!(line[field], expected, "{line}");
        assert_eq!(line["bodyTruncated"] == true, is_cut, "{line}");
    }
    let mut desk = Desk::new();
    let folder = desk.folder.path().join("bodies");
    fs::create_dir(&folder).unwrap();
    desk.options.bodies = Bodies::Files(folder.clone());
    desk.script
        .on("GET http://a.test/*", ScriptedReply::ok(text.clone()));
    desk.run(items(), "../1").await.unwrap();
    let name = desk.lines()["../1"]["bodyFile"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(fs::read_to_string(folder.join(&name)).unwrap(), text);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // A folder that isn't there is no target's fault.
    desk.options.bodies = Bodies::Files(desk.folder.path().join("nowhere"));
    desk.script
        .on("GET http://a.test/2", ScriptedReply::ok("2"));
    let error = desk.run(items(), "2").await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(desk.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn targets_that_cannot_be_asked_for_have_their_line() {
    let desk = Desk::new();
    desk.script
        .on("GET http://a.test/ok", ScriptedReply::ok("ok"));
    let report = desk.run(items(), "..\nok\n{bad\n..\n").await.unwrap();
    assert_eq!((report.done, report.failed, report.duplicates), (3, 2, 1));
    let lines = desk.lines();
    for target in ["..", "{bad"] {
        assert_eq!(lines[target]["error"]["kind"], "badTarget", "{target}");
        assert_eq!(lines[target]["attempts"], 0);
    }
}

#[tokio::test(start_paused = true)]
async fn another_batch_s_output_is_not_gone_on_with() {
    let desk = Desk::new();
    desk.script
        .on_each("GET http://a.test/*", ScriptedReply::ok("ok"));
    desk.run(items(), "1").await.unwrap();
    let before = fs::read(desk.path()).unwrap();
    let other = desk.batch(Template::get().url("http://a.test/other/{target}").unwrap());
    let error = other
        .output(&desk.path(), &Origin::new("list"))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another request (GET http://a.test/{target})"),
        "{error}"
    );

    let mut origin = Origin::new("another list");
    origin.failures = Failures::Retry;
    let output = desk.batch(items()).output(&desk.path(), &origin).unwrap();
    assert_eq!(output.found().other_targets.as_deref(), Some("list"));
    let report = run(&desk.batch(items()), output, "2", &mut |_| {})
        .await
        .unwrap();
    assert_eq!((report.done, report.strangers), (1, 1));
    assert!(fs::read(desk.path()).unwrap().starts_with(&before));

    // What no batch has written stays as it is, with nothing beside it.
    for text in ["my notes", "my notes\n", "{\"a\":1}\n", "\n"] {
        let path = desk.folder.path().join("notes");
        fs::write(&path, text).unwrap();
        let error = desk
            .batch(items())
            .output(&path, &Origin::new("list"))
            .unwrap_err();
        assert!(
            matches!(error, BatchError::NotOurs { line: 1, .. }),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(!beside(&path).exists());
        // Nor what somebody puts in the output's place.
        fs::copy(beside(&desk.path()), beside(&path)).unwrap();
        let error = desk
            .batch(items())
            .output(&path, &Origin::new("list"))
            .unwrap_err();
        assert!(
            matches!(error, BatchError::NotOurs { line: 1, .. }),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        fs::remove_file(beside(&path)).unwrap();
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sessile");
    name.into()
}

#[tokio::test(start_paused = true)]
async fn a_pause_keeps_few_targets_in_memory() {
    let desk = Desk::new();
    let busy = ScriptedReply::status(429).header("retry-after", "30");
    desk.script.on("GET http://a.test/*", busy);
    desk.script
        .on_each("GET http://a.test/*", ScriptedReply::ok("ok"));
    let targets: String = (0..5000).map(|number| format!("{number}\n")).collect();
    let batch = desk.batch(items());
    let output = batch.output(&desk.path(), &Origin::new("list")).unwrap();
    let mut most = 0;
    let mut watch = |progress: &Progress| most = most.max(progress.waiting);
    let list = Targets::reader("list", Cursor::new(targets));
    let report = batch.run(list, output, &mut watch).await.unwrap();
    assert_eq!((report.done, report.failed), (5000, 0));
    assert!((1..=300).contains(&most), "{most}");
}
