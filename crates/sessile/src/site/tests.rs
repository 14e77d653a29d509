use super::*;

#[test]
fn three_lines_are_a_site() {
    let site = Site::parse("[login]\nurl = \"https://a.test/login\"", "x/shop.toml").unwrap();
    assert_eq!(site.name, "shop");
    assert_eq!(site.login.kind(), "form");
    assert_eq!(site.login.url().as_str(), "https://a.test/login");
    assert_eq!(site.check, None);
}

#[test]
fn a_fault_is_shown_in_its_line() {
    let told = Site::parse("[login]\n\tulr = 1 # \u{e9}\nx = 2", "shop.toml").unwrap_err();
    let expected = "\
shop.toml:2:2: [login] of kind `form` has no key `ulr`; did you mean `url`?
  2 |  ulr = 1 # \u{e9}
       ^^^
shop.toml:3:1: [login] of kind `form` has no key `x`; known are `kind`, `url`, `form`, `fields`, `inputs`, `trust_device`
  3 | x = 2
      ^";
    assert_eq!(told.to_string(), expected);
}

#[test]
fn a_credential_is_not_shown() {
    for line in [
        "password = \"hunter2\"",
        "inputs = { password = \"hunter2\", x = 1 }",
        "form = \"http://ada:hunter2@a.test/\"\nsecret = \"hunter2\"",
    ] {
        let text = format!("[login]\nurl = \"http://a.test/\"\n{line}");
        let told = Site::parse(&text, "f.toml").unwrap_err().to_string();
        let own = told.lines().filter(|line| !line.contains("form ="));
        assert!(!own.collect::<String>().contains("hunter2"), "{told}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let told = |bytes: &[u8]| Site::decode(bytes, "f.toml").unwrap_err().to_string();
    assert_eq!(
        told(b"[login]\nurl = \"\xff\""),
        "f.toml:2:8: this isn't UTF-8; save the file in that encoding\n  2 | url = \"\u{fffd}\"\n             ^"
    );
    assert_eq!(
        told(&vec![b'#'; LARGEST + 1]).lines().next(),
        Some("f.toml:1:1: the file is larger than 256 KiB")
    );
}

#[test]
fn a_deep_file_is_refused() {
    let deep = format!("[login]\nurl = {}", "[".repeat(100_000));
    let told = Site::parse(&deep, "f.toml").unwrap_err();
    assert!(told.to_string().contains("recursion"), "{told}");
}

#[test]
fn files_that_are_no_site_are_told() {
    // Empty.
    check(
        "",
        r#"1:1: the file's top needs `login`; for example: [login]"#,
    );
    // No TOML.
    check(
        r#"[login
url = 
x"#,
        r#"1:7: unclosed table, expected `]`
3:2: key with no value, expected `=`"#,
    );
    // Twice.
    check(
        r#"[login]
url = "http://a.test/"
url = "http://b.test/""#,
        r#"3:1: duplicate key"#,
    );
    // Unknown table.
    check(
        r#"[logn]
url = "http://a.test/""#,
        r#"1:2: the file's top has no key `logn`; did you mean `login`?"#,
    );
    // Unknown key.
    check(
        r#"[login]
ulr = "http://a.test/""#,
        r#"2:1: [login] of kind `form` has no key `ulr`; did you mean `url`?"#,
    );
    // At the top.
    check(
        r#"url = "http://a.test/"
[login]
url = "http://a.test/""#,
        r#"1:1: the file's top has no key `url`; `url` belongs below [login]"#,
    );
    // Unknown kind.
    check(
        r#"[login]
kind = "jsno"
url = "http://a.test/""#,
        r#"2:8: `jsno` is no value of `kind`; did you mean `json`?"#,
    );
    // Two kinds.
    check(
        r#"[login]
kind = "form"
url = "http://a.test/"
token = "$.t""#,
        r#"4:1: [login] of kind `form` has no key `token`; `token` is a key of `kind = "json"`"#,
    );
    // Type.
    check(
        r#"[login]
url = 7"#,
        r#"2:7: `url` takes a text in quotes, not a number"#,
    );
}

#[test]
fn addresses_and_credentials_are_told() {
    // Table.
    check(
        r#"login = "http://a.test/""#,
        r#"1:9: `login` takes a table, not a text"#,
    );
    // Relative.
    check(
        r#"[login]
url = "/login""#,
        r#"2:7: `/login` has no host; write the whole address, or a `base_url` at the file's top"#,
    );
    // Scheme.
    check(
        r#"[login]
url = "ftp://a.test/""#,
        r#"2:7: `ftp://a.test/` starts neither with http:// nor https://"#,
    );
    // Userinfo.
    check(
        r#"[login]
url = "http://ada:hunter2@a.test/""#,
        r#"2:1: an address in a site file holds no user name and no password; leave them out; `sessile login` takes them from you"#,
    );
    // Password.
    check(
        r#"[login]
url = "http://a.test/"
password = "hunter2""#,
        r#"3:1: [login] of kind `form` has no key `password`; a site file holds no credentials: write {password} where it goes, and give it to `sessile login`"#,
    );
    // Password input.
    check(
        r#"[login]
url = "http://a.test/"
inputs = { password = "hunter2" }"#,
        r#"3:12: `password` looks like a credential; a site file holds no credentials: write {password} where it goes, and give it to `sessile login`"#,
    );
    // Header.
    check(
        r#"[login]
kind = "json"
url = "http://a.test/"
headers = { Authorization = "hunter2", "a b" = "c" }
body = {}"#,
        r#"4:13: `Authorization` looks like a credential; a site file holds no credentials: write {password} where it goes, and give it to `sessile login`
4:40: `a b` can't be the name of a header; a header's name has letters, digits and hyphens"#,
    );
}

#[test]
fn patterns_and_placeholders_are_told() {
    // Placeholder.
    check(
        r#"[login]
kind = "json"
url = "http://a.test/"
body = { name = "{usr}", word = "{" }"#,
        r#"4:17: nothing is called {usr} here; did you mean `user`?
4:33: a `{` that isn't followed by a name and `}`; write `{{` for the brace itself"#,
    );
    // Jsonpath.
    check(
        r#"[login]
kind = "json"
url = "http://a.test/"
body = { name = "{user}" }
token = "token"
expires_in = "$.[""#,
        r#"5:9: the JSONPath `token` can't be used: a JSONPath starts with `$`, as in `$.token`
6:14: the JSONPath `$.[` can't be used: it isn't a JSONPath by RFC 9535"#,
    );
    // Into.
    check(
        r#"[login]
kind = "json"
url = "http://a.test/"
body = {}
token = "$.t"
into = "beaer""#,
        r#"6:8: `beaer` is no value of `into`; write `bearer`, `header NAME` or `cookie NAME`"#,
    );
    // Into without token.
    check(
        r#"[login]
kind = "json"
url = "http://a.test/"
body = {}
into = "bearer""#,
        r#"5:1: `into` without `token`; say with `token` where the reply has it"#,
    );
    // Selector.
    check(
        r#"[login]
url = "http://a.test/"
[check]
url = "/me"
css = ["a[", "::x", "b:foo("]"#,
        r#"5:8: the selector `a[` can't be used: it ends too early
5:14: the selector `::x` can't be used: a pseudo-class or combinator isn't known
5:21: the selector `b:foo(` can't be used: a pseudo-class or combinator isn't known"#,
    );
    // Regex.
    check(
        r#"[login]
kind = "steps"
[[login.steps]]
url = "http://a.test/"
capture.a = { regex = "(" }"#,
        r#"5:23: the regular expression `(` can't be used: unclosed group"#,
    );
}

#[test]
fn steps_are_told() {
    // Capture.
    check(
        r#"[login]
kind = "steps"
[[login.steps]]
url = "http://a.test/"
capture.a = { css = "a", header = "b" }
capture.user = { css = "a" }
capture.b = { header = "x", attribute = "y" }"#,
        r#"5:9: the capture `a` needs one place to look; write one of `css`, `jsonpath`, `regex`, `header`, `cookie`
6:9: `user` can't be the name of a capture; use letters, digits and `_`, and none of `user`, `password`, `otp`
7:29: `attribute` goes with `css`; leave it out"#,
    );
    // Later capture.
    check(
        r#"[login]
kind = "steps"
[[login.steps]]
url = "http://a.test/{token}"
capture.token = { header = "x" }"#,
        r#"4:7: nothing is called {token} here; known are `user`, `password`, `otp`"#,
    );
    // Two bodies.
    check(
        r#"[login]
kind = "steps"
[[login.steps]]
url = "http://a.test/"
form = { a = "b" }
json = {}"#,
        r#"6:1: a step sends one body; write one of `form`, `json` and `body`"#,
    );
    // Password in address.
    check(
        r#"[login]
kind = "steps"
[[login.steps]]
url = "http://a.test/?p={password}""#,
        r#"4:7: the password would stand in the address, and in every log"#,
    );
    // No steps.
    check(
        r#"[login]
kind = "steps"
steps = []"#,
        r#"3:9: `steps` has no step"#,
    );
    // Method.
    check(
        r#"[login]
kind = "steps"
[[login.steps]]
url = "http://a.test/"
method = "post""#,
        r#"5:10: `post` is no value of `method`; did you mean `POST`?"#,
    );
    // Duration.
    check(
        r#"[login]
url = "http://a.test/"
[renew]
cookies = "sid"
before = "10 minutes""#,
        r#"5:10: `10 minutes` is no length of time; write a number and a unit: 500ms, 90s, 10m, 2h, 1d"#,
    );
}

#[test]
fn checks_and_limits_are_told() {
    // Status.
    check(
        r#"[login]
url = "http://a.test/"
[check]
status = 20
url = "/""#,
        r#"4:10: `status` takes a whole number from 100 to 599"#,
    );
    // Rate.
    check(
        r#"[login]
url = "http://a.test/"
[limits]
rate = "fast"
concurrency = 0
burst = 2"#,
        r#"4:8: `fast` is no rate; write a number of requests and a unit: 2/s, 30/m, 100/h
5:15: `concurrency` takes a whole number from 1 to 1000
6:1: [limits] has no key `burst`; known are `rate`, `concurrency`, `robots`"#,
    );
    // Profile.
    check(
        r#"profile = "chorme"
[login]
url = "http://a.test/""#,
        r#"1:11: `chorme` is no profile; did you mean `chrome`?"#,
    );
    // Redirect.
    check(
        r#"[login]
url = "http://a.test/"
[expired]
redirect = "login""#,
        r#"4:12: `login` is no path; write it from its first slash on, as in `/login`"#,
    );
    // Check without url.
    check(
        r#"[login]
url = "http://a.test/"
[check]
text = """#,
        r#"3:2: [check] needs `url`; for example: url = "/account"
4:8: `text` is empty"#,
    );
    // Unicode.
    check(
        r#"name = "café" …
[login]
url = "http://a.test/""#,
        r#"1:15: unexpected key or value, expected newline, `#`"#,
    );
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let errors = Site::parse(text, "f.toml").unwrap_err().errors;
    let told = |error: &SiteError| format!("{}:{}: {}", error.line, error.column, error.told());
    let told: Vec<String> = errors.iter().map(told).collect();
    assert_eq!(told.join("\n"), expected, "{text}");
}
