//! Why a cookie is not stored, and why it is not sent.
//!
//! `cargo run -p sessile-jar --example explain`

use std::error::Error;
use std::io::{self, Write};

use sessile_jar::{Context, Jar, Target, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let (mut jar, context) = (Jar::new(), Context::default());
    let now = Timestamp::from_seconds(1_795_219_200);
    let shop = Target::parse("http://www.shop.example/account")?;

    for line in [
        "theme=dark; Expires=whenever; Secrue",
        "id=1; Secure",
        "__Host-id=1",
        "id=1; Domain=example",
        "lang=en; Domain=shop.example; Path=/",
    ] {
        let storing = jar.explain_store(line.as_bytes(), &shop, &context, now);
        match storing.outcome {
            Ok(stored) => writeln!(out, "{line}\n  would be {stored:?}")?,
            Err(refusal) => writeln!(out, "{line}\n  {}: {refusal}", refusal.section())?,
        }
        for note in storing.notes {
            writeln!(out, "  note: {note}")?;
        }
        // A refusal was shown above.
        let _ = jar.store(line.as_bytes(), &shop, &context, now);
    }

    let other = Target::parse("https://shop.example/")?;
    writeln!(out, "to https://shop.example/")?;
    for sending in jar.explain(&other, &context, now) {
        let name = sending.cookie.name_lossy();
        match sending.omission {
            None => writeln!(out, "  {name} is sent")?,
            Some(why) => writeln!(out, "  {name} is not sent: {why} ({})", why.section())?,
        }
    }
    Ok(())
}
