//! What stands at a place where a batch should begin, and walks from batch to batch by headers.
//!
//! The same judgement is used wherever segments are read: on a block that was read, on a mapped
//! segment, and on windows of a file whose batches are only counted or searched. It looks at the
//! header and at how many bytes the file still has, never at a checksum.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use super::segment::Segment;
use crate::error::ErrorKind;
use crate::record::{BatchError, BatchHeader, HEADER_LEN};

/// Where the magic stands; from here to the end of the header no v2 batch is all zeros.
const MAGIC_AT: usize = 16;

/// Bytes that are read at once where only headers are wanted. Small batches come by the dozen
/// then, and a large one costs no more than this.
const WINDOW_BYTES: usize = 64 * 1024;

/// What stands at a place where a batch should begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// When a whole batch does.
    Batch(BatchHeader),
    /// When nothing does: the file ends here.
    Stop(Stop),
}

/// Why there is no batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// When the file ends behind a batch.
    Clean,
    /// When the file ends inside of a batch.
    Torn,
    /// When zeros follow: room that was made beforehand, or a hole.
    Zeros,
    /// When bytes follow that are no batch which can stand here.
    Bad(Fault),
}

/// What is wrong with the bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: ErrorKind,
    pub(super) text: String,
}

/// Judges the bytes where a batch should begin, of which the file has `remaining`.
///
/// `bytes` holds the header, or all that remains; batches below `offset_min` would go backwards.
pub(super) fn next_batch(bytes: &[u8], remaining: u64, offset_min: i64) -> Next {
    if remaining == 0 {
        return Next::Stop(Stop::Clean);
    }
    let head = bytes.get(..HEADER_LEN).unwrap_or(bytes);
    let behind = head.get(MAGIC_AT..).unwrap_or_default();
    if behind.iter().all(|byte| *byte == 0) {
        // A header may have been begun where room had been made for it.
        let is_begun = head.iter().any(|byte| *byte != 0);
        return Next::Stop(if is_begun { Stop::Torn } else { Stop::Zeros });
    }
    let header = match BatchHeader::parse(head) {
        Ok(header) => header,
        Err(BatchError::Cut { .. }) => return Next::Stop(Stop::Torn),
        Err(error) => return Next::Stop(Stop::Bad(Fault::of(&error))),
    };
    if header.base_offset < offset_min {
        let text = format!(
            "a batch at base offset {} stands behind offset {}",
            header.base_offset,
            offset_min.saturating_sub(1)
        );
        return Next::Stop(Stop::Bad(Fault { kind: ErrorKind::Corrupt, text }));
    }
    if as_u64(header.size()) > remaining {
        return Next::Stop(Stop::Torn);
    }
    Next::Batch(header)
}

impl Fault {
    fn of(error: &BatchError) -> Self {
        let kind = match error {
            BatchError::UnsupportedMagic(0 | 1) => ErrorKind::Unsupported,
            _ => ErrorKind::Corrupt,
        };
        Self { kind, text: error.to_string() }
    }
}

impl Stop {
    /// Says what is wrong where there should be a batch.
    pub(super) fn into_fault(self) -> Fault {
        let text = match self {
            Self::Bad(fault) => return fault,
            Self::Clean => "the segment ends before its time",
            Self::Torn => "the segment ends inside of a batch",
            Self::Zeros => "zeros stand in the place of a batch",
        };
        Fault { kind: ErrorKind::Corrupt, text: text.to_owned() }
    }
}

/// The bytes of a file that were read last while headers were looked at.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
}

/// A walk over the headers of a segment's batches.
#[derive(Debug)]
pub(super) struct HeaderWalk<'a> {
    segment: &'a Segment,
    window: &'a mut Window,
    /// Where in the file the window's bytes are.
    window_at: u64,
    /// The length that the file had when the walk began.
    file_len: u64,
    place: Place,
}

/// A place where a batch may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In bytes from the start of the file.
    pub(super) position: u64,
    /// One behind the last offset before the place; the segment's base offset at its start.
    pub(super) next_offset: i64,
}

impl<'a> HeaderWalk<'a> {
    /// Begins at `place`.
    pub(super) fn new(
        segment: &'a Segment,
        window: &'a mut Window,
        place: Place,
    ) -> io::Result<Self> {
        window.bytes.clear();
        let file_len = segment.len()?;
        Ok(Self { segment, window, window_at: 0, file_len, place })
    }

    /// Looks at what stands at the place.
    pub(super) fn peek(&mut self) -> io::Result<Next> {
        let remaining = self.file_len.saturating_sub(self.place.position);
        let wanted = usize::try_from(remaining).unwrap_or(usize::MAX).min(HEADER_LEN);
        if self.bytes_here().len() < wanted {
            self.read_window()?;
        }
        let bytes = self.bytes_here();
        if bytes.len() < wanted {
            // The file has become shorter since the walk began.
            return Ok(Next::Stop(Stop::Torn));
        }
        Ok(next_batch(bytes, remaining, self.place.next_offset))
    }

    /// Goes to the first batch that `is_wanted` takes, or to where there is none any more.
    pub(super) fn find(&mut self, is_wanted: impl Fn(&BatchHeader) -> bool) -> io::Result<Next> {
        loop {
            match self.peek()? {
                Next::Batch(header) if !is_wanted(&header) => self.step_over(&header),
                found => return Ok(found),
            }
        }
    }

    /// Goes behind the batch whose header stands at the place.
    pub(super) fn step_over(&mut self, header: &BatchHeader) {
        self.place = Place {
            position: self.place.position.saturating_add(as_u64(header.size())),
            next_offset: header.next_offset(),
        };
    }

    /// Returns where the walk is.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Returns the length of the file when the walk began.
    pub(super) fn file_len(&self) -> u64 {
        self.file_len
    }

    fn bytes_here(&self) -> &[u8] {
        let from = self.place.position.checked_sub(self.window_at);
        let from = from.and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.window.bytes.get(from..)).unwrap_or_default()
    }

    fn read_window(&mut self) -> io::Result<()> {
        self.window.bytes.resize(WINDOW_BYTES, 0);
        self.window_at = self.place.position;
        let len = self.segment.read_at(self.window_at, &mut self.window.bytes)?;
        self.window.bytes.truncate(len);
        Ok(())
    }
}

/// A length in memory as one in a file.
pub(super) fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
