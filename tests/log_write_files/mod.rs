//! A partition's files read in the plainest way, and held to the rules of Kafka's layout.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use kfetch::record::{BatchHeader, HEADER_LEN, Inflater, NewRecord, verify_crc};

use crate::record_naive::{Owned, decode};

/// One batch of a segment.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) position: usize,
    pub(crate) header: BatchHeader,
    pub(crate) records: Vec<Owned>,
}

/// One segment, whose files fit each other.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) size: usize,
    pub(crate) batches: Vec<Batch>,
    /// Relative offset and position.
    pub(crate) offsets: Vec<(i64, usize)>,
    /// Timestamp and relative offset.
    pub(crate) times: Vec<(i64, i64)>,
}

/// Reads the segments of a partition that its writer has flushed.
///
/// # Panics
///
/// When a batch is not whole, an offset is missing, or an index entry is wrong or missing.
pub(crate) fn read_segments(directory: &Path, interval_bytes: usize) -> Vec<Segment> {
    let segments = read_batches(directory);
    for segment in &segments {
        check_offsets(segment, interval_bytes);
        check_times(segment);
    }
    segments
}

/// Reads the segments of a partition without a look at what their indexes say.
pub(crate) fn read_batches(directory: &Path) -> Vec<Segment> {
    let mut next_offset = None;
    let mut segments = Vec::new();
    for path in files(directory, "log") {
        let segment = read_segment(&path);
        assert_eq!(segment.base_offset, next_offset.unwrap_or(segment.base_offset), "{path:?}");
        let end = segment.batches.last().map(|batch| batch.header.next_offset());
        next_offset = end.or(Some(segment.base_offset));
        segments.push(segment);
    }
    for ending in ["index", "timeindex"] {
        assert_eq!(files(directory, ending).len(), segments.len(), "{ending}");
    }
    segments
}

/// Returns all records of the segments.
pub(crate) fn records(segments: &[Segment]) -> Vec<Owned> {
    let batches = segments.iter().flat_map(|segment| &segment.batches);
    batches.flat_map(|batch| batch.records.iter().cloned()).collect()
}

/// Returns the partition's files with this ending, by name.
pub(crate) fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let has_ending = |path: &PathBuf| path.extension().is_some_and(|found| found == ending);
    let mut files: Vec<PathBuf> = entries.filter(has_ending).collect();
    files.sort();
    files
}

/// Returns name and content of every file that is not hidden, by name.
pub(crate) fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut contents: Vec<(String, Vec<u8>)> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, path)| !name.starts_with('.') && path.is_file())
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    contents.sort();
    contents
}

/// Returns the offset of a partition in a checkpoint file, if it has one.
pub(crate) fn checkpoint(log_dir: &Path, name: &str, topic: &str, partition: i32) -> Option<i64> {
    let text = fs::read_to_string(log_dir.join(name)).ok()?;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("0"));
    let count: usize = lines.next().unwrap().parse().unwrap();
    assert_eq!(lines.clone().count(), count, "{text:?}");
    let start = format!("{topic} {partition} ");
    lines.find_map(|line| line.strip_prefix(&start)?.parse().ok())
}

/// Lends a record to the writer.
pub(crate) fn borrowed<'a>(
    record: &'a Owned,
    headers: &'a mut Vec<(&'a [u8], Option<&'a [u8]>)>,
) -> NewRecord<'a> {
    headers.extend(record.headers.iter().map(|(key, value)| (key.as_slice(), value.as_deref())));
    NewRecord {
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers,
    }
}

fn read_segment(path: &Path) -> Segment {
    let bytes = fs::read(path).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert_eq!(name.len(), 20, "{name}");
    let mut position = 0;
    let mut batches: Vec<Batch> = Vec::new();
    while position < bytes.len() {
        let header = BatchHeader::parse(&bytes[position..])
            .unwrap_or_else(|error| panic!("{path:?} at {position}: {error}"));
        let batch = &bytes[position..][..header.size()];
        assert!(verify_crc(batch), "{path:?} at {position}");
        let codec = header.codec().unwrap();
        let payload = Inflater::new()
            .inflate_capped(codec, &batch[HEADER_LEN..], 1 << 16, 1 << 26, |size| {
                Some(vec![0; size])
            })
            .map(|(out, len)| out[..len].to_vec())
            .unwrap();
        let (records, fault) = decode(&header, &payload, 0);
        assert_eq!(fault, None);
        let before = batches.last().map(|batch| batch.header.next_offset());
        assert_eq!(header.base_offset, before.unwrap_or_else(|| name.parse().unwrap()));
        batches.push(Batch { position, header, records });
        position += header.size();
    }
    let numbers = |ending: &str| fs::read(path.with_extension(ending)).unwrap();
    let (offsets, times) = (numbers("index"), numbers("timeindex"));
    assert_eq!((offsets.len() % 8, times.len() % 12), (0, 0));
    Segment {
        base_offset: name.parse().unwrap(),
        size: bytes.len(),
        batches,
        offsets: offsets
            .chunks(8)
            .map(|entry| (number(&entry[..4]), usize::try_from(number(&entry[4..])).unwrap()))
            .collect(),
        times: times.chunks(12).map(|entry| (number(&entry[..8]), number(&entry[8..]))).collect(),
    }
}

fn number(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// A batch has an entry if and only if more than the interval lies behind the one before it.
fn check_offsets(segment: &Segment, interval_bytes: usize) {
    let mut wanted = Vec::new();
    let mut last = 0;
    for batch in &segment.batches {
        if batch.position - last > interval_bytes {
            last = batch.position;
            wanted.push((batch.header.last_offset() - segment.base_offset, last));
        }
    }
    assert_eq!(segment.offsets, wanted, "index of {}", segment.base_offset);
}

/// An entry names the first batch with the largest timestamp up to it. A sealed or closed segment's
/// largest one is there.
fn check_times(segment: &Segment) {
    let timestamp = |batch: &Batch| {
        batch.records.iter().map(|record| record.timestamp).max().expect("a batch has records")
    };
    let mut last = (-1, -1);
    for entry in &segment.times {
        let (time, offset) = (entry.0, segment.base_offset + entry.1);
        assert!(time > last.0 && offset > last.1, "entries rise");
        last = (time, offset);
        let up_to = segment.batches.iter().filter(|batch| batch.header.last_offset() <= offset);
        let found = up_to.clone().map(timestamp).max();
        assert_eq!(found, Some(time), "time index of {}", segment.base_offset);
        let first = up_to.clone().find(|batch| timestamp(batch) == time).unwrap();
        assert_eq!(first.header.last_offset(), offset);
    }
}

/// Holds the last entry of a closed segment's time index to its largest timestamp.
pub(crate) fn check_closed_times(segment: &Segment) {
    let largest = records(std::slice::from_ref(segment))
        .iter()
        .map(|record| record.timestamp)
        .max()
        .filter(|timestamp| *timestamp >= 0);
    assert_eq!(segment.times.last().map(|entry| entry.0), largest);
}
