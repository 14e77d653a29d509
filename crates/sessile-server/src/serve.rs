//! Taking connections, and stopping without cutting anybody off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;

use crate::api::Api;
use crate::daemon::{Daemon, Shared};
use crate::listen::{Accepted, Listener, Stream};
use crate::pools::Ended;

/// How a daemon came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Connections that were closed while something still ran on them.
    pub cut_off: usize,
    /// Leases that had not been given back.
    pub leases_cut_off: usize,
    /// Sessions whose last changes could not be stored.
    pub unsaved: usize,
}

/// Serves until `shutdown` is ready, then lets what runs come to its end, for as long as the daemon's
/// `drain` says, and stores everything.
pub async fn serve(
    listener: Listener,
    daemon: Daemon,
    shutdown: impl Future<Output = ()>,
) -> Report {
    let shared = daemon.0;
    let api = Api::new(&shared, listener.is_plain_loopback());
    let (opened, are_opened) = oneshot::channel();
    let housekeeping = keep_house(Arc::clone(&shared), opened);
    let housekeeping = shared.tasks.spawn(housekeeping);
    let house = Connections::new(&shared, api);
    let serving = async {
        _ = are_opened.await;
        house.take(&listener).await
    };
    tokio::select! {
        never = serving => match never {},
        () = shutdown => {}
    }
    tracing::info!("stopping");
    shared.closing.cancel();
    let began = Instant::now();
    // Connections are taken for as long as there are leases, so that these can be given back.
    let leases = tokio::select! {
        never = house.take(&listener) => match never {},
        leases = shared.close_pools(housekeeping) => leases,
    };
    drop(listener);
    shared.stop.cancel();
    let left = shared.options.drain.saturating_sub(began.elapsed());
    let cut_off = house.end(left.max(LEAST)).await;
    let unsaved = shared.close().await;
    let leases_cut_off = leases.cut_off;
    tracing::info!(cut_off, leases_cut_off, unsaved, "stopped");
    Report {
        cut_off,
        leases_cut_off,
        unsaved,
    }
}

/// The open connections.
struct Connections {
    shared: Arc<Shared>,
    api: Arc<Api>,
    free: Arc<Semaphore>,
    /// Cancelled when what still runs is cut off.
    cut: CancellationToken,
}

impl Connections {
    fn new(shared: &Arc<Shared>, api: Api) -> Self {
        Self {
            shared: Arc::clone(shared),
            api: Arc::new(api),
            free: Arc::new(Semaphore::new(shared.options.max_connections)),
            cut: CancellationToken::new(),
        }
    }

    async fn take(&self, listener: &Listener) -> Infallible {
        let mut is_stuck = false;
        loop {
            let accepted = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most often there are no descriptors left, which passes.
                    if !std::mem::replace(&mut is_stuck, true) {
                        tracing::warn!(%error, "cannot take connections");
                    }
                    sleep(PAUSE).await;
                    continue;
                }
            };
            if std::mem::take(&mut is_stuck) {
                tracing::info!("connections are taken again");
            }
            match Arc::clone(&self.free).try_acquire_owned() {
                Ok(permit) => {
                    let connection = self.connection(permit);
                    self.shared.tasks.spawn(connection.run(accepted));
                }
                Err(_none_free) => self.shared.metrics.refused(),
            }
        }
    }

    fn connection(&self, permit: OwnedSemaphorePermit) -> Connection {
        Connection {
            shared: Arc::clone(&self.shared),
            api: Arc::clone(&self.api),
            cut: self.cut.clone(),
            _permit: permit,
        }
    }

    /// Waits until all have ended; answers how many had to be cut off.
    async fn end(self, drain: Duration) -> usize {
        let tasks = &self.shared.tasks;
        tasks.close();
        if timeout(drain, tasks.wait()).await.is_ok() {
            return 0;
        }
        let left = self.shared.options.max_connections - self.free.available_permits();
        self.cut.cancel();
        // What doesn't hear of it ends with the program.
        _ = timeout(PAUSE * 10, tasks.wait()).await;
        left
    }
}

