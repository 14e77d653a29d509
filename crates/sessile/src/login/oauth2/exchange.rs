//! Requests at a provider's endpoints, by the session's transport, and what the answers mean.
//!
//! The `oauth2` crate writes the requests and reads good answers. What isn't one is understood here,
//! since providers differ: an error under status 200, a lifetime as text, a web page.

use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode, header};
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RefreshToken, Scope, TokenResponse as _, TokenUrl,
};
use serde_json::{Map, Value};
use url::Url;

use super::discovery::Provider;
use super::{ClientAuthentication, Granted, OAuth2, OAuthError};
use crate::error::Error as RequestError;
use crate::record::Tokens;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::verdict::retry_after;
use crate::session::{Redirects, Request, Session};

/// How much of a provider's words is repeated.
const WORDS: usize = 500;

/// A client of one provider.
pub(super) struct Exchange<'a> {
    pub(super) provider: &'a Provider,
    pub(super) client: Client,
    session: Session,
    /// What was wrong with the last answer.
    problem: Mutex<Option<OAuthError>>,
}

/// The crate's client, which knows the token endpoint.
pub(super) type Client =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// What an endpoint is to answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    DeviceCode,
    Token,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        oauth2: &OAuth2,
        provider: &'a Provider,
        session: &Session,
        secret: Option<&Secret<String>>,
    ) -> Self {
        let auth = match provider.client_authentication {
            Some(ClientAuthentication::Post) => AuthType::RequestBody,
            Some(ClientAuthentication::Basic | ClientAuthentication::None) | None => {
                AuthType::BasicAuth
            }
        };
        let has_secret = provider.client_authentication != Some(ClientAuthentication::None);
        let mut client = BasicClient::new(ClientId::new(oauth2.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(provider.token.clone()))
            .set_auth_type(auth);
        // Without one, the client's name goes into the body.
        if let Some(secret) = secret.filter(|_| has_secret) {
            client = client.set_client_secret(ClientSecret::new(secret.expose().clone()));
        }
        Self {
            provider,
            client,
            session: session.apart(),
            problem: Mutex::default(),
        }
    }

    /// A token for the client itself.
    pub(super) async fn client_credentials(&self, oauth2: &OAuth2) -> Result<Granted, OAuthError> {
        let mut request = self
            .client
            .exchange_client_credentials()
            .add_scopes(scopes(oauth2));
        for (name, value) in &oauth2.parameters {
            request = request.add_extra_param(name, value);
        }
        let obtained = self.session.now();
        let http = self.at(Expect::Token);
        let answer = request.request_async(&http).boxed().await;
        self.granted(answer, obtained)
    }

    /// A new access token for a refresh token; where the provider gives no other refresh token,
    /// the old one stays good.
    pub(super) async fn refresh(&self, tokens: &Tokens) -> Result<Granted, OAuthError> {
        let Some(refresh) = &tokens.refresh else {
            let what = "the provider gave no refresh token".to_owned();
            return Err(OAuthError::NoEndpoint { what });
        };
        let refresh_token = RefreshToken::new(refresh.expose().clone());
        let obtained = self.session.now();
        let http = self.at(Expect::Token);
        let answer = self
            .client
            .exchange_refresh_token(&refresh_token)
            .request_async(&http)
            .boxed()
            .await;
        let mut granted = self.granted(answer, obtained)?;
        let kept = &mut granted.tokens;
        kept.refresh = kept.refresh.take().or_else(|| Some(refresh.clone()));
        kept.revision = tokens.revision + 1;
        Ok(granted)
    }

    /// What came of asking for a token.
    pub(super) fn granted<E>(
        &self,
        answer: Result<BasicTokenResponse, E>,
        obtained: sessile_jar::Timestamp,
    ) -> Result<Granted, OAuthError> {
        let answer = answer.map_err(|_unusable| self.take_problem(&self.provider.token))?;
        let refresh = answer.refresh_token();
        let mut tokens = Tokens::for_time(obtained, answer.expires_in());
        tokens.refresh = refresh.map(|token| Secret::from(token.secret().clone()));
        tokens.endpoint = Some(self.provider.token.clone());
        tokens.client_authentication = self.provider.client_authentication;
        Ok(Granted {
            access: Secret::from(answer.access_token().secret().clone()),
            tokens,
        })
    }

    pub(super) fn now(&self) -> sessile_jar::Timestamp {
        self.session.now()
    }

    /// The endpoint that is to answer this, for the crate.
    pub(super) fn at(&self, expect: Expect) -> Endpoint<'_> {
        Endpoint {
            exchange: self,
            expect,
        }
    }

    /// One request. An answer that is of no use becomes one that the crate takes for a refusal;
    /// what is wrong with it is kept for [`Exchange::take_problem`].
    async fn send(
        &self,
        expect: Expect,
        request: HttpRequest,
    ) -> Result<HttpResponse, RequestError> {
        match self.fetch(expect, request).await {
            Ok(response) => Ok(response),
            Err(OAuthError::Request(error)) => {
                self.keep_problem(OAuthError::Request(error.clone()));
                Err(error)
            }
            Err(problem) => {
                let refusal = response(StatusCode::BAD_REQUEST, refusal_of(&problem));
                self.keep_problem(problem);
                Ok(refusal)
            }
        }
    }

    /// What was wrong with the last answer.
    pub(super) fn take_problem(&self, url: &Url) -> OAuthError {
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.take().unwrap_or_else(|| OAuthError::NotUnderstood {
            url: ShownUrl(url).to_string(),
            what: "a field of its JSON has another type than the standard says".to_owned(),
        })
    }

    fn keep_problem(&self, problem: OAuthError) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }

    async fn fetch(&self, expect: Expect, asked: HttpRequest) -> Result<HttpResponse, OAuthError> {
        let (parts, body) = asked.into_parts();
        let mut request = Request::new(parts.method, parts.uri.to_string())
            .redirects(Redirects::Stay)
            .keep_body_home()
            .without_robots()
            .body(body);
        for (name, value) in &parts.headers {
            request = request.header(name.as_str(), value.to_str().unwrap_or_default());
        }
        let reply = self.session.send(request).await?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let url = reply.url().clone();
        let answer = Answer {
            url: &url,
            status,
            headers: &headers,
            now_unix: self.session.now().as_seconds(),
        };
        answer.read(expect, &reply.bytes().await?)
    }
}

