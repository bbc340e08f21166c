//! Records into one batch of format v2, as the log writer, the generator and the tests need it.
//!
//! The builder keeps the records' bytes uncompressed until the batch is finished, and all of its
//! memory from one batch to the next. What it writes is what Kafka's `MemoryRecordsBuilder` writes
//! for the same records: deltas from the first record's timestamp, the largest timestamp in the
//! header, or the append time where there is one.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::batch::{BatchHeader, HEADER_LEN, LOG_OVERHEAD, TimestampType, write_crc};
use super::codec::{Codec, DeflateError, Deflater};
use super::varint::{varlong_len, write_varlong};

/// What the header of a batch says beyond its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// How the records are compressed.
    pub codec: Codec,
    /// The codec's level, `None` for its default.
    pub level: Option<i32>,
    /// The leader epoch, −1 as a producer sends it.
    pub partition_leader_epoch: i32,
    /// The time in ms that all records get; `None` leaves them their own.
    pub append_time_ms: Option<i64>,
    /// The producer's id, −1 for none.
    pub producer_id: i64,
    /// The producer's epoch, −1 for none.
    pub producer_epoch: i16,
    /// The sequence number of the first record, −1 for none.
    pub base_sequence: i32,
    /// Whether the batch belongs to a transaction.
    pub is_transactional: bool,
    /// Whether the records are control records.
    pub is_control: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            codec: Codec::None,
            level: None,
            partition_leader_epoch: -1,
            append_time_ms: None,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            is_transactional: false,
            is_control: false,
        }
    }
}

/// One record to append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// The timestamp in ms, −1 for none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, keys and nullable values, in the order in which they are to be read.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Why a record was not appended or a batch not finished; the builder is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// When the batch would have more bytes than its length field can say.
    #[error("a batch cannot have more than 2^31 - 1 bytes")]
    TooLarge,
    /// When a record's offset is not above the one before it, or too far from the base offset.
    #[error("a record's offset does not fit its batch")]
    Offset,
    /// When there is no record.
    #[error("a batch needs a record")]
    Empty,
    /// When the records could not be compressed.
    #[error(transparent)]
    Deflate(#[from] DeflateError),
}