struct Connection {
    shared: Arc<Shared>,
    api: Arc<Api>,
    cut: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, accepted: Accepted) {
        let _counted = Counted::new(self.shared.metrics.connections());
        if let Some(stream) = self.secured(accepted).await {
            self.serve(stream).await;
        }
    }

    async fn secured(&self, accepted: Accepted) -> Option<Stream> {
        let (acceptor, stream) = match accepted {
            Accepted::Plain(stream) => return Some(stream),
            Accepted::Tls(acceptor, stream) => (acceptor, stream),
        };
        let patience = self.shared.options.patience;
        match timeout(patience, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(Box::pin(stream)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no TLS connection");
                None
            }
            Err(_elapsed) => None,
        }
    }

    async fn serve(&self, stream: Stream) {
        let (api, patience) = (&self.api, self.shared.options.patience);
        let service = service_fn(move |request: Request<Incoming>| async move {
            let request = request.map(|body| patient(body, patience));
            Ok::<_, Infallible>(api.answer(request).await)
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = self.shared.stop.cancelled() => {
                // What runs on it is answered, and nothing more is taken.
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = serving.as_mut() => ended,
                    () = self.cut.cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// One more of what is counted, until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// A body whose pauses have an end. The wrapper would hide that there is none.
fn patient(body: Incoming, patience: Duration) -> Body {
    match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(TimeoutBody::new(patience, body)),
    }
}

/// Opens the pools, then looks after what nobody waits for: idle sessions, uses of tokens,
/// measurements.
async fn keep_house(shared: Arc<Shared>, opened: oneshot::Sender<()>) {
    shared.open_pools().await;
    // Nobody waits for it where the daemon is to stop already.
    _ = opened.send(());
    loop {
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = sleep(HOUSEKEEPING) => {}
        }
        shared.metrics.tidy();
        shared.pools.leases.tidy();
        shared.open_pools().await;
        for kept in shared.sessions.take_idle(shared.options.idle) {
            if let Err(error) = kept.close().await {
                tracing::error!(session = %kept.name(), %error, "a session could not be stored");
            }
        }
        shared.save_uses().await;
        // Where the store goes away, they are known as they were just now; it has said why.
        _ = shared.grants.count(&shared.vault).await;
    }
}

impl Shared {
    async fn save_uses(&self) {
        if let Err(error) = self.grants.save_uses(&self.vault).await {
            tracing::warn!(%error, "when tokens were used could not be stored");
        }
    }

    /// Closes every pool, also one that is being opened.
    async fn close_pools(&self, housekeeping: JoinHandle<()>) -> Ended {
        // A store that hangs doesn't keep the leases' owners from the time that they have.
        if timeout(CLOSING, housekeeping).await.is_err() {
            tracing::warn!("the store doesn't answer");
        }
        self.pools.close(self.options.drain).await
    }

    /// Stores everything and closes every session; answers how many could not be stored.
    async fn close(&self) -> usize {
        let tokens = async {
            self.save_uses().await;
            self.grants.settle().await;
        };
        if timeout(CLOSING, tokens).await.is_err() {
            tracing::warn!("when tokens were used could not be stored in time");
        }
        let kept = self.sessions.kept();
        let closing = kept.iter().map(|kept| async move {
            let why = match timeout(CLOSING, kept.close()).await {
                Ok(Ok(())) => return 0,
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "the store doesn't answer".to_owned(),
            };
            tracing::error!(session = %kept.name(), why, "a session could not be stored");
            1
        });
        join_all(closing).await.into_iter().sum()
    }
}

/// How long the store may take at the end, for each kind of thing that is stored.
const CLOSING: Duration = Duration::from_secs(10);

/// After a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

const HOUSEKEEPING: Duration = Duration::from_secs(2);

/// What connections get to end in, however long leases took.
const LEAST: Duration = Duration::from_secs(1);

/// How large the head of a request may be; also how much of a body is read at once.
const LARGEST_HEAD: usize = 64 * 1024;
