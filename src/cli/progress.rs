//! A bar on standard error for work that lasts, where that is a terminal.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner needs no bar.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// Redraws a second.
const RATE_HZ: u8 = 5;

/// How far the work is; gone when it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_wanted: bool,
}

impl Progress {
    /// Begins to count units of the given name, in bytes where it is `bytes`, up to a total where
    /// that is known.
    pub(crate) fn new(unit: &str, total: Option<u64>, is_wanted: bool) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let (done, all, pace) = match unit {
            "bytes" => ("{bytes}", "{total_bytes}", "{bytes_per_sec}".to_owned()),
            unit => ("{human_pos}", "{human_len}", format!("{unit}, {{per_sec}}")),
        };
        let template = match total {
            Some(_) => format!("[{{bar:40}}] {done} of {all} {pace}, {{eta}} left"),
            None => format!("{{elapsed}} {done} {pace}"),
        };
        // A template that cannot be read would be a plain bar.
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self { bar, is_wanted }
    }

    /// Counts.
    pub(crate) fn add(&mut self, units: u64) {
        self.bar.inc(units);
        if self.is_wanted && self.bar.elapsed() >= SHOWN_AFTER {
            self.is_wanted = false;
            // Hidden where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(RATE_HZ));
        }
    }

    /// Calls what writes to the terminal while no bar is there.
    pub(crate) fn beside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

/// Does work that may have to wait; when it lasts, a terminal shows for whom, and how long.
pub(crate) fn waiting_for<T>(whom: &str, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (working, end) = channel::<()>();
        scope.spawn(move || show_wait(whom, &end));
        let done = work();
        drop(working);
        done
    })
}

/// Shows that somebody is waited for, from a while after the beginning until the end.
fn show_wait(whom: &str, end: &Receiver<()>) {
    if end.recv_timeout(SHOWN_AFTER) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(RATE_HZ));
    let style = ProgressStyle::with_template("{elapsed} waiting for {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let bar = bar.with_elapsed(SHOWN_AFTER).with_message(whom.to_owned());
    while end.recv_timeout(SHOWN_AFTER) == Err(RecvTimeoutError::Timeout) {
        bar.tick();
    }
    bar.finish_and_clear();
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("done", &self.bar.position()).finish_non_exhaustive()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
