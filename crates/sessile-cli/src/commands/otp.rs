//! `sessile otp`: hands a one-time code to a login that waits for it.

use sessile::Secret;
use sessile::renew;

use super::failure::{self, Purpose};
use super::work::{self, Work};
use crate::args::OtpArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::password::{self, Origin};

/// Returns once the login has taken the code.
pub(super) async fn run(args: OtpArgs, work: &mut Work<'_>) -> Outcome {
    let name = work::name(&args.name)?;
    let code = match args.code {
        Some(code) => code,
        None => {
            let origin = Origin::StandardInput;
            password::read(&origin, "one-time code", work.environment)?.to_string()
        }
    };
    let code: String = code.split([' ', '-']).collect();
    if code.is_empty() {
        return Err(Failure::usage("the one-time code is empty").into());
    }
    let vault = work.present_vault(Purpose::Manage).await?;
    let handed = renew::hand_over_code(&vault, &name, Secret::from(code), work.now()).await;
    handed.map_err(|error| failure::of_kept(&error, Purpose::Manage))?;
    work.printer
        .note(&format!("the login of session {name} has taken the code"));
    Ok(Exit::Done)
}
