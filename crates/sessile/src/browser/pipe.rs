//! The DevTools protocol: JSON messages through a pipe, each ended by a zero byte.
//!
//! One owner sends and reads, so there is no task in between. What the messages mean is not here.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::fault::Fault;

/// More than the largest body that a session reads, written in Base64.
const LONGEST: usize = 384 * 1024 * 1024;

/// The two ends of the protocol that are ours.
pub(super) struct Pipe {
    input: ChildStdin,
    output: ChildStdout,
    read: BytesMut,
    /// How much of it holds no end of a message.
    searched: usize,
    /// The number of the last command.
    last: u64,
    /// What came while something else was waited for.
    waiting: VecDeque<Message>,
    /// How long an answer may take.
    patience: Duration,
}

/// What the browser says.
#[derive(Debug)]
pub(super) enum Message {
    /// Something happened.
    Event(Event),
    /// A command was carried out, or refused.
    Reply {
        id: u64,
        result: Result<Value, String>,
    },
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
}

#[derive(Deserialize)]
struct Wire {
    id: Option<u64>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    message: String,
}

impl Pipe {
    pub(super) fn new(input: ChildStdin, output: ChildStdout, patience: Duration) -> Self {
        Self {
            input,
            output,
            read: BytesMut::new(),
            searched: 0,
            last: 0,
            waiting: VecDeque::new(),
            patience,
        }
    }

    /// Sends a command and answers its number.
    pub(super) async fn send(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<u64, Fault> {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        let writing = async {
            self.input.write_all(&bytes).await?;
            self.input.flush().await
        };
        match timeout(self.patience, writing).await {
            Ok(Ok(())) => Ok(self.last),
            Ok(Err(_broken)) => Err(Fault::End(String::new())),
            Err(_elapsed) => Err(Fault::Hang(self.patience)),
        }
    }

    /// Sends a command and waits for its result; what comes meanwhile is kept for [`Pipe::next`].
    pub(super) async fn call(
        &mut self,
        session: Option<&str>,
        method: &'static str,
        params: Value,
    ) -> Result<Value, Fault> {
        let sent = self.send(session, method, params).await?;
        let patience = self.patience;
        let answered = async {
            loop {
                match self.read().await? {
                    Message::Reply { id, result } if id == sent => return Ok(result),
                    other => self.waiting.push_back(other),
                }
            }
        };
        let result = match timeout(patience, answered).await {
            Ok(result) => result?,
            Err(_elapsed) => return Err(Fault::Hang(patience)),
        };
        result.map_err(|why| Fault::Refuse {
            command: method,
            why,
        })
    }

    /// What happened next; may be dropped and asked again without a loss.
    pub(super) async fn next(&mut self) -> Result<Message, Fault> {
        match self.waiting.pop_front() {
            Some(message) => Ok(message),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Message, Fault> {
        loop {
            let end = self.read[self.searched..]
                .iter()
                .position(|byte| *byte == 0);
            if let Some(end) = end {
                let message = self.read.split_to(self.searched + end + 1);
                self.searched = 0;
                return parse(&message[..message.len() - 1]);
            }
            self.searched = self.read.len();
            if self.searched > LONGEST {
                return Err(Fault::Babble("a message without end"));
            }
            self.read.reserve(64 * 1024);
            if matches!(self.output.read_buf(&mut self.read).await, Ok(0) | Err(_)) {
                return Err(Fault::End(String::new()));
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Message, Fault> {
    let wire: Wire =
        serde_json::from_slice(bytes).map_err(|_unread| Fault::Babble("a message isn't JSON"))?;
    match (wire.id, wire.method) {
        (Some(id), _) => Ok(Message::Reply {
            id,
            result: match wire.error {
                Some(error) => Err(error.message),
                None => Ok(wire.result),
            },
        }),
        (None, Some(method)) => Ok(Message::Event(Event {
            method,
            params: wire.params,
        })),
        (None, None) => Err(Fault::Babble("a message is neither an answer nor an event")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_answers_or_events() {
        let answer = parse(br#"{"id":3,"result":{"a":1}}"#).unwrap();
        assert!(matches!(answer, Message::Reply { id: 3, result: Ok(value) } if value["a"] == 1));
        let refusal = parse(br#"{"id":4,"error":{"code":-1,"message":"no"}}"#).unwrap();
        assert!(matches!(refusal, Message::Reply { id: 4, result: Err(why) } if why == "no"));
        let event = parse(br#"{"method":"Page.x","sessionId":"s","params":{}}"#).unwrap();
        assert!(matches!(event, Message::Event(event) if event.method == "Page.x"));
        assert!(matches!(parse(b"{}"), Err(Fault::Babble(_))));
        assert!(matches!(parse(b"<html>"), Err(Fault::Babble(_))));
    }
}
