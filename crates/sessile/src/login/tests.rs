//! Pages shaped like those of well-known applications, found and filled.

use proptest::prelude::*;
use url::Url;

use super::fill::{FillError, Filled, Submission};
use super::find::{
    LoginForm, LoginKind, NoLoginForm, ScriptHint, consent, find, find_named, login_links,
};
use super::form::ScriptUse;
use super::messages::{Refusal, classify_refusal, error_messages};
use super::page::Page;

const BASE: &str = "https://app.example/dir/login?x=1";

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../tests/pages/", $name, ".html"))
    };
}

#[test]
fn applications_get_what_a_browser_would_send() {
    check(
        page!("wordpress"),
        "/wp-login.php log=anna&pwd=s%26cr%C3%A9t&rememberme=forever&redirect_to=%2Fwp-admin%2F&testcookie=1&wp-submit=Log+In",
    );
    check(
        page!("django_admin"),
        "/admin/login/?next=/admin/ csrfmiddlewaretoken=tOkEn123&username=anna&password=s%26cr%C3%A9t&next=%2Fadmin%2F",
    );
    check(
        page!("mediawiki"),
        "/index.php?title=Special:UserLogin&returnto=Main+Page wpName=anna&wpPassword=s%26cr%C3%A9t&wpRemember=1&wpEditToken=%2B%5C&authAction=login&force=&wpLoginToken=abc123%2B%5C&wploginattempt=Log+in",
    );
    check(
        page!("drupal"),
        "/user/login name=anna&pass=s%26cr%C3%A9t&form_build_id=form-a1&form_id=user_login_form&op=Log+in",
    );
    check(
        page!("phpmyadmin"),
        "/dir/index.php?route=/ set_session=sess1&token=tok1&pma_username=anna&pma_password=s%26cr%C3%A9t&server=2&route=%2F",
    );
    check(
        page!("devise"),
        "/users/sign_in authenticity_token=hidden%2Btoken%3D%3D&user%5Bemail%5D=anna&user%5Bpassword%5D=s%26cr%C3%A9t&user%5Bremember_me%5D=0&user%5Bremember_me%5D=1&commit=Log+in",
    );
    check(
        page!("gitlab"),
        "/users/sign_in authenticity_token=hid1&user%5Blogin%5D=anna&user%5Bpassword%5D=s%26cr%C3%A9t&user%5Bremember_me%5D=0&user%5Bremember_me%5D=1",
    );
    check(
        page!("gitea"),
        "/user/login _csrf=c1&user_name=anna&password=s%26cr%C3%A9t&remember=on",
    );
}

#[test]
fn older_layouts_get_what_a_browser_would_send() {
    check(
        page!("aspnet"),
        "/dir/Login.aspx?ReturnUrl=%2f __VIEWSTATE=%2FwEPDw%3D%3D&__VIEWSTATEGENERATOR=C2EE&__EVENTVALIDATION=%2FwEdAA%3D%3D&__RequestVerificationToken=rvt&ctl00%24Search%24TextBox=&ctl00%24Main%24UserName=anna&ctl00%24Main%24Password=s%26cr%C3%A9t&ctl00%24Main%24LoginButton=Log+in",
    );
    check(
        page!("roundcube"),
        "/dir/?_task=login _token=rctoken1&_task=login&_action=login&_timezone=_default_&_url=&_user=anna&_pass=s%26cr%C3%A9t",
    );
    check(
        page!("dokuwiki"),
        "/doku.php?id=start&do=login&sectok= sectok=1f&id=start&do=login&u=anna&p=s%26cr%C3%A9t&r=1",
    );
    // The page is in Latin-1, and so is what is sent.
    check(
        page!("oldphp"),
        "/dir/check.php user=anna&pass=s%26cr%E9t&sid=77&go=Anmelden",
    );
    check(
        page!("register_and_login"),
        "/account username=anna&password=s%26cr%C3%A9t&login=1",
    );
    check(
        page!("password_step"),
        "/login/password csrf=c9&username=anna&password=s%26cr%C3%A9t&step=password",
    );
    check(
        page!("outside"),
        "/session t=1&login=anna&pw=s%26cr%C3%A9t&website=&lang=de&r=2&c=on&go=in",
    );
}