/// Builds batches, one after the other.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    options: BatchOptions,
    deflater: Deflater,
    /// The records' bytes as they stand in a plain batch.
    records: Vec<u8>,
    record_count: i32,
    /// The smallest offset delta that the next record may have.
    next_delta: i64,
    /// The first record's timestamp.
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// Makes a builder for batches with these `options`.
    pub fn new(options: BatchOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Appends `record` at the next offset, and returns the bytes that it takes.
    ///
    /// # Errors
    ///
    /// [`BuildError::TooLarge`] and [`BuildError::Offset`]; the record is not appended.
    pub fn append(&mut self, record: &NewRecord<'_>) -> Result<usize, BuildError> {
        let delta = i32::try_from(self.next_delta).map_err(|_| BuildError::Offset)?;
        self.append_at(delta, record)
    }

    /// Appends `record` at `delta` from the base offset, which may leave a gap as compaction does.
    ///
    /// # Errors
    ///
    /// Like [`BatchBuilder::append`]; [`BuildError::Offset`] if `delta` does not rise.
    pub fn append_at(&mut self, delta: i32, record: &NewRecord<'_>) -> Result<usize, BuildError> {
        if i64::from(delta) < self.next_delta {
            return Err(BuildError::Offset);
        }
        let base_timestamp = if self.is_empty() { record.timestamp } else { self.base_timestamp };
        // Wraps around like the reader's addition, so that any two timestamps can be in one batch.
        let timestamp_delta = record.timestamp.wrapping_sub(base_timestamp);
        let body_len = body_len(timestamp_delta, delta, record).ok_or(BuildError::TooLarge)?;
        let len_of_len = varlong_len(i64::from(body_len));
        let len = usize::try_from(body_len).unwrap_or(usize::MAX).saturating_add(len_of_len);
        if self.records.len().saturating_add(len) > RECORDS_LEN_MAX {
            return Err(BuildError::TooLarge);
        }
        self.base_timestamp = base_timestamp;
        self.max_timestamp = if self.is_empty() {
            record.timestamp
        } else {
            self.max_timestamp.max(record.timestamp)
        };
        self.next_delta = i64::from(delta).saturating_add(1);
        self.record_count = self.record_count.saturating_add(1);
        let out = &mut self.records;
        write_varlong(out, i64::from(body_len));
        out.push(0); // a record's attributes, of which none is in use
        write_varlong(out, timestamp_delta);
        write_varlong(out, i64::from(delta));
        write_bytes(out, record.key);
        write_bytes(out, record.value);
        write_varlong(out, i64::try_from(record.headers.len()).unwrap_or(i64::MAX));
        for (key, value) in record.headers {
            write_bytes(out, Some(key));
            write_bytes(out, *value);
        }
        Ok(len)
    }

    /// Appends the batch to `out`, empties the builder, and returns the header that was written.
    ///
    /// # Errors
    ///
    /// [`BuildError::Empty`], [`BuildError::Offset`] if the last offset would not exist,
    /// [`BuildError::TooLarge`] and [`BuildError::Deflate`]; `out` and the builder are as before.
    pub fn finish(
        &mut self,
        base_offset: i64,
        out: &mut Vec<u8>,
    ) -> Result<BatchHeader, BuildError> {
        let before = out.len();
        let header = self.write(base_offset, out);
        match &header {
            Ok(_) => self.clear(),
            Err(_) => out.truncate(before),
        }
        header
    }

    /// Drops the records that were appended and keeps the memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.record_count = 0;
        self.next_delta = 0;
    }

    /// Returns what the next batch's header will say; changes count for records already appended.
    pub fn options_mut(&mut self) -> &mut BatchOptions {
        &mut self.options
    }

    /// Returns the bytes of the batch before compression.
    pub fn estimated_size(&self) -> usize {
        HEADER_LEN.saturating_add(self.records.len())
    }

    /// Returns how many records were appended.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Tells whether no record was appended.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    fn write(&mut self, base_offset: i64, out: &mut Vec<u8>) -> Result<BatchHeader, BuildError> {
        if self.is_empty() {
            return Err(BuildError::Empty);
        }
        let options = &self.options;
        let at = out.len();
        out.resize(at.saturating_add(HEADER_LEN), 0);
        self.deflater.deflate(options.codec, options.level, &self.records, out)?;
        let batch = out.get_mut(at..).unwrap_or_default();
        let header = BatchHeader {
            base_offset,
            batch_length: i32::try_from(batch.len().saturating_sub(LOG_OVERHEAD))
                .map_err(|_| BuildError::TooLarge)?,
            partition_leader_epoch: options.partition_leader_epoch,
            crc: 0,
            attributes: 0,
            last_offset_delta: i32::try_from(self.next_delta.saturating_sub(1))
                .map_err(|_| BuildError::Offset)?,
            base_timestamp: self.base_timestamp,
            max_timestamp: options.append_time_ms.unwrap_or(self.max_timestamp),
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count: self.record_count,
        };
        let timestamp_type = match options.append_time_ms {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let header = header.with_attributes(
            options.codec,
            timestamp_type,
            options.is_transactional,
            options.is_control,
        );
        if let Some(place) = batch.first_chunk_mut() {
            *place = header.to_bytes();
        }
        write_crc(batch);
        BatchHeader::parse(batch).map_err(|_| BuildError::Offset)
    }
}

/// What the length field leaves for records before compression.
const RECORDS_LEN_MAX: usize = i32::MAX as usize - HEADER_LEN;

/// The bytes of a record behind its length; `None` if a 32-bit length cannot say it.
fn body_len(timestamp_delta: i64, delta: i32, record: &NewRecord<'_>) -> Option<i32> {
    let headers_len = record.headers.iter().fold(0_usize, |sum, (key, value)| {
        sum.saturating_add(bytes_len(Some(key))).saturating_add(bytes_len(*value))
    });
    let header_count = i32::try_from(record.headers.len()).ok()?;
    let len = 1_usize
        .saturating_add(varlong_len(timestamp_delta))
        .saturating_add(varlong_len(i64::from(delta)))
        .saturating_add(bytes_len(record.key))
        .saturating_add(bytes_len(record.value))
        .saturating_add(varlong_len(i64::from(header_count)))
        .saturating_add(headers_len);
    i32::try_from(len).ok()
}

fn bytes_len(bytes: Option<&[u8]>) -> usize {
    let len = bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    varlong_len(len).saturating_add(bytes.map_or(0, <[u8]>::len))
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    write_varlong(out, bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX)));
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests;
