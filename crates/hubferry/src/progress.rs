//! A line that moves, on standard error and only on a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a run is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts a line; `total` when it is known, `counted` says what has happened to those that are shown.
    #[must_use]
    pub(crate) fn start(total: Option<u64>, counted: &'static str) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = if total.is_some() {
            "{elapsed:>4}  {bar:30.cyan/dim}  {human_pos}/{human_len}  {msg}"
        } else {
            "{elapsed:>4}  {spinner}  {human_pos} {prefix}  {msg}"
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        bar.set_style(style);
        bar.set_prefix(counted);
        Self { bar }
    }

    /// Moves to `ended` with a word on what is going on.
    pub(crate) fn show(&self, ended: u64, message: String) {
        self.bar.set_position(ended);
        self.bar.set_message(message);
    }
}

impl Drop for Progress {
    /// Takes the line away, however the run ended.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
