//! From a broker's socket to the application, with the raw `recv` and header walk as the floor.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the bench")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::cast_precision_loss, reason = "ratios")]

#[path = "support/stub_broker.rs"]
mod stub_broker;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kfetch::protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use kfetch::protocol::{ApiKey, RequestHeader, write_frame};
use kfetch::record::{BatchBuilder, BatchHeader, BatchOptions, NewRecord};
use kfetch::{Config, Consumer, Offset, PollLimits, TopicPartition};
use stub_broker::{Log, StubBroker};

struct Measure {
    wall: Duration,
    cpu_ns: u64,
    records: i64,
    bytes: u64,
}

impl Measure {
    fn print(&self, name: &str) {
        let seconds = self.wall.as_secs_f64();
        println!(
            "{name:28} {:6.2} GB/s {:7.2} M rec/s  {:6.1} ns CPU/rec  {:6.2} GB/CPU-s",
            self.bytes as f64 / seconds / 1e9,
            self.records as f64 / seconds / 1e6,
            self.cpu_ns as f64 / self.records as f64,
            self.bytes as f64 / self.cpu_ns as f64,
        );
    }
}

/// CPU time in ns of every thread that is not the stub's.
fn cpu_ns() -> u64 {
    let mut total = 0;
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.trim() == "stub" {
            continue;
        }
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let ns = stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        total += ns;
    }
    total
}

fn batch(value_bytes: usize, batch_bytes: usize) -> (Vec<u8>, i64) {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let text = "{\"user\":\"0123456789\",\"event\":\"page_view\",\"path\":\"/a/b/c\"} ";
    let value: Vec<u8> = text.bytes().cycle().take(value_bytes).collect();
    let mut records = 0;
    while builder.estimated_size() + value_bytes + 20 < batch_bytes || records == 0 {
        let key = format!("k{records:07}");
        builder
            .append(&NewRecord {
                key: Some(key.as_bytes()),
                value: Some(&value),
                timestamp: 1_600_000_000_000 + records,
                ..NewRecord::default()
            })
            .unwrap();
        records += 1;
    }
    let mut out = Vec::new();
    builder.finish(0, &mut out).unwrap();
    (out, records)
}

fn floor(address: std::net::SocketAddr, log: &Log) -> Measure {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0_u8; 1 << 20];
    let mut offsets = vec![0_i64; usize::try_from(log.partitions).unwrap()];
    let (cpu, start) = (cpu_ns(), Instant::now());
    let mut bytes = 0_u64;
    let mut correlation_id = 0;
    while offsets.iter().any(|offset| *offset < log.end()) {
        let mut request = Vec::new();
        let body = FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 50 << 20,
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic: "bench",
                partitions: (0..)
                    .zip(&offsets)
                    .filter(|(_, offset)| **offset < log.end())
                    .map(|(partition, offset)| FetchPartition {
                        partition,
                        fetch_offset: *offset,
                        partition_max_bytes: 1 << 20,
                        ..FetchPartition::default()
                    })
                    .collect(),
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        write_frame(&mut request, |out| {
            RequestHeader {
                request_api_key: ApiKey::Fetch.code(),
                request_api_version: 11,
                correlation_id,
                client_id: Some("floor"),
            }
            .encode(out)?;
            body.encode(11, out)
        })
        .unwrap();
        correlation_id += 1;
        stream.write_all(&request).unwrap();
        bytes += read_answer(&mut stream, &mut buffer, &mut offsets);
    }
    let (wall, cpu_ns) = (start.elapsed(), cpu_ns() - cpu);
    Measure { wall, cpu_ns, records: log.end() * i64::from(log.partitions), bytes }
}

