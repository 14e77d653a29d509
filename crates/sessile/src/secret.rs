//! A value that must not be seen: wiped from memory when dropped, never printed.

use std::fmt;

use zeroize::Zeroize;

/// The variables that open a store: none of a child process's business.
pub const STORE_VARIABLES: [&str; 3] = [
    "SESSILE_KEY",
    "SESSILE_PASSPHRASE",
    "SESSILE_STORE_PASSWORD",
];

/// A password, a token or a key.
///
/// It has no `Display` and no `Serialize`; `Debug` shows `[secret]`. The one way to the value is
/// [`Secret::expose`], so that a search for that word finds every place that looks.
///
/// ```
/// use sessile::Secret;
///
/// let password = Secret::from("correct horse".to_owned());
/// assert_eq!(format!("{password:?}"), "[secret]");
/// assert_eq!(password.expose(), "correct horse");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value; from here on only [`Secret::expose`] shows it.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one line that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
