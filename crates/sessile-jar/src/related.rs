//! Secure cookies near a domain: what step 16 of section 5.7 has to know.
//!
//! Cookies above a domain are a few look-ups away. For those below it, a jar of many domains
//! keeps their names sorted by their ends, from the first time somebody asks.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::OnceLock;

use crate::domain::{is_address, self_and_parents};
use crate::index::{Bucket, Domains};
use crate::jar::Jar;
use crate::path::path_matches;
use crate::{Refusal, Timestamp};

/// In a jar of up to so many domains all of them are looked at.
const FEW: usize = 32;

/// The names of all domains, read backwards; made when they are needed first.
#[derive(Clone, Default)]
pub(crate) struct Backwards(OnceLock<Names>);

type Names = BTreeSet<Box<[u8]>>;

impl Backwards {
    pub(crate) fn add(&mut self, domain: &str) {
        if let Some(names) = self.0.get_mut() {
            names.insert(backwards(domain));
        }
    }

    pub(crate) fn remove(&mut self, domain: &str) {
        if let Some(names) = self.0.get_mut() {
            names.remove(&backwards(domain));
        }
    }

    /// The names below a domain.
    fn below<'a>(&'a self, all: &Domains, domain: &str) -> impl Iterator<Item = String> + 'a {
        let names = self.0.get_or_init(|| {
            let names = all.iter().map(|(name, _)| backwards(name));
            names.collect()
        });
        let mut start = backwards(domain).into_vec();
        start.push(b'.');
        let range = (Bound::Included(&*start), Bound::Unbounded);
        let from = names.range::<[u8], _>(range);
        from.take_while(move |name| name.starts_with(&start))
            .filter_map(|name| String::from_utf8(name.iter().rev().copied().collect()).ok())
    }
}

fn backwards(domain: &str) -> Box<[u8]> {
    domain.bytes().rev().collect()
}

impl Jar {
    /// Step 16: refused if a Secure cookie of that name lies where the cookie would overlay it.
    pub(crate) fn leave_secure(
        &self,
        name: &[u8],
        domain: &str,
        path: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let is_twin = |bucket: &Bucket| {
            bucket.records().iter().any(|record| {
                // 16.1: the name. 16.2: Secure. 16.4: the path.
                record.flags.is_secure()
                    && record.name() == name
                    && path_matches(path, record.path())
                    && !record.is_expired(now)
            })
        };
        if self.secure_len > 0 && self.any_related(domain, is_twin) {
            return Err(Refusal::OverwriteSecure);
        }
        Ok(())
    }

    /// 16.3: whether any bucket of this domain, above it or below it is such.
    fn any_related(&self, domain: &str, is_twin: impl Fn(&Bucket) -> bool) -> bool {
        // The same domain, or one above.
        let mut above = self_and_parents(domain).filter_map(|name| self.domains.get(name));
        if above.any(&is_twin) {
            return true;
        }
        // The other way round.
        if self.domains.len() <= FEW {
            let is_below = |name: &str| {
                let rest = name.strip_suffix(domain);
                rest.is_some_and(|rest| rest.ends_with('.')) && !is_address(name)
            };
            let mut all = self.domains.iter();
            return all.any(|(name, bucket)| is_below(name) && is_twin(bucket));
        }
        self.backwards
            .below(&self.domains, domain)
            .filter(|name| !is_address(name))
            .filter_map(|name| self.domains.get(&name))
            .any(is_twin)
    }
}
