//! The `Cookie` header: the only place that writes one.

use crate::context::Context;
use crate::jar::Jar;
use crate::{Target, Timestamp};

/// What a `Cookie` line that was written holds.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line {
    /// How many cookies are in it; with none, nothing was written and no field is sent.
    pub cookies: usize,
    /// The time at which the first of them ends: until then the line may be sent again, while
    /// [`Jar::line_revision`] stays the same.
    pub valid_until: Timestamp,
}

impl Jar {
    /// The `Cookie` field value for a request; `None` if it carries no cookie.
    ///
    /// One allocation, of exactly the size that is needed.
    pub fn cookie_header(
        &self,
        target: &Target<'_>,
        context: &Context,
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let mut header = Vec::new();
        let line = self.write_cookie_header(target, context, now, &mut header);
        (line.cookies > 0).then_some(header)
    }

    /// Writes the `Cookie` field value for a request to the end of `out`.
    ///
    /// Nothing is allocated if there is room.
    pub fn write_cookie_header(
        &self,
        target: &Target<'_>,
        context: &Context,
        now: Timestamp,
        out: &mut Vec<u8>,
    ) -> Line {
        let mut line = Line {
            cookies: 0,
            valid_until: Timestamp::LATEST,
        };
        let selection = self.matching(target, context, now);
        let mut length = 0;
        for cookie in selection.clone() {
            length += cookie.name().len() + cookie.value().len() + 3;
            line.cookies += 1;
            line.valid_until = line.valid_until.min(cookie.record.expires);
        }
        out.reserve_exact(length.saturating_sub(2));
        // Step 6 of 5.8.3.
        for (index, cookie) in selection.enumerate() {
            // Step 5.
            cookie.record.touch(now);
            // Step 6.3.
            if index > 0 {
                out.extend_from_slice(b"; ");
            }
            // Step 6.1: without a name there is no equals sign.
            if !cookie.name().is_empty() {
                out.extend_from_slice(cookie.name());
                out.push(b'=');
            }
            // Step 6.2.
            out.extend_from_slice(cookie.value());
        }
        line
    }
}
