//! Reads the forms out of a document.

use encoding_rs::Encoding;
use url::Url;

use super::form::{Field, FieldKind, Form, FormEncoding, FormMethod, ScriptUse, Submit};
use super::html::{Document, Node, one_line};
use super::words;

/// What addresses and texts of the page are relative to.
pub(crate) struct Context<'a> {
    pub(crate) base: &'a Url,
    pub(crate) charset: &'static Encoding,
    pub(crate) document: &'a Document,
    pub(crate) url: &'a Url,
}

/// The forms of the page, and the controls that belong to none.
pub(crate) fn forms(context: &Context<'_>) -> (Vec<Form>, Vec<Field>) {
    let document = context.document;
    let labels = labels(document);
    let mut at_forms = Vec::new();
    let mut forms: Vec<Form> = Vec::new();
    let mut loose = Vec::new();
    let mut heading = None;
    for (at, node) in document.nodes() {
        if matches!(node.name.as_str(), "h1" | "h2" | "h3" | "h4" | "legend") {
            heading = Some(document.text(at, 80)).filter(|text| !text.is_empty());
            if let Some(form) = at_forms.iter().position(|form| Some(*form) == node.form) {
                forms[form].heading = forms[form].heading.take().or_else(|| heading.clone());
            }
        }
        if node.name == "form" && forms.len() < MAX_FORMS {
            at_forms.push(at);
            forms.push(form(context, at, node, heading.clone()));
        }
    }
    let controls = document.nodes().filter(|(_, node)| is_control(node));
    for (at, node) in controls.take(MAX_CONTROLS) {
        if is_disabled(document, at) {
            continue;
        }
        let owner = owner(node, &at_forms, &forms);
        let limit = owner.map(|owner| at_forms[owner]);
        match (control(context, &labels, (at, limit)), owner) {
            (Control::Field(field), Some(owner)) if forms[owner].fields.len() < MAX_FIELDS => {
                forms[owner].fields.push(field);
            }
            (Control::Field(field), None) if loose.len() < MAX_FIELDS => loose.push(field),
            (Control::Submit(submit), Some(owner)) if forms[owner].submits.len() < MAX_FIELDS => {
                forms[owner].submits.push(submit);
            }
            (Control::Field(_) | Control::Submit(_) | Control::None, _) => {}
        }
    }
    for (at, form) in at_forms.iter().zip(&mut forms) {
        form.has_captcha = has_captcha(document, *at, form);
        form.script = script_use(document.node(*at), form);
    }
    (forms, loose)
}

const MAX_CONTROLS: usize = 10_000;
const MAX_FIELDS: usize = 2_000;
const MAX_FORMS: usize = 200;

enum Control {
    Field(Field),
    None,
    Submit(Submit),
}

fn has_captcha(document: &Document, at: usize, form: &Form) -> bool {
    let is_widget = |node: &Node| {
        let classes = node.attribute("class").unwrap_or_default();
        node.has("data-sitekey") || words::has(classes, words::CAPTCHA)
    };
    let is_answer = |field: &Field| {
        let said = format!("{} {}", field.names(), field.label.to_lowercase());
        words::has(&said, words::CAPTCHA)
    };
    form.fields.iter().any(is_answer) || document.inside(at).any(|(_, node)| is_widget(node))
}

fn form(context: &Context<'_>, at: usize, node: &Node, heading: Option<String>) -> Form {
    let text = |name: &str| node.filled(name).map(str::to_owned);
    Form {
        action: address(context, node.filled("action")),
        charset: form_charset(context, node).name(),
        classes: text("class").unwrap_or_default(),
        encoding: encoding(node.filled("enctype")).unwrap_or(FormEncoding::Urlencoded),
        fields: Vec::new(),
        has_captcha: false,
        heading,
        id: text("id"),
        is_concealed: context.document.is_concealed(at, None),
        method: method(node.filled("method")).unwrap_or(FormMethod::Get),
        name: text("name"),
        role: text("role"),
        script: None,
        submits: Vec::new(),
    }
}

/// The address a form or button goes to: the page's own where it names none.
fn address(context: &Context<'_>, action: Option<&str>) -> Option<Url> {
    let mut url = match action {
        // An empty action means the page's own URL, not its base.
        None => context.url.clone(),
        Some(action) => context.base.join(action).ok()?,
    };
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}

