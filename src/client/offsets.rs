//! Questions for offsets and topics, and what is known without asking.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::bounded;

use super::assignment::{check_partition, check_topic};
use super::consumer::{Consumer, deadline_after};
use super::engine::Feeder;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::reply::{OffsetAnswer, Reply, TopicInfo};
use crate::net::command::What;
use crate::protocol::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use crate::topic::{TopicName, TopicPartition};

/// An offset and the time stamp of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// The offset.
    pub offset: i64,
    /// The record's time stamp in ms.
    pub timestamp: i64,
    /// The record's leader epoch, −1 where it is not known.
    pub leader_epoch: i32,
}

/// A partition's ends, as the last answer told them: they may be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset, −1 where it is not known.
    pub log_start_offset: i64,
    /// The offset behind the last record that is on all in-sync replicas, −1 where not known.
    pub high_watermark: i64,
    /// The offset behind the last record of no open transaction, −1 where it is not known.
    pub last_stable_offset: i64,
}

impl Consumer {
    /// Finds for each partition the first record with the given time stamp, in ms, or a later
    /// one; `None` where there is no such record. Partitions need not be assigned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a name or number that no partition can have or a negative
    /// time, [`ErrorKind::Timeout`] where log directories do not answer; each partition has an
    /// error of its own, [`ErrorKind::Timeout`] among them.
    pub fn offsets_for_times(
        &mut self,
        times: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<Vec<Result<Option<OffsetAndTimestamp>>>> {
        if let Some((partition, time)) = times.iter().find(|(_, time)| *time < 0) {
            let text = format!("time stamp {time} for {partition} is negative");
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        let mut asked = times.iter().map(|(partition, time)| (partition, *time));
        let answers = self.ask_offsets(&mut asked, timeout)?;
        let found = |answer: OffsetAnswer| {
            let OffsetAnswer { offset, timestamp, leader_epoch } = answer;
            (offset >= 0).then_some(OffsetAndTimestamp { offset, timestamp, leader_epoch })
        };
        Ok(answers.into_iter().map(|answer| answer.map(found)).collect())
    }

    /// Finds the first offset of each partition.
    ///
    /// # Errors
    ///
    /// As [`Consumer::offsets_for_times`].
    pub fn beginning_offsets(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Result<i64>>> {
        self.end_of_each(partitions, EARLIEST_TIMESTAMP, timeout)
    }

    /// Finds the end of each partition: its high watermark, where the next record will be read.
    ///
    /// # Errors
    ///
    /// As [`Consumer::offsets_for_times`].
    pub fn end_offsets(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Result<i64>>> {
        self.end_of_each(partitions, LATEST_TIMESTAMP, timeout)
    }

    fn end_of_each(
        &mut self,
        partitions: &[TopicPartition],
        timestamp: i64,
        timeout: Duration,
    ) -> Result<Vec<Result<i64>>> {
        let mut asked = partitions.iter().map(|partition| (partition, timestamp));
        let answers = self.ask_offsets(&mut asked, timeout)?;
        Ok(answers.into_iter().map(|answer| answer.map(|found| found.offset)).collect())
    }

    fn ask_offsets(
        &mut self,
        asked: &mut dyn Iterator<Item = (&TopicPartition, i64)>,
        timeout: Duration,
    ) -> Result<Vec<Result<OffsetAnswer>>> {
        self.check()?;
        let mut partitions: Vec<(TopicName, i32, i64)> = Vec::new();
        for (partition, timestamp) in asked {
            check_partition(partition)?;
            let topic = match partitions.last() {
                Some((last, _, _)) if last.as_str() == partition.topic => last.clone(),
                _ => self.topic_name(&partition.topic),
            };
            partitions.push((topic, partition.partition, timestamp));
        }
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(timeout, |deadline, reply| What::Offsets(partitions, deadline, reply))
    }

    /// Describes a topic.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTopicOrPartition`] where there is none, [`ErrorKind::Timeout`] with what
    /// each server answered, where there are servers.
    pub fn partitions_for(&mut self, topic: &str, timeout: Duration) -> Result<TopicInfo> {
        check_topic(topic)?;
        let names = Some(vec![topic.to_owned()]);
        let mut found = self.ask_topics(names, timeout)?;
        match found.pop() {
            Some(TopicInfo { partitions: Err(error), .. }) => Err(error),
            Some(info) => Ok(info),
            None => {
                let text = "no such topic";
                Err(Error::new(ErrorKind::UnknownTopicOrPartition, text).with_partition(topic, -1))
            }
        }
    }

    /// Describes all topics that this client may see.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] with what each server answered, where there are servers.
    pub fn list_topics(&mut self, timeout: Duration) -> Result<Vec<TopicInfo>> {
        let mut found = self.ask_topics(None, timeout)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn ask_topics(
        &mut self,
        names: Option<Vec<String>>,
        timeout: Duration,
    ) -> Result<Vec<TopicInfo>> {
        self.check()?;
        self.ask(timeout, |deadline, reply| What::Topics(names, deadline, reply))?
    }

    /// Sends a question and waits for the answer, up to the deadline.
    fn ask<T: Send + 'static>(
        &mut self,
        timeout: Duration,
        question: impl FnOnce(std::time::Instant, Reply<T>) -> What,
    ) -> Result<T> {
        let (sender, receiver) = bounded(1);
        let bridge = Arc::clone(&self.bridge);
        let reply = Reply::new(move |answer| {
            drop(sender.send(answer));
            bridge.application().notify();
        });
        let Some(deadline) = deadline_after(timeout) else {
            let text = "the timeout is longer than a clock can tell";
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        };
        self.send(question(deadline, reply))?;
        // The network's thread answers at the deadline and says what it has found by then; a disk
        // may hold up the thread of the files for as long as it likes.
        let wait_until = (self.feeder == Feeder::Files).then_some(deadline);
        let found = self.wait_for(wait_until, || {
            let answer = receiver.try_recv().ok().map(Some);
            answer.or_else(|| self.is_woken().then_some(None))
        });
        match found {
            Some(Some(answer)) => Ok(answer),
            _ => {
                self.check_wakeup()?;
                self.check()?;
                let text = "the log directories did not answer in time";
                Err(Error::new(ErrorKind::Timeout, text).with_retriable(true))
            }
        }
    }

    /// Returns the ends of an assigned partition as the last answer told them, without a request;
    /// `None` before the first, or where it is not assigned.
    pub fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        let lane = &self.partitions.get(self.index(partition).ok()?)?.lane;
        let watermarks = Watermarks {
            log_start_offset: lane.log_start_offset(),
            high_watermark: lane.high_watermark(),
            last_stable_offset: lane.last_stable_offset(),
        };
        (watermarks.high_watermark >= 0).then_some(watermarks)
    }

    /// Returns how many offsets lie between the position and the high watermark, without a
    /// request; `None` while either is unknown.
    pub fn lag(&self, partition: &TopicPartition) -> Option<u64> {
        let known = self.partitions.get(self.index(partition).ok()?)?;
        let end = known.lane.high_watermark();
        let behind = end.saturating_sub(known.position?);
        (end >= 0).then(|| u64::try_from(behind).unwrap_or(0))
    }
}
