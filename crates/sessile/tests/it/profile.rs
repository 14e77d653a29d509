//! Browser profiles as a server sees them, byte for byte.

use sessile::profile::ProfileChoice;
use sessile::{Profile, Request, Session};

use crate::recorder::{EMPTY, Recorder};

#[tokio::test]
async fn chrome_on_the_wire() {
    let to_login = "HTTP/1.1 303 See Other\r\nlocation: /home\r\nset-cookie: sid=7\r\n\
                    content-length: 0\r\n\r\n";
    let server = Recorder::answering(vec![to_login, EMPTY]);
    let session = server.browsing("chrome/147/windows");
    let form = Request::post("/login")
        .header("referer", &format!("http://{}/login", server.address))
        .form([("user", "ada")]);
    session.send(form).await.unwrap();
    drop(session);
    let common = "user-agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
                  (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36\r\n\
                  accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,\
                  image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n\
                  sec-fetch-site: same-origin\r\nsec-fetch-mode: navigate\r\n\
                  sec-fetch-user: ?1\r\nsec-fetch-dest: document\r\n\
                  referer: http://HOST/login\r\naccept-encoding: gzip, deflate, br, zstd\r\n\
                  accept-language: en-US,en;q=0.9\r\n";
    let hints = "sec-ch-ua: \"Google Chrome\";v=\"147\", \"Not.A/Brand\";v=\"8\", \
                 \"Chromium\";v=\"147\"\r\nsec-ch-ua-mobile: ?0\r\n\
                 sec-ch-ua-platform: \"Windows\"\r\n";
    let post = format!(
        "POST /login HTTP/1.1\r\nhost: HOST\r\nconnection: keep-alive\r\ncontent-length: 8\r\n\
         {hints}origin: http://HOST\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         upgrade-insecure-requests: 1\r\n{common}\r\nuser=ada"
    );
    let get = format!(
        "GET /home HTTP/1.1\r\nhost: HOST\r\nconnection: keep-alive\r\n{hints}\
         upgrade-insecure-requests: 1\r\n{common}cookie: sid=7\r\n\r\n"
    );
    assert_eq!(server.sent(), [post, get]);
}

#[tokio::test]
async fn a_header_of_the_session_takes_the_profiles_place() {
    let server = Recorder::answering(vec![EMPTY]);
    let session = server.browsing("firefox/150/linux");
    session
        .update(|state, now| state.set_header("accept-language", "de", now))
        .unwrap();
    session
        .send(Request::get("/api").header("accept", "application/json"))
        .await
        .unwrap();
    drop(session);
    let expected = "GET /api HTTP/1.1\r\nhost: HOST\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64; \
                    rv:150.0) Gecko/20100101 Firefox/150.0\r\naccept: application/json\r\n\
                    accept-language: de\r\naccept-encoding: gzip, deflate, br, zstd\r\n\
                    connection: keep-alive\r\nsec-fetch-dest: empty\r\nsec-fetch-mode: cors\r\n\
                    sec-fetch-site: same-origin\r\npriority: u=4\r\n\r\n";
    assert_eq!(server.sent(), [expected]);
}

#[tokio::test]
async fn a_plain_client_says_what_it_is() {
    let server = Recorder::answering(vec![EMPTY, EMPTY]);
    let session = server.browsing("standard");
    session.get("/").await.unwrap();
    let none = Session::builder().profile(Profile::None).build().unwrap();
    assert!(none.read(|state| state.profile().headers().is_empty()));
    session
        .send(Request::get("/").without_header("user-agent"))
        .await
        .unwrap();
    drop(session);
    let accepts = "accept: */*\r\naccept-encoding: gzip, deflate, br, zstd\r\n";
    let version = env!("CARGO_PKG_VERSION");
    let sent = server.sent();
    let whole =
        format!("GET / HTTP/1.1\r\nhost: HOST\r\nuser-agent: sessile/{version}\r\n{accepts}\r\n");
    assert_eq!(sent[0], whole);
    assert!(!sent[1].contains("user-agent"), "{}", sent[1]);
}

#[test]
fn a_session_keeps_its_browser() {
    let first = Session::builder()
        .profile(ProfileChoice::Browser)
        .build()
        .unwrap();
    let profile = first.state().profile();
    assert!(profile.browser().is_some());
    let again = Session::builder()
        .state(first.state())
        .profile(ProfileChoice::Browser);
    assert_eq!(again.build().unwrap().state().profile(), profile);
}
