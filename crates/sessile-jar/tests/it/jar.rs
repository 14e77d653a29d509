//! The jar by its public face: limits, secure cookies, cookies by hand, what a line may be
//! kept for.

use sessile_jar::{Context, Jar, Limits, Options, Refusal, Stored, Target, Timestamp};

const START: Timestamp = Timestamp::from_seconds(1_795_219_200);

#[test]
fn a_jar_can_be_shared_by_threads() {
    fn is_shareable<T: Clone + Send + Sync + 'static>() {}
    is_shareable::<Jar>();
}

#[test]
fn a_flood_of_plain_cookies_leaves_secure_ones() {
    let mut jar = limited(3, 100);
    for name in ["s1", "s2"] {
        store(
            &mut jar,
            "https://a.example/",
            &format!("{name}=1; Secure"),
            0,
        );
    }
    for turn in 1..10 {
        store(&mut jar, "https://a.example/", &format!("p{turn}=1"), turn);
    }
    check(&jar, "https://a.example/", 10, "s1=1; s2=1; p9=1");
}

#[test]
fn a_domain_loses_what_was_used_least_recently() {
    let mut jar = limited(3, 100);
    for (turn, line) in ["a=1; Path=/a", "b=1; Path=/b", "c=1; Path=/c"]
        .iter()
        .enumerate()
    {
        store(&mut jar, "https://a.example/", line, turn as i64);
    }
    // Sending counts as a use.
    check(&jar, "https://a.example/a", 10, "a=1");
    store(&mut jar, "https://a.example/", "d=1", 11);
    check(&jar, "https://a.example/a", 12, "a=1; d=1");
    check(&jar, "https://a.example/b", 12, "d=1");
    check(&jar, "https://a.example/c", 12, "c=1; d=1");
}

#[test]
fn what_has_ended_goes_before_what_lives() {
    let mut jar = limited(100, 3);
    store(&mut jar, "https://a.example/", "a=1", 0);
    store(&mut jar, "https://b.example/", "b=1; Max-Age=5", 1);
    store(&mut jar, "https://c.example/", "c=1", 2);
    store(&mut jar, "https://d.example/", "d=1", 9);
    check(&jar, "https://a.example/", 10, "a=1");
    store(&mut jar, "https://e.example/", "e=1", 11);
    // Of those alive, `c` was used longest ago.
    check(&jar, "https://c.example/", 12, "");
    assert_eq!(jar.len(), 3);
}

#[test]
fn a_jar_of_many_domains_keeps_its_limit_exactly() {
    let mut jar = limited(100, 1000);
    for turn in 0..5000 {
        store(&mut jar, &format!("https://s{turn}.example/"), "a=1", turn);
        assert_eq!(jar.len(), 1000.min(turn as usize + 1));
    }
    let oldest = jar.iter().map(|cookie| cookie.created()).min();
    assert_eq!(oldest, Some(START.plus_seconds(4000)));
}

#[test]
fn partitions_are_counted_for_themselves() {
    let mut jar = limited(2, 100);
    for name in ["a", "b", "c"] {
        store(&mut jar, "https://a.example/", &format!("{name}=1"), 0);
        store(
            &mut jar,
            "https://a.example/",
            &format!("{name}p=1; Secure; Partitioned"),
            1,
        );
    }
    check(&jar, "https://a.example/", 2, "b=1; c=1; bp=1; cp=1");
}

#[test]
fn secure_cookies_are_left_alone_in_jars_of_any_size() {
    for others in [0, 200] {
        let mut jar = Jar::new();
        for turn in 0..others {
            store(
                &mut jar,
                &format!("https://s{turn}.other.example/"),
                "id=1; Secure",
                0,
            );
        }
        store(
            &mut jar,
            "https://a.shop.example/",
            "id=1; Secure; Path=/login",
            0,
        );
        let refused = Err(Refusal::OverwriteSecure);
        for (url, line, expected) in [
            ("http://a.shop.example/", "id=2; Path=/login", refused),
            ("http://a.shop.example/", "id=2; Path=/login/en", refused),
            ("http://a.shop.example/", "id=2; Path=/", Ok(Stored::Added)),
            (
                "http://a.shop.example/",
                "id=2; Path=/login; Domain=shop.example",
                refused,
            ),
            ("http://shop.example/", "id=2; Path=/login", refused),
            ("http://x.a.shop.example/", "id=2; Path=/login", refused),
            (
                "http://b.shop.example/",
                "id=2; Path=/login",
                Ok(Stored::Added),
            ),
            (
                "http://ashop.example/",
                "id=2; Path=/login",
                Ok(Stored::Added),
            ),
        ] {
            let target = Target::parse(url).unwrap();
            let stored = jar.store(line.as_bytes(), &target, &Context::default(), START);
            assert_eq!(stored, expected, "{line} from {url} among {others}");
        }
    }
}

