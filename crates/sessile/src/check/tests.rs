//! Pages that members and strangers see, learned from and judged.

use url::Url;

use super::evidence::Evidence;
use super::learn::{Judgement, LearnedCheck, learn};
use crate::login::page::Page;

#[test]
fn a_link_to_log_out_is_learned() {
    let stranger = "<p>Welcome</p><a href=/login>Log in</a>";
    let check = learned(
        "<p>Welcome</p><a href=/logout?token=1>Log out</a>",
        [stranger; 2],
    );
    assert_eq!(
        check.to_string(),
        "logged in: the page can log out at /logout; logged out: the page has a link to /login, or the page says \"Log in\""
    );
    valid(
        &check,
        "<p>Sale!</p><a href='/logout?token=2'>Log out</a>",
        "the page can log out at /logout",
    );
    expired(&check, stranger, "the page has a link to /login");
    expired(
        &check,
        "<p>Welcome</p>",
        "no longer true: the page can log out at /logout",
    );
}

#[test]
fn a_dashboard_with_a_sidebar_login_is_no_riddle() {
    let member = "<form method=post action=/logout><button>Sign out</button></form><form role=search action=/s><input name=q></form>";
    let stranger =
        "<form method=post action=/login><input name=u><input type=password name=p></form>";
    let check = learned(member, [stranger; 2]);
    valid(&check, member, "the page can log out at /logout");
    expired(&check, stranger, "the page has a login form");
}

#[test]
fn pages_that_differ_by_a_name_are_told_apart() {
    let check = learned(
        "<p>Hello, Anna</p><p>Visitors: 17</p>",
        [
            "<p>Hello, guest</p><p>Visitors: 18</p>",
            "<p>Hello, guest</p><p>Visitors: 19</p>",
        ],
    );
    assert_eq!(
        check.to_string(),
        "logged in: the page names `anna`; logged out: the page says \"Hello, guest\""
    );
    valid(
        &check,
        "<p>Hello, Anna</p><p>Visitors: 2,000</p>",
        "the page names `anna`",
    );
    expired(
        &check,
        "<p>Hello, guest</p><p>Visitors: 20</p>",
        "the page says \"Hello, guest\"",
    );
    // Another name than the one used to log in shows all the same.
    let check = learned(
        "<h1>Shop</h1><p>Hello, Doe</p>",
        ["<h1>Shop</h1><p>Hello, guest</p>"; 2],
    );
    valid(&check, "<p>Hello, Doe</p>", "the page says \"Hello, Doe\"");
    expired(
        &check,
        "<p>Hello, guest</p>",
        "the page says \"Hello, guest\"",
    );
}

#[test]
fn pages_that_differ_by_a_link_are_told_apart() {
    let stranger = "<a href=/>Home</a>";
    let check = learned(
        "<a href=/>Home</a><a href=/orders>Orders</a>",
        [stranger; 2],
    );
    valid(
        &check,
        "<a href=/orders>Orders</a>",
        "the page has a link to /orders",
    );
    expired(
        &check,
        stranger,
        "no longer true: the page has a link to /orders",
    );
}

#[test]
fn chance_is_not_learned() {
    nothing(
        "<p>Visitors: 17</p>",
        ["<p>Visitors: 18</p>", "<p>Visitors: 19</p>"],
    );
    nothing(
        "<p>It is Monday 3 May, 10:04</p>",
        ["<p>It is Monday 3 May, 10:05</p>"; 2],
    );
    let shown = |what: &str| {
        format!("<div class=ad><a href=https://ads.example/{what}>{what}</a></div><p>News</p>")
    };
    nothing(&shown("Shoes"), [&shown("Hats"), &shown("Cars")]);
    nothing(&shown("Shoes"), [&shown("Hats"), "<p>News</p>"]);
    let random = |id: &str| format!("<div id=slot-{id}><b>{id} tyres</b></div><p>News</p>");
    nothing(&random("x1"), [&random("x2"), &random("x3")]);
    let token = |token: &str| format!("<a href='/like?csrf={token}'>Like</a>");
    nothing(&token("a"), [&token("b"), &token("c")]);
}

#[test]
fn chance_beside_a_mark_does_not_hide_it() {
    let page = |ad: &str, rest: &str| {
        format!("<p>{ad}</p><a href=https://ads.example/{ad}>{ad}</a><a href=/>Home</a>{rest}")
    };
    let check = learned(
        &page("Shoes", "<a href=/orders>Orders</a>"),
        [&page("Hats", ""), &page("Cars", "")],
    );
    assert_eq!(
        check.to_string(),
        "logged in: the page has a link to /orders"
    );
    expired(
        &check,
        &page("Boats", ""),
        "no longer true: the page has a link to /orders",
    );
    valid(
        &check,
        &page("Boats", "<a href=/orders>My orders</a>"),
        "the page has a link to /orders",
    );
}

