//! The site's own words about a login that failed.
//!
//! Found by roles, by ids and classes that sites use for them, and by what
//! they say. Whether the login failed is not decided here.

use super::html::{Document, Node};
use super::page::Page;
use super::words;

/// A text that the markup sets apart as a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Notice {
    pub(crate) is_error: bool,
    pub(crate) text: String,
}

/// What a site's refusal of a login is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// It wants a puzzle solved.
    Captcha,
    /// The account is closed, disabled or not yet confirmed.
    Locked,
    /// It wants a second factor.
    NeedsSecondFactor,
    /// None of the others, or nothing recognised.
    Other,
    /// A token against forged requests, or the session it hangs on, was stale.
    StaleForm,
    /// Too many attempts: waiting helps.
    TooManyAttempts,
    /// The name or the password is wrong.
    WrongCredentials,
}

/// The messages of a page without the given secrets, first what is known to refuse a login.
pub fn error_messages(page: &Page, secrets: &[&str]) -> Vec<String> {
    let marked = page.notices.iter().map(|notice| {
        let order = match (notice.is_error, classify(&notice.text)) {
            (true, Refusal::Other) => 2,
            (false, Refusal::Other) => 4,
            (true, _) => 0,
            (false, _) => 1,
        };
        (order, notice.text.as_str())
    });
    let said = page.texts.iter().map(|text| text.text.as_str());
    let plain = said.filter(|text| is_sentence(text) && classify(text) != Refusal::Other);
    let mut found: Vec<(u8, &str)> = marked.chain(plain.map(|text| (3, text))).collect();
    found.sort_by_key(|(order, _)| *order);
    let mut messages: Vec<String> = Vec::new();
    for (_, text) in found {
        let message = blank(text, secrets);
        let is_known = messages
            .iter()
            .any(|known| known.contains(&message) || message.contains(known.as_str()));
        if !is_known && messages.len() < MAX_MESSAGES {
            messages.push(message);
        }
    }
    messages
}

/// What the messages are about: the first that says something known decides.
pub fn classify_refusal<T: AsRef<str>>(messages: &[T]) -> Refusal {
    let known = messages.iter().map(|message| classify(message.as_ref()));
    let mut known = known.filter(|refusal| *refusal != Refusal::Other);
    known.next().unwrap_or(Refusal::Other)
}

/// Whether the messages speak of the code of a second factor.
pub(crate) fn speaks_of_code<T: AsRef<str>>(messages: &[T]) -> bool {
    let words = |message: &T| message.as_ref().to_lowercase();
    let mut said = messages.iter().map(words);
    said.any(|said| words::has(&said, CODES) || words::has(&said, words::CODE_WORDS))
}

/// Reads the messages out of a document.
pub(crate) fn collect(document: &Document) -> Vec<Notice> {
    let described = described_invalid(document);
    let mut notices: Vec<Notice> = Vec::new();
    let mut looked_at = 0;
    for (at, node) in document.nodes().filter(|(_, node)| !node.name.is_empty()) {
        if looked_at >= MAX_CANDIDATES {
            break;
        }
        let is_described = node.filled("id").is_some_and(|id| described.contains(&id));
        let rank = if is_described { Some(true) } else { rank(node) };
        let Some(is_error) = rank else { continue };
        looked_at += 1;
        let text = document.text(at, MAX_TEXT * 2);
        // A wrapper around half the page is no message; what is inside may be one.
        let is_message = text.chars().any(char::is_alphabetic)
            && text.len() <= MAX_TEXT * 2
            && !document.is_concealed(at, None)
            // That scripts are off says nothing of the login.
            && !document.ancestors(at).any(|(_, up)| up.name == "noscript");
        if is_message {
            notices.push(Notice { is_error, text });
        }
    }
    notices
}

const MAX_MESSAGES: usize = 10;
const MAX_CANDIDATES: usize = 500;
const MAX_TEXT: usize = 200;

/// The ids that invalid fields name as their description.
fn described_invalid(document: &Document) -> Vec<&str> {
    let is_invalid = |node: &&Node| node.attribute("aria-invalid") == Some("true");
    let nodes = document.nodes().map(|(_, node)| node).filter(is_invalid);
    let ids = nodes.take(20).flat_map(|node| {
        ["aria-describedby", "aria-errormessage"].map(|name| node.filled(name).unwrap_or_default())
    });
    ids.flat_map(str::split_whitespace).take(100).collect()
}

