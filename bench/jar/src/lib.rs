//! What the Rust programs of this benchmark share: the workload, the clock, counting of
//! memory, and the form of the results (one line a figure: `jar case size value`).

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Cookies of one domain, unless a case says otherwise.
pub const PER_DOMAIN: usize = 10;

/// Live bytes and allocations of the whole program.
pub struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);
static COUNT: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Relaxed);
        COUNT.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size as i64 - layout.size() as i64, Relaxed);
        COUNT.fetch_add(1, Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that are allocated now.
pub fn live_bytes() -> i64 {
    LIVE.load(Relaxed)
}

/// Allocations made so far.
pub fn allocations() -> u64 {
    COUNT.load(Relaxed)
}

/// The host of a domain of the workload.
pub fn host(domain: usize) -> String {
    format!("www.site{domain}.example")
}

/// The URL of a request to it.
pub fn url(domain: usize) -> String {
    format!("https://{}/account/orders?page=2", host(domain))
}

/// The `Set-Cookie` line of a cookie of the workload: 32 characters of value.
pub fn line(cookie: usize, version: usize) -> String {
    format!("cookie{cookie}={cookie:016x}{version:016x}; Path=/; Secure; HttpOnly; Max-Age=86400")
}

/// Seconds of processor time that one run takes: the median of batches of some milliseconds.
pub fn time(mut run: impl FnMut(usize)) -> f64 {
    let (mut done, mut size) = (0, 1);
    let mut batch = |size: usize| {
        let begin = cpu_time();
        for turn in done..done + size {
            run(black_box(turn));
        }
        done += size;
        cpu_time() - begin
    };
    while batch(size) < 0.003 {
        size *= 2;
    }
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed() < Duration::from_millis(400) {
        times.push(batch(size) / size as f64);
        if start.elapsed() > Duration::from_secs(5) {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Seconds that this program had a processor.
pub fn cpu_time() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a whole timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Prints one figure.
pub fn report(jar: &str, case: &str, size: usize, value: f64) {
    println!("{jar}\t{case}\t{size}\t{value:.3e}");
}

/// The sizes and cases of the command line: sizes first, then `worst` for the worst cases.
pub fn sizes() -> (Vec<usize>, bool) {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let sizes = words.iter().filter_map(|word| word.parse().ok()).collect();
    (sizes, words.iter().any(|word| word == "worst"))
}

/// The case and the number of repetitions after the word `instructions`.
pub fn instructions() -> Option<(String, usize)> {
    let mut words = std::env::args().skip(1);
    words.next().filter(|word| word == "instructions")?;
    Some((words.next()?, words.next()?.parse().ok()?))
}
