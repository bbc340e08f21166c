//! The 61-byte header of a record batch, and the checksum over what follows it.
//!
//! ```text
//! field                    type    at  notes
//! base offset              int64    0  offset of the first record, as written by the producer
//! batch length             int32    8  bytes that follow this field; 12 + it is the batch's size
//! partition leader epoch   int32   12  set by the leader, outside of the checksum; -1 unknown
//! magic                    int8    16  2; at the same place in all three formats
//! crc                      uint32  17  CRC-32C from the attributes to the end of the batch
//! attributes               int16   21  bits 0-2 codec, 3 log append time, 4 transactional,
//!                                      5 control, 6 delete horizon in the base timestamp
//! last offset delta        int32   23  survives compaction: may lie above the last record's
//! base timestamp           int64   27  ms; the records' deltas are relative to it
//! max timestamp            int64   35  ms; with log append time, the timestamp of every record
//! producer id              int64   43  -1 none
//! producer epoch           int16   51  -1 none
//! base sequence            int32   53  -1 none
//! record count             int32   57  may be 0: compaction keeps the header of an empty batch
//! records                          61  plain, or compressed as one block
//! ```
//!
//! The source is Kafka's `DefaultRecordBatch`. [`BatchHeader::parse`] checks what can be checked
//! without the records; it does not check the checksum, see [`verify_crc`].

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::codec::Codec;

/// Bytes of a batch before its first record.
pub const HEADER_LEN: usize = RECORDS_AT;

/// Bytes of a batch that its length field does not count: base offset and the field itself.
pub const LOG_OVERHEAD: usize = LEADER_EPOCH_AT;

/// The magic of the one batch format that is read here.
pub const MAGIC_V2: i8 = 2;

const BASE_OFFSET_AT: usize = 0;
const LENGTH_AT: usize = BASE_OFFSET_AT + size_of::<i64>();
const LEADER_EPOCH_AT: usize = LENGTH_AT + size_of::<i32>();
const MAGIC_AT: usize = LEADER_EPOCH_AT + size_of::<i32>();
const CRC_AT: usize = MAGIC_AT + size_of::<i8>();
const ATTRIBUTES_AT: usize = CRC_AT + size_of::<u32>();
const LAST_OFFSET_DELTA_AT: usize = ATTRIBUTES_AT + size_of::<i16>();
const BASE_TIMESTAMP_AT: usize = LAST_OFFSET_DELTA_AT + size_of::<i32>();
const MAX_TIMESTAMP_AT: usize = BASE_TIMESTAMP_AT + size_of::<i64>();
const PRODUCER_ID_AT: usize = MAX_TIMESTAMP_AT + size_of::<i64>();
const PRODUCER_EPOCH_AT: usize = PRODUCER_ID_AT + size_of::<i64>();
const BASE_SEQUENCE_AT: usize = PRODUCER_EPOCH_AT + size_of::<i16>();
const RECORD_COUNT_AT: usize = BASE_SEQUENCE_AT + size_of::<i32>();
const RECORDS_AT: usize = RECORD_COUNT_AT + size_of::<i32>();

const _: () = assert!(MAGIC_AT == 16 && CRC_AT == 17 && ATTRIBUTES_AT == 21 && HEADER_LEN == 61);

const CODEC_MASK: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
const TRANSACTIONAL_BIT: i16 = 1 << 4;
const CONTROL_BIT: i16 = 1 << 5;
const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// Why bytes are not a batch header that can be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// When the bytes end inside the header: the tail of a fetch answer or of a segment.
    #[error("a batch header is cut off after {len} bytes")]
    Cut {
        /// How many bytes there were.
        len: usize,
    },
    /// When the magic is not 2.
    #[error("Unsupported magic {0} in a record batch")]
    UnsupportedMagic(i8),
    /// When the length field counts fewer bytes than a header has, or is negative.
    #[error("a batch length of {0} is less than a batch header")]
    Length(i32),
    /// When the base offset is negative.
    #[error("a batch's base offset is {0}")]
    BaseOffset(i64),
    /// When the last offset delta is negative.
    #[error("a batch's last offset delta is {0}")]
    LastOffsetDelta(i32),
    /// When the offsets of the batch, or the offset behind it, are past the largest offset.
    #[error("a batch at base offset {base_offset} with last offset delta {delta} has no end")]
    OffsetOverflow {
        /// The base offset.
        base_offset: i64,
        /// The last offset delta.
        delta: i32,
    },
    /// When the record count is negative.
    #[error("a batch's record count is {0}")]
    RecordCount(i32),
    /// When the attributes name a compression that is not known.
    #[error("Unsupported codec {0} in a record batch")]
    UnsupportedCodec(u8),
}

