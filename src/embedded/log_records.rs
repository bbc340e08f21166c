//! The records of batches, one after the other, checksums verified and compressed ones inflated.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::record::codec::size_hint;
use crate::record::{
    BatchCursor, BatchHeader, Codec, DecodeLimits, Descriptor, HEADER_LEN, Inflater, verify_crc,
};

/// The most that a batch may inflate to. Brokers write the batches of offsets themselves, of a
/// megabyte at most.
const INFLATED_BYTES_MAX: usize = 100 << 20;

/// Most records that are decoded at once.
const ROUND_RECORDS: usize = 1024;

/// A record as it stands in its batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogRecord<'a> {
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

/// Gives the records of all batches in `run`, whole ones one behind the other, to `see`.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] with the offset where a batch or a record is damaged,
/// [`ErrorKind::Unsupported`] for a format or a codec that is not known.
pub(super) fn for_each_record(
    mut run: &[u8],
    inflater: &mut Inflater,
    mut see: impl FnMut(&BatchHeader, &LogRecord<'_>),
) -> Result<()> {
    while !run.is_empty() {
        let header = BatchHeader::parse(run);
        let header = header.map_err(|error| Error::new(ErrorKind::Corrupt, error.to_string()))?;
        let corrupt = |text: &str| {
            Error::new(ErrorKind::Corrupt, text.to_owned()).with_offset(header.base_offset)
        };
        let Some((batch, rest)) = run.split_at_checked(header.size()) else {
            return Err(corrupt("a batch is cut off"));
        };
        if !verify_crc(batch) {
            return Err(corrupt("a batch does not have its checksum"));
        }
        let records = records_of(&header, batch, inflater)?;
        see_records(&header, &records, &mut see).map_err(|text| corrupt(&text))?;
        run = rest;
    }
    Ok(())
}

fn records_of<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
    inflater: &mut Inflater,
) -> Result<Cow<'a, [u8]>> {
    let fail = |kind, text| Error::new(kind, text).with_offset(header.base_offset);
    let payload = batch.get(HEADER_LEN..).unwrap_or_default();
    let codec = header.codec().map_err(|error| fail(ErrorKind::Unsupported, error.to_string()))?;
    if codec == Codec::None {
        return Ok(Cow::Borrowed(payload));
    }
    let guess = size_hint(codec, payload).unwrap_or_else(|| payload.len().saturating_mul(4));
    let grow = |size: usize| Some(vec![0; size]);
    let inflated = inflater.inflate_capped(codec, payload, guess, INFLATED_BYTES_MAX, grow);
    let (mut memory, len) =
        inflated.map_err(|error| fail(ErrorKind::Corrupt, error.to_string()))?;
    memory.truncate(len);
    Ok(Cow::Owned(memory))
}

fn see_records(
    header: &BatchHeader,
    records: &[u8],
    see: &mut impl FnMut(&BatchHeader, &LogRecord<'_>),
) -> std::result::Result<(), String> {
    let limits = DecodeLimits { max_records: ROUND_RECORDS, ..DecodeLimits::ALL };
    let text = |error: crate::record::RecordError| error.to_string();
    let mut cursor = BatchCursor::new(header, 0..records.len()).map_err(text)?;
    let mut found: Vec<Descriptor> = Vec::new();
    loop {
        found.clear();
        let decoded = cursor.decode(records, 0, &limits, &mut found).map_err(text)?;
        for record in &found {
            let record = LogRecord {
                offset: record.offset,
                timestamp_ms: record.timestamp,
                key: record.key(records),
                value: record.value(records),
            };
            see(header, &record);
        }
        if decoded.records == 0 {
            return Ok(());
        }
    }
}
