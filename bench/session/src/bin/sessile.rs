//! Sessile: one session with its jar and headers; `--mode sessions` makes many on one engine.

use bytes::Bytes;
use sessile::transport::Engine;
use sessile::{Authorization, Profile, Secret, Session};
use sessile_jar::{Jar, NewCookie, Timestamp};
use session_bench::{HEADERS, args, cookies, drive, report, runtime, sessions};

fn main() {
    let mut args = args();
    args.name_or("sessile");
    let runtime = runtime();
    let engine = Engine::new();
    if args.mode == "sessions" {
        let _entered = runtime.enter();
        let make = || session(&engine, args.matching, args.matching);
        let open = |session: &mut Session| {
            runtime.block_on(get(session, &args.url));
        };
        return sessions(&args, make, open);
    }
    runtime.block_on(async {
        let session = session(&engine, args.cookies, args.matching);
        let echo = get(&session, &args.verify).await;
        let url = args.url.clone();
        let measured = drive(&args, move || {
            let (session, url) = (session.clone(), url.clone());
            async move {
                get(&session, &url).await;
            }
        });
        let (spent, times) = measured.await;
        report(&args, spent, times, &String::from_utf8_lossy(&echo));
    });
}

fn session(engine: &Engine, total: usize, matching: usize) -> Session {
    let mut builder = Session::builder()
        .profile(Profile::None)
        .engine(engine.clone());
    for (name, value) in HEADERS {
        builder = match name {
            "authorization" => {
                let token = value.trim_start_matches("Bearer ").to_owned();
                builder.authorization(Authorization::Bearer(Secret::from(token)))
            }
            _ => builder.header(name, value),
        };
    }
    let session = builder.build().unwrap();
    session.update(|state, now| fill(state.jar_mut(), total, matching, now));
    session
}

fn fill(jar: &mut Jar, total: usize, matching: usize, now: Timestamp) {
    for cookie in cookies(total, matching) {
        let mut new = NewCookie::new(&*cookie.name, &*cookie.value).for_host(&*cookie.domain);
        new.path = cookie.path.as_bytes().to_vec();
        jar.insert(&new, now).unwrap();
    }
}

async fn get(session: &Session, url: &str) -> Bytes {
    let reply = session.get(url).await.unwrap();
    assert_eq!(reply.status(), 200);
    reply.bytes().await.unwrap()
}
