//! What every command works with: the settings, the environment, the printer, the store.

use std::sync::Arc;

use sessile::clock::{Clock as _, SystemClock};
use sessile::login::Person;
use sessile::renew::{self, KeepError, Kept, KeptOptions, Mode, Notify};
use sessile::store::{KeySource, Name, StoreError, StoreOptions, StoreUrl, Vault};
use sessile::{ProfileChoice, Secret};
use sessile_jar::Timestamp;

use super::failure::{self, Purpose};
use crate::args::Global;
use crate::exit::Outcome;
use crate::key_file::KeyFile;
use crate::notify;
use crate::password;
use crate::printer::{Printer, plain};
use crate::settings::{Environment, Key, Named, Settings};

/// What a command works with.
pub(super) struct Work<'a> {
    pub(super) environment: &'a Environment,
    pub(super) printer: &'a mut Printer,
    global: &'a Global,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        global: &'a Global,
        environment: &'a Environment,
        printer: &'a mut Printer,
    ) -> Self {
        Self {
            environment,
            printer,
            global,
        }
    }

    /// Whether the answer is for a program.
    pub(super) fn json(&self) -> bool {
        self.printer.style().json
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// Says so where a browser comes from a list that is old.
    pub(super) fn say_age(&mut self, profile: &ProfileChoice) {
        if let Some(stale) = profile.staleness(self.now()) {
            self.printer.note(&stale.to_string());
        }
    }

    /// Says so where the session's token file was left alone.
    pub(super) fn say_token_trouble(&mut self, kept: &Kept) {
        if let Some(trouble) = kept.token_trouble() {
            self.printer.warn(&trouble.to_string());
        }
    }

    /// Brings a session that was changed by hand in step with its token file, where it has one.
    pub(super) async fn step(&mut self, vault: &Vault, name: &Name) -> Outcome<()> {
        match renew::step(vault, name, self.now()).await {
            Ok(_) => Ok(()),
            Err(KeepError::Tokens(trouble)) => {
                self.printer.warn(&trouble.to_string());
                Ok(())
            }
            Err(error) => Err(failure::of_kept(&error, Purpose::Manage).into()),
        }
    }

    /// How a kept session is opened whose login may be renewed.
    pub(super) fn keeping(&self) -> Outcome<KeptOptions> {
        let mut options = KeptOptions::default();
        options.person = person();
        options.notify = self.notify()?;
        Ok(options)
    }

    /// Who is told that a person is needed.
    pub(super) fn notify(&self) -> Outcome<Option<Notify>> {
        let command = match &self.global.notify {
            Some(command) => Some(command.clone()),
            None => self.environment.text("SESSILE_NOTIFY")?,
        };
        let warn = self.printer.noter();
        Ok(command.map(|command| notify::by_command(command, warn)))
    }

    /// Where store and key are.
    pub(super) fn settings(&self) -> Outcome<Settings> {
        Ok(Settings::resolve(self.global, self.environment)?)
    }

    /// The store, opened; made where there is none.
    pub(super) async fn vault(&self) -> Outcome<Vault> {
        let settings = self.settings()?;
        let options = StoreOptions::default();
        Ok(open(&url(&settings)?, &settings.key, &options).await?)
    }

    /// The store, opened by a command that finds nothing to do in a fresh one: a path that was
    /// mistyped must not pass for a store without sessions. The default place is no mistake.
    pub(super) async fn present_vault(&self, purpose: Purpose) -> Outcome<Vault> {
        let settings = self.settings()?;
        let mut options = StoreOptions::default();
        options.create = settings.store_named == Named::Default;
        let opened = open(&url(&settings)?, &settings.key, &options).await;
        Ok(opened.map_err(|error| failure::of_opening(error, purpose))?)
    }
}

/// The store's URL, with the password where one is given beside it.
fn url(settings: &Settings) -> Result<StoreUrl, StoreError> {
    let url = StoreUrl::parse(&settings.store)?;
    Ok(match (url, &settings.store_password) {
        (StoreUrl::Postgres(url), Some(password)) => {
            StoreUrl::Postgres(url.with_password(Secret::from(password.to_string())))
        }
        (url, _) => url,
    })
}

/// A name of a session.
pub(super) fn name(text: &str) -> Outcome<Name> {
    Ok(Name::parse(text)?)
}

/// A stored session, as a command that neither logs in nor sends needs it.
pub(super) async fn look_at(vault: &Vault, name: &Name) -> Outcome<Kept> {
    let mut options = KeptOptions::default();
    options.mode = Mode::ReadOnly;
    let kept = Kept::open(vault, name, options).await;
    Ok(kept.map_err(|error| failure::of_kept(&error, Purpose::Manage))?)
}

/// The person at the terminal, where one is there.
pub(super) fn person() -> Person {
    let mut person = Person::default();
    if password::can_ask() {
        person.code = Some(Arc::new(|wanted| {
            let (user, page) = (plain(&wanted.user), &wanted.page);
            let what = match wanted.refused {
                0 => format!("code of {user} at {page}"),
                _ => format!("{}; another code of {user}", plain(&wanted.message)),
            };
            let answer = password::ask(&what).ok()?;
            Some(Secret::from(answer.trim().to_owned()))
        }));
        person.password = Some(Arc::new(|wanted| {
            let what = format!("password of {} at {}", plain(&wanted.user), wanted.page);
            let answer = password::ask(&what).ok()?;
            Some(Secret::from(answer.to_string()))
        }));
    }
    person
}

/// Opens a store. A key file whose replacement was interrupted is replaced now.
async fn open(url: &StoreUrl, key: &Key, options: &StoreOptions) -> Result<Vault, StoreError> {
    let opened = Vault::open(url, &source(key)?, options).await;
    let (Err(StoreError::WrongKey { .. }), Key::File(path)) = (&opened, key) else {
        return opened;
    };
    let file = KeyFile::new(path);
    if !file.has_next() {
        // The next key may have taken the file's place after the file was read.
        return Vault::open(url, &source(key)?, options).await;
    }
    let vault = Vault::open(url, &file.next_source(), options).await?;
    file.replace()?;
    Ok(vault)
}

/// The key as it is; none is made.
pub(super) fn present_source(key: &Key) -> Result<KeySource, StoreError> {
    let mut source = source(key)?;
    if let KeySource::File { create, .. } = &mut source {
        *create = false;
    }
    Ok(source)
}

/// The key, as the store wants it.
pub(super) fn source(key: &Key) -> Result<KeySource, StoreError> {
    Ok(match key {
        Key::Bytes(text) => KeySource::from_text(text, "SESSILE_KEY")?,
        Key::File(path) => KeyFile::new(path).source(),
        Key::Passphrase(words) => KeySource::Passphrase(Secret::from(words.to_string())),
    })
}
