//! What may be shown of values that can carry secrets.

use std::fmt;

use http::HeaderMap;
use url::Url;

/// A URL as logs and errors show it: no user name, no password, no query values, no fragment.
///
/// ```
/// use sessile::ShownUrl;
///
/// let url = "https://ada:pw@example.com/reset?token=abc&step=2#x".parse().unwrap();
/// assert_eq!(ShownUrl(&url).to_string(), "https://example.com/reset?token=…&step=…");
/// ```
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper for display only")]
pub struct ShownUrl<'a>(pub &'a Url);

impl fmt::Display for ShownUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or(""))?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())?;
        let pairs = url.query().unwrap_or("").split('&');
        for (index, pair) in pairs.filter(|pair| !pair.is_empty()).enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match pair.split_once('=') {
                Some((name, "")) => write!(f, "{name}=")?,
                Some((name, _)) => write!(f, "{name}=…")?,
                // A lone word may be a token as well as a flag.
                None => f.write_str("…")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ShownUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Headers as `Debug` shows them: their names. Any of the values can be a key.
pub(crate) struct ShownHeaders<'a>(pub(crate) &'a HeaderMap);

impl fmt::Debug for ShownHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
