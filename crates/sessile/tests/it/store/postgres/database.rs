//! A schema of a test's own, in the database that all tests share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sessile::clock::Timestamp;
use sessile::store::{KeySource, StoreError, StoreOptions, StoreUrl, Vault};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use crate::store::support::Ground;

pub(crate) struct Database {
    /// A line of the test's own, past the store.
    pub(crate) client: Client,
    /// Without the schema.
    pub(crate) server: String,
    schema: String,
    _driver: JoinSet<()>,
}

impl Database {
    pub(crate) async fn new() -> Self {
        Self::on(&server()).await
    }

    /// A schema on another server.
    pub(crate) async fn on(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        let schema = format!("test_{}_{count}", std::process::id());
        // Of an earlier process with the same number.
        let fresh = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; SET search_path = {schema}");
        client.batch_execute(&fresh).await.unwrap();
        Self {
            client,
            server: server.to_owned(),
            schema,
            _driver: driver,
        }
    }

    pub(crate) async fn try_open(
        &self,
        key: &KeySource,
        options: &StoreOptions,
    ) -> Result<Vault, StoreError> {
        let url = StoreUrl::parse(&self.url()).unwrap();
        Vault::open(&url, key, options).await
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    /// An empty schema, unless it is there.
    pub(crate) async fn make_schema(&self) {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {}", self.schema);
        self.sql(&make).await;
    }

    /// The schema's tables with what is in them, as text.
    pub(crate) async fn tables(&self) -> String {
        let dump = "SELECT schema_to_xml($1::text::name, true, true, '')::text";
        let row = self.client.query_one(dump, &[&self.schema]).await.unwrap();
        row.get(0)
    }

    /// Puts a clock that is moved by hand in place of the database's.
    pub(crate) async fn stop_clock(&self) {
        self.sql(
            "CREATE TABLE test_clock AS SELECT 1000000::bigint AS at;
             CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql AS 'SELECT at FROM test_clock'",
        )
        .await;
    }

    pub(crate) async fn now(&self) -> Timestamp {
        let row = self.client.query_one("SELECT now_ms()", &[]).await.unwrap();
        Timestamp::from_millis(row.get(0))
    }

    pub(crate) async fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap();
        let advance = "UPDATE test_clock SET at = at + $1";
        self.client.execute(advance, &[&millis]).await.unwrap();
    }

    /// The same store by way of another address.
    pub(crate) fn url_by(&self, server: &str) -> String {
        format!("{server}?schema={}", self.schema)
    }
}

impl Ground for Database {
    fn url(&self) -> String {
        self.url_by(&self.server)
    }
}

/// The directory of the tests' server.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment tells where it is"
)]
pub(crate) fn directory() -> PathBuf {
    let named = std::env::var("SESSILE_TEST_POSTGRES");
    named.map(PathBuf::from).unwrap_or_else(|_unset| {
        panic!(
            "SESSILE_TEST_POSTGRES is not set: put `scripts/test-postgres run` in front of the command, which starts \
             the PostgreSQL that this test needs"
        )
    })
}

/// The URL of the tests' server.
pub(crate) fn server() -> String {
    let url = std::fs::read_to_string(directory().join("url")).unwrap();
    url.trim().to_owned()
}
