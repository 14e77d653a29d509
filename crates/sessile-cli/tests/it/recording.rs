//! Films recorded by the built binary, compared with their source picture by picture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sessile_practice::{Fault, MediaFault};

use crate::support::{
    Invocation, Outcome, PICTURES, Person, Practice, Running, Table, film_of, pictures, sounds,
    wait_for,
};

/// A site with films, and a person with a session that is logged in there.
struct Cinema {
    me: Person,
    site: Practice,
}

/// A request that is to be held.
struct Held {
    faults_before: u64,
}

impl Cinema {
    fn new() -> Self {
        let (site, me) = (Practice::with_films(), Person::new());
        site.log_in(&me, "ada", "/login", "--remember").exits(0);
        Self { me, site }
    }

    /// `sessile record`, of the stream behind that door, into that file.
    fn record(&self, door: &str, stream: &str, file: &str, options: &str) -> Invocation {
        let page = self
            .site
            .page(&format!("/media/page/{door}/{stream}/source"));
        let file = self.file(file);
        let line = format!("record -s ada {page} -o {} {options}", file.display());
        self.me.sessile(&line)
    }

    /// The next request of that name gets so many bytes, and then nothing more.
    fn hold(&self, name: &str, after: usize) -> Held {
        let stall = MediaFault::Stall { after };
        self.site.add_fault(Fault::new(name, stall));
        Held {
            faults_before: self.site.faults(),
        }
    }

    /// Waits until that request was made, and so many bytes of the recording are written.
    fn wait_until(&self, held: &Held, file: &str, bytes: u64) {
        wait_for("the request that is held", || {
            let is_asked = self.site.faults() > held.faults_before;
            let sizes = self.files(file).into_iter();
            let sizes = sizes.filter_map(|file| fs::metadata(self.file(&file)).ok());
            let written: u64 = sizes.map(|found| found.len()).sum();
            (is_asked && written >= bytes).then_some(())
        });
    }

    fn file(&self, name: &str) -> PathBuf {
        self.me.home().join(name)
    }

    /// The pictures of the stream, as its source has them.
    fn original(&self, stream: &str) -> Vec<String> {
        let bytes = self.site.original(stream).unwrap();
        pictures(&film_of(&bytes, self.me.home(), "original"))
    }

    /// The file has the stream's pictures, each of them, once and in order.
    #[track_caller]
    fn shows(&self, file: &str, stream: &str) {
        let (found, original) = (pictures(&self.file(file)), self.original(stream));
        assert_eq!(found.len(), original.len(), "pictures of {stream}");
        assert!(found == original, "{stream}: some pictures differ");
    }

    /// Records the stream, and looks at what has come of it.
    #[track_caller]
    fn becomes_a_film(&self, door: &str, stream: &str) {
        let file = format!("{stream}.mp4");
        let run = self.record(door, stream, &file, "--parallel 2").run();
        run.exits(0);
        self.shows(&file, stream);
        assert_eq!(self.files(stream), [file.as_str()]);
        if stream == "separate" {
            assert!(!sounds(&self.file(&file)).is_empty());
        }
    }

    /// What is in the folder of the recordings beside what was there before.
    fn files(&self, start: &str) -> Vec<String> {
        let all = fs::read_dir(self.me.home()).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| name.contains(start)).collect();
        names.sort();
        names
    }
}

/// The source is what it says: another program sees the same pictures.
#[test]
fn the_practice_site_s_streams_play() {
    let cinema = Cinema::new();
    let mut table = Table::new();
    for stream in ["clip", "aes", "single", "separate"] {
        table.row(stream, || {
            let file = if stream == "clip" {
                "clip.mp4"
            } else {
                "index.m3u8"
            };
            let url = cinema.site.page(&format!("/media/open/{stream}/{file}"));
            let found = pictures(Path::new(&url));
            assert_eq!(found.len(), PICTURES);
            assert!(found == cinema.original(stream));
        });
    }
    table.done();
}

#[test]
fn a_film_shows_what_its_source_does_though_the_login_died() {
    let cinema = Cinema::new();
    let mut table = Table::new();
    for stream in ["clip", "vod", "aes", "separate"] {
        table.row(stream, || {
            let fault = Fault::new(&format!("/media/member/{stream}/"), MediaFault::End);
            cinema.site.add_fault(fault.every(9).times(1000));
            cinema.becomes_a_film("member", stream);
        });
    }
    table.done();
    assert!(cinema.site.logins() > 5);
}

#[test]
fn every_stream_becomes_a_film_that_shows_what_its_source_does() {
    let cinema = Cinema::new();
    let mut table = Table::new();
    for stream in ["whole", "bytes", "fmp4", "single", "variants"] {
        table.row(stream, || cinema.becomes_a_film("gate", stream));
    }
    table.done();
}

