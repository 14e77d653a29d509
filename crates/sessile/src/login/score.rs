//! The roles of a form's fields, and the points for and against its being a login.

use url::Url;

use super::find::LoginKind;
use super::form::{Field, FieldKind, Form, FormMethod};
use super::page::Page;
use super::words;

/// A form's roles: which field takes what.
#[derive(Clone, Copy)]
pub(crate) struct Roles {
    pub(crate) code: Option<usize>,
    pub(crate) kind: LoginKind,
    pub(crate) password: Option<usize>,
    pub(crate) user: Option<usize>,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) points: i32,
    pub(crate) why: Vec<String>,
}

impl Tally {
    fn add(&mut self, points: i32, why: &str) {
        self.points += points;
        self.why.push(why.to_owned());
    }
}

pub(crate) fn roles(page: &Page, form: &Form) -> Option<Roles> {
    let fields = || form.fields.iter().enumerate();
    let boxes = code_boxes(form);
    let passwords: Vec<usize> = fields()
        .filter(|(at, field)| is_password(field) && !is_code(field) && !boxes.contains(at))
        .map(|(at, _)| at)
        .collect();
    let code = boxes.first().copied().or_else(|| {
        let mut fields = fields();
        let code = fields.find(|(_, field)| is_typed_code(field))?;
        Some(code.0)
    });
    let Some(password) = passwords.first().copied() else {
        return match code {
            Some(_) => Some(Roles {
                code,
                kind: LoginKind::OneTimeCode,
                password: None,
                user: None,
            }),
            None => code_by_words(page, form).or_else(|| name_first(form)),
        };
    };
    let user = user_before(form, password);
    let kind = match user {
        Some(_) => LoginKind::Whole,
        None => LoginKind::PasswordOnly,
    };
    Some(Roles {
        code,
        kind,
        password: Some(password),
        user,
    })
}

fn is_password(field: &Field) -> bool {
    if field.is_concealed {
        return false;
    }
    // A password shown while it is typed is a text field by its markup.
    field.kind == FieldKind::Password
        || (field.kind == FieldKind::Text && field.autocomplete.contains("current-password"))
}

fn is_typed_code(field: &Field) -> bool {
    field.is_typed() && !field.is_concealed && is_code(field)
}

/// The boxes of a code that is typed one digit a box, by their places in the form; none where the
/// form has no such row.
pub(crate) fn code_boxes(form: &Form) -> Vec<usize> {
    let is_box =
        |field: &Field| field.is_typed() && !field.is_concealed && field.max_length == Some(1);
    let fields = form.fields.iter().enumerate();
    let boxes = fields.filter(|(_, field)| is_box(field));
    let boxes: Vec<usize> = boxes.map(|(at, _)| at).collect();
    match boxes.len() {
        4..=8 => boxes,
        _ => Vec::new(),
    }
}

/// The field that a page's script writes the digits of all boxes into.
pub(crate) fn joined_code(form: &Form, boxes: &[usize]) -> Option<usize> {
    let mut fields = form.fields.iter().enumerate();
    let is_joined = |at: usize, field: &Field| {
        let is_unseen = field.kind == FieldKind::Hidden || field.is_concealed;
        let is_named = is_code(field) || words::has(&field.names(), &["code"]);
        is_unseen && is_named && field.value.is_empty() && !boxes.contains(&at)
    };
    let (at, _) = fields.find(|(at, field)| is_joined(*at, field))?;
    (!boxes.is_empty()).then_some(at)
}

fn is_code(field: &Field) -> bool {
    let names = field.names();
    let is_named = words::has(
        &names,
        &["one-time-code", "verification", "twofactor", "onetime"],
    ) || words::has_whole(&names.replace('_', "-"), &hyphenated())
        || ["otp", "totp"].iter().any(|word| {
            names
                .split([' ', '_', '-', '[', ']', '.'])
                .any(|part| part.starts_with(word) || part.ends_with(word))
        });
    is_named && !words::has(&names, words::CAPTCHA)
}

fn hyphenated() -> Vec<&'static str> {
    let plain = words::CODE_NAMES.iter().copied();
    plain.filter(|word| !word.contains('_')).collect()
}

