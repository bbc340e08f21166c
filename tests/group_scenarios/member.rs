//! A member under test: what it owns, what it was told, what it read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::{Config, Consumer, RebalanceListener, TopicPartition};

use super::{Place, SOON, STEP};

/// What a listener was told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Lost(Vec<i32>),
}

#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Told>>>);

impl RebalanceListener for Listener {
    fn assigned(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(Told::Assigned(numbers(partitions)));
    }

    fn revoked(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(Told::Revoked(numbers(partitions)));
    }

    fn lost(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(Told::Lost(numbers(partitions)));
    }
}

fn numbers(partitions: &[TopicPartition]) -> Vec<i32> {
    let numbers: BTreeSet<i32> = partitions.iter().map(|one| one.partition).collect();
    numbers.into_iter().collect()
}

/// A member.
pub(crate) struct Member {
    pub(crate) consumer: Consumer,
    pub(crate) values: Vec<String>,
    listener: Listener,
}

impl Member {
    /// Makes a consumer with a group, short heartbeats and the settings.
    pub(crate) fn new(place: &dyn Place, group: &str, settings: &[(&str, &str)]) -> Self {
        let mut config = Config::new()
            .with("group.id", group)
            .and_then(|config| config.with("auto.offset.reset", "earliest"))
            .and_then(|config| config.with("heartbeat.interval.ms", "100"))
            .and_then(|config| config.with("session.timeout.ms", "6000"))
            .unwrap();
        for (name, value) in place.settings() {
            config.set(&name, &value).unwrap();
        }
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        let mut consumer = Consumer::new(&config).unwrap();
        let listener = Listener::default();
        consumer.set_rebalance_listener(Some(Box::new(listener.clone()))).unwrap();
        Self { consumer, listener, values: Vec::new() }
    }

    /// Makes a member that has subscribed.
    pub(crate) fn of(
        place: &dyn Place,
        group: &str,
        topics: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let mut member = Self::new(place, group, settings);
        member.consumer.subscribe(topics).unwrap();
        member
    }

    /// Polls once, and keeps what came.
    pub(crate) fn poll(&mut self) {
        if let Some(records) = self.consumer.poll(STEP).unwrap() {
            assert!(records.events().is_empty(), "{:?}", records.events());
            for record in &records {
                self.values.push(String::from_utf8(record.value().unwrap().to_vec()).unwrap());
            }
        }
    }

    /// Returns the numbers of the partitions that it reads.
    pub(crate) fn owned(&self) -> Vec<i32> {
        numbers(&self.consumer.assignment())
    }

    /// Returns what its listener was told.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.listener.0.lock().unwrap().clone()
    }

    /// Returns the generation that it is in.
    pub(crate) fn generation(&self) -> i32 {
        self.consumer.group_metadata().unwrap().generation
    }

    pub(crate) fn close(mut self) -> Vec<Told> {
        self.consumer.close(SOON).unwrap();
        self.told()
    }

    pub(crate) fn sorted(&self) -> Vec<String> {
        let mut values = self.values.clone();
        values.sort();
        values
    }
}

/// Polls all members in turn until it is so.
pub(crate) fn poll_until(
    members: &mut [&mut Member],
    mut is_so: impl FnMut(&[&mut Member]) -> bool,
) {
    let deadline = Instant::now() + SOON;
    while !is_so(members) {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            members
                .iter()
                .map(|one| (one.owned(), one.values.len(), one.told()))
                .collect::<Vec<_>>()
        );
        members.iter_mut().for_each(|member| member.poll());
    }
}

/// Polls all members in turn for some time.
pub(crate) fn poll_while(members: &mut [&mut Member], time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        members.iter_mut().for_each(|member| member.poll());
    }
}