#[test]
fn a_seam_costs_no_picture() {
    let cinema = Cinema::new();
    cinema
        .record("gate", "seams", "seams.mp4", "")
        .run()
        .exits(0);
    assert_eq!(pictures(&cinema.file("seams.mp4")).len(), 2 * PICTURES);
}

#[test]
fn segments_stay_as_they_come_where_that_is_wanted() {
    let cinema = Cinema::new();
    for (stream, file) in [("vod", "vod.ts"), ("aes", "aes.ts"), ("fmp4", "fmp4.mp4")] {
        let run = cinema.record("signed", stream, file, "--no-remux").run();
        run.exits(0)
            .prints(&cinema.file(file).display().to_string());
        let found = fs::read(cinema.file(file)).unwrap();
        assert!(found == cinema.site.original(stream).unwrap(), "{stream}");
    }
}

#[test]
fn what_is_found_goes_over_to_another_process() {
    let cinema = Cinema::new();
    let page = cinema.site.page("/media/page/signed/vod/og");
    let found = cinema
        .me
        .run(&format!("resolve -s ada {page} --json"))
        .exits(0);
    let document = found.json();
    assert_eq!(document["recorder_id"], "hls");
    assert_eq!(document["session"], "ada");
    assert!(document["expires"].is_string(), "{document}");
    let url = document["resolved_url"].as_str().unwrap();
    assert!(
        url.contains("/media/signed/vod/index.m3u8?expires="),
        "{url}"
    );

    // The link has ended when it arrives, and the page gives another.
    cinema
        .site
        .add_fault(Fault::new("/media/signed/", MediaFault::End));
    let line = format!(
        "record --resolved - -o {} --no-remux",
        cinema.file("a.ts").display()
    );
    cinema
        .me
        .sessile(&line)
        .input(found.stdout())
        .run()
        .exits(0);
    assert!(fs::read(cinema.file("a.ts")).unwrap() == cinema.site.original("vod").unwrap());
}

#[test]
fn a_folder_gets_a_file_with_the_film_s_name() {
    let cinema = Cinema::new();
    let folder = cinema.file("films");
    fs::create_dir(&folder).unwrap();
    let page = cinema.site.page("/media/page/open/vod/og");
    let line = format!("record -s ada {page} -o {}", folder.display());
    let done = cinema.me.run(&line).exits(0);
    let file = PathBuf::from(done.stdout().trim());
    assert_eq!(file.parent(), Some(folder.as_path()), "{}", file.display());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.contains("A walk") && name.ends_with(".mp4"), "{name}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn without_a_session_it_is_a_stranger_who_records_and_that_is_said() {
    let cinema = Cinema::new();
    let file = cinema.file("a.ts");
    let page = cinema.site.page("/media/page/open/vod/video");
    let line = format!("record {page} -o {} --no-remux", file.display());
    cinema
        .me
        .run(&line)
        .exits(0)
        .says(&["warning", "no session"]);
    assert!(fs::read(&file).unwrap() == cinema.site.original("vod").unwrap());
}

#[test]
fn programs_read_what_happens_line_by_line() {
    let cinema = Cinema::new();
    let fault = Fault::new("/media/member/", MediaFault::End);
    cinema.site.add_fault(fault.after(8));
    let run = cinema
        .record("member", "vod", "a.mp4", "--json")
        .run()
        .exits(0);
    let events = events(&run);
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect();
    assert_eq!(kinds.first(), Some(&"started"), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&"finished"), "{kinds:?}");
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "renewed").count(),
        1,
        "{kinds:?}"
    );
    let last = events.last().unwrap();
    assert_eq!(
        (&last["segments"], &last["ended"]),
        (&json!(24), &json!("complete"))
    );
    assert_eq!(last["path"], cinema.file("a.mp4").display().to_string());
}

#[test]
fn a_recording_that_was_killed_goes_on() {
    let cinema = Cinema::new();
    let mut table = Table::new();
    for (stream, held, after) in [
        ("clip", "clip.mp4", 1_200_000),
        ("vod", "plain-15.", 100),
        ("aes", "plain-15.", 100),
        ("fmp4", "fmp4-15.", 100),
    ] {
        let file = format!("{stream}.mp4");
        table.row(&file, || {
            let request = cinema.hold(held, after);
            let running = cinema.record("member", stream, &file, "--json").start();
            cinema.wait_until(&request, &file, 100_000);
            running.kill();
            assert!(!cinema.file(&file).exists());

            let run = cinema
                .record("member", stream, &file, "--json")
                .run()
                .exits(0);
            let resumed = events(&run)[0]["resumed"].as_u64().unwrap();
            assert!(resumed > 0, "{}", run.shown());
            cinema.shows(&file, stream);
            assert_eq!(cinema.files(&file), [file.as_str()]);
            if stream != "clip" {
                let path = format!("/media/member/{stream}/{}", held.replace("15.", "3."));
                let asked = cinema.site.requests().into_iter();
                let asked = asked.filter(|(found, _)| found.starts_with(&path));
                assert_eq!(asked.map(|(_, count)| count).sum::<u64>(), 1, "none twice");
            }
        });
    }
    table.done();
}

