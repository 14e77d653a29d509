//! A person is told once, however many requests meet the same trouble.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use sessile::Request;
use sessile::clock::{Clock, ManualClock, Timestamp};
use sessile::renew::{Kept, KeptOptions, Mode, TroubleKind};
use sessile::session::SessionState;
use sessile::store::{StoreOptions, Vault};
use sessile::transport::{ScriptedReply, ScriptedTransport, Transport};

#[tokio::test]
async fn a_challenge_is_told_once_and_again_after_six_hours() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
    let script = ScriptedTransport::new();
    let challenge = ScriptedReply::status(403).header("cf-mitigated", "challenge");
    script.on_each("GET http://a.test/", challenge);
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = |mode| {
        let mut options = KeptOptions::default();
        options.mode = mode;
        let transport = Arc::clone(&script) as Arc<dyn Transport>;
        let clock = Arc::clone(&clock) as Arc<dyn Clock>;
        options.builder = options.builder.transport(transport).clock(clock);
        let told = Arc::clone(&told);
        options.notify = Some(Arc::new(move |trouble| {
            let words = (
                trouble.session.clone(),
                trouble.kind,
                trouble.reason.clone(),
            );
            told.lock().unwrap().push(words);
        }));
        options
    };
    let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
    let name = "shop".parse().unwrap();
    let state = SessionState::default();
    let made = Kept::create(&vault, &name, state, options(Mode::Renew)).unwrap();
    made.save().await.unwrap();

    let read_only = Kept::open(&vault, &name, options(Mode::ReadOnly))
        .await
        .unwrap();
    read_only
        .send(Request::get("http://a.test/"))
        .await
        .unwrap();
    assert!(told.lock().unwrap().is_empty());

    for expected in 1..=2 {
        let opened = (0..4).map(|_| Kept::open(&vault, &name, options(Mode::Renew)));
        let holders = join_all(opened).await.into_iter().map(Result::unwrap);
        let holders: Vec<Kept> = holders.collect();
        let requests = holders
            .iter()
            .flat_map(|kept| (0..5).map(move |_| kept.send(Request::get("http://a.test/"))));
        assert!(join_all(requests).await.iter().all(Result::is_ok));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), expected);
        let (session, kind, reason) = &told[0];
        assert_eq!((session.as_str(), *kind), ("shop", TroubleKind::Challenge));
        assert_eq!(reason, "Cloudflare asks for a browser check");
        clock.advance(Duration::from_secs(6 * 3600));
    }
}
