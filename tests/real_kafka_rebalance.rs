//! How long a rebalance takes on a real Apache Kafka, beside Java's consumers in the same set-up.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "consumers run in real time")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kfetch::{Config, Consumer};
use support::helper::helper;
use support::kafka::Cluster;

const PARTITIONS: usize = 300;
const TURNS: usize = 5;
const SOON: Duration = Duration::from_secs(60);

/// The settings of both; the heartbeats are by what the first two hear of the third.
const SETTINGS: [(&str, &str); 4] = [
    ("auto.offset.reset", "earliest"),
    ("heartbeat.interval.ms", "200"),
    ("session.timeout.ms", "10000"),
    ("enable.auto.commit", "false"),
];

fn settings(cluster: &Cluster, group: &str, strategy: &str) -> Vec<(String, String)> {
    let own = [
        ("bootstrap.servers", cluster.bootstrap()),
        ("group.id", group.to_owned()),
        ("partition.assignment.strategy", strategy.to_owned()),
    ];
    let common = SETTINGS.map(|(name, value)| (name, value.to_owned()));
    own.into_iter().chain(common).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a member's thread shares with the test.
#[derive(Default)]
struct Seen {
    owned: AtomicUsize,
    closes: AtomicBool,
}

fn consumer(settings: &[(String, String)]) -> Consumer {
    let mut config = Config::new();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    Consumer::new(&config).unwrap()
}

fn run(mut consumer: Consumer, seen: &Seen) {
    consumer.subscribe(&["wide"]).unwrap();
    while !seen.closes.load(Ordering::Relaxed) {
        consumer.poll(Duration::from_millis(5)).unwrap();
        seen.owned.store(consumer.assignment().len(), Ordering::Relaxed);
    }
    consumer.close(SOON).unwrap();
}

fn wait_until_each_owns(seen: &[Seen], count: usize) {
    let begun = Instant::now();
    while !seen.iter().all(|seen| seen.owned.load(Ordering::Relaxed) == count) {
        assert!(begun.elapsed() < SOON, "the members share in time");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Returns the time from the third member's subscription until each of the three owns its third.
fn time_kfetch(settings: &[(String, String)]) -> Duration {
    let seen: [Seen; 3] = Default::default();
    thread::scope(|scope| {
        let mut took = Duration::ZERO;
        for count in 1..=3 {
            let (consumer, own) = (consumer(settings), &seen[count - 1]);
            let begun = Instant::now();
            scope.spawn(move || run(consumer, own));
            wait_until_each_owns(&seen[..count], PARTITIONS / count);
            took = begun.elapsed();
        }
        seen.iter().for_each(|seen| seen.closes.store(true, Ordering::Relaxed));
        took
    })
}

fn time_java(settings: &[(String, String)]) -> Duration {
    let rows: Vec<Vec<String>> =
        settings.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
    let answer = helper().expect("time_rebalance", &["wide", &PARTITIONS.to_string()], &rows);
    Duration::from_nanos(answer[0][0].parse().unwrap())
}

#[test]
fn three_members_share_300_partitions_as_fast_as_javas() {
    let cluster = Cluster::shared();
    cluster.create_topic("wide", PARTITIONS, &[]);
    for (strategy, class) in
        [("range", "RangeAssignor"), ("cooperative-sticky", "CooperativeStickyAssignor")]
    {
        let class = format!("org.apache.kafka.clients.consumer.{class}");
        let (mut ours, mut javas) = (Vec::new(), Vec::new());
        for turn in 0..TURNS {
            let group = |who: &str| format!("{strategy}-{who}-{turn}");
            ours.push(time_kfetch(&settings(&cluster, &group("kfetch"), strategy)));
            javas.push(time_java(&settings(&cluster, &group("java"), &class)));
        }
        ours.sort();
        javas.sort();
        println!("{strategy}: kfetch {ours:.1?}, Java {javas:.1?}");
        let (ours, javas) = (ours[TURNS / 2], javas[TURNS / 2]);
        assert!(ours <= javas + javas / 10, "{strategy}: {ours:?} against Java's {javas:?}");
    }
}