#[test]
fn tokens_from_outside_the_form_are_sent_along() {
    let laravel = sent(page!("laravel"), &[]);
    assert_eq!(
        body(&laravel),
        "email=anna&password=s%26cr%C3%A9t&remember=on&csrf-token=laraveltoken12345&csrf_token=laraveltoken12345&_token=laraveltoken12345"
    );
    assert_eq!(headers(&laravel), "X-CSRF-Token: laraveltoken12345");
    let script = sent(page!("script_token"), &[]);
    assert_eq!(
        body(&script),
        "user=anna&password=s%26cr%C3%A9t&csrfToken=scripttoken-987&csrf_token=scripttoken-987"
    );
    let plain = "<form method=post action=/in><input name=user><input type=password name=p></form>";
    let cookie = sent(plain, &[("a", "b"), ("XSRF-TOKEN", "ab%3D%3D")]);
    assert_eq!(body(&cookie), "user=anna&p=s%26cr%C3%A9t");
    assert_eq!(headers(&cookie), "X-XSRF-TOKEN: ab==");
    let cookie = sent(plain, &[("csrftoken", "abcd")]);
    assert_eq!(
        body(&cookie),
        "user=anna&p=s%26cr%C3%A9t&csrfmiddlewaretoken=abcd"
    );
    let empty = "<meta name=csrf content=abcdefgh><form method=post action=/in><input type=hidden name=_csrf><input name=user><input type=password name=p></form>";
    assert_eq!(
        body(&sent(empty, &[])),
        "_csrf=abcdefgh&user=anna&p=s%26cr%C3%A9t"
    );
}

#[test]
fn steps_of_a_login_are_told_apart() {
    kind(page!("keycloak"), LoginKind::Whole);
    kind(page!("keycloak_name"), LoginKind::NameFirst);
    kind(page!("password_step"), LoginKind::PasswordOnly);
    kind(page!("keycloak_otp"), LoginKind::OneTimeCode);
    kind(page!("saml"), LoginKind::Relay);
    kind(
        "<title>Two-factor authentication</title><form method=post><input name=code inputmode=numeric><button>Verify</button></form>",
        LoginKind::OneTimeCode,
    );
    kind(
        "<h1>Sign in</h1><form method=post action=/login><input name=email type=email><button>Next</button></form>",
        LoginKind::NameFirst,
    );
    let one = login(
        "<form method=post action=/l><input name=u><input type=password name=p><input name=totp></form>",
    );
    assert_eq!(one.kind, LoginKind::Whole);
    assert_eq!(one.code_field, Some(2));
}

#[test]
fn a_code_goes_into_one_field_or_digit_by_digit_into_boxes() {
    let plain = "<form method=post action=/2><input name=csrf type=hidden value=t>{}<button>Go</button></form>";
    let form = |inside: &str| plain.replace("{}", inside);
    let boxes = |name: &str| -> String {
        let one = |at| {
            format!(
                "<input {} maxlength=1>",
                name.replace('#', &format!("{at}"))
            )
        };
        (1..=6).map(one).collect()
    };
    check_code(&form("<input name=otp>"), "csrf=t&otp=123456");
    check_code(
        &form(&boxes("name=d#")),
        "csrf=t&d1=1&d2=2&d3=3&d4=4&d5=5&d6=6",
    );
    check_code(
        &form(&boxes("name=digit[] type=password")),
        "csrf=t&digit%5B%5D=1&digit%5B%5D=2&digit%5B%5D=3&digit%5B%5D=4&digit%5B%5D=5&digit%5B%5D=6",
    );
    // The boxes have no names: a script writes their digits into a hidden field.
    let hidden = format!("{}<input type=hidden name=code>", boxes("type=tel id=d#"));
    check_code(&form(&hidden), "csrf=t&code=123456");

    // A list of devices with one in it.
    let device =
        "<select name=device><option value=''>–</option><option value=app>App</option></select>";
    check_code(
        &form(&format!("{device}<input name=otp>")),
        "csrf=t&device=app&otp=123456",
    );

    let page = form(&boxes("name=d#"));
    let eight = Filled::new("anna", "s").with_code("12345678");
    let refused = login(&page).submission(&eight, &[]).unwrap_err();
    assert_eq!(refused, FillError::CodeLength { boxes: 6 });
    // Three of them are no code.
    let few = form(&"<input name=a maxlength=1>".repeat(3));
    assert!(find(&parse(&few)).is_err());
}

