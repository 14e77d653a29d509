//! `sessile status`: everything that is kept of one session, its secrets masked.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sessile::record::{Record, Tokens};
use sessile::renew::{self, HostLimits};
use sessile::transport::Proxy;
use sessile::{Authorization, ShownUrl};
use sessile_jar::Timestamp;

use super::failure::Purpose;
use super::show;
use super::tokens;
use super::work::{self, Work};
use crate::args::StatusArgs;
use crate::exit::{Exit, Outcome};
use crate::printer::{Printer, plain};

/// Shows the session; nothing is sent.
pub(super) async fn run(args: StatusArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let vault = work.present_vault(Purpose::Manage).await?;
    let kept = work::look_at(&vault, &name).await?;
    let (record, now) = (kept.record(), work.now());
    let limits = match record.state.base_url() {
        Some(url) => renew::limits_at(&vault, url, now).await?,
        None => HostLimits::default(),
    };
    let status = Status {
        limits,
        name: name.as_str(),
        record: &record,
        place: vault.place(),
        show: args.show_secrets,
        now,
    };
    match work.json() {
        true => work.printer.document(&status.document())?,
        false => status.tell(work.printer)?,
    }
    if status.is_old() {
        work.printer.warn(&format!(
            "the last login is more than 24 h old; `sessile check {name}` asks the site"
        ));
    }
    Ok(Exit::Done)
}

struct Status<'a> {
    limits: HostLimits,
    name: &'a str,
    record: &'a Record,
    place: &'a str,
    show: bool,
    now: Timestamp,
}

