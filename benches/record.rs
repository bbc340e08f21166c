//! The record layer: header skim, checksum, decode to descriptors, inflation.
//!
//! The floor of the decode is to hop over the length varints of the same batch and do nothing
//! else. Beside criterion's own report, floor and decode are timed in turns and their ratio is
//! printed, since both move with the machine's load.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a bench fails by panicking, and its numbers are small"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kfetch::record::{
    BatchBuilder, BatchCursor, BatchHeader, BatchOptions, Codec, DecodeLimits, Descriptor,
    HEADER_LEN, Inflater, NewRecord, batch_crc, codec::size_hint, verify_crc,
};

const BATCH_BYTES: usize = 64 * 1024;
const TRACE_HEADERS: &[(&[u8], Option<&[u8]>)] =
    &[(b"traceparent", Some(b"00-0af7651916cd43dd-01")), (b"source", Some(b"edge-7"))];

criterion_group! {
    name = benches;
    config = Criterion::default()
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(500));
    targets = decode, scan, checksum, inflate
}
criterion_main!(benches);

/// One kind of batch to decode.
struct Workload {
    name: &'static str,
    value_len: usize,
    headers: &'static [(&'static [u8], Option<&'static [u8]>)],
    /// Records, or as many as fill 64 KiB.
    records: Option<usize>,
    /// Milliseconds from one record's timestamp to the next, and from when on they jump about.
    timestamps: fn(usize) -> i64,
}

const WORKLOADS: [Workload; 8] = [
    workload("100B", 100, &[], None),
    workload("100B, 10 records", 100, &[], Some(10)),
    workload("100B, 2 headers", 100, TRACE_HEADERS, None),
    workload("1KiB", 1024, &[], None),
    workload("1KiB, 10 records", 1024, &[], Some(10)),
    workload("1KiB, 2 headers", 1024, TRACE_HEADERS, None),
    Workload { timestamps: within_seconds, ..workload("100B, times mixed", 100, &[], None) },
    Workload { timestamps: within_days, ..workload("100B, times of days", 100, &[], None) },
];

const fn workload(
    name: &'static str,
    value_len: usize,
    headers: &'static [(&'static [u8], Option<&'static [u8]>)],
    records: Option<usize>,
) -> Workload {
    Workload { name, value_len, headers, records, timestamps: within_the_linger_time }
}

fn within_the_linger_time(index: usize) -> i64 {
    index as i64 / 40
}

fn within_seconds(index: usize) -> i64 {
    (index as i64 * 7919) % 131
}

fn within_days(index: usize) -> i64 {
    (index as i64 * 48_271) % 86_400_000
}

fn build(workload: &Workload) -> (BatchHeader, Vec<u8>) {
    let value: Vec<u8> = (0..workload.value_len).map(|at| (at % 251) as u8).collect();
    let mut builder = BatchBuilder::new(BatchOptions::default());
    while builder.record_count() < workload.records.unwrap_or(usize::MAX).min(1 << 20) as i32
        && (workload.records.is_some() || builder.estimated_size() < BATCH_BYTES)
    {
        let index = builder.record_count() as usize;
        let key = (index as u64).to_be_bytes();
        let record = NewRecord {
            timestamp: 1_700_000_000_000 + (workload.timestamps)(index),
            key: Some(&key),
            value: Some(&value),
            headers: workload.headers,
        };
        builder.append(&record).expect("fits");
    }
    let mut batch = Vec::new();
    let header = builder.finish(1000, &mut batch).expect("is whole");
    (header, batch)
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for workload in &WORKLOADS {
        let (header, batch) = build(workload);
        let records = header.record_count as usize;
        let mut out = Vec::new();
        assert_eq!(decode_batch(&header, &batch, &mut out), records);
        assert!(out.iter().all(|record| {
            record.value_len as usize == workload.value_len
                && record.headers(&batch).count() == workload.headers.len()
        }));
        assert_eq!(hop(&batch[HEADER_LEN..]), records);
        group.throughput(Throughput::ElementsAndBytes {
            elements: records as u64,
            bytes: batch.len() as u64,
        });
        group.bench_function(BenchmarkId::new("hop over lengths", workload.name), |bencher| {
            bencher.iter(|| hop(black_box(&batch[HEADER_LEN..])));
        });
        group.bench_function(BenchmarkId::new("descriptors", workload.name), |bencher| {
            bencher.iter(|| decode_batch(&header, black_box(&batch), &mut out));
        });
        report_ratio(workload.name, &header, &batch, &mut out);
    }
    group.finish();
}

fn decode_batch(header: &BatchHeader, batch: &[u8], out: &mut Vec<Descriptor>) -> usize {
    out.clear();
    let mut cursor = BatchCursor::new(header, HEADER_LEN..batch.len()).expect("is below 4 GiB");
    let decoded = cursor.decode(batch, 0, &DecodeLimits::ALL, out).expect("is whole");
    assert!(cursor.is_done());
    decoded.records
}