#[test]
fn strangers_that_are_sent_away_are_known_by_where_they_land() {
    let member = load("/account", 200, "<p>Orders</p>");
    let stranger = load("/login?next=/account", 200, "<p>Hi</p>");
    let check = learn(&member, [&stranger, &stranger], &["anna"]).unwrap();
    assert_eq!(
        check.judge(&stranger),
        Judgement::Expired("the request ends at /login".into())
    );
    assert_eq!(
        check.judge(&member),
        Judgement::Valid("not true: the request ends at /login".into())
    );
    let elsewhere = load("/maintenance", 200, "");
    assert_eq!(
        check.judge(&elsewhere),
        Judgement::Unsure("the request ends at /maintenance".into())
    );
    let failing = load("/account", 503, "");
    assert_eq!(
        check.judge(&failing),
        Judgement::Unsure("the status is 503".into())
    );
}

#[test]
fn a_status_for_strangers_is_learned() {
    let member = load("/api/me", 200, "");
    let stranger = load("/api/me", 403, "");
    let check = learn(&member, [&stranger, &stranger], &[]).unwrap();
    assert_eq!(
        check.judge(&stranger),
        Judgement::Expired("the status is 403".into())
    );
    let json =
        |body: &str| Evidence::plain(200, &Url::parse("https://app.example/me").unwrap(), body);
    let (member, stranger) = (
        json("{\"user\":\"anna\",\"n\":1}"),
        json("{\"user\":null,\"n\":2}"),
    );
    let check = learn(&member, [&stranger, &stranger], &["anna"]).unwrap();
    assert_eq!(
        check.judge(&member),
        Judgement::Valid("the page names `anna`".into())
    );
    assert_eq!(
        check.judge(&stranger),
        Judgement::Expired("the page says \"user:null\"".into())
    );
}

#[test]
fn django_admin_is_seen_through() {
    let member = "<div id=user-tools>Welcome, <strong>anna</strong>. <form method=post id=logout-form action=/admin/logout/><input type=hidden name=csrfmiddlewaretoken value=x><button type=submit>Log out</button></form></div><h1>Site administration</h1>";
    let stranger = include_str!("../../tests/pages/django_admin.html");
    let check = learned(member, [stranger; 2]);
    valid(&check, member, "the page can log out at /admin/logout/");
    expired(&check, stranger, "the page has a login form");
}

#[test]
fn a_second_look_drops_what_it_does_not_bear_out() {
    let stranger = "<p>News</p>";
    let check = learned("<p>News</p><a href=/a>A</a><a href=/b>B</a>", [stranger; 2]);
    let check = check
        .confirm(&load("/", 200, "<p>News</p><a href=/b>B</a>"))
        .unwrap();
    assert_eq!(check.to_string(), "logged in: the page has a link to /b");
    assert_eq!(check.confirm(&load("/", 200, stranger)), None);
}

#[test]
fn a_class_of_the_body_is_a_mark() {
    let check = learned(
        "<body class='home logged-in'>x",
        ["<body class='home not-logged-in'>x"; 2],
    );
    assert_eq!(
        check.to_string(),
        "logged in: the page's body has the class `logged-in`"
    );
}

fn load(path: &str, status: u16, html: &str) -> Evidence {
    let url = Url::parse("https://app.example")
        .unwrap()
        .join(path)
        .unwrap();
    Evidence::page(status, &Page::parse(html, &url))
}

#[track_caller]
fn learned(member: &str, strangers: [&str; 2]) -> LearnedCheck {
    let strangers = strangers.map(|html| load("/", 200, html));
    learn(&load("/", 200, member), strangers.each_ref(), &["anna"]).unwrap()
}

#[track_caller]
fn nothing(member: &str, strangers: [&str; 2]) {
    let strangers = strangers.map(|html| load("/", 200, html));
    assert_eq!(
        learn(&load("/", 200, member), strangers.each_ref(), &["anna"]),
        None
    );
}

#[track_caller]
fn valid(check: &LearnedCheck, html: &str, why: &str) {
    assert_eq!(
        check.judge(&load("/", 200, html)),
        Judgement::Valid(why.to_owned())
    );
}

#[track_caller]
fn expired(check: &LearnedCheck, html: &str, why: &str) {
    assert_eq!(
        check.judge(&load("/", 200, html)),
        Judgement::Expired(why.to_owned())
    );
}
