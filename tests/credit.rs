//! Memory is paced by bytes: each rule of the budget, seen from a consumer over TCP.
//!
//! That no more than one batch is ever overdrawn is checked after every step of
//! `fetch_simulation`; that a small slice is copied out of its block, beside the code.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "a consumer runs in real time")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::protocol::ApiKey;
use kfetch::protocol::fetch::FetchRequest;
use kfetch::record::Codec;
use kfetch::{
    Config, Consumer, Engine, ErrorKind, Logger, Offset, PollLimits, Records, TopicPartition,
};

use batches::{batch, log};
use scripted_broker::{Deed, Logs, ScriptedBroker, TOPIC};

const MIB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(10);
const NO_LIMIT: PollLimits = PollLimits { max_records: 1 << 20, max_bytes: usize::MAX };

/// A partition of a Fetch: its number and the offset asked for.
type Part = (i32, i64);

/// How many bytes a Fetch asked for at most, and of what.
type Fetch = (i32, Vec<Part>);

/// The Fetches that a broker got, and what the engine complained of.
#[derive(Clone, Debug, Default)]
struct Seen {
    fetches: Arc<Mutex<Vec<Fetch>>>,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Seen {
    fn broker(&self, logs: Logs) -> ScriptedBroker {
        let seen = self.clone();
        ScriptedBroker::start(logs, move |asked, answer| {
            if asked.api_key == ApiKey::Fetch {
                let request = FetchRequest::decode(&asked.body, asked.version).unwrap();
                let parts = request.topics.iter().flat_map(|topic| &topic.partitions);
                let parts = parts.map(|part| (part.partition, part.fetch_offset)).collect();
                seen.fetches.lock().unwrap().push((request.max_bytes, parts));
            }
            Deed::Send(answer)
        })
    }

    fn engine(&self) -> Engine {
        let complaints = Arc::clone(&self.complaints);
        let take = move |_, _: &str, text: &str| complaints.lock().unwrap().push(text.to_owned());
        Engine::with_logger(Logger::new(take)).unwrap()
    }
}

fn consumer(
    engine: &Engine,
    broker: &ScriptedBroker,
    budget: usize,
    more: &[(&str, &str)],
) -> Consumer {
    let budget = budget.to_string();
    let mut config = Config::new().with("bootstrap.servers", &broker.address.to_string()).unwrap();
    let settings = [("kfetch.memory.max.bytes", &*budget), ("auto.offset.reset", "earliest")];
    for (name, value) in settings.iter().chain(more) {
        config = config.with(name, value).unwrap();
    }
    Consumer::with_engine(engine, config.consumer().unwrap()).unwrap()
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, number)
}

/// Reads `count` records without holding any, and holds them to be each partition's next ones.
fn read_in_order(consumer: &mut Consumer, count: usize, next: &mut [i64]) {
    let deadline = Instant::now() + SOON;
    let mut left = count;
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} of {count} records are missing, at {next:?}");
        let limits = PollLimits { max_records: left, max_bytes: usize::MAX };
        let Some(records) = consumer.poll_with(SOON, limits).unwrap() else { continue };
        for record in &records {
            let next = &mut next[usize::try_from(record.partition()).unwrap()];
            assert_eq!(record.offset(), *next);
            *next += 1;
        }
        left -= records.len();
    }
}

/// Lets the engine fetch until it has no credit or nothing left: its Fetches stop.
fn let_prefetch(seen: &Seen) {
    let mut before = usize::MAX;
    loop {
        std::thread::park_timeout(Duration::from_millis(150));
        let now = seen.fetches.lock().unwrap().len();
        if now == before {
            return;
        }
        before = now;
    }
}

/// Rule 1: a budget belongs to one consumer.
#[test]
fn a_consumer_that_stops_polling_starves_no_other() {
    let seen = Seen::default();
    let broker = seen.broker(vec![log(400, 10, &[7; 1000]); 2]);
    let engine = seen.engine();
    let mut stopped = consumer(&engine, &broker, MIB, &[]);
    stopped.assign(&[partition(0)]).unwrap();
    let_prefetch(&seen);
    let mut reader = consumer(&engine, &broker, MIB, &[]);
    reader.assign(&[partition(1)]).unwrap();
    read_in_order(&mut reader, 4000, &mut [0, 0]);
    read_in_order(&mut stopped, 4000, &mut [0, 0]);
}

