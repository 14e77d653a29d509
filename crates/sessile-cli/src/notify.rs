//! Tells a person that one is needed, by a command that they have chosen.

use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sessile::renew::{Notify, Trouble};

use crate::password::shell;
use crate::printer::plain;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `command` for each trouble; `warn` hears where that fails.
pub(crate) fn by_command(command: String, warn: impl Fn(&str) + Send + Sync + 'static) -> Notify {
    Arc::new(move |trouble| {
        if let Err(why) = run(&command, trouble) {
            warn(&format!("the command of --notify {why}"));
        }
    })
}

fn run(command: &str, trouble: &Trouble) -> Result<(), String> {
    let mut shell = shell(command);
    shell
        .env("SESSILE_SESSION", &trouble.session)
        .env("SESSILE_SITE", &trouble.site)
        .env("SESSILE_KIND", trouble.kind.as_str())
        .env("SESSILE_REASON", plain(&trouble.reason))
        .stdin(Stdio::null())
        // Standard output is the reply's.
        .stdout(Stdio::null());
    let failed = |error: std::io::Error| format!("can't be run: {error}");
    let mut child = shell.spawn().map_err(failed)?;
    let mut waited = Duration::ZERO;
    loop {
        match child.try_wait().map_err(failed)? {
            Some(end) if end.success() => return Ok(()),
            Some(end) => return Err(format!("failed: {end}")),
            None if waited >= PATIENCE => {
                // It may end by itself at this very moment.
                let _ended = child.kill();
                let _reaped = child.wait();
                return Err(format!("took longer than {} s", PATIENCE.as_secs()));
            }
            None => {
                thread::sleep(LOOK);
                waited += LOOK;
            }
        }
    }
}
