//! Against Apache, nginx, tinyproxy and microsocks: authorization, TLS, and what stands in between.

use crate::support::servers::{
    ADA_PASSWORD, PROXY_PASSWORD, Serves, apache, microsocks, nginx, tinyproxy,
};
use crate::support::{Daemon, Person, Practice, Table};

/// A page of Apache, the password, the exit code.
const DIGEST: &str = "
    digest/inner/ | correct horse | 0
    digest/inner/ | wrong         | 1

    Over a redirect: the nonce of the first page, where it holds and where it is used up.
    digest/inner  | correct horse | 0
    once/inner    | correct horse | 0
    once/inner    | wrong         | 1
";

#[test]
fn digest_authorization_satisfies_apache() {
    let (apache, me) = (apache(), Person::new());
    let url = format!("http://127.0.0.1:{}", apache.port(0));
    let digest = "--fail --auth-type digest --auth-user ada --auth-stdin";
    let mut table = Table::new();
    for [page, password, code] in Table::rows(DIGEST) {
        table.row(page, || {
            let line = format!("get {digest} {url}/{page}");
            let outcome = me.sessile(&line).input(password).run();
            let outcome = outcome.exits(code.parse().unwrap());
            assert_eq!(outcome.stdout() == "members only\n", code == "0", "{page}");
        });
    }
    table.done();

    me.sessile(&format!(
        "get -s apache --create {digest} {url}/once/inner/"
    ))
    .input(ADA_PASSWORD)
    .run()
    .exits(0);
    me.run(&format!("get --fail -s apache {url}/once/inner"))
        .exits(0)
        .prints("members only");
}

/// Options and the address, the exit code, a part of the page, a part of what is said.
const TLS: &str = "
    --cacert CA https://localhost:TLS/ | 0 | HTTP/2.0 TLSv1.3 |
    https://localhost:TLS/             | 1 | | --cacert FILE
    --cacert CA https://localhost:ADA/ | 1 | | another host's
    --cacert CA https://localhost:EXP/ | 1 | | renew its certificate
    --insecure https://127.0.0.1:EXP/  | 0 | 404 Not Found | warning: --insecure
    --cacert NONE https://localhost:TLS/ | 1 | | cannot read the certificates
    --cacert KEY https://localhost:TLS/  | 2 | | holds no certificate

    A client's certificate.
    --cacert CA --fail https://localhost:MUT/ | 1 | | 400
    --cacert CA --cert ADA.pem --cert-key ADA.key https://localhost:MUT/ | 0 | CN=ada |
    --cacert CA --cert ADA.pem https://localhost:MUT/ | 2 | | key can't be read

    The wrong port.
    https://localhost:PLAIN/ | 1 | | asked with http://
    http://localhost:TLS/    | 0 | plain HTTP request was sent to HTTPS port |
";

#[test]
fn nginx_is_trusted_for_a_reason() {
    let (nginx, me) = (nginx(), Person::new());
    let mut table = Table::new();
    for [line, code, page, said] in Table::rows(TLS) {
        table.row(line, || {
            let outcome = me.run(&format!("get {}", with_files(line, &nginx)));
            outcome
                .exits(code.parse().unwrap())
                .prints(page)
                .says(&[said]);
        });
    }
    table.done();
}

#[test]
fn basic_authorization_satisfies_nginx() {
    let (nginx, me) = (nginx(), Person::new());
    let page = format!("http://127.0.0.1:{}/basic/", nginx.port(0));
    let line = format!("get --fail --auth-type basic --auth-user ada --auth-stdin {page}");
    let right = me.sessile(&line).input(ADA_PASSWORD).run();
    right.exits(0).prints("hello ada");
    me.sessile(&line)
        .input("wrong")
        .run()
        .exits(1)
        .says(&["401"]);
}

