//! `sessile cookies`: look into a session's jar, and change it.

use std::io::Read as _;

use serde_json::{Value, json};
use sessile::renew;
use sessile::store::{Name, Vault};
use sessile_jar::{Context, Cookie, Omission, Sending, Target, Timestamp};

use super::failure::{self, Purpose};
use super::show;
use super::work::{self, Work};
use crate::args::{CookiesArgs, CookiesCommand, ExplainCookies, SameSiteArg, SetCookie};
use crate::exit::{Exit, Failure, Outcome};

/// Carries out one of the subcommands.
pub(super) async fn run(args: CookiesArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let vault = work.present_vault(Purpose::Manage).await?;
    let shelf = Shelf { name, vault };
    match args.command {
        CookiesCommand::Explain(args) => shelf.explain(&args, work).await,
        CookiesCommand::Get { cookie, url } => shelf.get(&cookie, url.as_deref(), work).await,
        CookiesCommand::List { show_secrets } => shelf.list(show_secrets, work).await,
        CookiesCommand::Rm { cookie, url } => shelf.remove(cookie, url, work).await,
        CookiesCommand::Set(args) => shelf.set(*args, work).await,
    }
}

/// The session whose cookies it is about.
struct Shelf {
    name: Name,
    vault: Vault,
}

impl Shelf {
    async fn list(&self, show: bool, work: &mut Work<'_>) -> Outcome {
        let kept = work::look_at(&self.vault, &self.name).await?;
        let state = kept.session().state();
        let cookies = state.jar().iter();
        if work.json() {
            let cookies: Vec<_> = cookies
                .map(|cookie| show::cookie_document(cookie, show))
                .collect();
            work.printer.document(&json!({ "cookies": cookies }))?;
            return Ok(Exit::Done);
        }
        let rows: Vec<_> = cookies
            .map(|cookie| show::cookie_row(cookie, show))
            .collect();
        match rows.is_empty() {
            true => work
                .printer
                .note(&format!("session {} has no cookies", self.name)),
            false => work.printer.table(show::COOKIE_COLUMNS, &rows)?,
        }
        Ok(Exit::Done)
    }

    async fn get(&self, name: &str, url: Option<&str>, work: &mut Work<'_>) -> Outcome {
        let kept = work::look_at(&self.vault, &self.name).await?;
        let (state, now) = (kept.session().state(), work.now());
        let target = url.map(target).transpose()?;
        let found = match &target {
            Some(target) => state.jar().get(name, target, now),
            None => self.only(name, state.jar().iter(), now)?,
        };
        let cookie = found.ok_or_else(|| self.unknown(name))?;
        match work.json() {
            true => work
                .printer
                .document(&show::cookie_document(cookie, true))?,
            false => {
                work.printer.bytes(cookie.value())?;
                work.printer.line("")?;
            }
        }
        Ok(Exit::Done)
    }

