//! What every client of the benchmark shares: arguments, cookies, headers, the clock, and the one
//! JSON line that a run prints.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// What a run is asked to do.
#[derive(Clone)]
pub struct Args {
    /// `get` or `sessions`.
    pub mode: String,
    /// How many requests or sessions.
    pub count: usize,
    /// How many requests at once.
    pub at_once: usize,
    pub url: String,
    /// A page that tells what it was asked with.
    pub verify: String,
    /// Cookies in the jar, and how many of them a request carries.
    pub cookies: usize,
    pub matching: usize,
    /// Sessions only: whether each sends a request too.
    pub opens: bool,
    /// Ours only: whether each request asks for another path.
    pub varies: bool,
    pub name: String,
}

impl Args {
    /// The name that the run is reported under.
    pub fn name_or(&mut self, name: &str) {
        if self.name.is_empty() {
            self.name = name.to_owned();
        }
    }
}

pub fn args() -> Args {
    let mut args = Args {
        mode: "get".into(),
        count: 20_000,
        at_once: 1,
        url: String::new(),
        verify: String::new(),
        cookies: 20,
        matching: 5,
        opens: true,
        varies: false,
        name: String::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--mode" => args.mode = value(),
            "-n" => args.count = value().parse().unwrap(),
            "--conc" => args.at_once = value().parse().unwrap(),
            "--url" => args.url = value(),
            "--verify" => args.verify = value(),
            "--cookies" => args.cookies = value().parse().unwrap(),
            "--matching" => args.matching = value().parse().unwrap(),
            "--unopened" => args.opens = false,
            "--vary" => args.varies = true,
            "--name" => args.name = value(),
            other => panic!("unknown argument {other}"),
        }
    }
    args
}

pub struct Cookie {
    pub name: String,
    pub value: String,
    pub domain: String,
    pub path: String,
}

/// `matching` cookies for the benchmark's host at `/`; of the rest one in three for the same host
/// at another path, and two in three for other hosts, two each.
///
/// They are made once for all sessions: what it costs to think them up isn't measured.
pub fn cookies(total: usize, matching: usize) -> &'static [Cookie] {
    static COOKIES: OnceLock<Vec<Cookie>> = OnceLock::new();
    let cookies = COOKIES.get_or_init(|| make_cookies(total, matching));
    assert_eq!(cookies.len(), total);
    cookies
}

fn make_cookies(total: usize, matching: usize) -> Vec<Cookie> {
    let cookie = |index: usize| {
        let value = format!(
            "{:032x}",
            (index as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835 / 3)
        );
        let (name, domain, path) = if index < matching {
            (format!("m{index}"), "127.0.0.1".to_owned(), "/".to_owned())
        } else if (index - matching) % 3 == 0 {
            (
                format!("p{index}"),
                "127.0.0.1".to_owned(),
                format!("/account{index}"),
            )
        } else {
            (
                format!("o{index}"),
                format!("d{}.example", (index - matching) / 3),
                "/".to_owned(),
            )
        };
        Cookie {
            name,
            value,
            domain,
            path,
        }
    };
    (0..total).map(cookie).collect()
}

/// The headers of every session.
pub const HEADERS: [(&str, &str); 8] = [
    ("user-agent", "bench/1.0 (loopback; session workload)"),
    ("accept", "application/json, text/plain;q=0.9, */*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.7"),
    ("accept-encoding", "gzip, deflate, br"),
    (
        "authorization",
        "Bearer 0123456789abcdef0123456789abcdef01234567",
    ),
    ("x-api-key", "key-0123456789abcdef"),
    ("x-client-version", "2026.11.0"),
    ("x-request-source", "bench-session"),
];

/// The line of cookies that a request carries, ready made for those without a jar.
pub fn cookie_line(args: &Args) -> String {
    let all = cookies(args.cookies, args.matching);
    let carried = all.iter().take(args.matching);
    carried
        .map(|cookie| format!("{}={}", cookie.name, cookie.value))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The time that a stretch took: wall, user and system.
#[derive(Clone, Copy)]
pub struct Spent {
    pub wall: f64,
    pub user: f64,
    pub system: f64,
}

struct Clock {
    started: Instant,
    cpu: (f64, f64),
}

impl Clock {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            cpu: cpu(),
        }
    }

    fn stop(&self) -> Spent {
        let (user, system) = cpu();
        let wall = self.started.elapsed().as_secs_f64();
        Spent {
            wall,
            user: user - self.cpu.0,
            system: system - self.cpu.1,
        }
    }
}