#[test]
fn a_cookie_that_ended_protects_nothing() {
    let mut jar = Jar::new();
    store(&mut jar, "https://a.example/", "id=1; Secure; Max-Age=5", 0);
    store(&mut jar, "http://a.example/", "id=2", 5);
    check(&jar, "http://a.example/", 6, "id=2");
    let cookie = jar.get("id", &Target::parse("http://a.example/").unwrap(), START);
    assert_eq!(cookie.unwrap().created(), START.plus_seconds(5));
}

#[test]
fn cookies_of_all_domains_above_are_merged_in_order() {
    let mut jar = Jar::new();
    let host = "a.b.c.d.e.f.g.h.i.example";
    let url = format!("https://{host}/x/y");
    let mut domain = host;
    for turn in 0.. {
        let Some((_, above)) = domain.split_once('.') else {
            break;
        };
        if above.contains('.') {
            let path = if turn % 2 == 0 { "/x" } else { "/" };
            store(
                &mut jar,
                &url,
                &format!("c{turn}=1; Domain={above}; Path={path}"),
                turn,
            );
        }
        domain = above;
    }
    check(
        &jar,
        &url,
        20,
        "c0=1; c2=1; c4=1; c6=1; c1=1; c3=1; c5=1; c7=1",
    );
    check(&jar, "https://x.i.example/", 20, "c7=1");
}

#[test]
fn a_long_line_is_whole() {
    let mut jar = limited(1000, 1000);
    for turn in 0..200 {
        store(
            &mut jar,
            "https://a.example/",
            &format!("c{turn}={turn}"),
            turn,
        );
    }
    store(&mut jar, "https://a.example/", "c7=new", 300);
    let expected: Vec<_> = (0..200).map(|turn| format!("c{turn}={turn}")).collect();
    let expected = expected.join("; ").replace("c7=7;", "c7=new;");
    check(&jar, "https://a.example/", 301, &expected);
}

#[test]
fn a_line_may_be_kept_while_its_revision_stays() {
    let mut jar = Jar::new();
    store(&mut jar, "https://a.example/", "a=1; Max-Age=60", 0);
    let target = Target::parse("https://a.example/").unwrap();
    let mut out = Vec::new();
    let line = jar.write_cookie_header(&target, &Context::default(), START, &mut out);
    assert_eq!(line.cookies, 1);
    assert_eq!(line.valid_until, START.plus_seconds(60));
    let (revision, lines) = (jar.revision(), jar.line_revision());

    // The same again, and a longer life, leave the line as it is; merging wants to know.
    store(&mut jar, "https://a.example/", "a=1; Max-Age=60", 1);
    assert_eq!(jar.line_revision(), lines);
    assert_ne!(jar.revision(), revision);
    for (second, line) in [
        (2, "a=1; Max-Age=5"),
        (3, "a=2; Max-Age=60"),
        (4, "a=2; Max-Age=60; Secure"),
        (5, "b=1"),
        (6, "b=; Max-Age=0"),
    ] {
        let before = jar.line_revision();
        store(&mut jar, "https://a.example/", line, second);
        assert_ne!(jar.line_revision(), before, "{line}");
    }
    // Reading is no change.
    let before = jar.revision();
    check(&jar, "https://a.example/", 7, "a=2");
    assert_eq!(jar.revision(), before);
}

