//! Laws that hold whatever is stored: merging, encoding, limits, selection.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sessile_jar::{
    Ancestors, Context, Delta, Jar, Limits, NewCookie, Options, Partition, SameSite, Scope, Target,
    Timestamp,
};

const START: i64 = 1_795_219_200_000;

/// What somebody does with a copy of the jar.
#[derive(Clone, Debug)]
enum Act {
    Clear,
    Remove(u8),
    Set(NewCookie),
    /// Takes in everything the other copy has.
    Sync,
}

/// An act, by which copy, and how many milliseconds after the one before.
type Step = (usize, Act, i64);

fn cookie() -> impl Strategy<Value = NewCookie> {
    let hosts = prop::sample::select(vec!["a.example", "b.a.example", "c.example", "10.0.0.1"]);
    let paths = prop::sample::select(vec!["/", "/x", "/x/y"]);
    let sites = [
        SameSite::Default,
        SameSite::Lax,
        SameSite::None,
        SameSite::Strict,
    ];
    let expiry = prop_oneof![
        2 => Just(None),
        2 => (1..500_i64).prop_map(|days| Some(days * 86_400_000)),
        1 => Just(Some(-1)),
    ];
    let partition = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Partition::new("https://top.example", Ancestors::CrossSite))),
    ];
    (
        (0..4_u8, "[a-z\u{e9}]{0,3}", hosts, any::<bool>(), paths),
        (
            expiry,
            prop::sample::select(sites.to_vec()),
            partition,
            any::<bool>(),
            any::<bool>(),
        ),
    )
        .prop_map(|((name, value, host, is_host_only, path), rest)| {
            let (expiry, same_site, partition, secure, http_only) = rest;
            let mut cookie = NewCookie::new(format!("n{name}"), value);
            cookie.scope = if is_host_only {
                Scope::HostOnly(host.to_owned())
            } else {
                Scope::Domain(host.to_owned())
            };
            cookie.path = path.into();
            cookie.expires = expiry.map(|millis| Timestamp::from_millis(START + millis));
            cookie.secure = secure || same_site == SameSite::None || partition.is_some();
            cookie.same_site = same_site;
            cookie.partition = partition;
            cookie.http_only = http_only;
            cookie
        })
}

fn steps(time: impl Strategy<Value = i64>) -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![
        1 => Just(Act::Clear),
        3 => (0..4_u8).prop_map(Act::Remove),
        12 => cookie().prop_map(Act::Set),
        3 => Just(Act::Sync),
    ];
    prop::collection::vec((0..2_usize, act, time), 0..40)
}

/// Does the steps in two copies by writers of these numbers; answers the last time, too.
fn run(steps: &[Step], writers: [u32; 2]) -> ([Jar; 2], Timestamp) {
    let mut jars = writers.map(|writer| {
        let mut options = Options::default();
        options.limits = Limits::NONE;
        options.writer = writer;
        Jar::with(options)
    });
    let mut millis = START;
    for (who, act, wait) in steps {
        millis += wait;
        let now = Timestamp::from_millis(millis);
        let other = jars[1 - who].snapshot();
        let jar = &mut jars[*who];
        match act {
            Act::Clear => jar.clear(now),
            Act::Remove(name) => {
                jar.remove(format!("n{name}"), now);
            }
            Act::Set(cookie) => {
                jar.insert(cookie, now).expect("the cookie keeps the rules");
            }
            Act::Sync => {
                jar.apply(&other, now);
            }
        }
    }
    (jars, Timestamp::from_millis(millis))
}

type Key = (String, bool, Vec<u8>, Vec<u8>, Option<String>);

fn key(cookie: &NewCookie) -> Key {
    let is_host_only = matches!(cookie.scope, Scope::HostOnly(_));
    let partition = cookie
        .partition
        .as_ref()
        .map(|partition| partition.site().to_owned());
    let domain = cookie.scope.domain().to_owned();
    (
        domain,
        is_host_only,
        cookie.path.clone(),
        cookie.name.clone(),
        partition,
    )
}

