//! `sessile pool`: makes, shows, steers and removes pools.

mod parts;
mod status;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessile::Secret;
use sessile::pool::state::Dead;
use sessile::pool::{Definition, Ordered, Pool, PoolError, PoolOptions, Target, Which};
use sessile::store::{Name, Vault};

use super::backup::counted;
use super::failure::{self, Purpose};
use super::site;
use super::work::{self, Work};
use crate::args::{PoolCommand, PoolCreate, PoolWhich};
use crate::exit::{Exit, Failure, Outcome};
use crate::password::{self, Origin};
use crate::printer::plain;

/// How long sessions may take to be followed or checked where this command does it itself.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long leases may go on at the end of that: there are none.
const DRAIN: Duration = Duration::from_secs(10);

/// Carries out one of the commands.
pub(super) async fn run(command: PoolCommand, work: &mut Work<'_>) -> Outcome {
    match command {
        PoolCommand::Account { command } => parts::account(command, work).await,
        PoolCommand::Create(args) => create(args, work).await,
        PoolCommand::List => status::list(work).await,
        PoolCommand::Proxy { command } => parts::proxy(command, work).await,
        PoolCommand::Rm { names } => rm(&names, work).await,
        PoolCommand::Rotate(args) => order(Order::Rotate, &args, work).await,
        PoolCommand::Status { name } => status::show(&name, work).await,
        PoolCommand::Validate(args) => order(Order::Validate, &args, work).await,
    }
}

async fn create(args: PoolCreate, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let site = Arc::new(site::read(&args.site)?);
    let secret = match &args.database_password_env {
        Some(variable) => {
            let origin = Origin::Environment(variable.clone());
            let secret = password::read(&origin, "password of the database", work.environment)?;
            Some(Secret::from(secret.to_string()))
        }
        None => None,
    };
    let vault = work.vault().await?;
    let mut definition = Definition::new(name.clone(), Arc::clone(&site));
    definition.database_password.clone_from(&secret);
    let defined = match Pool::define(&vault, &definition).await {
        Err(PoolError::Taken { .. }) if args.replace => {
            Pool::redefine(&vault, &name, move |definition| {
                definition.site = site;
                if secret.is_some() {
                    definition.database_password = secret;
                }
                Ok(())
            })
            .await
        }
        done => done,
    };
    defined.map_err(Failure::from)?;
    if work.json() {
        let place = vault.place();
        work.printer
            .document(&json!({ "pool": args.name, "store": place }))?;
    }
    work.printer
        .note(&format!("pool {name} is in {}", vault.place()));
    if definition.site.login.asks_for("password") {
        let line = format!("sessile pool account add {name} USER");
        work.printer
            .note(&format!("it needs accounts: `{line}` adds one"));
    }
    Ok(Exit::Done)
}

async fn rm(names: &[String], work: &mut Work<'_>) -> Outcome {
    let vault = work.present_vault(Purpose::Manage).await?;
    for name in names {
        let name = work::name(name)?;
        Pool::remove(&vault, &name).await.map_err(Failure::from)?;
        work.printer.note(&format!("removed pool {name}"));
    }
    if work.json() {
        work.printer.document(&json!({ "removed": names }))?;
    }
    Ok(Exit::Done)
}

/// What a pool is asked to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    Rotate,
    Validate,
}

async fn order(order: Order, args: &PoolWhich, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let which = match (&args.session, &args.target) {
        (Some(session), _) => Which::Seat(work::name(session)?),
        (None, Some(target)) => Which::Target(Target::new(target)),
        (None, None) => Which::All,
    };
    let vault = work.present_vault(Purpose::Manage).await?;
    let view = Pool::look(&vault, &name).await.map_err(Failure::from)?;
    let done = match view.owners.is_empty() {
        true => by_ourselves(order, (&vault, &name), &which, work).await?,
        false => ask(order, (&vault, &name), &which).await?,
    };
    if work.json() {
        work.printer.document(&json!({
            "pool": args.name,
            "sessions": done.sessions,
            "processes": done.owners,
            "silent": done.silent,
        }))?;
    }
    let what = match order {
        Order::Rotate => "to be followed",
        Order::Validate => "to be checked",
    };
    work.printer
        .note(&format!("{} {what}", counted(done.sessions)));
    if done.silent > 0 {
        let silent = match done.silent {
            1 => "1 process hasn't said that it does it".to_owned(),
            silent => format!("{silent} processes haven't said that they do it"),
        };
        work.printer.warn(&silent);
    }
    match done.sessions {
        0 => Err(
            Failure::new(Exit::Failed, "noSession", "no session that this is for")
                .hint(format!(
                    "`sessile pool status {name}` shows those there are"
                ))
                .into(),
        ),
        _ => Ok(Exit::Done),
    }
}