#[test]
fn a_device_is_trusted_only_when_that_is_asked_for() {
    for label in [
        "Remember this device",
        "Trust this browser",
        "Don't ask again",
    ] {
        let page = format!(
            "<form method=post action=/2><input name=otp><label><input type=checkbox name=b value=y>{label}</label></form>"
        );
        check_code(&page, "otp=123456");
        let filled = Filled::new("anna", "s")
            .with_code("123456")
            .trusting_device();
        let sent = login(&page).submission(&filled, &[]).unwrap();
        assert_eq!(body(&sent), "otp=123456&b=y", "{label}");
    }
}

#[track_caller]
fn check_code(page: &str, expected: &str) {
    let form = login(page);
    assert_eq!(form.kind, LoginKind::OneTimeCode, "{page}");
    let filled = Filled::new("anna", "s").with_code("123456");
    assert_eq!(body(&form.submission(&filled, &[]).unwrap()), expected);
}

#[test]
fn what_is_no_login_is_refused_with_the_reason() {
    refused(
        "",
        "the page has no form; give the address of the page that asks for the password",
    );
    refused(
        page!("no_form"),
        "the page has no form; its link to /anmelden may lead to the login",
    );
    refused(
        page!("spa"),
        "the login form needs JavaScript (element `root` is empty until a script fills it); give the address of a page whose form works without scripts",
    );
    refused(
        "<form id=s action=/search><input name=q></form><form action=/news method=post><input type=email name=email><button>Subscribe</button></form>",
        "the page has 2 forms, of which none is a login: `s` (search), to /news (newsletter or message); give the address of the page that asks for the password",
    );
    refused(
        "<form action=/register method=post><input name=email><input type=password name=p><input type=password name=confirm></form>",
        "the page has 1 form, which is no login: to /register (registration or new password); give the address of the page that asks for the password",
    );
    refused(
        "<title>Log in</title><form action=/forgot-password method=post><input type=email name=email><button>Reset password</button></form>",
        "the page has 1 form, which is no login: to /forgot-password (lost password); give the address of the page that asks for the password",
    );
    refused(
        "<form id=a action=/a method=post><input name=u><input type=password name=p></form><form id=b action=/b method=post><input name=u><input type=password name=p></form>",
        "2 forms look equally like the login: `a`, `b`; name one of them with --form",
    );
}

#[test]
fn forms_that_scripts_send_are_not_sent_as_they_are() {
    script(
        page!("spa_form"),
        &ScriptHint::Form("without".into(), ScriptUse::NoAddress),
    );
    script(
        "<form method=post action='javascript:go()'><input name=u><input type=password name=p></form>",
        &ScriptHint::Form(String::new(), ScriptUse::ScriptAddress),
    );
    script(
        "<form method=post action=/x><input id=u name=user><input type=password id=p></form>",
        &ScriptHint::Form(String::new(), ScriptUse::NamelessPassword),
    );
    script(
        "<input name=u><input type=password name=p>",
        &ScriptHint::LoosePassword,
    );
}

