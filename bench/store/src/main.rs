//! One measurement of one store, as `NAME VALUE` lines. `run.py` says which, in turn.
//!
//!     store-bench fill PATH SESSIONS          many sessions of about 4 KB
//!     store-bench reads PATH SESSIONS         open, load by name, list a page, save, merge
//!     store-bench commits PATH CALLERS        durable writes, for three seconds
//!     store-bench thousand PATH               1,000 sessions saved and loaded
//!     store-bench postgres URL                leases, put, get, merge
//!
//! With `sqlite-` before the word the same is done by rusqlite alone.

mod ours;
mod peer;
mod spread;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let count = |text: &str| text.parse::<usize>().expect("a number");
    match arguments.as_slice() {
        ["fill", path, sessions] => runtime.block_on(ours::fill(path, count(sessions))),
        ["reads", path, sessions] => runtime.block_on(ours::reads(path, count(sessions))),
        ["commits", path, callers] => runtime.block_on(ours::commits(path, count(callers))),
        ["thousand", path] => runtime.block_on(ours::thousand(path)),
        ["postgres", url] => runtime.block_on(ours::postgres(url)),
        ["sqlite-fill", path, sessions] => peer::fill(path, count(sessions)),
        ["sqlite-reads", path, sessions] => peer::reads(path, count(sessions)),
        ["sqlite-commits", path, "1"] => peer::commits(path),
        _ => panic!("see the head of main.rs"),
    }
}
