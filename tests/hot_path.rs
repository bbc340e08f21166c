//! What a poll costs while data is ready: no memory per record, no system call per record or batch.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "a consumer runs in real time")]

#[path = "support/batches.rs"]
mod batches;
mod record_counting;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kfetch::record::Codec;
use kfetch::{Config, Consumer, Offset, Records, TopicPartition};

use batches::{batch, log};
use record_counting::measure;
use scripted_broker::{Deed, Logs, ScriptedBroker, TOPIC};

const SOON: Duration = Duration::from_secs(20);

/// Where the child under strace finds the broker of its parent.
const ADDRESS: &str = "KFETCH_HOT_PATH_BROKER";

/// Two paths that do not exist: looking them up marks the trace.
const BEGIN: &str = "/kfetch-hot-path-begins";
const END: &str = "/kfetch-hot-path-ends";

fn consumer(address: &str, partitions: i32) -> Consumer {
    let config = Config::new().with("bootstrap.servers", address).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let assigned: Vec<_> =
        (0..partitions).map(|number| (TopicPartition::new(TOPIC, number), Offset::At(0))).collect();
    consumer.assign_at(&assigned).unwrap();
    consumer
}

/// Lets the engine fill the rings: nobody tells when it has.
fn let_prefetch() {
    std::thread::park_timeout(Duration::from_millis(400));
}

/// Reads every record of a handle as an application would.
fn sum(records: &Records) -> u64 {
    records.iter().map(|record| u64::from(record.value().unwrap()[0])).sum()
}

fn allocations_per_poll(logs: Logs) -> (usize, usize) {
    let partitions = i32::try_from(logs.len()).unwrap();
    let broker = ScriptedBroker::start(logs, |_, answer| Deed::Send(answer));
    let mut consumer = consumer(&broker.address.to_string(), partitions);
    let_prefetch();
    for _ in 0..10 {
        sum(&consumer.poll(SOON).unwrap().expect("a stall"));
    }
    let mut records = 0;
    let (calls, _, ()) = measure(|| {
        for _ in 0..20 {
            let polled = consumer.poll(SOON).unwrap().expect("a stall");
            assert_eq!(sum(&polled), 7 * polled.len() as u64);
            records += polled.len();
        }
    });
    (calls, records)
}

#[test]
fn polling_and_reading_allocate_nothing_per_record() {
    let plain = vec![log(400, 50, &[7; 100]); 2];
    let small = vec![log(4000, 5, &[7; 100]); 2];
    let compress = |at: i64| batch(at * 50, 50, &[7; 100], Codec::Lz4);
    let compressed = vec![(0..400).map(compress).collect(); 2];
    for (name, logs) in [("plain", plain), ("small batches", small), ("lz4", compressed)] {
        let (calls, records) = allocations_per_poll(logs);
        println!("{name}: {calls} allocations for {records} records in 20 polls");
        assert!(records >= 5000, "{name}: {records}");
        // The handle of each poll is one.
        assert!(calls <= 2 * 20, "{name}: {calls} allocations for {records} records");
    }
}

/// Runs in a process of its own, under strace: it reads some 40 MB that wait in the rings.
fn read_between_marks(address: &str) {
    let mut consumer = consumer(address, 4);
    let_prefetch();
    let_prefetch();
    sum(&consumer.poll(SOON).unwrap().expect("a stall"));
    assert!(fs::metadata(BEGIN).is_err());
    let mut left = 40_000;
    while left > 0 {
        let polled = consumer.poll(SOON).unwrap().expect("a stall");
        sum(&polled);
        left = usize::saturating_sub(left, polled.len());
    }
    assert!(fs::metadata(END).is_err());
}

/// Returns the lines that the marking thread wrote between the marks.
fn between_marks(trace: &str) -> Vec<&str> {
    let begin = trace.lines().position(|line| line.contains(BEGIN)).expect("the first mark");
    let thread = trace.lines().nth(begin).unwrap().split(' ').next().unwrap();
    let is_thread = |line: &&str| line.split(' ').next() == Some(thread);
    trace.lines().skip(begin + 1).filter(is_thread).take_while(|line| !line.contains(END)).collect()
}

#[test]
fn polling_makes_no_system_call_per_record_or_batch() {
    if let Ok(address) = std::env::var(ADDRESS) {
        return read_between_marks(&address);
    }
    // 1,200 batches of 50 records: 60 MB, of which the budget holds nearly all.
    let broker =
        ScriptedBroker::start(vec![log(300, 50, &[7; 1000]); 4], |_, answer| Deed::Send(answer));
    let trace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hot_path.trace");
    let traced = Command::new("strace")
        .args(["-f", "-o", trace.to_str().unwrap()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "polling_makes_no_system_call_per_record_or_batch"])
        .env(ADDRESS, broker.address.to_string())
        .output()
        .expect("strace is needed");
    let output = String::from_utf8_lossy(&traced.stdout);
    assert!(traced.status.success(), "{output}{}", String::from_utf8_lossy(&traced.stderr));
    let trace = fs::read_to_string(trace).unwrap();
    let calls = between_marks(&trace);
    println!("{} system calls for 40,000 records in 800 batches", calls.len());
    // A full ring that has drained by half wakes the engine once, and so does a quarter of the
    // budget that has come back: both happen a few times in 40 MB.
    assert!(calls.len() <= 40, "{} system calls:\n{}", calls.len(), calls.join("\n"));
}
