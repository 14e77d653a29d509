//! Our jar.

use std::hint::black_box;

use jar_bench::{
    PER_DOMAIN, allocations, cpu_time, host, instructions, line, live_bytes, report, sizes, time,
};
use sessile_jar::{Context, Jar, Options, Target, Timestamp};

const NAME: &str = "sessile-jar";
const NOW: Timestamp = Timestamp::from_seconds(1_795_219_200);

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
        pressure();
        expiry();
        small_jars();
    }
}

/// So many headers or stores in a jar of 1,000, for counting their instructions.
fn repeat(case: &str, count: usize) {
    let mut jar = unlimited();
    for domain in 0..100 {
        fill(&mut jar, domain, PER_DOMAIN);
    }
    let (name, context) = (host(50), Context::default());
    let target = Target::new("https", &name, "/account/orders").unwrap();
    let lines: Vec<_> = (0..1000)
        .map(|turn| line(turn % PER_DOMAIN, turn))
        .collect();
    for turn in 0..count {
        match case {
            "header" => drop(black_box(jar.cookie_header(&target, &context, NOW))),
            _ => drop(jar.store(lines[turn % 1000].as_bytes(), &target, &context, NOW)),
        }
    }
}

fn growth(size: usize) {
    let context = Context::default();
    let before = live_bytes();
    let mut jar = unlimited();
    for domain in 0..size / PER_DOMAIN {
        fill(&mut jar, domain, PER_DOMAIN);
    }
    report(
        NAME,
        "bytes",
        size,
        (live_bytes() - before) as f64 / size as f64,
    );

    let domains = size / PER_DOMAIN;
    let name = host(domains / 2);
    let target = Target::new("https", &name, "/account/orders").unwrap();
    let count = allocations();
    let header = jar.cookie_header(&target, &context, NOW).unwrap();
    report(
        NAME,
        "header allocations",
        size,
        (allocations() - count) as f64,
    );
    assert_eq!(
        header.iter().filter(|byte| **byte == b'=').count(),
        PER_DOMAIN
    );
    let seconds = time(|_| drop(black_box(jar.cookie_header(&target, &context, NOW))));
    report(NAME, "header", size, seconds);
    let mut out = Vec::with_capacity(4096);
    let seconds = time(|_| {
        out.clear();
        black_box(jar.write_cookie_header(&target, &context, NOW, &mut out));
    });
    report(NAME, "header into a buffer", size, seconds);

    let names: Vec<_> = (0..4096).map(|turn| host(turn * 7919 % domains)).collect();
    let targets: Vec<_> = names
        .iter()
        .map(|name| Target::new("https", name, "/account/orders").unwrap())
        .collect();
    let seconds = time(|turn| {
        drop(black_box(jar.cookie_header(
            &targets[turn % targets.len()],
            &context,
            NOW,
        )));
    });
    report(NAME, "header of any host", size, seconds);

    let lines: Vec<_> = (0..1024)
        .map(|turn| line(turn % PER_DOMAIN, turn))
        .collect();
    let seconds = time(|turn| {
        let line = lines[turn % lines.len()].as_bytes();
        jar.store(line, &targets[turn % targets.len()], &context, NOW)
            .unwrap();
    });
    report(NAME, "replace", size, seconds);

    let fresh: Vec<_> = (0..400_000)
        .map(|turn| host(domains + turn / PER_DOMAIN))
        .collect();
    let lines: Vec<_> = (0..fresh.len()).map(|turn| line(turn, turn)).collect();
    let mut next = 0;
    let seconds = time(|_| {
        if let Some(name) = fresh.get(next) {
            let target = Target::new("https", name, "/account/orders").unwrap();
            jar.store(lines[next].as_bytes(), &target, &context, NOW)
                .unwrap();
        }
        next += 1;
        if next == fresh.len() {
            next = 0;
        }
    });
    report(NAME, "store", size, seconds);
}

fn one_domain() {
    let mut jar = unlimited();
    fill(&mut jar, 0, 3000);
    let (name, context) = (host(0), Context::default());
    let target = Target::new("https", &name, "/account/orders").unwrap();
    let seconds = time(|_| drop(black_box(jar.cookie_header(&target, &context, NOW))));
    report(NAME, "3,000 cookies of one domain, header", 3000, seconds);
    let lines: Vec<_> = (0..3000).map(|turn| line(turn, turn + 1)).collect();
    let seconds = time(|turn| {
        let line = lines[turn % 3000].as_bytes();
        jar.store(line, &target, &context, NOW).unwrap();
    });
    report(NAME, "3,000 cookies of one domain, replace", 3000, seconds);
}

fn deep_paths() {
    let mut jar = unlimited();
    let context = Context::default();
    let path: String = (0..100).map(|depth| format!("/level{depth}")).collect();
    let target = Target::new("https", "deep.example", &path).unwrap();
    let mut end = 0;
    for depth in 0..100 {
        end += format!("/level{depth}").len();
        let line = format!("c{depth}={:032}; Path={}", depth, &path[..end]);
        jar.store(line.as_bytes(), &target, &context, NOW).unwrap();
    }
    let seconds = time(|_| drop(black_box(jar.cookie_header(&target, &context, NOW))));
    report(
        NAME,
        "100 paths, each below the other, header",
        100,
        seconds,
    );
}

fn pressure() {
    for total in [3000, 100_000] {
        let mut options = Options::default();
        options.limits.total = total;
        let mut jar = Jar::with(options);
        let context = Context::default();
        let mut next = 0;
        let mut put = || {
            let name = host(next / PER_DOMAIN);
            let target = Target::new("https", &name, "/account/orders").unwrap();
            jar.store(
                line(next, next).as_bytes(),
                &target,
                &context,
                NOW.plus_seconds(next as i64 / 1000),
            )
            .unwrap();
            next += 1;
        };
        for _ in 0..total {
            put();
        }
        let seconds = time(|_| put());
        report(
            NAME,
            "store into a full jar (the line made, too)",
            total,
            seconds,
        );
    }
}

fn expiry() {
    let mut jar = unlimited();
    for domain in 0..1_000_000 / PER_DOMAIN {
        fill(&mut jar, domain, PER_DOMAIN);
    }
    let begin = cpu_time();
    assert_eq!(jar.clear_expired(NOW.plus_seconds(86_400)), 1_000_000);
    report(NAME, "a million cookies end", 1_000_000, cpu_time() - begin);
}

fn small_jars() {
    let context = Context::default();
    let target = Target::new("https", "www.site1.example", "/").unwrap();
    let before = live_bytes();
    let jars: Vec<_> = (0..1000)
        .map(|_| {
            let mut jar = Jar::new();
            for cookie in 0..5 {
                jar.store(line(cookie, 1).as_bytes(), &target, &context, NOW)
                    .unwrap();
            }
            jar
        })
        .collect();
    report(
        NAME,
        "bytes of a jar of 5 cookies",
        5,
        (live_bytes() - before) as f64 / jars.len() as f64,
    );
}

fn unlimited() -> Jar {
    let mut options = Options::default();
    options.limits.per_domain = usize::MAX;
    options.limits.total = usize::MAX;
    Jar::with(options)
}

fn fill(jar: &mut Jar, domain: usize, count: usize) {
    let name = host(domain);
    let target = Target::new("https", &name, "/account/orders").unwrap();
    for cookie in 0..count {
        jar.store(
            line(cookie, 0).as_bytes(),
            &target,
            &Context::default(),
            NOW,
        )
        .unwrap();
    }
}
