//! What happens to the cluster itself: it grows, loses brokers and leaders, and forgets.

use std::time::Duration;

use super::cluster::pick;
use super::event::Event;
use super::weather::happens;
use super::world::{Happening, World};

impl World {
    /// Appends a batch to a partition.
    pub(super) fn grow(&mut self, place: usize) {
        self.cluster.logs[place].append(&mut self.random);
        self.record(Event::Grown { place });
        if happens(&mut self.random, self.cluster.weather.rotten)
            && let Some(batch) = self.cluster.logs[place].batches.last_mut()
        {
            batch.is_rotten = true;
            let base = batch.base;
            self.record(Event::Rotten { place, base });
        }
    }

    pub(super) fn append(&mut self) {
        if self.is_healed() {
            return;
        }
        for _ in 0..self.random.below(6) {
            let place = pick(&mut self.random, self.cluster.logs.len());
            self.grow(place);
        }
        self.look_everywhere();
        let pause = Duration::from_millis(1 + self.random.below(120));
        self.after(pause, Happening::Append);
    }

    pub(super) fn move_leader(&mut self) {
        if self.is_healed() {
            return;
        }
        let place = pick(&mut self.random, self.cluster.leaders.len());
        let to = pick(&mut self.random, self.cluster.brokers.len());
        let to = (self.cluster.brokers[to].is_up && self.random.below(5) > 0).then_some(to);
        self.elect(place, to);
        self.after_some(self.cluster.weather.move_every, Happening::MoveLeader);
    }

    fn elect(&mut self, place: usize, to: Option<usize>) {
        self.cluster.move_leader(place, to);
        self.record(Event::Fault(format!("partition {place} is led by {to:?}")));
        for broker in 0..self.cluster.brokers.len() {
            let lag = Duration::from_millis(self.random.below(700));
            self.after(lag, Happening::LearnLeaders(broker));
        }
        self.look_everywhere();
    }

    pub(super) fn crash(&mut self) {
        if self.is_healed() {
            return;
        }
        let broker = pick(&mut self.random, self.cluster.brokers.len());
        self.cluster.brokers[broker].is_up = false;
        self.record(Event::Fault(format!("broker {broker} is down")));
        self.cut_all(broker);
        let live: Vec<usize> = (0..self.cluster.brokers.len())
            .filter(|broker| self.cluster.brokers[*broker].is_up)
            .collect();
        for place in 0..self.cluster.leaders.len() {
            if self.cluster.leaders[place].broker == Some(broker) {
                let to = (!live.is_empty()).then(|| live[pick(&mut self.random, live.len())]);
                self.elect(place, to);
            }
        }
        let down = Duration::from_millis(self.random.below(3000));
        self.after(down, Happening::Restart(broker));
        self.after_some(self.cluster.weather.crash_every, Happening::Crash);
    }

    pub(super) fn restart(&mut self, broker: usize) {
        self.cluster.brokers[broker].is_up = true;
        self.record(Event::Fault(format!("broker {broker} is up")));
        for place in 0..self.cluster.leaders.len() {
            if self.cluster.leaders[place].broker.is_none() {
                self.elect(place, Some(broker));
            }
        }
    }

    /// Deletes the oldest batches of a partition.
    pub(super) fn trim(&mut self) {
        if self.is_healed() {
            return;
        }
        let place = pick(&mut self.random, self.cluster.logs.len());
        let log = &mut self.cluster.logs[place];
        let first = log.find(log.start);
        let count = log.batches.len() - first;
        if count > 0 {
            let last = first + pick(&mut self.random, count);
            log.start = log.batches[last].next;
            let start = log.start;
            self.record(Event::Trimmed { place, start });
        }
        self.after_some(self.cluster.weather.trim_every, Happening::Trim);
    }
}
