//! Finds the first record at or after a time.
//!
//! The time index says where not to look; from there on the batches' headers say which batch may
//! hold the record, and only that batch is decoded. Control batches are no records. Timestamps need
//! not rise: what is found is the record with the lowest offset, as Kafka has it.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::path::Path;

use super::headers::{Fault, HeaderWalk, Next, Place, Stop, Window};
use super::hint::{place_before_offset, place_before_time};
use super::large::read_batch;
use super::reader::PartitionReader;
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::record::codec::size_hint;
use crate::record::{
    BatchCursor, BatchHeader, Codec, DecodeLimits, Descriptor, HEADER_LEN, Inflater, RecordError,
};

/// Attempts when retention takes segments away meanwhile.
const ATTEMPTS: usize = 5;

/// What a batch may inflate to here: the default of `kfetch.batch.inflated.max.bytes`.
const INFLATED_MAX_BYTES: usize = 100 * 1024 * 1024;

/// Descriptors that are made at once.
const ROUND_RECORDS: usize = 1024;

/// What is looked for.
struct Wanted {
    timestamp: i64,
    /// Records below it are gone.
    from_offset: i64,
    /// Records from here on cannot be seen yet.
    until_offset: i64,
}

impl PartitionReader {
    /// Returns offset and timestamp of the first record whose timestamp is `timestamp_ms` or later,
    /// from the log start offset to the high watermark of the last look; the position stays.
    ///
    /// A compressed batch that has to be looked into is inflated, to 100 MiB at most, outside of
    /// any budget.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], and [`ErrorKind::Corrupt`] or [`ErrorKind::Unsupported`] for a batch on
    /// the way that cannot be read.
    pub fn offset_for_time(&mut self, timestamp_ms: i64) -> Result<Option<(i64, i64)>> {
        let mut inflater = Inflater::new();
        for _ in 0..ATTEMPTS {
            match self.search(timestamp_ms, &mut inflater) {
                Err(Failure::Gone) => self.refresh()?,
                Err(Failure::Error(error)) => return Err(*error),
                Ok(found) => return Ok(found),
            }
        }
        let text = format!("{}: segments vanish while they are read", self.dir.path.display());
        Err(self.dir.name(Error::new(ErrorKind::Io, text).with_retriable(true)))
    }

    fn search(
        &mut self,
        timestamp: i64,
        inflater: &mut Inflater,
    ) -> Result<Option<(i64, i64)>, Failure> {
        let wanted = Wanted {
            timestamp,
            from_offset: self.log_start_offset(),
            until_offset: self.high_watermark(),
        };
        let mut next = self.listing.holding(wanted.from_offset);
        while let Some((base_offset, path)) = next.filter(|next| next.0 < wanted.until_offset) {
            let is_sealed = self.listing.is_sealed(base_offset);
            let segment = Segment::open(path, base_offset).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Failure::Gone,
                _ => Failure::Error(Box::new(self.dir.io_error("open", path, &error))),
            })?;
            let found = search_segment(&segment, &mut self.window, &wanted, inflater, is_sealed);
            if let Some(found) = found.map_err(|trouble| self.failure(trouble, path))? {
                return Ok(Some(found));
            }
            next = self.listing.above(base_offset);
        }
        Ok(None)
    }

    fn failure(&self, trouble: Trouble, path: &Path) -> Failure {
        Failure::Error(Box::new(match trouble {
            Trouble::Io(error) => self.dir.io_error("read", path, &error),
            Trouble::Batch(offset, fault) => {
                let text = format!("{}: {}", path.display(), fault.text);
                self.dir.name(Error::new(fault.kind, text)).with_offset(offset)
            }
        }))
    }
}

/// Why a search did not come to an end.
enum Failure {
    /// When a segment's file has been removed.
    Gone,
    Error(Box<Error>),
}

