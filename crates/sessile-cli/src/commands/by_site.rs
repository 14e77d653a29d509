//! `--site FILE` of a request: the session that a site file describes, logged in where it isn't yet.

use std::path::Path;
use std::sync::Arc;

use sessile::ProfileChoice;
use sessile::login::{How, Login, StepListener};
use sessile::record::Record;
use sessile::renew::{KeepError, Kept, KeptOptions, Mode, edit};
use sessile::site::Site;
use sessile::store::{Name, Vault};

use super::failure::{self, Purpose};
use super::profile;
use super::site;
use super::visit;
use super::work::Work;
use crate::args::BySite;
use crate::exit::{Failure, Outcome};
use crate::printer::plain;

/// Opens the session, or logs in first.
pub(super) async fn open(
    file: &Path,
    args: &BySite,
    (vault, name): (&Vault, &Name),
    options: KeptOptions,
    profile: Option<&ProfileChoice>,
    work: &mut Work<'_>,
) -> Outcome<Kept> {
    let read = Arc::new(site::read(file)?);
    let kept = match stored(vault, name, &read).await? {
        Stored::ByFile => Kept::open(vault, name, options).await,
        Stored::ByEarlierFile => {
            let taken = edit(vault, name, move |record| take_over(record, read)).await;
            taken.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
            Kept::open(vault, name, options).await
        }
        Stored::NotLoggedIn => {
            let login = login(read, args, profile, work)?;
            let done = Kept::log_in(vault, name, login, options).await;
            done.map(|(kept, _report)| kept)
        }
        Stored::Otherwise => {
            let what = format!("session {name} was logged in without a site file");
            let hint = format!("log it in by the file: sessile login {name} --site FILE");
            return Err(Failure::usage(what).hint(hint).into());
        }
    };
    let kept = kept.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
    profile::warn(&kept, profile, work);
    Ok(kept)
}

/// What there is under a name.
enum Stored {
    /// A session that goes by another site file, such as an earlier state of this one.
    ByEarlierFile,
    /// A session that goes by the site file as it is now.
    ByFile,
    /// None, or one that was never logged in.
    NotLoggedIn,
    /// One that was logged in some other way.
    Otherwise,
}

async fn stored(vault: &Vault, name: &Name, site: &Site) -> Outcome<Stored> {
    let mut options = KeptOptions::default();
    options.mode = Mode::ReadOnly;
    let kept = match Kept::open(vault, name, options).await {
        Ok(kept) => kept,
        Err(KeepError::Unknown { .. }) => return Ok(Stored::NotLoggedIn),
        Err(error) => return Err(failure::of_kept(&error, Purpose::Send).into()),
    };
    let login = kept.record().login;
    Ok(match login.as_ref().map(|login| &login.how) {
        None => Stored::NotLoggedIn,
        Some(How::Site(known)) if **known == *site => Stored::ByFile,
        Some(How::Site(_)) => Stored::ByEarlierFile,
        Some(_) => Stored::Otherwise,
    })
}

fn take_over(record: &mut Record, site: Arc<Site>) {
    if let Some(login) = &mut record.login {
        login.how = How::Site(site);
        // What was refused was another way of logging in.
        record.last.refusal = None;
    }
}

fn login(
    site: Arc<Site>,
    args: &BySite,
    profile: Option<&ProfileChoice>,
    work: &mut Work<'_>,
) -> Outcome<Login> {
    let credentials = site::credentials(&site, args.username.as_deref(), &args.password, work)?;
    let mut login = Login::site(site, credentials);
    let note = work.printer.noter();
    login.person.hears = Some(StepListener::new(move |step| note(&plain(step))));
    login.person.visit = Some(visit::ask(true, work));
    login.person.code = super::work::person().code;
    login.remember = args.remember;
    if let Some(profile) = profile {
        login.profile = profile.clone();
    }
    work.say_age(&login.profile);
    Ok(login)
}
