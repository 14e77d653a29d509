//! What the tests are written with: a person's machine, and the websites they meet.

mod authority;
#[cfg(feature = "otel")]
pub(crate) mod collector;
mod daemon;
mod database;
mod desk;
mod django;
mod faults;
mod films;
mod gunicorn;
mod person;
mod practice;
mod provider;
pub(crate) mod served;
pub(crate) mod servers;
mod table;
mod wire;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use daemon::Daemon;
pub(crate) use database::Database;
pub(crate) use desk::Desk;
pub(crate) use django::{ADMIN, Django, MEMBERS_PAGE};
pub(crate) use faults::Faults;
pub(crate) use films::{PICTURES, film_of, films, pictures, sounds};
pub(crate) use gunicorn::Gunicorn;
pub(crate) use person::{Invocation, Outcome, Person, Running};
pub(crate) use practice::Practice;
pub(crate) use provider::{OpenIdProvider, ROBOT_SECRET, browser};
pub(crate) use table::Table;
pub(crate) use wire::{Wire, send, stopwatch};

/// A directory that `scripts/test` prepared and named in the environment.
#[track_caller]
pub(crate) fn prepared(variable: &str) -> PathBuf {
    let named: Option<OsString> = std::env::var_os(variable);
    let path = PathBuf::from(named.unwrap_or_else(|| {
        panic!("{variable} is not set: run scripts/test, which prepares what this test needs; CONTRIBUTING.md says how to run one")
    }));
    assert!(
        path.is_dir(),
        "{variable} names {}, which isn't there: run scripts/test",
        path.display()
    );
    path
}

/// Asks again and again until there is an answer, for at most half a minute.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(found) = answer() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not after half a minute");
}
