//! A practice site, a store with a login to it, and a folder to record into.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile::Secret;
use sessile::login::Login;
use sessile::record::Record;
use sessile::renew::{Kept, KeptOptions, edit};
use sessile::session::Session;
use sessile::site::MediaRules;
use sessile::store::{Name, StoreOptions, Vault};
use sessile::transport::Patience;
use sessile_practice::{ADA, ADA_PASSWORD, Fault, MediaFault, Options, Site};
use sessile_record::{
    Event, Media, RecordError, RecordOptions, Recorded, Remux, ResolveError, Target, Through,
};
use tempfile::TempDir;

pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) site: Site,
    vault: Vault,
}

/// What came of a recording, and what was heard of it.
pub(crate) struct Take {
    pub(crate) done: Result<Recorded, RecordError>,
    pub(crate) events: Vec<Event>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            site: Site::start(options).await.unwrap(),
            vault: Vault::in_memory(&StoreOptions::default()).await.unwrap(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("{}{path}", self.site.url()).parse().unwrap()
    }

    /// Has something go wrong.
    pub(crate) fn fault(&self, on: &str, kind: MediaFault) {
        self.site.add_fault(Fault::new(on, kind));
    }

    /// A session of nobody.
    pub(crate) fn stranger(&self) -> Through {
        Session::builder()
            .patience(PATIENCE)
            .build()
            .unwrap()
            .into()
    }

    /// A stored session, logged in, that can do so again.
    pub(crate) async fn member(&self) -> Through {
        let password = Secret::from(ADA_PASSWORD.to_owned());
        let mut login = Login::form(self.url("/login"), ADA, password);
        login.remember = true;
        let mut options = KeptOptions::default();
        options.builder = options.builder.patience(PATIENCE);
        Kept::log_in(&self.vault, &name(), login, options)
            .await
            .unwrap()
            .0
            .into()
    }

    /// Nothing tells any more whether the stored session is logged in.
    pub(crate) async fn forget_check(&self) {
        let forget = |record: &mut Record| record.check = None;
        edit(&self.vault, &name(), forget).await.unwrap();
    }

    /// What the page at `path` leads to.
    pub(crate) async fn resolve(
        &self,
        path: &str,
        rules: Option<&MediaRules>,
    ) -> Result<Media, ResolveError> {
        sessile_record::resolve(&self.stranger(), &self.url(path), rules).await
    }

    /// What the page behind that door leads a member to.
    pub(crate) async fn media(&self, door: &str, stream: &str) -> Media {
        let through = match door {
            "open" => self.stranger(),
            _ => self.member().await,
        };
        let page = self.url(&format!("/media/page/{door}/{stream}/video"));
        sessile_record::resolve(&through, &page, None)
            .await
            .unwrap()
    }

    /// The file that tests record into.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("take.media")
    }

    /// As the defaults, but into [`Self::file`], as it comes, and with short pauses.
    pub(crate) fn options(&self) -> RecordOptions {
        let mut options = RecordOptions::default();
        options.target = Target::File(self.file());
        options.remux = Remux::Never;
        options.retry_pause = Duration::from_millis(5);
        options
    }

    /// Records a stream behind a door.
    pub(crate) async fn record(&self, door: &str, stream: &str) -> Take {
        let media = self.media(door, stream).await;
        self.take(media, &self.options()).await
    }

    pub(crate) async fn take(&self, media: Media, options: &RecordOptions) -> Take {
        self.take_and(media, options, |_| ()).await
    }

    /// Records, and does something at each event.
    pub(crate) async fn take_and(
        &self,
        media: Media,
        options: &RecordOptions,
        act: impl Fn(&Event) + Send + Sync,
    ) -> Take {
        let events = Arc::new(Mutex::new(Vec::new()));
        let listener = |event: Event| {
            act(&event);
            events.lock().unwrap().push(event);
        };
        let recording = sessile_record::record(media, options, &listener);
        let done = tokio::time::timeout(LONGEST, recording).await;
        let done = done.expect("the recording is to end");
        let events = std::mem::take(&mut *events.lock().unwrap());
        Take { done, events }
    }

    /// The recording is the stream, byte for byte.
    #[track_caller]
    pub(crate) fn is_exact(&self, take: &Take, stream: &str) {
        let done = take
            .done
            .as_ref()
            .unwrap_or_else(|error| panic!("{stream}: {error}"));
        let (found, original) = (
            fs::read(&done.path).unwrap(),
            self.site.original(stream).unwrap(),
        );
        assert_eq!(found.len(), original.len(), "{stream}: {:?}", take.events);
        // Megabytes that differ would be shown whole.
        assert!(
            found == original,
            "{stream}: the bytes differ; {:?}",
            take.events
        );
        assert_eq!(done.bytes, original.len() as u64, "{stream}");
    }

    /// Nothing is left beside the recording.
    #[track_caller]
    pub(crate) fn is_tidy(&self, take: &Take) {
        let done = take.done.as_ref().unwrap();
        let all = fs::read_dir(self.folder.path()).unwrap();
        let mut found: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
        found.sort();
        assert_eq!(found, std::slice::from_ref(&done.path));
    }

    /// How often files whose path has `part` in it were asked for.
    pub(crate) fn asked(&self, part: &str) -> u64 {
        let requests = self.site.requests().into_iter();
        let concerned = requests.filter(|(path, _)| path.contains(part));
        concerned.map(|(_, count)| count).sum()
    }
}

impl Take {
    pub(crate) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| is_it(event)).count()
    }
}

fn name() -> Name {
    "ada".parse().unwrap()
}

/// Long enough for a busy machine, short enough to wait for a stall.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    read: Duration::from_secs(1),
};

/// No recording here takes this long.
const LONGEST: Duration = Duration::from_secs(50);