#[test]
fn a_named_form_is_taken() {
    let html = "<form id=a action=/a method=post><input name=u><input type=password name=p></form><form id=b action=/b method=post><input name=u><input type=password name=p></form>";
    let named = find_named(&parse(html), "b").unwrap();
    assert_eq!(named.form.id.as_deref(), Some("b"));
    assert!(matches!(
        find_named(&parse(html), "c"),
        Err(NoLoginForm::NoSuchForm { .. })
    ));
}

#[test]
fn passwords_do_not_leave_by_unsafe_ways() {
    let form = "<input name=u><input type=password name=p></form>";
    let get = login(&format!("<form method=get action=/in>{form}"));
    assert_eq!(submit(&get).unwrap_err(), FillError::PasswordInUrl);
    let http = login(&format!(
        "<form method=post action=http://app.example/in>{form}"
    ));
    assert_eq!(submit(&http).unwrap_err(), FillError::Downgrade);
    let sent = submit(&login(&format!("<form method=post action=/in>{form}"))).unwrap();
    assert!(!format!("{sent:?}").contains("s&cr"));
    assert!(!format!("{sent:?}").contains("anna"));
}

#[test]
fn other_encodings_are_written_byte_for_byte() {
    let html = "<form method=post enctype=multipart/form-data action=/in><input name='a\"b'><input type=password name=p><input type=file name=f></form>";
    let sent = sent(html, &[]);
    let boundary = "----FormBoundary0000000000000000";
    assert_eq!(
        sent.content_type.as_deref(),
        Some("multipart/form-data; boundary=----FormBoundary0000000000000000")
    );
    assert_eq!(
        body(&sent),
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\nanna\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"p\"\r\n\r\ns&crét\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--{boundary}--\r\n"
        )
    );
}

#[test]
fn the_site_speaks_for_itself() {
    says(
        page!("wordpress"),
        "Error: The password you entered for the username anna is incorrect. Lost your password?",
        Refusal::WrongCredentials,
    );
    says(
        page!("django_admin"),
        "Please enter the correct username and password for a staff account. Note that both fields may be case-sensitive.",
        Refusal::WrongCredentials,
    );
    says(
        page!("mediawiki"),
        "Incorrect username or password entered. Please try again.",
        Refusal::WrongCredentials,
    );
    says(
        page!("drupal"),
        "Error message Unrecognized username or password. Forgot your password?",
        Refusal::WrongCredentials,
    );
    says(
        page!("devise"),
        "Invalid Email or password.",
        Refusal::WrongCredentials,
    );
    says(
        page!("gitlab"),
        "Invalid login or password.",
        Refusal::WrongCredentials,
    );
    says(
        page!("gitea"),
        "Username or password is incorrect.",
        Refusal::WrongCredentials,
    );
    says(
        page!("keycloak"),
        "Invalid username or password.",
        Refusal::WrongCredentials,
    );
    says(
        page!("aspnet"),
        "The user name or password provided is incorrect.",
        Refusal::WrongCredentials,
    );
    says(
        page!("dokuwiki"),
        "Sorry, username or password was wrong.",
        Refusal::WrongCredentials,
    );
    says(
        page!("oldphp"),
        "Falsches Kennwort!",
        Refusal::WrongCredentials,
    );
}

#[test]
fn refusals_are_told_apart_in_many_languages() {
    says(
        "<p>Too many failed login attempts. Please try again later.</p>",
        "Too many failed login attempts. Please try again later.",
        Refusal::TooManyAttempts,
    );
    says(
        "<div class=alert>Votre compte a été désactivé.</div>",
        "Votre compte a été désactivé.",
        Refusal::Locked,
    );
    says(
        "<p role=alert>Contraseña incorrecta</p>",
        "Contraseña incorrecta",
        Refusal::WrongCredentials,
    );
    says(
        "<div class=error>Please solve the captcha</div>",
        "Please solve the captcha",
        Refusal::Captcha,
    );
    says(
        "<div class=error>The CSRF token is invalid</div>",
        "The CSRF token is invalid",
        Refusal::StaleForm,
    );
    says(
        "<div class='error d-none'>Wrong password</div><input class=error><p class=error></p>",
        "",
        Refusal::Other,
    );
}

