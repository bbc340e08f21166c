//! Which topics a participant watches: those that its pattern may match, and as the leader those
//! that the group has subscribed to.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::{Backoff, BackoffLimits};

/// The least time between two looks, whatever the settings say: each asks for topics.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// A topic as far as an assignor needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCount {
    /// The name.
    pub name: String,
    /// How many partitions it has; none where there is no such topic, or it cannot be told.
    pub partitions: Option<i32>,
    /// For each partition the racks of its replicas; none where no broker has a rack.
    pub racks: Option<Vec<Vec<Arc<str>>>>,
    /// Whether it is Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
}

/// Why topics were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// When the assignor needs them.
    Lead,
    /// When the pattern has to be resolved, or something may have changed.
    Watch,
}

/// What is watched, and when to look next.
#[derive(Debug)]
pub(super) struct Watch {
    max_age: Duration,
    retry: BackoffLimits,
    backoff: Backoff,
    next_ask: u64,
    asking: Option<(u64, Purpose)>,
    look_at: Option<Instant>,
    /// What the last assignment was made of, if this member made it.
    led: Option<BTreeMap<String, Option<i32>>>,
    /// Whether it made it before it was started again, so that only the names are known.
    is_resumed: bool,
    /// The last answer, and when it came.
    known: Option<(Instant, Vec<TopicCount>)>,
}

impl Watch {
    pub(super) fn new(max_age: Duration, retry: BackoffLimits) -> Self {
        Self {
            max_age,
            retry,
            backoff: Backoff::default(),
            next_ask: 0,
            asking: None,
            look_at: None,
            led: None,
            is_resumed: false,
            known: None,
        }
    }

    /// Begins a question; an earlier one is forgotten.
    pub(super) fn ask(&mut self, purpose: Purpose) -> u64 {
        self.next_ask += 1;
        self.asking = Some((self.next_ask, purpose));
        self.look_at = None;
        self.next_ask
    }

    /// Takes the answer to a question, unless it was forgotten.
    pub(super) fn take(&mut self, ask: u64) -> Option<Purpose> {
        let (_, purpose) = self.asking.take_if(|(asked, _)| *asked == ask)?;
        Some(purpose)
    }

    /// Keeps an answer for as long as it may be used.
    pub(super) fn keep(&mut self, topics: Vec<TopicCount>, now: Instant) {
        self.known = Some((now, topics));
    }

    /// Returns the last answer if it is not too old and all of these topics are in it; as in
    /// Java, a rebalance asks nobody for what is known already.
    pub(super) fn known(&self, names: &[String], now: Instant) -> Option<Vec<TopicCount>> {
        let (at, topics) = self.known.as_ref()?;
        let is_fresh = now.saturating_duration_since(*at) < self.max_age;
        let found = existing(topics);
        let has_all = names.iter().all(|name| found.contains_key(name.as_str()));
        (is_fresh && has_all).then(|| topics.clone())
    }

    /// Says that the last question failed, or that something is missing that may yet be made.
    pub(super) fn look_soon(&mut self, now: Instant) {
        let delay = self.backoff.nominal_delay(self.retry).min(self.max_age);
        self.backoff.count();
        self.look_at = Some(now + delay.max(LOOK_PAUSE));
    }

    /// Says that all was there.
    pub(super) fn look_later(&mut self, now: Instant) {
        self.backoff.reset();
        self.look_at = Some(now + self.max_age.max(LOOK_PAUSE));
    }

    /// Returns when to look next; none while an answer is awaited or nothing is watched.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.look_at.filter(|_| self.asking.is_none())
    }

    /// Remembers what an assignment was made of.
    pub(super) fn lead(&mut self, topics: BTreeMap<String, Option<i32>>) {
        (self.led, self.is_resumed) = (Some(topics), false);
    }

    /// Remembers of which topics an assignment was made before this member was started again.
    pub(super) fn resume(&mut self, names: Vec<String>) {
        let names = names.into_iter().map(|name| (name, None));
        (self.led, self.is_resumed) = (Some(names.collect()), true);
    }

    /// Takes what is there for what that assignment was made of.
    pub(super) fn see(&mut self, found: &BTreeMap<&str, i32>) {
        if std::mem::take(&mut self.is_resumed) {
            let led = self.led.iter_mut().flatten();
            led.for_each(|(name, count)| *count = found.get(name.as_str()).copied());
        }
    }

    /// Forgets it: another leads.
    pub(super) fn follow(&mut self) {
        self.led = None;
    }

    /// Forgets everything: nothing is subscribed to.
    pub(super) fn stop(&mut self) {
        (self.asking, self.look_at, self.led, self.known) = (None, None, None, None);
        self.backoff.reset();
    }

    /// Returns the topics that the leader watches.
    pub(super) fn led(&self) -> Option<&BTreeMap<String, Option<i32>>> {
        self.led.as_ref()
    }

    /// Returns the first topic whose partitions are not what the assignment was made of.
    pub(super) fn changed(&self, found: &BTreeMap<&str, i32>) -> Option<&str> {
        let led = self.led.as_ref()?;
        let differs =
            |(name, count): &(&String, &Option<i32>)| found.get(name.as_str()).copied() != **count;
        led.iter().find(differs).map(|(name, _)| name.as_str())
    }
}

/// Returns the topics that exist with their partition counts.
pub(super) fn existing(topics: &[TopicCount]) -> BTreeMap<&str, i32> {
    let count = |topic: &TopicCount| topic.partitions.filter(|count| *count > 0);
    topics.iter().filter_map(|topic| Some((topic.name.as_str(), count(topic)?))).collect()
}

/// Returns the names of the topics that exist and that `is_wanted`.
pub(super) fn matching(
    topics: &[TopicCount],
    is_wanted: impl Fn(&TopicCount) -> bool,
) -> BTreeSet<String> {
    let exists = |topic: &&TopicCount| topic.partitions.is_some_and(|count| count > 0);
    let wanted = topics.iter().filter(exists).filter(|topic| is_wanted(topic));
    wanted.map(|topic| topic.name.clone()).collect()
}
