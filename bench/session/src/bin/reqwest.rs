//! reqwest with its cookie jar and default headers; many sessions share one TLS configuration.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, cookie::Jar};
use rustls::{ClientConfig, RootCertStore};
use session_bench::{HEADERS, args, cookies, drive, report, runtime, sessions};

fn main() {
    let mut args = args();
    args.name_or("reqwest");
    let runtime = runtime();
    let tls = tls();
    if args.mode == "sessions" {
        let _entered = runtime.enter();
        let open = |client: &mut Client| {
            runtime.block_on(get(client, &args.url));
        };
        return sessions(&args, || client(args.matching, args.matching, &tls), open);
    }
    runtime.block_on(async {
        let client = client(args.cookies, args.matching, &tls);
        let echo = get(&client, &args.verify).await;
        let url: Arc<str> = args.url.as_str().into();
        let measured = drive(&args, move || {
            let (client, url) = (client.clone(), Arc::clone(&url));
            async move {
                get(&client, &url).await;
            }
        });
        let (spent, times) = measured.await;
        report(&args, spent, times, &String::from_utf8_lossy(&echo));
    });
}

fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

fn client(total: usize, matching: usize, tls: &ClientConfig) -> Client {
    let jar = Jar::default();
    for cookie in cookies(total, matching) {
        let line = format!("{}={}; Path={}", cookie.name, cookie.value, cookie.path);
        let url = format!("http://{}{}", cookie.domain, cookie.path);
        jar.add_cookie_str(&line, &url.parse().unwrap());
    }
    let all = HEADERS.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    let headers: HeaderMap = all.into_iter().collect();
    let builder = Client::builder()
        .cookie_provider(Arc::new(jar))
        .default_headers(headers)
        .no_proxy();
    builder
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .build()
        .unwrap()
}

async fn get(client: &Client, url: &str) -> Bytes {
    let reply = client.get(url).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    reply.bytes().await.unwrap()
}
