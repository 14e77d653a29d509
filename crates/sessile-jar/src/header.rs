//! The `Cookie` header: the only place that writes one.

use crate::context::Context;
use crate::jar::Jar;
use crate::record::Record;
use crate::{Target, Timestamp};

/// How many cookies of a line are found only once; of longer lines all are found twice.
const REMEMBERED: usize = 32;

/// What a `Cookie` line that was written holds.
///
/// ```
/// use sessile_jar::{Context, Jar, Target, Timestamp};
///
/// let (mut jar, context) = (Jar::new(), Context::default());
/// let (shop, now) = (Target::parse("https://shop.example/")?, Timestamp::from_seconds(0));
/// jar.store(b"id=1; Max-Age=60", &shop, &context, now)?;
/// let mut out = b"cookie: ".to_vec();
/// let line = jar.write_cookie_header(&shop, &context, now, &mut out);
/// assert_eq!(out, b"cookie: id=1");
/// assert_eq!(line.valid_until, Timestamp::from_seconds(60));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// One allocation, of the size that is needed.
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
        // Usual lines are remembered, to be written without asking the rules again.
        let mut first: [Option<&Record>; REMEMBERED] = [None; REMEMBERED];
        let mut length = 0;
        for cookie in selection.clone() {
            let record = cookie.record;
            length += record.name().len() + record.value().len() + 3;
            if let Some(place) = first.get_mut(line.cookies) {
                *place = Some(record);
            }
            line.cookies += 1;
            line.valid_until = line.valid_until.min(record.expires);
            // Step 5.
            record.touch(now);
        }
        out.reserve_exact(length);
        if line.cookies <= REMEMBERED {
            push_line(first.into_iter().flatten(), out);
        } else {
            push_line(selection.map(|cookie| cookie.record), out);
        }
        line
    }
}

/// Step 6 of 5.8.3: the cookies as they go over the wire.
fn push_line<'a>(records: impl Iterator<Item = &'a Record>, out: &mut Vec<u8>) {
    for (index, record) in records.enumerate() {
        // Step 6.3.
        if index > 0 {
            out.extend_from_slice(b"; ");
        }
        // Step 6.1: without a name there is no equals sign.
        if !record.name().is_empty() {
            out.extend_from_slice(record.name());
            out.push(b'=');
        }
        // Step 6.2.
        out.extend_from_slice(record.value());
    }
}
