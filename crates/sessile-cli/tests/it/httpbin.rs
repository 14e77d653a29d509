//! Against httpbin: cookies, redirects, authorization, encodings and streams.

use serde_json::Value;

use crate::support::{Gunicorn, Person, Table};

/// What happens, the request of a stored session, and the cookies that httpbin answers with.
const COOKIES: &str = r#"
    set       | --create URL/cookies/set?a=1&b=2 | {"a":"1","b":"2"}
    kept      | URL/cookies                      | {"a":"1","b":"2"}
    replaced  | URL/cookies/set?a=3              | {"a":"3","b":"2"}
    deleted   | URL/cookies/delete?a             | {"b":"2"}
    not kept  | --read-only URL/cookies/set?c=4  | {"b":"2","c":"4"}
    as before | URL/cookies                      | {"b":"2"}
"#;

#[test]
fn cookies_are_set_kept_and_deleted() {
    let (bin, me) = (Gunicorn::httpbin(), Person::new());
    let mut table = Table::new();
    for [what, request, expected] in Table::rows(COOKIES) {
        table.row(what, || {
            let line = format!("get -s bin {}", request.replace("URL", bin.url()));
            let reply = me.run(&line).exits(0).json();
            assert_eq!(reply["cookies"], json(expected), "{what}");
        });
    }
    table.done();
}

/// A command line, a place in the JSON that httpbin answers with, and what stands there.
const REQUESTS: &str = r#"
    get URL/get q==1 q==2           | /args/q           | ["1","2"]
    get URL/get X-Colour:blue       | /headers/X-Colour | "blue"
    post URL/post name=Ada n:=5     | /json             | {"n":5,"name":"Ada"}
    put --form URL/put name=Ada     | /form             | {"name":"Ada"}
    patch URL/patch --raw text      | /data             | "text"
    delete URL/delete               | /data             | ""

    Redirects: where they lead, and with which method.
    get URL/redirect/5              | /url              | "URL/get"
    get URL/relative-redirect/2     | /url              | "URL/get"
    get URL/absolute-redirect/2     | /url              | "URL/get"
    post URL/redirect-to?url=/anything&status_code=303 a=1 | /method | "GET"
    post URL/redirect-to?url=/anything&status_code=307 a=1 | /json   | {"a":"1"}

    Encodings.
    get URL/gzip                    | /gzipped          | true
    get URL/deflate                 | /deflated         | true
    get URL/brotli                  | /brotli           | true
"#;

#[test]
fn requests_arrive_as_written() {
    let (bin, me) = (Gunicorn::httpbin(), Person::new());
    let mut table = Table::new();
    for [line, pointer, expected] in Table::rows(REQUESTS) {
        table.row(line, || {
            let line = line.replace("URL", bin.url());
            let reply = me.run(&line).exits(0).json();
            let found = reply.pointer(pointer).unwrap_or(&Value::Null);
            let expected = expected.replace("URL", bin.url());
            assert_eq!(*found, json(&expected), "{pointer} of {reply}");
        });
    }
    table.done();
}

#[test]
fn authorization_is_accepted_and_stays_off_the_command_line() {
    let (bin, me) = (Gunicorn::httpbin(), Person::new());
    let (basic, digest) = (
        "--auth-type basic --auth-user u",
        "--auth-type digest --auth-user u",
    );
    let mut table = Table::new();
    for (options, path, secret, code) in [
        (basic, "basic-auth/u/p%20w", "p w", 0),
        (basic, "basic-auth/u/p%20w", "wrong", 1),
        (digest, "digest-auth/auth/u/pw/MD5", "pw", 0),
        (digest, "digest-auth/auth/u/pw/SHA-256", "pw", 0),
        (digest, "digest-auth/auth/u/pw/SHA-256", "wrong", 1),
        ("--auth-type bearer", "bearer", "a-token", 0),
    ] {
        let line = format!("get --fail {options} --auth-stdin {}/{path}", bin.url());
        table.row(&format!("{line} with {secret:?}"), || {
            let outcome = me.sessile(&line).input(secret).run().exits(code);
            if code == 0 {
                assert_eq!(outcome.json()["authenticated"], true);
            }
        });
    }
    table.done();
}

#[test]
fn streams_arrive_whole() {
    let (bin, me) = (Gunicorn::httpbin(), Person::new());
    let url = bin.url();
    let lines = me.run(&format!("get {url}/stream/100")).exits(0).stdout();
    assert_eq!(lines.lines().count(), 100);

    let bytes = me
        .run(&format!(
            "get {url}/stream-bytes/100000?seed=1&chunk_size=777"
        ))
        .exits(0);
    assert_eq!(bytes.stdout_bytes().len(), 100_000);

    let file = me.home().join("body");
    me.run(&format!(
        "get {url}/bytes/100000?seed=1 -o {}",
        file.display()
    ))
    .exits(0)
    .prints_nothing();
    assert_eq!(file.metadata().unwrap().len(), 100_000);
}

#[test]
fn a_status_is_no_failure_unless_asked() {
    let (bin, me) = (Gunicorn::httpbin(), Person::new());
    me.run(&format!("get {}/status/404", bin.url())).exits(0);
    me.run(&format!("get --fail {}/status/404", bin.url()))
        .exits(1)
        .says(&["404"]);
    me.run(&format!("get -i --no-follow {}/redirect/1", bin.url()))
        .exits(0)
        .prints("302");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