/// Reads one answer, walking batch headers; the buffer keeps what a read has cut.
fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>, offsets: &mut [i64]) -> u64 {
    let mut filled = 0;
    let mut at;
    while filled < 4 {
        filled += stream.read(&mut buffer[filled..]).unwrap();
    }
    let total = u32::from_be_bytes(buffer[..4].try_into().unwrap()) as usize + 4;
    let mut done = 0;
    // Head: length, correlation id, throttle, error, session, topics, name, partitions.
    let head = 4 + 4 + 4 + 6 + 4 + 2 + 5 + 4;
    while filled < head {
        filled += stream.read(&mut buffer[filled..]).unwrap();
    }
    at = head;
    let mut records_left = 0_usize;
    let mut partition = 0_usize;
    let mut batches = 0;
    loop {
        loop {
            let rest = &buffer[at..filled];
            if records_left == 0 {
                let partition_head = 4 + 2 + 8 + 8 + 8 + 4 + 4 + 4;
                if rest.len() < partition_head || done + at >= total {
                    break;
                }
                partition = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
                records_left = u32::from_be_bytes(
                    rest[partition_head - 4..partition_head].try_into().unwrap(),
                ) as usize;
                at += partition_head;
                continue;
            }
            if rest.len() < 61 {
                break;
            }
            let header = BatchHeader::parse(rest).unwrap();
            if rest.len() < header.size() {
                break;
            }
            offsets[partition] = header.next_offset();
            at += header.size();
            records_left -= header.size();
            batches += 1;
        }
        if done + at == total {
            return if batches > 0 { total as u64 } else { 0 };
        }
        buffer.copy_within(at..filled, 0);
        done += at;
        filled -= at;
        at = 0;
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        filled += stream.read(&mut buffer[filled..]).unwrap();
    }
}

fn engine(address: std::net::SocketAddr, log: &Log, crcs: bool, max_records: usize) -> Measure {
    let config = Config::new()
        .with("bootstrap.servers", &address.to_string())
        .unwrap()
        .with("check.crcs", if crcs { "true" } else { "false" })
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let partitions: Vec<_> = (0..log.partitions)
        .map(|partition| (TopicPartition::new("bench", partition), Offset::At(0)))
        .collect();
    let total = log.end() * i64::from(log.partitions);
    let (mut records, mut sum) = (0_i64, 0_u64);
    let (cpu, start) = (cpu_ns(), Instant::now());
    consumer.assign_at(&partitions).unwrap();
    let limits = PollLimits { max_records, max_bytes: usize::MAX };
    while records < total {
        let Some(polled) = consumer.poll_with(Duration::from_secs(10), limits).unwrap() else {
            panic!("stalled at {records} of {total}");
        };
        for record in &polled {
            let value = record.value().unwrap();
            sum += u64::from(value[0]);
        }
        records += i64::try_from(polled.len()).unwrap();
    }
    let (wall, cpu_ns) = (start.elapsed(), cpu_ns() - cpu);
    assert_eq!(sum, u64::from(b'{') * u64::try_from(records).unwrap());
    let bytes = wire_bytes(log);
    Measure { wall, cpu_ns, records, bytes }
}

fn wire_bytes(log: &Log) -> u64 {
    let batches = log.batches * i64::from(log.partitions);
    log.batch.len() as u64 * u64::try_from(batches).unwrap()
}

fn main() {
    for (value_bytes, batch_bytes, gib) in
        [(100, 64 * 1024, 4), (1024, 64 * 1024, 8), (100, 1024, 2), (1024, 1100, 4)]
    {
        let (batch, batch_records) = batch(value_bytes, batch_bytes);
        let partitions = 4;
        let batches = (gib << 30) / i64::from(partitions) / i64::try_from(batch.len()).unwrap();
        let log = Log { batch, batch_records, batches, partitions, answer_bytes: 1 << 20 };
        println!(
            "value {value_bytes} B, batch {} B of {} records, {} GiB",
            log.batch.len(),
            log.batch_records,
            gib
        );
        let stub = StubBroker::start(log.clone()).unwrap();
        for _ in 0..3 {
            floor(stub.address(), &log).print("floor");
            engine(stub.address(), &log, true, 500).print("kfetch, poll 500");
            engine(stub.address(), &log, true, 10_000).print("kfetch, poll 10000");
            engine(stub.address(), &log, false, 500).print("kfetch, no CRC, poll 500");
        }
    }
}