/// Rule 2: a Fetch asks for no more than is free.
#[test]
fn a_fetch_asks_for_no_more_than_the_budget_has_free() {
    let seen = Seen::default();
    let broker = seen.broker(vec![log(400, 10, &[7; 1000])]);
    let mut consumer = consumer(&seen.engine(), &broker, 2 * MIB, &[]);
    consumer.assign(&[partition(0)]).unwrap();
    let_prefetch(&seen);
    let asked: Vec<i32> = seen.fetches.lock().unwrap().iter().map(|fetch| fetch.0).collect();
    assert!(asked.len() > 1);
    assert!(asked.iter().all(|bytes| *bytes <= i32::try_from(2 * MIB).unwrap()), "{asked:?}");
    let last = *asked.last().unwrap();
    assert!(last <= i32::try_from(MIB).unwrap(), "much was held when it left: {asked:?}");
    read_in_order(&mut consumer, 4000, &mut [0]);
}

/// Rule 2: brokers fill in order, so the order rotates.
#[test]
fn partitions_take_turns_at_being_filled() {
    let seen = Seen::default();
    // The model broker gives each partition at least a batch, so only the first place counts.
    let broker = seen.broker(vec![log(60, 10, &[7; 100]); 3]);
    let settings = [("fetch.max.bytes", "4096"), ("max.partition.fetch.bytes", "4096")];
    let mut consumer = consumer(&seen.engine(), &broker, MIB, &settings);
    consumer.assign(&[partition(0), partition(1), partition(2)]).unwrap();
    let mut next = [0; 3];
    read_in_order(&mut consumer, 900, &mut next);
    let least = next.iter().min().unwrap();
    assert!(*least >= 200, "{next:?}");
}

