//! Hearing of what others change: a line of its own on which the database announces it.
//!
//! An announcement is sent together with the commit, not inside it: inside, the database would let only one writer at
//! a time finish. So one can get lost where a server process dies between the two. Once a second the listener
//! therefore asks for the database's snapshot, which differs after any commit; that also tells whether the line still
//! works.

use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};

use super::fault::Fault;
use super::hub::{Hub, channel};

/// How often anything was changed, as far as we have heard.
#[derive(Debug, Default)]
pub(super) struct Changes {
    count: AtomicU64,
    asked: AtomicU64,
    is_heard: AtomicBool,
}

impl Changes {
    /// Whether somebody should begin to listen: once, after enough calls.
    pub(super) fn begin(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst) + 1 == WORTH_LISTENING
    }

    /// Something was changed.
    pub(super) fn bump(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// Differs after every change that was heard of; and always, as long as nothing is heard.
    pub(super) fn number(&self) -> u64 {
        if self.is_heard.load(Ordering::SeqCst) {
            return self.count.load(Ordering::SeqCst);
        }
        self.count.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn hear(&self, is_heard: bool) {
        self.bump();
        self.is_heard.store(is_heard, Ordering::SeqCst);
    }
}

/// A program that asks a few times and ends is not worth a line of its own.
const WORTH_LISTENING: u64 = 12;

/// How often the line is tried, and how long it may be silent then.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How soon a broken line is made anew.
const AGAIN: Duration = Duration::from_millis(250);

/// Starts to listen, until the hub is closed.
pub(super) fn start(hub: &Rc<Hub>) {
    let ours = Rc::downgrade(hub);
    hub.listen_by(tokio::task::spawn_local(async move {
        while let Some(hub) = ours.upgrade() {
            let Err(fault) = listen(&hub).await;
            hub.changes.hear(false);
            tracing::debug!(?fault, "the store's announcements are not heard");
            drop(hub);
            sleep(AGAIN).await;
        }
    }));
}

async fn listen(hub: &Hub) -> Result<Infallible, Fault> {
    let silence = hub.site.silence();
    let dialled = timeout(silence, hub.site.dial.bare()).await;
    let (client, connection, settings) = dialled.map_err(|_elapsed| Fault::Silent(silence))??;
    let ended = drive(hub, connection);
    let heartbeat = beat(hub, &client, settings);
    match select(Box::pin(ended), Box::pin(heartbeat)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    }
}

/// Takes in what the database says, until it says no more.
async fn drive(
    hub: &Hub,
    mut connection: Connection<Socket, impl TlsStream + Unpin>,
) -> Result<Infallible, Fault> {
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(heard) = message?
            && heard.payload() != hub.site.handle
        {
            hub.changes.bump();
        }
    }
    Err(Fault::Silent(Duration::ZERO))
}

async fn beat(hub: &Hub, client: &Client, settings: &str) -> Result<Infallible, Fault> {
    let silence = hub.site.silence();
    let listen = format!("{settings}; LISTEN {}", channel(&hub.site));
    let listening = timeout(silence, client.batch_execute(&listen)).await;
    listening.map_err(|_elapsed| Fault::Silent(silence))??;
    let mut last = snapshot(client).await?;
    // What was changed before this moment is seen with the next look.
    hub.changes.hear(true);
    loop {
        sleep(HEARTBEAT).await;
        let now = snapshot(client).await?;
        if now != last {
            hub.changes.bump();
            last = now;
        }
    }
}

async fn snapshot(client: &Client) -> Result<String, Fault> {
    let asked = client.query_one("SELECT pg_current_snapshot()::text", &[]);
    let row = timeout(HEARTBEAT, asked).await;
    Ok(row
        .map_err(|_elapsed| Fault::Silent(HEARTBEAT))??
        .try_get(0)?)
}
