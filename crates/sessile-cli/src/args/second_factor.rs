//! The options about the second factor, and `sessile otp`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::time_limit;

/// Where the codes of a second factor come from; a prompt on the terminal unless an option says
/// otherwise.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Second factor")]
pub(crate) struct SecondFactorArgs {
    /// File with the secret that the site's codes are made from
    ///
    /// As the site shows it: letters (base32) or an otpauth:// address. Kept, sealed, with
    /// --remember, so that renewals make their codes themselves.
    #[arg(long, group = "codes_from", value_name = "FILE")]
    pub(crate) otp_secret_file: Option<PathBuf>,

    /// Read the code from the first line this command prints
    #[arg(long, group = "codes_from", value_name = "CMD")]
    pub(crate) otp_command: Option<String>,

    /// Wait this long for a code that `sessile otp NAME CODE` hands over; seconds, or with a unit
    #[arg(long, group = "codes_from", value_name = "SECONDS", value_parser = time_limit)]
    pub(crate) otp_wait: Option<Duration>,

    /// Tick the box by which the site asks for no code on this device again
    ///
    /// Defaults to leaving it as the page has it.
    #[arg(long)]
    pub(crate) trust_device: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessile login shop https://shop.example/login --username ada --otp-wait 2m
  sessile otp shop 123456          from another terminal, while the first one waits")]
pub(crate) struct OtpArgs {
    /// The session whose login waits for a code
    pub(crate) name: String,

    /// The code; it is good once, so it may be seen. Defaults to standard input
    pub(crate) code: Option<String>,
}
