//! The headers of a session, kept small: most sessions of a process are idle.
//!
//! They are read once for many requests; see `prepare`.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How many bytes the two lengths of a header take.
const LENGTHS: usize = 2 * size_of::<u32>();

/// The headers that were set for every request of a session, in order.
///
/// ```
/// use sessile::Session;
///
/// let session = Session::builder().header("X-Key", "7").build()?;
/// let headers = session.read(|state| state.headers().clone());
/// assert_eq!(headers.get("x-key").unwrap(), "7");
/// # Ok::<(), sessile::Error>(())
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Headers {
    /// For each the lengths of name and value, then both.
    packed: Vec<u8>,
}

impl Headers {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<HeaderValue> {
        let mut fields = self.fields();
        let (_, value) = fields.find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))?;
        HeaderValue::from_bytes(value).ok()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.fields().filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        })
    }

    /// Makes room for headers of so many bytes in all.
    pub(crate) fn reserve(&mut self, headers: usize, bytes: usize) {
        self.packed.reserve_exact(headers * LENGTHS + bytes);
    }

    /// Puts a header in the place of those of its name.
    pub(crate) fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        if self
            .fields()
            .any(|(own, _)| own == name.as_str().as_bytes())
        {
            let mut others = Self::default();
            let mut is_set = false;
            for (own, old) in self.iter() {
                if own != *name {
                    others.append(&own, &old);
                } else if !is_set {
                    others.append(name, value);
                    is_set = true;
                }
            }
            *self = others;
        } else {
            self.append(name, value);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.packed = Vec::new();
    }

    /// Adds a header beside those of its name.
    pub(crate) fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        self.packed
            .reserve_exact(name.len() + value.len() + LENGTHS);
        for part in [name, value] {
            let length = u32::try_from(part.len()).expect("no header has 4 GiB");
            self.packed.extend_from_slice(&length.to_le_bytes());
        }
        self.packed.extend_from_slice(name);
        self.packed.extend_from_slice(value);
    }

    /// The same as a map.
    pub(super) fn to_map(&self) -> HeaderMap {
        self.iter().collect()
    }

    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &*self.packed;
        std::iter::from_fn(move || {
            let (lengths, after) = rest.split_first_chunk::<LENGTHS>()?;
            let [n0, n1, n2, n3, v0, v1, v2, v3] = *lengths;
            let name = u32::from_le_bytes([n0, n1, n2, n3]) as usize;
            let value = u32::from_le_bytes([v0, v1, v2, v3]) as usize;
            let (name, after) = after.split_at_checked(name)?;
            let (value, after) = after.split_at_checked(value)?;
            rest = after;
            Some((name, value))
        })
    }
}

impl IntoIterator for &Headers {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

/// Shows the names: a value may be a key.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_takes_the_place_of_its_name() {
        let mut headers = Headers::default();
        assert!(headers.is_empty());
        for (name, value) in [("a", "1"), ("b", ""), ("a", "x: y"), ("c", "\u{e9}")] {
            let name = HeaderName::from_static(name);
            headers.set(&name, &HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let pairs: Vec<_> = headers.iter().collect();
        let text = |(name, value): &(HeaderName, HeaderValue)| {
            format!("{name}={}", String::from_utf8_lossy(value.as_bytes()))
        };
        let texts: Vec<_> = pairs.iter().map(text).collect();
        assert_eq!(texts, ["a=x: y", "b=", "c=\u{e9}"]);
        assert_eq!(headers.get("A").unwrap(), "x: y");
        assert_eq!(headers.get("d"), None);
        assert_eq!(format!("{headers:?}"), "[\"a\", \"b\", \"c\"]");
    }
}
