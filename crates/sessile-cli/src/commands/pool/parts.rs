//! `sessile pool account` and `sessile pool proxy`: what a pool's sessions are made of.

use serde_json::json;
use sessile::Secret;
use sessile::pool::{Account, Pool, PoolError};
use sessile::store::Name;
use sessile::transport::Proxy;

use super::super::failure::Purpose;
use super::super::login;
use super::super::work::{self, Work};
use crate::args::{PoolAccount, PoolAccountAdd, PoolProxy, PoolProxyAdd};
use crate::exit::{Exit, Failure, Outcome};
use crate::password::{self, Origin};
use crate::printer::plain;

/// Adds or removes accounts.
pub(super) async fn account(command: PoolAccount, work: &mut Work<'_>) -> Outcome {
    match command {
        PoolAccount::Add(args) => add_account(args, work).await,
        PoolAccount::Rm { name, users } => {
            let name = work::name(&name)?;
            let vault = work.present_vault(Purpose::Manage).await?;
            let (pool, gone) = (name.clone(), users.clone());
            let removed = Pool::redefine(&vault, &name, move |definition| {
                for user in gone {
                    let before = definition.accounts.len();
                    definition.accounts.retain(|account| account.user != user);
                    refuse_unknown(before == definition.accounts.len(), &pool, "account", user)?;
                }
                Ok(())
            });
            removed.await.map_err(Failure::from)?;
            told(&name, "removed", &users, work)
        }
    }
}

async fn add_account(args: PoolAccountAdd, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let vault = work.present_vault(Purpose::Manage).await?;
    let definition = Pool::definition(&vault, &name)
        .await
        .map_err(Failure::from)?;
    let mut account = Account::new(args.user.clone(), None);
    if definition.site.login.asks_for("password") {
        account.password = Some(login::password(&args.password, &args.user, work)?);
    }
    account.otp = login::otp_secret_in(args.otp_secret_file.as_deref())?;
    account.sessions = args.sessions;
    let added = Pool::redefine(&vault, &name, move |definition| {
        definition
            .accounts
            .retain(|known| known.user != account.user);
        definition.accounts.push(account);
        Ok(())
    });
    added.await.map_err(Failure::from)?;
    told(&name, "added", &[args.user], work)
}

/// Adds or removes proxies.
pub(super) async fn proxy(command: PoolProxy, work: &mut Work<'_>) -> Outcome {
    match command {
        PoolProxy::Add(args) => add_proxy(&args, work).await,
        PoolProxy::Rm { name, proxies } => {
            let name = work::name(&name)?;
            let vault = work.present_vault(Purpose::Manage).await?;
            let (pool, gone) = (name.clone(), proxies.clone());
            let removed = Pool::redefine(&vault, &name, move |definition| {
                for proxy in gone {
                    let before = definition.proxies.len();
                    definition
                        .proxies
                        .retain(|known| known.to_string() != proxy);
                    refuse_unknown(before == definition.proxies.len(), &pool, "proxy", proxy)?;
                }
                Ok(())
            });
            removed.await.map_err(Failure::from)?;
            told(&name, "removed", &proxies, work)
        }
    }
}

async fn add_proxy(args: &PoolProxyAdd, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let proxy = match (args.named(), &args.proxy_env) {
        (Some(proxy), _) => proxy,
        (None, Some(variable)) => {
            let origin = Origin::Environment(variable.clone());
            let url = password::read(&origin, "proxy", work.environment)?;
            let url: Secret<String> = url.to_string().into();
            let proxy = url.expose().parse::<Proxy>();
            proxy.map_err(|why| Failure::usage(why.to_string()))?
        }
        (None, None) => return Err(Failure::usage("`none` is no proxy").into()),
    };
    let vault = work.present_vault(Purpose::Manage).await?;
    let shown = proxy.to_string();
    let added = Pool::redefine(&vault, &name, move |definition| {
        definition
            .proxies
            .retain(|known| known.to_string() != proxy.to_string());
        definition.proxies.push(proxy);
        Ok(())
    });
    added.await.map_err(Failure::from)?;
    told(&name, "added", &[shown], work)
}

fn refuse_unknown(
    is_unknown: bool,
    pool: &Name,
    what: &'static str,
    name: String,
) -> Result<(), PoolError> {
    match is_unknown {
        true => Err(PoolError::unknown_part(pool, what, name)),
        false => Ok(()),
    }
}

fn told(pool: &Name, done: &str, parts: &[String], work: &mut Work<'_>) -> Outcome {
    if work.json() {
        work.printer
            .document(&json!({ "pool": pool.as_str(), done: parts }))?;
    }
    for part in parts {
        work.printer
            .note(&format!("{done} {} in pool {pool}", plain(part)));
    }
    Ok(Exit::Done)
}
