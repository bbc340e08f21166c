//! A scan over the segments of a partition: read, CRC and decode, by mapping and by blocks.
//!
//! The floor is to read the same files in the same sizes into one buffer, and not to look at the
//! bytes. Floor and scans are timed in turns and their ratios printed, since all move with the
//! machine's load; the files are in the page cache. How many reads the scan by blocks made is
//! printed too, where the operating system counts them.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a bench fails by panicking, reads the clock, and its numbers are small"
)]

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kfetch::buffer::{Budget, Pool};
use kfetch::log::{Chunk, LogDirs, PartitionReader, ReadMode};
use kfetch::record::{
    BatchBuilder, BatchCursor, BatchHeader, BatchOptions, DecodeLimits, Descriptor, HEADER_LEN,
    NewRecord, verify_crc,
};

const BATCH_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 1024 * 1024;

/// Two sealed segments of this size, and an active one that holds a batch.
const SEGMENT_BYTES: usize = 128 * 1024 * 1024;
const TURNS: usize = 9;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500));
    targets = scan
}
criterion_main!(benches);

/// A partition on the disk; removed when dropped.
struct Log {
    path: PathBuf,
    files: Vec<PathBuf>,
    bytes: usize,
    records: usize,
}

impl Log {
    fn write(value_len: usize) -> Self {
        let name = format!("kfetch-bench-segment-{value_len}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let directory = path.join("bench-0");
        fs::create_dir_all(&directory).expect("target/tmp is writable");
        let mut log = Self { path, files: Vec::new(), bytes: 0, records: 0 };
        // Criterion's smoke run is for correctness, and has not the time for a quarter GiB.
        let is_test = std::env::args().any(|argument| argument == "--test");
        let segment_bytes = if is_test { SEGMENT_BYTES / 64 } else { SEGMENT_BYTES };
        for bytes_min in [segment_bytes, segment_bytes, 1] {
            let base_offset = log.records;
            let mut segment = Vec::new();
            while segment.len() < bytes_min {
                log.records += append_batch(&mut segment, log.records as i64, value_len);
            }
            let file = directory.join(format!("{base_offset:020}.log"));
            fs::write(&file, &segment).expect("target/tmp has room");
            log.bytes += segment.len();
            log.files.push(file);
        }
        log
    }

    fn reader(&self, mode: ReadMode) -> PartitionReader {
        let dirs = LogDirs::open(std::slice::from_ref(&self.path)).unwrap();
        PartitionReader::open(&dirs.partition("bench", 0).unwrap().unwrap(), mode).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn append_batch(out: &mut Vec<u8>, base_offset: i64, value_len: usize) -> usize {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value: Vec<u8> = (0..value_len).map(|at| (at % 251) as u8).collect();
    while builder.estimated_size() < BATCH_BYTES {
        let timestamp = 1_700_000_000_000 + i64::from(builder.record_count()) / 40;
        let key = (base_offset + i64::from(builder.record_count())).to_be_bytes();
        let record = NewRecord { timestamp, key: Some(&key), value: Some(&value), headers: &[] };
        builder.append(&record).expect("fits");
    }
    let header = builder.finish(base_offset, out).expect("is whole");
    header.record_count as usize
}

/// What a scan works with, made once.
struct Scan {
    pool: Pool,
    budget: Arc<Budget>,
    records: Vec<Descriptor>,
}

impl Scan {
    fn new() -> Self {
        let budget = Budget::new(64 << 20, Box::new(|| {}));
        Self { pool: Pool::new(8 << 20), budget, records: Vec::new() }
    }

    /// Reads, verifies and decodes everything, and returns how many records that were.
    fn run(&mut self, reader: &mut PartitionReader) -> usize {
        reader.seek(0);
        let mut found = 0;
        loop {
            match reader.read(&mut self.pool, &self.budget, READ_BYTES).unwrap() {
                Chunk::Run { bytes, .. } => found += self.decode(&bytes),
                Chunk::End { .. } => return found,
                other => panic!("{other:?}"),
            }
        }
    }

    fn decode(&mut self, run: &[u8]) -> usize {
        let (mut at, mut found) = (0, 0);
        while at < run.len() {
            let header = BatchHeader::parse(&run[at..]).unwrap();
            let batch = &run[at..at + header.size()];
            assert!(verify_crc(batch));
            let mut cursor = BatchCursor::new(&header, HEADER_LEN..batch.len()).unwrap();
            self.records.clear();
            cursor.decode(batch, 0, &DecodeLimits::ALL, &mut self.records).unwrap();
            found += black_box(&self.records).len();
            at += header.size();
        }
        found
    }
}

/// Reads the files as they lie, and returns how many bytes that were.
fn read_raw(files: &[PathBuf], buffer: &mut [u8]) -> usize {
    let mut read = 0;
    for path in files {
        let file = File::open(path).unwrap();
        let mut at = 0;
        loop {
            let len = file.read_at(buffer, at).unwrap();
            if len == 0 {
                break;
            }
            at += len as u64;
            black_box(&buffer[len - 1]);
        }
        read += at as usize;
    }
    read
}

fn scan(criterion: &mut Criterion) {
    for (name, value_len) in [("100B", 100), ("1KiB", 1024)] {
        let log = Log::write(value_len);
        let mut buffer = vec![0; READ_BYTES];
        let mut scan = Scan::new();
        let mut mapped = log.reader(ReadMode::Mmap);
        let mut by_blocks = log.reader(ReadMode::Pread);
        assert_eq!(read_raw(&log.files, &mut buffer), log.bytes);
        assert_eq!(scan.run(&mut mapped), log.records);
        let reads = read_calls();
        assert_eq!(scan.run(&mut by_blocks), log.records);
        let reads = read_calls().zip(reads).map(|(after, before)| after - before);
        print_ratios(name, &log, &mut scan, reads);

        let mut group = criterion.benchmark_group(format!("segment, {name}"));
        group.throughput(Throughput::Bytes(log.bytes as u64));
        group.bench_function("raw read", |bencher| {
            bencher.iter(|| read_raw(&log.files, &mut buffer));
        });
        group.bench_function("mmap", |bencher| bencher.iter(|| scan.run(&mut mapped)));
        group.bench_function("pread", |bencher| bencher.iter(|| scan.run(&mut by_blocks)));
        group.finish();
    }
}

/// Times all three in turns and prints the medians.
fn print_ratios(name: &str, log: &Log, scan: &mut Scan, reads: Option<u64>) {
    let mut buffer = vec![0; READ_BYTES];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        times[0].push(time(|| read_raw(&log.files, &mut buffer)));
        for (mode, times) in [ReadMode::Mmap, ReadMode::Pread].into_iter().zip(&mut times[1..]) {
            // A reader of its own: each scan maps, and faults the pages in, anew.
            let mut reader = log.reader(mode);
            times.push(time(|| scan.run(&mut reader)));
        }
    }
    let [floor, mmap, pread] = times.map(|mut times| {
        times.sort();
        log.bytes as f64 / times[TURNS / 2].as_secs_f64() / 1e9
    });
    println!(
        "segment scan, {name} in 64-KiB batches: raw read {floor:.2} GB/s, mmap {mmap:.2} GB/s \
         ({:.0} %), pread {pread:.2} GB/s ({:.0} %)",
        mmap / floor * 100.0,
        pread / floor * 100.0
    );
    if let Some(reads) = reads {
        let mebibytes = log.bytes as f64 / f64::from(1 << 20);
        println!("segment scan, {name}: {:.2} reads per MiB", reads as f64 / mebibytes);
    }
}

fn time<R>(work: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

/// Returns the system calls that read which this process has made.
fn read_calls() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("syscr: "))?.parse().ok()
}
