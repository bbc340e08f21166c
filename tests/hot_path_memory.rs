//! What a consumer has resident when its application stops polling before an endless backlog.
//!
//! The broker is in the parent process, the consumer in a child, so that only it is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/batches.rs"]
mod batches;
#[allow(clippy::disallowed_methods, reason = "the stub sleeps as long as a broker waits")]
#[path = "../benches/support/stub_broker.rs"]
mod stub_broker;

use std::fs;
use std::process::Command;
use std::time::Duration;

use kfetch::record::{BatchHeader, Codec};
use kfetch::{Config, Consumer, Offset, PollLimits, TopicPartition};
use stub_broker::{Log, StubBroker};

const PARTITIONS: i32 = 64;

/// `kfetch.memory.max.bytes` as it is by default.
const BUDGET_KIB: u64 = 64 << 10;

/// What the engine may have beside the budget: unused blocks, stacks, code that was paged in.
const BESIDE_KIB: u64 = 32 << 10;

/// Where the child finds the broker of its parent.
const ADDRESS: &str = "KFETCH_MEMORY_BROKER";

const SOON: Duration = Duration::from_secs(20);

/// Kibibytes in a line of this process's status.
fn status_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until the resident memory grows no more; returns its peak so far.
fn wait_until_full() -> u64 {
    loop {
        let before = status_kib("VmHWM");
        std::thread::park_timeout(Duration::from_millis(700));
        let now = status_kib("VmHWM");
        if now == before {
            return now;
        }
    }
}

fn stop_polling(address: &str) {
    let config = Config::new().with("bootstrap.servers", address).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let before = status_kib("VmRSS");
    let assigned: Vec<_> = (0..PARTITIONS)
        .map(|number| (TopicPartition::new("endless", number), Offset::At(0)))
        .collect();
    consumer.assign_at(&assigned).unwrap();
    let limits = PollLimits { max_records: 10_000, max_bytes: usize::MAX };
    for round in 0..4 {
        let grown = wait_until_full().saturating_sub(before);
        println!("round {round}: {grown} KiB above {before} KiB");
        assert!(grown >= BUDGET_KIB / 2, "the backlog was not fetched: {grown} KiB");
        assert!(grown <= BUDGET_KIB + BESIDE_KIB, "{grown} KiB");
        // Then it polls for a while, fast, and stops again.
        for _ in 0..50 {
            assert!(consumer.poll_with(SOON, limits).unwrap().is_some(), "a stall");
        }
    }
}

#[test]
fn an_application_that_stops_polling_costs_the_budget_and_little_more() {
    if let Ok(address) = std::env::var(ADDRESS) {
        return stop_polling(&address);
    }
    let batch = batches::batch(0, 60, &[7; 1000], Codec::None);
    let batch_records = BatchHeader::parse(&batch).unwrap().next_offset();
    let batches = i64::from(i32::MAX);
    let log = Log { batch, batch_records, batches, partitions: PARTITIONS, answer_bytes: 50 << 20 };
    let broker = StubBroker::start(log).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--exact"])
        .arg("an_application_that_stops_polling_costs_the_budget_and_little_more")
        .env(ADDRESS, broker.address().to_string())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    print!("{output}");
    assert!(child.status.success(), "{output}{}", String::from_utf8_lossy(&child.stderr));
}
