//! The options about connections, which login and requests share.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sessile::session::{Session, SessionBuilder};
use sessile::transport::{ConnectOptions, Trust};

use crate::exit::{Exit, Failure};

/// How to connect, as the command line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection<'a> {
    pub(super) cacert: Option<&'a Path>,
    pub(super) insecure: bool,
    pub(super) timeout: Option<Duration>,
}

/// A builder with these options.
pub(super) fn builder(connection: Connection<'_>) -> Result<SessionBuilder, Failure> {
    let mut options = ConnectOptions::default();
    options.tls.trust = match (connection.insecure, connection.cacert) {
        (true, _) => Trust::DangerAnyone,
        (false, Some(file)) => Trust::SystemAnd(certificates(file)?),
        (false, None) => Trust::System,
    };
    let builder = Session::builder().connect(options);
    Ok(match connection.timeout {
        Some(limit) => builder.timeout(limit),
        None => builder,
    })
}

fn certificates(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        let message = format!(
            "cannot read the certificates in `{}`: {error}",
            file.display()
        );
        Failure::new(Exit::Failed, "input", message)
    })
}
