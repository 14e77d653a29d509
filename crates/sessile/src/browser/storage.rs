//! What pages keep with a browser beside cookies: `localStorage`, by origin.

use std::fmt;

use crate::secret::Secret;

/// What the pages of one origin keep in a browser's `localStorage` (HTML, section 12.2.2).
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct OriginStorage {
    /// The origin, as `https://shop.example`.
    pub origin: String,
    /// Names and values, sorted by name. Some sites keep their login here.
    pub items: Vec<(String, Secret<String>)>,
}

impl OriginStorage {
    /// The items of an origin.
    pub fn new(origin: impl Into<String>, mut items: Vec<(String, Secret<String>)>) -> Self {
        items.sort_by(|one, other| one.0.cmp(&other.0));
        Self {
            origin: origin.into(),
            items,
        }
    }
}

/// Shows no value: many are tokens.
impl fmt::Debug for OriginStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.items.iter().map(|(name, _)| name).collect();
        f.debug_struct("OriginStorage")
            .field("origin", &self.origin)
            .field("items", &names)
            .finish()
    }
}

/// Puts what was captured in the place of what is known of the same origins.
pub(crate) fn bring(known: &mut Vec<OriginStorage>, captured: Option<OriginStorage>) {
    let Some(fresh) = captured else {
        return;
    };
    known.retain(|old| old.origin != fresh.origin);
    if !fresh.items.is_empty() {
        known.push(fresh);
    }
}
