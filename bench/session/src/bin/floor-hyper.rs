//! The floor: the pooled client that most Rust clients stand on, with a ready header map and no jar.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use session_bench::{Args, HEADERS, args, cookie_line, drive, report, runtime, sessions};

type Floor = Client<HttpConnector, Empty<Bytes>>;

fn main() {
    let mut args = args();
    args.name_or("floor");
    let runtime = runtime();
    let (uri, headers): (Uri, _) = (args.url.parse().unwrap(), headers(&args));
    if args.mode == "sessions" {
        let _entered = runtime.enter();
        let open = |session: &mut (Floor, HeaderMap)| {
            runtime.block_on(get(&session.0, &uri, &session.1));
        };
        return sessions(&args, || (client(), headers.clone()), open);
    }
    runtime.block_on(async {
        let client = client();
        let echo = get(&client, &args.verify.parse().unwrap(), &headers).await;
        let measured = drive(&args, move || {
            let (client, uri, headers) = (client.clone(), uri.clone(), headers.clone());
            async move {
                get(&client, &uri, &headers).await;
            }
        });
        let (spent, times) = measured.await;
        report(&args, spent, times, &String::from_utf8_lossy(&echo));
    });
}

fn client() -> Floor {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

fn headers(args: &Args) -> HeaderMap {
    let all = HEADERS.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    let mut headers: HeaderMap = all.into_iter().collect();
    headers.insert("cookie", cookie_line(args).parse().unwrap());
    headers
}

async fn get(client: &Floor, uri: &Uri, headers: &HeaderMap) -> Bytes {
    let mut request = Request::get(uri.clone()).body(Empty::new()).unwrap();
    *request.headers_mut() = headers.clone();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap().to_bytes()
}
