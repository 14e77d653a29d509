//! Who writes: a thread of its own, so that a slow disk holds nobody up.

use std::io::Write as _;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::super::error::BatchError;
use super::{OpenFile, Place};

/// How many lines may wait to be written.
const QUEUE: usize = 64;

/// How many bytes are written at once, about.
const PIECE: usize = 1024 * 1024;

/// What a writer is asked for.
#[derive(Debug)]
pub(in super::super) enum Order {
    /// Bring everything to the disk.
    Sync,
    /// A whole line.
    Write(Vec<u8>),
}

/// The way to the writer. It ends, everything on the disk, when this is dropped or put down.
#[derive(Debug)]
pub(in super::super) struct Pen {
    orders: mpsc::Sender<Order>,
    ended: oneshot::Receiver<Result<(), BatchError>>,
}

impl Pen {
    /// Begins to write.
    pub(in super::super) fn take_up(place: Place) -> Self {
        let (orders, received) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let written = write(place, received);
            // Who has gone wants to know nothing.
            let _gone = end.send(written);
        });
        Self { orders, ended }
    }

    /// Hands an order over, and waits while too many are there.
    pub(in super::super) async fn order(&mut self, order: Order) -> Result<(), BatchError> {
        match self.orders.send(order).await {
            Ok(()) => Ok(()),
            Err(_ended) => Err(self.fault().await),
        }
    }

    /// Ends when everything is on the disk.
    pub(in super::super) async fn put_down(self) -> Result<(), BatchError> {
        let Self { orders, ended } = self;
        drop(orders);
        ended.await.unwrap_or_else(|_lost| Err(panicked()))
    }

    /// Why the writer has ended.
    async fn fault(&mut self) -> BatchError {
        match (&mut self.ended).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => panicked(),
        }
    }
}

fn panicked() -> BatchError {
    BatchError::output(
        "write",
        "the output",
        std::io::Error::other("the writer has failed"),
    )
}

fn write(place: Place, orders: mpsc::Receiver<Order>) -> Result<(), BatchError> {
    match place {
        Place::File(file) => write_file(file, orders),
        Place::Stream(writer) => write_stream(writer, orders),
    }
}

fn write_file(mut open: OpenFile, mut orders: mpsc::Receiver<Order>) -> Result<(), BatchError> {
    let mut lines = Vec::new();
    let mut is_dirty = false;
    while let Some(order) = orders.blocking_recv() {
        let mut wants_sync = collect(order, &mut lines);
        while lines.len() < PIECE
            && let Ok(order) = orders.try_recv()
        {
            wants_sync |= collect(order, &mut lines);
        }
        is_dirty |= !lines.is_empty();
        append(&mut open, &lines)?;
        lines.clear();
        if wants_sync && is_dirty {
            sync(&open)?;
            is_dirty = false;
        }
    }
    sync(&open)
}

fn collect(order: Order, lines: &mut Vec<u8>) -> bool {
    match order {
        Order::Sync => true,
        Order::Write(line) => {
            lines.extend_from_slice(&line);
            false
        }
    }
}

/// All of it or nothing: what is half there after a failure is taken back.
fn append(open: &mut OpenFile, lines: &[u8]) -> Result<(), BatchError> {
    if let Err(cause) = open.file.write_all(lines) {
        let whole = whole_lines(open, lines);
        let _still_torn = open.file.set_len(whole);
        return Err(BatchError::output("write", &open.path, cause));
    }
    open.length += lines.len() as u64;
    Ok(())
}

/// How long the file is up to its last whole line.
fn whole_lines(open: &OpenFile, lines: &[u8]) -> u64 {
    let length = open
        .file
        .metadata()
        .map_or(open.length, |found| found.len());
    let written = usize::try_from(length.saturating_sub(open.length)).unwrap_or_default();
    let written = lines.get(..written).unwrap_or_default();
    let whole = written
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    open.length + whole as u64
}

fn sync(open: &OpenFile) -> Result<(), BatchError> {
    match open.file.sync_data() {
        // A device has nothing to bring to a disk.
        Err(cause) if cause.kind() != std::io::ErrorKind::InvalidInput => {
            Err(BatchError::output("write", &open.path, cause))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write_stream(
    mut writer: Box<dyn std::io::Write + Send>,
    mut orders: mpsc::Receiver<Order>,
) -> Result<(), BatchError> {
    while let Some(order) = orders.blocking_recv() {
        let Order::Write(line) = order else { continue };
        let written = writer.write_all(&line).and_then(|()| writer.flush());
        written.map_err(|cause| BatchError::output("write", "the output", cause))?;
    }
    Ok(())
}
