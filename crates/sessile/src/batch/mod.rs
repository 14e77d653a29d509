//! Many targets through a session: one request each, some at once, one line of output for each.
//!
//! The output is the journal (`journal`): a batch that was ended goes on where it was. What becomes
//! of a target after an attempt is decided in `again`, without IO; `run` is the loop that carries it
//! out; `template` makes the requests. How a session is had, or kept logged in, is not here.

mod again;
mod body;
mod done;
mod error;
mod journal;
mod line;
mod list;
mod outcome;
mod run;
mod target;
mod template;
mod through;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest as _};
use tokio_util::sync::CancellationToken;

pub use again::Patience;
pub use body::Bodies;
pub use error::BatchError;
pub use journal::{Failures, Found, Origin, Output};
pub use list::Targets;
pub use target::{BadTarget, LONGEST_TARGET, Target, TargetFault};
pub use template::{Field, PLACEHOLDER, Template};
pub use through::{Pooled, Through};

use journal::RequestMark;
use run::Run;

/// One request for each of many targets.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
/// use sessile::Session;
/// use sessile::batch::{Batch, BatchOptions, Origin, Targets, Template, Through};
///
/// let template = Template::get().url("https://shop.example/items/{target}")?;
/// let session = Session::builder().build()?;
/// let batch = Batch::new(Through::Plain(session), template, BatchOptions::default());
/// let output = batch.output(Path::new("items.jsonl"), &Origin::new("ids.txt"))?;
/// let targets = Targets::file(Path::new("ids.txt"))?;
/// let report = batch.run(targets, output, &mut |_progress| {}).await?;
/// println!("{} done, {} failed", report.done, report.failed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    through: Through,
    template: Template,
    options: BatchOptions,
    stop: Stop,
}

/// How a batch is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchOptions {
    /// How many targets are under way at once. Defaults to 8.
    pub concurrency: NonZeroUsize,
    /// How often a target is tried. Defaults to [`Patience::default`].
    pub patience: Patience,
    /// What becomes of the bodies. Defaults to the lines, of each at most a MiB.
    pub bodies: Bodies,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(8).expect("8 isn't 0"),
            patience: Patience::default(),
            bodies: Bodies::default(),
        }
    }
}

/// Ends a batch: what is under way is finished, nothing else is begun.
#[derive(Clone, Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Ends it.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

/// How far a batch is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// How many targets there are, where that is known.
    pub total: Option<u64>,
    /// How many had a line before.
    pub before: u64,
    /// How many got their line in this run, failures among them.
    pub done: u64,
    /// How many of these failed.
    pub failed: u64,
    /// How many lines of the list repeat another one.
    pub duplicates: u64,
    /// How many were sent without the pool, for lack of a session.
    pub fallbacks: u64,
    /// Why the first of them was.
    pub why_fallback: Option<Arc<str>>,
    /// How many are under way.
    pub running: u64,
    /// What those under way wait for that have no session yet.
    pub lack: Option<Lack>,
    /// How many wait to be tried again.
    pub waiting: u64,
}

/// Targets that wait for a session of the pool.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Lack {
    /// How many of them there are.
    pub targets: u64,
    /// For how long none of them has got one.
    pub waited: Duration,
    /// What stands in the way.
    pub why: Arc<str>,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// How many targets had a line before.
    pub before: u64,
    /// How many got their line in this run, failures among them.
    pub done: u64,
    /// How many of these failed.
    pub failed: u64,
    /// How many lines of the list repeat another one.
    pub duplicates: u64,
    /// How many were sent without the pool, for lack of a session.
    pub fallbacks: u64,
    /// How many lines of the output are for targets that aren't in the list; known only where the
    /// whole list was read.
    pub strangers: u64,
    /// How the batch ended.
    pub end: End,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// Every target has its line.
    #[default]
    Complete,
    /// It was stopped.
    Stopped,
}

impl Batch {
    /// A batch that isn't begun yet.
    pub fn new(through: Through, template: Template, options: BatchOptions) -> Self {
        Self {
            through,
            template,
            options,
            stop: Stop::default(),
        }
    }

    /// What ends it early.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Opens a file for the output, or makes it; what has a line there is done. Where the path names
    /// something else, as a pipe or a device, lines are written to it and nothing is remembered.
    ///
    /// # Errors
    ///
    /// [`BatchError::Busy`], [`BatchError::NotOurs`], [`BatchError::OtherRequest`] and
    /// [`BatchError::Output`]; nothing was changed then.
    pub fn output(&self, path: &Path, origin: &Origin) -> Result<Output, BatchError> {
        Output::open(path, origin, &self.mark())
    }

    /// Does the targets that have no line yet; `watch` is called with each change.
    ///
    /// Lines are appended whole, and are on the disk within a second and when this returns.
    ///
    /// # Errors
    ///
    /// [`BatchError`] where the batch can't go on; a target that fails is a line of the output.
    pub async fn run(
        &self,
        targets: Targets,
        output: Output,
        watch: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Report, BatchError> {
        Run::begin(self, targets, output, watch).finish().await
    }

    fn mark(&self) -> RequestMark {
        let hash: [u8; 16] = Blake2b::<U16>::digest(self.template.outline().as_bytes()).into();
        RequestMark {
            hash: format!("{:032x}", u128::from_be_bytes(hash)),
            shown: self.template.shown(),
        }
    }
}
