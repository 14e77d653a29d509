//! Every operation with a wrong token, scope, method, name, type or size; and requests that aren't any.

use http::Method;
use serde_json::Value;
use sessile::Request;
use sessile_server::access::Scope;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::World;

/// What wants no token.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/api/openapi.json"];

/// Every operation of the document: method, path with names in it, and the scope that it wants.
fn operations() -> Vec<(Method, String, Option<Scope>)> {
    let document: Value = serde_json::from_str(&sessile_server::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            let scope = operation["security"][0]["token"][0].as_str();
            let path = path.split('/').map(|part| {
                if part.starts_with('{') {
                    "nobody"
                } else {
                    part
                }
            });
            let path = path.collect::<Vec<_>>().join("/");
            operations.push((method, path, scope.map(|scope| scope.parse().unwrap())));
        }
    }
    assert!(operations.len() > 40, "{operations:?}");
    operations
}

#[tokio::test]
async fn every_operation_wants_a_token_with_its_scope() {
    let world = World::start().await;
    for (method, path, scope) in operations() {
        let Some(scope) = scope else {
            assert!(OPEN.contains(&&*path), "{method} {path} wants no scope");
            continue;
        };
        let url = format!("{}{path}", world.url);
        let nobody = world.send(Request::new(method.clone(), &url)).await;
        nobody.refuses(401, "unauthorized");
        let wrong =
            Request::new(method.clone(), &url).header("authorization", "Bearer sessile_wrong");
        world.send(wrong).await.refuses(401, "unauthorized");
        let lesser = [Scope::Read, Scope::Use]
            .into_iter()
            .filter(|lesser| *lesser < scope);
        for lesser in lesser {
            let asked = world
                .send(world.request(method.clone(), &path, lesser))
                .await;
            asked.refuses(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_path_or_query_is_said() {
    let world = World::start().await;
    world.log_in().await;
    let long = format!("/api/sessions/{}", "x".repeat(200));
    let too_long = ("GET", &*long, 400, "bad-request");
    for (method, path, status, kind) in PATHS.iter().copied().chain([too_long]) {
        let request = world.request(method.parse().unwrap(), path, Scope::Manage);
        let answer = world.send(request).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{method} {path} {answer:#?}"
        );
        answer.refuses(status, kind);
    }
    world.get("/readyz").await.is(200);
}

const PATHS: &[(&str, &str, u16, &str)] = &[
    ("GET", "/", 404, "not-found"),
    ("GET", "/api", 404, "not-found"),
    ("GET", "/api/sessions/", 404, "not-found"),
    ("GET", "/api/sessions/a/b/c", 404, "not-found"),
    ("GET", "/api/sessions/nobody", 404, "unknown-session"),
    ("GET", "/api/sessions/..%2f..%2fetc", 400, "bad-request"),
    ("GET", "/api/sessions/.access.first", 400, "bad-request"),
    ("GET", "/api/sessions/~note%201", 400, "bad-request"),
    ("GET", "/api/sessions/%ff", 400, "bad-request"),
    ("GET", "/api/sessions/%00", 400, "bad-request"),
    ("GET", "/api/sessions?limit=0", 400, "bad-request"),
    ("GET", "/api/sessions?limit=-1", 400, "bad-request"),
    ("GET", "/api/sessions?nonsense=1", 400, "bad-request"),
    (
        "GET",
        "/api/sessions/stats?pool=nobody",
        404,
        "unknown-pool",
    ),
    ("GET", "/api/sessions/ada/fetch", 400, "bad-request"),
    (
        "GET",
        "/api/sessions/ada/fetch?url=file:///etc/passwd",
        400,
        "bad-request",
    ),
    (
        "GET",
        "/api/sessions/ada/fetch?url=/&redirects=99",
        400,
        "bad-request",
    ),
    (
        "GET",
        "/api/sessions/ada/headers?url=/&method=a%20b",
        400,
        "bad-request",
    ),
    ("GET", "/api/leases/nobody", 404, "unknown-lease"),
    ("GET", "/api/pools/nobody", 404, "unknown-pool"),
    ("GET", "/api/sessions/event/e1", 404, "unknown-session"),
    ("POST", "/api/sessions/event/e1", 404, "unknown-pool"),
    (
        "POST",
        "/api/sessions/rotate?pool=nobody",
        404,
        "unknown-pool",
    ),
    ("POST", "/api/sessions/nobody/login", 404, "unknown-session"),
    ("POST", "/api/sessions", 405, "method-not-allowed"),
    ("PUT", "/metrics", 405, "method-not-allowed"),
];

#[tokio::test]
async fn what_is_wrong_with_a_document_or_a_header_is_said() {
    let world = World::start().await;
    world.log_in().await;
    let otp = "/api/sessions/ada/otp";
    let json = "application/json";
    let bodies: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        (otp, json, b"".into(), 400, "bad-request"),
        (otp, json, b"{".into(), 400, "bad-request"),
        (otp, json, b"[1]".into(), 400, "bad-request"),
        (
            otp,
            "text/plain",
            b"{}".into(),
            415,
            "unsupported-media-type",
        ),
        (otp, json, vec![b'['; 300_000], 413, "too-large"),
        (otp, json, vec![b'['; 200_000], 400, "bad-request"),
        (
            "/api/sessions/x/login",
            json,
            b"{}".into(),
            400,
            "bad-request",
        ),
    ];
    for (path, kind, body, status, problem) in bodies {
        let shown = format!("{path} {kind} {} bytes", body.len());
        let request = world.request(Method::POST, path, Scope::Manage);
        let answer = world
            .send(request.header("content-type", kind).body(body))
            .await;
        assert_eq!(answer.status.as_u16(), status, "{shown} {answer:#?}");
        answer.refuses(status, problem);
    }
    for (path, document, expected) in FIELDS {
        let document: Value = serde_json::from_str(document).unwrap();
        let answer = world.post(path, &document).await;
        let detail = answer.refuses(400, "bad-request").json()["detail"].to_string();
        assert!(detail.contains(expected), "{document}: {detail}");
        assert!(!detail.contains("secret"), "{document}: {detail}");
    }
    let get = |path: &str| world.request(Method::GET, path, Scope::Manage);
    let host = get("/api/sessions/ada/fetch?url=/").header("sessile-header-host", "x");
    world.send(host).await.refuses(400, "bad-request");
    let rebound = get("/healthz").header("host", "attacker.example");
    world.send(rebound).await.refuses(421, "misdirected");
}

/// The field that is wrong is named, and what it holds isn't repeated.
const FIELDS: [(&str, &str, &str); 4] = [
    (
        "/api/sessions/x/login",
        r#"{"password":["secret"]}"#,
        "`password`",
    ),
    (
        "/api/sessions/x/login",
        r#"{"remember":"secret"}"#,
        "`remember`",
    ),
    (
        "/api/sessions/x/login",
        r#"{"pasword":"secret"}"#,
        "`pasword`",
    ),
    ("/api/sessions/ada/otp", "{}", "the document"),
];

#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let world = World::start().await;
    let address = world.url.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nX",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    // Many that say nothing, or not all.
    for number in 0..500 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: local")
                .await
                .unwrap();
        }
        idle.push(stream);
    }
    world.get("/api/sessions").await.is(200);
}
