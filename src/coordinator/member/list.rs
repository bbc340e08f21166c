//! The groups of all brokers: who the brokers are, then what each of them coordinates.
//!
//! No coordinator takes part. When a broker does not answer, the others' answers are kept, and who
//! the brokers are is asked once more before it is: it may be gone, and its groups another's.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Instant;

use super::attempt::out_of_time;
use super::{Member, broker_error};
use crate::backoff::Backoff;
use crate::coordinator::action::MemberAction;
use crate::coordinator::notice::Notice;
use crate::coordinator::question::{GroupListing, Told};
use crate::coordinator::request::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::list_groups::ListGroupsResponse;
use crate::protocol::metadata::MetadataResponse;
use crate::wire::WireError;

/// A list that is not complete.
#[derive(Debug)]
pub(super) struct PendingList {
    id: u64,
    deadline: Instant,
    /// What brokers have told, by their node ids: none where one has not, and `None` as the id of
    /// the one server that there is where it knows of no brokers.
    brokers: BTreeMap<Option<i32>, Option<Vec<GroupListing>>>,
    /// Whether `brokers` has been told since the last failure.
    knows_brokers: bool,
    /// How many requests are unanswered.
    in_flight: usize,
    retry_at: Option<Instant>,
    backoff: Backoff,
    /// Why the last attempt failed.
    trouble: Option<Error>,
}

impl PendingList {
    pub(super) fn new(id: u64, deadline: Instant) -> Self {
        Self {
            id,
            deadline,
            brokers: BTreeMap::new(),
            knows_brokers: false,
            in_flight: 0,
            retry_at: None,
            backoff: Backoff::default(),
            trouble: None,
        }
    }

    fn is_complete(&self) -> bool {
        self.knows_brokers && self.brokers.values().all(Option::is_some)
    }

    /// Returns what is to be asked now, and whom.
    fn requests(&self, now: Instant) -> Vec<MemberAction> {
        let id = self.id;
        if self.in_flight > 0 || self.retry_at.is_some_and(|at| at > now) {
            return Vec::new();
        }
        if !self.knows_brokers {
            return vec![MemberAction::Ask(Request::Brokers { id })];
        }
        let silent = self.brokers.iter().filter(|(_, told)| told.is_none());
        let ask = |(broker, _): (&Option<i32>, _)| {
            let request = Request::ListGroups { id, broker: *broker };
            match broker {
                Some(node_id) => MemberAction::AskBroker { node_id: *node_id, request },
                None => MemberAction::Ask(request),
            }
        };
        silent.map(ask).collect()
    }

    /// Takes who the brokers are.
    fn take_brokers(&mut self, brokers: impl Iterator<Item = Option<i32>>) {
        let mut before = std::mem::take(&mut self.brokers);
        self.brokers = brokers.map(|id| (id, before.remove(&id).flatten())).collect();
        self.knows_brokers = true;
    }

    /// Returns the groups by their names: one that has moved meanwhile may be told twice.
    fn groups(self) -> Vec<GroupListing> {
        let mut groups: Vec<_> = self.brokers.into_values().flatten().flatten().collect();
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        groups.dedup_by(|a, b| a.group_id == b.group_id);
        groups
    }
}

impl Member {
    /// Answers the lists that are complete, or whose time is over.
    pub(super) fn settle_lists(&mut self, now: Instant) {
        while let Some(place) = self.lists.iter().position(|list| list.deadline <= now) {
            let trouble = self.lists.get(place).and_then(|list| list.trouble.as_ref());
            let trouble = trouble.map_or("", Error::message);
            let what = "the brokers did not tell their groups in time";
            let error = out_of_time(what, trouble).with_retriable(true);
            self.finish_list(place, |_| Err(error));
        }
        while let Some(place) = self.lists.iter().position(PendingList::is_complete) {
            self.finish_list(place, |list| Ok(Told::Groups(list.groups())));
        }
    }