/// Rule 3: an answer that nobody has credit for is not late.
///
/// The answer takes longer than the request timeout, and as long as that timeout nobody reads it.
#[test]
fn a_request_does_not_age_while_its_answer_cannot_be_read() {
    let seen = Seen::default();
    let is_first = AtomicBool::new(true);
    // Every answer has a batch of each partition, together far more than the budget.
    let logs = vec![log(4, 4, &[7; 100_000]); 8];
    let broker = ScriptedBroker::start(logs, move |asked, answer| {
        if asked.api_key == ApiKey::Fetch && is_first.swap(false, Ordering::Relaxed) {
            return Deed::SendSlowly(answer, 5 * MIB / 2, Duration::from_millis(2600));
        }
        Deed::Send(answer)
    });
    let settings = [("request.timeout.ms", "1500"), ("fetch.max.wait.ms", "100")];
    let mut consumer = consumer(&seen.engine(), &broker, MIB, &settings);
    let partitions: Vec<_> = (0..8).map(|number| (partition(number), Offset::At(0))).collect();
    consumer.assign_at(&partitions).unwrap();
    std::thread::park_timeout(Duration::from_millis(2000));
    read_in_order(&mut consumer, 8 * 16, &mut [0; 8]);
    let complaints = seen.complaints.lock().unwrap();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Rule 4: what inflates to more than the budget is delivered all the same, one at a time.
#[test]
fn the_batch_at_the_head_is_inflated_whatever_the_budget() {
    let seen = Seen::default();
    let large = batch(0, 1, &vec![7; 3 * MIB], Codec::Lz4);
    let broker = seen.broker(vec![vec![large]; 3]);
    let mut consumer = consumer(&seen.engine(), &broker, MIB, &[]);
    let partitions: Vec<_> = (0..3).map(|number| (partition(number), Offset::At(0))).collect();
    consumer.assign_at(&partitions).unwrap();
    let_prefetch(&seen);
    for _ in 0..3 {
        let records = consumer.poll(SOON).unwrap().unwrap();
        assert_eq!(records.len(), 1, "a second one would double the overdraft");
        assert_eq!(records.get(0).unwrap().value().unwrap().len(), 3 * MIB);
    }
}

/// Rule 5: what a paused partition has fetched is kept as long as nobody needs its memory.
#[test]
fn what_a_paused_partition_has_is_not_fetched_again_while_there_is_credit() {
    let seen = Seen::default();
    let broker = seen.broker(vec![log(100, 10, &[7; 1000]), log(100, 10, &[7; 1000])]);
    let mut consumer = consumer(&seen.engine(), &broker, 16 * MIB, &[]);
    consumer.assign(&[partition(0)]).unwrap();
    let_prefetch(&seen);
    consumer.pause(&[partition(0)]).unwrap();
    consumer.incremental_assign(&[(partition(1), Offset::Beginning)]).unwrap();
    let mut next = [0, 0];
    read_in_order(&mut consumer, 1000, &mut next);
    consumer.resume(&[partition(0)]).unwrap();
    read_in_order(&mut consumer, 1000, &mut next);
    assert_eq!(next, [1000, 1000]);
    let fetches = seen.fetches.lock().unwrap();
    let starts = fetches.iter().flat_map(|(_, parts)| parts).filter(|part| **part == (0, 0));
    assert_eq!(starts.count(), 1);
}

/// Rule 5: else it is dropped and fetched again, and nothing is lost by that.
#[test]
fn what_a_paused_partition_hoards_is_dropped_for_others() {
    for start in [Offset::At(0), Offset::Beginning] {
        let seen = Seen::default();
        let broker = seen.broker(vec![log(400, 10, &[7; 1000]), log(400, 10, &[7; 1000])]);
        let mut consumer = consumer(&seen.engine(), &broker, MIB, &[]);
        consumer.assign_at(&[(partition(0), start)]).unwrap();
        let_prefetch(&seen);
        consumer.pause(&[partition(0)]).unwrap();
        consumer.incremental_assign(&[(partition(1), Offset::Beginning)]).unwrap();
        let mut next = [0, 0];
        read_in_order(&mut consumer, 4000, &mut next);
        assert_eq!(next, [0, 4000]);
        consumer.resume(&[partition(0)]).unwrap();
        read_in_order(&mut consumer, 4000, &mut next);
    }
}

/// Rule 6: an application that holds everything is told so, and how much it holds.
#[test]
fn an_application_that_holds_the_budget_is_told_at_once() {
    // In the last case one answer is larger than the budget and takes an overdraft to be read.
    let cases = [(1, 4000, 1, 1000), (1, 400, 10, 1000), (1, 30, 3, 100_000), (8, 4, 4, 100_000)];
    for (partitions, batches, count, value_bytes) in cases {
        let seen = Seen::default();
        let broker = seen.broker(vec![log(batches, count, &vec![7; value_bytes]); partitions]);
        let mut consumer = consumer(&seen.engine(), &broker, MIB, &[]);
        let numbers = 0..i32::try_from(partitions).unwrap();
        let assigned: Vec<_> = numbers.map(|number| (partition(number), Offset::At(0))).collect();
        consumer.assign_at(&assigned).unwrap();
        let mut held: Vec<Records> = Vec::new();
        let error = loop {
            let start = Instant::now();
            match consumer.poll_with(SOON, NO_LIMIT) {
                Ok(records) => held.push(records.expect("nothing came, and no word why")),
                Err(error) => {
                    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
                    break error;
                }
            }
        };
        assert_eq!(error.kind(), ErrorKind::BudgetHeld);
        assert!(error.is_retriable());
        let words: Vec<&str> = error.message().split(' ').collect();
        let bytes: usize =
            words[words.iter().position(|word| *word == "take").unwrap() + 1].parse().unwrap();
        assert!(bytes > MIB / 2 && bytes < 3 * MIB, "{error}");
        let mut next = vec![0; partitions];
        for record in held.iter().flatten() {
            next[usize::try_from(record.partition()).unwrap()] = record.offset() + 1;
        }
        let had: usize = held.iter().map(Records::len).sum();
        held.clear();
        let all = partitions * usize::try_from(batches).unwrap() * count;
        read_in_order(&mut consumer, all - had, &mut next);
    }
}
