//! What an answer has brought and nobody has verified yet, and its way to the polling thread.
//!
//! Reading an answer only skims batch headers, so that the next Fetch can leave. Then, off the
//! broker's critical path, checksums are verified and the batches handed over.

#![forbid(unsafe_code)]

use crate::buffer::Slice;
use crate::error::{Error, ErrorKind};
use crate::record::{BatchHeader, verify_crc};
use crate::ring::slot::{Run, Source};

/// Something an answer brought for a partition.
#[derive(Debug)]
pub struct Landed {
    /// For which cursor.
    pub cursor: u32,
    /// The cursor's generation then; what has landed for another one is void.
    pub generation: u32,
    /// What it is.
    pub what: What,
}

/// What has landed.
#[derive(Debug)]
pub enum What {
    /// When batches have.
    Run(Run),
    /// When the bytes after the last run are no batch.
    Damage(Damage),
    /// When the answer ended at the partition's end.
    End(i64),
}

/// A batch that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where: the first offset that cannot be read.
    pub offset: i64,
    /// What is wrong.
    pub kind: ErrorKind,
    /// The same in words.
    pub text: String,
}

impl Damage {
    /// Says that a batch's bytes are damaged.
    pub fn corrupt(offset: i64, text: impl Into<String>) -> Self {
        Self { offset, kind: ErrorKind::Corrupt, text: text.into() }
    }

    /// Makes the partition's error of it.
    pub fn into_error(self, topic: &str, partition: i32) -> Error {
        Error::new(self.kind, self.text).with_partition(topic, partition).with_offset(self.offset)
    }
}

/// Verifies the checksums of a run; returns how much of it is whole, and the damage after that.
pub fn verify(run: Run) -> (Option<Run>, Option<Damage>) {
    let mut whole = 0;
    let mut next_offset = run.from_offset;
    let mut rest: &[u8] = &run.bytes;
    while !rest.is_empty() {
        // Headers have been parsed when the answer was skimmed; nothing has changed since.
        let Ok(header) = BatchHeader::parse(rest) else { break };
        let Some((batch, behind)) = rest.split_at_checked(header.size()) else { break };
        if !verify_crc(batch) {
            let offset = header.base_offset.max(run.from_offset);
            let damage = Damage::corrupt(offset, "the batch's checksum differs from its content");
            return (cut(run, whole, next_offset), Some(damage));
        }
        whole += batch.len();
        next_offset = header.next_offset();
        rest = behind;
    }
    (Some(run), None)
}

fn cut(run: Run, len: usize, next_offset: i64) -> Option<Run> {
    (len > 0).then(|| Run { bytes: run.bytes.slice(0..len), next_offset, ..run })
}

/// Consecutive batches of one partition in one block, while an answer is being read.
#[derive(Debug)]
pub struct OpenRun {
    /// Where in the block the run begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Records below are not wanted.
    pub from_offset: i64,
    /// The last batch's last offset + 1.
    pub next_offset: i64,
}

impl OpenRun {
    /// Closes the run.
    pub fn close(self, bytes: Slice, high_watermark: i64, source: Source) -> Run {
        Run {
            bytes,
            from_offset: self.from_offset,
            next_offset: self.next_offset,
            high_watermark,
            source,
        }
    }
}
