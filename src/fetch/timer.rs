//! Deadlines of many things, each with at most one, and which comes first.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// One deadline per key.
#[derive(Debug)]
pub struct Timers<K> {
    by_key: HashMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Eq + Hash + Ord> Timers<K> {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self { by_key: HashMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets, moves or removes the deadline of `key`.
    pub fn set(&mut self, key: K, deadline: Option<Instant>) {
        let before = match deadline {
            Some(deadline) => self.by_key.insert(key, deadline),
            None => self.by_key.remove(&key),
        };
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(deadline) = deadline {
            self.by_time.insert((deadline, key));
        }
    }

    /// Returns the earliest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.by_time.first().map(|(deadline, _)| *deadline)
    }

    /// Removes and returns a key whose deadline has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (deadline, key) = *self.by_time.first()?;
        if deadline > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

impl<K: Copy + Eq + Hash + Ord> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backoff::Random;

    #[test]
    fn due_keys_come_once_and_in_order_of_their_last_deadline() {
        #[allow(clippy::disallowed_methods, reason = "an Instant has no other origin")]
        let start = Instant::now();
        let mut random = Random::new(7);
        let mut timers = Timers::new();
        let mut expected = HashMap::new();
        for _ in 0..1000 {
            let key = random.below(50);
            let at = start + Duration::from_millis(random.below(1000));
            let at = (random.below(4) > 0).then_some(at);
            timers.set(key, at);
            expected.insert(key, at);
        }
        let end = start + Duration::from_secs(1);
        let mut last = start;
        while let Some(next) = timers.next_deadline() {
            assert!(next >= last);
            last = next;
            let key = timers.pop_due(end).unwrap();
            assert_eq!(expected.remove(&key), Some(Some(next)));
        }
        assert!(expected.values().all(Option::is_none));
    }
}
