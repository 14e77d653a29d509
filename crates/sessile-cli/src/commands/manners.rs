//! The options about manners, as a session's habits.

use sessile::renew;
use sessile::session::{Limits, Manners, SessionBuilder};

use super::work::Work;
use crate::args::MannersArgs;
use crate::exit::Outcome;

/// The name by which `robots.txt` knows this program.
const PROGRAM: &str = "sessile";

/// The builder with these manners, which everybody who uses the store has in common.
pub(super) async fn add(
    args: MannersArgs,
    builder: SessionBuilder,
    work: &Work<'_>,
) -> Outcome<SessionBuilder> {
    let MannersArgs {
        rate,
        concurrency,
        robots,
    } = args;
    if rate.is_none() && concurrency.is_none() && !robots {
        return Ok(builder);
    }
    let mut limits = Limits::default();
    limits.interval = rate.unwrap_or_default();
    limits.at_once = concurrency.map(Into::into);
    let mut manners = Manners::new(limits);
    if robots {
        manners = manners.obeying_robots(PROGRAM);
    }
    let vault = work.vault().await?;
    Ok(builder.manners(renew::share_limits(manners, &vault)))
}
