//! rusqlite alone, as one would write it in an afternoon: a table of names and bytes, in clear.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::spread::{Names, STRETCH, Spread, name};

const BYTES: usize = 4096;
const PUT: &str = "INSERT OR REPLACE INTO session (name, content) VALUES (?1, ?2)";
const GET: &str = "SELECT content FROM session WHERE name = ?1";

fn open(path: &str) -> Connection {
    let connection = Connection::open(path).expect("a file");
    connection.busy_timeout(Duration::from_secs(60)).expect("a time-out");
    let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS session (name TEXT PRIMARY KEY, content BLOB NOT NULL)";
    connection.execute_batch(set_up).expect("a table");
    connection
}

fn put(connection: &Connection, name: &str, content: &[u8]) {
    let mut statement = connection.prepare_cached(PUT).expect("a statement");
    statement.execute(params![name, content]).expect("written");
}

pub(crate) fn fill(path: &str, sessions: usize) {
    let (connection, content) = (open(path), vec![7; BYTES]);
    connection.execute_batch("BEGIN").expect("begun");
    for number in 0..sessions {
        put(&connection, &name(number), &content);
    }
    connection.execute_batch("COMMIT").expect("committed");
}

pub(crate) fn reads(path: &str, sessions: usize) {
    let connection = open(path);
    let mut names = Names::new(sessions);
    let mut load = Spread::default();
    for _ in 0..20_000 {
        let name = names.any();
        let begun = Instant::now();
        let mut statement = connection.prepare_cached(GET).expect("a statement");
        let content: Vec<u8> = statement.query_row([name], |row| row.get(0)).expect("there");
        load.add(begun);
        assert_eq!(content.len(), BYTES);
    }
    load.tell("load");
}

pub(crate) fn commits(path: &str) {
    let (connection, content) = (open(path), vec![7; BYTES]);
    let (begun, mut waits) = (Instant::now(), Spread::default());
    while begun.elapsed() < STRETCH {
        let name = format!("{}-{}", std::process::id(), waits.len() % 50);
        let since = Instant::now();
        put(&connection, &name, &content);
        waits.add(since);
    }
    println!("commits {:.0}", waits.len() as f64 / begun.elapsed().as_secs_f64());
    waits.tell("wait");
}
