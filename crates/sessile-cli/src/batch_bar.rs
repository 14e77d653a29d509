//! How a batch goes: a bar on a terminal, and nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sessile::batch::Progress;

use crate::printer::Printer;

/// How often the bar is drawn where nothing comes to an end.
const TICK: Duration = Duration::from_millis(250);

/// Shows how far a batch is.
pub(crate) struct BatchBar {
    bar: Option<ProgressBar>,
    say: Box<dyn Fn(&str) + Send + Sync>,
}

impl BatchBar {
    pub(crate) fn new(printer: &Printer) -> Self {
        let bar = printer.style().shows_progress().then(bar);
        Self {
            bar,
            say: Box::new(printer.noter()),
        }
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        let total = progress
            .total
            .map(|total| total.saturating_sub(progress.duplicates));
        if bar.length() != total {
            match total {
                Some(total) => bar.set_length(total),
                None => bar.unset_length(),
            }
        }
        if bar.position() == 0 {
            // What was done before says nothing of how fast it goes now.
            bar.set_position(progress.before);
            bar.reset_eta();
        }
        bar.set_position(progress.before + progress.done);
        bar.set_message(message(progress));
    }

    /// Tells a person something while the bar is there.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| (self.say)(text)),
            None => (self.say)(text),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for BatchBar {
    fn drop(&mut self) {
        self.end();
    }
}

/// From when on it is said that targets wait for a session.
const SOON: Duration = Duration::from_secs(1);

fn message(progress: &Progress) -> String {
    let mut message = format!("{} failed", progress.failed);
    if let Some(lack) = progress.lack.as_ref().filter(|lack| lack.waited >= SOON) {
        message.push_str(&format!(", {} wait for a session", lack.targets));
    }
    if progress.waiting > 0 {
        message.push_str(&format!(", {} wait to be tried again", progress.waiting));
    }
    message
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.enable_steady_tick(TICK);
    match ProgressStyle::with_template(TEMPLATE) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        // The template is ours; a plain bar does as well.
        Err(_unread) => bar,
    }
}

const TEMPLATE: &str = "{elapsed_precise} [{wide_bar}] {pos}/{len}  {per_sec}  {msg}  {eta} left";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_s_template_is_understood() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn what_was_done_before_is_part_of_it() {
        let bar = BatchBar {
            bar: Some(ProgressBar::hidden()),
            say: Box::new(|_| {}),
        };
        let mut progress = Progress::default();
        progress.total = Some(10);
        progress.before = 4;
        progress.done = 2;
        progress.duplicates = 1;
        bar.show(&progress);
        let shown = bar.bar.as_ref().unwrap();
        assert_eq!((shown.position(), shown.length()), (6, Some(9)));
        assert_eq!(message(&progress), "0 failed");
        progress.waiting = 3;
        assert_eq!(message(&progress), "0 failed, 3 wait to be tried again");
    }
}
