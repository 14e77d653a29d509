//! Second factors: against Django's admin with django-otp, and the practice site.

use std::fs;

use crate::support::{Django, MEMBERS_PAGE, Person, Practice, wait_for};

/// The practice site's page that takes a code.
const MEMBERS: &str = "/totp/field/members";

#[test]
fn django_gets_its_codes_from_a_kept_secret_at_login_and_renewal() {
    let (django, me) = (Django::start(), Person::new());
    let (page, secret) = (django.guarded_admin(), django.otp_secret_file());
    let line = format!(
        "login dj {page} --username admin --password-stdin --remember --otp-secret-file {}",
        secret.display()
    );
    let login = me.sessile(&line).input(format!("{}\n", django.password()));
    login
        .run()
        .exits(0)
        .says(&["otp_token", "logged in as admin"]);
    let get = || me.run(&format!("get -s dj {page}"));
    get().exits(0).prints(MEMBERS_PAGE);
    django.forget_sessions();
    get()
        .exits(0)
        .prints(MEMBERS_PAGE)
        .says(&["logged in again"]);
    assert_eq!((django.logins(), django.refusals()), (2, 0));

    me.run("status dj")
        .exits(0)
        .prints("secret remembered, sealed");
    let kept = fs::read_to_string(&secret).unwrap();
    let letters = kept
        .split_once("secret=")
        .unwrap()
        .1
        .split('&')
        .next()
        .unwrap();
    for (name, bytes) in me.store_files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(letters), "the secret is in {name}");
    }
}

#[test]
fn django_refuses_a_login_without_a_code() {
    let (django, me) = (Django::start(), Person::new());
    let page = django.guarded_admin();
    let line = format!("login dj {page} --username admin --password-stdin");
    let login = me.sessile(&line).input(format!("{}\n", django.password()));
    login.run().exits(4).prints_nothing().says(&[
        "please enter your otp token",
        "--otp-secret-file",
        "--otp-wait",
    ]);
    let line = format!("login dj {page} --username admin --password-stdin --otp-command false");
    let login = me.sessile(&line).input("not the password\n");
    login
        .run()
        .exits(3)
        .says(&["correct username and password"]);
}

#[test]
fn a_command_gives_the_code() {
    let (practice, me) = (Practice::start(), Person::new());
    let login = practice.log_in_with_code(&me, "--otp-command");
    login
        .argument(&format!("echo {}", practice.code()))
        .run()
        .exits(0);
    assert_eq!((practice.codes(), practice.logins()), (1, 1));
    let failing = practice
        .log_in_with_code(&me, "--otp-command")
        .argument("exit 7");
    failing.run().exits(4).says(&["exit status: 7"]);
}

#[test]
fn a_code_is_handed_over_from_elsewhere() {
    let (practice, me) = (Practice::start(), Person::new());
    me.run("otp ada 123456")
        .exits(1)
        .says(&["no login of session `ada` waits", "--otp-wait"]);
    let waiting = practice.log_in_with_code(&me, "--otp-wait 60s").start();
    hand_over(&me, "12345x");
    hand_over(&me, &practice.code());
    waiting
        .finish()
        .exits(0)
        .says(&["another code", "Wrong code"]);
    me.run("otp ada 123456").exits(1);
    let listed = me.run("list --json").exits(0).stdout();
    assert_eq!(listed.matches("\"name\"").count(), 1, "{listed}");
    me.run(&format!("get -s ada {}", practice.page(MEMBERS)))
        .exits(0)
        .prints("grace");
    assert_eq!(
        (practice.attempts(), practice.codes(), practice.logins()),
        (1, 2, 1)
    );
}

#[test]
fn a_login_that_is_killed_while_it_waits_leaves_nothing_behind() {
    let (practice, me) = (Practice::start(), Person::new());
    let waiting = practice.log_in_with_code(&me, "--otp-wait 60s").start();
    wait_for("the login asking for its code", || {
        let asked = practice.requests().get("/totp/field/code").copied();
        (asked > Some(0)).then_some(())
    });
    waiting.kill();
    let listed = me.run("list --json").exits(0).stdout();
    assert!(!listed.contains("ada"), "{listed}");
    let login = practice.log_in_with_code(&me, "--otp-command");
    let code = format!("echo {}", practice.code());
    login.argument(&code).run().exits(0);
    assert_eq!((practice.attempts(), practice.logins()), (2, 1));
}

#[test]
fn a_wait_without_an_answer_ends() {
    let (practice, me) = (Practice::start(), Person::new());
    let login = practice.log_in_with_code(&me, "--otp-wait 300ms");
    login
        .run()
        .exits(4)
        .says(&["asks for a code", "sessile otp NAME CODE"]);
    me.run("otp ada 123456").exits(1);
}

#[test]
fn what_is_no_secret_is_said_without_showing_it() {
    let (practice, me) = (Practice::start(), Person::new());
    let file = me.home().join("secret");
    fs::write(&file, "JBSWY3DPEHPK3PX1").unwrap();
    let login = practice.log_in_with_code(&me, "--otp-secret-file secret-that-is-not-there");
    login.run().exits(1).says(&["secret-that-is-not-there"]);
    let option = format!("--otp-secret-file {}", file.display());
    let outcome = practice.log_in_with_code(&me, &option).run().exits(2);
    let outcome = outcome.says(&["character 16", "otpauth://"]);
    assert!(!outcome.stderr().contains("JBSW"), "{}", outcome.shown());
    assert_eq!(practice.attempts(), 0);
}

#[test]
fn a_person_is_told_once_that_one_is_needed() {
    let (practice, me) = (Practice::start(), Person::new());
    let login = practice.log_in_with_code(&me, "--remember --otp-command");
    let code = format!("echo {}", practice.code());
    login.argument(&code).run().exits(0);
    practice.kill_sessions();
    let told = me.home().join("told");
    let tell = format!("env | grep ^SESSILE_ >> {}", told.display());
    let line = format!("get -s ada {}", practice.page(MEMBERS));
    let get = || {
        me.sessile(&line)
            .environment("SESSILE_NOTIFY", &tell)
            .environment("SESSILE_KEY", "c5".repeat(32))
    };
    // Another key: nothing of the store is read, and nothing told.
    get().run().exits(5);
    let get = || me.sessile(&line).environment("SESSILE_NOTIFY", &tell);
    get().run().exits(4).says(&["asks for a code"]);
    let running: Vec<_> = (0..5).map(|_| get().start()).collect();
    for outcome in running {
        outcome.finish().exits(3).says(&["isn't tried again"]);
    }
    let told = fs::read_to_string(told).unwrap();
    let lines = |start: &str| told.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines("SESSILE_KIND=code"), 1, "{told}");
    assert_eq!(lines("SESSILE_SESSION=ada"), 1, "{told}");
    let site = format!("SESSILE_SITE={}", practice.url());
    assert_eq!(lines(&site), 1, "{told}");
    assert!(
        told.contains("SESSILE_REASON=") && !told.contains("SESSILE_KEY"),
        "{told}"
    );
    assert_eq!(practice.attempts(), 2);
}

/// Hands a code over as soon as somebody waits for one.
fn hand_over(person: &Person, code: &str) {
    wait_for("a login that waits for a code", || {
        let line = format!("otp ada {code}");
        (person.run(&line).code() == Some(0)).then_some(())
    });
}
