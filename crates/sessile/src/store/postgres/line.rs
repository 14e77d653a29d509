//! Connections: how one is made, and one that is lent out.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Connect, Object};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Connection, Error, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;
use crate::store::postgres_url::{PostgresHost, PostgresTls};
use crate::store::{PostgresUrl, StoreError, StoreOptions, files};
use crate::transport::{TlsOptions, Trust, client_config};

/// How a connection is made and made ready.
#[derive(Clone)]
pub(super) struct Dial {
    config: Config,
    tls: MakeRustlsConnect,
    /// What every connection is told first.
    settings: String,
}

impl Dial {
    pub(super) fn new(url: &PostgresUrl, options: &StoreOptions) -> Result<Self, StoreError> {
        let mut config = Config::new();
        config
            .user(&url.user)
            .dbname(&url.database)
            .port(url.port)
            .application_name("sessile")
            .connect_timeout(options.lock_timeout)
            .tcp_user_timeout(options.lock_timeout)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .ssl_mode(match url.tls {
                PostgresTls::Off => SslMode::Disable,
                PostgresTls::Verified { .. } => SslMode::Require,
            });
        match &url.host {
            PostgresHost::Socket(folder) => config.host_path(folder),
            PostgresHost::Tcp(name) => config.host(name),
        };
        if let Some(password) = url.password() {
            config.password(password.expose());
        }
        Ok(Self {
            config,
            tls: tls(url)?,
            settings: settings(url, options),
        })
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// A connection that nobody drives yet, and what it is to be told first.
    pub(super) async fn bare(
        &self,
    ) -> Result<
        (
            Client,
            Connection<Socket, impl TlsStream + Unpin + Send + use<>>,
            &str,
        ),
        Error,
    > {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        Ok((client, connection, &self.settings))
    }
}

impl Connect for Dial {
    fn connect(
        &self,
        _config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async {
            let (client, connection, settings) = self.bare().await?;
            let driver = drive(connection);
            match client.batch_execute(settings).await {
                Ok(()) => Ok((client, driver)),
                Err(error) => {
                    driver.abort();
                    Err(error)
                }
            }
        })
    }
}

/// A program on a busy machine may take some milliseconds between two of its statements.
const SHORTEST_IDLE: u128 = 1000;

/// Moves the connection's bytes, until it is dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "the pool owns the task: it ends it with the connection"
)]
fn drive(
    connection: Connection<Socket, impl TlsStream + Unpin + Send + 'static>,
) -> JoinHandle<()> {
    tokio::task::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the store ended");
        }
    })
}

/// Time-outs let the database give up before we do. A process that stands still in the middle of a change, holding its
/// locks, is thrown out while others still wait. Whoever runs the database may have made commits quick to forget: what
/// is acknowledged here is on disk.
fn settings(url: &PostgresUrl, options: &StoreOptions) -> String {
    let patience = options.lock_timeout.as_millis().clamp(2, 1 << 30);
    format!(
        "SET search_path = {schema};
         SET lock_timeout = {patience};
         SET statement_timeout = {statement};
         SET idle_in_transaction_session_timeout = {idle};
         SET default_transaction_isolation = 'read committed';
         SET client_min_messages = warning;
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        schema = url.schema,
        statement = patience * 3 / 2,
        idle = (patience / 2).max(SHORTEST_IDLE),
    )
}

fn tls(url: &PostgresUrl) -> Result<MakeRustlsConnect, StoreError> {
    let failed = |detail: String| StoreError::Unreachable {
        place: url.to_string(),
        detail,
    };
    let PostgresTls::Verified { extra_root } = &url.tls else {
        return trust_nobody().map_err(|error| failed(error.to_string()));
    };
    let mut options = TlsOptions::default();
    if let Some(path) = extra_root {
        let pem = std::fs::read(path);
        let pem = pem.map_err(|error| files::failed("read the authority in", path, &error))?;
        options.trust = Trust::SystemAnd(pem);
    }
    let config = client_config(&options).map_err(|error| failed(error.to_string()))?;
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

/// For a line without TLS, which asks nobody: the system's authorities take milliseconds to read.
fn trust_nobody() -> Result<MakeRustlsConnect, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// A connection that is lent out. Dropped, it is closed, since nobody knows what state it is in; see [`Line::put_back`].
pub(super) struct Line {
    client: Option<Object>,
    silence: Duration,
}

impl Line {
    pub(super) const fn new(client: Object, silence: Duration) -> Self {
        Self {
            client: Some(client),
            silence,
        }
    }

    /// Leaves it to others; no transaction is open on it.
    pub(super) fn put_back(mut self) {
        drop(self.client.take());
    }

    pub(super) fn client(&self) -> &Object {
        self.client
            .as_ref()
            .expect("it is lent until it is put back")
    }

    /// A statement, prepared the first time it is met on this line.
    pub(super) async fn prepared(&self, sql: &'static str) -> Result<Statement, Fault> {
        self.heard(self.client().prepare_cached(sql)).await
    }

    pub(super) async fn rows(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let statement = self.prepared(sql).await?;
        self.heard(self.client().query(&statement, values)).await
    }

    pub(super) async fn row(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<tokio_postgres::Row>, Fault> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    pub(super) async fn execute(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        let statement = self.prepared(sql).await?;
        self.heard(self.client().execute(&statement, values)).await
    }

    /// Statements without values or answers.
    pub(super) async fn say(&self, sql: &str) -> Result<(), Fault> {
        self.heard(self.client().batch_execute(sql)).await
    }

    /// Waits for an answer, for as long as one can be expected.
    pub(super) async fn heard<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        match timeout(self.silence, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_elapsed) => Err(Fault::Silent(self.silence)),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}
