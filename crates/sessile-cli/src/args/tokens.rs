//! `sessile tokens`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
#[command(after_help = "\
The file holds one object, {\"NAME\": \"VALUE\"}, that other programs read and write: each name is a
cookie that is sent to --url. From then on every command that uses the session, and every program
that holds it, brings the two in step: what changed on one side goes to the other, and of a token
that changed on both the later change stays. `null` in the file takes a cookie away; a name that
isn't there says nothing. A file that is damaged is said and left alone. Let other programs write
a file beside it and rename that, as sessile does.

Examples:
  sessile tokens shop --file tokens.json --url https://shop.example/
  sessile tokens shop --file waf.json --url https://shop.example/ --names aws_waf_token
  sessile tokens shop
  sessile tokens shop --stop")]
pub(crate) struct TokensArgs {
    /// The session
    pub(crate) name: String,

    /// The file; it needn't be there yet
    #[arg(long, requires = "url")]
    pub(crate) file: Option<PathBuf>,

    /// Where its tokens are sent
    #[arg(long, requires = "file")]
    pub(crate) url: Option<String>,

    /// The cookies that are its tokens; without this, those that the file names
    #[arg(long, requires = "file", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) names: Option<Vec<String>>,

    /// Bring them in step now and not again
    #[arg(long, requires = "file")]
    pub(crate) once: bool,

    /// Keep them in step no longer; the file stays as it is
    #[arg(long, conflicts_with = "file")]
    pub(crate) stop: bool,
}
