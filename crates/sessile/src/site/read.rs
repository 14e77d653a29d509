//! Reads tables and values of a site file; what doesn't fit is noted with its place, and reading
//! goes on, so that all faults come out at once.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::fault::{Faults, did_you_mean, near};
use super::pattern::{Css, JsonPath, Regex};
use super::schema::Section;
use super::template::{JsonTemplate, Template};

/// A table whose keys are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    section: &'static Section,
    entries: &'a DeTable<'a>,
    at: At,
    pub(super) faults: &'a Faults,
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    key_at: At,
    value: &'a Spanned<DeValue<'a>>,
    pub(super) faults: &'a Faults,
}

#[derive(Clone, Copy, Debug)]
struct At(usize, usize);

impl At {
    fn of<T>(spanned: &Spanned<T>) -> Self {
        let span = spanned.span();
        Self(span.start, span.end)
    }

    fn range(self) -> Range<usize> {
        self.0..self.1
    }
}

/// The names that placeholders may have at a place of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placeholders<'a> {
    pub(super) fixed: &'a [&'a str],
    pub(super) captured: &'a [String],
}

/// What a login can fill in from the start.
pub(super) const CREDENTIALS: Placeholders<'static> = Placeholders {
    fixed: &["otp", "password", "user"],
    captured: &[],
};

impl Placeholders<'_> {
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let captured = self.captured.iter().map(String::as_str);
        self.fixed.iter().copied().chain(captured)
    }
}

impl<'a> Table<'a> {
    /// The file's own table.
    pub(super) fn root(
        section: &'static Section,
        document: &'a Spanned<DeTable<'a>>,
        faults: &'a Faults,
    ) -> Self {
        Self {
            section,
            entries: document.get_ref(),
            at: At(0, 1),
            faults,
        }
    }

    /// Notes every key that isn't known here; `elsewhere` says where one is.
    pub(super) fn refuse_unknown(&self, elsewhere: impl Fn(&str) -> Option<String>) {
        for (key, _) in self.entries.iter() {
            let name: &str = key.get_ref();
            if self.section.knows(name) {
                continue;
            }
            let message = format!("{} has no key `{name}`", self.section.title);
            match (elsewhere(name), credential_hint(name)) {
                (Some(hint), _) => self.faults.advise(&key.span(), message, hint),
                (None, Some(hint)) => self.faults.hide(&key.span(), message, hint),
                (None, None) => {
                    let known = self.section.keys().map(|key| key.name);
                    let hint = did_you_mean(name, known);
                    self.faults.advise(&key.span(), message, hint);
                }
            }
        }
    }

    /// The same table with the keys of another section.
    pub(super) fn with(self, section: &'static Section) -> Self {
        Self { section, ..self }
    }

    pub(super) fn get(&self, name: &str) -> Option<Entry<'a>> {
        debug_assert!(self.section.knows(name), "{} {name}", self.section.title);
        let (key, value) = self.entries.get_key_value(name)?;
        Some(Entry {
            key: key.get_ref(),
            key_at: At::of(key),
            value,
            faults: self.faults,
        })
    }

    /// The entry, noted where it is missing.
    pub(super) fn need(&self, name: &str) -> Option<Entry<'a>> {
        let entry = self.get(name);
        if entry.is_none() && !self.has_misspelt(name) {
            let key = self.section.keys().find(|key| key.name == name);
            let example = key.map_or_else(String::new, |key| key.example.to_owned());
            self.faults.advise(
                &self.at.range(),
                format!("{} needs `{name}`", self.section.title),
                format!("for example: {example}"),
            );
        }
        entry
    }

    /// Whether an unknown key is near this one: that one is noted already.
    fn has_misspelt(&self, name: &str) -> bool {
        let mut names = self.entries.keys().map(|key| key.get_ref());
        names.any(|found| {
            let known = self.section.keys().map(|key| key.name);
            !self.section.knows(found) && near(found, known) == Some(name)
        })
    }

    /// All entries, in the order of the file.
    pub(super) fn entries(&self) -> Vec<Entry<'a>> {
        entries(self.entries, self.faults)
    }

    /// Notes a fault of the table as a whole.
    pub(super) fn refuse(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.advise(&self.at.range(), message, hint);
    }
}

fn entries<'a>(table: &'a DeTable<'a>, faults: &'a Faults) -> Vec<Entry<'a>> {
    let entries = table.iter().map(|(key, value)| Entry {
        key: key.get_ref(),
        key_at: At::of(key),
        value,
        faults,
    });
    let mut entries: Vec<Entry<'a>> = entries.collect();
    entries.sort_by_key(|entry| entry.key_at.0);
    entries
}

impl<'a> Entry<'a> {
    /// Notes a fault of the value.
    pub(super) fn refuse(&self, message: impl Into<String>) {
        self.faults.note(&self.value.span(), message);
    }