/// A proxy, a page, a part of the page, a part of the proxy's log.
const WAYS: &str = "
    http    | http://127.0.0.1:PLAIN/ | via 1.1      | GET http://127.0.0.1:PLAIN/
    http    | https://127.0.0.1:TLS/  | HTTP/2.0     | CONNECT 127.0.0.1:TLS
    socks5  | http://127.0.0.1:PLAIN/ | HTTP/1.1 via | connected to 127.0.0.1:PLAIN
    socks5h | https://127.0.0.1:TLS/  | HTTP/2.0     | connected to 127.0.0.1:TLS

    Who looks the name up.
    socks5  | http://localhost:PLAIN/ | HTTP/1.1 via | connected to 127.0.0.1:PLAIN
    socks5h | http://localhost:PLAIN/ | HTTP/1.1 via | connected to localhost:PLAIN
    socks5h | https://localhost:TLS/  | HTTP/2.0     | connected to localhost:TLS
";

#[test]
fn proxies_are_gone_through() {
    let (nginx, me) = (nginx(), Person::new());
    let mut table = Table::new();
    for (serves, login) in [(Serves::Everybody, ""), (Serves::Ada, LOGIN)] {
        let (http, socks) = (tinyproxy(serves), microsocks(serves));
        for [kind, page, expected, heard] in Table::rows(WAYS) {
            table.row(&format!("{kind} for {serves:?}: {page}"), || {
                let proxy = if kind == "http" { &http } else { &socks };
                let url = format!("{kind}://{login}127.0.0.1:{}", proxy.port(0));
                let line = with_files(&format!("get -v --proxy-env P --cacert CA {page}"), &nginx);
                let outcome = me.sessile(&line).environment("P", url).run();
                let outcome = outcome.exits(0).prints(expected);
                assert!(!outcome.shown().contains(PROXY_PASSWORD));
                let (log, heard) = (proxy.output(), with_files(heard, &nginx));
                assert!(log.contains(&heard), "{heard} isn't in:\n{log}");
            });
        }
    }
    table.done();
}

/// A proxy that serves Ada alone, or isn't there, and a page. tinyproxy answers a wrong password
/// with 401, as a site does; the last rows have a name that nobody can look up.
const NO_WAYS: &str = "
    http://127.0.0.1:HTTP           | http://127.0.0.1:PLAIN/ | --proxy-env VAR
    http://127.0.0.1:HTTP           | https://127.0.0.1:TLS/  | --proxy-env VAR
    http://ada:wrong@127.0.0.1:HTTP | http://127.0.0.1:PLAIN/ | --proxy-env VAR
    http://ada:wrong@127.0.0.1:HTTP | https://127.0.0.1:TLS/  | --proxy-env VAR
    socks5://127.0.0.1:SOCKS        | http://127.0.0.1:PLAIN/ | --proxy-env VAR
    socks5h://ada:wrong@127.0.0.1:SOCKS | https://127.0.0.1:TLS/ | --proxy-env VAR
    http://127.0.0.1:1              | http://127.0.0.1:PLAIN/ | whether it runs
    socks5h://ada:secret-of-the-proxy@127.0.0.1:SOCKS | http://nobody.invalid/ | reaches the host
";

#[test]
fn a_proxy_in_the_way_is_told_from_the_server() {
    let (nginx, me) = (nginx(), Person::new());
    let (http, socks) = (tinyproxy(Serves::Ada), microsocks(Serves::Ada));
    let mut table = Table::new();
    for [proxy, page, said] in Table::rows(NO_WAYS) {
        table.row(&format!("{proxy}: {page}"), || {
            let url = proxy
                .replace(":HTTP", &format!(":{}", http.port(0)))
                .replace(":SOCKS", &format!(":{}", socks.port(0)));
            let line = with_files(&format!("get --proxy-env P {page}"), &nginx);
            let outcome = me.sessile(&line).environment("P", url).run();
            let outcome = outcome.exits(1).prints_nothing().says(&["proxy", said]);
            assert!(!outcome.stderr().contains("wrong"));
        });
    }
    table.done();
}

