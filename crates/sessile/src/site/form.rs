//! `kind = "form"`: a form on a page.

use url::Url;

use super::login::COMMON;
use super::read::{CREDENTIALS, Table};
use super::schema::{Key, Section};
use super::template::Template;

/// A login by form.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FormLogin {
    /// The page with the form, or one that leads to it.
    pub url: Url,
    /// The form's id, name or address.
    pub form: Option<String>,
    /// The names of the fields, where they aren't found by themselves.
    pub fields: FieldNames,
    /// What else is filled in, by the field's name.
    pub inputs: Vec<(String, Template)>,
    /// Whether a box is ticked by which the site asks for no code on this device again.
    pub trusts_device: bool,
}

/// The names of a form's fields.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FieldNames {
    /// For the user name.
    pub user: Option<String>,
    /// For the password.
    pub password: Option<String>,
    /// For the code of a second factor.
    pub otp: Option<String>,
}

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<FormLogin> {
    let form = table.get("form").and_then(|entry| entry.text());
    let fields = table.get("fields").and_then(|entry| entry.table(&FIELDS));
    let inputs = table.get("inputs");
    let inputs = inputs.map(|entry| entry.templates(CREDENTIALS));
    let trusts_device = table.get("trust_device").and_then(|entry| entry.boolean());
    let url = table.need("url")?.url(base)?;
    Some(FormLogin {
        url,
        form: form.map(str::to_owned),
        fields: fields.map(|table| names(&table)).unwrap_or_default(),
        inputs: inputs.unwrap_or_default(),
        trusts_device: trusts_device.unwrap_or_default(),
    })
}

fn names(table: &Table<'_>) -> FieldNames {
    let name = |key: &str| Some(table.get(key)?.text()?.to_owned());
    FieldNames {
        user: name("user"),
        password: name("password"),
        otp: name("otp"),
    }
}

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `form`",
    about: "A form on a page. It is found by itself, with its hidden fields and its token against \
            forged requests; the other keys are for pages where that isn't enough.",
    keys: &[
        COMMON,
        &[
            Key {
                name: "url",
                takes: "address",
                default: "required",
                about: "The page with the form, or one that leads to it.",
                example: "url = \"/login\"",
            },
            Key {
                name: "form",
                takes: "text",
                default: "the one that looks like a login",
                about: "The form's id, name or address, where the page has several.",
                example: "form = \"signin\"",
            },
            Key {
                name: "fields",
                takes: "table",
                default: "found by themselves",
                about: "The names of the fields, where they are unusual.",
                example: "fields = { user = \"member_no\", password = \"word\" }",
            },
            Key {
                name: "inputs",
                takes: "table of texts",
                default: "what the page has",
                about: "What else is filled in or chosen, by the field's name.",
                example: "inputs = { tenant = \"north\", remember = \"1\" }",
            },
            Key {
                name: "trust_device",
                takes: "true or false",
                default: "`false`",
                about: "Whether the box is ticked by which the site asks for no code on this device \
                        again.",
                example: "trust_device = true",
            },
        ],
    ],
};

pub(super) static FIELDS: Section = Section {
    title: "[login.fields]",
    about: "The names of a form's fields.",
    keys: &[&[
        Key {
            name: "user",
            takes: "text",
            default: "found by itself",
            about: "The field for the user name.",
            example: "user = \"member_no\"",
        },
        Key {
            name: "password",
            takes: "text",
            default: "found by itself",
            about: "The field for the password.",
            example: "password = \"word\"",
        },
        Key {
            name: "otp",
            takes: "text",
            default: "found by itself",
            about: "The field for the code of a second factor.",
            example: "otp = \"code\"",
        },
    ]],
};
