//! What an application hears of a rebalance.

use std::fmt;

use crate::client::consumer::Consumer;
use crate::topic::TopicPartition;

/// Is told which partitions come and go (Kafka's `ConsumerRebalanceListener`).
///
/// The consumer that it is given may be used to commit, to ask for committed offsets and
/// positions, to seek and to pause; poll, subscribe, assign, unsubscribe and close answer with
/// [`ErrorKind::State`](crate::ErrorKind::State).
///
/// # Threads
///
/// Called on the application's thread inside poll, unsubscribe or close. The group waits for it, up
/// to `max.poll.interval.ms`; heartbeats go on meanwhile.
pub trait RebalanceListener: Send {
    /// Is told at the end of a rebalance which partitions are new, also when there are none. They
    /// begin where the group has committed, unless it seeks.
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        let _ = (consumer, partitions);
    }

    /// Is told which partitions go to others, while they are still this consumer's: nothing of them
    /// is delivered any more, and a commit is the last chance to say how far they were processed.
    fn revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        let _ = (consumer, partitions);
    }

    /// Is told which partitions may be others' already: nothing can be committed for them.
    fn lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        self.revoked(consumer, partitions);
    }
}

impl fmt::Debug for dyn RebalanceListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RebalanceListener")
    }
}
