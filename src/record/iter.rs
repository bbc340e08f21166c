//! Records of one batch into descriptors, resumable, one careful step or one fast run at a time.
//!
//! [`BatchCursor::decode`] validates each record whole before it delivers it: every varint, every
//! length, the header block, that the fields take exactly the bytes that the record's length
//! names, and that offsets rise within the batch. What it finds wrong it reports at the first
//! record that cannot be delivered; everything before that one has been.
//!
//! The rules are those of Kafka's `DefaultRecord` and `DefaultRecordBatch`, and stricter where Java
//! lets damage pass: a key or value length below −1 is an error (Java reads it as null), so is an
//! offset that is out of order or outside of its batch (Java does not look), a varint with more
//! bits than its type (Java drops them), and bytes behind a record count of 0. Timestamps are as in
//! Java: a signed delta is added to the base timestamp and wraps around, and with log append time
//! all records have the batch's max timestamp. With a delete horizon the base timestamp holds the
//! horizon and the deltas are relative to that, so nothing changes here. Record attributes are not
//! looked at.
//!
//! Records below the asked offset are stepped over by length and offset alone; their keys, values
//! and headers are not validated.
//!
//! The cursor neither inflates nor checks the checksum, and does not know control batches.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::ops::Range;

use super::batch::{BatchHeader, TimestampType};
use super::entry::{Descriptor, count_headers, take};
use super::shape::{Frame, Place, decode_runs};
use super::varint::{read_varint, read_varlong};

/// Bytes of the smallest record: length, attributes, two deltas, two lengths, header count.
const RECORD_LEN_MIN: usize = 7;

/// Most descriptors that are made room for at once, so that a record count which lies costs at
/// most 160 KiB before the bytes prove it wrong.
const ROUND_RECORDS_MAX: usize = 4096;

/// Why a batch has no further record to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no record at offset {offset} or behind it can be read: {kind}")]
pub struct RecordError {
    /// What is wrong.
    pub kind: RecordErrorKind,
    /// The lowest offset that was not read: one behind the last good record, or the base offset.
    pub offset: i64,
}

/// What is wrong with a record or with the batch around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// When the caller's slice is shorter than the payload's range, or reaches past 4 GiB.
    #[error("the slice does not hold the batch's records within 4 GiB")]
    Slice,
    /// When the bytes end although the header counts more records.
    #[error("the batch has fewer records than its header counts")]
    Missing,
    /// When a record's length reaches past the end of the batch.
    #[error("the batch ends inside of a record")]
    Truncated,
    /// When bytes are left although all records that the header counts have been read.
    #[error("the batch has bytes behind the last record that its header counts")]
    Trailing,
    /// When a record's length is negative, or is not what its fields take.
    #[error("a record's length is not that of its fields")]
    Length,
    /// When a varint has too many bytes or bits, or a record ends inside of one.
    #[error("a record has a malformed varint")]
    Varint,
    /// When the length of a key is below −1 or reaches past the record.
    #[error("a record's key has a wrong length")]
    Key,
    /// When the length of a value is below −1 or reaches past the record.
    #[error("a record's value has a wrong length")]
    Value,
    /// When the headers are not as many as counted, have a null key, or do not fill the record.
    #[error("a record's headers are malformed")]
    Headers,
    /// When a record's offset is not above the one before it.
    #[error("a record's offset is not above the one before it")]
    OffsetOrder,
    /// When a record's offset lies outside of its batch.
    #[error("a record's offset is outside of its batch")]
    OffsetRange,
}

/// Which records one call of [`BatchCursor::decode`] may deliver.
#[derive(Clone, Copy, Debug)]
pub struct DecodeLimits {
    /// Records with lower offsets are stepped over.
    pub from_offset: i64,
    /// Records with this offset or a higher one are left for a later call.
    pub until_offset: i64,
    /// Most records to deliver.
    pub max_records: usize,
    /// Most bytes that the delivered records may take in the slice; the first may take more.
    pub max_bytes: usize,
}

impl DecodeLimits {
    /// All records of a batch.
    pub const ALL: Self = Self {
        from_offset: 0,
        until_offset: i64::MAX,
        max_records: usize::MAX,
        max_bytes: usize::MAX,
    };
}

/// What one call of [`BatchCursor::decode`] delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// How many descriptors were appended.
    pub records: usize,
    /// How many bytes their records take in the slice.
    pub bytes: usize,
}

/// How far the records of one batch have been decoded.
///
/// It holds no reference: the slice comes with each call and may be moved in between, as long as
/// its bytes are the same.
#[derive(Clone, Debug)]
pub struct BatchCursor {
    base_offset: i64,
    /// The largest delta that a record may have.
    last_delta: u32,
    /// The base timestamp, or the append time.
    base_timestamp: i64,
    /// All ones, or zero where the append time counts for all records.
    timestamp_mask: i64,
    /// One behind the last byte of the records.
    end: u32,
    records_left: u32,
    place: Place,
}

