//! Many targets: each done once, whoever ends the run in between, and each with its line.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Person, Practice, Wire, send, stopwatch, wait_for};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// Somebody with a list of targets and a place for the output.
struct Desk {
    me: Person,
}

impl Desk {
    fn new(targets: &str) -> Self {
        let me = Person::new();
        fs::write(me.home().join("targets"), targets).unwrap();
        Self { me }
    }

    fn numbers(count: usize) -> Self {
        let lines: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
        Self::new(&lines.join("\n"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.me.home().join(name)
    }

    /// The command for the list, with these options.
    fn line(&self, options: &str) -> String {
        let (targets, output) = (self.path("targets"), self.path("out"));
        format!(
            "batch --targets {} -o {} {options}",
            targets.display(),
            output.display()
        )
    }

    /// The output, by target; each line is whole and each target has one.
    #[track_caller]
    fn lines(&self) -> HashMap<String, Value> {
        let text = fs::read_to_string(self.path("out")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a torn line");
        let mut lines = HashMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let target = line["target"].as_str().unwrap().to_owned();
            assert!(lines.insert(target, line).is_none(), "a target twice");
        }
        lines
    }
}

#[test]
fn every_target_has_its_line() {
    let (site, desk) = (
        Practice::start(),
        Desk::new("members\nno such page\n\n# no\nmembers\n"),
    );
    site.log_in(&desk.me, "shop", "/login", "--remember")
        .exits(0);
    site.kill_sessions();
    let url = site.page("/{target}");
    let done = desk
        .me
        .run(&desk.line(&format!("-s shop --url {url} --json")));
    let summary = done.exits(0).json();
    assert_eq!(summary["done"], 2, "{summary}");
    assert_eq!(summary["duplicates"], 1, "{summary}");
    assert_eq!(summary["complete"], true, "{summary}");
    let lines = desk.lines();
    let members = &lines["members"];
    assert_eq!(members["status"], 200, "{members}");
    assert_eq!(members["verdict"], "valid", "{members}");
    assert_eq!(members["session"], "shop", "{members}");
    assert_eq!(members["attempts"], 1, "{members}");
    assert_eq!(members["error"], Value::Null, "{members}");
    assert!(
        members["body"].as_str().unwrap().contains("grace"),
        "{members}"
    );
    assert_eq!(lines["no such page"]["status"], 404);
    assert_eq!(lines["no such page"]["url"], site.page("/no%20such%20page"));
    assert_eq!(site.logins(), 2);
}

#[test]
fn a_batch_that_is_killed_again_and_again_does_each_target_once() {
    const COUNT: usize = 10_000;
    let (site, desk) = (Practice::start(), Desk::numbers(COUNT));
    let line = desk.line(&format!(
        "--url {} --concurrency 32",
        site.page("/?q={target}")
    ));
    for round in 1..=4 {
        let running = desk.me.sessile(&line).start();
        let out = desk.path("out");
        wait_for("lines", || {
            let length = fs::metadata(&out).map_or(0, |found| found.len());
            let lines = fs::read(&out).unwrap_or_default();
            let lines = lines.iter().filter(|byte| **byte == b'\n').count();
            (length > 0 && lines >= round * COUNT / 10).then_some(())
        });
        running.kill();
    }
    let before = fs::read_to_string(desk.path("out")).unwrap();
    let whole = before.lines().count() - usize::from(!before.ends_with('\n'));
    let done = desk
        .me
        .run(&line)
        .exits(0)
        .says(&[&format!("going on: {whole}")]);
    done.says(&["0 of them failed"]);
    let lines = desk.lines();
    assert_eq!(lines.len(), COUNT);
    assert!((0..COUNT).all(|number| lines.contains_key(&format!("t{number}"))));
    let after = fs::read_to_string(desk.path("out")).unwrap();
    let kept = before.rsplit_once('\n').map_or("", |(whole, _)| whole);
    assert!(
        after.starts_with(kept),
        "lines that were written have changed"
    );
}

#[test]
fn failures_are_recorded_and_done_again_when_asked() {
    let desk = Desk::numbers(4);
    let is_up = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&is_up);
    let site = Wire::start(move |request, stream| {
        let fails = request.contains("/t1 ") && seen.load(Ordering::SeqCst) == 0;
        let head = "HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        send(stream, if fails { head } else { OK }.as_bytes());
    });
    let line = desk.line(&format!("--attempts 2 --url {}", site.page("/{target}")));
    desk.me
        .run(&line)
        .exits(1)
        .says(&["1 targets failed", "--retry-failed"]);
    let failed = &desk.lines()["t1"];
    assert_eq!(
        (&failed["attempts"], &failed["status"]),
        (&2.into(), &500.into())
    );
    assert_eq!(failed["error"]["kind"], "failing", "{failed}");
    is_up.store(1, Ordering::SeqCst);
    // Without being asked nothing is done again.
    desk.me.run(&line).exits(1).says(&["0 done"]);
    assert_eq!(site.requests().len(), 5);
    desk.me.run(&format!("{line} --retry-failed")).exits(0);
    assert_eq!(site.requests().len(), 6);
    assert_eq!(desk.lines()["t1"]["status"], 200);
    assert_eq!(desk.lines().len(), 4);
}

#[test]
fn a_host_that_is_asked_too_much_is_left_alone() {
    let desk = Desk::numbers(6);
    let count = AtomicUsize::new(0);
    let site = Wire::start(move |_request, stream| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let busy = "HTTP/1.1 429 Too Many\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        send(stream, if is_first { busy } else { OK }.as_bytes());
    });
    let start = stopwatch();
    let line = desk.line(&format!("--concurrency 1 --url {}", site.page("/{target}")));
    desk.me.run(&line).exits(0);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let lines = desk.lines();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines["t0"]["attempts"], 2);
    let seen = site.requests();
    assert_eq!(seen.len(), 7);
    // Nobody asked before the second was over.
    let spaces: Vec<Duration> = seen.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert!(spaces[0] >= Duration::from_millis(900), "{spaces:?}");
}