#[test]
fn parts_of_a_jar_can_be_cleared() {
    let mut jar = Jar::new();
    for url in [
        "https://a.example/",
        "https://b.a.example/",
        "https://ba.example/",
    ] {
        store(&mut jar, url, "session=1", 0);
        store(&mut jar, url, "kept=1; Max-Age=60", 0);
    }
    assert_eq!(jar.clear_domain("a.example", START), 4);
    assert_eq!(jar.clear_session(START), 1);
    assert_eq!(jar.to_map(START).into_keys().collect::<Vec<_>>(), [b"kept"]);
    assert_eq!(jar.clear_expired(START.plus_seconds(59)), 0);
    assert_eq!(jar.clear_expired(START.plus_seconds(60)), 1);
    assert!(jar.is_empty());
}

#[test]
fn a_map_has_the_latest_of_each_name() {
    let mut jar = Jar::new();
    store(&mut jar, "https://a.example/", "a=1; Path=/x", 0);
    store(&mut jar, "https://a.example/", "a=2", 1);
    let map = jar.to_map(START);
    assert_eq!(map.get(b"a".as_slice()), Some(&b"2".as_slice()));
    assert_eq!(jar.remove("a", START), 2);
}

#[test]
fn content_is_replaced_as_one_change() {
    let (mut here, mut there) = (Jar::new(), Jar::new());
    store(&mut here, "https://a.example/", "old=1", 0);
    there.apply(&here.snapshot(), START);
    store(&mut there, "https://a.example/", "also=1", 1);
    let mut login = Jar::new();
    store(&mut login, "https://a.example/", "new=1", 2);
    let before = here.revision();
    here.replace_content(&login, START.plus_seconds(3));
    there.apply(&here.changes_since(before), START.plus_seconds(4));
    for jar in [&here, &there] {
        check(jar, "https://a.example/", 5, "new=1");
        assert_eq!(jar.iter().next().unwrap().created(), START.plus_seconds(2));
    }
}

#[test]
fn nothing_shows_values() {
    let mut jar = Jar::new();
    store(&mut jar, "https://a.example/", "id=hunter2", 0);
    let cookie = jar.iter().next().unwrap();
    let shown = format!(
        "{jar:?} {cookie:?} {:?} {:?}",
        cookie.to_new(),
        jar.snapshot()
    );
    let parsed = sessile_jar::SetCookie::parse(b"id=hunter2").unwrap();
    assert!(!format!("{shown} {parsed:?}").contains("hunter2"));
}

#[test]
fn a_cookie_survives_being_taken_out_and_put_in() {
    let mut jar = Jar::new();
    let line = "a=1; Secure; Partitioned; SameSite=None; Max-Age=60; Domain=a.example; Path=/x";
    store(&mut jar, "https://w.a.example/", line, 0);
    let cookie = jar.iter().next().unwrap().to_new();
    let mut other = Jar::new();
    assert_eq!(
        other.insert(&cookie, START.plus_seconds(9)),
        Ok(Stored::Added)
    );
    assert_eq!(other.iter().next().unwrap().to_new(), cookie);
    assert_eq!(
        other.insert(&cookie, START.plus_seconds(9)),
        Ok(Stored::Unchanged)
    );
    let mut changed = cookie;
    changed.value = b"2".to_vec();
    assert_eq!(
        other.insert(&changed, START.plus_seconds(9)),
        Ok(Stored::Replaced)
    );
}

fn limited(per_domain: usize, total: usize) -> Jar {
    let mut options = Options::default();
    options.limits = Limits::NONE;
    options.limits.per_domain = per_domain;
    options.limits.total = total;
    Jar::with(options)
}

#[track_caller]
fn store(jar: &mut Jar, url: &str, line: &str, second: i64) {
    let target = Target::parse(url).expect("a url");
    jar.store(
        line.as_bytes(),
        &target,
        &Context::default(),
        START.plus_seconds(second),
    )
    .expect("a cookie that may come in");
}

#[track_caller]
fn check(jar: &Jar, url: &str, second: i64, expected: &str) {
    let target = Target::parse(url).expect("a url");
    let header = jar.cookie_header(&target, &Context::default(), START.plus_seconds(second));
    let header = String::from_utf8(header.unwrap_or_default()).expect("ascii");
    assert_eq!(header, expected, "{url}");
}
