//! One question to the coordinator, asked again with back-off until it is answered or its time is
//! over.

#![forbid(unsafe_code)]

use std::time::Instant;

use crate::backoff::{Backoff, BackoffLimits, Random};
use crate::error::{Error, ErrorKind};

/// How far asking has come.
#[derive(Debug)]
pub(super) struct Attempt {
    deadline: Instant,
    is_sent: bool,
    /// Not before this time, after an attempt that failed.
    retry_at: Option<Instant>,
    backoff: Backoff,
    /// Why the last attempt failed.
    trouble: Option<Error>,
}

impl Attempt {
    /// Begins before the first attempt.
    pub(super) fn new(deadline: Instant) -> Self {
        let (retry_at, backoff, trouble) = (None, Backoff::default(), None);
        Self { deadline, is_sent: false, retry_at, backoff, trouble }
    }

    /// Tells whether an answer is awaited.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent
    }

    /// Tells whether its time is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline <= now
    }

    /// Counts as sent, if it is time to send it; tells whether that is so.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_due = !self.is_sent && self.retry_at.is_none_or(|at| at <= now);
        if is_due {
            (self.is_sent, self.retry_at) = (true, None);
        }
        is_due
    }

    /// Takes note that it has failed in a way that may pass.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        error: Error,
        limits: BackoffLimits,
        random: &mut Random,
    ) {
        (self.is_sent, self.trouble) = (false, Some(error));
        self.retry_at = Some(now + self.backoff.next_delay(limits, random));
    }

    /// Returns when its time is over, or it is to be sent again, if it can be.
    pub(super) fn timeout(&self, can_send: bool) -> Instant {
        let retry = self.retry_at.filter(|_| can_send && !self.is_sent);
        retry.map_or(self.deadline, |retry| retry.min(self.deadline))
    }

    /// Makes the error of one whose time is over: what did not happen, and the last known reason,
    /// its own or the link's.
    pub(super) fn late(&self, what: &str, link_trouble: &str) -> Error {
        let trouble = self.trouble.as_ref().map_or(link_trouble, Error::message);
        out_of_time(&format!("{what} in time"), trouble)
    }
}

/// Makes the error of what has not happened in time, with the reason where one is known.
pub(super) fn out_of_time(what: &str, trouble: &str) -> Error {
    let colon = if trouble.is_empty() { "" } else { ": " };
    Error::new(ErrorKind::Timeout, format!("{what}{colon}{trouble}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_error_tells_its_reason_behind_a_colon() {
        #[allow(clippy::disallowed_methods, reason = "any time will do")]
        let attempt = Attempt::new(Instant::now());
        let late = |trouble| attempt.late("nobody did", trouble).message().to_owned();
        assert_eq!(late(""), "nobody did in time");
        assert_eq!(late("nobody could be asked"), "nobody did in time: nobody could be asked");
    }
}
