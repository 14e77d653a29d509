//! Logins by a person in a browser. The person is the page: a link whose script logs in.

use std::fs;
use std::io::Write as _;

use sessile_practice::{ADA, GRACE};

use crate::support::{Desk, Practice, wait_for};

#[test]
fn a_person_logs_in_and_the_session_goes_on_without_the_browser() {
    let (site, desk) = (Practice::start(), Desk::new());
    let link = site.page(&format!("/magic/{}", site.issue_link(GRACE)));
    desk.sessile(&format!("login shop {link} --browser --headless"))
        .run()
        .exits(0)
        .says(&["without a window", "log out", "generation 1"]);
    desk.is_tidy();
    assert_eq!(site.logins(), 1);
    let members = site.page("/members");
    desk.sessile(&format!("get -s shop {members}"))
        .run()
        .exits(0)
        .prints(GRACE);
    // The cookie is one that scripts can't see, and the check was learned.
    desk.sessile("cookies shop list")
        .run()
        .exits(0)
        .prints("HttpOnly");
    desk.sessile("check shop --explain").run().exits(0);

    site.kill_sessions();
    for line in ["check shop", &format!("get -s shop {members}")] {
        let outcome = desk.sessile(line).run();
        match line {
            "check shop" => outcome.exits(3),
            _ => outcome.exits(4).says(&["in a browser", "--browser"]),
        };
    }
    let link = site.page(&format!("/magic/{}", site.issue_link(ADA)));
    desk.sessile(&format!(
        "login shop {link} --browser --headless --check {members}"
    ))
    .run()
    .exits(0)
    .says(&["generation 2"]);
    desk.sessile(&format!("get -s shop {members}"))
        .run()
        .exits(0)
        .prints(ADA);
    desk.is_tidy();
}

#[test]
fn a_login_that_a_script_keeps_in_the_browser_is_kept_and_put_back() {
    let (site, desk) = (Practice::start(), Desk::new());
    let link = site.page(&format!("/app/magic/{}", site.issue_link(GRACE)));
    let mut running = desk
        .sessile(&format!("login app {link} --browser --headless"))
        .start_open();
    wait_for("the token in use", || {
        site.requests().contains_key("/api/me").then_some(())
    });
    // Nothing but the page itself shows it: the person says so.
    let mut input = running.take_input();
    input.write_all(b"\n").unwrap();
    running.finish().exits(0).says(&["stored values: 1"]);
    let line = format!("get -s app --tier browser {}", site.page("/app"));
    desk.sessile(&line)
        .run()
        .exits(0)
        .prints(&format!("Hello, {GRACE}!"));
    desk.is_tidy();
}

#[test]
fn who_doesn_t_log_in_leaves_what_was_stored() {
    let (site, desk) = (Practice::start(), Desk::new());
    site.log_in(&desk.me, "shop", "/login", "").exits(0);
    let line = format!("login shop {} --browser", site.page("/login"));
    desk.sessile(&line)
        .run()
        .exits(4)
        .says(&["no display", "--headless"]);
    desk.sessile(&format!("{line} --headless --wait 3"))
        .run()
        .exits(4)
        .says(&["nobody has logged in", "not within 3 s"]);
    // Who only says so is asked for what the page shows.
    let before = site.requests()["/login"];
    let mut running = desk.sessile(&format!("{line} --headless")).start_open();
    wait_for("the page", || {
        (site.requests()["/login"] > before).then_some(())
    });
    running.take_input().write_all(b"\n").unwrap();
    running.finish().exits(4).says(&["nobody has logged in"]);
    desk.is_tidy();
    desk.sessile(&format!("get -s shop {}", site.page("/members")))
        .run()
        .exits(0)
        .prints(GRACE);
}

#[test]
fn a_site_file_can_leave_the_login_to_a_person() {
    let (site, desk) = (Practice::start(), Desk::new());
    let link = site.page(&format!("/magic/{}", site.issue_link(GRACE)));
    let members = site.page("/members");
    let text = format!(
        "name = \"shop\"\nbase_url = \"{}\"\n\n[login]\nkind = \"browser\"\nurl = \"{link}\"\n\n\
         [check]\nurl = \"/members\"\ntext = \"Hello, \"\n",
        site.page("/"),
    );
    let file = desk.me.home().join("shop.toml");
    fs::write(&file, text).unwrap();
    desk.sessile("login shop --headless --site")
        .argument(&file.display().to_string())
        .run()
        .exits(0)
        .says(&["logged in", "generation 1"]);
    let get = format!("get -s shop {members}");
    desk.sessile(&get).run().exits(0).prints(GRACE);
    site.kill_sessions();
    desk.sessile(&get)
        .run()
        .exits(4)
        .says(&["a person logs it in"]);
    desk.is_tidy();
}