impl Status<'_> {
    /// Whether it is older than a day, by its last login or, without one, its making.
    fn is_old(&self) -> bool {
        let since = self.record.last.login.unwrap_or(self.record.created);
        show::between(since, self.now) > show::OLD
    }

    fn tell(&self, printer: &mut Printer) -> Outcome<()> {
        let lines = [self.identity(), self.times(), self.secrets()].concat();
        for (label, value) in lines {
            printer.line(&format!("{label:<14}{}", plain(&value)))?;
        }
        let jar = self.record.state.jar();
        let rows: Vec<_> = jar
            .iter()
            .map(|cookie| show::cookie_row(cookie, self.show))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        printer.line("")?;
        printer.table(show::COOKIE_COLUMNS, &rows)
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let state = &self.record.state;
        let none = || "none".to_owned();
        let login = self.record.login.as_ref();
        vec![
            ("session", self.name.to_owned()),
            ("id", self.record.id.clone()),
            ("store", self.place.to_owned()),
            (
                "user",
                login.map_or_else(none, |login| login.credentials.user.clone()),
            ),
            (
                "login page",
                login.map_or_else(none, |login| ShownUrl(login.how.start()).to_string()),
            ),
            (
                "base URL",
                state
                    .base_url()
                    .map_or_else(none, |url| ShownUrl(url).to_string()),
            ),
            ("profile", state.profile().to_string()),
            ("proxy", state.proxy().map_or_else(none, Proxy::to_string)),
            (
                "token file",
                self.record
                    .token_file
                    .as_ref()
                    .map_or_else(none, tokens::shown),
            ),
            ("generation", state.generation().to_string()),
            ("requests", state.counts().requests.to_string()),
            ("replies", state.counts().replies.to_string()),
            ("host's turn", self.turn()),
        ]
    }

    /// What --rate, --concurrency and Retry-After make the next request wait for.
    fn turn(&self) -> String {
        let HostLimits {
            pause,
            wait,
            running,
            ..
        } = self.limits;
        let seconds = |time: Duration| time.as_millis().div_ceil(1000);
        let mut parts = Vec::new();
        if !pause.is_zero() {
            parts.push(format!(
                "it wants to be left alone for {} s",
                seconds(pause)
            ));
        } else if !wait.is_zero() {
            parts.push(format!("in {} s", seconds(wait)));
        }
        if running > 0 {
            parts.push(format!("{running} running"));
        }
        match parts.is_empty() {
            true => "at once".to_owned(),
            false => parts.join(", "),
        }
    }

    fn times(&self) -> Vec<(&'static str, String)> {
        let last = &self.record.last;
        let never = || "never".to_owned();
        let check = last.check.as_ref();
        let mut lines = vec![
            ("made", show::ago(self.record.created, self.now)),
            (
                "last login",
                last.login.map_or_else(never, |at| show::ago(at, self.now)),
            ),
            (
                "last check",
                check.map_or_else(never, |(at, found)| {
                    format!("{}: {found}", show::ago(*at, self.now))
                }),
            ),
        ];
        if let Some(refusal) = &last.refusal {
            let at = show::ago(refusal.at, self.now);
            lines.push(("refused", format!("{at}: {}", refusal.message)));
        }
        if let Some((at, cookie)) = self.first_expiry() {
            lines.push((
                "next expiry",
                format!("cookie {cookie} at {}", show::time(at)),
            ));
        }
        lines
    }

    /// The cookie that ends first: a hint of when the login may.
    fn first_expiry(&self) -> Option<(Timestamp, String)> {
        let jar = self.record.state.jar();
        let ends = jar
            .iter()
            .filter_map(|cookie| Some((cookie.expires()?, cookie)));
        let (at, cookie) = ends.min_by_key(|(at, _)| *at)?;
        Some((at, cookie.name_lossy().into_owned()))
    }

    fn secrets(&self) -> Vec<(&'static str, String)> {
        let state = &self.record.state;
        let authorization = match state.authorization() {
            None => "none".to_owned(),
            Some(authorization) => self.authorization(authorization),
        };
        let mut lines = vec![
            ("password", self.password()),
            ("second factor", self.second_factor().to_owned()),
            ("authorization", authorization),
        ];
        if let Some(tokens) = &self.record.tokens {
            lines.push(("access token", self.token(tokens)));
        }
        for (name, value) in state.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            lines.push((
                "header",
                format!("{name}: {}", show::secret(&value, self.show)),
            ));
        }
        lines.push(("cookies", state.jar().len().to_string()));
        lines
    }

    fn second_factor(&self) -> &'static str {
        let login = self.record.login.as_ref();
        match login.and_then(|login| login.credentials.otp.as_ref()) {
            None => "no secret remembered",
            Some(_) => "secret remembered, sealed",
        }
    }

    fn password(&self) -> String {
        let login = self.record.login.as_ref();
        match login.and_then(|login| login.credentials.password.as_ref()) {
            None => "not remembered".to_owned(),
            Some(password) if self.show => format!("remembered, sealed: {}", password.expose()),
            Some(_) => "remembered, sealed".to_owned(),
        }
    }

    fn token(&self, tokens: &Tokens) -> String {
        let ends = match tokens.expires {
            None => "no end is known".to_owned(),
            Some(at) if tokens.is_over(self.now) => format!("ended at {}", show::time(at)),
            Some(at) => format!("ends at {}", show::time(at)),
        };
        match &tokens.refresh {
            None => format!("{ends}; no refresh token"),
            Some(token) => {
                let shown = show::secret(token.expose(), self.show);
                format!("{ends}; refresh token {shown}")
            }
        }
    }

    fn authorization(&self, authorization: &Authorization) -> String {
        let kind = authorization.kind();
        match authorization {
            Authorization::Basic { user, password } | Authorization::Digest { user, password } => {
                format!(
                    "{kind}, {user}: {}",
                    show::secret(password.expose(), self.show)
                )
            }
            Authorization::Bearer(secret) | Authorization::Header(secret) => {
                format!("{kind}: {}", show::secret(secret.expose(), self.show))
            }
            _ => kind.to_owned(),
        }
    }

    fn document(&self) -> Value {
        let (record, state, last) = (self.record, &self.record.state, &self.record.last);
        let login = record.login.as_ref();
        let jar = state.jar();
        json!({
            "name": self.name,
            "id": record.id,
            "store": self.place,
            "user": login.map(|login| &login.credentials.user),
            "loginPage": login.map(|login| ShownUrl(login.how.start()).to_string()),
            "baseUrl": state.base_url().map(|url| ShownUrl(url).to_string()),
            "profile": state.profile().to_string(),
            "proxy": state.proxy().map(Proxy::to_string),
            "tokenFile": record.token_file.as_ref().map(tokens::document),
            "generation": state.generation(),
            "requests": state.counts().requests,
            "replies": state.counts().replies,
            "hostLimits": {
                "pauseMs": millis(self.limits.pause),
                "waitMs": millis(self.limits.wait),
                "running": self.limits.running,
            },
            "created": show::time(record.created),
            "ageSeconds": show::between(record.created, self.now).as_secs(),
            "isOld": self.is_old(),
            "lastLogin": last.login.map(show::time),
            "lastCheck": last.check.as_ref().map(|(at, found)| json!({
                "at": show::time(*at),
                "found": found,
            })),
            "lastRefusal": last.refusal.as_ref().map(|refusal| json!({
                "at": show::time(refusal.at),
                "message": refusal.message,
            })),
            "otpRemembered": login.is_some_and(|login| login.credentials.otp.is_some()),
            "passwordRemembered": login.is_some_and(|login| login.credentials.password.is_some()),
            "authorization": state.authorization().map(Authorization::kind),
            "accessToken": record.tokens.as_ref().map(|tokens| show::token_document(tokens, self.now)),
            "headers": self.headers(),
            "cookies": jar.iter().map(|cookie| show::cookie_document(cookie, self.show)).collect::<Vec<_>>(),
        })
    }

    /// Values are `null` where secrets stay hidden.
    fn headers(&self) -> Value {
        let mut document = Map::new();
        for (name, value) in self.record.state.headers() {
            let value = self.show.then(|| String::from_utf8_lossy(value.as_bytes()));
            document.insert(name.to_string(), json!(value));
        }
        Value::Object(document)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
