//! Where the batches of the active segment end.
//!
//! The place is found by walking over headers, from an index entry the first time and from the
//! last place afterwards. Where no checkpoint bounds what may be read, the batches found are the
//! bound: then the last one also has its checksum looked at while the file is fresh, since whoever
//! writes it may not have written all of it yet.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::headers::{HeaderWalk, Next, Place, Stop, Window};
use super::hint::place_before_offset;
use super::large::is_intact;
use super::segment::Segment;

/// How long nobody must have written into a file for its last batch to count whatever its
/// checksum: what is wrong with it then is damage, and to be told.
const FRESH: Duration = Duration::from_secs(1);

/// The end of the active segment as it was found last.
#[derive(Debug)]
pub(super) struct Tail {
    segment: Arc<Segment>,
    /// One behind the last batch that was counted.
    end: Place,
    /// Why there is no batch at `end`; `None` where nobody has looked.
    stop: Option<Stop>,
    /// The length of the file as `stop` was found.
    file_len: u64,
}

impl Tail {
    /// Takes `segment` as the active one; the walk will begin not far below `until`.
    pub(super) fn new(segment: Segment, until: i64) -> Self {
        let end = place_before_offset(&segment, until.saturating_sub(1));
        Self { segment: Arc::new(segment), end, stop: None, file_len: 0 }
    }

    /// Walks on until the end is at or above the offset `until`, or there is no further batch.
    ///
    /// With `fresh_checked`, a last batch with a wrong checksum in a file that is being written
    /// does not count yet.
    pub(super) fn advance(
        &mut self,
        window: &mut Window,
        until: i64,
        fresh_checked: bool,
    ) -> io::Result<()> {
        let file_len = self.segment.len()?;
        if file_len < self.end.position {
            self.restart();
        }
        let is_judged = matches!(self.stop, Some(Stop::Bad(_))) && self.file_len == file_len;
        if is_judged || self.end.next_offset >= until {
            return Ok(());
        }
        let start = self.end;
        self.walk(window, until, fresh_checked)?;
        if matches!(self.stop, Some(Stop::Bad(_))) && self.end == start {
            // Somebody may have cut the file and written on, so that the place means nothing.
            self.restart();
            self.walk(window, until, fresh_checked)?;
        }
        Ok(())
    }

    /// Returns one behind the last offset that was counted.
    pub(super) fn end_offset(&self) -> i64 {
        self.end.next_offset
    }

    /// Returns the place behind the last batch that was counted.
    pub(super) fn end(&self) -> Place {
        self.end
    }

    /// Returns why no batch follows, if the walk came that far.
    pub(super) fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    fn restart(&mut self) {
        self.end = place_before_offset(&self.segment, i64::MAX);
        self.stop = None;
    }

    fn walk(&mut self, window: &mut Window, until: i64, fresh_checked: bool) -> io::Result<()> {
        let mut walk = HeaderWalk::new(&self.segment, window, self.end)?;
        let mut last = None;
        self.stop = None;
        while walk.place().next_offset < until {
            match walk.peek()? {
                Next::Batch(header) => {
                    last = Some((walk.place(), header));
                    walk.step_over(&header);
                }
                Next::Stop(stop) => {
                    self.stop = Some(stop);
                    break;
                }
            }
        }
        self.end = walk.place();
        self.file_len = walk.file_len();
        let Some((place, header)) = last.filter(|_| fresh_checked && self.stop.is_some()) else {
            return Ok(());
        };
        if is_fresh(&self.segment) && !is_intact(&self.segment, place.position, &header)? {
            self.end = place;
            self.stop = Some(Stop::Torn);
        }
        Ok(())
    }
}

fn is_fresh(segment: &Segment) -> bool {
    // A time in the future, by another machine's clock, counts as fresh.
    segment.modified().is_ok_and(|modified| !modified.elapsed().is_ok_and(|age| age > FRESH))
}