    /// Sends what it is time for.
    pub(super) fn send_lists(&mut self, now: Instant) {
        for list in &mut self.lists {
            let requests = list.requests(now);
            list.in_flight += requests.len();
            self.actions.extend(requests);
        }
    }

    /// Returns when the time of a list is over, or it is to be gone on with.
    pub(super) fn lists_timeout(&self) -> Option<Instant> {
        let times = self.lists.iter().flat_map(|list| {
            let retry = list.retry_at.filter(|_| list.in_flight == 0);
            [Some(list.deadline), retry]
        });
        times.flatten().min()
    }

    pub(super) fn take_brokers(
        &mut self,
        now: Instant,
        id: u64,
        version: i16,
        body: &[u8],
    ) -> std::result::Result<(), WireError> {
        let response = MetadataResponse::decode(body, version)?;
        let Some(place) = self.answered_list(id) else { return Ok(()) };
        if response.brokers.is_empty() {
            let error = Error::new(ErrorKind::Network, "the cluster knows no broker yet");
            self.retry_list(now, place, error);
        } else if let Some(list) = self.lists.get_mut(place) {
            list.take_brokers(response.brokers.iter().map(|broker| Some(broker.node_id)));
        }
        Ok(())
    }

    pub(super) fn take_groups(
        &mut self,
        now: Instant,
        id: u64,
        broker: Option<i32>,
        version: i16,
        body: &[u8],
    ) -> std::result::Result<(), WireError> {
        let response = ListGroupsResponse::decode(body, version)?;
        let Some(place) = self.answered_list(id) else { return Ok(()) };
        let code = response.error_code;
        if code.is_error() {
            let error = broker_error(code, "listing the groups");
            self.judge_list(now, place, error);
        } else if let Some(list) = self.lists.get_mut(place) {
            let groups = response.groups.iter().map(GroupListing::new).collect();
            list.brokers.insert(broker, Some(groups));
        }
        Ok(())
    }

    pub(super) fn brokers_unanswered(&mut self, now: Instant, id: u64, error: Error) {
        let Some(place) = self.answered_list(id) else { return };
        match self.lists.get_mut(place) {
            // A coordinator of log directories has no brokers beside it.
            Some(list) if error.kind() == ErrorKind::UnsupportedVersion => {
                list.take_brokers(std::iter::once(None));
            }
            _ => self.retry_list(now, place, error),
        }
    }

    pub(super) fn groups_unanswered(&mut self, now: Instant, id: u64, error: Error) {
        if let Some(place) = self.answered_list(id) {
            self.judge_list(now, place, error);
        }
    }

    pub(super) fn fail_lists(&mut self, error: &Error) {
        while !self.lists.is_empty() {
            self.finish_list(0, |_| Err(error.clone()));
        }
    }

    /// Counts one unanswered request of a list less.
    fn answered_list(&mut self, id: u64) -> Option<usize> {
        let place = self.lists.iter().position(|list| list.id == id)?;
        if let Some(list) = self.lists.get_mut(place) {
            list.in_flight = list.in_flight.saturating_sub(1);
        }
        Some(place)
    }

    fn judge_list(&mut self, now: Instant, place: usize, error: Error) {
        if error.is_retriable() {
            self.retry_list(now, place, error);
        } else {
            self.finish_list(place, |_| Err(error));
        }
    }

    fn retry_list(&mut self, now: Instant, place: usize, error: Error) {
        let Some(list) = self.lists.get_mut(place) else { return };
        let delay = list.backoff.next_delay(self.settings.retry, &mut self.random);
        list.knows_brokers = false;
        list.retry_at = Some(now + delay);
        list.trouble = Some(error);
    }

    fn finish_list(&mut self, place: usize, told: impl FnOnce(PendingList) -> Result<Told>) {
        let list = self.lists.remove(place);
        let id = list.id;
        self.notify(Notice::Told { id, result: told(list) });
    }
}
