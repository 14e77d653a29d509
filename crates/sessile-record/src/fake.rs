//! A site in memory, for tests: a function from what is asked to what is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use sessile::transport::{Incoming, Outgoing, Transport};
use sessile::{Error, Session};

use crate::media::{Media, Recorder};
use crate::record::{Event, RecordError, RecordOptions, Recorded, Remux, Target, record};
use crate::through::Through;

/// A request as the site sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// How often the path was asked before.
    pub(crate) before: usize,
    /// How many requests there were before, of all.
    pub(crate) count: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What the site answers.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Result<Bytes, Error>>,
    never_ends: bool,
}

pub(crate) fn status(status: u16) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        pieces: Vec::new(),
        never_ends: false,
    }
}

/// Status 200 and a body in two pieces.
pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
    let body = Bytes::from(body.into());
    let half = body.len() / 2;
    let pieces = [body.slice(..half), body.slice(half..)];
    Answer {
        pieces: pieces.into_iter().map(Ok).collect(),
        ..status(200)
    }
}

pub(crate) fn html(body: &str) -> Answer {
    ok(body).header("content-type", "text/html")
}

impl Answer {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The connection breaks in the middle.
    pub(crate) fn cut(mut self) -> Self {
        self.pieces.truncate(1);
        self.pieces.push(Err(Error::CutShort {
            url: "it".to_owned(),
            detail: "cut".to_owned(),
        }));
        self
    }

    /// Nothing comes after the first half.
    pub(crate) fn stall(mut self) -> Self {
        self.pieces.truncate(1);
        self.never_ends = true;
        self
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The site.
pub(crate) struct Site {
    handler: Box<Handler>,
    asked: Mutex<Vec<Asked>>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Site")
    }
}

impl Site {
    pub(crate) fn new(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            handler: Box::new(handler),
            asked: Mutex::default(),
        })
    }

    /// What it answers, for a site around it.
    pub(crate) fn answer(&self, asked: &Asked) -> Answer {
        (self.handler)(asked)
    }

    pub(crate) fn session(self: &Arc<Self>) -> Through {
        let builder = Session::builder().transport(self.clone());
        Through::Plain(
            builder
                .retry(sessile::session::RetryPolicy::never())
                .build()
                .unwrap(),
        )
    }

    /// How often each path was asked, without its query.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for asked in self.asked.lock().unwrap().iter() {
            let path = asked.path.split('?').next().unwrap().to_owned();
            *counts.entry(path).or_default() += 1;
        }
        counts
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn media(self: &Arc<Self>, path: &str, recorder: Recorder) -> Media {
        let url = format!("https://a.test{path}").parse().unwrap();
        Media::at(url, recorder, self.session())
    }
}

impl Transport for Site {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, Error>> {
        let url = request.url.clone();
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let answer = {
            let mut all = self.asked.lock().unwrap();
            let asked = Asked {
                before: all.iter().filter(|asked| asked.path == path).count(),
                count: all.len(),
                path,
                headers: request.headers,
            };
            all.push(asked.clone());
            drop(all);
            (self.handler)(&asked)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(&value).unwrap(),
            );
        }
        let pieces = stream::iter(answer.pieces);
        let body = match answer.never_ends {
            true => pieces.chain(stream::pending()).boxed(),
            false => pieces.boxed(),
        };
        async move {
            tokio::task::yield_now().await;
            Ok(Incoming {
                status: StatusCode::from_u16(answer.status).unwrap(),
                version: Version::HTTP_11,
                headers,
                body,
            })
        }
        .boxed()
    }

    fn connections(&self) -> usize {
        0
    }

    fn close(&self) {}
}

/// A folder, and what happened to a recording into it.
pub(crate) struct Folder {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) options: RecordOptions,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl Folder {
    pub(crate) fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = RecordOptions {
            target: Target::File(folder.path().join(file)),
            remux: Remux::Never,
            ..RecordOptions::default()
        };
        Self {
            folder,
            options,
            events: Arc::default(),
        }
    }

    pub(crate) async fn record(&self, media: Media) -> Result<Recorded, RecordError> {
        let events = self.events.clone();
        record(media, &self.options, &move |event| {
            events.lock().unwrap().push(event)
        })
        .await
    }

    pub(crate) fn read(&self, recorded: &Recorded) -> Vec<u8> {
        assert_eq!(
            self.files(),
            [recorded.path.file_name().unwrap().to_str().unwrap()]
        );
        std::fs::read(&recorded.path).unwrap()
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events
            .lock()
            .unwrap()
            .iter()
            .filter(|event| wanted(event))
            .count()
    }
}
