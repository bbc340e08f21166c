//! Which partitions are read, and from where.

use std::collections::HashSet;
use std::time::Duration;

use super::consumer::{Consumer, clock, deadline_after};
use super::partition::Partition;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::cursor::StartAt;
use crate::net::command::What;
use crate::protocol::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use crate::ring::lane::Lane;
use crate::topic::{TopicName, TopicPartition};

/// The longest topic name that Kafka allows (`Topic.MAX_NAME_LENGTH`).
const TOPIC_MAX_BYTES: usize = 249;

/// A position to begin at or to seek to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// When it is this offset.
    At(i64),
    /// When it is the first offset that there is.
    Beginning,
    /// When it is the end: the next record that is written.
    End,
    /// When it is the first record with this time stamp, in ms, or a later one; the end where
    /// there is none.
    Timestamp(i64),
    /// When it is where the group has committed, and where there is no group or it has not, what
    /// `auto.offset.reset` decides.
    Default,
}

impl Offset {
    fn start(self) -> Result<StartAt> {
        match self {
            Self::At(offset) if offset < 0 => Err(invalid(format!("offset {offset} is negative"))),
            Self::Timestamp(ms) if ms < 0 => Err(invalid(format!("time stamp {ms} is negative"))),
            Self::At(offset) => Ok(StartAt::Offset(offset)),
            Self::Beginning => Ok(StartAt::Timestamp(EARLIEST_TIMESTAMP)),
            Self::End => Ok(StartAt::Timestamp(LATEST_TIMESTAMP)),
            Self::Timestamp(ms) => Ok(StartAt::Timestamp(ms)),
            Self::Default => Ok(StartAt::Policy),
        }
    }
}

impl Consumer {
    /// Reads these partitions and no others. Those that are read already go on where they are,
    /// new ones begin where `auto.offset.reset` says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a name that no topic can have, a negative partition or
    /// one that is listed twice; nothing has changed then.
    pub fn assign(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.check_may_assign()?;
        let wanted = distinct(partitions.iter().map(|wanted| (wanted, Offset::Default)))?;
        let kept: HashSet<(&str, i32)> =
            partitions.iter().map(|kept| (kept.topic.as_str(), kept.partition)).collect();
        let gone: Vec<usize> = self
            .partitions
            .iter()
            .filter(|(_, old)| !kept.contains(&(old.topic.as_str(), old.partition)))
            .map(|(index, _)| index)
            .collect();
        self.remove(&gone)?;
        let new = wanted.into_iter().filter(|(tp, _)| self.find(tp).is_none()).collect();
        self.add(new)
    }

    /// Reads these partitions and no others, each from where it says, also those that are read
    /// already.
    ///
    /// # Errors
    ///
    /// As [`Consumer::assign`], and for a negative offset or time.
    pub fn assign_at(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<()> {
        self.check_may_assign()?;
        let wanted = distinct(partitions.iter().map(|(tp, offset)| (tp, *offset)))?;
        let all: Vec<usize> = self.partitions.iter().map(|(index, _)| index).collect();
        self.remove(&all)?;
        self.add(wanted)
    }

    /// Reads these partitions as well, each from where it says.
    ///
    /// # Errors
    ///
    /// As [`Consumer::assign_at`], and [`ErrorKind::State`] for one that is read already.
    pub fn incremental_assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<()> {
        self.check_may_assign()?;
        let wanted = distinct(partitions.iter().map(|(tp, offset)| (tp, *offset)))?;
        if let Some((known, _)) = wanted.iter().find(|(tp, _)| self.find(tp).is_some()) {
            return Err(Error::new(ErrorKind::State, "the partition is assigned already")
                .with_partition(&known.topic, known.partition));
        }
        self.add(wanted)
    }

    /// Reads these partitions no more; what has been fetched of them is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] for one that is not assigned; nothing has changed then.
    pub fn incremental_unassign(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.check_may_assign()?;
        let gone = self.indexes(partitions)?;
        self.remove(&gone)
    }

    /// Reads nothing any more.
    ///
    /// # Errors
    ///
    /// What concerns the whole consumer.
    pub fn unassign(&mut self) -> Result<()> {
        self.check_may_assign()?;
        self.unassign_all()
    }

    pub(super) fn unassign_all(&mut self) -> Result<()> {
        let all: Vec<usize> = self.partitions.iter().map(|(index, _)| index).collect();
        self.remove(&all)
    }

    /// Returns the partitions that are read, in no order.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.partitions.iter().map(|(_, partition)| partition.name()).collect()
    }