/// Whether an element is a message, and if so, whether an error.
fn rank(node: &Node) -> Option<bool> {
    if matches!(
        node.name.as_str(),
        "a" | "body"
            | "button"
            | "form"
            | "html"
            | "input"
            | "label"
            | "noscript"
            | "script"
            | "style"
            | "svg"
    ) {
        return None;
    }
    if node.attribute("role") == Some("alert") || node.attribute("aria-live") == Some("assertive") {
        return Some(true);
    }
    let is_red = |name: &str| {
        let value = node
            .attribute(name)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let value: String = value.split_whitespace().collect();
        let value = value.as_str();
        value == "red"
            || value == "#ff0000"
            || value.contains("color:red")
            || value.contains("color:#f00")
    };
    if is_red("color") || (is_red("style") && !is_red_background(node)) {
        return Some(true);
    }
    let names = ["id", "class"].map(|name| node.attribute(name).unwrap_or_default());
    let names = names.join(" ").to_ascii_lowercase();
    let says = |list: &[&str]| names.split_whitespace().any(|name| is_named(name, list));
    if says(ERRORS) {
        return Some(true);
    }
    let is_status = node.attribute("role") == Some("status") || node.has("aria-live");
    (is_status || says(NOTICES)).then_some(false)
}

fn is_red_background(node: &Node) -> bool {
    let style = node.attribute("style").unwrap_or_default();
    style.to_ascii_lowercase().contains("background-color")
}

/// Whether a class or id has one of the words as a part of its own.
fn is_named(name: &str, list: &[&str]) -> bool {
    let parts = name.split(['-', '_', ':']);
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    parts.into_iter().any(|part| list.contains(&part))
        || list
            .iter()
            .any(|word| word.len() > 8 && joined.contains(word))
}

const ERRORS: &[&str] = &[
    "error",
    "errors",
    "err",
    "errornote",
    "errorlist",
    "errormsg",
    "errormessage",
    "errmsg",
    "danger",
    "invalid",
    "invalidfeedback",
    "loginerror",
    "validationsummary",
    "fielderror",
    "failure",
    "failed",
    "fehler",
    "erreur",
    "errore",
    "helptextinvalid",
    "negative",
    "errorbox",
    "alerterror",
    "errorexplanation",
    "destructive",
    "fail",
    "warnung",
];

const NOTICES: &[&str] = &[
    "alert",
    "alerts",
    "warning",
    "flash",
    "flashes",
    "notice",
    "notification",
    "notifications",
    "message",
    "messages",
    "messagelist",
    "msg",
    "toast",
    "callout",
    "snackbar",
    "banner",
    "notify",
    "infobox",
    "feedback",
    "hinweis",
];

/// A message is more than a label, less than a manual.
fn is_sentence(text: &str) -> bool {
    (8..MAX_TEXT).contains(&text.len()) && !text.ends_with('?')
}

/// Cuts a message to its size, with the secrets blanked out.
pub(super) fn blank(text: &str, secrets: &[&str]) -> String {
    let mut message = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        // A short secret as part of a longer word is chance, and would blank everything.
        let is_short = secret.chars().count() < 4;
        message = if is_short {
            let words = message.split(' ').map(|word| {
                let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
                if word == *secret || bare == *secret {
                    "[secret]"
                } else {
                    word
                }
            });
            words.collect::<Vec<_>>().join(" ")
        } else {
            message.replace(secret, "[secret]")
        };
    }
    let mut cut = String::new();
    for (count, c) in message.chars().enumerate() {
        if count == MAX_TEXT {
            cut.push('…');
            break;
        }
        cut.push(c);
    }
    cut
}

fn classify(message: &str) -> Refusal {
    let message = message.to_lowercase();
    let table = [
        (Refusal::TooManyAttempts, TOO_MANY),
        (Refusal::StaleForm, STALE),
        (Refusal::WrongCredentials, WRONG),
        (Refusal::Locked, LOCKED),
        (Refusal::Captcha, words::CAPTCHA),
        (Refusal::NeedsSecondFactor, words::CODE_WORDS),
    ];
    let found = table.iter().find(|(_, list)| words::has(&message, list));
    if let Some((refusal, _)) = found {
        return *refusal;
    }
    // "The password you entered … is incorrect", with anything in between.
    let is_wrong = words::has(&message, SUBJECTS) && words::has(&message, VERDICTS);
    match is_wrong {
        true => Refusal::WrongCredentials,
        false => Refusal::Other,
    }
}

const TOO_MANY: &[&str] = &[
    "too many",
    "rate limit",
    "try again in",
    "try again later",
    "wait a few",
    "temporarily disabled",
    "temporarily locked",
    "temporarily blocked",
    "zu viele",
    "später erneut",
    "trop de",
    "réessayer plus tard",
    "réessayez plus tard",
    "demasiados",
    "más tarde",
    "troppi",
    "più tardi",
    "muitas tentativas",
    "mais tarde",
    "te veel",
    "zbyt wiele",
    "później",
    "för många",
    "for mange",
    "liian monta",
    "příliš mnoho",
    "слишком много",
    "çok fazla",
    "回数",
    "次数过多",
];

