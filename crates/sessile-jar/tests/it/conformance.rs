//! The conformance data, case by case.

use crate::cases;

/// Cases that end differently here, each with its reason. A case that is listed and passes
/// fails the test as much as one that is not listed and does not.
const DEVIATIONS: &[(&str, &str)] = &[];

#[test]
fn http_state_parser() {
    check(include_str!("../data/http-state-parser.json"), 222);
}

#[test]
fn http_state_dates() {
    check(include_str!("../data/http-state-dates.json"), 70);
}

#[test]
fn web_platform_tests() {
    check(include_str!("../data/wpt-cookies.json"), 1127);
}

#[track_caller]
fn check(text: &str, count: usize) {
    let cases = cases::run(text).expect("the file is in the format");
    assert_eq!(cases.len(), count);
    let mut wrong = Vec::new();
    for case in cases {
        let deviates = DEVIATIONS.iter().any(|(id, _)| *id == case.id);
        match case.failure {
            Some(failure) if !deviates => wrong.push(format!("{}: {failure}", case.id)),
            None if deviates => wrong.push(format!("{}: listed as deviating, but passes", case.id)),
            _ => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