    /// Notes a fault of the value, with what to do.
    pub(super) fn advise(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.advise(&self.value.span(), message, hint);
    }

    /// Notes a fault of the key.
    pub(super) fn refuse_key(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.advise(&self.key_at.range(), message, hint);
    }

    fn wrong_type(&self, wanted: &str) {
        let found = match self.value.get_ref() {
            DeValue::Array(_) => "a list",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Float(_) | DeValue::Integer(_) => "a number",
            DeValue::String(_) => "a text",
            DeValue::Table(_) => "a table",
        };
        self.refuse(format!("`{}` takes {wanted}, not {found}", self.key));
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.refuse(format!("`{}` is empty", self.key));
                None
            }
            DeValue::String(text) => Some(text),
            _ => {
                self.wrong_type("a text in quotes");
                None
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let found = self.value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type("true or false");
        }
        found
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, bounds: Range<i64>) -> Option<i64> {
        let number = self
            .value
            .get_ref()
            .as_integer()
            .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (least, most) = (bounds.start, bounds.end - 1);
                self.refuse(format!(
                    "`{}` takes a whole number from {least} to {most}",
                    self.key
                ));
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let message = format!("`{text}` is no value of `{}`", self.key);
            self.advise(
                message,
                did_you_mean(text, words.iter().map(|(word, _)| *word)),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A length of time, such as `90s`, `10m`, `2h`.
    pub(super) fn duration(&self) -> Option<Duration> {
        let text = self.text()?;
        let duration = parse_duration(text);
        if duration.is_none() {
            self.advise(
                format!("`{text}` is no length of time"),
                "write a number and a unit: 500ms, 90s, 10m, 2h, 1d",
            );
        }
        duration
    }

    /// An address, whole or relative to the base URL.
    pub(super) fn url(&self, base: Option<&Url>) -> Option<Url> {
        let text = self.text()?;
        let parsed = match base {
            Some(base) => base.join(text),
            None => Url::parse(text),
        };
        let url = match parsed {
            Ok(url) => url,
            Err(_) if base.is_none() && !text.contains("://") => {
                let message = format!("`{text}` has no host");
                let hint = "write the whole address, or a `base_url` at the file's top";
                self.advise(message, hint);
                return None;
            }
            Err(fault) => {
                self.refuse(format!("`{text}` is no address: {fault}"));
                return None;
            }
        };
        if !matches!(url.scheme(), "http" | "https") {
            self.refuse(format!("`{text}` starts neither with http:// nor https://"));
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.faults.hide(
                &self.key_at.range(),
                "an address in a site file holds no user name and no password".to_owned(),
                "leave them out; `sessile login` takes them from you".to_owned(),
            );
            return None;
        }
        Some(url)
    }

    /// A text or a list of texts, each turned by `read`, which notes its own faults.
    pub(super) fn one_or_more<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Vec<T> {
        match self.value.get_ref() {
            DeValue::Array(items) => {
                let items = items.iter().map(|value| Entry { value, ..*self });
                items.filter_map(|item| read(&item)).collect()
            }
            _ => read(self).into_iter().collect(),
        }
    }

    pub(super) fn css(&self) -> Option<Css> {
        self.pattern("selector", Css::parse)
    }

    pub(super) fn json_path(&self) -> Option<JsonPath> {
        self.pattern("JSONPath", JsonPath::parse)
    }

    pub(super) fn regex(&self) -> Option<Regex> {
        self.pattern("regular expression", Regex::parse)
    }

    fn pattern<T>(&self, kind: &str, parse: fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text()?;
        match parse(text) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                self.refuse(format!("the {kind} `{text}` can't be used: {why}"));
                None
            }
        }
    }

    /// The name of a header.
    pub(super) fn header_name(&self) -> Option<String> {
        let text = self.text()?;
        let is_good = http::HeaderName::from_bytes(text.as_bytes()).is_ok();
        if !is_good {
            self.refuse(format!("`{text}` can't be the name of a header"));
        }
        is_good.then(|| text.to_owned())
    }

    /// A text with placeholders of these names.
    pub(super) fn template(&self, known: Placeholders<'_>) -> Option<Template> {
        let DeValue::String(text) = self.value.get_ref() else {
            self.wrong_type("a text in quotes");
            return None;
        };
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(fault) => {
                self.refuse(fault.to_string());
                return None;
            }
        };
        for name in template.names() {
            if !known.knows(name) {
                let message = format!("nothing is called {{{name}}} here");
                self.advise(message, did_you_mean(name, known.names()));
            }
        }
        Some(template)
    }

    /// Any value, its texts with placeholders.
    pub(super) fn json(&self, known: Placeholders<'_>) -> Option<JsonTemplate> {
        Some(match self.value.get_ref() {
            DeValue::String(_) => {
                self.refuse_credential();
                JsonTemplate::Text(self.template(known)?)
            }
            DeValue::Array(items) => {
                let items = items.iter().map(|value| Entry { value, ..*self });
                JsonTemplate::Array(items.map(|item| item.json(known)).collect::<Option<_>>()?)
            }
            DeValue::Table(table) => {
                let entries = entries(table, self.faults).into_iter();
                let entries = entries.map(|entry| Some((entry.key.to_owned(), entry.json(known)?)));
                JsonTemplate::Object(entries.collect::<Option<_>>()?)
            }
            DeValue::Boolean(value) => JsonTemplate::Literal((*value).into()),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                JsonTemplate::Literal(number.ok()?.into())
            }
            DeValue::Float(float) => {
                let number: f64 = float.as_str().parse().ok()?;
                JsonTemplate::Literal(serde_json::Number::from_f64(number)?.into())
            }
            DeValue::Datetime(date) => JsonTemplate::Literal(date.to_string().into()),
        })
    }

    /// A table of names and texts with placeholders.
    pub(super) fn templates(&self, known: Placeholders<'_>) -> Vec<(String, Template)> {
        let Some(entries) = self.free_table() else {
            return Vec::new();
        };
        let templates = entries.into_iter().filter_map(|entry| {
            entry.refuse_credential();
            Some((entry.key.to_owned(), entry.template(known)?))
        });
        templates.collect()
    }

    /// A table of headers.
    pub(super) fn headers(&self, known: Placeholders<'_>) -> Vec<(String, Template)> {
        let Some(entries) = self.free_table() else {
            return Vec::new();
        };
        let headers = entries.into_iter().filter_map(|entry| {
            if http::HeaderName::from_bytes(entry.key.as_bytes()).is_err() {
                entry.refuse_key(
                    format!("`{}` can't be the name of a header", entry.key),
                    "a header's name has letters, digits and hyphens",
                );
                return None;
            }
            entry.refuse_credential();
            Some((entry.key.to_owned(), entry.template(known)?))
        });
        headers.collect()
    }

    /// A table whose keys are free, in the order of the file.
    pub(super) fn free_table(&self) -> Option<Vec<Self>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(entries(table, self.faults)),
            _ => {
                self.wrong_type("a table");
                None
            }
        }
    }

    /// A table whose keys are known; unknown ones are noted.
    pub(super) fn table(&self, section: &'static Section) -> Option<Table<'a>> {
        let table = self.open_table(section)?;
        table.refuse_unknown(|_| None);
        Some(table)
    }

    /// The same, but unknown keys are for the caller to note.
    pub(super) fn open_table(&self, section: &'static Section) -> Option<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => Some(Table {
                section,
                entries,
                at: self.key_at,
                faults: self.faults,
            }),
            _ => {
                self.wrong_type("a table");
                None
            }
        }
    }

    /// A list of tables whose keys are known.
    pub(super) fn tables(&self, section: &'static Section) -> Vec<Table<'a>> {
        let DeValue::Array(items) = self.value.get_ref() else {
            self.wrong_type("a list of tables");
            return Vec::new();
        };
        let items = items.iter().map(|value| {
            let item = Entry { value, ..*self };
            let mut table = item.table(section)?;
            table.at = At::of(value);
            Some(table)
        });
        items.flatten().collect()
    }

    /// A text that is a credential by its name, and stands there as it is, is refused.
    pub(super) fn refuse_credential(&self) {
        let DeValue::String(text) = self.value.get_ref() else {
            return;
        };
        if text.is_empty() || text.contains('{') {
            return;
        }
        if let Some(hint) = credential_hint(self.key) {
            let message = format!("`{}` looks like a credential", self.key);
            self.faults.hide(&self.key_at.range(), message, hint);
        }
    }
}

/// What to write in place of a credential, for a key that is called like one.
fn credential_hint(name: &str) -> Option<String> {
    const NAMES: [&str; 16] = [
        "accesskey",
        "accesstoken",
        "apikey",
        "apisecret",
        "apitoken",
        "authorization",
        "clientsecret",
        "cookie",
        "passphrase",
        "passwd",
        "password",
        "pin",
        "pwd",
        "secret",
        "secretkey",
        "xapikey",
    ];
    let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_one = NAMES.contains(&word.to_ascii_lowercase().as_str());
    is_one.then(|| {
        "a site file holds no credentials: write {password} where it goes, and give it to \
         `sessile login`"
            .to_owned()
    })
}

fn parse_duration(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let number: u32 = number.parse().ok()?;
    let one = match unit.trim() {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        "d" => Duration::from_secs(86_400),
        _ => return None,
    };
    one.checked_mul(number)
}
