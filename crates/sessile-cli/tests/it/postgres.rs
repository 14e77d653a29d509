//! A store in PostgreSQL, used by two people on two machines: each has a home of their own, and both
//! have the database and the key.

use sessile_practice::GRACE;

use crate::support::{Database, Django, Invocation, MEMBERS_PAGE, Outcome, Person, Practice};

#[test]
fn a_login_on_one_machine_is_used_renewed_and_removed_on_another() {
    let (practice, database) = (Practice::start(), Database::new());
    let [here, there] = [Person::new(), Person::new()];
    let url = practice.page("/login");
    let line = format!("login site {url} --username {GRACE} --password-stdin --remember");
    let login = database.used_by(here.sessile(&line));
    login.input(sessile_practice::GRACE_PASSWORD).run().exits(0);

    let run =
        |person: &Person, line: &str| -> Outcome { database.used_by(person.sessile(line)).run() };
    run(&there, "list").exits(0).prints("site");
    run(&there, "status site").exits(0).prints(database.place());
    let members = format!("get -s site {}", practice.page("/members"));
    run(&there, &members).exits(0).prints(GRACE);
    assert_eq!(practice.logins(), 1);

    assert!(practice.kill_sessions() > 0);
    run(&there, &members)
        .exits(0)
        .prints(GRACE)
        .says(&["logged in again"]);
    run(&here, &members).exits(0).prints(GRACE);
    assert_eq!(practice.logins(), 2);

    run(&here, "rm site").exits(0);
    run(&there, &members).exits(3);
    assert!(!here.store().exists() && !there.store().exists());
}

#[test]
fn many_processes_on_two_machines_log_in_once() {
    let (django, database) = (Django::start(), Database::new());
    let [here, there] = [Person::new(), Person::new()];
    let line = format!(
        "login dj {} --username admin --password-stdin --remember",
        django.admin()
    );
    let login = database.used_by(here.sessile(&line));
    login.input(django.password()).run().exits(0);
    django.forget_sessions();

    let line = format!("get -s dj {}", django.admin());
    let people = [&here, &there].into_iter().cycle().take(12);
    let running: Vec<_> = people
        .map(|person| database.used_by(person.sessile(&line)).start())
        .collect();
    for process in running {
        process.finish().exits(0).prints(MEMBERS_PAGE);
    }
    assert_eq!(django.logins(), 2, "one login before, and one for all");
    assert_eq!(django.session_ids().len(), 1);
}

#[test]
fn what_is_wrong_with_a_database_is_said_with_a_way_out_and_no_password() {
    let (database, me) = (Database::new(), Person::new());
    let run = |url: &str| -> Outcome {
        let list = me
            .sessile("list")
            .environment("SESSILE_KEY", "a5".repeat(32));
        list.environment("SESSILE_STORE", url).run()
    };
    for (url, kind, hint) in [
        (
            database.url().replace("practice", "hunter2"),
            "password authentication failed",
            "SESSILE_STORE_PASSWORD",
        ),
        (
            database.url().replace("/postgres?", "/hunter2?"),
            "does not exist",
            "database",
        ),
        (
            "postgres://me:hunter2@127.0.0.1:1/web".to_owned(),
            "can't be reached",
            "host and port",
        ),
        (
            "postgres://me:hunter2@127.0.0.1:x/web".to_owned(),
            "port",
            "postgres://USER@HOST:PORT/DATABASE",
        ),
    ] {
        let outcome = run(&url).prints_nothing().says(&[kind, hint]);
        assert!(
            !outcome.stderr().contains(":hunter2@"),
            "{}",
            outcome.shown()
        );
    }
    let argument = me.sessile("list --store").argument(database.url()).run();
    argument
        .exits(2)
        .says(&["argument", "SESSILE_STORE_PASSWORD"]);
}

#[test]
fn the_password_may_come_alone() {
    let (database, me) = (Database::new(), Person::new());
    let url = database.url().replace(":practice@", "@");
    let list = |person: &Person| -> Invocation {
        let list = person.sessile("list --store").argument(&url);
        list.environment("SESSILE_KEY", "a5".repeat(32))
    };
    list(&me).run().exits(5).says(&["password"]);
    let allowed = || list(&me).environment("SESSILE_STORE_PASSWORD", "practice");
    // Let in, it finds that nobody has made a store there.
    allowed().run().exits(5).says(&["there is no store at"]);
    let add = me.sessile("access add me --store").argument(&url);
    add.environment("SESSILE_KEY", "a5".repeat(32))
        .environment("SESSILE_STORE_PASSWORD", "practice")
        .run()
        .exits(0);
    allowed().run().exits(0);
}
