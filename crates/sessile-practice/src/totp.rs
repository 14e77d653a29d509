//! The codes of a second factor: by the site's clock, each good once.
//!
//! Written from RFC 6238 for the site alone, so that a client's mistakes show here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// The secret of every user's second factor, as letters.
pub const TOTP_SECRET: &str = "KNSXG43JNRSS44DSMFRXI2LDMUQQ====";

/// What the letters stand for.
const KEY: &[u8] = b"Sessile.practice!";

const DIGITS: u32 = 6;

/// How far a code may be from its time, in steps: clocks differ, and people type slowly.
const WINDOW: u64 = 1;

/// The step of time that `now` lies in.
pub(crate) fn step(now: SystemTime, period: Duration) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / period.as_secs().max(1)
}

/// The step that `code` is of, where that is near `now`.
pub(crate) fn matching_step(code: &str, now: SystemTime, period: Duration) -> Option<u64> {
    let here = step(now, period);
    let near = here.saturating_sub(WINDOW)..=here + WINDOW;
    let is_it = |step: &u64| bool::from(code_of(*step).as_bytes().ct_eq(code.as_bytes()));
    near.into_iter().find(is_it)
}

/// The code of a step.
pub(crate) fn code_of(step: u64) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(KEY).expect("HMAC takes keys of any length");
    let mac = mac.chain_update(step.to_be_bytes()).finalize().into_bytes();
    let at = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes([mac[at] & 127, mac[at + 1], mac[at + 2], mac[at + 3]]);
    format!(
        "{:0width$}",
        number % 10_u32.pow(DIGITS),
        width = DIGITS as usize
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_a_step_before_and_after() {
        let period = Duration::from_secs(30);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let code = code_of(40);
        for (now, expected) in [
            (40 * 30 - 31, None),
            (40 * 30 - 30, Some(40)),
            (40 * 30, Some(40)),
            (42 * 30 - 1, Some(40)),
            (42 * 30, None),
        ] {
            assert_eq!(matching_step(&code, at(now), period), expected, "{now}");
        }
        assert_eq!(matching_step("", at(1200), period), None);
    }
}
