//! The consumer's descriptor is readable whenever a poll would give something at once.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::time::Duration;

use kfetch::{Config, Consumer, Offset, PollLimits, TopicPartition};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use batches::log;
use scripted_broker::{Deed, ScriptedBroker, TOPIC};

const SOON: Duration = Duration::from_secs(10);

fn partition() -> TopicPartition {
    TopicPartition::new(TOPIC, 0)
}

fn consumer() -> Consumer {
    let broker = ScriptedBroker::start(vec![log(1, 10, &[7; 100])], |_, answer| Deed::Send(answer));
    let config = Config::new().with("bootstrap.servers", &broker.address.to_string()).unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    consumer.assign_at(&[(partition(), Offset::At(0))]).unwrap();
    consumer
}

fn is_readable(consumer: &Consumer, within: Duration) -> bool {
    let mut poll = Poll::new().unwrap();
    let fd = consumer.fd();
    poll.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE).unwrap();
    let mut events = Events::with_capacity(1);
    poll.poll(&mut events, Some(within)).unwrap();
    !events.is_empty()
}

#[test]
fn a_resumed_partition_that_kept_records_makes_it_readable() {
    let mut consumer = consumer();
    let one = PollLimits { max_records: 1, max_bytes: usize::MAX };
    assert!(consumer.poll_with(SOON, one).unwrap().is_some());
    consumer.pause(&[partition()]).unwrap();
    while consumer.poll(Duration::ZERO).unwrap().is_some() {}
    assert!(!is_readable(&consumer, Duration::ZERO));
    consumer.resume(&[partition()]).unwrap();
    assert!(is_readable(&consumer, Duration::ZERO));
    assert_eq!(consumer.poll(Duration::ZERO).unwrap().unwrap().len(), 9);
}

#[test]
fn a_call_that_waits_for_an_answer_does_not_swallow_the_records_that_come_meanwhile() {
    let mut consumer = consumer();
    assert!(consumer.poll(Duration::ZERO).unwrap().is_none());
    consumer.end_offsets(&[partition()], SOON).unwrap();
    assert!(is_readable(&consumer, SOON));
    assert!(consumer.poll(SOON).unwrap().is_some());
}
