//! Forms as data: controls, buttons, and what a browser would send of them.
//!
//! Which form is a login is decided in `find`; what to write into it in `fill`.

use std::fmt;

use url::Url;

/// A form of a page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Form {
    /// Where it is sent; `None` where the page names no http address.
    pub action: Option<Url>,
    /// The encoding its texts are sent in, by its standard name.
    pub charset: &'static str,
    /// The `class` attribute.
    pub classes: String,
    /// How the body is written.
    pub encoding: FormEncoding,
    /// The controls in page order, disabled ones left out.
    pub fields: Vec<Field>,
    /// Whether a puzzle against robots stands in the form.
    pub has_captcha: bool,
    /// The heading or legend over the form.
    pub heading: Option<String>,
    /// The `id` attribute.
    pub id: Option<String>,
    /// Whether the page hides the form at first.
    pub is_concealed: bool,
    /// The HTTP method.
    pub method: FormMethod,
    /// The `name` attribute.
    pub name: Option<String>,
    /// The `role` attribute.
    pub role: Option<String>,
    /// Why only a script could send this form, where the markup says so.
    pub script: Option<ScriptUse>,
    /// The buttons that send it, in page order.
    pub submits: Vec<Submit>,
}

impl Form {
    /// What a person would call this form: its id, name, or address.
    pub fn label(&self) -> String {
        if let Some(name) = self.id.as_ref().or(self.name.as_ref()) {
            return format!("`{name}`");
        }
        match &self.action {
            Some(action) => format!("to {}", action.path()),
            None => "without an address".to_owned(),
        }
    }

    /// What the form sends untouched, in order, without any button.
    pub fn entries(&self) -> Vec<(usize, String, String)> {
        let mut entries = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            if field.name.is_empty() {
                continue;
            }
            for value in field.sent_values(self.charset) {
                entries.push((at, field.name.clone(), value));
            }
        }
        entries
    }
}

/// How a form goes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FormMethod {
    /// The entries in the URL.
    Get,
    /// The entries in the body.
    Post,
}

/// How a form's body is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FormEncoding {
    /// `multipart/form-data`
    Multipart,
    /// `text/plain`
    TextPlain,
    /// `application/x-www-form-urlencoded`
    Urlencoded,
}

/// A sign that a script, not the browser, sends a form.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ScriptUse {
    /// The named attribute hands the form to a script.
    Handler(String),
    /// The password has no `name`: a browser would not send it.
    NamelessPassword,
    /// No address and no method: sent as it is, the password would land in the URL.
    NoAddress,
    /// The form's address is a `javascript:` one, or not http.
    ScriptAddress,
}

impl fmt::Display for ScriptUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(name) => write!(f, "its `{name}` hands it to a script"),
            Self::NamelessPassword => f.write_str("its password field has no name"),
            Self::NoAddress => f.write_str("it has neither an address nor a method"),
            Self::ScriptAddress => f.write_str("its address is a script"),
        }
    }
}

/// A control of a form.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// The `autocomplete` attribute, lower case.
    pub autocomplete: String,
    /// The `id` attribute.
    pub id: String,
    /// Whether the page hides the control, as it does with traps for robots.
    pub is_concealed: bool,
    /// Whether the value may not be changed by a person.
    pub is_read_only: bool,
    /// Whether it must be filled.
    pub is_required: bool,
    /// What kind of control it is.
    pub kind: FieldKind,
    /// The words beside it: label, placeholder, title.
    pub label: String,
    /// The longest value it takes.
    pub max_length: Option<usize>,
    /// The name it is sent under; may be empty.
    pub name: String,
    /// The value it has from the page.
    pub value: String,
}

