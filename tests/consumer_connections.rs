//! Connections as a consumer makes, loses and closes them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "a consumer runs in real time")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::protocol::ApiKey;
use kfetch::{Config, Consumer, Offset, TopicPartition};

use batches::log;
use scripted_broker::{Deed, Logs, ScriptedBroker, TOPIC};

const SOON: Duration = Duration::from_secs(10);

/// How often each kind of request came, and on which connections.
type Asked = Arc<Mutex<BTreeMap<&'static str, Vec<usize>>>>;

fn broker(logs: Logs) -> (ScriptedBroker, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let broker = ScriptedBroker::start(logs, move |asked, answer| {
        let kind = match asked.api_key {
            ApiKey::Fetch => "Fetch",
            ApiKey::ListOffsets => "ListOffsets",
            ApiKey::Metadata => "Metadata",
            _ => "other",
        };
        seen.lock().unwrap().entry(kind).or_default().push(asked.connection);
        Deed::Send(answer)
    });
    (broker, asked)
}

fn consumer(servers: &str, settings: &[(&str, &str)]) -> Consumer {
    let mut config = Config::new().with("bootstrap.servers", servers).unwrap();
    for (name, value) in settings {
        config = config.with(name, value).unwrap();
    }
    Consumer::new(&config).unwrap()
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, number)
}

fn read(consumer: &mut Consumer, count: usize) {
    let mut left = count;
    while left > 0 {
        left -= consumer.poll(SOON).unwrap().unwrap().len();
    }
}

#[test]
fn servers_that_refuse_or_say_nothing_do_not_keep_the_others_from_answering() {
    let (broker, _) = broker(vec![log(1, 10, &[7; 100])]);
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address, silent)).unwrap();
    let began = Instant::now();
    // The first to be asked is drawn by lot.
    for _ in 0..8 {
        let servers = format!("{refusing},{},{}", silent.0, broker.address);
        let mut consumer = consumer(&servers, &[]);
        consumer.assign_at(&[(partition(0), Offset::Beginning)]).unwrap();
        read(&mut consumer, 10);
        consumer.close(SOON).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn idle_connections_are_closed_and_opened_again() {
    let (broker, asked) = broker(vec![log(1, 10, &[7; 100])]);
    let settings = [("connections.max.idle.ms", "100")];
    let mut consumer = consumer(&broker.address.to_string(), &settings);
    consumer.end_offsets(&[partition(0)], SOON).unwrap();
    consumer.assign_at(&[(partition(0), Offset::Beginning)]).unwrap();
    read(&mut consumer, 10);
    consumer.pause(&[partition(0)]).unwrap();
    // A waiting Fetch has to end first.
    std::thread::park_timeout(Duration::from_millis(1000));
    assert!(consumer.stats().connections_lost >= 1, "{:?}", consumer.stats());
    assert_eq!(consumer.end_offsets(&[partition(0)], SOON).unwrap(), [Ok(10)]);
    consumer.seek(&partition(0), Offset::At(5)).unwrap();
    consumer.resume(&[partition(0)]).unwrap();
    read(&mut consumer, 5);
    let asked = asked.lock().unwrap();
    let distinct = |kind| {
        let mut connections: Vec<usize> = asked[kind].clone();
        connections.dedup();
        connections.len()
    };
    assert_eq!((distinct("ListOffsets"), distinct("Fetch")), (2, 2), "{asked:?}");
}

#[test]
fn a_request_that_is_not_answered_is_sent_again_on_another_connection() {
    let is_first = AtomicBool::new(true);
    let broker =
        ScriptedBroker::start(vec![log(1, 10, &[7; 100])], move |asked, answer| {
            match asked.api_key == ApiKey::Fetch && is_first.swap(false, Ordering::Relaxed) {
                true => Deed::Silence,
                false => Deed::Send(answer),
            }
        });
    let settings = [("request.timeout.ms", "300"), ("fetch.max.wait.ms", "100")];
    let mut consumer = consumer(&broker.address.to_string(), &settings);
    consumer.assign_at(&[(partition(0), Offset::Beginning)]).unwrap();
    let began = Instant::now();
    read(&mut consumer, 10);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(consumer.stats().connections_lost, 1);
}

#[test]
fn ten_thousand_partitions_take_one_look_up() {
    const COUNT: i32 = 10_000;
    let (broker, asked) = broker(vec![log(1, 2, &[7; 10]); COUNT as usize]);
    let settings = [("auto.offset.reset", "earliest"), ("max.poll.records", "100000")];
    let mut consumer = consumer(&broker.address.to_string(), &settings);
    let all: Vec<_> = (0..COUNT).map(partition).collect();
    let ends = consumer.end_offsets(&all, SOON).unwrap();
    assert!(ends.iter().all(|end| *end == Ok(2)));
    assert_eq!(asked.lock().unwrap()["ListOffsets"].len(), 1);
    consumer.assign(&all).unwrap();
    read(&mut consumer, 2 * all.len());
    assert_eq!(asked.lock().unwrap()["ListOffsets"].len(), 2);
    assert!(all.iter().all(|partition| consumer.lag(partition) == Some(0)));
    let seeks: Vec<_> =
        all.iter().map(|partition| (partition.clone(), Offset::Beginning)).collect();
    consumer.seek_many(&seeks).unwrap();
    read(&mut consumer, 2 * all.len());
    consumer.unassign().unwrap();
    consumer.close(SOON).unwrap();
}
