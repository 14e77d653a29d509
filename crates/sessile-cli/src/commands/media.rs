//! What `resolve` and `record` have in common: the session, and the site's rules.

use std::sync::Arc;

use sessile::session::SessionBuilder;
use sessile::site::MediaRules;
use sessile_record::Through;
use url::Url;

use super::connect;
use super::failure::{self, Purpose};
use super::manners;
use super::site;
use super::work::{self, Work};
use crate::args::ThroughArgs;
use crate::exit::{Failure, Outcome};

/// The session that media is found and fetched through, and the rules that find it.
pub(super) struct Way {
    pub(super) rules: Option<Arc<MediaRules>>,
    pub(super) through: Through,
}

impl Way {
    /// The stored session of that name, or one in memory.
    pub(super) async fn open(
        name: Option<&str>,
        args: &ThroughArgs,
        change: impl FnOnce(SessionBuilder) -> SessionBuilder,
        work: &mut Work<'_>,
    ) -> Outcome<Self> {
        let rules = match &args.site {
            Some(file) => Some(site::read(file)?.media.ok_or_else(|| no_rules(args))?),
            None => None,
        };
        let builder = change(connect::builder(&args.connection, None, work)?);
        let builder = manners::add(args.manners, builder, work).await?;
        let Some(name) = name else {
            work.printer.warn(
                "no session: as a stranger, and nothing is renewed; -s NAME uses a stored one",
            );
            let profile = args.profile.clone().unwrap_or_default();
            work.say_age(&profile);
            return Ok(Self {
                rules: rules.map(Arc::new),
                through: builder.profile(profile).build()?.into(),
            });
        };
        let (name, vault) = (work::name(name)?, work.present_vault(Purpose::Check).await?);
        let mut options = work.keeping()?;
        options.builder = builder;
        let kept = sessile::renew::Kept::open(&vault, &name, options).await;
        let kept = kept.map_err(|error| failure::of_kept(&error, Purpose::Check))?;
        let own = || {
            let login = kept.record().login?;
            login.how.site()?.media.clone()
        };
        Ok(Self {
            rules: rules.or_else(own).map(Arc::new),
            through: kept.into(),
        })
    }

    /// What the exchanges changed is kept, whatever became of them.
    pub(super) async fn close(&self, work: &mut Work<'_>) -> Outcome<()> {
        let Through::Kept(kept) = &self.through else {
            return Ok(());
        };
        let saved = kept.save().await;
        saved.map_err(|error| failure::of_kept(&error, Purpose::Send))?;
        work.say_token_trouble(kept);
        Ok(())
    }
}

/// The address of a page.
pub(super) fn address(text: &str) -> Result<Url, Failure> {
    let url =
        Url::parse(text).map_err(|why| Failure::usage(format!("`{text}` is not a URL: {why}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(Failure::usage(format!(
            "`{scheme}` is no way to fetch media; it is http or https"
        ))),
    }
}

fn no_rules(args: &ThroughArgs) -> Failure {
    let file = args.site.as_deref().unwrap_or_else(|| "".as_ref());
    Failure::usage(format!("`{}` has no [media] section", file.display()))
        .hint("docs/site-file.md lists its keys with examples")
}
