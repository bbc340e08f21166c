//! What a log writer may be told.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::error::{Error, ErrorKind, Result};
use crate::record::{Codec, Deflater};

/// The most that a batch's uncompressed records may be asked to have: what a codec that makes them
/// longer adds still fits into the batch's length field.
const BATCH_BYTES_MAX: usize = 1 << 29;

/// A segment's positions are of 32 bits with a sign.
const SEGMENT_BYTES_MAX: u64 = (1 << 31) - 1;

/// How a [`LogWriter`](super::LogWriter) lays out what it writes; the defaults are Kafka's where
/// Kafka has the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogWriterOptions {
    /// How batches are compressed (`compression.type`).
    pub codec: Codec,
    /// The codec's level, `None` for its default.
    pub compression_level: Option<i32>,
    /// The bytes before compression that a batch does not exceed unless one record does
    /// (`batch.size`): at most 512 MiB.
    pub batch_bytes: usize,
    /// The bytes that a segment does not exceed unless one batch does (`segment.bytes`): 1 byte to
    /// 2 GiB - 1.
    pub segment_bytes: u64,
    /// More bytes than this lie between two entries of an index (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// After how many bytes of finished batches readers are shown them, if nobody flushes before.
    pub flush_bytes: u64,
    /// How long a finished batch waits for that at most, in ms, as long as further ones follow.
    pub flush_ms: u64,
}

impl Default for LogWriterOptions {
    fn default() -> Self {
        Self {
            codec: Codec::None,
            compression_level: None,
            batch_bytes: 16 << 10,
            segment_bytes: 1 << 30,
            index_interval_bytes: 4 << 10,
            // To publish is to replace a small file: 40 µs on tmpfs, 1 ms on a busy ext4. So it
            // takes at most 3 % of the time at 1 GB/s, and 1 % where time is what it goes by.
            flush_bytes: 32 << 20,
            flush_ms: 100,
        }
    }
}

impl LogWriterOptions {
    /// Checks that a writer can work like this.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] that names the field and its limits.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::new(ErrorKind::InvalidArgument, text));
        if self.batch_bytes > BATCH_BYTES_MAX {
            let bytes = self.batch_bytes;
            return refuse(format!("batch_bytes is {bytes}, at most {BATCH_BYTES_MAX}"));
        }
        if !(1..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            let bytes = self.segment_bytes;
            return refuse(format!("segment_bytes is {bytes}, 1 to {SEGMENT_BYTES_MAX}"));
        }
        let level = self.compression_level;
        match Deflater::new().deflate(self.codec, level, &[], &mut Vec::new()) {
            Ok(()) => Ok(()),
            Err(error) => refuse(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let fine = LogWriterOptions::default();
        fine.check().unwrap();
        let cases = [
            (LogWriterOptions { batch_bytes: BATCH_BYTES_MAX + 1, ..fine }, "batch_bytes"),
            (LogWriterOptions { segment_bytes: 0, ..fine }, "segment_bytes"),
            (LogWriterOptions { segment_bytes: 1 << 31, ..fine }, "segment_bytes"),
            (
                LogWriterOptions { codec: Codec::Gzip, compression_level: Some(77), ..fine },
                "gzip has no compression level 77",
            ),
        ];
        for (options, text) in cases {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains(text), "{error}");
        }
    }
}