fn content(jar: &Jar) -> BTreeMap<Key, Vec<u8>> {
    jar.iter()
        .map(|cookie| (key(&cookie.to_new()), cookie.value().to_vec()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever learns of whose changes first, both copies end the same.
    #[test]
    fn two_copies_converge(steps in steps(-5..50_i64), writers in prop::sample::select(vec![[1, 2], [7, 7]])) {
        let ([mut one, mut two], now) = run(&steps, writers);
        let (from_one, from_two) = (one.snapshot(), two.snapshot());
        one.apply(&from_two, now);
        two.apply(&from_one, now);
        // Where one of them has met the end of a cookie and the other has not.
        one.clear_expired(now);
        two.clear_expired(now);
        prop_assert_eq!(one.snapshot().encode(), two.snapshot().encode());
        // A third one that hears of everything in the other order and twice ends there, too.
        let mut three = Jar::with(one.options().clone());
        for delta in [&from_two, &from_one, &from_two] {
            three.apply(delta, now);
        }
        three.clear_expired(now);
        prop_assert_eq!(content(&three), content(&one));
    }

    /// Changes handed on bit by bit through a store lead to the same as all at once.
    #[test]
    fn deltas_through_a_store_lead_to_the_same(steps in steps(0..50_i64), cut in 0..40_usize) {
        let cut = cut.min(steps.len());
        let (jars, now) = run(&steps[..cut], [1, 2]);
        let mut store = jars[0].clone();
        store.apply(&jars[1].snapshot(), now);
        let [mut one, mut two] = jars;
        let seen = [one.revision(), two.revision()];
        for (who, act, _) in &steps[cut..] {
            let jar = if *who == 0 { &mut one } else { &mut two };
            if let Act::Set(cookie) = act {
                jar.insert(cookie, now).unwrap();
            }
        }
        for (jar, seen) in [(&one, seen[0]), (&two, seen[1])] {
            let bytes = jar.changes_since(seen).encode();
            store.apply(&Delta::decode(&bytes).unwrap(), now);
        }
        for jar in [&mut one, &mut two] {
            jar.apply(&store.snapshot(), now);
            prop_assert_eq!(content(jar), content(&store));
        }
    }

    /// Applying twice changes nothing.
    #[test]
    fn applying_twice_changes_nothing(steps in steps(0..50_i64)) {
        let ([mut one, two], now) = run(&steps, [1, 2]);
        let delta = two.snapshot();
        one.apply(&delta, now);
        let (before, revision) = (one.snapshot().encode(), one.revision());
        prop_assert!(!one.apply(&delta, now));
        prop_assert_eq!(one.snapshot().encode(), before);
        prop_assert_eq!(one.revision(), revision);
    }

    /// Of all changes of a cookie, whoever made them, the last one counts.
    #[test]
    fn the_later_change_wins(steps in steps(1..50_i64)) {
        // Only acts whose effect does not depend on what a copy knows already.
        let steps: Vec<_> = steps.into_iter().filter(|(_, act, _)| !matches!(act, Act::Remove(_))).collect();
        let ([mut one, two], now) = run(&steps, [1, 2]);
        one.apply(&two.snapshot(), now);
        let mut expected = BTreeMap::new();
        for (_, act, _) in &steps {
            match act {
                Act::Clear => expected.clear(),
                Act::Set(cookie) if cookie.expires.is_some_and(|expires| expires.as_millis() < START) => {
                    expected.remove(&key(cookie));
                }
                Act::Set(cookie) => {
                    expected.insert(key(cookie), cookie.value.clone());
                }
                Act::Remove(_) | Act::Sync => {}
            }
        }
        prop_assert_eq!(content(&one), expected);
    }

    /// Bytes and back is the same, with everything a cookie has.
    #[test]
    fn encoding_loses_nothing(steps in steps(0..50_i64)) {
        let ([one, _], now) = run(&steps, [1, 2]);
        let delta = one.snapshot();
        let decoded = Delta::decode(&delta.encode()).unwrap();
        prop_assert_eq!(&decoded, &delta);
        let mut again = Jar::new();
        again.apply(&decoded, now);
        let all = |jar: &Jar| {
            let mut all: Vec<_> = jar.iter().map(|cookie| cookie.to_new()).collect();
            all.sort_by_key(key);
            all
        };
        prop_assert_eq!(all(&again), all(&one));
    }

    /// No sequence of bytes is too much for reading changes.
    #[test]
    fn decoding_is_total(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(delta) = Delta::decode(&bytes) {
            prop_assert_eq!(Delta::decode(&delta.encode()).unwrap(), delta);
        }
    }

    /// A jar keeps its limits, and no line has a cookie that is not in the jar.
    #[test]
    fn limits_hold(cookies in prop::collection::vec((cookie(), 0..5_i64), 0..60)) {
        let mut options = Options::default();
        options.limits.per_domain = 3;
        options.limits.total = 7;
        options.limits.removals = 5;
        let (mut jar, mut millis) = (Jar::with(options), START);
        for (cookie, wait) in cookies {
            millis += wait;
            let now = Timestamp::from_millis(millis);
            jar.insert(&cookie, now).unwrap();
            prop_assert!(jar.len() <= 7);
            prop_assert_eq!(jar.len(), jar.iter().count());
            let target = Target::parse("https://b.a.example/x/y/z").unwrap();
            for cookie in jar.select(&target, &Context::default(), now) {
                prop_assert!(!cookie.is_expired(now) && cookie.domain().ends_with("a.example"));
            }
        }
    }

    /// A line that was kept is the line that would be written, as long as its revision says so.
    #[test]
    fn kept_lines_stay_right(cookies in prop::collection::vec((cookie(), 0..86_400_000_i64), 0..40)) {
        let mut options = Options::default();
        options.limits.per_domain = 4;
        let mut jar = Jar::with(options);
        let target = Target::parse("https://b.a.example/x/y/z").unwrap();
        let context = Context::default();
        let (mut kept, mut millis) = (None, START);
        for (cookie, wait) in cookies {
            jar.insert(&cookie, Timestamp::from_millis(millis)).unwrap();
            millis += wait;
            let now = Timestamp::from_millis(millis);
            let mut out = Vec::new();
            let line = jar.write_cookie_header(&target, &context, now, &mut out);
            if let Some((revision, until, old)) = kept
                && revision == jar.line_revision()
                && now < until
            {
                prop_assert_eq!(&old, &out);
            }
            kept = Some((jar.line_revision(), line.valid_until, out));
        }
    }

    /// Nothing a server sends is too much, and what it set is sent back as it came.
    #[test]
    fn storing_is_total(line in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut jar = Jar::new();
        let now = Timestamp::from_millis(START);
        let target = Target::parse("https://www.shop.example/a/b").unwrap();
        let explained = jar.explain_store(&line, &target, &Context::default(), now).outcome;
        let stored = jar.store(&line, &target, &Context::default(), now);
        prop_assert_eq!(stored, explained);
        prop_assert_eq!(stored.is_ok(), jar.len() == 1 || stored == Ok(sessile_jar::Stored::Nothing));
    }
}
