//! Partitions that go to others, and partitions that come.

use std::time::Instant;

use super::listener::RebalanceListener;
use super::state::Revoking;
use crate::client::assignment::Offset;
use crate::client::consumer::{Consumer, clock};
use crate::error::Result;
use crate::topic::TopicPartition;

impl Consumer {
    /// Holds partitions back that are about to go, and commits how far they were processed; the
    /// rest follows when that is done.
    pub(super) fn begin_revocation(
        &mut self,
        partitions: Vec<TopicPartition>,
        is_lost: bool,
        now: Instant,
    ) -> Result<()> {
        for partition in &partitions {
            if let Some(index) = self.find(partition)
                && let Some(held) = self.partitions.get_mut(index)
            {
                held.is_held = true;
            }
        }
        let commit = match is_lost {
            true => None,
            false => self.commit_before_revocation(now)?,
        };
        let Some(group) = &mut self.group else { return Ok(()) };
        let deadline = now + group.commit_wait();
        group.revoking = Some(Revoking { partitions, is_lost, commit, deadline });
        self.finish_revocation(now);
        Ok(())
    }

    /// Calls the application back about the partitions that go and lets go of them, as soon as
    /// their positions are committed.
    pub(super) fn finish_revocation(&mut self, now: Instant) {
        let Some(group) = &mut self.group else { return };
        let is_due = group.revoking.as_ref().is_some_and(|revoking| {
            revoking.deadline <= now
                || revoking.commit.is_none_or(|commit| !group.waiting.contains_key(&commit))
        });
        if !is_due {
            return;
        }
        let Some(Revoking { partitions, is_lost, .. }) = group.revoking.take() else { return };
        self.call_listener(|listener, consumer| match is_lost {
            true => listener.lost(consumer, &partitions),
            false => listener.revoked(consumer, &partitions),
        });
        let gone: Vec<usize> = partitions.iter().filter_map(|gone| self.find(gone)).collect();
        // A loop that is gone has nothing to let go of.
        drop(self.remove(&gone));
        let now = clock();
        if let Some(group) = &mut self.group {
            group.participant.handle_revoked(&partitions, now);
        }
    }

    /// Takes on the partitions that a rebalance brought.
    pub(super) fn take_on(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let new = partitions.iter().filter(|new| self.find(new).is_none());
        let new: Vec<_> = new.map(|new| (new, Offset::Default)).collect();
        self.add(new)?;
        self.call_listener(|listener, consumer| listener.assigned(consumer, partitions));
        let now = clock();
        if let Some(group) = &mut self.group {
            group.participant.handle_assigned(now);
        }
        Ok(())
    }

    fn call_listener(&mut self, run: impl FnOnce(&mut dyn RebalanceListener, &mut Self)) {
        let Some(mut listener) = self.group.as_mut().and_then(|group| group.listener.take()) else {
            return;
        };
        self.call_back(|consumer| run(listener.as_mut(), consumer));
        if let Some(group) = &mut self.group
            && group.listener.is_none()
        {
            group.listener = Some(listener);
        }
    }
}
