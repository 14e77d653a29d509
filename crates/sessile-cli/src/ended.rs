//! The signals that end a program, for what has to be tidied up before.

use std::io;

#[cfg(unix)]
use futures_util::future::select_all;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears them from the moment it is made; they no longer end the program by themselves.
#[cfg(unix)]
pub(crate) struct Ended(Vec<(SignalKind, Signal)>);

#[cfg(unix)]
impl Ended {
    /// Begins to listen.
    pub(crate) fn listen() -> io::Result<Self> {
        let kinds = [
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::terminate(),
        ];
        let heard = kinds.into_iter().map(|kind| Ok((kind, signal(kind)?)));
        heard.collect::<io::Result<_>>().map(Self)
    }

    /// Waits for one of them and answers its number.
    pub(crate) async fn wait(&mut self) -> u8 {
        let heard = self.0.iter_mut().map(|(kind, signal)| {
            Box::pin(async {
                signal.recv().await;
                kind.as_raw_value()
            })
        });
        let (number, ..) = select_all(heard).await;
        u8::try_from(number).unwrap_or_default()
    }
}

/// Hears that a person interrupts.
#[cfg(not(unix))]
pub(crate) struct Ended;

#[cfg(not(unix))]
impl Ended {
    /// Begins to listen.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for an interruption.
    pub(crate) async fn wait(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 2,
            // Who can't be heard ends nothing.
            Err(_unheard) => std::future::pending().await,
        }
    }
}
