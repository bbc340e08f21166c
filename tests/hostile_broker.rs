//! Peers that are no broker, or a bad one: a whole consumer over TCP gets a clear error in time,
//! goes on where it can, and takes no memory that a length field asks for.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "a consumer runs in real time")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/global_count.rs"]
mod global_count;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kfetch::protocol::ApiKey;
use kfetch::record::Codec;
use kfetch::{
    Config, Consumer, Engine, Error, ErrorKind, EventKind, Logger, Offset, TopicPartition,
};

use batches::{batch, log};
use global_count::peak_of;
use scripted_broker::{Deed, Logs, ScriptedBroker, TOPIC, foreign_peer};

/// What a call may take beyond its own timeout.
const GRACE: Duration = Duration::from_millis(500);

/// More than any recovery takes, and far less than the request timeout.
const SOON: Duration = Duration::from_secs(5);

/// Memory is counted over the whole process, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn engine() -> Engine {
    Engine::with_logger(Logger::new(|_, _, _| {})).unwrap()
}

fn consumer_with(engine: &Engine, address: SocketAddr, settings: &[(&str, &str)]) -> Consumer {
    let mut config = Config::new()
        .with("bootstrap.servers", &address.to_string())
        .unwrap()
        .with("auto.offset.reset", "earliest")
        .unwrap();
    let fast = [
        ("reconnect.backoff.ms", "1"),
        ("reconnect.backoff.max.ms", "20"),
        ("retry.backoff.ms", "1"),
        ("retry.backoff.max.ms", "20"),
        ("fetch.max.wait.ms", "100"),
    ];
    for (name, value) in fast.iter().chain(settings) {
        config = config.with(name, value).unwrap();
    }
    Consumer::with_engine(engine, config.consumer().unwrap()).unwrap()
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, number)
}

/// Asks for metadata in vain; returns what the error says.
fn complaint(address: SocketAddr, settings: &[(&str, &str)]) -> String {
    let timeout = Duration::from_millis(600);
    let mut consumer = consumer_with(&engine(), address, settings);
    let start = Instant::now();
    let error = consumer.partitions_for(TOPIC, timeout).unwrap_err();
    assert!(start.elapsed() < timeout + GRACE, "after {:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Timeout);
    consumer.assign(&[partition(0)]).unwrap();
    let start = Instant::now();
    assert!(consumer.poll(Duration::from_millis(50)).unwrap().is_none());
    assert!(start.elapsed() < GRACE);
    consumer.close(SOON).unwrap();
    let text = error.to_string();
    assert!(text.contains(&address.to_string()), "{text}");
    text
}

/// Polls until `count` records have come; returns the events that came with them.
fn read(consumer: &mut Consumer, count: usize) -> Vec<EventKind> {
    let deadline = Instant::now() + SOON;
    let (mut records, mut events) = (0, Vec::new());
    while records < count {
        assert!(Instant::now() < deadline, "{records} of {count} records, {events:?}");
        if let Some(polled) = consumer.poll(Duration::from_millis(200)).unwrap() {
            records += polled.len();
            events.extend(polled.events().iter().map(|event| event.kind().clone()));
        }
    }
    assert_eq!(records, count);
    events
}

/// Polls until a partition fails; returns the error and whether it is sticky.
fn failure(consumer: &mut Consumer) -> (Error, bool) {
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "no partition failed");
        let polled = consumer.poll(Duration::from_millis(200)).unwrap();
        for event in polled.iter().flat_map(|polled| polled.events()) {
            if let EventKind::Failed { error, sticky } = event.kind() {
                return (error.clone(), *sticky);
            }
        }
    }
}

#[test]
fn a_peer_that_is_no_broker_is_named_for_what_it_is() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let setup = [("socket.connection.setup.timeout.ms", "300")];
    let cases: [(&'static [u8], bool, &str); 10] = [
        (b"", false, "did not say which versions it speaks"),
        (b"", true, "is this another protocol's port?"),
        (b"\x15\x03\x03\x00\x02\x02\x46", true, "a TLS alert, is this a TLS port?"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", true, "this is an HTTP server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", false, "this is an SSH server"),
        (b"\xff\xff\xff\xff", false, "sent an answer of -1 bytes"),
        (b"\x00\x00\x00\x00", false, "sent an answer of 0 bytes"),
        (b"\x00\x00\x00\x03\x00", false, "sent an answer of 3 bytes"),
        (b"\x7f\xff\xff\xff", false, "announced an answer of 2147483647 bytes"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x09", false, "answered request 9 when 0 was due"),
    ];
    for (bytes, closes, expected) in cases {
        let text = complaint(foreign_peer(bytes, closes), &setup);
        assert!(text.contains(expected), "{bytes:?}: {text}");
    }
}

#[test]
fn a_closed_port_is_told_as_such() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = complaint(address, &[]);
    assert!(text.contains("refused"), "{text}");
}

/// The peer announces almost 100 MiB, which is allowed, and sends nothing of it.
#[test]
fn a_length_alone_takes_no_memory() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let address = foreign_peer(b"\x05\xf0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", false);
    let setup = [("socket.connection.setup.timeout.ms", "300")];
    let peak = peak_of(|| drop(complaint(address, &setup)));
    assert!(peak < 6 << 20, "{peak} bytes");
}

fn small_logs() -> Logs {
    vec![log(3, 2, b"value"), log(2, 1, b"other")]
}

