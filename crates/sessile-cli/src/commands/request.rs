//! `sessile get`, `post` and the other verbs: one request through a session.

use http::Method;
use sessile::renew::{Answer, KeepError, Kept, KeptOptions, Mode, Renewal, Renewed, Renewer};
use sessile::session::{Redirects, SessionBuilder};
use sessile::store::Name;
use sessile::{Authorization, ProfileChoice, Request, Secret, Session};
use url::Url;

use super::by_site;
use super::connect;
use super::failure::{self, Purpose};
use super::manners;
use super::output::{self, Delivery};
use super::profile;
use super::site;
use super::work::{self, Work};
use crate::args::{AuthArgs, AuthType, RequestArgs};
use crate::exit::{Failure, Outcome};
use crate::items;
use crate::password::{self, Origin};
use crate::request::body;
use crate::request::content::{self, Body, Content, Encoding, Inputs};

/// Sends the request and delivers the reply.
pub(super) async fn run(method: Method, args: RequestArgs, work: &mut Work<'_>) -> Outcome {
    let mut inputs = Inputs::of_process();
    let authorization = authorization(&args.auth, &mut inputs, work)?;
    let request = request(&method, &args, &mut inputs)?;
    let delivery = Delivery::new(&method, &args);
    let builder = connect::builder(&args.connection, args.timeout, work)?;
    let builder = manners::add(args.manners, builder, work).await?;
    if args.session.is_none() && args.by_site.site.is_none() {
        work.say_age(&profile(&args));
        let session = alone(&args, builder, authorization)?;
        let reply = session.send(request).await;
        let reply = reply?;
        return output::deliver(reply, None, &delivery, work).await;
    }
    let used = |error| failure::of_kept(&error, Purpose::Send);
    let kept = open(&args, builder, authorization, work).await?;
    let answer = kept.send(request).await;
    // What the exchange changed is kept, whatever became of it.
    kept.save().await.map_err(used)?;
    work.say_token_trouble(&kept);
    let Answer { reply, renewal, .. } = answer.map_err(used)?;
    if let Some(renewal) = &renewal {
        work.printer.note(&told(kept.name(), renewal));
    }
    output::deliver(reply, renewal.as_ref(), &delivery, work).await
}

/// The address, made absolute where --base-url says against what.
fn address(args: &RequestArgs) -> Outcome<String> {
    without_secret(&args.url)?;
    let Some(base) = &args.base_url else {
        return Ok(args.url.clone());
    };
    without_secret(base)?;
    let bad = |what: &str, why| Failure::usage(format!("{what} is not a URL: {why}"));
    let base = Url::parse(base).map_err(|why| bad("--base-url", why))?;
    let url = base
        .join(&args.url)
        .map_err(|why| bad("the address", why))?;
    Ok(url.into())
}

/// A user or password in the address would be seen in the process list, and is not sent.
pub(super) fn without_secret(address: &str) -> Result<(), Failure> {
    let Ok(url) = Url::parse(address) else {
        return Ok(()); // What is wrong with it is said where it is used.
    };
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(
        Failure::usage("the address holds a user or password, which is not sent from there")
            .hint("give --auth-type basic --auth-user USER, and the password with --auth-stdin or --auth-env VAR"),
    )
}

/// The request, with all that the items add.
fn request(method: &Method, args: &RequestArgs, inputs: &mut Inputs) -> Outcome<Request> {
    let encoding = match (args.form, args.multipart) {
        (_, true) => Encoding::Multipart,
        (true, false) => Encoding::Form,
        (false, false) => Encoding::Json,
    };
    let items = items::parse_all(&args.items)
        .map_err(|bad| Failure::usage(bad.to_string()).hint(bad.advice()))?;
    let content = content::sort(items, encoding, inputs)?;
    let mut request = Request::new(method.clone(), address(args)?).tiers(args.tier.tiers());
    if args.no_follow {
        request = request.redirects(Redirects::Stay);
    }
    Ok(fill(request, content, args.raw.clone(), inputs)?)
}

fn fill(
    mut request: Request,
    content: Content,
    raw: Option<String>,
    inputs: &mut Inputs,
) -> Result<Request, Failure> {
    for (name, value) in content.query {
        request = request.query(name, value);
    }
    // Before the body, whose own type gives way to one that is given.
    for (name, value) in content.headers {
        request = match value {
            Some(value) => request.header(&name, &value),
            None => request.without_header(&name),
        };
    }
    Ok(match (content.body, raw) {
        (Body::Empty, None) => request,
        (Body::Empty, Some(text)) => request.body(text),
        (_, Some(_)) => return Err(content::two_bodies()),
        (Body::Form(pairs), None) => request.form(pairs),
        (Body::Json(value), None) => request.json(&value),
        (Body::Multipart(fields), None) => request.multipart(body::form(fields, inputs)?),
        (Body::Source(source), None) => body::attach(request, &source, inputs)?,
    })
}