/// A lone short field on a page that speaks of a second factor.
fn code_by_words(page: &Page, form: &Form) -> Option<Roles> {
    let mut typed = form
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.is_typed() && !field.is_concealed);
    let (at, field) = typed.next()?;
    let names = field.names();
    let is_alone = typed.next().is_none();
    let is_named = words::has(&names, &["code", "token", "pin", "digit"]);
    let said = format!("{} {}", context(page, form), field.label.to_lowercase());
    let is_code = is_alone
        && field.kind != FieldKind::Email
        && !words::has(&names, words::CAPTCHA)
        && !words::has(&names, &["coupon", "promo", "zip", "postal"])
        && is_named
        && words::has(&said, words::CODE_WORDS);
    is_code.then_some(Roles {
        code: Some(at),
        kind: LoginKind::OneTimeCode,
        password: None,
        user: None,
    })
}

fn name_first(form: &Form) -> Option<Roles> {
    let typed = || {
        form.fields
            .iter()
            .enumerate()
            .filter(|(_, field)| can_be_user(field))
    };
    let (user, field) =
        typed().max_by_key(|(at, field)| (user_points(field), -i64::try_from(*at).unwrap_or(0)))?;
    let is_user = user_points(field) > 0;
    // More to type than a name is some other form.
    (is_user && typed().count() <= 2).then_some(Roles {
        code: None,
        kind: LoginKind::NameFirst,
        password: None,
        user: Some(user),
    })
}

fn can_be_user(field: &Field) -> bool {
    field.is_typed()
        && field.kind != FieldKind::Password
        && !field.is_concealed
        && !field.is_read_only
        && !field.name.is_empty()
        && !is_code(field)
        && !words::has(&field.names(), words::CAPTCHA)
}

fn user_before(form: &Form, password: usize) -> Option<usize> {
    let fields = form.fields.iter().enumerate();
    let best = fields
        .filter(|(_, field)| can_be_user(field))
        .max_by_key(|(at, field)| {
            let distance = i64::try_from(password.abs_diff(*at)).unwrap_or(i64::MAX);
            let is_before = *at < password;
            (user_points(field) + i32::from(is_before) * 2, -distance)
        });
    best.filter(|(at, field)| *at < password || user_points(field) > 0)
        .map(|(at, _)| at)
}

fn user_points(field: &Field) -> i32 {
    let names = field.names();
    let mut points = 0;
    if words::has(&field.autocomplete, &["username", "webauthn"]) {
        points += 8;
    }
    if field.kind == FieldKind::Email || field.autocomplete.contains("email") {
        points += 4;
    }
    if words::has(&names, words::USER_NAMES) {
        points += 4;
    }
    if field.name.eq_ignore_ascii_case("log") || field.name.eq_ignore_ascii_case("name") {
        points += 4;
    }
    if words::has(&field.label.to_lowercase(), words::USER_WORDS) {
        points += 2;
    }
    if words::has(&names, words::SEARCH)
        || words::has(&names, &["domain", "tenant", "realm", "server"])
    {
        points -= 8;
    }
    points
}

pub(crate) fn weigh_fields(form: &Form, roles: Roles, tally: &mut Tally) {
    let boxes = code_boxes(form);
    let fields = form.fields.iter().enumerate();
    let passwords: Vec<&Field> = fields
        .filter(|(at, field)| is_password(field) && !is_code(field) && !boxes.contains(at))
        .map(|(_, field)| field)
        .collect();
    match roles.kind {
        LoginKind::NameFirst => tally.add(5, "it asks for a user name"),
        LoginKind::OneTimeCode => tally.add(30, "it asks for a code"),
        LoginKind::PasswordOnly => tally.add(30, "it asks for a password"),
        LoginKind::Relay => {}
        LoginKind::Whole => tally.add(50, "it asks for a user name and a password"),
    }
    if passwords
        .iter()
        .any(|field| field.autocomplete.contains("current-password"))
    {
        tally.add(15, "its password is marked as an existing one");
    }
    if passwords
        .iter()
        .any(|field| field.autocomplete.contains("new-password"))
    {
        tally.add(-25, "its password is marked as a new one");
    }
    if passwords.len() > 1 {
        tally.add(-30, "it asks for more than one password");
    }
    let said = |field: &&&Field| format!("{} {}", field.names(), field.label.to_lowercase());
    if passwords.len() > 1
        && passwords
            .iter()
            .any(|field| words::has(&said(&field), words::REPEATED))
    {
        tally.add(-40, "it asks for a password twice");
    }
    let fields = form.fields.iter().enumerate();
    let typed = fields
        .filter(|(at, field)| can_be_user(field) && !boxes.contains(at))
        .count();
    if typed > 2 {
        tally.add(
            -10 * i32::try_from(typed.min(10)).unwrap_or(10),
            "it asks for much else",
        );
    }
    if form.fields.iter().any(|field| {
        words::has(
            &field.names(),
            &["terms", "tos", "agree", "captcha_register"],
        )
    }) {
        tally.add(-15, "it asks for consent");
    }
}

