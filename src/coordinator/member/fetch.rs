//! Committed offsets: OffsetFetch, asked again until every partition has told.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Instant;

use super::attempt::Attempt;
use super::{Member, broker_error};
use crate::coordinator::notice::{Committed, CommittedOffset, Notice};
use crate::coordinator::request::Request;
use crate::coordinator::topic_ids::TopicIds;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::ErrorCode;
use crate::protocol::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
};
use crate::topic::TopicName;
use crate::wire::WireError;

/// The first version of OffsetFetch whose answer names the group.
const NAMED_VERSION: i16 = 8;

/// A question for committed offsets that has not been answered.
#[derive(Debug)]
pub(super) struct PendingFetch {
    id: u64,
    /// The partitions that were asked for; none for all.
    partitions: Option<Vec<(TopicName, i32)>>,
    /// What is known, by the place in `partitions`, or as the last answer had it.
    known: Vec<Option<CommittedOffset>>,
    attempt: Attempt,
}

impl PendingFetch {
    pub(super) fn new(
        id: u64,
        partitions: Option<Vec<(TopicName, i32)>>,
        deadline: Instant,
    ) -> Self {
        Self {
            id,
            known: vec![None; partitions.as_ref().map_or(0, Vec::len)],
            partitions,
            attempt: Attempt::new(deadline),
        }
    }

    /// Returns the partitions that have not told, or none for all.
    fn open(&self) -> Option<Vec<(TopicName, i32)>> {
        let partitions = self.partitions.as_ref()?;
        let open = partitions.iter().zip(&self.known).filter(|(_, known)| known.is_none());
        Some(open.map(|(partition, _)| partition.clone()).collect())
    }

    fn is_complete(&self) -> bool {
        self.partitions.is_some() && self.known.iter().all(Option::is_some)
    }

    /// Returns what is known when the time is over.
    fn give_up(self, link_trouble: &str) -> Result<Vec<CommittedOffset>> {
        let what = "the committed offsets have not been told";
        let error = self.attempt.late(what, link_trouble);
        if self.known.iter().all(Option::is_none) {
            return Err(error);
        }
        let Some(partitions) = self.partitions else {
            return Ok(self.known.into_iter().flatten().collect());
        };
        let place = |((topic, partition), known): ((TopicName, i32), Option<CommittedOffset>)| {
            known.unwrap_or_else(|| {
                let error = error.clone().with_partition(topic.as_str(), partition);
                CommittedOffset { topic, partition, committed: Err(error) }
            })
        };
        Ok(partitions.into_iter().zip(self.known).map(place).collect())
    }

    /// Takes the partitions of an answer; returns a code that is to be tried again.
    fn take(
        &mut self,
        group: &OffsetFetchResponseGroup<'_>,
        topic_ids: &TopicIds,
    ) -> Option<ErrorCode> {
        let Some(partitions) = &self.partitions else { return self.take_all(group) };
        let mut told = HashMap::new();
        for topic in &group.topics {
            let Some(name) = topic_ids.name_of(topic.topic_id, topic.name) else { continue };
            for partition in &topic.partitions {
                told.entry((name, partition.partition_index)).or_insert(partition);
            }
        }
        let mut again = None;
        for ((topic, partition), known) in partitions.iter().zip(&mut self.known) {
            if known.is_some() {
                continue;
            }
            match told.get(&(topic.as_str(), *partition)) {
                Some(told) if is_passing(told.error_code) => again = Some(told.error_code),
                Some(told) => *known = Some(offset_of(topic.clone(), told)),
                None => again = again.or(Some(ErrorCode::NONE)),
            }
        }
        again
    }

    fn take_all(&mut self, group: &OffsetFetchResponseGroup<'_>) -> Option<ErrorCode> {
        let mut again = None;
        self.known.clear();
        for topic in &group.topics {
            let name = TopicName::new(topic.name);
            for partition in &topic.partitions {
                if is_passing(partition.error_code) {
                    again = Some(partition.error_code);
                }
                self.known.push(Some(offset_of(name.clone(), partition)));
            }
        }
        again
    }
}

impl Member {
    /// Answers the questions whose time is over.
    pub(super) fn settle_fetches(&mut self, now: Instant) {
        while let Some(place) = self.fetches.iter().position(|fetch| fetch.attempt.is_over(now)) {
            let fetch = self.fetches.remove(place);
            let (id, result) = (fetch.id, fetch.give_up(&self.link.trouble));
            self.notify(Notice::Fetched { id, result });
        }
        while let Some(place) = self.fetches.iter().position(PendingFetch::is_complete) {
            self.finish_fetch(place);
        }
    }

    /// Sends the questions that it is time for.
    pub(super) fn send_fetches(&mut self, now: Instant) {
        let due = self.fetches.iter_mut().filter_map(|one| one.attempt.begin(now).then_some(&*one));
        let request = |one: &PendingFetch| Request::OffsetFetch {
            id: one.id,
            partitions: one.open(),
            topic_ids: TopicIds::default(),
        };
        let requests: Vec<Request> = due.map(request).collect();
        requests.into_iter().for_each(|request| self.send(request));
    }

