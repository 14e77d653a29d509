//! The cookie_store crate, as reqwest, ureq and xh use it.

use std::hint::black_box;

use cookie_store::CookieStore;
use jar_bench::{
    PER_DOMAIN, allocations, instructions, line, live_bytes, report, sizes, time, url,
};
use url::Url;

const NAME: &str = "cookie_store";

fn main() {
    if let Some((case, count)) = instructions() {
        return repeat(&case, count);
    }
    let (sizes, worst) = sizes();
    for size in sizes {
        growth(size);
    }
    if worst {
        one_domain();
        deep_paths();
        small_jars();
    }
}

/// So many headers or stores in a jar of 1,000, for counting their instructions.
fn repeat(case: &str, count: usize) {
    let mut jar = CookieStore::default();
    for domain in 0..100 {
        fill(&mut jar, domain, PER_DOMAIN);
    }
    let target = parse(50);
    let lines: Vec<_> = (0..1000)
        .map(|turn| line(turn % PER_DOMAIN, turn))
        .collect();
    for turn in 0..count {
        match case {
            "header" => drop(black_box(header(&jar, &target))),
            _ => drop(black_box(jar.parse(&lines[turn % 1000], &target))),
        }
    }
}

fn growth(size: usize) {
    let before = live_bytes();
    let mut jar = CookieStore::default();
    let domains = size / PER_DOMAIN;
    for domain in 0..domains {
        fill(&mut jar, domain, PER_DOMAIN);
    }
    report(
        NAME,
        "bytes",
        size,
        (live_bytes() - before) as f64 / size as f64,
    );

    let target = parse(domains / 2);
    let count = allocations();
    let text = header(&jar, &target);
    report(
        NAME,
        "header allocations",
        size,
        (allocations() - count) as f64,
    );
    assert_eq!(text.matches('=').count(), PER_DOMAIN);
    report(
        NAME,
        "header",
        size,
        time(|_| drop(black_box(header(&jar, &target)))),
    );

    let targets: Vec<_> = (0..1024).map(|turn| parse(turn * 7919 % domains)).collect();
    let seconds = time(|turn| drop(black_box(header(&jar, &targets[turn % targets.len()]))));
    report(NAME, "header of any host", size, seconds);

    let lines: Vec<_> = (0..1024)
        .map(|turn| line(turn % PER_DOMAIN, turn))
        .collect();
    let seconds = time(|turn| {
        let line = &lines[turn % lines.len()];
        jar.parse(line, &targets[turn % targets.len()]).unwrap();
    });
    report(NAME, "replace", size, seconds);

    let fresh: Vec<_> = (0..20_000).map(|turn| parse(domains + turn)).collect();
    let lines: Vec<_> = (0..fresh.len() * PER_DOMAIN)
        .map(|turn| line(turn, turn))
        .collect();
    let seconds = time(|turn| {
        let turn = turn % lines.len();
        jar.parse(&lines[turn], &fresh[turn / PER_DOMAIN]).unwrap();
    });
    report(NAME, "store", size, seconds);
}

fn one_domain() {
    let mut jar = CookieStore::default();
    fill(&mut jar, 0, 3000);
    let target = parse(0);
    let seconds = time(|_| drop(black_box(header(&jar, &target))));
    report(NAME, "3,000 cookies of one domain, header", 3000, seconds);
    let lines: Vec<_> = (0..3000).map(|turn| line(turn, turn + 1)).collect();
    let seconds = time(|turn| {
        jar.parse(&lines[turn % 3000], &target).unwrap();
    });
    report(NAME, "3,000 cookies of one domain, replace", 3000, seconds);
}

fn deep_paths() {
    let mut jar = CookieStore::default();
    let path: String = (0..100).map(|depth| format!("/level{depth}")).collect();
    let target = Url::parse(&format!("https://deep.example{path}")).unwrap();
    let mut end = 0;
    for depth in 0..100 {
        end += format!("/level{depth}").len();
        let line = format!("c{depth}={:032}; Path={}", depth, &path[..end]);
        jar.parse(&line, &target).unwrap();
    }
    let seconds = time(|_| drop(black_box(header(&jar, &target))));
    report(
        NAME,
        "100 paths, each below the other, header",
        100,
        seconds,
    );
}

fn small_jars() {
    let target = parse(1);
    let before = live_bytes();
    let jars: Vec<_> = (0..1000)
        .map(|_| {
            let mut jar = CookieStore::default();
            for cookie in 0..5 {
                jar.parse(&line(cookie, 1), &target).unwrap();
            }
            jar
        })
        .collect();
    let bytes = (live_bytes() - before) as f64 / jars.len() as f64;
    report(NAME, "bytes of a jar of 5 cookies", 5, bytes);
}

/// As reqwest does it.
fn header(jar: &CookieStore, target: &Url) -> String {
    jar.get_request_values(target)
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn parse(domain: usize) -> Url {
    Url::parse(&url(domain)).unwrap()
}

fn fill(jar: &mut CookieStore, domain: usize, count: usize) {
    let target = parse(domain);
    for cookie in 0..count {
        jar.parse(&line(cookie, 0), &target).unwrap();
    }
}
