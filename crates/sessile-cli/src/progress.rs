//! How a recording goes: a bar on a terminal, lines elsewhere, JSON lines for programs.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use sessile_record::{Event, Stop};

use crate::commands::recording;
use crate::printer::{Printer, plain};

/// Tells a recording's events in the form that was asked for.
pub(crate) struct Progress<'a> {
    bar: Option<ProgressBar>,
    printer: &'a mut Printer,
    /// Used where nobody reads the events any more.
    stop: Stop,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(printer: &'a mut Printer, stop: Stop) -> Self {
        let bar = printer.style().shows_progress().then(bar);
        Self { bar, printer, stop }
    }

    /// Tells one event.
    pub(crate) fn hear(&mut self, event: &Event) {
        if self.printer.style().json {
            if self.printer.json_line(&document(event)).is_err() {
                self.stop.stop();
            }
            return;
        }
        let told = self.told(event);
        let is_warning = matches!(event, Event::Gap(_) | Event::Warning(_));
        match (told, &self.bar) {
            (None, _) => {}
            (Some(text), Some(bar)) => bar.suspend(|| tell(self.printer, &text, is_warning)),
            (Some(text), None) => tell(self.printer, &text, is_warning),
        }
    }

    /// What a person is told in a line of its own; how far it is goes into the bar.
    fn told(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Discontinuity { .. } => return None,
            Event::Finished(_) => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
                return None;
            }
            Event::Gap(gap) => {
                let (first, last) = (gap.first, gap.first + gap.count.saturating_sub(1));
                format!(
                    "segments {first} to {last} are missing: {}",
                    plain(&gap.why)
                )
            }
            Event::Progress { .. } => {
                self.move_on(event);
                return None;
            }
            Event::Renewed => "the login was gone and is back".to_owned(),
            Event::ResolvedAgain => "the address had ended; the page gave another one".to_owned(),
            Event::Started {
                path,
                resumed,
                is_live,
                variant,
                ..
            } => {
                let live = if *is_live { ", live" } else { "" };
                let variant = variant.map_or_else(String::new, shown_variant);
                let resumed = match resumed {
                    0 => String::new(),
                    _ => format!(", goes on after {}", HumanBytes(*resumed)),
                };
                format!(
                    "recording into {}{live}{variant}{resumed}",
                    plain(&path.display().to_string())
                )
            }
            Event::Warning(text) => plain(text),
            _ => return None,
        })
    }

    fn move_on(&self, event: &Event) {
        let (
            Some(bar),
            Event::Progress {
                bytes,
                total,
                segments,
                media_time,
                rate,
                ..
            },
        ) = (&self.bar, event)
        else {
            return;
        };
        // Of media in segments nobody knows the size before its end.
        let (done, whole) = match (total, segments) {
            (Some(total), _) => (*bytes, *total),
            (None, Some((done, Some(all)))) => (*done, *all),
            (None, _) => (0, 0),
        };
        if whole > 0 {
            bar.set_length(whole);
            bar.set_position(done);
        }
        let media_time = media_time.map_or_else(String::new, |time| format!("  {}", clock(time)));
        let (bytes, rate) = (HumanBytes(*bytes), HumanBytes(*rate));
        bar.set_message(format!("{bytes}{media_time}  {rate}/s"));
        bar.tick();
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn tell(printer: &mut Printer, text: &str, is_warning: bool) {
    match is_warning {
        true => printer.warn(text),
        false => printer.note(text),
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{elapsed_precise} [{wide_bar}] {percent:>3}%  {msg}  {eta} left",
    );
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        // The template is ours; a plain bar does as well.
        Err(_unread) => bar,
    }
}

fn shown_variant((height, bandwidth): (Option<u32>, u64)) -> String {
    let height = height.map_or_else(String::new, |height| format!("{height}p, "));
    format!(", {height}{} kbit/s", bandwidth / 1000)
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// An event for programs.
fn document(event: &Event) -> Value {
    match event {
        Event::Discontinuity { sequence } => {
            json!({ "event": "discontinuity", "sequence": sequence })
        }
        Event::Finished(recorded) => recording::document(recorded),
        Event::Gap(gap) => {
            let mut document = recording::gap(gap);
            document["event"] = json!("gap");
            document
        }
        Event::Progress {
            bytes,
            total,
            segments,
            media_time,
            elapsed,
            rate,
        } => json!({
            "event": "progress",
            "bytes": bytes,
            "total": total,
            "segments": segments.map(|(done, _)| done),
            "totalSegments": segments.and_then(|(_, all)| all),
            "mediaSeconds": media_time.map(|time| time.as_secs_f64()),
            "seconds": elapsed.as_secs_f64(),
            "rate": rate,
        }),
        Event::Renewed => json!({ "event": "renewed" }),
        Event::ResolvedAgain => json!({ "event": "resolvedAgain" }),
        Event::Started {
            path,
            total,
            resumed,
            is_live,
            variant,
        } => json!({
            "event": "started",
            "path": path.display().to_string(),
            "total": total,
            "resumed": resumed,
            "live": is_live,
            "height": variant.and_then(|(height, _)| height),
            "bandwidth": variant.map(|(_, bandwidth)| bandwidth),
        }),
        Event::Warning(text) => json!({ "event": "warning", "message": text }),
        _ => json!({ "event": "other" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_clocks_do() {
        assert_eq!(clock(Duration::from_secs(3_725)), "01:02:05");
    }

    #[test]
    fn the_bar_s_template_is_understood() {
        let bar = bar();
        bar.set_length(10);
        bar.set_position(5);
        assert_eq!(bar.length(), Some(10));
    }
}
