//! From a broker's socket to the application, with the raw `recv` and header walk as the floor.
//!
//! A stub broker in the same process serves one batch over and over, so that neither a disk nor a
//! broker's own work is in the figures. Beside criterion's report, floor and engine are run in
//! turns and the ratios of their medians are printed: records per second, and CPU time of all
//! threads that are not the stub's.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the bench")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::cast_precision_loss, reason = "ratios")]

#[path = "support/stub_broker.rs"]
mod stub_broker;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kfetch::protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use kfetch::protocol::{ApiKey, RequestHeader, write_frame};
use kfetch::record::{BatchBuilder, BatchHeader, BatchOptions, NewRecord};
use kfetch::{Config, Consumer, Offset, PollLimits, TopicPartition};
use stub_broker::{Log, StubBroker};

/// Value and batch sizes that are measured, and the bytes that a turn of the ratios takes.
const WORKLOADS: [(usize, usize, u64); 4] = [
    (100, 64 * 1024, 2 << 30),
    (1024, 64 * 1024, 4 << 30),
    (100, 1024, 1 << 30),
    (1024, 1100, 2 << 30),
];

/// Bytes of one of criterion's iterations, or of the one run as a test.
const ITERATION_BYTES: u64 = 64 << 20;

/// Turns from which the medians are taken.
const TURNS: usize = 5;

const PARTITIONS: i32 = 4;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(300));
    targets = end_to_end
}
criterion_main!(benches);

fn end_to_end(criterion: &mut Criterion) {
    for (value_bytes, batch_bytes, turn_bytes) in WORKLOADS {
        let name = format!("{value_bytes} B in {batch_bytes} B");
        let log = log(value_bytes, batch_bytes, ITERATION_BYTES);
        let stub = StubBroker::start(log.clone()).unwrap();
        let mut group = criterion.benchmark_group("end to end");
        let records = u64::try_from(log.end()).unwrap() * u64::try_from(PARTITIONS).unwrap();
        group.throughput(Throughput::ElementsAndBytes {
            elements: records,
            bytes: wire_bytes(&log),
        });
        group.bench_function(BenchmarkId::new("floor", &name), |bencher| {
            bencher.iter_custom(|turns| (0..turns).map(|_| floor(stub.address(), &log).wall).sum());
        });
        group.bench_function(BenchmarkId::new("kfetch", &name), |bencher| {
            bencher.iter_custom(|turns| {
                (0..turns).map(|_| engine(stub.address(), &log, true, 500).wall).sum()
            });
        });
        group.finish();
        if std::env::args().any(|argument| argument == "--bench") {
            report_ratios(&name, &self::log(value_bytes, batch_bytes, turn_bytes));
        }
    }
}

fn log(value_bytes: usize, batch_bytes: usize, bytes: u64) -> Log {
    let (batch, batch_records) = batch(value_bytes, batch_bytes);
    let batches = bytes / u64::try_from(PARTITIONS).unwrap() / batch.len() as u64;
    let batches = i64::try_from(batches).unwrap();
    Log { batch, batch_records, batches, partitions: PARTITIONS, answer_bytes: 1 << 20 }
}

/// Runs floor and engine in turns and prints the medians and their ratios.
fn report_ratios(name: &str, log: &Log) {
    let stub = StubBroker::start(log.clone()).unwrap();
    let mut measures = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        measures[0].push(floor(stub.address(), log));
        measures[1].push(engine(stub.address(), log, true, 500));
        measures[2].push(engine(stub.address(), log, true, 10_000));
        measures[3].push(engine(stub.address(), log, false, 500));
    }
    let names = ["floor", "kfetch", "kfetch, poll of 10000", "kfetch, no CRC"];
    let [floor, rest @ ..] = measures.map(|measures| Medians::of(&measures));
    floor.print(name, names[0], &floor);
    for (medians, kind) in rest.iter().zip(&names[1..]) {
        medians.print(name, kind, &floor);
    }
}

/// What one run took.
struct Measure {
    wall: Duration,
    cpu_ns: u64,
    records: i64,
    bytes: u64,
}

struct Medians {
    gb_per_second: f64,
    cpu_ns_per_record: f64,
}

impl Medians {
    fn of(measures: &[Measure]) -> Self {
        let median = |value: &dyn Fn(&Measure) -> f64| {
            let mut values: Vec<f64> = measures.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            gb_per_second: median(&|run| run.bytes as f64 / run.wall.as_secs_f64() / 1e9),
            cpu_ns_per_record: median(&|run| run.cpu_ns as f64 / run.records as f64),
        }
    }

    fn print(&self, name: &str, kind: &str, floor: &Self) {
        println!(
            "{name}, {kind}: {:.2} GB/s ({:.2}x the floor's), {:.1} ns CPU/record ({:.2}x)",
            self.gb_per_second,
            self.gb_per_second / floor.gb_per_second,
            self.cpu_ns_per_record,
            self.cpu_ns_per_record / floor.cpu_ns_per_record,
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
