//! Changes read from any bytes: back to the same bytes' meaning, and harmless to apply.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sessile_jar::{Delta, Jar, Timestamp};

fuzz_target!(|bytes: &[u8]| {
    let Ok(delta) = Delta::decode(bytes) else {
        return;
    };
    assert_eq!(Delta::decode(&delta.encode()), Ok(delta.clone()));
    let now = Timestamp::from_seconds(1_795_219_200);
    let mut jar = Jar::new();
    jar.apply(&delta, now);
    assert_eq!(jar.len(), jar.iter().count());
    assert!(
        !jar.apply(&jar.snapshot(), now),
        "a jar's own changes are no news to it"
    );
    let mut copy = Jar::new();
    copy.apply(&jar.snapshot(), now);
    assert_eq!(copy.snapshot().encode(), jar.snapshot().encode());
});