#[test]
fn a_live_recording_that_was_killed_goes_on_with_the_gap_named() {
    let cinema = Cinema::new();
    let held = cinema.hold("plain-5.", 10);
    let line = "--live-from start --no-remux --json";
    let running = cinema.record("member", "steps", "live.ts", line).start();
    cinema.wait_until(&held, "live", 60_000);
    running.kill();
    // Each look moves the stream; what the recording hadn't written goes by unseen.
    let playlist = cinema.site.page("/media/member/steps/index.m3u8");
    for _ in 0..2 {
        cinema.me.run(&format!("get -s ada {playlist}")).exits(0);
    }
    let run = cinema
        .record("member", "steps", "live.ts", line)
        .run()
        .exits(0);
    let last = events(&run).pop().unwrap();
    let gaps = last["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 1, "{}", run.shown());
    let (first, count) = (
        gaps[0]["first"].as_u64().unwrap(),
        gaps[0]["count"].as_u64().unwrap(),
    );
    let found = pictures(&cinema.file("live.ts"));
    let original = cinema.original("steps");
    let (before, after) = (first as usize * 5, (first + count) as usize * 5);
    assert!(
        found == [&original[..before], &original[after..]].concat(),
        "{last}"
    );
}

#[test]
fn an_interrupted_live_recording_is_a_film() {
    let cinema = Cinema::new();
    for (signal, options) in [("INT", ""), ("TERM", "--no-remux")] {
        let name = format!("{signal}.mp4");
        let mut running = cinema
            .record("member", "live", &name, &format!("{options} --json"))
            .start();
        until(&mut running, |event| event["segments"].as_u64() >= Some(2));
        running.signal(signal);
        let run = running.finish().exits(0);
        let last = events(&run).pop().unwrap();
        assert_eq!(last["ended"], "stopped");
        let segments = last["segments"].as_u64().unwrap() as usize;
        assert_eq!(
            pictures(Path::new(last["path"].as_str().unwrap())).len(),
            segments * 5,
            "{last}"
        );
    }
}

#[test]
fn an_interrupted_film_plays_and_the_same_command_goes_on() {
    let cinema = Cinema::new();
    let mut table = Table::new();
    for (stream, file, options) in [
        ("aes", "aes.ts", "--no-remux"),
        ("separate", "separate.mp4", ""),
    ] {
        table.row(file, || {
            let line = format!("{options} --json --parallel 4");
            let name = if stream == "separate" {
                "picture-15."
            } else {
                "plain-15."
            };
            let held = cinema.hold(name, 100);
            let running = cinema.record("member", stream, file, &line).start();
            cinema.wait_until(&held, file, 30_000);
            running.signal("INT");
            let run = running.finish().exits(0);
            let last = events(&run).pop().unwrap();
            assert_eq!(last["ended"], "stopped");
            assert_eq!(last["path"], cinema.file(file).display().to_string());
            let (found, original) = (pictures(&cinema.file(file)), cinema.original(stream));
            assert!(!found.is_empty() && found.len() < original.len());
            assert!(found == original[..found.len()], "its beginning");

            let run = cinema.record("member", stream, file, &line).run().exits(0);
            assert!(
                events(&run)[0]["resumed"].as_u64() > Some(0),
                "{}",
                run.shown()
            );
            cinema.shows(file, stream);
            assert_eq!(cinema.files(file), [file]);
        });
    }
    table.done();
}

#[test]
fn another_process_s_login_reaches_a_recording_under_way() {
    let (site, me) = (Practice::with_films(), Person::new());
    // Nobody remembers the password: the recording can't log in by itself.
    site.log_in(&me, "ada", "/login", "").exits(0);
    let cinema = Cinema { me, site };
    let held = cinema.hold("plain-12.", 10);
    let line = "--patience 3 --parallel 1 --no-remux";
    let running = cinema.record("member", "vod", "a.ts", line).start();
    cinema.wait_until(&held, "a.ts", 0);
    cinema.site.kill_sessions();
    cinema.site.log_in(&cinema.me, "ada", "/login", "").exits(0);
    running.finish().exits(0);
    assert!(fs::read(cinema.file("a.ts")).unwrap() == cinema.site.original("vod").unwrap());
    assert_eq!(cinema.site.logins(), 2);
}

#[test]
fn a_full_disk_is_said_and_what_there_is_stays() {
    let cinema = Cinema::new();
    let mut table = Table::new();
    for (stream, file) in [("vod", "vod.ts"), ("clip", "clip.mp4")] {
        table.row(stream, || {
            let page = cinema
                .site
                .page(&format!("/media/page/member/{stream}/source"));
            let path = cinema.file(file);
            let words = format!("record -s ada {page} --no-remux -o {}", path.display());
            // A file larger than this (in blocks of 512 bytes) can't be written, as on a full disk.
            let shell = format!(
                "trap '' XFSZ; ulimit -f 300; exec {} {words}",
                env!("CARGO_BIN_EXE_sessile")
            );
            let run = cinema
                .me
                .program(Path::new("/bin/sh"), "-c")
                .argument(&shell)
                .run();
            run.exits(1).says(&[file]);
            assert!(!path.exists(), "it isn't complete");
            let run = cinema.me.run(&format!("{words} --json")).exits(0);
            let resumed = events(&run)[0]["resumed"].as_u64().unwrap();
            // One file is as long as it will be from the start, and may not even begin.
            assert!(resumed > 0 || stream == "clip", "{}", run.shown());
            assert!(fs::read(&path).unwrap() == cinema.site.original(stream).unwrap());
        });
    }
    table.done();
}

#[test]
fn what_can_not_be_recorded_is_said() {
    let cinema = Cinema::new();
    let taken = cinema.file("taken.mp4");
    fs::write(&taken, "mine").unwrap();
    let stranger = cinema.site.page("/media/member/vod/index.m3u8");
    let (film, nothing) = (
        cinema.site.page("/media/open/vod/index.m3u8"),
        cinema.site.page("/no-form"),
    );
    // Without its password nobody can bring this login back.
    cinema.site.log_in(&cinema.me, "bob", "/login", "").exits(0);
    cinema.site.kill_sessions();
    let form = cinema.site.page("/members/soft");
    let mut table = Table::new();
    for (line, code, said) in [
        (
            format!("record {film} -o {}", taken.display()),
            1,
            "--replace",
        ),
        (format!("record -s ada {nothing}"), 1, "no media"),
        (format!("resolve -s ada {nothing}"), 1, "[media]"),
        (format!("record {form}"), 3, "asks for a login"),
        (format!("record -s bob {form}"), 3, "bob"),
        // The login comes back, and members find nothing there.
        (format!("record -s ada {form}"), 1, "no media"),
        (format!("record -s ann {film}"), 3, "ann"),
        (format!("record {stranger}"), 3, "401"),
        ("record ftp://127.0.0.1/a.mp4".to_owned(), 2, "ftp"),
        ("record --resolved /nowhere".to_owned(), 2, "/nowhere"),
        (format!("record {film} -o /dev/null/a.mp4"), 1, "/dev/null"),
    ] {
        table.row(&line, || {
            cinema.me.run(&line).exits(code).says(&[said]);
        });
    }
    table.done();
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
}

#[test]
fn no_secret_is_on_the_command_line_of_ffmpeg() {
    let cinema = Cinema::new();
    let tool = cinema.file("bin");
    fs::create_dir(&tool).unwrap();
    let seen = cinema.file("seen");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {0}; env >> {0}\nexec /usr/bin/ffmpeg \"$@\"\n",
        seen.display()
    );
    fs::write(tool.join("ffmpeg"), script).unwrap();
    let mut chmod = Command::new("chmod");
    assert!(
        chmod
            .arg("755")
            .arg(tool.join("ffmpeg"))
            .status()
            .unwrap()
            .success()
    );
    let path = format!("{}:/usr/bin:/bin", tool.display());
    cinema
        .record("signed", "vod", "a.mp4", "")
        .environment("PATH", path)
        .run()
        .exits(0);
    let seen = fs::read_to_string(&seen).unwrap();
    for secret in ["signature", "expires", "http:"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
}

/// The events that a run told.
fn events(run: &Outcome) -> Vec<Value> {
    let lines = run.stdout();
    let events = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    events.collect()
}

/// Reads events until there is one that is looked for.
fn until(running: &mut Running, is_it: impl Fn(&Value) -> bool) {
    while let Some(line) = running.line() {
        if is_it(&serde_json::from_str(&line).unwrap()) {
            return;
        }
    }
    panic!("the recording ended before");
}