pub(crate) fn weigh_words(page: &Page, form: &Form, roles: Roles, tally: &mut Tally) {
    let own = own_words(form);
    let heading = form.heading.as_deref().unwrap_or_default().to_lowercase();
    let about = context(page, form);
    let is_login = words::has(&own, words::LOGIN) || words::has(&heading, words::LOGIN);
    if is_login {
        tally.add(20, "its words speak of logging in");
    } else if words::has(&about, words::LOGIN) {
        tally.add(10, "the page speaks of logging in");
    }
    if words::has(&own, words::REGISTER) {
        tally.add(-40, "its words speak of registering");
    } else if words::has(&heading, words::REGISTER) && !words::has(&heading, words::LOGIN) {
        tally.add(-20, "its heading speaks of registering");
    }
    let is_reset = words::has(&own, words::RESET) || words::has(&heading, words::RESET);
    if is_reset && roles.kind != LoginKind::Whole {
        tally.add(-40, "its words speak of a lost password");
    }
    if roles.kind == LoginKind::NameFirst {
        weigh_name_first(form, &own, &about, tally);
    }
}

/// A lone field is a search, a newsletter or a lost password more often than a login.
fn weigh_name_first(form: &Form, own: &str, about: &str, tally: &mut Tally) {
    let is_search = form.role.as_deref() == Some("search")
        || form
            .fields
            .iter()
            .any(|field| field.kind == FieldKind::Search)
        || words::has(own, words::SEARCH);
    if is_search {
        tally.add(-60, "it is a search");
    }
    if words::has(own, words::NEWSLETTER) {
        tally.add(-40, "it is a newsletter or a message");
    }
    let is_marked = form
        .fields
        .iter()
        .any(|field| field.autocomplete.contains("username"));
    if is_marked {
        tally.add(15, "its field is marked as a user name");
    }
    if words::has(own, words::NEXT) && words::has(about, words::LOGIN) {
        tally.add(10, "its button leads on");
    }
    if form.method == FormMethod::Get {
        tally.add(-10, "it changes nothing when sent");
    }
    if !is_marked && !words::has(own, words::LOGIN) && !words::has(about, words::LOGIN) {
        tally.add(-20, "nothing speaks of logging in");
    }
}

/// What the form itself says: names, address, buttons.
pub(crate) fn own_words(form: &Form) -> String {
    let action = form.action.as_ref().map(Url::path).unwrap_or_default();
    let query = form
        .action
        .as_ref()
        .and_then(Url::query)
        .unwrap_or_default();
    let mut said = format!(
        "{} {} {} {action} {query}",
        form.id.as_deref().unwrap_or_default(),
        form.name.as_deref().unwrap_or_default(),
        form.classes,
    );
    if let Some(submit) = best_submit(form).and_then(|at| form.submits.get(at)) {
        said.push_str(&format!(" {} {}", submit.label, submit.name));
    }
    said.to_lowercase()
}

/// What stands around the form: heading, title, the page's address.
fn context(page: &Page, form: &Form) -> String {
    let said = [
        form.heading.as_deref().unwrap_or_default(),
        page.title.as_deref().unwrap_or_default(),
        page.url.path(),
    ];
    format!("{} {}", own_words(form), said.join(" ").to_lowercase())
}

pub(crate) fn best_submit(form: &Form) -> Option<usize> {
    let points = |at: usize| {
        let submit = &form.submits[at];
        let said = format!("{} {}", submit.label, submit.name).to_lowercase();
        let mut points = 0;
        if words::has(&said, words::LOGIN) {
            points += 3;
        }
        if words::has(&said, words::NEXT) {
            points += 1;
        }
        if words::has_whole(&said, words::AWAY) {
            points -= 6;
        }
        if words::has(&said, words::REGISTER) || words::has(&said, words::RESET) {
            points -= 6;
        }
        points
    };
    // The first of the best: browsers press the first by default.
    (0..form.submits.len()).rev().max_by_key(|at| points(*at))
}
