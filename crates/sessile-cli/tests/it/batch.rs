//! Many targets: each done once, whoever ends the run in between, and each with its line.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD};

use crate::support::{Person, Practice, Table, Wire, send, stopwatch, wait_for};

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
        "--url {} --concurrency 32 --body none",
        site.page("/?q={target}")
    ));
    for round in 1..=4 {
        let running = desk.me.sessile(&line).start();
        let out = desk.path("out");
        wait_for("lines", || {
            let length = fs::metadata(&out).map_or(0, |found| found.len());
            // A line has a good hundred bytes.
            (length >= round * 100_000).then_some(())
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
        .says(&["1 target failed", "--retry-failed"]);
    let failed = &desk.lines()["t1"];
    assert_eq!(
        (&failed["attempts"], &failed["status"]),
        (&2.into(), &500.into())
    );
    assert_eq!(failed["error"]["kind"], "failing", "{failed}");
    is_up.store(1, Ordering::SeqCst);
    // Without being asked nothing is done again.
    desk.me.run(&line).exits(1).says(&["0 targets done"]);
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
        fs::write(desk.path("out"), &whole.as_bytes()[..whole.len() - cut]).unwrap();
        desk.me
            .run(&line)
            .exits(0)
            .says(&["middle of a line", "going on: 2", "1 target done"]);
        assert_eq!(desk.lines().len(), 3, "cut {cut}");
    }
    // Zeros in the middle, as a power failure may leave them.
    let lines: Vec<&str> = whole.lines().collect();
    let broken = [lines[0], "\0\0\0\0", lines[2], ""].join("\n");
    fs::write(desk.path("out"), broken).unwrap();
    desk.me
        .run(&line)
        .exits(0)
        .says(&["1 line of", "could not be read", "1 target done"]);
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

#[test]
fn through_a_pool_each_target_has_a_session_of_it() {
    const COUNT: usize = 300;
    let (site, desk) = (Practice::start(), Desk::numbers(COUNT));
    let me = &desk.me;
    let file = format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
         css = \"a[href='/logout']\"\n[pool]\nsize = 3\nsessions_per_account = 2\n",
        site.url()
    );
    fs::write(desk.path("shop.toml"), file).unwrap();
    let create = format!(
        "pool create shop --site {}",
        desk.path("shop.toml").display()
    );
    me.run(&create).exits(0);
    let line = desk.line("shop --url /members?q={target} --json");
    // Nobody can log in yet.
    let line_of_none = format!("{line} --no-fallback --wait 1s");
    me.run(&line_of_none).exits(3).says(&["noSession"]);
    assert!(desk.lines().is_empty());
    for (user, password) in [(GRACE, GRACE_PASSWORD), (ADA, ADA_PASSWORD)] {
        let add = format!("pool account add shop {user} --password-stdin");
        me.sessile(&add).input(password).run().exits(0);
    }
    let summary = me.run(&line).exits(0).json();
    assert_eq!(summary["done"], COUNT, "{summary}");
    assert_eq!(summary["fallbacks"], 0, "{summary}");
    let lines = desk.lines();
    assert_eq!(lines.len(), COUNT);
    for line in lines.values() {
        assert!(
            line["session"].as_str().unwrap().starts_with("shop"),
            "{line}"
        );
        assert!(line["body"].as_str().unwrap().contains("/logout"), "{line}");
    }
    assert!((1..=3).contains(&site.logins()), "{}", site.logins());
}

#[test]
fn without_a_pooled_session_it_is_said_and_sent_without() {
    let (site, desk) = (Wire::always(OK), Desk::numbers(3));
    let file = format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/\"\nstatus = 200\n",
        site.page("")
    );
    fs::write(desk.path("shop.toml"), file).unwrap();
    let create = format!(
        "pool create shop --site {}",
        desk.path("shop.toml").display()
    );
    desk.me.run(&create).exits(0);
    let line = desk.line("shop --url /{target} --wait 500ms");
    desk.me
        .run(&line)
        .exits(0)
        .says(&["warning: no session of pool `shop`", "--no-fallback"]);
    for line in desk.lines().values() {
        assert_eq!(line["fallback"], true, "{line}");
        assert_eq!(line["session"], Value::Null, "{line}");
    }
}

