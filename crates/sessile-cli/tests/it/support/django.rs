//! Django's admin, and its side of the story: sessions in its database, logins in its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Gunicorn, Outcome, Person, prepared};

/// Who may enter the admin.
pub(crate) const ADMIN: &str = "admin";

/// What only those who are logged in see.
pub(crate) const MEMBERS_PAGE: &str = "Site administration";

/// A running Django with a database of its own.
pub(crate) struct Django {
    data: TempDir,
    password: String,
    server: Gunicorn,
}

impl Django {
    pub(crate) fn start() -> Self {
        let prepared = prepared("SESSILE_TEST_DJANGO");
        let data = tempfile::tempdir().unwrap();
        let database = data.path().join("db.sqlite3");
        fs::copy(prepared.join("db.sqlite3"), database).unwrap();
        let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sites/django");
        let server = Gunicorn::start("wsgi:application", |command| {
            command.current_dir(code).env("SITE_DATA", data.path());
        });
        let password = fs::read_to_string(prepared.join("password")).unwrap();
        Self {
            data,
            password,
            server,
        }
    }

    /// The page that only the admin sees, and only with a code.
    pub(crate) fn guarded_admin(&self) -> String {
        format!("{}/otp/", self.server.url())
    }

    /// The file with what the admin's codes are made from.
    pub(crate) fn otp_secret_file(&self) -> PathBuf {
        prepared("SESSILE_TEST_DJANGO").join("otp-secret")
    }

    /// The page that only the admin sees.
    pub(crate) fn admin(&self) -> String {
        format!("{}/admin/", self.server.url())
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The part of the password that reads the same in every encoding of text.
    pub(crate) fn password_needle(&self) -> &str {
        self.password.rsplit(' ').next().unwrap()
    }

    /// Logs somebody in as the session `dj`.
    pub(crate) fn log_in(&self, person: &Person, options: &str) -> Outcome {
        self.log_in_with(person, options, &self.password)
    }

    pub(crate) fn log_in_with(&self, person: &Person, options: &str, password: &str) -> Outcome {
        let admin = self.admin();
        let line = format!("login dj {admin} --username {ADMIN} --password-stdin {options}");
        person.sessile(&line).input(format!("{password}\n")).run()
    }

    /// How many logins succeeded, by Django's own account.
    pub(crate) fn logins(&self) -> usize {
        self.logged("logged in ")
    }

    /// How many logins were refused, by Django's own account.
    pub(crate) fn refusals(&self) -> usize {
        self.logged("refused ")
    }

    /// The values that its `sessionid` cookies have at this moment.
    pub(crate) fn session_ids(&self) -> Vec<String> {
        let database = self.database();
        let mut rows = database
            .prepare("SELECT session_key FROM django_session")
            .unwrap();
        let ids = rows.query_map([], |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect()
    }

    /// Every login dies.
    pub(crate) fn forget_sessions(&self) {
        let deleted = self
            .database()
            .execute("DELETE FROM django_session", [])
            .unwrap();
        assert!(deleted > 0, "there was no session to forget");
    }

    fn database(&self) -> Connection {
        let database = Connection::open(self.data.path().join("db.sqlite3")).unwrap();
        database.busy_timeout(Duration::from_secs(30)).unwrap();
        database
    }

    fn logged(&self, start: &str) -> usize {
        let path: PathBuf = self.data.path().join("logins.log");
        let log = fs::read_to_string(path).unwrap_or_default();
        log.lines().filter(|line| line.starts_with(start)).count()
    }
}
