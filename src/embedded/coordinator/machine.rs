//! The machine: which request goes where, what comes out, and the time.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::now::Now;
use super::super::offsets::{OffsetRecord, Offsets};
use super::super::settings::CoordinatorSettings;
use super::answers::{Outbox, Outgoing, Reply, RequestId, Turn};
use super::group::Group;
use crate::backoff::Random;
use crate::protocol::{ApiKey, ErrorCode, VersionRange};
use crate::wire::WireError;

/// The APIs that are served.
pub(super) const APIS: [ApiKey; 11] = [
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::OffsetDelete,
    ApiKey::ApiVersions,
];

/// An owner that comes later than this after a timeout has stood still, and so may the members.
const STALL_MIN: Duration = Duration::from_secs(1);

/// How long members have then to give a sign of life: the default heartbeat interval.
const STALL_GRACE: Duration = Duration::from_secs(3);

/// How long members take to notice that another coordinates now: they connect again at once, with
/// back-offs, and their applications have to poll.
const SETTLING: Duration = Duration::from_secs(1);

/// Returns the versions of an API that are served, `None` for an API that is not.
pub(super) fn versions(api_key: ApiKey) -> Option<VersionRange> {
    let VersionRange { min, max } = api_key.versions();
    let max = match api_key {
        // Version 10 names topics by ids, which a log directory has none of.
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => max.min(9),
        _ => max,
    };
    APIS.contains(&api_key).then_some(VersionRange { min, max })
}

/// A request, its header read.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The owner's number of it.
    pub id: RequestId,
    /// The API.
    pub api_key: ApiKey,
    /// The version of the API.
    pub version: i16,
    /// What the client calls itself, empty where it does not say.
    pub client_id: &'a str,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Incoming<'_> {
    pub(super) fn reply(&self) -> Reply {
        Reply { id: self.id, version: self.version }
    }
}

/// The coordinator of all groups of a log directory.
///
/// The owner calls [`handle_request`](Self::handle_request) for everything that has arrived, then
/// [`handle_timeout`](Self::handle_timeout), then writes what [`take_records`](Self::take_records)
/// gives, and only then sends what [`poll_response`](Self::poll_response) gives: an answer may
/// rest on the records. An owner that cannot write drops the machine with its answers, as a
/// broker's coordinator moves away; what is in the log is then all that has happened.
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(super) settings: CoordinatorSettings,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) offsets: Offsets,
    pub(super) outbox: Outbox,
    pub(super) random: Random,
    /// What is to be written.
    records: Vec<OffsetRecord>,
    /// When retention is looked at next.
    expiry_at: Instant,
    /// Until when a group without members may have some that have not come back yet.
    settled_at: Option<Instant>,
}

impl GroupCoordinator {
    /// Makes a coordinator that has `offsets` and no members; `seed` is for member ids, and must
    /// differ from coordinator to coordinator.
    pub fn new(settings: CoordinatorSettings, offsets: Offsets, seed: u64, now: Now) -> Self {
        Self {
            settings,
            groups: BTreeMap::new(),
            offsets,
            outbox: Outbox::default(),
            random: Random::new(seed),
            records: Vec::new(),
            expiry_at: now.instant,
            settled_at: None,
        }
    }

    /// Takes note that the one before this one has left members behind, which come back as soon
    /// as they notice. Until then a group without members is not said to have none, as who
    /// resets its offsets asks first, and nobody deletes any.
    pub fn expect_members(&mut self, now: Now) {
        self.settled_at = Some(now.instant + SETTLING);
    }

    /// Tells whether any group has members.
    pub fn has_members(&self) -> bool {
        self.groups.values().any(|group| !group.members.is_empty())
    }

    /// Returns what keeps a question from an answer about a group without members.
    pub(super) fn check_settled(&self, group: &str, now: Now) -> Result<(), ErrorCode> {
        let has_members = self.groups.get(group).is_some_and(|one| !one.members.is_empty());
        match self.settled_at {
            Some(at) if now.instant < at && !has_members => {
                Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
            }
            _ => Ok(()),
        }
    }

    /// Takes a request, whose answer comes out now or later, but for an error.
    ///
    /// # Errors
    ///
    /// When the request is malformed, or of an API or version that was not offered. There is no
    /// answer then, and the connection is to be closed.
    pub fn handle_request(&mut self, now: Now, incoming: &Incoming<'_>) -> Result<(), WireError> {
        let version = incoming.version;
        let offered = versions(incoming.api_key).is_some_and(|range| range.contains(version));
        if !offered && incoming.api_key != ApiKey::ApiVersions {
            return Err(WireError::UnsupportedVersion { version });
        }
        match incoming.api_key {
            ApiKey::OffsetCommit => self.handle_commit(now, incoming),
            ApiKey::OffsetFetch => self.handle_offset_fetch(incoming),
            ApiKey::FindCoordinator => self.handle_find(incoming),
            ApiKey::JoinGroup => self.handle_join(now, incoming),
            ApiKey::Heartbeat => self.handle_heartbeat(now, incoming),
            ApiKey::LeaveGroup => self.handle_leave(now, incoming),
            ApiKey::SyncGroup => self.handle_sync(now, incoming),
            ApiKey::DescribeGroups => self.handle_describe(now, incoming),
            ApiKey::ListGroups => self.handle_list(incoming),
            ApiKey::OffsetDelete => self.handle_offset_delete(now, incoming),
            ApiKey::ApiVersions => self.handle_api_versions(incoming),
            _ => Err(WireError::UnsupportedVersion { version }),
        }
    }

    /// Looks at the clock, after all requests that have arrived were taken.
    ///
    /// Where the owner is late, it has stood still and the members may have too: then nothing ends
    /// yet, and all get a moment to show that they live.
    pub fn handle_timeout(&mut self, now: Now) {
        let due = self.groups.values().filter_map(Group::poll_timeout).min();
        let late = due.and_then(|due| now.instant.checked_duration_since(due));
        if late.is_some_and(|late| late > STALL_MIN) {
            let until = now.instant + STALL_GRACE;
            self.groups.values_mut().for_each(|group| group.postpone(until));
        } else if late.is_some() {
            let turn = &mut Turn { now, settings: &self.settings, outbox: &mut self.outbox };
            self.groups.values_mut().for_each(|group| group.handle_timeout(turn));
        }
        if self.expiry_at <= now.instant {
            self.expire(now);
            self.expiry_at = now.instant + self.settings.retention_check_interval;
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Instant {
        let groups = self.groups.values().filter_map(Group::poll_timeout);
        groups.min().map_or(self.expiry_at, |due| due.min(self.expiry_at))
    }

    /// Takes what is to be written before any answer leaves.
    pub fn take_records(&mut self) -> Vec<OffsetRecord> {
        std::mem::take(&mut self.records)
    }

    /// Takes the next answer.
    pub fn poll_response(&mut self) -> Option<Outgoing> {
        self.outbox.pop()
    }

    /// Returns the offsets, with those that [`take_records`](Self::take_records) has yet to give.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub(super) fn write(&mut self, record: OffsetRecord) {
        self.offsets.apply(record.clone());
        self.records.push(record);
    }
}
