//! `sessile serve`: the daemon.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use sessile::store::{StoreOptions, Vault};
use sessile_server::access::{self, AccessError, NewGrant, Scope};
use sessile_server::{Daemon, DaemonOptions, ListenError, Listener, TlsFiles};
use tempfile::NamedTempFile;

use super::work::{self, Work};
use crate::args::ServeArgs;
use crate::ended::Ended;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings;
use crate::supervisor::Supervisor;

/// Serves until a signal ends it.
pub(super) async fn run(args: ServeArgs, work: &mut Work<'_>) -> Outcome {
    let mut ended = Ended::listen().map_err(|why| {
        Failure::new(
            Exit::Failed,
            "signals",
            format!("cannot hear signals: {why}"),
        )
    })?;
    let listener = listener(&args).await.map_err(Failure::from)?;
    let mut store = StoreOptions::default();
    store.look_every = LOOK_EVERY;
    let vault = work.vault_with(&store).await?;
    let daemon = Daemon::new(vault.clone(), options(&args, work)?);
    if daemon.tokens().await.map_err(Failure::from)? == 0 {
        first_token(&args, &vault, work).await?;
    }
    let place = listener.place();
    if work.json() {
        work.printer
            .document(&json!({ "listening": place, "store": vault.place() }))?;
        work.printer.flush()?;
    }
    work.printer.note(&format!(
        "listening at {place}, for the sessions in {}",
        vault.place()
    ));
    let supervisor = Supervisor::of(work.environment);
    supervisor.tell("READY=1");
    let report = sessile_server::serve(listener, daemon, async {
        ended.wait().await;
        supervisor.tell("STOPPING=1");
    });
    let report = report.await;
    vault.close().await?;
    if report.cut_off > 0 {
        let still = report.cut_off;
        work.printer.warn(&format!(
            "{still} connections were cut off; --drain gives them longer"
        ));
    }
    if report.unsaved > 0 {
        let message = format!(
            "the last changes of {} sessions could not be stored",
            report.unsaved
        );
        return Err(Failure::new(Exit::StoreUnavailable, "unsaved", message).into());
    }
    work.printer.note("stopped; everything is stored");
    Ok(Exit::Done)
}

/// How much later than at once what other processes have stored may be seen.
const LOOK_EVERY: Duration = Duration::from_millis(1);

async fn listener(args: &ServeArgs) -> Result<Listener, ListenError> {
    if let Some(path) = &args.unix {
        return Listener::unix(path);
    }
    let files = args.tls_cert.clone().zip(args.tls_key.clone());
    let files = files.map(|(certificate, key)| TlsFiles { certificate, key });
    Listener::tcp(args.listen, files.as_ref()).await
}

fn options(args: &ServeArgs, work: &Work<'_>) -> Outcome<DaemonOptions> {
    let mut options = DaemonOptions::default();
    options.drain = args.drain;
    options.code_wait = args.otp_wait;
    options.notify = work.notify()?;
    #[cfg(feature = "otel")]
    {
        options.join_trace = Some(crate::traces::join);
    }
    options.max_connections = options.max_connections.min(descriptors());
    Ok(options)
}

/// How many connections the system lets us have; what sessions need is left for them.
fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let granted = match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.maximum,
        Err(_) => before,
    };
    let granted = granted.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    granted.saturating_sub(granted / 4).max(16)
}

/// Without a token nobody could ask: one is made, and written where only its owner reads.
async fn first_token(args: &ServeArgs, vault: &Vault, work: &mut Work<'_>) -> Outcome<()> {
    let path = match &args.token_file {
        Some(path) => path.clone(),
        None => settings::token_file(work.environment)?,
    };
    let new = NewGrant {
        name: work::name("first")?,
        scope: Scope::Manage,
        expires: None,
    };
    let unwritable = |why: std::io::Error| {
        let message = format!(
            "cannot write the first token to `{}`: {why}",
            path.display()
        );
        let hint = "name another file with --token-file, or make a token with `sessile access add`";
        Failure::new(Exit::Failed, "tokenFile", message).hint(hint)
    };
    // Before there is a token, so that where none can be written none is made.
    let file = beside(&path).map_err(unwritable)?;
    let name = new.name.clone();
    let token = match access::add(vault, new, work.now()).await {
        Ok(token) => token,
        // Another daemon on this store was quicker.
        Err(AccessError::NameTaken(_)) => return Ok(()),
        Err(error) => return Err(Failure::from(error).into()),
    };
    if let Err(why) = write(file, &path, token.expose()) {
        let failure = unwritable(why);
        return Err(match access::remove(vault, &name).await {
            Ok(_) => failure,
            Err(_) => {
                failure.hint("first remove the token that nobody has: `sessile access rm first`")
            }
        }
        .into());
    }
    work.printer.note(&format!(
        "wrote a first token, which allows all, to {}",
        path.display()
    ));
    Ok(())
}

/// A temporary file where another is to be; it has mode 0600 from its beginning.
fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder: PathBuf = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => ".".into(),
    };
    std::fs::create_dir_all(&folder)?;
    NamedTempFile::new_in(folder)
}

/// Whole or not at all.
fn write(mut file: NamedTempFile, path: &Path, token: &str) -> std::io::Result<()> {
    writeln!(file, "{token}")?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        let kind = match error {
            AccessError::Store(error) => return error.into(),
            AccessError::NameTaken(_) => "nameTaken",
            _ => "access",
        };
        Self::of(Exit::Failed, kind, &error)
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        match &error {
            ListenError::Open(_) => Self::new(Exit::Usage, "notSafe", error.to_string()).hint(
                "give --tls-cert and --tls-key, or listen on 127.0.0.1 or with --unix PATH, \
                 behind a proxy that does TLS",
            ),
            ListenError::BadTls { .. } => Self::new(Exit::Usage, "badTls", error.to_string()),
            _ => Self::new(Exit::Failed, "cannotListen", error.to_string()),
        }
    }
}