impl Field {
    /// Whether a person types into it.
    pub fn is_typed(&self) -> bool {
        match self.kind {
            FieldKind::Email
            | FieldKind::Number
            | FieldKind::Password
            | FieldKind::Tel
            | FieldKind::Text => true,
            FieldKind::CheckBox { .. }
            | FieldKind::File
            | FieldKind::Hidden
            | FieldKind::Other
            | FieldKind::Radio { .. }
            | FieldKind::Search
            | FieldKind::Select { .. }
            | FieldKind::Textarea => false,
        }
    }

    /// Name, id and autocomplete in one lower-case text, for looking up words.
    pub(crate) fn names(&self) -> String {
        format!("{} {} {}", self.name, self.id, self.autocomplete).to_lowercase()
    }

    fn sent_values(&self, charset: &str) -> Vec<String> {
        match &self.kind {
            FieldKind::CheckBox { checked } | FieldKind::Radio { checked } => {
                let value = checked.then(|| self.value.clone());
                value.into_iter().collect()
            }
            FieldKind::Select { chosen, .. } => chosen.clone(),
            FieldKind::Hidden if self.name.eq_ignore_ascii_case("_charset_") => {
                vec![charset.to_owned()]
            }
            FieldKind::Email
            | FieldKind::File
            | FieldKind::Hidden
            | FieldKind::Number
            | FieldKind::Other
            | FieldKind::Password
            | FieldKind::Search
            | FieldKind::Tel
            | FieldKind::Text
            | FieldKind::Textarea => vec![self.value.clone()],
        }
    }
}

/// Shows no value: hidden fields carry tokens, and pages prefill passwords.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// The kinds of control that a login cares about.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum FieldKind {
    /// A box that is ticked or not.
    CheckBox {
        /// Whether the page has it ticked.
        checked: bool,
    },
    /// An address line.
    Email,
    /// A file to choose.
    File,
    /// Carried along unseen.
    Hidden,
    /// A number line.
    Number,
    /// Any other input: dates, colours, ranges.
    Other,
    /// A hidden line for a secret.
    Password,
    /// One of several choices.
    Radio {
        /// Whether it is the chosen one.
        checked: bool,
    },
    /// A search line.
    Search,
    /// A list to choose from.
    Select {
        /// The values chosen from the start.
        chosen: Vec<String>,
        /// All values that can be chosen.
        offered: Vec<String>,
    },
    /// A telephone line.
    Tel,
    /// A text line.
    Text,
    /// Several lines of text.
    Textarea,
}

impl fmt::Debug for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckBox { .. } => "CheckBox",
            Self::Email => "Email",
            Self::File => "File",
            Self::Hidden => "Hidden",
            Self::Number => "Number",
            Self::Other => "Other",
            Self::Password => "Password",
            Self::Radio { .. } => "Radio",
            Self::Search => "Search",
            Self::Select { .. } => "Select",
            Self::Tel => "Tel",
            Self::Text => "Text",
            Self::Textarea => "Textarea",
        })
    }
}

/// A button that sends its form.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Submit {
    /// Where this button sends the form instead.
    pub action: Option<Url>,
    /// How the body is written for this button.
    pub encoding: Option<FormEncoding>,
    /// Whether it is a picture, which sends coordinates.
    pub is_image: bool,
    /// The words on it.
    pub label: String,
    /// The method for this button.
    pub method: Option<FormMethod>,
    /// The name it is sent under; may be empty.
    pub name: String,
    /// The value it is sent with.
    pub value: String,
}

impl Submit {
    /// What the form sends when it is sent by this button.
    pub fn entries(&self) -> Vec<(String, String)> {
        match (self.is_image, self.name.is_empty()) {
            (false, true) => Vec::new(),
            (false, false) => vec![(self.name.clone(), self.value.clone())],
            (true, true) => vec![
                ("x".to_owned(), "1".to_owned()),
                ("y".to_owned(), "1".to_owned()),
            ],
            (true, false) => vec![
                (format!("{}.x", self.name), "1".to_owned()),
                (format!("{}.y", self.name), "1".to_owned()),
            ],
        }
    }
}