    /// The one cookie of that name; where there are several, a URL has to choose.
    fn only<'a>(
        &self,
        name: &str,
        cookies: impl Iterator<Item = Cookie<'a>>,
        now: Timestamp,
    ) -> Result<Option<Cookie<'a>>, Failure> {
        let mut named =
            cookies.filter(|cookie| cookie.name() == name.as_bytes() && !cookie.is_expired(now));
        match (named.next(), named.count()) {
            (found, 0) => Ok(found),
            (_, more) => {
                let message = format!("session {} has {} cookies `{name}`", self.name, more + 1);
                Err(Failure::new(Exit::Failed, "severalCookies", message)
                    .hint("--url URL chooses the one that is sent there"))
            }
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let message = format!("session {} has no cookie `{name}`", self.name);
        Failure::new(Exit::Failed, "unknownCookie", message).hint(format!(
            "`sessile cookies {} list` shows those it has",
            self.name
        ))
    }

    async fn set(&self, args: SetCookie, work: &mut Work<'_>) -> Outcome {
        let line = set_cookie_line(&args)?;
        target(&args.url)?;
        let url = args.url;
        let stored = self
            .edit(work.now(), move |jar, now| {
                let target = Target::parse(&url).ok()?;
                Some(jar.store(line.as_bytes(), &target, &Context::default(), now))
            })
            .await?;
        match stored {
            Some(Ok(_)) => {}
            Some(Err(refusal)) => {
                let message = format!("the cookie is refused: {refusal}");
                return Err(Failure::new(Exit::Failed, "cookieRefused", message).into());
            }
            None => return Err(Failure::usage("--url is not a web address").into()),
        }
        work.step(&self.vault, &self.name).await?;
        work.printer
            .note(&format!("session {}: cookie set", self.name));
        Ok(Exit::Done)
    }

    async fn remove(&self, cookie: String, url: Option<String>, work: &mut Work<'_>) -> Outcome {
        url.as_deref().map(target).transpose()?;
        let name = cookie.clone();
        let removed = self
            .edit(work.now(), move |jar, now| match &url {
                None => jar.remove(&cookie, now),
                Some(url) => {
                    let Ok(target) = Target::parse(url) else {
                        return 0;
                    };
                    remove_sent(jar, &cookie, &target, now)
                }
            })
            .await?;
        match removed {
            0 => Err(self.unknown(&name).into()),
            count => {
                work.step(&self.vault, &self.name).await?;
                work.printer
                    .note(&format!("session {}: removed {count}", self.name));
                Ok(Exit::Done)
            }
        }
    }

    async fn edit<T: Send + 'static>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut sessile_jar::Jar, Timestamp) -> T + Send + 'static,
    ) -> Outcome<T> {
        let changed = renew::edit(&self.vault, &self.name, move |record| {
            change(record.state.jar_mut(), now)
        });
        Ok(changed
            .await
            .map_err(|error| failure::of_kept(&error, Purpose::Manage))?)
    }

    async fn explain(&self, args: &ExplainCookies, work: &mut Work<'_>) -> Outcome {
        let kept = work::look_at(&self.vault, &self.name).await?;
        let (state, now) = (kept.session().state(), work.now());
        let target = target(&args.url)?;
        let sendings = state.jar().explain(&target, &Context::default(), now);
        if work.json() {
            let cookies: Vec<Value> = sendings.iter().map(sending_document).collect();
            work.printer
                .document(&json!({ "url": args.url, "cookies": cookies }))?;
            return Ok(Exit::Done);
        }
        let rows: Vec<_> = sendings.iter().map(sending_row).collect();
        match rows.is_empty() {
            true => work
                .printer
                .note(&format!("session {} has no cookies", self.name)),
            false => work
                .printer
                .table(["NAME", "DOMAIN", "PATH", "SENT", "WHY"], &rows)?,
        }
        Ok(Exit::Done)
    }
}

fn sending_document(sending: &Sending<'_>) -> Value {
    let mut document = show::cookie_document(sending.cookie, false);
    document["sent"] = json!(sending.omission.is_none());
    document["why"] = json!(sending.omission.map(|rule| rule.to_string()));
    document["section"] = json!(sending.omission.map(Omission::section));
    document
}

fn sending_row(sending: &Sending<'_>) -> [String; 5] {
    let [name, _, domain, path, ..] = show::cookie_row(sending.cookie, false);
    let (sent, why) = match sending.omission {
        None => ("sent", String::new()),
        Some(rule) => (
            "not sent",
            format!("{rule} (RFC 6265bis, {})", rule.section()),
        ),
    };
    [name, domain, path, sent.to_owned(), why]
}

fn target(url: &str) -> Result<Target<'_>, Failure> {
    Target::parse(url).map_err(|why| Failure::usage(format!("the URL can't be used: {why}")))
}

/// Removes those of a name that a request to the target carries.
fn remove_sent(
    jar: &mut sessile_jar::Jar,
    name: &str,
    target: &Target<'_>,
    now: Timestamp,
) -> usize {
    let sent: Vec<_> = jar
        .select(target, &Context::default(), now)
        .filter(|cookie| cookie.name() == name.as_bytes())
        .map(|cookie| (cookie.domain().to_owned(), cookie.path().to_owned()))
        .collect();
    jar.retain(now, |cookie| {
        let place = (cookie.domain().to_owned(), cookie.path().to_owned());
        cookie.name() != name.as_bytes() || !sent.contains(&place)
    })
}