    /// Moves the position of one partition; what has been fetched of it is dropped, and a sticky
    /// error ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] where it is not assigned, [`ErrorKind::InvalidArgument`] for a negative
    /// offset or time.
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.seek_many(&[(partition.clone(), offset)])
    }

    /// Moves the positions of many partitions with one message to the engine.
    ///
    /// # Errors
    ///
    /// As [`Consumer::seek`]; nothing has changed then.
    pub fn seek_many(&mut self, seeks: &[(TopicPartition, Offset)]) -> Result<()> {
        self.check()?;
        let mut starts = Vec::with_capacity(seeks.len());
        for (partition, offset) in seeks {
            starts.push((self.index(partition)?, offset.start()?));
        }
        let mut commands = Vec::with_capacity(starts.len());
        let mut new = Vec::new();
        for (index, start) in starts {
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            partition.stored = None;
            if !partition.is_started {
                new.extend(self.start(index, start));
                continue;
            }
            let position = match start {
                StartAt::Offset(offset) => Some(offset),
                _ => None,
            };
            partition.handle_seek(position);
            commands.push((partition.index, partition.stamp, start));
        }
        if !new.is_empty() {
            self.send(What::Assign(new))?;
        }
        self.send(What::Seek(commands))
    }

    /// Returns the offset of the next record that a poll will return of a partition, after
    /// waiting up to `timeout` for it to be looked up.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] where it is not assigned, the partition's own error where that is why
    /// there is no position, [`ErrorKind::Timeout`].
    pub fn position(&mut self, partition: &TopicPartition, timeout: Duration) -> Result<i64> {
        self.check()?;
        let index = self.index(partition)?;
        let deadline = deadline_after(timeout);
        loop {
            self.take_notices(clock());
            let known = match self.partitions.get_mut(index) {
                Some(partition) => partition.settle_position(&self.bridge),
                None => None,
            };
            match known {
                Some(Ok(position)) => return Ok(position),
                Some(Err(error)) => return Err(error),
                None => {}
            }
            self.check_wakeup()?;
            let found = self.wait_for(deadline, || {
                let has_news = self.partitions.get(index).is_some_and(Partition::has_news);
                (has_news || self.is_woken() || self.has_notice()).then_some(())
            });
            if found.is_none() {
                self.check()?;
                return Err(Error::new(ErrorKind::Timeout, "no position was found in time")
                    .with_partition(&partition.topic, partition.partition)
                    .with_retriable(true));
            }
        }
    }

    /// Holds partitions back; what has been fetched of them is kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] for one that is not assigned; nothing has changed then.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.set_paused(partitions, true)
    }

    /// Goes on with partitions that were held back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`] for one that is not assigned; nothing has changed then.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.set_paused(partitions, false)
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<()> {
        self.check()?;
        let indexes = self.indexes(partitions)?;
        let mut changed = Vec::new();
        for index in indexes {
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            if partition.paused == paused {
                continue;
            }
            partition.paused = paused;
            changed.push(partition.index);
            if !paused && !partition.is_listed {
                partition.is_listed = true;
                self.listed.push_back(index);
            }
        }
        if !paused {
            // What was kept can be polled now, and no news of it will come.
            self.bridge.application().notify();
        }
        self.send(What::Pause(changed, paused))
    }

    /// Returns the partitions that are held back, in no order.
    pub fn paused(&self) -> Vec<TopicPartition> {
        let paused = self.partitions.iter().filter(|(_, partition)| partition.paused);
        paused.map(|(_, partition)| partition.name()).collect()
    }

    /// Returns the error that stopped a partition, until a seek ends it.
    pub fn partition_error(&self, partition: &TopicPartition) -> Option<&Error> {
        self.partitions.get(self.find(partition)?)?.failed.as_ref()
    }

    /// Drops what has been fetched of paused partitions: the budget is needed by others. They
    /// will be fetched again, from where they are.
    pub(super) fn drop_paused(&mut self) -> Result<()> {
        let mut seeks = Vec::new();
        for (_, partition) in &mut self.partitions {
            // A position that was looked up may lie in the ring still, before what is hoarded.
            if partition.paused
                && partition.has_buffered()
                && let Some(Ok(position)) = partition.settle_position(&self.bridge)
            {
                partition.handle_seek(Some(position));
                seeks.push((partition.index, partition.stamp, StartAt::Offset(position)));
            }
        }
        if seeks.is_empty() { Ok(()) } else { self.send(What::Seek(seeks)) }
    }

    pub(super) fn add(&mut self, wanted: Vec<(&TopicPartition, Offset)>) -> Result<()> {
        let mut new = Vec::with_capacity(wanted.len());
        let mut unstarted = Vec::new();
        for (wanted, offset) in wanted {
            let start = offset.start()?;
            let topic = self.topic_name(&wanted.topic);
            let slot = self.partitions.vacant_entry();
            let index = slot.key();
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let lane = Lane::new(self.ready.bit(index));
            slot.insert(Partition::new(topic.clone(), wanted.partition, number, lane));
            self.by_name.entry(topic).or_default().insert(wanted.partition, index);
            if start == StartAt::Policy && self.group.is_some() {
                unstarted.push(index);
            } else {
                new.extend(self.start(index, start));
            }
        }
        if !new.is_empty() {
            self.send(What::Assign(new))?;
        }
        self.ask_where_to_start(&unstarted)
    }

    pub(super) fn remove(&mut self, gone: &[usize]) -> Result<()> {
        let mut indexes = Vec::with_capacity(gone.len());
        for index in gone {
            let Some(partition) = self.partitions.try_remove(*index) else { continue };
            indexes.push(partition.index);
            if let Some(partitions) = self.by_name.get_mut(partition.topic.as_str()) {
                partitions.remove(&partition.partition);
                if partitions.is_empty() {
                    self.by_name.remove(partition.topic.as_str());
                }
            }
        }
        if indexes.is_empty() {
            return Ok(());
        }
        self.listed.retain(|index| self.partitions.contains(*index));
        self.send(What::Unassign(indexes))
    }

    /// Returns the shared name of a topic.
    pub(super) fn topic_name(&self, name: &str) -> TopicName {
        let known = self.by_name.get_key_value(name).map(|(name, _)| name.clone());
        known.unwrap_or_else(|| TopicName::new(name))
    }

    pub(super) fn find(&self, partition: &TopicPartition) -> Option<usize> {
        self.by_name.get(partition.topic.as_str())?.get(&partition.partition).copied()
    }

    /// Returns the index of a partition that is read.
    pub(super) fn index(&self, partition: &TopicPartition) -> Result<usize> {
        self.find(partition).ok_or_else(|| {
            Error::new(ErrorKind::State, "the partition is not assigned")
                .with_partition(&partition.topic, partition.partition)
        })
    }

    fn indexes(&self, partitions: &[TopicPartition]) -> Result<Vec<usize>> {
        partitions.iter().map(|partition| self.index(partition)).collect()
    }
}