async fn ask(
    order: Order,
    (vault, name): (&Vault, &Name),
    which: &Which,
) -> Result<Ordered, Failure> {
    let done = match order {
        Order::Rotate => Pool::ask_rotation(vault, name, which).await,
        Order::Validate => Pool::ask_validation(vault, name, which).await,
    };
    done.map_err(Failure::from)
}

/// Where nobody serves the pool, this process does, until it is done.
async fn by_ourselves(
    order: Order,
    (vault, name): (&Vault, &Name),
    which: &Which,
    work: &mut Work<'_>,
) -> Outcome<Ordered> {
    let mut options = PoolOptions::default();
    options.notify = work.notify()?;
    let pool = Pool::open(vault, name, options)
        .await
        .map_err(Failure::from)?;
    // Those that are there are taken over, and missing ones are made.
    pool.served(PATIENCE).await;
    pool.settled(PATIENCE).await;
    let done = match order {
        Order::Rotate => pool.rotate(which).await,
        Order::Validate => pool.validate(which).await,
    };
    pool.settled(PATIENCE).await;
    if let Some(trouble) = pool.stats().last_trouble {
        work.printer.warn(&plain(&trouble));
    }
    pool.close(DRAIN).await;
    Ok(done.map_err(Failure::from)?)
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        let (exit, kind) = match &error {
            PoolError::Keep(error) => {
                return failure::of_kept(error, Purpose::Send);
            }
            PoolError::Store(error) => return error.clone().into(),
            PoolError::BadDefinition { .. } => (Exit::Usage, "badPool"),
            PoolError::Busy { .. } => (Exit::Failed, "poolBusy"),
            PoolError::Closed { .. } => (Exit::Failed, "poolClosed"),
            PoolError::Elsewhere { .. } | PoolError::ServedElsewhere { .. } => {
                (Exit::Failed, "servedElsewhere")
            }
            PoolError::Full { .. } => (Exit::Failed, "poolFull"),
            PoolError::InUse { .. } => (Exit::Failed, "poolInUse"),
            PoolError::LeaseEnded => (Exit::Failed, "leaseEnded"),
            PoolError::NoAccount { .. } => (Exit::NotLoggedIn, "noAccount"),
            PoolError::NoneAlive { .. } => (Exit::NotLoggedIn, "noSession"),
            PoolError::Taken { .. } => (Exit::Failed, "poolTaken"),
            PoolError::Targets { .. } => (Exit::Failed, "targets"),
            PoolError::Unknown { .. } => (Exit::Failed, "unknownPool"),
            PoolError::UnknownPart { .. } => (Exit::Failed, "unknownPart"),
            PoolError::Unreadable { .. } => (Exit::StoreUnavailable, "poolUnreadable"),
            _ => (Exit::Failed, "pool"),
        };
        let failure = Self::of(exit, kind, &error);
        match error {
            PoolError::Taken { .. } => {
                failure.hint("--replace has it go by the file from now on; its accounts stay")
            }
            PoolError::ServedElsewhere { .. } => {
                failure.hint("a daemon that serves it leases them out; stop one to take its part")
            }
            PoolError::NoAccount { pool, .. }
            | PoolError::NoneAlive {
                pool,
                why: Dead::Stopped,
                ..
            } => failure.hint(format!(
                "`sessile pool status {pool}` shows the accounts; `sessile pool account add {pool} \
                 USER` adds one, or has one tried again with a password that is right"
            )),
            PoolError::Unreadable { pool, .. } => failure.hint(format!(
                "`sessile pool status {pool}` shows what can't be read; `sessile pool account add \
                 {pool} USER` writes what is kept of the accounts anew"
            )),
            PoolError::Unknown { .. } => failure.hint("`sessile pool list` shows those there are"),
            _ => failure,
        }
    }
}
