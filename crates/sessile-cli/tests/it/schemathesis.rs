//! The daemon against its own description, by a program that makes requests of it: right ones, and
//! wrong ones in every way that the description allows to think of.

use std::process::Command;

use crate::support::served::Served;
use crate::support::{Person, Practice, prepared};

#[test]
fn every_answer_is_as_the_document_says() {
    let (practice, me) = (Practice::start(), Person::new());
    practice
        .log_in(&me, "site", "/login", "--remember")
        .exits(0);
    let daemon = Served::start(&me, "");
    let mut schemathesis = Command::new(prepared("SESSILE_TEST_VENV").join("bin/schemathesis"));
    schemathesis
        .args(["run", &format!("{}/api/openapi.json", daemon.url)])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", daemon.token),
        ])
        // It never ends.
        .args(["--exclude-path", "/api/events"])
        .args([
            "--phases",
            "examples,coverage",
            "--generation-deterministic",
            "--no-color",
        ])
        .args(["--suppress-health-check", "all", "--request-timeout", "60"])
        .args(["--checks", CHECKS])
        .current_dir(me.home())
        .env("HOME", me.home());
    let output = schemathesis.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("47 passed"), "{said}");
    daemon.stop().exits(0);
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,unsupported_method,ignored_auth";
