//! `sessile check`: is the session still logged in?

use serde_json::json;
use sessile::Verdict;
use sessile::renew::{CheckReport, Kept, KeptOptions};

use super::failure::{self, Purpose};
use super::work::{self, Work};
use crate::args::CheckArgs;
use crate::exit::{Exit, Failure, Outcome};

/// Asks the site; renews only when told to.
pub(super) async fn run(args: CheckArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let vault = work.vault().await?;
    let mut options = KeptOptions::default();
    options.ask = args.renew.then(work::ask).flatten();
    let used = |error| failure::of_kept(error, Purpose::Use);
    let kept = Kept::open(&vault, &name, options).await.map_err(used)?;
    let renewed = match args.renew {
        true => kept.renew().await.map_err(used)?.is_some(),
        false => false,
    };
    let report = kept.check().await.map_err(used)?;
    kept.save().await.map_err(used)?;
    if work.json() {
        work.printer.document(&document(&kept, &report, renewed))?;
    } else {
        tell(&args, &kept, &report, renewed, work);
    }
    Ok(exit(&report.verdict))
}

fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Valid => Exit::Done,
        Verdict::Expired(_) => Exit::NotLoggedIn,
        Verdict::Challenged(_) => Exit::PersonNeeded,
        // The site is in trouble, or refuses us: that says nothing of the login.
        _ => Exit::Failed,
    }
}