/// One endpoint of the provider.
pub(super) struct Endpoint<'a> {
    exchange: &'a Exchange<'a>,
    expect: Expect,
}

impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = RequestError;
    type Future = BoxFuture<'c, Result<HttpResponse, RequestError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange.send(self.expect, request))
    }
}

/// The head of an endpoint's answer.
struct Answer<'a> {
    url: &'a Url,
    status: StatusCode,
    headers: &'a HeaderMap,
    now_unix: i64,
}

impl Answer<'_> {
    /// The answer as the standard would have it, or what is wrong with it.
    fn read(&self, expect: Expect, body: &[u8]) -> Result<HttpResponse, OAuthError> {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else {
            return Err(self.not_json());
        };
        if let Some(Value::String(error)) = fields.get("error") {
            let description = fields.get("error_description").and_then(Value::as_str);
            return Err(OAuthError::Refused {
                url: self.shown(),
                error: shortened(error),
                description: description.map(shortened),
            });
        }
        if self.status != StatusCode::OK {
            return Err(self.unexplained());
        }
        self.must_have(expect, &fields)?;
        put_right(&mut fields);
        let body = serde_json::to_vec(&fields).expect("JSON that was just read");
        Ok(response(StatusCode::OK, body))
    }

    fn must_have(&self, expect: Expect, fields: &Map<String, Value>) -> Result<(), OAuthError> {
        let is_there = |name: &str| {
            let value = fields.get(name).and_then(Value::as_str);
            value.is_some_and(|text| !text.is_empty())
        };
        let wanted: &[&str] = match expect {
            Expect::DeviceCode => &["device_code", "user_code"],
            Expect::Token => &["access_token"],
        };
        if let Some(missing) = wanted.iter().find(|name| !is_there(name)) {
            return Err(self.not_understood(format!("there is no `{missing}` in it")));
        }
        match fields.get("token_type").and_then(Value::as_str) {
            Some(kind) if !kind.eq_ignore_ascii_case("bearer") => {
                let kind = shortened(kind);
                Err(self.not_understood(format!(
                    "the token is of the type `{kind}`, and only `Bearer` is known here"
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn not_json(&self) -> OAuthError {
        if self.status.is_redirection() {
            return self.not_understood(format!(
                "it redirects ({}), so this is another kind of page",
                self.status
            ));
        }
        if !self.status.is_success() {
            return self.unexplained();
        }
        let kind = self.headers.get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("nothing");
        self.not_understood(format!(
            "it answers with {}, not with JSON",
            shortened(kind)
        ))
    }

    /// A status that says no, with no word of why.
    fn unexplained(&self) -> OAuthError {
        let (url, status) = (self.shown(), self.status.as_u16());
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => OAuthError::RateLimited {
                url,
                wait: retry_after(self.headers, self.now_unix).map(|wait| wait.as_secs()),
            },
            status_code if status_code.is_server_error() => OAuthError::Failing { url, status },
            _ => self.not_understood(format!("it answers {} without saying why", self.status)),
        }
    }

    fn not_understood(&self, what: String) -> OAuthError {
        let url = self.shown();
        OAuthError::NotUnderstood { url, what }
    }

    fn shown(&self) -> String {
        ShownUrl(self.url).to_string()
    }
}

/// What a token is to be good for, as the crate has it.
pub(super) fn scopes(oauth2: &OAuth2) -> impl Iterator<Item = Scope> {
    oauth2.scopes.iter().cloned().map(Scope::new)
}

/// Where providers differ from the standard: numbers as text, a type that goes without saying.
fn put_right(fields: &mut Map<String, Value>) {
    for name in ["expires_in", "interval"] {
        let number = fields.get(name).and_then(|value| match value {
            Value::String(text) => text.trim().parse().ok(),
            // Some write 3600.0.
            Value::Number(number) => number.as_f64().filter(|number| *number >= 0.0),
            _ => None,
        });
        match number {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, and a lifetime without its fraction is what is meant"
            )]
            Some(number) => fields.insert(name.to_owned(), Value::from(number as u64)),
            None => fields.remove(name),
        };
    }
    fields
        .entry("token_type")
        .or_insert_with(|| Value::from("bearer"));
    // A scope is said for people to read; in whatever shape, it changes nothing.
    fields.remove("scope");
}

/// What the crate is told in place of an answer that is of no use.
fn refusal_of(problem: &OAuthError) -> Vec<u8> {
    let error = match problem {
        OAuthError::Refused { error, .. } => error.as_str(),
        _ => "unusable",
    };
    let refusal = serde_json::json!({ "error": error });
    refusal.to_string().into_bytes()
}

fn response(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response
}

/// Words of a stranger, on one line and not too many.
fn shortened(words: &str) -> String {
    let clean = words
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    clean.take(WORDS).collect()
}