impl BatchCursor {
    /// Starts before the first record of the batch with this `header`.
    ///
    /// `payload` says where in the slices that decode will be given the records lie: behind the
    /// header of a plain batch, or all of an inflated one.
    ///
    /// # Errors
    ///
    /// [`RecordErrorKind::Slice`] if the range is reversed or reaches past 4 GiB − 1.
    pub fn new(header: &BatchHeader, payload: Range<usize>) -> Result<Self, RecordError> {
        let (Ok(position), Ok(end)) = (u32::try_from(payload.start), u32::try_from(payload.end))
        else {
            return Err(RecordError { kind: RecordErrorKind::Slice, offset: header.base_offset });
        };
        if position > end {
            return Err(RecordError { kind: RecordErrorKind::Slice, offset: header.base_offset });
        }
        let (base_timestamp, timestamp_mask) = match header.timestamp_type() {
            TimestampType::CreateTime => (header.base_timestamp, -1),
            TimestampType::LogAppendTime => (header.max_timestamp, 0),
        };
        Ok(Self {
            base_offset: header.base_offset,
            last_delta: u32::try_from(header.last_offset_delta).unwrap_or(0),
            base_timestamp,
            timestamp_mask,
            end,
            records_left: u32::try_from(header.record_count).unwrap_or(0),
            place: Place { position, next_delta: 0 },
        })
    }

