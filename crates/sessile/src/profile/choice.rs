//! What was asked for, before one profile is drawn from the list.

use std::fmt;
use std::str::FromStr;

use sessile_jar::Timestamp;

use super::{Browser, Family, Profile, Staleness, browsers, staleness};
use crate::error::Error;

/// Which profile a session is to get.
///
/// ```
/// use sessile::profile::ProfileChoice;
///
/// let choice: ProfileChoice = "firefox".parse()?;
/// let profile = choice.draw(12_345);
/// assert!(profile.to_string().starts_with("firefox/"));
/// # Ok::<(), sessile::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProfileChoice {
    /// Any browser of the list, the usual ones more often.
    Browser,
    /// This one.
    Exact(Profile),
    /// Any browser of one family.
    Family(Family),
}

impl ProfileChoice {
    /// One profile, drawn with the machine's randomness.
    pub fn choose(&self) -> Profile {
        // Without randomness everybody has the same browser, which is a browser still.
        self.draw(getrandom::u32().unwrap_or(0))
    }

    /// One profile; equal numbers draw equal profiles.
    pub fn draw(&self, random: u32) -> Profile {
        match self {
            Self::Exact(profile) => profile.clone(),
            Self::Browser | Self::Family(_) => draw(|browser| self.allows(browser), random),
        }
    }

    /// Whether a session that has this profile already may keep it.
    pub fn accepts(&self, profile: &Profile) -> bool {
        match self {
            Self::Exact(exact) => exact == profile,
            Self::Browser | Self::Family(_) => profile
                .browser()
                .is_some_and(|browser| self.allows(browser)),
        }
    }

    /// Whether it comes from the list of browsers, and that list is old; see [`staleness`].
    pub fn staleness(&self, now: Timestamp) -> Option<Staleness> {
        match self {
            Self::Exact(profile) if profile.browser().is_none() => None,
            Self::Browser | Self::Exact(_) | Self::Family(_) => staleness(now),
        }
    }

    fn allows(&self, browser: Browser) -> bool {
        match self {
            Self::Browser => true,
            Self::Exact(profile) => profile.browser() == Some(browser),
            Self::Family(family) => browser.family() == *family,
        }
    }
}

/// Draws by weight: a browser that many people have is drawn more often.
fn draw(allows: impl Fn(Browser) -> bool, random: u32) -> Profile {
    let total: u64 = browsers()
        .filter(|browser| allows(*browser))
        .map(weight)
        .sum();
    // Scaled rather than taken modulo, so that no browser is favoured by the division.
    let mut left = (u64::from(random) * total) >> 32;
    for browser in browsers().filter(|browser| allows(*browser)) {
        match left.checked_sub(weight(browser)) {
            Some(rest) => left = rest,
            None => return Profile::Browser(browser),
        }
    }
    Profile::Standard
}

fn weight(browser: Browser) -> u64 {
    u64::from(browser.weight())
}

impl Default for ProfileChoice {
    fn default() -> Self {
        Self::Exact(Profile::default())
    }
}

impl From<Profile> for ProfileChoice {
    fn from(profile: Profile) -> Self {
        Self::Exact(profile)
    }
}

impl FromStr for ProfileChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "browser" => Self::Browser,
            _ => match Family::named(name) {
                Some(family) => Self::Family(family),
                None => Self::Exact(name.parse()?),
            },
        })
    }
}

impl fmt::Display for ProfileChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Browser => f.write_str("browser"),
            Self::Exact(profile) => fmt::Display::fmt(profile, f),
            Self::Family(family) => fmt::Display::fmt(family, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_draws_a_browser_of_the_family() {
        for name in ["browser", "chrome", "firefox", "safari"] {
            let choice: ProfileChoice = name.parse().unwrap();
            assert_eq!(choice.to_string(), name);
            for random in [0, 1, u32::MAX / 3, u32::MAX - 1, u32::MAX] {
                let profile = choice.draw(random);
                assert!(choice.accepts(&profile), "{name}: {random} drew {profile}");
            }
        }
    }

    #[test]
    fn different_numbers_draw_different_browsers() {
        let draws = (0..64).map(|step| ProfileChoice::Browser.draw(step << 26).to_string());
        let different: std::collections::BTreeSet<String> = draws.collect();
        assert!(different.len() > 3, "{different:?}");
    }

    #[test]
    fn a_session_keeps_the_browser_it_has() {
        let kept: Profile = "safari/26.4/macos".parse().unwrap();
        check("browser", &kept, true);
        check("safari", &kept, true);
        check("firefox", &kept, false);
        check("standard", &kept, false);
        check("browser", &Profile::Standard, false);
        check("chrome", &Profile::stored("chrome/999/windows"), true);
    }

    #[track_caller]
    fn check(choice: &str, profile: &Profile, expected: bool) {
        let choice: ProfileChoice = choice.parse().unwrap();
        assert_eq!(choice.accepts(profile), expected, "{choice} and {profile}");
    }
}
