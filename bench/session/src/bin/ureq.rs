//! ureq, which blocks, with its cookie jar. It has no default headers, so each request sets them.

use session_bench::{HEADERS, args, cookies, drive_blocking, report, sessions};
use ureq::{Agent, Cookie, http::Uri};

fn main() {
    let mut args = args();
    args.name_or("ureq");
    if args.mode == "sessions" {
        let open = |agent: &mut Agent| {
            get(agent, &args.url);
        };
        return sessions(&args, || agent(args.matching, args.matching), open);
    }
    let agent = agent(args.cookies, args.matching);
    let echo = get(&agent, &args.verify);
    let (spent, times) = drive_blocking(&args, || {
        let (agent, url) = (agent.clone(), args.url.clone());
        move || {
            get(&agent, &url);
        }
    });
    report(&args, spent, times, &String::from_utf8_lossy(&echo));
}

fn agent(total: usize, matching: usize) -> Agent {
    let builder = Agent::config_builder()
        .user_agent(HEADERS[0].1)
        .accept("")
        .accept_encoding("");
    let builder = builder
        .proxy(None)
        .max_idle_connections(512)
        .max_idle_connections_per_host(256);
    let agent: Agent = builder.build().into();
    let mut jar = agent.cookie_jar_lock();
    for cookie in cookies(total, matching) {
        let uri: Uri = format!("http://{}{}", cookie.domain, cookie.path)
            .parse()
            .unwrap();
        let line = format!("{}={}; Path={}", cookie.name, cookie.value, cookie.path);
        jar.insert(Cookie::parse(line, &uri).unwrap(), &uri)
            .unwrap();
    }
    jar.release();
    agent
}

fn get(agent: &Agent, url: &str) -> Vec<u8> {
    let mut request = agent.get(url);
    for (name, value) in &HEADERS[1..] {
        request = request.header(*name, *value);
    }
    request.call().unwrap().body_mut().read_to_vec().unwrap()
}
