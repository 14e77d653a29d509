//! Cookies, echoes, redirects, and answers that are late, odd or cut short.

use serde_json::json;

use crate::browser::{Reply, start};

#[tokio::test]
async fn echo_shows_the_wire() {
    let (_site, browser) = start().await;
    let head = "PATCH /echo?a=%41&b HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-one: 2\r\nX-TWO: 3\r\n";
    let request = format!("{head}Content-Length: 4\r\nConnection: close\r\n\r\nbody");
    let reply = Reply::parsed(&browser.exchange(&request).await);
    let expected = json!({
        "method": "PATCH",
        "path": "/echo",
        "query": "a=%41&b",
        "headers": [
            ["Host", "h"], ["X-Two", "1"], ["x-one", "2"], ["X-TWO", "3"],
            ["Content-Length", "4"], ["Connection", "close"],
        ],
        "body": "body",
    });
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn echo_tells_requests_of_one_connection_apart() {
    let (site, browser) = start().await;
    let first = "POST /echo HTTP/1.1\r\nHost: h\r\nA: 1\r\nContent-Length: 4\r\n\r\nbody";
    let second = "POST /echo HTTP/1.1\r\nHost: h\r\nB: 2\r\nConnection: close\r\n\r\n";
    let answers = browser.exchange(&format!("{first}{second}")).await;
    assert!(
        answers.contains("[\"A\",\"1\"]") && answers.contains("[\"B\",\"2\"]"),
        "{answers}"
    );
    let ports: Vec<_> = site.log().iter().map(|line| line.port).collect();
    assert!(
        matches!(ports[..], [one, other] if one == other),
        "{ports:?}"
    );
}

#[tokio::test]
async fn five_cookies_are_set_and_shown() {
    let (_site, mut browser) = start().await;
    let page = browser.get("/cookies/five").await;
    let expected = [
        "five-session=1; Path=/",
        "five-lasting=2; Path=/; Max-Age=3600",
        "five-path=3; Path=/cookies",
        "five-hidden=4; Path=/; HttpOnly",
        "five-strict=5; Path=/; SameSite=Strict",
    ];
    assert_eq!(page.all("set-cookie"), expected);
    assert!(page.body.contains("Received were 0:"));
    assert!(
        browser
            .get("/cookies/five")
            .await
            .body
            .contains("Received were 5:")
    );
    browser.cookies.clear();
    let headers = [("Cookie", "a=1; b=\"2\";c"), ("Cookie", "a=3")];
    let shown = browser.send("GET", "/cookies/show", &headers, "").await;
    let expected = json!({
        "headers": ["a=1; b=\"2\";c", "a=3"],
        "cookies": [["a", "1"], ["b", "\"2\""], ["", "c"], ["a", "3"]],
    });
    assert_eq!(shown.json(), expected);
}

#[tokio::test]
async fn statuses_are_as_ordered() {
    let (_site, mut browser) = start().await;
    for (code, expected) in [
        ("200", 200),
        ("204", 204),
        ("418", 418),
        ("599", 599),
        ("100", 400),
        ("600", 400),
        ("99", 400),
        ("x", 400),
    ] {
        assert_eq!(
            browser.get(&format!("/status/{code}")).await.status,
            expected,
            "{code}"
        );
    }
    let busy = browser
        .send("POST", "/status/503?retry_after=7", &[], "")
        .await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "7"));
}

#[tokio::test]
async fn redirects_end_or_do_not() {
    let (_site, mut browser) = start().await;
    browser.get("/redirect/2").await.is(302, "/redirect/1");
    browser.get("/redirect/1").await.is(302, "/redirect/0");
    assert_eq!(browser.get("/redirect/0").await.status, 200);
    assert_eq!(browser.get("/redirect/4000000000").await.status, 400);
    assert_eq!(browser.get("/redirect/-1").await.status, 400);
    browser
        .get("/redirect-loop")
        .await
        .is(302, "/redirect-loop");
}

#[tokio::test]
async fn a_cut_answer_promises_more_than_it_brings() {
    let (_site, mut browser) = start().await;
    let reply = browser.get("/cut").await;
    assert_eq!(
        (reply.status, reply.header("content-length")),
        (200, "1000")
    );
    assert_eq!(reply.body, "This answer ends in the mid");
}

#[tokio::test]
async fn slow_answers_after_its_time() {
    let (_site, mut browser) = start().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(browser.get("/slow?ms=50").await.body, "That took 50 ms.\n");
    assert!(begun.elapsed().as_millis() >= 50);
    assert_eq!(browser.get("/slow").await.status, 400);
}
