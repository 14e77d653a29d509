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
