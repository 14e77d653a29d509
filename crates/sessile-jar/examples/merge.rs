//! Two processes with a copy of one jar each, and a store between them.
//!
//! `cargo run -p sessile-jar --example merge`

use std::error::Error;
use std::io::{self, Write};

use sessile_jar::{Context, Delta, Jar, Options, Target, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let context = Context::default();
    let at = |second: i64| Timestamp::from_seconds(1_795_219_200 + second);
    let shop = Target::parse("https://shop.example/")?;
    let [mut stored, mut one, mut two] = [0, 1, 2].map(|writer| {
        let mut options = Options::default();
        options.writer = writer;
        Jar::with(options)
    });

    // Both log in somewhere, the second one also ends the first one's visit.
    one.store(b"visit=1", &shop, &context, at(1))?;
    one.store(b"basket=full", &shop, &context, at(2))?;
    two.store(b"lang=en", &shop, &context, at(3))?;
    two.store(b"visit=; Max-Age=0", &shop, &context, at(4))?;

    // Each hands in what it changed, as bytes, and takes what came of it.
    for jar in [&one, &two] {
        let bytes = jar.changes_since(Default::default()).encode();
        stored.apply(&Delta::decode(&bytes)?, at(5));
    }
    for jar in [&mut one, &mut two] {
        jar.apply(&stored.snapshot(), at(6));
        let header = jar
            .cookie_header(&shop, &context, at(6))
            .unwrap_or_default();
        writeln!(out, "{}", String::from_utf8_lossy(&header))?;
    }
    Ok(())
}