/// Checks names and offsets, and that no partition is listed twice.
fn distinct<'a>(
    partitions: impl Iterator<Item = (&'a TopicPartition, Offset)>,
) -> Result<Vec<(&'a TopicPartition, Offset)>> {
    let mut seen = HashSet::new();
    let mut wanted = Vec::new();
    for (partition, offset) in partitions {
        check_partition(partition)?;
        offset.start()?;
        if !seen.insert(partition) {
            return Err(invalid(format!("{partition} is listed twice")));
        }
        wanted.push((partition, offset));
    }
    Ok(wanted)
}

/// Refuses what can be no partition.
pub(super) fn check_partition(partition: &TopicPartition) -> Result<()> {
    check_topic(&partition.topic)?;
    if partition.partition < 0 {
        return Err(invalid(format!("partition {} is negative", partition.partition)));
    }
    Ok(())
}

/// Refuses what can be no topic's name (Kafka's `Topic.validate`).
pub(super) fn check_topic(name: &str) -> Result<()> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name == "." || name == ".." {
        return Err(invalid(format!("'{name}' cannot be a topic's name")));
    }
    if name.len() > TOPIC_MAX_BYTES {
        let text =
            format!("a topic's name has at most {TOPIC_MAX_BYTES} bytes, not {}", name.len());
        return Err(invalid(text));
    }
    match name.chars().find(|c| !is_legal(*c)) {
        Some(c) => Err(invalid(format!("a topic's name has no {c:?}: {name:?}"))),
        None => Ok(()),
    }
}

pub(super) fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, text)
}
