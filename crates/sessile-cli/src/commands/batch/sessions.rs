//! What the requests of a batch go through: a pool, a stored session, or one of their own.

use std::time::Duration;

use sessile::Session;
use sessile::batch::{Pooled, Through};
use sessile::pool::{Pool, PoolOptions};
use sessile::renew::Kept;
use sessile::session::{Redirects, RetryPolicy, SessionBuilder};
use url::Url;

use super::super::connect;
use super::super::failure::{self, Purpose};
use super::super::manners;
use super::super::request::without_secret;
use super::super::work::{self, Work};
use crate::args::{BatchArgs, MannersArgs};
use crate::exit::{Failure, Outcome};

/// What the requests go through.
pub(super) enum Sessions {
    Kept(Kept),
    Plain(Session),
    Pool { pool: Pool, pooled: Pooled },
}

/// How long the leases of a pool may go on after the last line; a stopped batch has none left.
const DRAIN: Duration = Duration::from_secs(10);

impl Sessions {
    /// What is tried again is the batch's business, and no session's.
    pub(super) async fn open(args: &BatchArgs, work: &mut Work<'_>) -> Outcome<Self> {
        let mut builder = connect::builder(&args.connection, args.timeout, work)?;
        builder = builder.retry(RetryPolicy::never());
        if args.no_follow {
            builder = builder.redirects(Redirects::Stay);
        }
        let manners = MannersArgs {
            rate: args.rate,
            concurrency: None,
            robots: args.robots,
        };
        let builder = manners::add(manners, builder, work).await?;
        match (&args.session, pool_name(args)) {
            (Some(name), _) => kept(name, builder, work).await.map(Self::Kept),
            (None, Some(name)) => open_pool(name, args, builder, work).await,
            (None, None) => plain(args, builder, work).map(Self::Plain),
        }
    }

    pub(super) fn through(&self) -> Through {
        match self {
            Self::Kept(kept) => Through::Kept(kept.clone()),
            Self::Plain(session) => Through::Plain(session.clone()),
            Self::Pool { pooled, .. } => Through::Pool(pooled.clone()),
        }
    }

    pub(super) async fn close(self, work: &mut Work<'_>) -> Outcome<()> {
        match self {
            Self::Kept(kept) => {
                let saved = kept.save().await;
                saved.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
                work.say_token_trouble(&kept);
            }
            Self::Plain(_) => {}
            Self::Pool { pool, .. } => {
                pool.close(DRAIN).await;
            }
        }
        Ok(())
    }
}

/// The first word where it can't be an item.
fn pool_name(args: &BatchArgs) -> Option<&str> {
    let name = args.pool.as_deref()?;
    (!is_item(name)).then_some(name)
}

pub(super) fn is_item(word: &str) -> bool {
    word.contains(['=', ':', '@', ';'])
}

async fn open_pool(
    name: &str,
    args: &BatchArgs,
    builder: SessionBuilder,
    work: &mut Work<'_>,
) -> Outcome<Sessions> {
    let name = work::name(name)?;
    let vault = work.present_vault(Purpose::Send).await?;
    let keeping = work.keeping()?;
    let mut options = PoolOptions::default();
    options.builder = builder.clone();
    options.person = keeping.person;
    options.notify = keeping.notify;
    let pool = Pool::open(&vault, &name, options)
        .await
        .map_err(Failure::from)?;
    // Without a part of its own, each target would wait for nothing.
    pool.served(args.wait).await;
    pool.partakes(args.wait).await.map_err(Failure::from)?;
    let pooled = Pooled::new(pool.clone(), &vault, &name).await;
    let mut pooled = pooled.map_err(Failure::from)?.wait(args.wait);
    if !args.no_fallback {
        let definition = Pool::definition(&vault, &name)
            .await
            .map_err(Failure::from)?;
        let builder = match &definition.site.base_url {
            Some(base) => builder.base_url(base.as_str())?,
            None => builder,
        };
        pooled = pooled.fallback(plain(args, builder, work)?);
    }
    Ok(Sessions::Pool { pool, pooled })
}

async fn kept(name: &str, builder: SessionBuilder, work: &Work<'_>) -> Outcome<Kept> {
    let name = work::name(name)?;
    let vault = work.present_vault(Purpose::Send).await?;
    let mut options = work.keeping()?;
    options.builder = builder;
    let kept = Kept::open(&vault, &name, options).await;
    Ok(kept.map_err(|error| failure::of_kept(&error, Purpose::Check))?)
}

fn plain(args: &BatchArgs, builder: SessionBuilder, work: &mut Work<'_>) -> Outcome<Session> {
    let profile = args.profile.clone().unwrap_or_default();
    work.say_age(&profile);
    let mut builder = builder.profile(profile);
    if let Some(base) = &args.base_url {
        without_secret(base)?;
        Url::parse(base)
            .map_err(|why| Failure::usage(format!("--base-url is not a URL: {why}")))?;
        builder = builder.base_url(base)?;
    }
    Ok(builder.build()?)
}
