//! Questions to the group's coordinator beside membership and offsets, asked again until it
//! tells.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Instant;

use super::attempt::Attempt;
use super::{Member, broker_error};
use crate::coordinator::notice::Notice;
use crate::coordinator::question::{GroupDescription, Told, absence};
use crate::coordinator::request::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::ErrorCode;
use crate::protocol::describe_groups::DescribeGroupsResponse;
use crate::protocol::offset_delete::OffsetDeleteResponse;
use crate::topic::TopicName;
use crate::wire::WireError;

/// A question that has not been answered.
#[derive(Debug)]
pub(super) struct PendingAsk {
    id: u64,
    /// The partitions whose offsets are to be deleted; none where the group is to be described.
    deletes: Option<Vec<(TopicName, i32)>>,
    attempt: Attempt,
}

impl PendingAsk {
    pub(super) fn new(id: u64, deletes: Option<Vec<(TopicName, i32)>>, deadline: Instant) -> Self {
        Self { id, deletes, attempt: Attempt::new(deadline) }
    }

    fn request(&self) -> Request {
        let id = self.id;
        match &self.deletes {
            Some(partitions) => Request::OffsetDelete { id, partitions: partitions.clone() },
            None => Request::DescribeGroup { id },
        }
    }
}

impl Member {
    /// Answers the questions whose time is over.
    pub(super) fn settle_asks(&mut self, now: Instant) {
        while let Some(place) = self.asks.iter().position(|ask| ask.attempt.is_over(now)) {
            let ask = self.asks.remove(place);
            let what = "the group's coordinator did not answer";
            let error = ask.attempt.late(what, &self.link.trouble);
            self.notify(Notice::Told { id: ask.id, result: Err(error) });
        }
    }

    /// Sends the questions that it is time for.
    pub(super) fn send_asks(&mut self, now: Instant) {
        let due = self.asks.iter_mut().filter_map(|ask| ask.attempt.begin(now).then_some(&*ask));
        let requests: Vec<Request> = due.map(PendingAsk::request).collect();
        requests.into_iter().for_each(|request| self.send(request));
    }

    /// Returns when a question's time is over, or it is to be asked again.
    pub(super) fn asks_timeout(&self) -> Option<Instant> {
        let can_send = self.link.is_connected() && !self.place.is_held();
        self.asks.iter().map(|ask| ask.attempt.timeout(can_send)).min()
    }

    pub(super) fn take_description(
        &mut self,
        now: Instant,
        id: u64,
        version: i16,
        body: &[u8],
    ) -> std::result::Result<(), WireError> {
        let response = DescribeGroupsResponse::decode(body, version)?;
        let group_id = self.settings.group_id.as_str();
        let told = response.groups.iter().find(|group| group.group_id == group_id);
        let result = match told.map(|group| (group, absence(group))) {
            Some((group, None)) => Ok(Told::Group(GroupDescription::new(group))),
            Some((_, Some(code))) => Err(code),
            None => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        };
        self.answer_ask(now, id, result, "describing the group");
        Ok(())
    }

    pub(super) fn take_deletion(
        &mut self,
        now: Instant,
        id: u64,
        partitions: &[(TopicName, i32)],
        version: i16,
        body: &[u8],
    ) -> std::result::Result<(), WireError> {
        let response = OffsetDeleteResponse::decode(body, version)?;
        let what = "deleting committed offsets";
        if response.error_code.is_error() {
            self.answer_ask(now, id, Err(response.error_code), what);
            return Ok(());
        }
        let mut codes = HashMap::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                codes.insert((topic.name, partition.partition_index), partition.error_code);
            }
        }
        let result = |(topic, partition): &(TopicName, i32)| {
            let error = match codes.get(&(topic.as_str(), *partition)) {
                Some(&ErrorCode::NONE) => return Ok(()),
                Some(code) => broker_error(*code, what),
                None => Error::new(ErrorKind::Protocol, "the answer lacks the partition"),
            };
            Err(error.with_partition(topic.as_str(), *partition))
        };
        let results: Vec<Result<()>> = partitions.iter().map(result).collect();
        self.answer_ask(now, id, Ok(Told::Deleted(results)), what);
        Ok(())
    }

    pub(super) fn ask_unanswered(&mut self, now: Instant, id: u64, error: Error) {
        let Some(place) = self.sent_ask(id) else { return };
        if error.is_retriable() {
            self.retry_ask(now, place, error);
        } else {
            self.finish_ask(place, Err(error));
        }
    }

    pub(super) fn fail_asks(&mut self, error: &Error) {
        while !self.asks.is_empty() {
            self.finish_ask(0, Err(error.clone()));
        }
    }

    fn answer_ask(
        &mut self,
        now: Instant,
        id: u64,
        told: std::result::Result<Told, ErrorCode>,
        what: &str,
    ) {
        self.judge_coordinator(now, told.as_ref().err().copied().unwrap_or(ErrorCode::NONE));
        let Some(place) = self.sent_ask(id) else { return };
        match told {
            Ok(told) => self.finish_ask(place, Ok(told)),
            Err(code) if code.is_retriable() => {
                self.retry_ask(now, place, broker_error(code, what));
            }
            Err(code) => self.finish_ask(place, Err(broker_error(code, what))),
        }
    }

    fn sent_ask(&self, id: u64) -> Option<usize> {
        self.asks.iter().position(|ask| ask.attempt.is_sent() && ask.id == id)
    }

    fn finish_ask(&mut self, place: usize, result: Result<Told>) {
        let ask = self.asks.remove(place);
        self.notify(Notice::Told { id: ask.id, result });
    }

    fn retry_ask(&mut self, now: Instant, place: usize, error: Error) {
        if let Some(ask) = self.asks.get_mut(place) {
            ask.attempt.fail(now, error, self.settings.retry, &mut self.random);
        }
    }
}
