//! What can be set about a jar.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::suffix::{PublicSuffixes, SuffixList};

/// The settings of a jar, shared by as many jars as like.
///
/// ```
/// use std::sync::Arc;
/// use sessile_jar::{Jar, Options};
///
/// let mut options = Options::default();
/// options.limits.per_domain = 50;
/// let options = Arc::new(options);
/// let (first, second) = (Jar::with(options.clone()), Jar::with(options));
/// # let _ = (first, second);
/// ```
#[non_exhaustive]
#[derive(Clone)]
pub struct Options {
    /// How many cookies are kept. Defaults to what browsers keep.
    pub limits: Limits,
    /// The public suffixes. Defaults to [`PublicSuffixes`].
    pub suffixes: Arc<dyn SuffixList>,
    /// Who makes the changes of this process, when several hold copies of one jar; each should
    /// have a number of its own, chosen at random. Defaults to 0.
    pub writer: u32,
}

/// How many cookies a jar keeps; what is over is evicted in the order of section 5.7.
///
/// ```
/// use sessile_jar::{Jar, Limits, Options};
///
/// let mut options = Options::default();
/// options.limits = Limits::NONE;
/// let jar = Jar::with(options);
/// # let _ = jar;
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Cookies of one domain; those of each partition are counted for themselves.
    /// Defaults to 180.
    pub per_domain: usize,
    /// Cookies in all. Defaults to 3,300.
    pub total: usize,
    /// Removals remembered for merging; the oldest are forgotten first. Defaults to 1,000.
    pub removals: usize,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self {
        per_domain: usize::MAX,
        total: usize::MAX,
        removals: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_domain: 180,
            total: 3300,
            removals: 1000,
        }
    }
}

impl Options {
    /// The default options, made once for all jars.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Options>> = OnceLock::new();
        SHARED.get_or_init(Arc::default).clone()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            suffixes: Arc::new(PublicSuffixes),
            writer: 0,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("limits", &self.limits)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}