fn profile(args: &RequestArgs) -> ProfileChoice {
    args.profile.clone().unwrap_or_default()
}

/// A session in memory, for one request.
fn alone(
    args: &RequestArgs,
    builder: SessionBuilder,
    authorization: Option<Authorization>,
) -> Outcome<Session> {
    let mut builder = builder.profile(profile(args));
    if let Some(origin) = origin(&address(args)?) {
        builder = builder.base_url(&origin)?;
    }
    if let Some(authorization) = authorization {
        builder = builder.authorization(authorization);
    }
    Ok(builder.build()?)
}

/// The site of an absolute address: where an authorization may go.
fn origin(address: &str) -> Option<String> {
    let origin = Url::parse(address).ok()?.origin();
    origin
        .is_tuple()
        .then(|| format!("{}/", origin.ascii_serialization()))
}

/// The stored session; made where that is asked for.
async fn open(
    args: &RequestArgs,
    builder: SessionBuilder,
    authorization: Option<Authorization>,
    work: &mut Work<'_>,
) -> Outcome<Kept> {
    let makes = args.create || args.by_site.site.is_some();
    let (name, vault) = match args.session.as_deref().filter(|_| !makes) {
        Some(name) => (work::name(name)?, work.present_vault(Purpose::Send).await?),
        None => site::place(args.session.as_deref(), work).await?,
    };
    if let Some(file) = &args.by_site.site {
        let options = options(args, &builder, work)?;
        let profile = args.profile.as_ref();
        return by_site::open(file, &args.by_site, (&vault, &name), options, profile, work).await;
    }
    let kept = match Kept::open(&vault, &name, options(args, &builder, work)?).await {
        Err(KeepError::Unknown { .. }) if args.create => {
            work.say_age(&profile(args));
            let state = alone(args, builder.clone(), None)?.state();
            Kept::create(&vault, &name, state, options(args, &builder, work)?)
        }
        opened => opened,
    };
    let kept = kept.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
    profile::warn(&kept, args.profile.as_ref(), work);
    if let Some(authorization) = authorization {
        kept.session()
            .update(|state, _| state.set_authorization(authorization));
    }
    Ok(kept)
}

fn options(args: &RequestArgs, builder: &SessionBuilder, work: &Work<'_>) -> Outcome<KeptOptions> {
    let mut options = work.keeping()?;
    options.builder = builder.clone();
    if args.read_only {
        options.mode = Mode::ReadOnly;
    }
    Ok(options)
}

/// What --auth-type and its companions say.
fn authorization(
    args: &AuthArgs,
    inputs: &mut Inputs,
    work: &Work<'_>,
) -> Result<Option<Authorization>, Failure> {
    let Some(kind) = args.auth_type else {
        return Ok(None);
    };
    let origin = match &args.auth_env {
        Some(variable) => Origin::Environment(variable.clone()),
        None => {
            inputs.claim()?;
            Origin::StandardInput
        }
    };
    let user = args.auth_user.clone().unwrap_or_default();
    let what = match kind {
        AuthType::Bearer => "token".to_owned(),
        AuthType::Basic | AuthType::Digest => format!("password of {user}"),
    };
    let secret = password::read(&origin, &what, work.environment)?;
    let secret = Secret::from(secret.to_string());
    Ok(Some(match kind {
        AuthType::Basic => Authorization::Basic {
            user,
            password: secret,
        },
        AuthType::Bearer => Authorization::Bearer(secret),
        AuthType::Digest => Authorization::Digest {
            user,
            password: secret,
        },
    }))
}

/// How a renewal is told: what was seen, and what came of it.
fn told(name: &Name, renewal: &Renewal) -> String {
    if renewal.what == Renewed::Token {
        let who = match renewal.by {
            Renewer::Other => "another process has refreshed it",
            _ => "refreshed",
        };
        return format!("session {name}, access token: {}: {who}", renewal.sign);
    }
    let who = match renewal.by {
        Renewer::Ourselves => "logged in again",
        Renewer::Other => "another process has logged in again",
        _ => "renewed",
    };
    let (sign, generation) = (&renewal.sign, renewal.generation);
    format!("session {name} had expired ({sign}): {who} (generation {generation})")
}
