//! Which one-time code is sent when: by the site's clock, and none of them twice.
//!
//! Pure; where codes come from that no secret makes is `walk`'s business.

use std::time::Duration;

use sessile_jar::Timestamp;

use super::otp::OtpSecret;

/// How far ahead a code that was sent before may lie: whatever is further came of a clock that was
/// set back since.
const AHEAD: u64 = 2;

/// The codes of a login under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    /// The last step whose code an earlier login of this session has sent.
    before: Option<u64>,
    /// The steps whose codes this login has sent, all of them refused.
    refused: Vec<u64>,
}

/// A code to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Turn {
    /// The step that it is the code of.
    pub(super) step: u64,
    /// How long to wait first: sites take a code once, and none of the time to come.
    pub(super) wait: Duration,
}

impl Codes {
    /// None sent so far in this login; `before` is the step of the last code that was sent earlier.
    pub(super) fn after(before: Option<u64>) -> Self {
        Self {
            before,
            refused: Vec::new(),
        }
    }

    /// The code to send next; `None` where as many as may be were refused.
    ///
    /// `now` is by our clock, `there` by the site's where it has told the time.
    pub(super) fn turn(
        &self,
        secret: &OtpSecret,
        now: Timestamp,
        there: Option<Timestamp>,
    ) -> Option<Turn> {
        let ours = secret.step(now);
        let at_once = |step| Turn {
            step,
            wait: Duration::ZERO,
        };
        let in_time = |step, now| Turn {
            step,
            wait: until(secret.start_of(step), now),
        };
        match (self.refused.len(), there) {
            // A second time, because somebody may have used this step's code: nobody has used the
            // next one's.
            (0 | 1, Some(there)) => Some(in_time(self.fresh(secret.step(there)), there)),
            // The machine that tells the time may not be the one that knows the codes.
            (2, Some(there)) if ours.abs_diff(secret.step(there)) > 1 => {
                self.is_unsent(ours).then(|| at_once(ours))
            }
            (0, None) => Some(in_time(self.fresh(ours), now)),
            // Clocks may differ by a step; which way, nothing says.
            (1 | 2, None) => {
                let around = [Some(ours), ours.checked_sub(1), ours.checked_add(1)];
                let mut around = around.into_iter().flatten();
                around.find(|step| self.is_unsent(*step)).map(at_once)
            }
            _ => None,
        }
    }

    /// A code was sent.
    pub(super) fn sent(&mut self, step: u64) {
        self.refused.push(step);
    }

    /// The last step whose code was sent.
    pub(super) fn last(&self) -> Option<u64> {
        self.before.max(self.refused.iter().max().copied())
    }

    /// The first step from `step` on whose code was not sent yet.
    fn fresh(&self, step: u64) -> u64 {
        match self.last() {
            Some(last) if last >= step && last - step <= AHEAD => last + 1,
            _ => step,
        }
    }

    fn is_unsent(&self, step: u64) -> bool {
        !self.refused.contains(&step) && self.before.is_none_or(|before| step > before)
    }
}

fn until(moment: Timestamp, now: Timestamp) -> Duration {
    let millis = moment.as_millis().saturating_sub(now.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Option<i64> = Some(1000);

    #[test]
    fn a_code_is_sent_once_and_at_its_time() {
        // In the middle of step 33 (990 to 1020 s), by the site's clock.
        check(None, &[], (5, SITE), Some((33, 0)));
        check(Some(32), &[], (5, SITE), Some((33, 0)));
        check(Some(33), &[], (5, SITE), Some((34, 20)));
        check(Some(34), &[], (5, SITE), Some((35, 50)));
        // A step so far ahead came of a clock that was wrong.
        check(Some(99), &[], (5, SITE), Some((33, 0)));
    }

    #[test]
    fn a_refused_code_may_have_been_used_by_somebody() {
        check(None, &[33], (1000, SITE), Some((34, 20)));
        check(None, &[33, 34], (1000, SITE), None);
        check(None, &[33, 34], (5, SITE), Some((0, 0)));
        check(None, &[33, 34, 0], (5, SITE), None);
    }

    #[test]
    fn without_the_sites_time_the_steps_beside_are_tried() {
        check(None, &[], (1000, None), Some((33, 0)));
        check(Some(33), &[], (1000, None), Some((34, 20)));
        check(None, &[33], (1000, None), Some((32, 0)));
        check(None, &[33, 32], (1000, None), Some((34, 0)));
        check(None, &[33, 32, 34], (1000, None), None);
        check(Some(32), &[33], (1000, None), Some((34, 0)));
        check(None, &[32], (1000, None), Some((33, 0)));
    }

    #[track_caller]
    fn check(
        last: Option<u64>,
        refused: &[u64],
        (now, there): (i64, Option<i64>),
        expected: Option<(u64, u64)>,
    ) {
        let secret = OtpSecret::parse("JBSWY3DPEHPK3PXP").unwrap();
        let mut codes = Codes::after(last);
        for step in refused {
            codes.sent(*step);
        }
        let there = there.map(Timestamp::from_seconds);
        let turn = codes.turn(&secret, Timestamp::from_seconds(now), there);
        let found = turn.map(|turn| (turn.step, turn.wait.as_secs()));
        assert_eq!(found, expected, "{last:?} {refused:?} {now} {there:?}");
    }
}
