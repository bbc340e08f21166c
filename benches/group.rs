//! What membership in a group costs a poll: the same topic read as a member and by hand.
//!
//! Both read one log directory to its end, in turns; the member's group is served by this process.
//! What counts is the polling thread's own CPU time, since the machine is shared: from the first
//! poll that brought records, so that joining is not in it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the bench")]
#![allow(clippy::cast_precision_loss, reason = "ratios")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kfetch::record::NewRecord;
use kfetch::{Config, Consumer, LogWriter, LogWriterOptions, TopicPartition};

const PARTITIONS: i32 = 4;
const VALUE_BYTES: usize = 100;
const BATCH_RECORDS: usize = 500;

/// Records of one partition, in a run as a bench and in the one run as a test.
const RECORDS: usize = 1_000_000;
const RECORDS_IN_TEST: usize = 20_000;

/// Turns from which the medians are taken.
const TURNS: usize = 9;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(300));
    targets = membership
}
criterion_main!(benches);

/// How the partitions are come by.
#[derive(Clone, Copy)]
enum How {
    Assign,
    Subscribe,
}

fn membership(criterion: &mut Criterion) {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let records = if is_bench { RECORDS } else { RECORDS_IN_TEST };
    let dir = directory(records);
    let mut group = criterion.benchmark_group("a poll's thread");
    let all = u64::try_from(records).unwrap() * u64::try_from(PARTITIONS).unwrap();
    group.throughput(Throughput::Elements(all));
    for (name, how) in [("by hand", How::Assign), ("as a member", How::Subscribe)] {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|turns| (0..turns).map(|_| read(&dir, records, how)).sum());
        });
    }
    group.finish();
    if is_bench {
        report(&dir, records);
    }
    fs::remove_dir_all(dir).unwrap();
}

/// Prints both medians and their ratio.
fn report(dir: &Path, records: usize) {
    let (mut by_hand, mut as_member) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        by_hand.push(read(dir, records, How::Assign));
        as_member.push(read(dir, records, How::Subscribe));
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[TURNS / 2].as_secs_f64() * 1e9 / (records as f64 * f64::from(PARTITIONS))
    };
    let (by_hand, as_member) = (median(&mut by_hand), median(&mut as_member));
    println!(
        "by hand {by_hand:.2} ns CPU/record, as a member {as_member:.2} ns: {:+.1} %",
        (as_member / by_hand - 1.0) * 100.0
    );
}

/// Reads the whole topic; returns the polling thread's CPU time behind the first records.
fn read(dir: &Path, records: usize, how: How) -> Duration {
    let config = Config::new()
        .with("log.dirs", dir.to_str().unwrap())
        .and_then(|config| config.with("group.id", "bench"))
        .and_then(|config| config.with("auto.offset.reset", "earliest"))
        .and_then(|config| config.with("enable.auto.commit", "false"))
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let partitions: Vec<_> = (0..PARTITIONS).map(|one| TopicPartition::new("topic", one)).collect();
    match how {
        How::Assign => consumer.assign(&partitions).unwrap(),
        How::Subscribe => consumer.subscribe(&["topic"]).unwrap(),
    }
    let all = records * usize::try_from(PARTITIONS).unwrap();
    let (mut count, mut begun) = (0, None);
    while count < all {
        let Some(polled) = consumer.poll(Duration::from_secs(10)).unwrap() else {
            panic!("{count} of {all} records in time")
        };
        count += polled.len();
        begun.get_or_insert_with(thread_cpu);
    }
    let took = thread_cpu() - begun.unwrap_or_default();
    assert_eq!(count, all);
    consumer.close(Duration::from_secs(10)).unwrap();
    took
}

/// Returns the CPU time of this thread.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time and nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "a thread has a clock");
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Makes a log directory with the topic.
fn directory(records: usize) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-group");
    drop(fs::remove_dir_all(&dir));
    fs::create_dir_all(&dir).unwrap();
    let value = vec![b'v'; VALUE_BYTES];
    let record = NewRecord { value: Some(&value), ..NewRecord::default() };
    let batch = vec![record; BATCH_RECORDS];
    for partition in 0..PARTITIONS {
        let options = LogWriterOptions::default();
        let mut writer = LogWriter::open(&dir, "topic", partition, options).unwrap();
        for _ in 0..records / BATCH_RECORDS {
            writer.append(&batch).unwrap();
        }
        writer.close().unwrap();
    }
    dir
}
