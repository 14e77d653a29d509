//! Secrets are where they are needed and nowhere else: not in files, output, arguments or errors.

use std::fs;

use sessile_practice::GRACE_PASSWORD;

use crate::support::{Django, Faults, MEMBERS_PAGE, Outcome, Person, Practice};

#[test]
fn neither_password_nor_session_id_is_found_in_the_stores_files_or_in_any_output() {
    let (django, me) = (Django::start(), Person::new());
    let admin = django.admin();
    let mut seen = vec![django.log_in(&me, "--remember -vvv").exits(0)];
    let mut needles = django.session_ids();
    needles.push(django.password_needle().to_owned());
    check_files(&me, &needles);

    // While a process has the store open, its log and its shared memory are there as well.
    let faults = Faults::start();
    let open = me
        .sessile(&format!("get -s dj -vvv {}", faults.page("/hold")))
        .start();
    faults.wait_until_held();
    let files: Vec<String> = me.store_files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(files, ["sessile.db", "sessile.db-shm", "sessile.db-wal"]);
    check_files(&me, &needles);
    faults.release();
    seen.push(open.finish().exits(0));

    django.forget_sessions();
    seen.push(
        me.run(&format!("get -s dj -vvv --read-only {admin}"))
            .exits(3),
    );
    let renewed = me.run(&format!("get -s dj -vvv {admin}")).exits(0);
    seen.push(renewed.prints(MEMBERS_PAGE));
    needles.extend(django.session_ids());
    let wrong = format!("{}-wrong", django.password());
    seen.push(django.log_in_with(&me, "-vvv", &wrong).exits(3));
    for line in ["list", "status dj", "check dj --explain", "cookies dj list"] {
        seen.push(me.run(&format!("{line} -vvv")).exits(0));
        seen.push(me.run(&format!("{line} -vvv --json")).exits(0));
    }
    check_files(&me, &needles);
    for outcome in &seen {
        check_output(outcome, &needles);
    }
}

#[test]
fn nothing_secret_is_in_the_process_list() {
    let (practice, faults, me) = (Practice::start(), Faults::start(), Person::new());
    practice
        .log_in(&me, "site", "/login", "--remember")
        .exits(0);
    let session_id = me.run("cookies site get session").exits(0).stdout();
    let hold = faults.page("/hold");

    let password = "correct horse battery";
    let lines = [
        format!("login other {hold} --username ada --password-stdin"),
        format!("get --auth-type bearer --auth-stdin {hold}"),
        format!("get -s site {hold}"),
    ];
    for line in lines {
        let running = me.sessile(&line).input(password).start();
        faults.wait_until_held();
        for file in ["cmdline", "environ"] {
            let shown = fs::read(format!("/proc/{}/{file}", running.pid())).unwrap();
            let shown = String::from_utf8_lossy(&shown).into_owned();
            for needle in [password, GRACE_PASSWORD, session_id.trim()] {
                assert!(!shown.contains(needle), "{needle} is in {file} of: {line}");
            }
        }
        faults.release();
        running.finish();
    }
}

#[track_caller]
fn check_files(person: &Person, needles: &[String]) {
    let files = person.store_files();
    assert!(files.iter().any(|(name, _)| name == "sessile.db"));
    for (name, bytes) in &files {
        for needle in needles {
            let found = bytes
                .windows(needle.len())
                .any(|part| part == needle.as_bytes());
            assert!(!found, "{needle} is in {name}");
        }
    }
}

#[track_caller]
fn check_output(outcome: &Outcome, needles: &[String]) {
    let shown = outcome.shown();
    for needle in needles {
        assert!(
            !shown.contains(needle),
            "{needle} is in the output:\n{shown}"
        );
    }
}