#[test]
fn a_message_comes_before_the_labels_of_wrong_fields() {
    let html = "<div class=has-error><label>Email</label></div><p>Check the form</p><div class=error>Wrong password</div>";
    assert_eq!(
        error_messages(&parse(html), &[]),
        ["Wrong password", "Email"]
    );
}

#[test]
fn that_scripts_are_off_is_no_message_about_the_login() {
    let html = "<div class=error>Wrong password</div><noscript class=message><p class=error>JavaScript is required</p></noscript>";
    assert_eq!(error_messages(&parse(html), &[]), ["Wrong password"]);
}

#[test]
fn questions_for_consent_are_told_from_other_pages() {
    let asked = |html: &str| consent(&parse(html));
    let form = "<form method=post action=/confirm><input type=hidden name=prompt value=1><button>Continue</button></form>";
    assert_eq!(
        asked(&format!("<h1>Authorize the shop</h1>{form}")).as_deref(),
        Some("Authorize the shop")
    );
    assert_eq!(
        asked("<p>The shop wants your name.</p><form method=post><button>Deny</button><button name=ok>Allow</button></form>").as_deref(),
        Some("Allow")
    );
    assert_eq!(asked(&format!("<h1>Your orders</h1>{form}")), None);
    assert_eq!(asked("<h1>Allow what?</h1><p>no form</p>"), None);
}

#[test]
fn puzzles_are_seen() {
    let has_captcha = |inner: &str| {
        let html = format!(
            "<form method=post action=/l><input name=u><input type=password name=p>{inner}</form>"
        );
        login(&html).form.has_captcha
    };
    assert!(has_captcha("<div class=g-recaptcha data-sitekey=x></div>"));
    assert!(has_captcha("<input name=captcha_answer>"));
    assert!(!has_captcha("<input name=remember type=checkbox>"));
}

#[test]
fn messages_do_not_repeat_secrets() {
    let page = parse("<p class=error>No user anna with hunter22 known. a b</p>");
    assert_eq!(
        error_messages(&page, &["hunter22", "b"]),
        ["No user anna with [secret] known. a [secret]"]
    );
}

// Each of these takes minutes where some work grows with the square of the page.
#[test]
fn hostile_pages_end() {
    for part in [
        "<div class=error>",
        "<input name=a form=b>",
        "<table><tr><td>",
        "<script>csrf=",
        "<p",
        "<a href=/x>",
        "<x hidden>y",
    ] {
        let page = parse(&part.repeat(30_000));
        let _ = find(&page);
        let _ = error_messages(&page, &[]);
    }
}

#[test]
fn links_to_logins_are_ranked() {
    let page = parse(page!("no_form"));
    let links: Vec<String> = login_links(&page).iter().map(Url::to_string).collect();
    assert_eq!(
        links,
        [
            "https://app.example/anmelden",
            "https://other.example/login"
        ]
    );
}

#[test]
fn bytes_are_decoded_as_the_page_says() {
    let url = Url::parse(BASE).unwrap();
    let latin = b"<meta charset=iso-8859-1><title>Caf\xe9</title>";
    assert_eq!(Page::decode(latin, None, &url).title(), Some("Café"));
    let header = Page::decode(
        "<title>Café</title>".as_bytes(),
        Some("text/html; charset=utf-8"),
        &url,
    );
    assert_eq!(header.title(), Some("Café"));
}

