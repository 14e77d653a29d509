//! `kind = "oauth2"`: tokens of an OAuth 2 provider.

use url::Url;

use super::login::COMMON;
use super::read::{Entry, Table};
use super::schema::{Key, Section};
use crate::login::oauth2::{ClientAuthentication, Grant, OAuth2, Redirect};

pub(super) fn read(table: &Table<'_>, base: Option<&Url>) -> Option<OAuth2> {
    let url = |name| table.get(name).and_then(|entry| entry.url(base));
    let (issuer, token) = (url("issuer"), url("token_url"));
    let (authorization, device) = (url("authorization_url"), url("device_url"));
    let way = table.get("client_auth").and_then(|entry| entry.word(&WAYS));
    let grant = read_grant(table);
    let scopes = table.get("scopes").map(|entry| scopes(&entry));
    let parameters = table.get("parameters").map(|entry| parameters(&entry));
    let client = table.need("client_id").and_then(|entry| entry.text());
    if table.get("issuer").or(table.get("token_url")).is_none() {
        table.refuse(
            "[login] of kind `oauth2` needs `issuer` or `token_url`",
            "for example: issuer = \"https://id.example\"",
        );
    }
    if base.is_none() {
        table.refuse(
            "[login] of kind `oauth2` needs a `base_url` at the file's top",
            "it says which website the token is sent to",
        );
    }
    let mut oauth2 = OAuth2::new(base?.clone(), issuer, client?, grant?);
    oauth2.token = token;
    oauth2.authorization = authorization;
    oauth2.device = device;
    oauth2.client_authentication = way;
    oauth2.scopes = scopes.unwrap_or_default();
    oauth2.parameters = parameters.unwrap_or_default();
    Some(oauth2)
}

fn read_grant(table: &Table<'_>) -> Option<Grant> {
    let way = match table.get("grant") {
        None => Way::Code,
        Some(entry) => entry.word(&GRANTS)?,
    };
    let redirect = table.get("redirect");
    if let (Way::ClientCredentials | Way::Device, Some(entry)) = (way, &redirect) {
        entry.refuse_key("`redirect` is for `grant = \"code\"`", "leave it out");
    }
    Some(match way {
        Way::ClientCredentials => Grant::ClientCredentials,
        Way::Code => Grant::Code(match redirect {
            None => Redirect::default(),
            Some(entry) => read_redirect(&entry)?,
        }),
        Way::Device => Grant::Device,
    })
}

fn read_redirect(entry: &Entry<'_>) -> Option<Redirect> {
    let text = entry.text()?;
    match text.parse() {
        Ok(redirect) => Some(redirect),
        Err(why) => {
            entry.refuse(format!("`{text}` can't be led back to: {why}"));
            None
        }
    }
}

/// A list, or one text with blanks in between, as providers write it.
fn scopes(entry: &Entry<'_>) -> Vec<String> {
    let texts = entry.one_or_more(|item| item.text());
    let words = texts.iter().flat_map(|text| text.split_ascii_whitespace());
    words.map(str::to_owned).collect()
}

fn parameters(entry: &Entry<'_>) -> Vec<(String, String)> {
    let entries = entry.free_table().unwrap_or_default().into_iter();
    let parameters = entries.filter_map(|entry| {
        entry.refuse_credential();
        Some((entry.key.to_owned(), entry.text()?.to_owned()))
    });
    parameters.collect()
}

#[derive(Clone, Copy)]
enum Way {
    ClientCredentials,
    Code,
    Device,
}

const GRANTS: [(&str, Way); 3] = [
    ("code", Way::Code),
    ("device", Way::Device),
    ("client_credentials", Way::ClientCredentials),
];

const WAYS: [(&str, ClientAuthentication); 3] = [
    ("basic", ClientAuthentication::Basic),
    ("post", ClientAuthentication::Post),
    ("none", ClientAuthentication::None),
];

pub(super) static SECTION: Section = Section {
    title: "[login] of kind `oauth2`",
    about: "Tokens of an OAuth 2 provider. `sessile login` asks for the client's secret in the \
            place of a password, where it has one.",
    keys: &[
        COMMON,
        &[
            Key {
                name: "issuer",
                takes: "address",
                default: "none: the endpoints are named",
                about: "The provider's own address, which tells where its endpoints are.",
                example: "issuer = \"https://id.example\"",
            },
            Key {
                name: "client_id",
                takes: "text",
                default: "required",
                about: "The name under which the provider knows the client.",
                example: "client_id = \"sessile\"",
            },
            Key {
                name: "grant",
                takes: "`code`, `device`, `client_credentials`",
                default: "`code`",
                about: "How a first token is had: by a browser on this machine, by a browser \
                        anywhere, or by the client's own secret.",
                example: "grant = \"device\"",
            },
            Key {
                name: "scopes",
                takes: "text or list of texts",
                default: "none",
                about: "What the token is to be good for.",
                example: "scopes = [\"openid\", \"offline_access\"]",
            },
            Key {
                name: "client_auth",
                takes: "`basic`, `post`, `none`",
                default: "a secret for `client_credentials`, else none; shown as the provider wants",
                about: "How the client proves who it is.",
                example: "client_auth = \"post\"",
            },
            Key {
                name: "redirect",
                takes: "address on this machine",
                default: "`http://127.0.0.1/callback` with a free port",
                about: "Where the browser is led back to, as the provider knows it.",
                example: "redirect = \"http://localhost:8912/callback\"",
            },
            Key {
                name: "parameters",
                takes: "table of texts",
                default: "none",
                about: "What else the provider wants to be told when a first token is asked for.",
                example: "parameters = { audience = \"https://api.example\" }",
            },
            Key {
                name: "token_url",
                takes: "address",
                default: "as the issuer says",
                about: "Where tokens are given out.",
                example: "token_url = \"https://id.example/token\"",
            },
            Key {
                name: "authorization_url",
                takes: "address",
                default: "as the issuer says",
                about: "The page where a person says yes, for `code`.",
                example: "authorization_url = \"https://id.example/authorize\"",
            },
            Key {
                name: "device_url",
                takes: "address",
                default: "as the issuer says",
                about: "Where a device asks for its code, for `device`.",
                example: "device_url = \"https://id.example/device/code\"",
            },
        ],
    ],
};
