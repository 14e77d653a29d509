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

#[cfg(test)]
mod tests {
    use crate::login::oauth2::{ClientAuthentication, Grant};
    use crate::site::{Site, SiteLogin};

    #[test]
    fn all_keys_are_read() {
        let text = r#"
            base_url = "https://api.test/v2/"
            [login]
            kind = "oauth2"
            issuer = "https://id.test/realms/a"
            client_id = "robot"
            client_auth = "post"
            scopes = "read write"
            redirect = "http://localhost:8912/back"
            parameters = { audience = "api" }
            token_url = "https://id.test/token"
            authorization_url = "https://id.test/auth"
            device_url = "https://id.test/device"
        "#;
        let site = Site::parse(text, "api.toml").unwrap();
        let SiteLogin::OAuth2(oauth2) = site.login else {
            panic!("another kind");
        };
        let url = |url: &Option<url::Url>| url.as_ref().map(url::Url::to_string);
        assert_eq!(oauth2.site.as_str(), "https://api.test/v2/");
        assert_eq!(url(&oauth2.issuer).unwrap(), "https://id.test/realms/a");
        assert_eq!(url(&oauth2.token).unwrap(), "https://id.test/token");
        assert_eq!(url(&oauth2.authorization).unwrap(), "https://id.test/auth");
        assert_eq!(url(&oauth2.device).unwrap(), "https://id.test/device");
        assert_eq!(oauth2.client_id, "robot");
        assert_eq!(
            oauth2.client_authentication,
            Some(ClientAuthentication::Post)
        );
        assert_eq!(oauth2.scopes, ["read", "write"]);
        assert_eq!(
            oauth2.parameters,
            [("audience".to_owned(), "api".to_owned())]
        );
        let redirect = "http://localhost:8912/back".parse().unwrap();
        assert_eq!(oauth2.grant, Grant::Code(redirect));
    }

    #[test]
    fn what_is_wrong_is_told() {
        check("client_id = \"a\"", "needs `issuer` or `token_url`");
        check("issuer = \"https://id.test\"", "needs `client_id`");
        check(
            "client_id = \"a\"\nclient_secret = \"s\"",
            "holds no credentials",
        );
        check("grant = \"password\"", "`password` is no value of `grant`");
        check(
            "redirect = \"https://a.test/\"",
            "has to come back to this machine",
        );
        check(
            "grant = \"device\"\nredirect = \"http://localhost/\"",
            "leave it out",
        );
        check(
            "parameters = { client_secret = \"s\" }",
            "looks like a credential",
        );
    }

    #[track_caller]
    fn check(lines: &str, expected: &str) {
        let text = format!("base_url = \"https://a.test/\"\n[login]\nkind = \"oauth2\"\n{lines}");
        let told = Site::parse(&text, "a.toml").unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn the_website_has_to_be_named() {
        let text = "[login]\nkind = \"oauth2\"\nissuer = \"https://a.test\"\nclient_id = \"a\"";
        let told = Site::parse(text, "a.toml").unwrap_err().to_string();
        assert!(told.contains("needs a `base_url`"), "{told}");
    }
}