/// What went wrong in one segment.
enum Trouble {
    Io(io::Error),
    /// When a batch cannot be read, with its base offset.
    Batch(i64, Fault),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn search_segment(
    segment: &Segment,
    window: &mut Window,
    wanted: &Wanted,
    inflater: &mut Inflater,
    is_sealed: bool,
) -> Result<Option<(i64, i64)>, Trouble> {
    let by_time = place_before_time(segment, window, wanted.timestamp)?;
    let by_offset = place_before_offset(segment, wanted.from_offset);
    let start = if by_time.position > by_offset.position { by_time } else { by_offset };
    let mut walk = HeaderWalk::new(segment, window, start)?;
    while walk.place().next_offset < wanted.until_offset {
        let header = match walk.peek()? {
            Next::Batch(header) => header,
            Next::Stop(stop) => return at_stop(stop, walk.place(), is_sealed),
        };
        let may_hold = header.max_timestamp >= wanted.timestamp
            && header.next_offset() > wanted.from_offset
            && header.base_offset < wanted.until_offset;
        if may_hold && !header.is_control() {
            let found = search_batch(segment, walk.place(), &header, wanted, inflater)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        walk.step_over(&header);
    }
    Ok(None)
}

fn at_stop(stop: Stop, place: Place, is_sealed: bool) -> Result<Option<(i64, i64)>, Trouble> {
    match stop {
        Stop::Clean | Stop::Zeros => Ok(None),
        Stop::Torn if !is_sealed => Ok(None),
        stop => Err(Trouble::Batch(place.next_offset, stop.into_fault())),
    }
}

fn search_batch(
    segment: &Segment,
    place: Place,
    header: &BatchHeader,
    wanted: &Wanted,
    inflater: &mut Inflater,
) -> Result<Option<(i64, i64)>, Trouble> {
    let corrupt =
        |text: String| Trouble::Batch(header.base_offset, Fault { kind: ErrorKind::Corrupt, text });
    let Some(batch) = read_batch(segment, place.position, header)? else {
        return Err(corrupt("a batch does not have its checksum".to_owned()));
    };
    let codec = header.codec().map_err(|error| {
        let fault = Fault { kind: ErrorKind::Unsupported, text: error.to_string() };
        Trouble::Batch(header.base_offset, fault)
    })?;
    let records = match codec {
        Codec::None => search_records(header, &batch, HEADER_LEN, wanted),
        codec => {
            let payload = batch.get(HEADER_LEN..).unwrap_or_default();
            let inflated = inflate(inflater, codec, payload).map_err(corrupt)?;
            search_records(header, &inflated, 0, wanted)
        }
    };
    records.map_err(|error| corrupt(error.to_string()))
}

fn inflate(inflater: &mut Inflater, codec: Codec, payload: &[u8]) -> Result<Vec<u8>, String> {
    let guess = size_hint(codec, payload).unwrap_or_else(|| payload.len().saturating_mul(4));
    let grow = |size: usize| Some(vec![0; size]);
    let inflated = inflater.inflate_capped(codec, payload, guess, INFLATED_MAX_BYTES, grow);
    let (mut memory, len) = inflated.map_err(|error| error.to_string())?;
    memory.truncate(len);
    Ok(memory)
}

/// Looks for the record among those that begin at `from` in `slice`.
fn search_records(
    header: &BatchHeader,
    slice: &[u8],
    from: usize,
    wanted: &Wanted,
) -> Result<Option<(i64, i64)>, RecordError> {
    let limits = DecodeLimits {
        from_offset: wanted.from_offset,
        until_offset: wanted.until_offset,
        max_records: ROUND_RECORDS,
        max_bytes: usize::MAX,
    };
    let mut cursor = BatchCursor::new(header, from..slice.len())?;
    let mut records: Vec<Descriptor> = Vec::new();
    loop {
        records.clear();
        let decoded = cursor.decode(slice, 0, &limits, &mut records);
        let found = records.iter().find(|record| record.timestamp >= wanted.timestamp);
        if let Some(record) = found {
            return Ok(Some((record.offset, record.timestamp)));
        }
        if decoded?.records == 0 {
            return Ok(None);
        }
    }
}