    /// Tells whether every record was delivered or stepped over, and no byte is left.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.records_left == 0 && self.place.position == self.end
    }

    /// Appends the next records to `out` until a limit or the end of the batch is reached.
    ///
    /// `slice` is what the range given to [`BatchCursor::new`] counts from, and `block` is copied
    /// into each descriptor. Unless `max_records` is 0, at least one record is delivered if there
    /// is one between the two offsets, whatever its bytes. A later call goes on behind the last
    /// record delivered.
    ///
    /// # Errors
    ///
    /// A [`RecordError`] leaves in `out` every record before the one that it names, and every
    /// later call returns it again. It is returned by the first call that wants the record; bytes
    /// behind the last record are reported by the call that delivers that one.
    pub fn decode(
        &mut self,
        slice: &[u8],
        block: u32,
        limits: &DecodeLimits,
        out: &mut Vec<Descriptor>,
    ) -> Result<Decoded, RecordError> {
        let Some(payload) = slice.get(..self.end as usize) else {
            return Err(self.error(RecordErrorKind::Slice));
        };
        let frame = Frame {
            base_offset: self.base_offset,
            base_timestamp: self.base_timestamp,
            timestamp_mask: self.timestamp_mask,
            stop_delta: self.delta_of(limits.until_offset),
            block,
        };
        self.skip_below(payload, limits.from_offset).map_err(|kind| self.error(kind))?;
        let start = self.place.position as usize;
        let window_end = start.saturating_add(limits.max_bytes).min(payload.len());
        let window = payload.get(..window_end).unwrap_or_default();
        let before = out.len();
        loop {
            let records = out.len().saturating_sub(before);
            let wanted = limits.max_records.saturating_sub(records).min(self.records_left as usize);
            if wanted == 0 || !self.fill(payload, window, &frame, wanted, records == 0, out)? {
                break;
            }
        }
        if self.records_left == 0 && self.place.position != self.end {
            return Err(self.error(RecordErrorKind::Trailing));
        }
        Ok(Decoded {
            records: out.len().saturating_sub(before),
            bytes: (self.place.position as usize).saturating_sub(start),
        })
    }

    /// Makes room for up to `wanted` descriptors and fills it; false if the next record is not to
    /// be delivered by this call.
    ///
    /// The room is written before it is filled: a slice of slots is what lets the run keep its
    /// place in registers, which is worth more than the zeros cost.
    fn fill(
        &mut self,
        payload: &[u8],
        window: &[u8],
        frame: &Frame,
        wanted: usize,
        first: bool,
        out: &mut Vec<Descriptor>,
    ) -> Result<bool, RecordError> {
        let bytes_left = payload.len().saturating_sub(self.place.position as usize);
        let room = wanted.min(ROUND_RECORDS_MAX).min((bytes_left / RECORD_LEN_MIN).max(1));
        let before = out.len();
        out.resize(before.saturating_add(room), Descriptor::default());
        let mut filled = before;
        let outcome = loop {
            let slots = out.get_mut(filled..).unwrap_or_default();
            filled = filled.saturating_add(decode_runs(window, frame, &mut self.place, slots));
            let Some(slot) = out.get_mut(filled) else {
                break Ok(true);
            };
            match self.decode_one(payload, window.len(), frame, first && filled == before) {
                Ok(Some(record)) => *slot = record,
                Ok(None) => break Ok(false),
                Err(kind) => break Err(kind),
            }
            filled = filled.saturating_add(1);
        };
        out.truncate(filled);
        let delivered = u32::try_from(filled.saturating_sub(before)).unwrap_or(u32::MAX);
        self.records_left = self.records_left.saturating_sub(delivered);
        outcome.map_err(|kind| self.error(kind))
    }

    /// Decodes the record at the cursor with every check made one by one; `None` if it is past the
    /// stop, or ends behind `window_end` and is not the `first`.
    fn decode_one(
        &mut self,
        payload: &[u8],
        window_end: usize,
        frame: &Frame,
        first: bool,
    ) -> Result<Option<Descriptor>, RecordErrorKind> {
        let head = self.read_head(payload)?;
        if head.delta >= frame.stop_delta || (head.end > window_end && !first) {
            return Ok(None);
        }
        let mut body = head.fields;
        let (key, key_len) = read_bytes(head.end, &mut body, RecordErrorKind::Key)?;
        let (value, value_len) = read_bytes(head.end, &mut body, RecordErrorKind::Value)?;
        let header_count = count_headers(body).ok_or(RecordErrorKind::Headers)?;
        self.step_over(&head);
        Ok(Some(Descriptor {
            offset: frame.base_offset.saturating_add(i64::from(head.delta)),
            timestamp: frame
                .base_timestamp
                .wrapping_add(head.timestamp_delta & frame.timestamp_mask),
            block: frame.block,
            key,
            value,
            key_len,
            value_len,
            header_count,
        }))
    }

    /// Moves over the records whose offsets are below `from_offset`.
    fn skip_below(&mut self, payload: &[u8], from_offset: i64) -> Result<(), RecordErrorKind> {
        let from_delta = self.delta_of(from_offset);
        while self.records_left > 0 && self.place.next_delta < from_delta {
            let head = self.read_head(payload)?;
            if head.delta >= from_delta {
                break;
            }
            self.step_over(&head);
            self.records_left = self.records_left.saturating_sub(1);
        }
        Ok(())
    }

    /// Reads the record at the cursor as far as its offset, without moving.
    fn read_head<'a>(&self, payload: &'a [u8]) -> Result<Head<'a>, RecordErrorKind> {
        let mut rest = payload.get(self.place.position as usize..).unwrap_or_default();
        if rest.is_empty() {
            return Err(RecordErrorKind::Missing);
        }
        let len = read_varint(&mut rest).ok_or(RecordErrorKind::Varint)?;
        if len < 0 {
            return Err(RecordErrorKind::Length);
        }
        let mut fields = take(&mut rest, len).ok_or(RecordErrorKind::Truncated)?;
        let end = payload.len().saturating_sub(rest.len());
        take(&mut fields, 1).ok_or(RecordErrorKind::Length)?;
        let timestamp_delta = read_varlong(&mut fields, 10).ok_or(RecordErrorKind::Varint)?;
        let delta = read_varint(&mut fields).ok_or(RecordErrorKind::Varint)?;
        let delta = u32::try_from(delta).map_err(|_| RecordErrorKind::OffsetRange)?;
        if delta > self.last_delta {
            return Err(RecordErrorKind::OffsetRange);
        }
        if delta < self.place.next_delta {
            return Err(RecordErrorKind::OffsetOrder);
        }
        Ok(Head { fields, end, timestamp_delta, delta })
    }

    fn step_over(&mut self, head: &Head<'_>) {
        // The end of a record lies within the payload, whose end fits 32 bits.
        self.place.position = u32::try_from(head.end).unwrap_or(self.end);
        self.place.next_delta = head.delta.saturating_add(1);
    }

    /// The distance of `offset` from the base offset, held to what deltas of this batch can be.
    fn delta_of(&self, offset: i64) -> u32 {
        let delta = u32::try_from(offset.saturating_sub(self.base_offset).max(0));
        delta.unwrap_or(u32::MAX).min(self.last_delta.saturating_add(1))
    }

    #[cold]
    fn error(&self, kind: RecordErrorKind) -> RecordError {
        let offset = self.base_offset.saturating_add(i64::from(self.place.next_delta));
        RecordError { kind, offset }
    }
}

/// A record's fields up to its offset, and where the rest of them is.
struct Head<'a> {
    /// From behind the offset delta to the end of the record.
    fields: &'a [u8],
    /// Where in the slice the record ends.
    end: usize,
    timestamp_delta: i64,
    delta: u32,
}

/// Reads a length and steps over that many bytes of `fields`, which end at `end` in the slice;
/// returns where they are and the length.
fn read_bytes(
    end: usize,
    fields: &mut &[u8],
    kind: RecordErrorKind,
) -> Result<(u32, i32), RecordErrorKind> {
    let len = read_varint(fields).ok_or(RecordErrorKind::Varint)?;
    let position = u32::try_from(end.saturating_sub(fields.len())).map_err(|_| kind)?;
    if len != -1 {
        take(fields, len).ok_or(kind)?;
    }
    Ok((position, len))
}