fn form_charset(context: &Context<'_>, node: &Node) -> &'static Encoding {
    let labels = node.filled("accept-charset").unwrap_or_default();
    labels
        .split([' ', ',', '\t', '\n'])
        .find_map(|label| Encoding::for_label(label.as_bytes()))
        .unwrap_or(context.charset)
        // UTF-16 has no form encoding; the standard sends UTF-8 in its place.
        .output_encoding()
}

fn method(text: Option<&str>) -> Option<FormMethod> {
    match text?.to_ascii_lowercase().as_str() {
        "post" => Some(FormMethod::Post),
        _ => Some(FormMethod::Get),
    }
}

fn encoding(text: Option<&str>) -> Option<FormEncoding> {
    match text?.to_ascii_lowercase().as_str() {
        "multipart/form-data" => Some(FormEncoding::Multipart),
        "text/plain" => Some(FormEncoding::TextPlain),
        _ => Some(FormEncoding::Urlencoded),
    }
}

fn script_use(node: &Node, form: &Form) -> Option<ScriptUse> {
    let handler = node.attributes().iter().find(|(name, value)| {
        HANDLERS.iter().any(|known| name.starts_with(known))
            || (name == "onsubmit" && is_refusing(value))
    });
    if form.action.is_none() {
        return Some(ScriptUse::ScriptAddress);
    }
    let mut passwords = form.fields.iter();
    if passwords.any(|field| field.kind == FieldKind::Password && field.name.is_empty()) {
        return Some(ScriptUse::NamelessPassword);
    }
    let has_address = node.filled("action").is_some_and(|action| action != "#");
    if let Some((name, _)) = handler
        && !(has_address && form.method == FormMethod::Post)
    {
        return Some(ScriptUse::Handler(name.clone()));
    }
    let is_sent_by_button = form.submits.iter().any(|submit| submit.method.is_some());
    if !has_address && !node.has("method") && !is_sent_by_button {
        return Some(ScriptUse::NoAddress);
    }
    None
}

/// Whether an `onsubmit` keeps the browser from sending, whatever happens.
fn is_refusing(handler: &str) -> bool {
    let handler: String = handler.to_ascii_lowercase().split_whitespace().collect();
    handler.trim_end_matches(';').ends_with("returnfalse") || handler.contains("preventdefault()")
}

const HANDLERS: [&str; 7] = [
    "(ngsubmit)",
    "@submit",
    "ng-submit",
    "v-on:submit",
    "on:submit",
    "x-on:submit",
    "hx-post",
];

fn is_control(node: &Node) -> bool {
    matches!(
        node.name.as_str(),
        "button" | "input" | "select" | "textarea"
    )
}

fn is_disabled(document: &Document, at: usize) -> bool {
    // Skipped: the first legend of a disabled fieldset stays enabled.
    document.node(at).has("disabled")
        || document.ancestors(at).any(|(_, up)| {
            (up.name == "fieldset" && up.has("disabled"))
                || matches!(up.name.as_str(), "datalist" | "template")
        })
}

fn owner(node: &Node, at_forms: &[usize], forms: &[Form]) -> Option<usize> {
    match node.filled("form") {
        Some(id) => forms.iter().position(|form| form.id.as_deref() == Some(id)),
        None => at_forms.iter().position(|form| Some(*form) == node.form),
    }
}

/// The label texts by the id they are for.
fn labels(document: &Document) -> Vec<(String, String)> {
    let labels = document.nodes().filter(|(_, node)| node.name == "label");
    labels
        .take(MAX_FIELDS)
        .filter_map(|(at, node)| Some((node.filled("for")?.to_owned(), document.text(at, 80))))
        .collect()
}

/// Reads the control at `place.0`, in the form at `place.1`.
fn control(
    context: &Context<'_>,
    labels: &[(String, String)],
    place: (usize, Option<usize>),
) -> Control {
    let node = context.document.node(place.0);
    let kind = node.filled("type").unwrap_or_default().to_ascii_lowercase();
    match (node.name.as_str(), kind.as_str()) {
        ("button", "button" | "reset" | "menu") | ("input", "button" | "reset") => Control::None,
        ("button", _) | ("input", "image" | "submit") => {
            Control::Submit(submit(context, place.0, kind == "image"))
        }
        _ => Control::Field(field(context.document, labels, place)),
    }
}

fn submit(context: &Context<'_>, at: usize, is_image: bool) -> Submit {
    let node = context.document.node(at);
    let value = node.attribute("value");
    let mut label = context.document.text(at, 80);
    for name in ["aria-label", "title", "alt"] {
        if label.is_empty() {
            label = one_line(node.attribute(name).unwrap_or_default());
        }
    }
    if node.name == "input" || label.is_empty() {
        label = format!("{} {label}", value.unwrap_or("submit"))
            .trim_end()
            .to_owned();
    }
    let action = node.filled("formaction");
    Submit {
        action: action.and_then(|action| address(context, Some(action))),
        encoding: encoding(node.filled("formenctype")),
        is_image,
        label,
        method: method(node.filled("formmethod")),
        name: node.attribute("name").unwrap_or_default().to_owned(),
        value: value.unwrap_or_default().to_owned(),
    }
}

fn field(document: &Document, labels: &[(String, String)], place: (usize, Option<usize>)) -> Field {
    let (at, form) = place;
    let node = document.node(at);
    let text = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
    let kind = kind(document, at);
    let value = match kind {
        FieldKind::Textarea => document.raw_text(at).trim_start_matches('\n').to_owned(),
        FieldKind::CheckBox { .. } | FieldKind::Radio { .. } => {
            node.attribute("value").unwrap_or("on").to_owned()
        }
        _ => text("value"),
    };
    Field {
        autocomplete: text("autocomplete").to_ascii_lowercase(),
        id: text("id"),
        is_concealed: kind != FieldKind::Hidden && is_trap(document, at, form),
        is_read_only: node.has("readonly"),
        is_required: node.has("required") || node.attribute("aria-required") == Some("true"),
        label: label(document, labels, at),
        max_length: node.filled("maxlength").and_then(|text| text.parse().ok()),
        name: text("name"),
        kind,
        value,
    }
}

fn kind(document: &Document, at: usize) -> FieldKind {
    let node = document.node(at);
    match node.name.as_str() {
        "select" => return options(document, at),
        "textarea" => return FieldKind::Textarea,
        _ => {}
    }
    let checked = node.has("checked");
    match node
        .filled("type")
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "checkbox" => FieldKind::CheckBox { checked },
        "color" | "date" | "datetime-local" | "month" | "range" | "time" | "url" | "week" => {
            FieldKind::Other
        }
        "email" => FieldKind::Email,
        "file" => FieldKind::File,
        "hidden" => FieldKind::Hidden,
        "number" => FieldKind::Number,
        "password" => FieldKind::Password,
        "radio" => FieldKind::Radio { checked },
        "search" => FieldKind::Search,
        "tel" => FieldKind::Tel,
        _ => FieldKind::Text,
    }
}