/// How Ada's name and password stand in a proxy's URL.
const LOGIN: &str = "ada:secret-of-the-proxy@";

#[test]
fn the_proxy_of_a_login_is_the_sessions_from_then_on() {
    let (practice, me) = (Practice::start(), Person::new());
    let proxy = tinyproxy(Serves::Ada);
    let members = practice.page("/members");
    let url = format!("http://ada:{PROXY_PASSWORD}@127.0.0.1:{}", proxy.port(0));
    let login = format!(
        "login site {} --username {} --password-stdin --remember --proxy-env P",
        practice.page("/login"),
        sessile_practice::GRACE
    );
    me.sessile(&login)
        .environment("P", &url)
        .input(sessile_practice::GRACE_PASSWORD)
        .run()
        .exits(0);
    let shown = format!("http://127.0.0.1:{}", proxy.port(0));
    me.run("status site").exits(0).prints(&shown);
    for (_, bytes) in me.store_files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PROXY_PASSWORD) && !text.contains(&shown));
    }

    let seen = requests(&proxy);
    me.run(&format!("get -s site {members}")).exits(0);
    assert!(requests(&proxy) > seen, "a request went past the proxy");
    practice.kill_sessions();
    let renewed = me.run(&format!("get -s site {members}")).exits(0);
    renewed.says(&["logged in again"]);

    // Without the proxy there is no way, rather than one that shows who is asking.
    drop(proxy);
    for line in ["get -s site", "get -s site --read-only"] {
        let outcome = me.run(&format!("{line} {members}"));
        outcome.exits(1).says(&["proxy", &shown]);
    }
    me.run("check site").exits(1).says(&["proxy", &shown]);
    me.run(&format!("get -s site --proxy none {members}"))
        .exits(0);
    let direct = me.run("status site --json").exits(0).json();
    assert_eq!(direct["proxy"], serde_json::Value::Null);
    me.run(&format!("get -s site {members}")).exits(0);
}

#[test]
fn a_password_in_an_argument_is_refused_unseen() {
    let me = Person::new();
    for scheme in ["http://", "socks5://", "ftp://", ""] {
        let line = format!("get http://127.0.0.1:1/ --proxy {scheme}ada:hunter2@127.0.0.1:1");
        let outcome = me.run(&line).exits(2).says(&["--proxy-env VAR"]);
        assert!(!outcome.stderr().contains("hunter2"));
    }
    let wrong = me.sessile("get http://127.0.0.1:1/ --proxy-env P");
    let wrong = wrong.environment("P", "ftp://ada:hunter2@h").run().exits(2);
    assert!(
        !wrong
            .says(&["P:", "socks5h://"])
            .shown()
            .contains("hunter2")
    );
}

fn requests(proxy: &Daemon) -> usize {
    proxy.output().matches("Request (file descriptor").count()
}

/// A line with nginx's ports and files in the place of their names.
fn with_files(line: &str, nginx: &Daemon) -> String {
    let ports = ["PLAIN", "TLS", "EXP", "MUT", "ADA"]
        .into_iter()
        .enumerate();
    let line = ports.fold(line.to_owned(), |line, (which, name)| {
        let port = nginx.port(which).to_string();
        line.replace(&format!(":{name}"), &format!(":{port}"))
    });
    let files = [
        ("--cacert CA", "--cacert ", "ca.pem"),
        ("--cacert KEY", "--cacert ", "ada.key"),
        ("--cacert NONE", "--cacert ", "none.pem"),
        ("--cert ADA.pem", "--cert ", "ada.pem"),
        ("--cert-key ADA.key", "--cert-key ", "ada.key"),
    ];
    files.iter().fold(line, |line, (name, option, file)| {
        line.replace(name, &format!("{option}{}", nginx.file(file)))
    })
}
