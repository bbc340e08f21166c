//! Partitions take turns, also where the application is slower than the fetch.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::time::Duration;

use kfetch::{Config, Consumer, Offset, TopicPartition};

use batches::log;
use scripted_broker::{Deed, ScriptedBroker, TOPIC};

const SOON: Duration = Duration::from_secs(10);

/// A partition whose ring is refilled before it is empty would else be served for ever.
#[test]
fn a_partition_that_always_has_data_does_not_hold_the_others_up() {
    let broker =
        ScriptedBroker::start(vec![log(2000, 10, &[7; 1000]); 2], |_, answer| Deed::Send(answer));
    let config = Config::new()
        .with("bootstrap.servers", &broker.address.to_string())
        .and_then(|config| config.with("kfetch.memory.max.bytes", "4194304"))
        .and_then(|config| config.with("max.partition.fetch.bytes", "100000"))
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    let partitions: Vec<_> =
        (0..2).map(|n| (TopicPartition::new(TOPIC, n), Offset::Beginning)).collect();
    consumer.assign_at(&partitions).unwrap();
    let mut read = [0_usize; 2];
    while read[0] + read[1] < 20_000 {
        let records = consumer.poll(SOON).unwrap().unwrap();
        for record in &records {
            read[usize::try_from(record.partition()).unwrap()] += 1;
        }
        // The engine gets time to fill the rings again.
        std::thread::park_timeout(Duration::from_millis(2));
    }
    assert!(read.iter().all(|count| *count > 5000), "{read:?} of 20,000 records");
}