/// A list's options: the values chosen from the start, and all that can be.
fn options(document: &Document, at: usize) -> FieldKind {
    let select = document.node(at);
    let options = document
        .inside(at)
        .filter(|(_, node)| node.name == "option");
    let is_off = |at: usize| {
        document.node(at).has("disabled")
            || document
                .ancestors(at)
                .any(|(_, up)| up.name == "optgroup" && up.has("disabled"))
    };
    let options: Vec<(usize, &Node)> = options.take(MAX_FIELDS).collect();
    let value = |(at, node): &(usize, &Node)| match node.attribute("value") {
        Some(value) => value.to_owned(),
        None => document.text(*at, 200),
    };
    let on = options.iter().filter(|(at, _)| !is_off(*at));
    let offered = on.clone().map(value).collect();
    let mut marked = options.iter().filter(|(_, node)| node.has("selected"));
    let chosen = if select.has("multiple") {
        marked.filter(|(at, _)| !is_off(*at)).map(value).collect()
    } else {
        let is_list = select.filled("size").is_some_and(|size| size != "1");
        let default = on.clone().next().filter(|_| !is_list);
        let one = marked.next_back().filter(|(at, _)| !is_off(*at));
        one.or(default).map(value).into_iter().collect()
    };
    FieldKind::Select { chosen, offered }
}

/// Whether a person would not see the control: a trap for robots, mostly.
fn is_trap(document: &Document, at: usize, form: Option<usize>) -> bool {
    if document.is_concealed(at, form) {
        return true;
    }
    let node = document.node(at);
    let says = |node: &Node| {
        let names = ["class", "id", "name"].map(|name| node.attribute(name).unwrap_or_default());
        let names = names.join(" ").to_ascii_lowercase();
        ["honeypot", "hny-", "hp_", "honey_"]
            .iter()
            .any(|word| names.contains(word))
    };
    let style = node.attribute("style").unwrap_or_default().replace(' ', "");
    let is_away = style.contains("left:-") || style.contains("opacity:0;");
    is_away
        || says(node)
        || document
            .ancestors(at)
            .take(2)
            .any(|(_, up)| up.name != "form" && says(up))
}

fn label(document: &Document, labels: &[(String, String)], at: usize) -> String {
    let node = document.node(at);
    let id = node.filled("id");
    let named = labels
        .iter()
        .find(|(target, _)| Some(target.as_str()) == id);
    let mut words = named.map(|(_, text)| text.clone()).unwrap_or_default();
    if words.is_empty() {
        let around = document.ancestors(at).find(|(_, up)| up.name == "label");
        words = around
            .map(|(label, _)| document.text(label, 80))
            .unwrap_or_default();
    }
    for name in ["aria-label", "placeholder", "title"] {
        if let Some(more) = node.filled(name)
            && !words.contains(more)
        {
            words = format!("{words} {more}").trim().to_owned();
        }
    }
    if words.is_empty() && node.attribute("type") != Some("hidden") {
        words = text_before(document, at);
    }
    words
}

/// The nearest text before a control without a label, as in old table layouts.
fn text_before(document: &Document, at: usize) -> String {
    for before in (at.saturating_sub(12)..at).rev() {
        let node = document.node(before);
        if is_control(node) || node.name == "form" {
            break;
        }
        let text = one_line(&node.text);
        if !text.is_empty() && text.len() <= 80 {
            return text;
        }
    }
    String::new()
}