proptest! {
    #[test]
    fn any_text_is_a_page(html in "[<>/=a-z \"'&;!-]{0,400}|.{0,400}") {
        let page = parse(&html);
        let _ = find(&page);
        let _ = error_messages(&page, &["a"]);
    }

    #[test]
    fn a_filled_form_carries_everything_once(
        hidden in prop::collection::vec("[a-zA-Z0-9&=\"<é ]{1,12}", 0..6),
        password in "[ -~äß€]{1,20}",
    ) {
        let mut html = "<form method=post action=/login><input name=user>".to_owned();
        for (at, value) in hidden.iter().enumerate() {
            let value = value.replace('&', "&amp;").replace('"', "&quot;");
            html.push_str(&format!("<input type=hidden name=h{at} value=\"{value}\">"));
        }
        html.push_str("<input type=password name=pw></form>");
        let login = login(&html);
        let sent = login.submission(&Filled::new("anna", &password), &[]).unwrap();
        let body = sent.body.expose().clone();
        let entries: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
        let mut expected = vec![("user".to_owned(), "anna".to_owned())];
        expected.extend(hidden.iter().enumerate().map(|(at, value)| (format!("h{at}"), value.clone())));
        expected.push(("pw".to_owned(), password));
        prop_assert_eq!(entries, expected);
    }
}

fn parse(html: &str) -> Page {
    Page::parse(html, &Url::parse(BASE).unwrap())
}

#[track_caller]
fn login(html: &str) -> LoginForm {
    find(&parse(html)).unwrap()
}

fn submit(login: &LoginForm) -> Result<Submission, FillError> {
    login.submission(&Filled::new("anna", "s&crét"), &[])
}

#[track_caller]
fn sent(html: &str, cookies: &[(&str, &str)]) -> Submission {
    let filled = Filled::new("anna", "s&crét");
    login(html).submission(&filled, cookies).unwrap()
}

fn body(sent: &Submission) -> String {
    String::from_utf8_lossy(sent.body.expose()).into_owned()
}

fn headers(sent: &Submission) -> String {
    let lines = sent.headers.iter();
    let lines: Vec<String> = lines
        .map(|(name, value)| format!("{name}: {}", value.expose()))
        .collect();
    lines.join("\n")
}

#[track_caller]
fn check(html: &str, expected: &str) {
    let sent = sent(html, &[]);
    let query = sent
        .url
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    assert_eq!(
        format!("{}{query} {}", sent.url.path(), body(&sent)),
        expected
    );
    assert_eq!(
        sent.content_type.as_deref(),
        Some("application/x-www-form-urlencoded")
    );
}

#[test]
fn a_token_in_a_cookie_stays_on_its_site() {
    let form = |action: &str| {
        format!(
            "<form method=post action={action}><input name=user>\
             <input type=password name=pass><button>Log in</button></form>"
        )
    };
    let tokens = |html: &str| sent(html, &[("csrftoken", "abcd")]).headers.len();
    assert!(tokens(&form("/login")) > 0);
    assert_eq!(tokens(&form("https://elsewhere.example/login")), 0);
}

#[track_caller]
fn kind(html: &str, expected: LoginKind) {
    assert_eq!(login(html).kind, expected);
}

#[track_caller]
fn refused(html: &str, expected: &str) {
    let refusal = find(&parse(html)).unwrap_err();
    assert_eq!(refusal.to_string(), expected);
}

#[track_caller]
fn script(html: &str, expected: &ScriptHint) {
    let Err(NoLoginForm::NeedsJavaScript { hint }) = find(&parse(html)) else {
        panic!("{html} was taken");
    };
    match (&hint, expected) {
        (ScriptHint::Form(_, using), ScriptHint::Form(_, expected)) => assert_eq!(using, expected),
        _ => assert_eq!(&hint, expected),
    }
}

#[track_caller]
fn says(html: &str, expected: &str, about: Refusal) {
    let messages = error_messages(&parse(html), &[]);
    assert_eq!(
        messages.first().map(String::as_str).unwrap_or_default(),
        expected,
        "{messages:?}"
    );
    assert_eq!(classify_refusal(&messages), about);
}
