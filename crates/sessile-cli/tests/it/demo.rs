//! `sessile demo`, which needs nothing but itself.

use crate::support::Person;

#[test]
fn the_demo_shows_a_dead_login_renewed() {
    let me = Person::new();
    me.run("demo").exits(0).says(&["logged in again"]);
    assert!(
        !me.store().exists(),
        "the demo touched the person's own store"
    );
}

#[test]
fn what_the_demo_proposes_to_try_works() {
    let me = Person::new();
    let mut demo = me.sessile("demo --keep").start();
    let said = demo.errors_until("sessile serve");
    let start = said
        .iter()
        .position(|line| line.contains("Try it"))
        .unwrap();
    let mut lines: Vec<&str> = said[start + 1..].iter().map(String::as_str).collect();
    // It would serve until it is ended.
    let serve = lines.pop().unwrap();
    lines.push("sessile pool list; sessile list");
    me.shell(&lines.join("\n"))
        .run()
        .exits(0)
        .says(&["200 targets done, 0 of them failed", "recording into"])
        .prints("2 of 2")
        .prints("mine");
    assert!(serve.contains("--token-file"), "{serve}");
    assert!(!me.store().exists(), "not in the store of the demo");
    demo.signal("INT");
    demo.finish().exits(0);
}