/// What codes are called in the messages that want or refuse one.
const CODES: &[&str] = &[
    "token",
    "code",
    "otp",
    "código",
    "codice",
    "kod",
    "код",
    "コード",
    "验证码",
    "驗證碼",
];

const STALE: &[&str] = &[
    "csrf",
    "invalid token",
    "token mismatch",
    "token is invalid",
    "page expired",
    "page has expired",
    "form has expired",
    "session expired",
    "session has expired",
    "session hijacking",
    "cookies are blocked",
    "cookies are disabled",
    "cookies must be",
    "enable cookies",
    "sitzung ist abgelaufen",
    "session a expiré",
    "sesión ha expirado",
    "sessão expirou",
];

const LOCKED: &[&str] = &[
    "locked",
    "disabled",
    "suspended",
    "deactivated",
    "inactive",
    "not active",
    "banned",
    "blocked",
    "not been activated",
    "not activated",
    "confirm your email",
    "verify your email",
    "not confirmed",
    "gesperrt",
    "deaktiviert",
    "nicht aktiv",
    "verrouillé",
    "désactivé",
    "suspendu",
    "bloqué",
    "bloquead",
    "desactivad",
    "deshabilitad",
    "suspendid",
    "bloccat",
    "disabilitat",
    "desativad",
    "geblokkeerd",
    "uitgeschakeld",
    "zablokowan",
    "nieaktywn",
    "spärrat",
    "låst",
    "zablokován",
    "заблокирован",
    "engellendi",
    "ロックされ",
    "锁定",
    "封禁",
];

const WRONG: &[&str] = &[
    "invalid credentials",
    "bad credentials",
    "incorrect credentials",
    "wrong credentials",
    "login failed",
    "login incorrect",
    "login was incorrect",
    "login error",
    "failed to log",
    "sign in failed",
    "sign-in failed",
    "authentication failed",
    "unable to log",
    "access denied for user",
    "cannot log in",
    "could not log",
    "couldn't sign",
    "could not be authenticated",
    "not recognized",
    "unknown user",
    "no such user",
    "user not found",
    "user does not exist",
    "is not registered",
    "anmeldung fehlgeschlagen",
    "login fehlgeschlagen",
    "échec de la connexion",
    "échec de connexion",
    "échec de l'authentification",
    "identifiants incorrects",
    "identifiants invalides",
    "error de autenticación",
    "credenciales",
    "credenziali",
    "accesso non riuscito",
    "credenciais",
    "falha no login",
    "aanmelden mislukt",
    "inloggen mislukt",
    "logowanie nie powiodło",
    "inloggningen misslyckades",
    "ログインできません",
    "登录失败",
    "登入失敗",
];

const SUBJECTS: &[&str] = &[
    "password",
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
    "senha",
    "palavra-passe",
    "wachtwoord",
    "hasło",
    "hasła",
    "lösenord",
    "adgangskode",
    "passord",
    "salasana",
    "heslo",
    "пароль",
    "şifre",
    "parola",
    "パスワード",
    "密码",
    "密碼",
    "비밀번호",
    "username",
    "user name",
    "login",
    "benutzername",
    "identifiant",
    "usuario",
    "utilizador",
    "utente",
    "gebruikersnaam",
    "credential",
    "email",
    "e-mail",
    "account",
    "zugangsdaten",
    "anmeldedaten",
];

const VERDICTS: &[&str] = &[
    "incorrect",
    "invalid",
    "wrong",
    "not match",
    "n't match",
    "mismatch",
    "not correct",
    "correct username",
    "correct email",
    "not valid",
    "falsch",
    "ungültig",
    "stimmt nicht",
    "stimmen nicht",
    "inkorrekt",
    "nicht korrekt",
    "fehlerhaft",
    "incorrecte",
    "invalide",
    "erroné",
    "incorrect",
    "incorrecta",
    "inválid",
    "no válid",
    "errónea",
    "erronea",
    "errat",
    "non valid",
    "non corrett",
    "sbagliat",
    "incorret",
    "onjuist",
    "ongeldig",
    "verkeerd",
    "nieprawidłow",
    "błędn",
    "niepoprawn",
    "felaktig",
    "fel ",
    "forkert",
    "feil",
    "väärä",
    "virheellinen",
    "nesprávn",
    "špatn",
    "неверн",
    "неправильн",
    "yanlış",
    "hatalı",
    "geçersiz",
    "間違",
    "正しくありません",
    "错误",
    "錯誤",
    "不正确",
    "잘못",
    "일치하지",
    "not found",
    "does not exist",
    "doesn't exist",
    "unrecognized",
    "unknown",
    "could not be found",
];
