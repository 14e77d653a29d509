//! A login by the requests of a site file, without sending them: a reply comes in, the next request
//! comes out.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::LoginError;
use super::answer::Answer;
use super::messages;
use crate::redact::ShownUrl;
use crate::secret::Secret;
use crate::session::Request;
use crate::site::{Step, StepsLogin, TokenPlace, Values};

/// A request that is ready to go.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) request: Request,
    pub(super) url: Url,
    /// Whether the password is in it, or a code.
    pub(super) is_secret: bool,
}

/// What a login by requests came to.
#[derive(Debug, Default)]
pub(super) struct Grant {
    pub(super) token: Option<(TokenPlace, Secret<String>)>,
    /// How many seconds the token lives.
    pub(super) expires_in: Option<u64>,
}

/// A login by steps under way.
#[derive(Debug)]
pub(super) struct StepsFlow<'a> {
    login: &'a StepsLogin,
    user: &'a str,
    password: Option<&'a Secret<String>>,
    at: usize,
    here: Option<Url>,
    captured: BTreeMap<String, Secret<String>>,
    /// Whether the password went out: from there on a failure is the site's refusal.
    has_sent: bool,
}

impl<'a> StepsFlow<'a> {
    pub(super) fn new(
        login: &'a StepsLogin,
        user: &'a str,
        password: Option<&'a Secret<String>>,
    ) -> Self {
        Self {
            login,
            user,
            password,
            at: 0,
            here: None,
            captured: BTreeMap::new(),
            has_sent: false,
        }
    }

    /// The step at hand; `None` after the last.
    fn step(&self) -> Option<&'a Step> {
        self.login.steps.get(self.at)
    }

    /// Whether the step at hand asks for a code of the second factor.
    pub(super) fn wants_code(&self) -> bool {
        self.step().is_some_and(|step| step.asks_for("otp"))
    }

    /// The next request; `None` where all steps are done.
    pub(super) fn next(&self, otp: Option<&Secret<String>>) -> Result<Option<Draft>, LoginError> {
        let Some(step) = self.step() else {
            return Ok(None);
        };
        let values = Values {
            user: self.user,
            password: self.password,
            otp,
            captured: &self.captured,
        };
        let url = step.url.fill(&values, self.here.as_ref());
        let url = url.map_err(|what| self.fault(&what))?;
        let request = step.request(&url, self.here.as_ref(), &values);
        let request = request.map_err(|name| self.fault(&format!("there is no {{{name}}}")))?;
        Ok(Some(Draft {
            request,
            url,
            is_secret: step.asks_for("password") || step.asks_for("otp"),
        }))
    }

    /// Takes the reply to the request at hand.
    pub(super) fn take(&mut self, answer: &Answer) -> Result<(), LoginError> {
        let Some(step) = self.step() else {
            return Ok(());
        };
        self.has_sent |= step.asks_for("password");
        let wants_status = !step.expect.status.is_empty();
        if !wants_status {
            answer.refuse_obstacles(&self.secrets())?;
        }
        let found = step.take(&answer.replied());
        let found = found.map_err(|what| self.unmet(answer, &what))?;
        self.captured.extend(found);
        self.here = Some(answer.url.clone());
        self.at += 1;
        Ok(())
    }

    /// What the steps came to.
    pub(super) fn grant(&self) -> Result<Grant, LoginError> {
        let Some(token) = &self.login.token else {
            return Ok(Grant::default());
        };
        let values = Values {
            user: self.user,
            password: self.password,
            otp: None,
            captured: &self.captured,
        };
        let token = token.fill(&values);
        let token = token.map_err(|name| self.fault(&format!("there is no {{{name}}}")))?;
        Ok(Grant {
            token: Some((self.login.into.clone(), token)),
            expires_in: None,
        })
    }

    /// A reply that isn't as it must be: the site's refusal where the password went out.
    fn unmet(&self, answer: &Answer, what: &str) -> LoginError {
        let what = format!("{}: {what}", self.step_name());
        match self.has_sent {
            true => answer.refusal(self.user, &what, &self.secrets()),
            false => LoginError::Step {
                url: messages::blank(&ShownUrl(&answer.url).to_string(), &self.secrets()),
                what,
            },
        }
    }

    fn fault(&self, what: &str) -> LoginError {
        LoginError::Step {
            url: ShownUrl(&self.login.url).to_string(),
            what: format!("{}: {what}", self.step_name()),
        }
    }

    fn step_name(&self) -> String {
        let number = self.at + 1;
        match self.step().and_then(|step| step.name.as_ref()) {
            Some(name) => format!("step {number} ({name})"),
            None => format!("step {number}"),
        }
    }

    /// What must not show.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let captured = self.captured.values();
        let secrets = captured.chain(self.password);
        secrets.map(|secret| secret.expose().as_str()).collect()
    }
}

/// A whole number of seconds, as a number or a text.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            number
                .as_f64()
                .filter(|n| (0.0..1e12).contains(n))
                .map(|n| n as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_) => None,
    }
}