    /// Returns when a question's time is over, or it is to be asked again.
    pub(super) fn fetches_timeout(&self) -> Option<Instant> {
        let can_send = self.link.is_connected() && !self.place.is_held();
        self.fetches.iter().map(|fetch| fetch.attempt.timeout(can_send)).min()
    }

    pub(super) fn take_fetch(
        &mut self,
        now: Instant,
        (id, topic_ids): (u64, &TopicIds),
        version: i16,
        body: &[u8],
    ) -> std::result::Result<(), WireError> {
        let response = OffsetFetchResponse::decode(body, version)?;
        let group_id = self.settings.group_id.as_str();
        let is_meant = |group: &&OffsetFetchResponseGroup<'_>| {
            version < NAMED_VERSION || group.group_id == group_id
        };
        let group = response.groups.iter().find(is_meant);
        let group_code = group.map_or(ErrorCode::NONE, group_code);
        self.judge_coordinator(now, group_code);
        self.forget_stale_ids(group.map_or_else(Vec::new, |group| codes(group, topic_ids)));
        let Some(place) = self.sent_fetch(id) else { return Ok(()) };
        if group_code.is_error() && !is_passing(group_code) {
            let fetch = self.fetches.remove(place);
            let error = broker_error(group_code, "asking for committed offsets");
            self.notify(Notice::Fetched { id: fetch.id, result: Err(error) });
            return Ok(());
        }
        let Some(fetch) = self.fetches.get_mut(place) else { return Ok(()) };
        let again = match group {
            Some(group) if !group_code.is_error() => fetch.take(group, topic_ids),
            _ => Some(group_code),
        };
        match again {
            Some(code) => self.retry_fetch(now, place, missing_error(code)),
            None => self.finish_fetch(place),
        }
        Ok(())
    }

    pub(super) fn fetch_unanswered(&mut self, now: Instant, id: u64, error: Error) {
        let Some(place) = self.sent_fetch(id) else { return };
        if error.is_retriable() {
            self.retry_fetch(now, place, error);
        } else {
            let fetch = self.fetches.remove(place);
            self.notify(Notice::Fetched { id: fetch.id, result: Err(error) });
        }
    }

    pub(super) fn fail_fetches(&mut self, error: &Error) {
        for fetch in std::mem::take(&mut self.fetches) {
            self.notify(Notice::Fetched { id: fetch.id, result: Err(error.clone()) });
        }
    }

    fn sent_fetch(&self, id: u64) -> Option<usize> {
        self.fetches.iter().position(|fetch| fetch.attempt.is_sent() && fetch.id == id)
    }

    fn finish_fetch(&mut self, place: usize) {
        let fetch = self.fetches.remove(place);
        let offsets = fetch.known.into_iter().flatten().collect();
        self.notify(Notice::Fetched { id: fetch.id, result: Ok(offsets) });
    }

    fn retry_fetch(&mut self, now: Instant, place: usize, error: Error) {
        if let Some(fetch) = self.fetches.get_mut(place) {
            fetch.attempt.fail(now, error, self.settings.retry, &mut self.random);
        }
    }
}

/// Returns the topic and the code of each partition.
fn codes<'a>(
    group: &OffsetFetchResponseGroup<'a>,
    topic_ids: &'a TopicIds,
) -> Vec<(&'a str, ErrorCode)> {
    let named = group.topics.iter().filter_map(|topic| {
        let name = topic_ids.name_of(topic.topic_id, topic.name)?;
        Some(topic.partitions.iter().map(move |partition| (name, partition.error_code)))
    });
    named.flatten().collect()
}

/// Returns what is wrong with the group as a whole, which version 1 says in each partition.
fn group_code(group: &OffsetFetchResponseGroup<'_>) -> ErrorCode {
    if group.error_code.is_error() {
        return group.error_code;
    }
    let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
    let mut codes = partitions.map(|partition| partition.error_code);
    let is_of_group = |code: &ErrorCode| {
        matches!(
            *code,
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
                | ErrorCode::COORDINATOR_NOT_AVAILABLE
                | ErrorCode::NOT_COORDINATOR
                | ErrorCode::GROUP_AUTHORIZATION_FAILED
        )
    };
    codes.find(is_of_group).unwrap_or(ErrorCode::NONE)
}

/// Tells whether the same question may be answered later.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::UNSTABLE_OFFSET_COMMIT
            | ErrorCode::UNKNOWN_TOPIC_ID
    )
}

fn missing_error(code: ErrorCode) -> Error {
    if code.is_error() {
        broker_error(code, "asking for committed offsets")
    } else {
        Error::new(ErrorKind::Protocol, "the answer lacks a partition")
    }
}

fn offset_of(topic: TopicName, told: &OffsetFetchResponsePartition<'_>) -> CommittedOffset {
    let partition = told.partition_index;
    let committed = if told.error_code.is_error() {
        let error = broker_error(told.error_code, "the committed offset");
        Err(error.with_partition(topic.as_str(), partition))
    } else {
        // Negative: nothing is committed.
        Ok((told.committed_offset >= 0).then(|| Committed {
            offset: told.committed_offset,
            leader_epoch: told.committed_leader_epoch,
            metadata: told.metadata.unwrap_or_default().to_owned(),
        }))
    };
    CommittedOffset { topic, partition, committed }
}