/// The cookie as a site would set it: the jar's own rules decide what becomes of it.
fn set_cookie_line(args: &SetCookie) -> Result<String, Failure> {
    let (name, value) = name_and_value(args)?;
    if name.contains([';', '=']) || value.contains(';') {
        return Err(Failure::usage(
            "a cookie's name can't hold ; or =, its value can't hold ;",
        ));
    }
    if name.trim() != name || value.trim() != value {
        return Err(Failure::usage(
            "a cookie's name and value can't begin or end with a space",
        ));
    }
    let mut line = format!("{name}={value}");
    let texts = [
        ("Domain", &args.domain),
        ("Path", &args.path),
        ("Expires", &args.expires),
    ];
    for (attribute, text) in texts {
        let Some(text) = text else { continue };
        if text.contains(';') {
            return Err(Failure::usage(format!(
                "{attribute} can't hold a semicolon"
            )));
        }
        line.push_str(&format!("; {attribute}={text}"));
    }
    if let Some(expires) = &args.expires
        && sessile_jar::parse_date(expires.as_bytes()).is_none()
    {
        return Err(Failure::usage("--expires is not a date a cookie can have")
            .hint("write it like 'Sun, 06 Nov 2033 08:49:37 GMT', or use --max-age"));
    }
    if let Some(age) = args.max_age {
        line.push_str(&format!("; Max-Age={}", age.as_secs()));
    }
    if args.secure {
        line.push_str("; Secure");
    }
    if args.http_only {
        line.push_str("; HttpOnly");
    }
    if let Some(rule) = args.same_site {
        line.push_str(match rule {
            SameSiteArg::Lax => "; SameSite=Lax",
            SameSiteArg::None => "; SameSite=None",
            SameSiteArg::Strict => "; SameSite=Strict",
        });
    }
    Ok(line)
}

fn name_and_value(args: &SetCookie) -> Result<(String, String), Failure> {
    match (args.cookie.split_once('='), args.value_stdin) {
        (Some((name, value)), false) => Ok((name.to_owned(), value.to_owned())),
        (None, true) => Ok((args.cookie.clone(), standard_input()?)),
        (None, false) => Err(Failure::usage("the cookie has no value")
            .hint("write NAME=VALUE, or NAME --value-stdin")),
        (Some(_), true) => Err(Failure::usage("the cookie has two values")
            .hint("with --value-stdin, write the NAME alone")),
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut value = String::new();
    std::io::stdin()
        .read_to_string(&mut value)
        .map_err(|error| {
            Failure::new(
                Exit::Failed,
                "input",
                format!("cannot read standard input: {error}"),
            )
        })?;
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn options_become_attributes() {
        check("a=1", Ok("a=1"));
        check("a=b=c", Ok("a=b=c"));
        check("a=", Ok("a="));
        check(
            "a=1 --domain h.example --path /x --secure --http-only --same-site none",
            Ok("a=1; Domain=h.example; Path=/x; Secure; HttpOnly; SameSite=None"),
        );
        check("a=1 --max-age 2m", Ok("a=1; Max-Age=120"));
    }

    #[test]
    fn what_would_become_an_attribute_by_accident_is_refused() {
        let semicolon = "a cookie's name can't hold ; or =, its value can't hold ;";
        check("a=1;Secure", Err(semicolon));
        check("a;b=1", Err(semicolon));
        check("a=1 --path /;Secure", Err("Path can't hold a semicolon"));
        check(
            "a=1 --expires soon",
            Err("--expires is not a date a cookie can have"),
        );
        check("a", Err("the cookie has no value"));
        check("a=1 --value-stdin", Err("the cookie has two values"));
    }

    #[track_caller]
    fn check(words: &str, expected: Result<&str, &str>) {
        let line = format!("sessile cookies s set {words} --url http://h/");
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Cookies(CookiesArgs {
            command: CookiesCommand::Set(args),
            ..
        }) = cli.command
        else {
            panic!("another command");
        };
        let found = set_cookie_line(&args).map_err(|failure| failure.to_string());
        assert_eq!(
            found,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{words}"
        );
    }
}