/// The first answer of each API is cut at each byte and the connection closed in the same breath.
#[test]
fn an_answer_cut_at_any_byte_is_asked_for_again() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let engine = engine();
    for api_key in [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::ListOffsets, ApiKey::Fetch] {
        let mut cut = 0;
        loop {
            let is_first = AtomicBool::new(true);
            let was_whole = Arc::new(AtomicBool::new(false));
            let whole = Arc::clone(&was_whole);
            let broker = ScriptedBroker::start(small_logs(), move |asked, mut answer| {
                if asked.api_key != api_key || !is_first.swap(false, Ordering::Relaxed) {
                    return Deed::Send(answer);
                }
                whole.store(cut >= answer.len(), Ordering::Relaxed);
                answer.truncate(cut);
                Deed::SendAndClose(answer)
            });
            let mut consumer = consumer_with(&engine, broker.address, &[]);
            consumer.assign(&[partition(0), partition(1)]).unwrap();
            let start = Instant::now();
            assert!(read(&mut consumer, 8).is_empty());
            assert!(start.elapsed() < SOON, "{api_key:?} cut at {cut}: {:?}", start.elapsed());
            if was_whole.load(Ordering::Relaxed) {
                break;
            }
            cut += 1;
        }
        assert!(cut > 20);
    }
}

#[test]
fn unknown_topics_and_partitions_are_named() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let broker = ScriptedBroker::start(small_logs(), |_, answer| Deed::Send(answer));
    let mut consumer = consumer_with(&engine(), broker.address, &[]);
    let error = consumer.partitions_for("nowhere", SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    assert_eq!(error.topic(), Some("nowhere"));
    for unknown in [TopicPartition::new("nowhere", 0), partition(7)] {
        consumer.assign_at(&[(unknown.clone(), Offset::At(0))]).unwrap();
        let (error, sticky) = failure(&mut consumer);
        assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
        assert_eq!((error.topic(), error.partition()), (Some(&*unknown.topic), unknown.partition));
        assert!(!sticky, "it may yet be made");
        let answers = consumer.end_offsets(std::slice::from_ref(&unknown), SOON).unwrap();
        let error = answers[0].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    }
}

/// Only the first partition's second batch is damaged, for ever.
#[test]
fn a_corrupt_batch_stops_its_partition_alone_until_a_seek() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut logs = vec![log(4, 10, b"value"), log(50, 10, b"other")];
    *logs[0][1].last_mut().unwrap() ^= 0x10;
    let broker = ScriptedBroker::start(logs, |_, answer| Deed::Send(answer));
    let mut consumer = consumer_with(&engine(), broker.address, &[]);
    consumer.assign(&[partition(0), partition(1)]).unwrap();
    let (mut of_first, mut of_second, mut failures) = (0, 0, Vec::new());
    let deadline = Instant::now() + SOON;
    while of_second < 500 || failures.is_empty() {
        assert!(Instant::now() < deadline, "{of_first}, {of_second}, {failures:?}");
        let Some(polled) = consumer.poll(Duration::from_millis(200)).unwrap() else { continue };
        of_first += polled.iter().filter(|record| record.partition() == 0).count();
        of_second += polled.iter().filter(|record| record.partition() == 1).count();
        for event in polled.events() {
            if let EventKind::Failed { error, sticky: true } = event.kind() {
                failures.push(error.clone());
            }
        }
    }
    assert_eq!((of_first, failures.len()), (10, 1));
    let text = failures[0].to_string();
    assert_eq!(text, "stage-0 at offset 10: the batch's checksum differs from its content");
    assert_eq!(consumer.partition_error(&partition(0)).unwrap().offset(), 10);
    assert!(consumer.poll(Duration::from_millis(50)).unwrap().is_none(), "told once");
    consumer.seek(&partition(0), Offset::At(20)).unwrap();
    assert!(consumer.partition_error(&partition(0)).is_none());
    assert!(read(&mut consumer, 20).is_empty());
    consumer.seek(&partition(0), Offset::At(10)).unwrap();
    let (error, sticky) = failure(&mut consumer);
    assert_eq!((error.kind(), error.offset(), sticky), (ErrorKind::Corrupt, 10, true));
}

/// Each partition holds a batch that inflates to 16 times the cap, between two good ones.
#[test]
fn a_bomb_of_each_codec_costs_at_most_twice_the_cap() {
    const CAP: usize = 4 << 20;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let zeros = vec![0; 16 * CAP];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let good = |base| batch(base, 1, b"value", Codec::None);
        let logs = vec![vec![good(0), batch(1, 1, &zeros, codec), good(2)], vec![good(0)]];
        let broker = ScriptedBroker::start(logs, |_, answer| Deed::Send(answer));
        let cap = CAP.to_string();
        let settings = [("kfetch.batch.inflated.max.bytes", &*cap)];
        let mut consumer = consumer_with(&engine(), broker.address, &settings);
        let mut error = None;
        let peak = peak_of(|| {
            consumer.assign(&[partition(0), partition(1)]).unwrap();
            let (failed, sticky) = failure(&mut consumer);
            assert!(sticky);
            error = Some(failed);
        });
        let error = error.unwrap();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::BatchTooLarge, 1), "{codec:?}");
        assert!(error.to_string().contains("kfetch.batch.inflated.max.bytes=4194304"), "{error}");
        // The frames, twice in the broker and once received, are small beside the cap.
        assert!(peak < (2 * CAP + (3 << 20)).cast_signed(), "{codec:?}: {peak} bytes");
        consumer.seek(&partition(0), Offset::At(2)).unwrap();
        read(&mut consumer, 1);
    }
}
