//! A client's use of the jar: what replies set, and what the next requests carry.
//!
//! `cargo run -p sessile-jar --example client`

use std::error::Error;
use std::io::{self, Write};

use sessile_jar::{Context, Jar, Target, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let (mut jar, context) = (Jar::new(), Context::default());
    let now = Timestamp::from_seconds(1_795_219_200);

    let login = Target::parse("https://www.shop.example/login")?;
    for field in [
        "session=5f2c; Domain=shop.example; Path=/; Secure; HttpOnly; SameSite=Lax",
        "csrf=91aa; Path=/login",
        "tracker=1; Domain=ads.example",
    ] {
        match jar.store(field.as_bytes(), &login, &context, now) {
            Ok(stored) => writeln!(out, "{field}\n  {stored:?}")?,
            Err(refusal) => writeln!(out, "{field}\n  {refusal} ({})", refusal.section())?,
        }
    }

    // One buffer for all requests; the line may be sent again until it says otherwise.
    let mut line = Vec::new();
    for url in [
        "https://www.shop.example/login/step2",
        "https://api.shop.example/",
        "http://www.shop.example/",
    ] {
        line.clear();
        let target = Target::parse(url)?;
        let written = jar.write_cookie_header(&target, &context, now, &mut line);
        let shown = String::from_utf8_lossy(&line);
        writeln!(out, "{url}\n  {} cookies: {shown}", written.cookies)?;
    }
    Ok(())
}
