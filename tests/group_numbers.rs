//! Numbers that members of groups are held to.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::expect_used, reason = "as above")]
#![allow(clippy::disallowed_methods, reason = "consumers run in real time")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::protocol::ApiKey;
use kfetch::{
    Config, Consumer, Engine, LogWriter, LogWriterOptions, RebalanceListener, TopicPartition,
};
use scripted_broker::{Deed, ScriptedBroker, TOPIC};
use temp_dir::TempDir;

/// How long the callback of the first test blocks.
const BLOCKED: Duration = Duration::from_secs(10);

/// `heartbeat.interval.ms` there.
const INTERVAL: Duration = Duration::from_millis(300);

/// Consumers of one engine in one group.
const CONSUMERS: usize = 1000;

struct Blocks;

impl RebalanceListener for Blocks {
    fn assigned(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        if !partitions.is_empty() {
            std::thread::sleep(BLOCKED);
        }
    }
}

#[test]
fn heartbeats_go_on_while_a_callback_blocks() {
    let beats: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&beats);
    let notice = move |asked: &scripted_broker::Asked| {
        if matches!(asked.api_key, ApiKey::SyncGroup | ApiKey::Heartbeat) {
            seen.lock().unwrap().push(Instant::now());
        }
    };
    let log = batches::log(1, 10, b"value");
    let broker = ScriptedBroker::start_with(vec![log], notice, |_, answer| Deed::Send(answer));
    let config = Config::new()
        .with("bootstrap.servers", &broker.address.to_string())
        .and_then(|config| config.with("group.id", "blocked"))
        .and_then(|config| config.with("auto.offset.reset", "earliest"))
        .and_then(|config| config.with("session.timeout.ms", "6000"))
        .and_then(|config| config.with("heartbeat.interval.ms", "300"))
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    consumer.set_rebalance_listener(Some(Box::new(Blocks))).unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    let begun = Instant::now();
    while consumer.poll(Duration::from_secs(1)).unwrap().is_none() {
        assert!(begun.elapsed() < 3 * BLOCKED, "no record after the callback");
    }
    assert!(begun.elapsed() >= BLOCKED);
    let beats = beats.lock().unwrap();
    assert!(beats.len() >= 30, "{}", beats.len());
    let longest = beats.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    println!("the longest gap between {} heartbeats was {longest:?}", beats.len());
    assert!(longest <= INTERVAL + Duration::from_millis(100), "{longest:?}");
}

fn threads() -> BTreeSet<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
    let names = tasks.filter_map(|task| name(task.unwrap()).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("kfetch")).collect()
}

#[test]
fn a_thousand_consumers_of_one_engine_share_a_group() {
    let dir = TempDir::new("thousand");
    for partition in 0..i32::try_from(CONSUMERS).unwrap() {
        let options = LogWriterOptions::default();
        LogWriter::open(dir.path(), "wide", partition, options).unwrap().close().unwrap();
    }
    let engine = Engine::new().unwrap();
    let config = Config::new()
        .with("log.dirs", dir.path().to_str().unwrap())
        .and_then(|config| config.with("group.id", "thousand"))
        .and_then(|config| config.with("group.initial.rebalance.delay.ms", "3000"))
        .and_then(|config| config.with("partition.assignment.strategy", "roundrobin"))
        .unwrap();
    let begun = Instant::now();
    let new = |_| {
        let mut consumer = Consumer::with_engine(&engine, config.consumer().unwrap()).unwrap();
        consumer.subscribe(&["wide"]).unwrap();
        consumer
    };
    let mut consumers: Vec<Consumer> = (0..CONSUMERS).map(new).collect();
    while !consumers.iter().all(|consumer| consumer.assignment().len() == 1) {
        assert!(begun.elapsed() < Duration::from_secs(120), "they share in time");
        for consumer in &mut consumers {
            consumer.poll(Duration::ZERO).unwrap();
        }
    }
    println!("{CONSUMERS} consumers own a partition each after {:?}", begun.elapsed());
    let expected = ["kfetch", "kfetch-files", "kfetch-groups"].map(str::to_owned);
    assert!(threads().is_subset(&expected.into()), "{:?}", threads());
    let owned: BTreeSet<i32> =
        consumers.iter().map(|consumer| consumer.assignment()[0].partition).collect();
    assert_eq!(owned.len(), CONSUMERS, "each partition has one owner");
}

/// Returns the CPU time of the whole process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time and nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "a process has a clock");
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Run in a process of its own, since others of these tests use the CPU.
#[test]
fn intervals_of_zero_do_not_keep_an_idle_member_busy() {
    const ALONE: &str = "KFETCH_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut own = std::process::Command::new(std::env::current_exe().unwrap());
        own.args(["--exact", "intervals_of_zero_do_not_keep_an_idle_member_busy"]);
        assert!(own.env(ALONE, "1").status().unwrap().success());
        return;
    }
    let dir = TempDir::new("zero");
    let options = LogWriterOptions::default();
    LogWriter::open(dir.path(), "quiet", 0, options).unwrap().close().unwrap();
    let mut config = Config::new();
    for (name, value) in [
        ("log.dirs", dir.path().to_str().unwrap()),
        ("group.id", "zero"),
        ("auto.commit.interval.ms", "0"),
        ("metadata.max.age.ms", "0"),
        ("retry.backoff.ms", "0"),
        ("retry.backoff.max.ms", "0"),
    ] {
        config.set(name, value).unwrap();
    }
    let mut consumer = Consumer::new(&config).unwrap();
    // As the leader it looks for the topic that is missing.
    consumer.subscribe(&["quiet", "missing"]).unwrap();
    let begun = Instant::now();
    while consumer.assignment().is_empty() {
        assert!(begun.elapsed() < BLOCKED, "no partition");
        consumer.poll(Duration::from_millis(100)).unwrap();
    }
    let before = cpu_time();
    assert!(consumer.poll(Duration::from_secs(2)).unwrap().is_none());
    let used = cpu_time() - before;
    println!("two idle seconds took {used:?} of CPU");
    assert!(used < Duration::from_millis(200), "{used:?}");
}
