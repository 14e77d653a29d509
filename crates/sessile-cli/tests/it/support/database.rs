//! A schema of a test's own in the PostgreSQL that `scripts/test-postgres` started.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Invocation, prepared};

pub(crate) struct Database {
    url: String,
    place: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        // A server may have outlived a process with the same number.
        let mut unique = tempfile::NamedTempFile::new()
            .unwrap()
            .path()
            .display()
            .to_string();
        unique.retain(|c| c.is_ascii_alphanumeric());
        let unique = unique.to_ascii_lowercase();
        let server = fs::read_to_string(prepared("SESSILE_TEST_POSTGRES").join("url")).unwrap();
        let url = format!("{}?schema=cli_{unique}_{count}", server.trim());
        let place = url.replace(":practice@", "@");
        Self { url, place }
    }

    /// Its URL, password and all.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What is shown of it.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// A run with the store in this database, and the key to it.
    pub(crate) fn used_by(&self, invocation: Invocation) -> Invocation {
        invocation
            .environment("SESSILE_STORE", &self.url)
            .environment("SESSILE_KEY", "a5".repeat(32))
    }
}
