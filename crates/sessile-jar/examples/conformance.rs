//! Runs files of conformance cases and says which cases fail.
//!
//! `cargo run --release -p sessile-jar --example conformance -- FILE…`
//!
//! The format is described in `tests/data/README.md`.

use std::io::{self, Write};
use std::process::ExitCode;

#[path = "../tests/it/cases.rs"]
mod cases;

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        writeln!(io::stderr(), "usage: conformance FILE…")?;
        return Ok(ExitCode::from(2));
    }
    let mut is_clean = true;
    for file in files {
        let name = file.to_string_lossy();
        let read = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let cases = match read.and_then(|text| cases::run(&text)) {
            Ok(cases) => cases,
            Err(error) => {
                writeln!(io::stderr(), "{name}: {error}")?;
                is_clean = false;
                continue;
            }
        };
        let failed: Vec<_> = cases.iter().filter(|case| case.failure.is_some()).collect();
        writeln!(
            out,
            "{name}: {}/{}",
            cases.len() - failed.len(),
            cases.len()
        )?;
        for case in &failed {
            let why = case.failure.as_deref().unwrap_or_default();
            writeln!(out, "  {}: {why}", case.id)?;
        }
        is_clean &= failed.is_empty();
    }
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
