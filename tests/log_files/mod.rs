//! Writes log directories the slow, plain way, one file after the other, and reads them back.
//!
//! It shares no code with the writer in the library: segments and indexes are put together here
//! from batches.

#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kfetch::buffer::{Budget, Pool, Slice};
use kfetch::log::{Chunk, LogDirs, PartitionReader, ReadMode};
use kfetch::record::{BatchBuilder, BatchHeader, BatchOptions, Codec, NewRecord};

pub(crate) const TOPIC: &str = "orders";
pub(crate) const BOTH_MODES: [ReadMode; 2] = [ReadMode::Mmap, ReadMode::Pread];

/// A batch and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: BatchHeader,
}

/// Builds a batch of records with these timestamps and values of `value_len` bytes.
pub(crate) fn batch(base_offset: i64, timestamps: &[i64], value_len: usize, codec: Codec) -> Batch {
    let options = BatchOptions { codec, partition_leader_epoch: 0, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    let filling = "x".repeat(value_len);
    for (number, timestamp) in (base_offset..).zip(timestamps) {
        let value = format!("{number:08}{filling}");
        let value = Some(&value.as_bytes()[..value_len.max(8)]);
        builder
            .append(&NewRecord { timestamp: *timestamp, value, ..NewRecord::default() })
            .unwrap();
    }
    let mut bytes = Vec::new();
    let header = builder.finish(base_offset, &mut bytes).unwrap();
    Batch { bytes, header }
}

/// Batches of `records_each` records, one behind the other from offset 0.
pub(crate) fn batches(count: usize, records_each: usize, value_len: usize) -> Vec<Batch> {
    let mut next_offset = 0;
    let mut made = Vec::new();
    for number in 0..count {
        let codec = Codec::ALL[number % Codec::ALL.len()];
        let first = 1000 + next_offset * 10;
        let timestamps: Vec<i64> = (0..).map(|n| first + n * 10).take(records_each).collect();
        let batch = batch(next_offset, &timestamps, value_len, codec);
        next_offset = batch.header.next_offset();
        made.push(batch);
    }
    made
}

/// The two indexes of a segment with an entry for every batch but the first.
pub(crate) fn indexes(base_offset: i64, batches: &[Batch]) -> (Vec<u8>, Vec<u8>) {
    let (mut index, mut time_index) = (Vec::new(), Vec::new());
    let (mut position, mut latest) = (0, -1);
    for batch in batches {
        let relative = i32::try_from(batch.header.last_offset() - base_offset).unwrap();
        if position > 0 {
            index.extend(relative.to_be_bytes());
            index.extend(i32::try_from(position).unwrap().to_be_bytes());
        }
        if batch.header.max_timestamp > latest {
            latest = batch.header.max_timestamp;
            time_index.extend(latest.to_be_bytes());
            time_index.extend(relative.to_be_bytes());
        }
        position += batch.bytes.len();
    }
    (index, time_index)
}

/// One partition in one log directory.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log_dir: PathBuf,
}

impl Partition {
    pub(crate) fn new(log_dir: &Path) -> Self {
        let partition = Self { log_dir: log_dir.to_owned() };
        fs::create_dir_all(partition.directory()).unwrap();
        partition
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.log_dir.join(format!("{TOPIC}-0"))
    }

    pub(crate) fn path(&self, base_offset: i64, suffix: &str) -> PathBuf {
        self.directory().join(format!("{base_offset:020}.{suffix}"))
    }

    /// Writes a segment and its indexes; it is named after its first batch.
    pub(crate) fn write_segment(&self, batches: &[Batch]) {
        let base_offset = batches[0].header.base_offset;
        let bytes: Vec<u8> = batches.iter().flat_map(|batch| batch.bytes.clone()).collect();
        fs::write(self.path(base_offset, "log"), bytes).unwrap();
        let (index, time_index) = indexes(base_offset, batches);
        fs::write(self.path(base_offset, "index"), index).unwrap();
        fs::write(self.path(base_offset, "timeindex"), time_index).unwrap();
    }

    /// Writes the high watermark as a broker does: another file in the place of the old one.
    pub(crate) fn write_high_watermark(&self, offset: i64) {
        self.write_checkpoint("replication-offset-checkpoint", offset);
    }

    pub(crate) fn write_log_start(&self, offset: i64) {
        self.write_checkpoint("log-start-offset-checkpoint", offset);
    }

    fn write_checkpoint(&self, name: &str, offset: i64) {
        let temporary = self.log_dir.join(format!("{name}.tmp"));
        fs::write(&temporary, format!("0\n2\nother 0 7\n{TOPIC} 0 {offset}\n")).unwrap();
        fs::rename(temporary, self.log_dir.join(name)).unwrap();
    }

    /// Makes the directory look like a broker's.
    pub(crate) fn write_meta_properties(&self) {
        fs::write(self.log_dir.join("meta.properties"), "version=1\n").unwrap();
    }

    pub(crate) fn open(&self, mode: ReadMode) -> PartitionReader {
        let dirs = LogDirs::open(std::slice::from_ref(&self.log_dir)).unwrap();
        let dir = dirs.partition(TOPIC, 0).unwrap().expect("the partition is there");
        PartitionReader::open(&dir, mode).unwrap()
    }

    /// Makes every file old, so that nothing counts as being written right now.
    pub(crate) fn let_settle(&self) {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        for entry in fs::read_dir(self.directory()).unwrap() {
            let file = fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
            file.set_modified(old).unwrap();
        }
    }
}

/// What a reader is given to read with.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) pool: Pool,
    pub(crate) budget: Arc<Budget>,
    pub(crate) max_bytes: usize,
}

impl Source {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let budget = Budget::new(64 << 20, Box::new(|| {}));
        Self { pool: Pool::new(4 << 20), budget, max_bytes }
    }

    pub(crate) fn read(&mut self, reader: &mut PartitionReader) -> Chunk {
        reader.read(&mut self.pool, &self.budget, self.max_bytes).unwrap()
    }

    /// Reads until there is something else than batches; returns the batches and that.
    pub(crate) fn read_all(&mut self, reader: &mut PartitionReader) -> (Vec<u8>, Chunk) {
        let mut read = Vec::new();
        loop {
            let before = reader.position();
            match self.read(reader) {
                Chunk::Run { bytes, from_offset, next_offset } => {
                    assert_eq!(from_offset, before);
                    assert_eq!(reader.position(), next_offset);
                    assert!(next_offset > before, "no progress at {before}");
                    check_run(&bytes, next_offset);
                    read.extend_from_slice(&bytes);
                }
                other => return (read, other),
            }
        }
    }
}

/// A run is whole batches, of which the last ends at `next_offset`.
fn check_run(run: &Slice, next_offset: i64) {
    let mut at = 0;
    let mut last = None;
    while at < run.len() {
        let header = BatchHeader::parse(&run[at..]).expect("a header that has been parsed");
        at += header.size();
        last = Some(header.next_offset());
    }
    assert_eq!((at, last), (run.len(), Some(next_offset)), "whole batches");
}

/// The bytes of several batches, one behind the other.
pub(crate) fn concat(batches: &[Batch]) -> Vec<u8> {
    batches.iter().flat_map(|batch| batch.bytes.clone()).collect()
}