/// The least that any decoder does: from each record's length to the next record.
fn hop(mut payload: &[u8]) -> usize {
    let mut records = 0;
    while !payload.is_empty() {
        let (mut len, mut at) = (0_usize, 0);
        loop {
            let byte = payload[at];
            len |= usize::from(byte & 0x7f) << (7 * at);
            at += 1;
            if byte < 0x80 {
                break;
            }
        }
        payload = &payload[at + (len >> 1)..];
        records += 1;
    }
    records
}

/// Times floor and decode in turns and prints the medians and their ratio.
fn report_ratio(name: &str, header: &BatchHeader, batch: &[u8], out: &mut Vec<Descriptor>) {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let (mut floor, mut ours, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..301 {
        floor.push(nanos_per_record(header, || hop(black_box(&batch[HEADER_LEN..]))));
        ours.push(nanos_per_record(header, || decode_batch(header, black_box(batch), out)));
        checked.push(nanos_per_record(header, || {
            assert!(verify_crc(black_box(batch)));
            decode_batch(header, batch, out)
        }));
    }
    let [floor, ours, checked] = [floor, ours, checked].map(|mut samples| {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    });
    println!(
        "{name}: {ours:.2} ns/record, {:.2}x the hop's {floor:.2} ns; with CRC {checked:.2} ns",
        ours / floor
    );
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn nanos_per_record(header: &BatchHeader, mut work: impl FnMut() -> usize) -> f64 {
    let rounds = 1 + 10_000 / header.record_count.max(1);
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        black_box(work());
    }
    start.elapsed().as_nanos() as f64 / f64::from(rounds) / f64::from(header.record_count)
}

/// Steps over batches by their headers, which is all that the next Fetch needs.
fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for (name, records) in [("1KiB batches", Some(9)), ("64KiB batches", None)] {
        let (_, batch) = build(&Workload { records, ..workload("", 100, &[], None) });
        let batches = (4 << 20) / batch.len();
        let segment = batch.repeat(batches);
        assert_eq!(skim(&segment), batches);
        group.throughput(Throughput::ElementsAndBytes {
            elements: batches as u64,
            bytes: segment.len() as u64,
        });
        group.bench_function(name, |bencher| bencher.iter(|| skim(black_box(&segment))));
    }
    group.finish();
}

fn skim(mut segment: &[u8]) -> usize {
    let mut batches = 0;
    while let Ok(header) = BatchHeader::parse(segment) {
        assert_eq!(header.next_offset() - header.base_offset, i64::from(header.record_count));
        segment = segment.get(header.size()..).unwrap_or_default();
        batches += 1;
    }
    batches
}

fn checksum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    for size in [64, 128, 256, 512, 1024, 4096, 16 << 10, 64 << 10, 1 << 20] {
        let batch = vec![0xa5_u8; size];
        assert_eq!(batch_crc(&batch), crc_fast::crc32_iscsi(&batch[21..]));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| batch_crc(black_box(&batch)));
        });
    }
    group.finish();
}

fn inflate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inflate");
    for value_len in [100, 1024] {
        let plain = json_records(value_len);
        for codec in [Codec::Lz4, Codec::Zstd, Codec::Snappy, Codec::Gzip] {
            let mut input = Vec::new();
            let mut deflater = kfetch::record::Deflater::new();
            deflater.deflate(codec, None, &plain, &mut input).expect("compresses");
            let mut inflater = Inflater::new();
            let mut out = vec![0; size_hint(codec, &input).unwrap_or(0).max(plain.len())];
            assert_eq!(inflater.inflate(codec, &input, &mut out), Ok(plain.len()));
            assert_eq!(out[..plain.len()], plain);
            group.throughput(Throughput::Bytes(plain.len() as u64));
            let ratio = plain.len() as f64 / input.len() as f64;
            let name = format!("{codec}, ratio {ratio:.2}");
            group.bench_function(BenchmarkId::new(name, value_len), |bencher| {
                bencher.iter(|| inflater.inflate(codec, black_box(&input), &mut out));
            });
        }
    }
    group.finish();
}

/// The records of a 64-KiB batch whose values are JSON objects of about `value_len` bytes.
fn json_records(value_len: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    while builder.estimated_size() < BATCH_BYTES {
        let mut value = String::from("{");
        while value.len() < value_len {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let (id, cents, city) = (seed % 1_000_000, seed >> 44, seed >> 20 & 0xff);
            value += &format!("\"user_id\":{id},\"price\":{cents},\"city\":\"city-{city}\",");
        }
        value.truncate(value_len - 1);
        value.push('}');
        let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
        builder.append(&record).expect("fits");
    }
    let mut batch = Vec::new();
    builder.finish(0, &mut batch).expect("is whole");
    batch.split_off(HEADER_LEN)
}
