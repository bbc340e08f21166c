//! Fetching never pauses while the broker has data and the budget has room: a test on the times of
//! requests and answers, not on speed.
//!
//! What resumes a fetch too late is a timer or a broker's long poll: hundreds of milliseconds. What
//! a busy machine adds must not count as that, so every pause is held to the larger of two bounds,
//! and the shortest of several to the smaller.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "a test of times reads the clock")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::protocol::ApiKey;
use kfetch::protocol::fetch::FetchRequest;
use kfetch::{Config, Consumer, Offset, TopicPartition};

use batches::log;
use scripted_broker::{Deed, Logs, ScriptedBroker, TOPIC};

/// No pause may be longer, on whatever machine.
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// One pause at least is shorter.
const PAUSE_SHORT: Duration = Duration::from_millis(5);

const SOON: Duration = Duration::from_secs(20);

/// When a Fetch came, which partitions it asked for, and when its answer was about to leave.
#[derive(Debug)]
struct Fetch {
    came: Instant,
    partitions: Vec<i32>,
}

type Fetches = Arc<Mutex<Vec<Fetch>>>;

fn broker(logs: Logs) -> (ScriptedBroker, Fetches, Fetches) {
    let (asked, answered) = (Fetches::default(), Fetches::default());
    let (to_ask, to_answer) = (Arc::clone(&asked), Arc::clone(&answered));
    let note = |fetches: &Fetches, asked: &scripted_broker::Asked| {
        if asked.api_key == ApiKey::Fetch {
            let request = FetchRequest::decode(&asked.body, asked.version).unwrap();
            let parts = request.topics.iter().flat_map(|topic| &topic.partitions);
            let partitions = parts.map(|part| part.partition).collect();
            fetches.lock().unwrap().push(Fetch { came: Instant::now(), partitions });
        }
    };
    let broker = ScriptedBroker::start_with(
        logs,
        move |request| note(&to_ask, request),
        move |request, answer| {
            note(&to_answer, request);
            Deed::Send(answer)
        },
    );
    (broker, asked, answered)
}

fn consumer(broker: &ScriptedBroker, partitions: i32, more: &[(&str, &str)]) -> Consumer {
    let mut config = Config::new().with("bootstrap.servers", &broker.address.to_string()).unwrap();
    for (name, value) in more {
        config = config.with(name, value).unwrap();
    }
    let mut consumer = Consumer::new(&config).unwrap();
    let assigned: Vec<_> =
        (0..partitions).map(|number| (TopicPartition::new(TOPIC, number), Offset::At(0))).collect();
    consumer.assign_at(&assigned).unwrap();
    consumer
}

/// Waits until no Fetch has come for a while: the engine has no room, or nothing to ask for.
fn wait_for_silence(fetches: &Fetches) -> usize {
    loop {
        let before = fetches.lock().unwrap().len();
        std::thread::park_timeout(Duration::from_millis(250));
        if fetches.lock().unwrap().len() == before {
            return before;
        }
    }
}

/// Returns the times between an answer and the next question, where nothing else was asked.
fn pauses(asked: &Fetches, answered: &Fetches) -> Vec<Duration> {
    let (asked, answered) = (asked.lock().unwrap(), answered.lock().unwrap());
    let mut pauses = Vec::new();
    for answer in answered.iter() {
        let open = asked.iter().filter(|fetch| fetch.came <= answer.came).count()
            - answered.iter().filter(|other| other.came <= answer.came).count();
        let next = asked.iter().find(|fetch| fetch.came > answer.came);
        if let (0, Some(next)) = (open, next) {
            pauses.push(next.came - answer.came);
        }
    }
    pauses.sort();
    pauses
}

fn hold_to_bounds(what: &str, pauses: &[Duration]) {
    assert!(pauses.len() >= 5, "{what}: {pauses:?}");
    let (usual, longest) = (pauses[pauses.len() / 2], *pauses.last().unwrap());
    println!("{what}: {} pauses, usual {usual:?}, longest {longest:?}", pauses.len());
    assert!(longest <= PAUSE_MAX, "{what}: a pause of {longest:?}");
}

/// The application takes what comes: there is always room.
#[test]
fn a_fast_application_is_fed_without_a_pause() {
    let logs = vec![log(600, 60, &[7; 1000]); 2];
    let (broker, asked, answered) = broker(logs);
    let mut consumer = consumer(&broker, 2, &[]);
    let mut left = 2 * 600 * 60;
    while left > 0 {
        left -= consumer.poll(SOON).unwrap().expect("a stall").len();
    }
    hold_to_bounds("fast", &pauses(&asked, &answered));
}

/// The application sleeps until there is no room, then makes some: the next Fetch follows from
/// that alone, although the broker would sit on any other for long.
#[test]
fn a_slow_application_resumes_the_fetch_by_what_it_reads() {
    let logs = vec![log(1500, 60, &[7; 1000])];
    let (broker, asked, _) = broker(logs);
    let settings = [("fetch.max.wait.ms", "5000"), ("kfetch.memory.max.bytes", "8388608")];
    let mut consumer = consumer(&broker, 1, &settings);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let before = wait_for_silence(&asked);
        let mut freed = 0;
        while freed < 4 << 20 {
            freed += consumer.poll(SOON).unwrap().expect("a stall").len() * 1000;
        }
        let start = Instant::now();
        while asked.lock().unwrap().len() == before {
            assert!(start.elapsed() < SOON, "no Fetch after half of the budget came back");
            std::thread::park_timeout(Duration::from_micros(200));
        }
        pauses.push(asked.lock().unwrap()[before].came.saturating_duration_since(start));
    }
    pauses.sort();
    hold_to_bounds("slow", &pauses);
    assert!(pauses[0] <= PAUSE_SHORT, "{pauses:?}");
}

/// One partition's ring is full, and the broker sits on a Fetch for 99 idle ones. When the
/// application reads, the partition's Fetch leaves at once, beside the one that waits.
#[test]
fn a_partition_that_has_room_again_does_not_wait_for_idle_ones() {
    let mut logs = vec![Vec::new(); 100];
    logs[0] = log(1500, 60, &[7; 1000]);
    let (broker, asked, _) = broker(logs);
    let settings = [
        ("fetch.max.wait.ms", "5000"),
        // Each answer is a slot or two of the ring, which has 16.
        ("max.partition.fetch.bytes", "131072"),
    ];
    let mut consumer = consumer(&broker, 100, &settings);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let before = wait_for_silence(&asked);
        let idle =
            asked.lock().unwrap().iter().filter(|fetch| fetch.partitions.len() >= 99).count();
        assert!(idle > 0, "the broker waits for the idle ones");
        let start = Instant::now();
        for _ in 0..3 {
            consumer.poll(SOON).unwrap().expect("a stall");
        }
        loop {
            while consumer.poll(Duration::ZERO).unwrap().is_some() {}
            let fetches = asked.lock().unwrap();
            let resumed = fetches[before..].iter().find(|fetch| fetch.partitions.contains(&0));
            if let Some(fetch) = resumed {
                pauses.push(fetch.came.saturating_duration_since(start));
                break;
            }
            assert!(start.elapsed() < SOON, "partition 0 is not asked for");
        }
    }
    pauses.sort();
    hold_to_bounds("one beside 99", &pauses);
}
