//! Pools while a daemon serves them: their proxies, their cookies, and targets of a database.

use std::fs;
use std::process::Command;

use serde_json::Value;
use sessile_practice::{ADA, ADA_PASSWORD, GRACE, GRACE_PASSWORD};

use crate::support::served::Served;
use crate::support::servers::{self, PROXY_PASSWORD, Serves};
use crate::support::{Daemon, Database, Invocation, Person, Practice, wait_for};

/// A pool of the practice site, with these rules and both accounts.
fn make_pool(me: &Person, site: &Practice, rules: &str) {
    let file = me.home().join("shop.toml");
    let text = format!(
        "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
         css = \"a[href='/logout']\"\n[pool]\n{rules}\n",
        site.url()
    );
    fs::write(&file, text).unwrap();
    me.run(&format!("pool create shop --site {}", file.display()))
        .exits(0);
    for (user, password) in [(ADA, ADA_PASSWORD), (GRACE, GRACE_PASSWORD)] {
        let line = format!("pool account add shop {user} --password-stdin");
        me.sessile(&line).input(password).run().exits(0);
    }
}

/// What the store knows of each session, by its seat.
fn seats(me: &Person) -> Vec<Value> {
    let status = me.run("pool status shop --json").exits(0).json();
    status["seats"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

#[test]
fn a_proxy_that_dies_loses_its_sessions_to_another() {
    let (site, me) = (Practice::start(), Person::new());
    make_pool(
        &me,
        &site,
        "size = 6\nsessions_per_account = 3\nfailures = 1\nvalidate_every = \"1s\"",
    );
    let mut proxies = [Serves::Ada, Serves::Ada].map(|serves| Some(servers::tinyproxy(serves)));
    for proxy in proxies.iter().flatten() {
        let port = proxy.port(0);
        let url = format!("http://{}:{PROXY_PASSWORD}@127.0.0.1:{port}", servers::ADA);
        me.sessile("pool proxy add shop --proxy-env SHOP_PROXY")
            .environment("SHOP_PROXY", url)
            .run()
            .exits(0);
    }
    me.run("pool validate shop").exits(0);
    let places = || -> Vec<String> {
        let seats = seats(&me);
        seats
            .iter()
            .map(|seat| text(seat, "/proxy").to_owned())
            .collect()
    };
    let before = places();
    assert!(before.iter().all(|proxy| !proxy.is_empty()), "{before:?}");
    assert_eq!(site.logins(), 6);
    // Whoever follows has the same proxy.
    me.run("pool rotate shop").exits(0);
    assert_eq!(places(), before);

    let daemon = Served::start(&me, "");
    let address = |proxy: &Daemon| format!("http://127.0.0.1:{}", proxy.port(0));
    let is_victim = |proxy: &Option<Daemon>| proxy.as_ref().map(address) == before.first().cloned();
    let victim = proxies.iter_mut().find(|proxy| is_victim(proxy)).unwrap();
    let dead = address(victim.as_ref().unwrap());
    drop(victim.take());
    wait_for("its seats at the other proxy", || {
        let seats = seats(&me);
        let moved = |seat: &Value| text(seat, "/proxy") != dead && seat["session"].is_object();
        seats.iter().all(moved).then_some(())
    });
    // A seat is told to be at its new proxy before the session that goes through it is there.
    let page = format!("/api/pools/shop/fetch?url={}", site.page("/members"));
    let passes = || daemon.ask(&page, &[]).text().contains("/logout");
    wait_for("each session to be served through it", || {
        (0..12).all(|_session| passes()).then_some(())
    });
    let status = me.run("pool status shop").exits(0).stdout();
    let lines: Vec<&str> = status
        .lines()
        .filter(|line| line.starts_with(&dead))
        .collect();
    assert!(lines[0].contains(" 0"), "{status}");
    assert!(!status.contains(PROXY_PASSWORD), "{status}");
    let alive = proxies.iter().flatten().next().unwrap();
    assert!(alive.output().contains(&site.page("/members")));
    daemon.stop().exits(0);
}

#[test]
fn cookies_are_refreshed_while_nobody_uses_them_and_when_somebody_does_for_long() {
    let (site, me) = (Practice::start(), Person::new());
    let rules = "size = 1\n[pool.cookies]\nrefresh_every = \"1s\"\nforce_after = \"3s\"";
    make_pool(&me, &site, rules);
    let daemon = Served::start(&me, "--drain 1s");
    // It is checked every five minutes: these are the visits for fresh cookies.
    let visits = || site.requests().get("/members").copied().unwrap_or_default();
    let two_more = || {
        let before = visits();
        wait_for("two visits", || (visits() >= before + 2).then_some(()));
    };
    wait_for("the login", || (site.logins() == 1).then_some(()));
    two_more();
    // Somebody who has it all the time doesn't keep it from being refreshed for ever.
    let lease = ["--request", "POST", "--json", r#"{"timeout": 600}"#];
    let lease = daemon.ask("/api/pools/shop/leases", &lease).json();
    assert_eq!(lease["session"], "shop~0.1", "{lease}");
    two_more();
    daemon.stop().exits(0);
    let seats = seats(&me);
    let session = &seats[0]["session"];
    assert_eq!(session["name"], "shop~0.1", "{session}");
    assert!(
        text(session, "/refreshed") > text(session, "/born"),
        "{session}"
    );
    assert_eq!(site.logins(), 1);
}

#[test]
fn a_session_logs_in_again_as_itself_when_its_cookies_are_old() {
    let (site, me) = (Practice::start(), Person::new());
    let rules = "size = 2\n[pool.cookies]\nrenew_after = \"2s\"";
    make_pool(&me, &site, rules);
    let daemon = Served::start(&me, "");
    let page = format!("/api/pools/shop/fetch?url={}", site.page("/members"));
    wait_for("both logged in twice", || {
        // Whoever uses them meanwhile notices nothing.
        let head = daemon.ask(&page, &["--include"]).text();
        assert!(head.contains("/logout"), "{head}");
        (site.logins() >= 4).then_some(())
    });
    daemon.stop().exits(0);
    let names: Vec<String> = seats(&me)
        .iter()
        .map(|seat| text(seat, "/session/name").to_owned())
        .collect();
    assert_eq!(names, ["shop~0.1", "shop~1.1"]);
    let list = me.run("list --json").exits(0).json();
    let sessions = list["sessions"].as_array().unwrap();
    assert!(
        sessions
            .iter()
            .all(|session| session["generation"].as_u64() >= Some(2)),
        "{list}"
    );
}

#[test]
fn targets_come_from_a_database_that_is_only_read() {
    let (site, me, database) = (Practice::start(), Person::new(), Database::new());
    let (url, schema) = database.url().split_once("?schema=").unwrap();
    psql(
        url,
        &format!(
            "CREATE SCHEMA {schema}_events; CREATE TABLE {schema}_events.event (page text, live bool); \
         INSERT INTO {schema}_events.event VALUES ('members', true), ('search', false)"
        ),
    );
    let place = url.replace(":practice@", "@");
    let file = |sql: &str| {
        let text = format!(
            "base_url = \"{}\"\n[login]\nurl = \"/login\"\n[check]\nurl = \"/members\"\n\
             css = \"a[href='/logout']\"\n[pool]\nsize = 1\n[pool.warm_up]\n\
             url = \"/{{target}}\"\n[pool.targets]\ndatabase = \"{place}\"\nsql = \"{sql}\"\n",
            site.url()
        );
        fs::write(me.home().join("events.toml"), text).unwrap();
        me.home().join("events.toml").display().to_string()
    };
    let run = |line: &str| -> Invocation {
        database
            .used_by(me.sessile(line))
            .environment("EVENTS_PASSWORD", "practice")
    };
    let live = file(&format!(
        "SELECT page FROM {schema}_events.event WHERE live"
    ));
    let create = format!("pool create shop --site {live}");
    run(&create).run().exits(0);
    let add = format!("pool account add shop {ADA} --password-stdin");
    run(&add).input(ADA_PASSWORD).run().exits(0);
    // The password of the database is asked for beside the file, which has none.
    run("pool validate shop").run().exits(1).says(&["password"]);
    let with_password = format!("{create} --replace --database-password-env EVENTS_PASSWORD");
    run(&with_password).run().exits(0);
    run("pool validate shop").run().exits(0);
    // The pages are what the session is warmed up with, besides being checked by one of them.
    assert!(!site.requests().contains_key("/search"));
    psql(
        url,
        &format!("UPDATE {schema}_events.event SET live = page = 'search'"),
    );
    run("pool rotate shop").run().exits(0);
    assert!(site.requests().contains_key("/search"));

    file(&format!("DELETE FROM {schema}_events.event RETURNING page"));
    run(&with_password).run().exits(0);
    run("pool rotate shop").run().says(&["read-only"]);
    let left = psql(url, &format!("SELECT count(*) FROM {schema}_events.event"));
    assert_eq!(left.trim(), "2");
}

/// What the database says to a statement.
fn psql(url: &str, sql: &str) -> String {
    let mut psql = Command::new("psql");
    let done = psql
        .args(["--no-psqlrc", "-qAt", "-c", sql, url])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}
