//! Who asks: what RFC 6265bis wants to know of a request beside its URL (sections 5.2, 5.8).
//!
//! Whether a request is same-site is the caller's to work out; the jar has no documents.

use std::sync::Arc;

use crate::suffix::{SuffixList, registrable};
use crate::target::Target;

/// The circumstances of a request or of a script's access.
///
/// The default is a program's own request: over HTTP, same-site, no navigation, and its own
/// top-level site.
///
/// ```
/// use sessile_jar::{Context, Navigation, Site};
///
/// let mut followed_link = Context::default();
/// followed_link.site = Site::CrossSite;
/// followed_link.navigation = Navigation::Safe;
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    /// Through what the cookies are read or set. Defaults to [`Api::Http`].
    pub api: Api,
    /// Where the request comes from. Defaults to [`Site::SameSite`].
    pub site: Site,
    /// Whether a window goes there. Defaults to [`Navigation::No`].
    pub navigation: Navigation,
    /// The top-level site the request is made under. Defaults to none, which stands for the
    /// target's own site.
    pub partition: Option<Partition>,
}

/// Through what cookies are read or set.
#[expect(clippy::exhaustive_enums, reason = "the specification has these two")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Api {
    /// The header fields of HTTP.
    #[default]
    Http,
    /// A script, as through `document.cookie`.
    NonHttp,
}

/// Whether a request goes to the site it comes from (section 5.2).
#[expect(clippy::exhaustive_enums, reason = "the specification has these two")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Site {
    /// It comes from another site.
    CrossSite,
    /// It comes from the site it goes to, or from nobody: a typed URL, a program.
    #[default]
    SameSite,
}

/// Whether a request navigates a top-level window, and how.
#[expect(clippy::exhaustive_enums, reason = "the specification has these three")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Navigation {
    /// It does not: an image, a frame, a script's request.
    #[default]
    No,
    /// It does, by a safe method: GET, HEAD, OPTIONS or TRACE.
    Safe,
    /// It does, by another method.
    Unsafe,
}

/// The partition of cookies set with `Partitioned`: the top-level site they were set under.
///
/// ```
/// use sessile_jar::{Ancestors, Partition, PublicSuffixes, Target};
///
/// let page = Target::parse("https://www.shop.example/")?;
/// let partition = Partition::of(&page, Ancestors::SameSite, &PublicSuffixes);
/// assert_eq!(partition.site(), "https://shop.example");
/// # Ok::<(), sessile_jar::BadUrl>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partition {
    site: Arc<str>,
    ancestors: Ancestors,
}

/// Whether a frame of another site lies between a request and its top-level site.
#[expect(clippy::exhaustive_enums, reason = "the proposal has these two")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ancestors {
    /// One does, or the request's own site is another.
    CrossSite,
    /// None does.
    #[default]
    SameSite,
}

impl Partition {
    /// The partition of a top-level site written as a browser's storage has it,
    /// `https://example.com`.
    pub fn new(site: &str, ancestors: Ancestors) -> Self {
        Self {
            site: site.into(),
            ancestors,
        }
    }

    /// The partition of a top-level page.
    pub fn of(page: &Target<'_>, ancestors: Ancestors, suffixes: &dyn SuffixList) -> Self {
        let site = registrable(suffixes, page.host());
        Self {
            site: format!("{}://{site}", page.site_scheme()).into(),
            ancestors,
        }
    }

    /// The top-level site: scheme and registrable domain.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// What lies between the request and that site.
    pub fn ancestors(&self) -> Ancestors {
        self.ancestors
    }
}
