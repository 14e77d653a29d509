//! The options about connections, which all commands that send share.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sessile::Secret;
use sessile::session::{Session, SessionBuilder};
use sessile::transport::{Chromium, ClientIdentity, ConnectOptions, Trust};

use super::work::Work;
use crate::args::{ConnectionArgs, ProxyChoice};
use crate::exit::{Exit, Failure};
use crate::password::{self, Origin};

/// A builder with these options. Says so where they give trust away.
pub(super) fn builder(
    args: &ConnectionArgs,
    timeout: Option<Duration>,
    work: &mut Work<'_>,
) -> Result<SessionBuilder, Failure> {
    let mut options = ConnectOptions::default();
    options.tls.trust = trust(args, work)?;
    options.tls.identity = identity(args)?;
    let mut builder = Session::builder();
    match proxy(args, work)? {
        None => {}
        Some(ProxyChoice::Direct) => builder = builder.direct(),
        Some(ProxyChoice::Through(proxy)) => options.proxy = Some(proxy),
    }
    if let Some(limit) = timeout {
        builder = builder.timeout(limit);
    }
    if let Some(program) = work.environment.value("SESSILE_BROWSER") {
        builder = builder.browser(Chromium::default().program(program));
    }
    Ok(builder.connect(options))
}

fn trust(args: &ConnectionArgs, work: &mut Work<'_>) -> Result<Trust, Failure> {
    Ok(match (args.insecure, &args.cacert) {
        (true, _) => {
            work.printer.warn(
                "--insecure: no certificate is checked, whoever is on the way can read and \
                 change everything",
            );
            Trust::DangerAnyone
        }
        (false, Some(file)) => Trust::SystemAnd(pem(file, "certificates")?),
        (false, None) => Trust::System,
    })
}

fn identity(args: &ConnectionArgs) -> Result<Option<ClientIdentity>, Failure> {
    let Some(file) = &args.cert else {
        return Ok(None);
    };
    let chain = pem(file, "client certificate")?;
    let key = args.cert_key.as_ref().unwrap_or(file);
    let key = Secret::from(pem(key, "client certificate's key")?);
    Ok(Some(ClientIdentity::from_pem(chain, key)))
}

fn proxy(args: &ConnectionArgs, work: &Work<'_>) -> Result<Option<ProxyChoice>, Failure> {
    let Some(variable) = &args.proxy_env else {
        return Ok(args.proxy.clone());
    };
    let origin = Origin::Environment(variable.clone());
    let url = password::read(&origin, "proxy's URL", work.environment)?;
    let choice = url
        .parse()
        .map_err(|why: sessile::Error| Failure::usage(format!("{variable}: {why}")))?;
    Ok(Some(choice))
}

fn pem(file: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        let message = format!("cannot read the {what} in `{}`: {error}", file.display());
        Failure::new(Exit::Failed, "input", message)
    })
}