/// Who set the timestamps of a batch's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// When the producer set each record's timestamp.
    CreateTime,
    /// When the broker set one timestamp for the whole batch as it appended it.
    LogAppendTime,
}

/// The header of one record batch, as it stands in the bytes.
///
/// What [`BatchHeader::parse`] returns keeps these rules: `batch_length` ≥ 49, `base_offset`,
/// `last_offset_delta` and `record_count` ≥ 0, and the offset behind the batch exists. A header
/// made by hand may break them; the accessors saturate then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset that the records' deltas are relative to.
    pub base_offset: i64,
    /// Bytes of the batch behind the length field.
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch, −1 where it is not known.
    pub partition_leader_epoch: i32,
    /// The stored checksum; nobody has compared it yet.
    pub crc: u32,
    /// The attribute bits; the named accessors read them.
    pub attributes: i16,
    /// The distance from the base offset to the batch's last offset, records there or not.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas are relative to, in ms; −1 in an empty batch.
    pub base_timestamp: i64,
    /// The largest timestamp in ms, or the append time of the whole batch.
    pub max_timestamp: i64,
    /// The producer's id, −1 where it is neither idempotent nor transactional.
    pub producer_id: i64,
    /// The producer's epoch, −1 for none.
    pub producer_epoch: i16,
    /// The sequence number of the first record, −1 for none.
    pub base_sequence: i32,
    /// How many records the batch says it has.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    ///
    /// [`BatchError::UnsupportedMagic`] comes before any other complaint, since the magic decides
    /// what the other bytes mean; [`BatchError::Cut`] says that more bytes are needed.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(complaint_of_cut(bytes));
        };
        let magic = i8::from_be_bytes(field(header, MAGIC_AT));
        if magic != MAGIC_V2 {
            return Err(BatchError::UnsupportedMagic(magic));
        }
        let parsed = Self {
            base_offset: i64::from_be_bytes(field(header, BASE_OFFSET_AT)),
            batch_length: i32::from_be_bytes(field(header, LENGTH_AT)),
            partition_leader_epoch: i32::from_be_bytes(field(header, LEADER_EPOCH_AT)),
            crc: u32::from_be_bytes(field(header, CRC_AT)),
            attributes: i16::from_be_bytes(field(header, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA_AT)),
            base_timestamp: i64::from_be_bytes(field(header, BASE_TIMESTAMP_AT)),
            max_timestamp: i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(field(header, PRODUCER_ID_AT)),
            producer_epoch: i16::from_be_bytes(field(header, PRODUCER_EPOCH_AT)),
            base_sequence: i32::from_be_bytes(field(header, BASE_SEQUENCE_AT)),
            record_count: i32::from_be_bytes(field(header, RECORD_COUNT_AT)),
        };
        parsed.check()?;
        Ok(parsed)
    }

    /// Returns the 61 bytes that [`BatchHeader::parse`] reads this header from.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        put(&mut bytes, BASE_OFFSET_AT, self.base_offset.to_be_bytes());
        put(&mut bytes, LENGTH_AT, self.batch_length.to_be_bytes());
        put(&mut bytes, LEADER_EPOCH_AT, self.partition_leader_epoch.to_be_bytes());
        put(&mut bytes, MAGIC_AT, MAGIC_V2.to_be_bytes());
        put(&mut bytes, CRC_AT, self.crc.to_be_bytes());
        put(&mut bytes, ATTRIBUTES_AT, self.attributes.to_be_bytes());
        put(&mut bytes, LAST_OFFSET_DELTA_AT, self.last_offset_delta.to_be_bytes());
        put(&mut bytes, BASE_TIMESTAMP_AT, self.base_timestamp.to_be_bytes());
        put(&mut bytes, MAX_TIMESTAMP_AT, self.max_timestamp.to_be_bytes());
        put(&mut bytes, PRODUCER_ID_AT, self.producer_id.to_be_bytes());
        put(&mut bytes, PRODUCER_EPOCH_AT, self.producer_epoch.to_be_bytes());
        put(&mut bytes, BASE_SEQUENCE_AT, self.base_sequence.to_be_bytes());
        put(&mut bytes, RECORD_COUNT_AT, self.record_count.to_be_bytes());
        bytes
    }

    /// Writes the attribute bits from their meanings.
    #[must_use]
    pub fn with_attributes(
        mut self,
        codec: Codec,
        timestamp_type: TimestampType,
        transactional: bool,
        control: bool,
    ) -> Self {
        self.attributes = i16::from(codec.id());
        if timestamp_type == TimestampType::LogAppendTime {
            self.attributes |= LOG_APPEND_TIME_BIT;
        }
        if transactional {
            self.attributes |= TRANSACTIONAL_BIT;
        }
        if control {
            self.attributes |= CONTROL_BIT;
        }
        self
    }

    /// Returns the bytes of the whole batch, header included.
    #[inline]
    pub fn size(&self) -> usize {
        usize::try_from(self.batch_length).unwrap_or(0).saturating_add(LOG_OVERHEAD)
    }

    /// Returns the bytes behind the header: the records, compressed if the batch is.
    #[inline]
    pub fn payload_len(&self) -> usize {
        self.size().saturating_sub(HEADER_LEN)
    }

    /// Returns the last offset that belongs to the batch, whether a record has it or not.
    #[inline]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Returns the position behind the batch, the only right one after it: last offset + 1.
    ///
    /// The last record's offset + 1 would stand still on a batch that compaction has emptied.
    #[inline]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Returns how the records are compressed.
    ///
    /// # Errors
    ///
    /// [`BatchError::UnsupportedCodec`] for the three numbers that Kafka has not given out.
    #[inline]
    pub fn codec(&self) -> Result<Codec, BatchError> {
        let id = (self.attributes & CODEC_MASK).to_le_bytes()[0];
        Codec::from_id(id).ok_or(BatchError::UnsupportedCodec(id))
    }

    /// Returns who set the records' timestamps.
    #[inline]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Tells whether the batch belongs to a transaction.
    #[inline]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Tells whether the batch holds control records, which are stepped over, never delivered.
    #[inline]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Tells whether the base timestamp is the time at which tombstones may be removed.
    #[inline]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON_BIT != 0
    }

    fn check(&self) -> Result<(), BatchError> {
        if self.size() < HEADER_LEN {
            return Err(BatchError::Length(self.batch_length));
        }
        if self.base_offset < 0 {
            return Err(BatchError::BaseOffset(self.base_offset));
        }
        if self.last_offset_delta < 0 {
            return Err(BatchError::LastOffsetDelta(self.last_offset_delta));
        }
        if self.last_offset() == i64::MAX {
            return Err(BatchError::OffsetOverflow {
                base_offset: self.base_offset,
                delta: self.last_offset_delta,
            });
        }
        if self.record_count < 0 {
            return Err(BatchError::RecordCount(self.record_count));
        }
        Ok(())
    }
}

