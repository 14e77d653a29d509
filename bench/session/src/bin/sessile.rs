//! Sessile: one session with its jar and headers; `--mode sessions` makes many on one engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use sessile::transport::Engine;
use sessile::{Authorization, Profile, Secret, Session};
use sessile_jar::{Jar, Limits, NewCookie, Options, Timestamp};
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
        let (varies, turn) = (args.varies, Arc::new(AtomicUsize::new(0)));
        let measured = drive(&args, move || {
            let (session, mut url) = (session.clone(), url.clone());
            if varies {
                url += &format!("/{}", turn.fetch_add(1, Ordering::Relaxed) % 1000);
            }
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
    session.update(|state, now| {
        // As many cookies on one host as the peers take.
        if total > 100 {
            let mut options = Options::default();
            options.limits = Limits::NONE;
            *state.jar_mut() = Jar::with(options);
        }
        fill(state.jar_mut(), total, matching, now);
    });
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