#[test]
fn a_torn_line_is_cut_off_and_its_target_done() {
    let (site, desk) = (Wire::always(OK), Desk::numbers(3));
    let line = desk.line(&format!("--url {}", site.page("/{target}")));
    desk.me.run(&line).exits(0);
    let whole = fs::read_to_string(desk.path("out")).unwrap();
    let last = whole.lines().last().unwrap().len() + 1;
    // Torn at every place of the last line.
    for cut in [1, 2, last / 2, last - 1] {
        fs::write(desk.path("out"), &whole[..whole.len() - cut]).unwrap();
        desk.me
            .run(&line)
            .exits(0)
            .says(&["middle of a line", "going on: 2", "1 done"]);
        assert_eq!(desk.lines().len(), 3, "cut {cut}");
    }
    // Zeros in the middle, as a power failure may leave them.
    let lines: Vec<&str> = whole.lines().collect();
    let broken = [lines[0], "\0\0\0\0", lines[2], ""].join("\n");
    fs::write(desk.path("out"), broken).unwrap();
    desk.me
        .run(&line)
        .exits(0)
        .says(&["1 lines", "could not be read", "1 done"]);
    assert_eq!(desk.lines().len(), 3);
}

#[test]
fn a_full_disk_leaves_whole_lines_and_is_gone_on_with() {
    let (site, desk) = (Wire::always(OK), Desk::numbers(200));
    let line = desk.line(&format!("--url {}", site.page("/{target}")));
    // Files of at most 8 blocks of 512 bytes, as dash counts them.
    let shell = r#"trap "" XFSZ; ulimit -f 8; exec "$0" "$@""#;
    let program = std::path::Path::new("/bin/sh");
    let mut limited = desk.me.program(program, "-c").argument(shell);
    limited = limited.argument(env!("CARGO_BIN_EXE_sessile"));
    for word in line.split_whitespace() {
        limited = limited.argument(word);
    }
    limited
        .run()
        .exits(1)
        .says(&["cannot write", "out", "make room"]);
    let done = desk.lines().len();
    assert!((1..200).contains(&done), "{done}");
    desk.me
        .run(&line)
        .exits(0)
        .says(&[&format!("going on: {done}")]);
    assert_eq!(desk.lines().len(), 200);
}

#[test]
fn what_stops_a_batch_lets_what_is_under_way_end() {
    let desk = Desk::numbers(1000);
    let site = Wire::start(|_request, stream| {
        std::thread::sleep(Duration::from_millis(20));
        send(stream, OK.as_bytes());
    });
    let line = desk.line(&format!("--concurrency 4 --url {}", site.page("/{target}")));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let before = fs::read(desk.path("out")).unwrap_or_default().len();
        let running = desk.me.sessile(&line).start();
        wait_for("a line", || {
            let length = fs::metadata(desk.path("out")).map_or(0, |found| found.len());
            (length > before as u64).then_some(())
        });
        running.signal(signal);
        let ended = running.finish().exits(code);
        ended.says(&["same command again goes on"]);
        // What was asked for was written down.
        assert_eq!(desk.lines().len(), site.requests().len());
    }
    assert!(desk.lines().len() < 1000);
}

#[test]
fn two_batches_do_not_write_one_file() {
    let desk = Desk::numbers(50);
    let site = Wire::start(|_request, stream| {
        std::thread::sleep(Duration::from_millis(100));
        send(stream, OK.as_bytes());
    });
    let line = desk.line(&format!("--concurrency 1 --url {}", site.page("/{target}")));
    let running = desk.me.sessile(&line).start();
    wait_for("a line", || {
        (fs::metadata(desk.path("out")).ok()?.len() > 0).then_some(())
    });
    desk.me
        .run(&line)
        .exits(1)
        .says(&["written by another batch"]);
    running.kill();
}
