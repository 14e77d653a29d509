//! What pages keep with a browser beside cookies: `localStorage`, by origin.

use std::fmt;

use crate::secret::Secret;

/// What the pages of one origin keep in a browser's `localStorage`.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct OriginStorage {
    /// The origin, as `https://shop.example`.
    pub(crate) origin: String,
    /// Names and values, sorted by name. Some sites keep their login here.
    pub(crate) items: Vec<(String, Secret<String>)>,
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
