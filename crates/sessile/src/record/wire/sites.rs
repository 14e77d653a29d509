//! Site files that were kept with records, read once for all sessions of a site.

use std::hash::BuildHasher as _;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use foldhash::HashMap;

use super::WireError;
use crate::site::Site;

/// Those that somebody uses, by the hash of what was kept: a pool has one site file and many
/// thousand records.
static READ: LazyLock<Mutex<HashMap<u64, Weak<Site>>>> = LazyLock::new(Mutex::default);

/// A site file that was read when it was kept is read again, unless it is in use.
pub(super) fn read(name: &str, source: &str) -> Result<Arc<Site>, WireError> {
    let key = all().hasher().hash_one((name, source));
    let known = all().get(&key).and_then(Weak::upgrade);
    // Two that differ may have one hash.
    if let Some(site) = known.filter(|site| site.name == name && site.source == source) {
        return Ok(site);
    }
    let site = Site::parse(source, name).map_err(|errors| WireError::Malformed {
        what: format!("the site file kept with it: {errors}"),
    })?;
    let name = name.to_owned();
    let site = Arc::new(Site { name, ..site });
    let mut all = all();
    all.retain(|_, site| site.strong_count() > 0);
    all.insert(key, Arc::downgrade(&site));
    Ok(site)
}

fn all() -> MutexGuard<'static, HashMap<u64, Weak<Site>>> {
    READ.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_in_use_is_not_read_again() {
        let file = "base_url = \"http://sites.test\"\n[login]\nurl = \"/\"\n";
        let first = read("a", file).unwrap();
        assert!(Arc::ptr_eq(&first, &read("a", file).unwrap()));
        let other = read("b", file).unwrap();
        assert_eq!((&*first.name, &*other.name), ("a", "b"));
        let weak = Arc::downgrade(&first);
        drop(first);
        assert!(weak.upgrade().is_none());
        assert_eq!(read("a", file).unwrap().source, file);
        assert!(read("a", "no site file").is_err());
    }
}