/// Computes the CRC-32C that belongs into the header of `batch`: over attributes to end.
///
/// `batch` is exactly one batch. The call picks the processor's best kernel anew each time, from
/// a value that the first call stores; there is no table to build.
#[inline]
pub fn batch_crc(batch: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(batch.get(ATTRIBUTES_AT..).unwrap_or_default())
}

/// Tells whether the checksum that `batch` carries is that of its bytes.
///
/// `batch` is exactly one batch; fewer bytes than a header are never right. Base offset, length,
/// leader epoch and magic are outside of the checksum.
#[inline]
pub fn verify_crc(batch: &[u8]) -> bool {
    batch
        .first_chunk::<HEADER_LEN>()
        .is_some_and(|header| u32::from_be_bytes(field(header, CRC_AT)) == batch_crc(batch))
}

/// Writes the checksum of `batch`, which is exactly one batch, into its header.
pub(super) fn write_crc(batch: &mut [u8]) {
    let crc = batch_crc(batch);
    if let Some(stored) = batch.get_mut(CRC_AT..ATTRIBUTES_AT) {
        stored.copy_from_slice(&crc.to_be_bytes());
    }
}

#[cold]
fn complaint_of_cut(bytes: &[u8]) -> BatchError {
    let len = bytes.len();
    match bytes.get(MAGIC_AT).map(|magic| magic.cast_signed()) {
        Some(magic) if magic != MAGIC_V2 => BatchError::UnsupportedMagic(magic),
        _ => BatchError::Cut { len },
    }
}

/// Reads the `N` bytes at `at`; the offsets above are constants inside of the header, so the
/// compiler drops both the check and the default.
#[inline(always)]
fn field<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    header.get(at..).and_then(|tail| tail.first_chunk()).copied().unwrap_or([0; N])
}

fn put<const N: usize>(header: &mut [u8; HEADER_LEN], at: usize, bytes: [u8; N]) {
    if let Some(place) = header.get_mut(at..).and_then(|tail| tail.first_chunk_mut()) {
        *place = bytes;
    }
}

#[cfg(test)]
mod tests;