fn cpu() -> (f64, f64) {
    // SAFETY: the structure is plain numbers, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime), seconds(usage.ru_stime))
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub fn report(args: &Args, spent: Spent, mut times: Vec<Duration>, echo: &str) {
    times.sort();
    let count = times.len();
    let quantile = |part: f64| {
        times[((count as f64 * part) as usize).min(count - 1)].as_nanos() as f64 / 1000.0
    };
    let line = echo
        .split("\"cookie\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let cookies = line.map_or(0, |line| {
        line.split("; ").filter(|pair| !pair.is_empty()).count()
    });
    assert_eq!(
        cookies, args.matching,
        "the server got other cookies: {echo}"
    );
    assert!(
        echo.contains("key-0123456789abcdef"),
        "the server got no headers: {echo}"
    );
    println!(
        r#"{{"client":"{}","n":{count},"wall":{:.6},"user":{:.6},"system":{:.6},"p50":{:.1},"p99":{:.1},"rss_kib":{}}}"#,
        args.name,
        spent.wall,
        spent.user,
        spent.system,
        quantile(0.5),
        quantile(0.99),
        resident_kib()
    );
}

/// Makes sessions with `make`; then sends one request on each with `open`.
pub fn sessions<S>(args: &Args, mut make: impl FnMut() -> S, mut open: impl FnMut(&mut S)) {
    // What all sessions share is made by the first.
    let first = make();
    let before = resident_kib();
    let clock = Clock::start();
    let mut all: Vec<S> = (0..args.count).map(|_| make()).collect();
    let made = clock.stop();
    let made_kib = resident_kib() - before;
    let clock = Clock::start();
    if args.opens {
        all.iter_mut().for_each(&mut open);
    }
    let opened = clock.stop();
    let opened_kib = resident_kib() - before;
    println!(
        r#"{{"client":"{}","n":{},"made_cpu":{:.6},"made_kib":{made_kib},"opened_cpu":{:.6},"opened_kib":{opened_kib}}}"#,
        args.name,
        args.count,
        made.user + made.system,
        opened.user + opened.system
    );
    drop((first, all));
    // Thousands of connections needn't be closed one by one.
    std::process::exit(0);
}

/// Sends some hundred requests unmeasured, then the measured ones.
pub async fn drive<F, Fut>(args: &Args, get: F) -> (Spent, Vec<Duration>)
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    many(args.at_once, 300.max(args.at_once * 4), get.clone()).await;
    let clock = Clock::start();
    let times = many(args.at_once, args.count, get).await;
    (clock.stop(), times)
}

async fn many<F, Fut>(at_once: usize, count: usize, get: F) -> Vec<Duration>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    if at_once == 1 {
        return times(count, get).await;
    }
    let share = |index: usize| count / at_once + usize::from(index < count % at_once);
    let tasks: Vec<_> = (0..at_once)
        .map(|index| tokio::spawn(times(share(index), get.clone())))
        .collect();
    let mut all = Vec::with_capacity(count);
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

async fn times<F: Fn() -> Fut, Fut: Future<Output = ()>>(count: usize, get: F) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        get().await;
        times.push(started.elapsed());
    }
    times
}

/// The same for blocking clients: a thread for each request at once.
pub fn drive_blocking<G: FnMut() + Send>(
    args: &Args,
    mut worker: impl FnMut() -> G,
) -> (Spent, Vec<Duration>) {
    let mut workers: Vec<G> = (0..args.at_once).map(|_| worker()).collect();
    many_blocking(&mut workers, 300.max(args.at_once * 4));
    let clock = Clock::start();
    let times = many_blocking(&mut workers, args.count);
    (clock.stop(), times)
}

fn many_blocking<G: FnMut() + Send>(workers: &mut [G], count: usize) -> Vec<Duration> {
    let at_once = workers.len();
    let run = |work: &mut G, index: usize| {
        let share = count / at_once + usize::from(index < count % at_once);
        let mut times = Vec::with_capacity(share);
        for _ in 0..share {
            let started = Instant::now();
            work();
            times.push(started.elapsed());
        }
        times
    };
    if let [only] = workers {
        return run(only, 0);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .enumerate()
            .map(|(index, work)| scope.spawn(move || run(work, index)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
