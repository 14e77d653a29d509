//! Any line from any place: stored or refused as explained, and not lost in a copy.
//!
//! The first byte chooses the URL and the context, the rest is lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sessile_jar::{Api, Context, Delta, Jar, Navigation, Site, Target, Timestamp};

const URLS: [&str; 8] = [
    "https://www.shop.example/a/b",
    "http://www.shop.example/a/b",
    "https://shop.example/",
    "http://localhost/",
    "https://user.github.io/a",
    "https://127.0.0.1/a/",
    "http://[::1]/",
    "https://shop.example./a",
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, lines)) = input.split_first() else {
        return;
    };
    let target = Target::parse(URLS[usize::from(choice & 7)]).expect("the URL is good");
    let mut context = Context::default();
    if choice & 8 != 0 {
        context.api = Api::NonHttp;
    }
    if choice & 16 != 0 {
        context.site = Site::CrossSite;
    }
    if choice & 32 != 0 {
        context.navigation = Navigation::Safe;
    }
    let now = Timestamp::from_seconds(1_795_219_200);
    let mut jar = Jar::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let explained = jar.explain_store(line, &target, &context, now);
        let stored = jar.store(line, &target, &context, now);
        assert_eq!(stored, explained.outcome);
        assert_eq!(stored.is_ok(), explained.cookie.is_some());
        if let Some(cookie) = explained.cookie {
            // What a server may set can be put in by hand as well, but for what the RFC leaves
            // to responses.
            let _ = jar.clone().insert(&cookie, now);
        }
    }
    let header = jar.cookie_header(&target, &context, now);
    let sent = jar.explain(&target, &context, now);
    let sent = sent
        .iter()
        .filter(|sending| sending.omission.is_none())
        .count();
    assert_eq!(jar.select(&target, &context, now).count(), sent);
    assert_eq!(header.is_some(), sent > 0);
    let changes = Delta::decode(&jar.snapshot().encode()).expect("a jar's own bytes");
    let mut copy = Jar::new();
    copy.apply(&changes, now);
    assert_eq!(copy.cookie_header(&target, &context, now), header);
});