#[test]
fn a_target_goes_wherever_the_request_has_a_place_for_it() {
    let (site, desk) = (Wire::always(OK), Desk::new("a b&c\n"));
    let url = site.page("/x/{target}?hidden=hunter2");
    let line = desk.line(&format!(
        "--method PUT --url {url} X-Item:{{target}} q=={{target}} id={{target}} n:=[\"<{{target}}>\"] Authorization:hunter3"
    ));
    desk.me.run(&line).exits(0);
    let (_, request) = &site.requests()[0];
    for part in [
        "PUT /x/a%20b%26c?hidden=hunter2&q=a+b%26c HTTP/1.1\r\n",
        "x-item: a b&c\r\n",
        "\r\n\r\n{\"id\":\"a b&c\",\"n\":[\"<a b&c>\"]}",
    ] {
        assert!(request.contains(part), "{part}\n{request}");
    }
    // What may be a secret is in neither of the files.
    for file in ["out", "out.sessile"] {
        let text = fs::read_to_string(desk.path(file)).unwrap();
        assert!(!text.contains("hunter"), "{text}");
    }
}

#[test]
fn hosts_that_cannot_be_reached_are_lines_too() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let site = Wire::always(OK);
    let list = format!(
        "{nobody}\n{}\nhttp://ada:hunter2@127.0.0.1/\n17\n",
        site.page("/")
    );
    let desk = Desk::new(&list);
    let done = desk.me.run(&desk.line("--attempts 2 --json")).exits(1);
    assert_eq!(done.json()["failed"], 3, "{}", done.shown());
    let lines = desk.lines();
    let line = &lines[&nobody];
    assert_eq!(line["error"]["kind"], "connect", "{line}");
    assert_eq!(line["attempts"], 2, "{line}");
    assert_eq!(lines[&site.page("/")]["body"], "ok");
    assert_eq!(lines["17"]["error"]["kind"], "badTarget");
    assert_eq!(
        lines["http://ada:hunter2@127.0.0.1/"]["error"]["kind"],
        "badTarget"
    );
}

#[test]
fn lines_can_be_piped_and_targets_too() {
    let (site, me) = (Wire::always(OK), Person::new());
    let line = format!(
        "batch --targets - --url {} --body none",
        site.page("/{target}")
    );
    let piped = me.sessile(&line).input("1\n2\n2\n").run().exits(0);
    let mut targets: Vec<String> = piped
        .stdout()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["target"].to_string())
        .collect();
    targets.sort();
    assert_eq!(targets, ["\"1\"", "\"2\""]);
    // A line is there before the list is at its end.
    let mut running = me.sessile(&line).start_open();
    let mut input = running.take_input();
    input.write_all(b"1\n").unwrap();
    assert_eq!(running.read(13), "{\"target\":\"1\"");
    drop(input);
    running.finish().exits(0);
}

/// What is wrong, the options, the exit code, and what is to be said of it.
const ROWS: &str = "
    no targets            | --targets HOME/none --url /{target}      | 1 | cannot read; none
    a directory           | --targets HOME --url /{target}           | 1 | cannot read; directory
    no place              | --targets HOME/targets --url http://h/   | 2 | {target}
    bad template          | --targets HOME/targets --url http://[{target} | 2 | isn't a URL
    other scheme          | --targets HOME/targets --url ftp://h/{target} | 2 | http or https
    password in it        | --targets HOME/targets --url http://a:hunter2@h/{target} | 2 | user or password
    one file for both     | --targets HOME/targets -o HOME/targets   | 2 | same file
    not a batch's output  | --targets HOME/targets -o HOME/notes     | 1 | notes; line 1; nothing was changed
    output in no folder   | --targets HOME/targets -o HOME/none/out  | 1 | cannot write; none/out
    bodies in a file      | --targets HOME/targets --body HOME/notes/x | 1 | cannot make; notes
    unknown session       | --targets HOME/targets -s ann            | 3 | ann; sessile login ann
    unknown pool          | ann --targets HOME/targets               | 1 | ann; pool list
    no item               | -s ann x --targets HOME/targets          | 2 | item `x`
    nothing again         | --targets HOME/targets --retry-failed    | 2 | --output
    none at once          | --targets HOME/targets --concurrency 0   | 2 | 1 or more
    standard input twice  | --targets - --url http://h/{target} @-   | 2 | standard input
";

#[test]
fn what_is_wrong_is_said_and_nothing_is_changed() {
    let desk = Desk::numbers(2);
    fs::write(desk.path("notes"), "my notes\n").unwrap();
    let home = desk.me.home().display().to_string();
    let mut table = Table::new();
    for [what, options, code, fragments] in Table::rows(ROWS) {
        table.row(what, || {
            let line = format!("batch {}", options.replace("HOME", &home));
            let outcome = desk.me.run(&line);
            let said = outcome.stderr().replace(&line, "");
            assert!(!said.contains("hunter2"), "{said}");
            let fragments: Vec<&str> = fragments.split("; ").collect();
            outcome.exits(code.parse().unwrap()).says(&fragments);
            let notes = fs::read_to_string(desk.path("notes")).unwrap();
            assert_eq!(notes, "my notes\n");
        });
    }
    table.done();
}
