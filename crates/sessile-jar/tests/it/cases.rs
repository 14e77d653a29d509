//! Runs cases of the format that `tests/data/README.md` describes.
//!
//! Shared by the conformance test and the `conformance` example.

use serde_json::Value;
use sessile_jar::{
    Ancestors, Api, Context, Jar, Navigation, Partition, PublicSuffixes, Site, Target, Timestamp,
    parse_date,
};

/// A case of a file, or one of its dates.
pub(crate) struct Case {
    pub(crate) id: String,
    /// What was wrong, if anything.
    pub(crate) failure: Option<String>,
}

/// Runs every case of a file's text.
pub(crate) fn run(text: &str) -> Result<Vec<Case>, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let cases = file.as_array().ok_or("not an array of cases")?;
    Ok(cases
        .iter()
        .map(|case| Case {
            id: text_of(case, "id").unwrap_or("(no id)").to_owned(),
            failure: if case.get("date").is_some() {
                run_date(case).err()
            } else {
                run_steps(case).err()
            },
        })
        .collect())
}

fn run_date(case: &Value) -> Result<(), String> {
    let date = bytes(text_of(case, "date").ok_or("no date")?)?;
    let expected = match text_of(case, "expected") {
        Some(text) => Some(timestamp(text)?),
        None => None,
    };
    let got = parse_date(&date);
    if got == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, got {got:?}"))
    }
}

fn run_steps(case: &Value) -> Result<(), String> {
    let mut now = timestamp(text_of(case, "now").unwrap_or("2026-08-01T00:00:00Z"))?;
    let mut jar = Jar::new();
    let steps = case.get("steps").and_then(Value::as_array);
    for step in steps.ok_or("no steps")? {
        let (kind, step) = match (step.get("set"), step.get("expect")) {
            (Some(set), None) => ("set", set),
            (None, Some(expect)) => ("expect", expect),
            _ => return Err("a step is neither `set` nor `expect`".to_owned()),
        };
        if let Some(time) = text_of(step, "time") {
            now = timestamp(time)?;
        }
        let context = context(step)?;
        let url = text_of(step, "url").ok_or("a step without a url")?;
        // A URL that no request can be made to neither sets nor gets cookies.
        let target = Target::parse(url).ok();
        if kind == "set" {
            for line in step
                .get("set_cookie")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let line = bytes(line.as_str().ok_or("a set_cookie that is no string")?)?;
                if let Some(target) = &target {
                    // A refusal shows in what is expected later.
                    let _ = jar.store(&line, target, &context, now);
                }
            }
        } else {
            let header = target.and_then(|target| jar.cookie_header(&target, &context, now));
            compare(step, &header.unwrap_or_default())?;
        }
    }
    Ok(())
}

fn compare(step: &Value, got: &[u8]) -> Result<(), String> {
    let expected = text_of(step, "cookie_6265bis").or_else(|| text_of(step, "cookie"));
    let expected = bytes(expected.ok_or("an expectation without a cookie")?)?;
    let is_ordered = step
        .get("order_matters")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let sorted = |header: &[u8]| {
        let text = latin1(header);
        let mut parts: Vec<_> = text.split("; ").map(str::to_owned).collect();
        parts.sort();
        parts
    };
    if got == expected || (!is_ordered && sorted(got) == sorted(&expected)) {
        return Ok(());
    }
    Err(format!(
        "expected {:?}, got {:?}",
        latin1(&expected),
        latin1(got)
    ))
}

fn context(step: &Value) -> Result<Context, String> {
    let mut context = Context::default();
    let Some(given) = step.get("context") else {
        return Ok(context);
    };
    let is_true = |name: &str| given.get(name).and_then(Value::as_bool).unwrap_or(false);
    if text_of(given, "api") == Some("non-http") {
        context.api = Api::NonHttp;
    }
    if text_of(given, "site") == Some("cross-site") {
        context.site = Site::CrossSite;
    }
    if is_true("top_level_navigation") {
        let method = text_of(given, "method")
            .unwrap_or("GET")
            .to_ascii_uppercase();
        context.navigation = match method.as_str() {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" => Navigation::Safe,
            _ => Navigation::Unsafe,
        };
    }
    let ancestors = if is_true("cross_site_ancestor") {
        Ancestors::CrossSite
    } else {
        Ancestors::SameSite
    };
    let top = text_of(given, "top_level_site").or_else(|| {
        let own = text_of(step, "url");
        own.filter(|_| ancestors == Ancestors::CrossSite)
    });
    if let Some(top) = top {
        let page = Target::parse(top).map_err(|error| format!("{top}: {error}"))?;
        context.partition = Some(Partition::of(&page, ancestors, &PublicSuffixes));
    }
    Ok(context)
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The bytes of a string in which every character stands for one.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    text.chars()
        .map(|letter| u8::try_from(u32::from(letter)))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{text:?} has characters that are no bytes"))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// `2026-08-01T00:00:00Z`, with or without a fraction, always UTC.
fn timestamp(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} is no time");
    let (date, time) = text
        .trim_end_matches('Z')
        .split_once(['T', ' '])
        .ok_or_else(wrong)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = date.split('-');
    let mut next = || parts.next().ok_or_else(wrong);
    let (year, month, day) = (next()?, next()?, next()?);
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month: usize = month.parse().map_err(|_| wrong())?;
    let month = months.get(month.wrapping_sub(1)).ok_or_else(wrong)?;
    let seconds =
        parse_date(format!("{day} {month} {year} {time}").as_bytes()).ok_or_else(wrong)?;
    let millis: i64 = format!("{fraction:0<3.3}").parse().map_err(|_| wrong())?;
    Ok(Timestamp::from_millis(seconds.as_millis() + millis))
}
