//! How far something is, shown on a terminal and nowhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often what goes on is seen to.
const BEAT: Duration = Duration::from_millis(100);

/// A line on the terminal; nothing where standard error is none. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows how far `what` is, counted in `unit`.
    pub fn new(what: &'static str, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // A template of our own that does not read leaves the usual one.
        if let Ok(style) = ProgressStyle::with_template(&format!("{{msg}} {{bar:30}} {{human_pos}} {unit}")) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar }
    }

    /// Shows that `what` goes on, where nobody knows how far it is.
    pub fn spinning(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(BEAT);
        Self { bar }
    }

    /// So much is done, of so much where that is known.
    pub fn tell(&self, done: u64, of: Option<u64>) {
        if let Some(of) = of {
            self.bar.set_length(of);
        }
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
