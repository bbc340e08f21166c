//! A coordinator in virtual time, and words for what its clients say.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

pub(crate) mod client;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kfetch::embedded::{CoordinatorSettings, GroupCoordinator, Incoming, Now, Offsets, RequestId};
use kfetch::protocol::heartbeat::HeartbeatResponse;
use kfetch::protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use kfetch::protocol::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use kfetch::protocol::sync_group::SyncGroupResponse;
use kfetch::protocol::{ApiKey, ErrorCode};
use words::{beat_body, commit_body, committed_error, fetch_body, fetched, sync_body};

/// What a JoinGroup was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) error: ErrorCode,
    pub(crate) generation: i32,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    pub(crate) skips: bool,
    /// Member ids with metadata.
    pub(crate) members: Vec<(String, Vec<u8>)>,
}

impl Joined {
    pub(crate) fn decode(body: &[u8], version: i16) -> Self {
        let response = JoinGroupResponse::decode(body, version).expect("an answer to JoinGroup");
        let member = |m: &kfetch::protocol::join_group::JoinGroupResponseMember<'_>| {
            (m.member_id.to_owned(), m.metadata.to_vec())
        };
        Self {
            error: response.error_code,
            generation: response.generation_id,
            protocol: response.protocol_name.unwrap_or_default().to_owned(),
            leader: response.leader.to_owned(),
            member_id: response.member_id.to_owned(),
            skips: response.skip_assignment,
            members: response.members.iter().map(member).collect(),
        }
    }

    pub(crate) fn leads(&self) -> bool {
        self.leader == self.member_id
    }
}

/// What a JoinGroup says.
#[derive(Clone, Debug)]
pub(crate) struct Join<'a> {
    pub(crate) version: i16,
    pub(crate) member_id: &'a str,
    pub(crate) instance: Option<&'a str>,
    pub(crate) session_ms: i32,
    pub(crate) rebalance_ms: i32,
    pub(crate) kind: &'a str,
    pub(crate) protocols: &'a [(&'a str, &'a [u8])],
}

impl Default for Join<'_> {
    fn default() -> Self {
        Self {
            version: 9,
            member_id: "",
            instance: None,
            session_ms: 10_000,
            rebalance_ms: 60_000,
            kind: "consumer",
            protocols: &[("range", b"s")],
        }
    }
}

impl Join<'_> {
    pub(crate) fn encode(&self, group: &str) -> Vec<u8> {
        let request = JoinGroupRequest {
            group_id: group,
            session_timeout_ms: self.session_ms,
            rebalance_timeout_ms: self.rebalance_ms,
            member_id: self.member_id,
            group_instance_id: self.instance,
            protocol_type: self.kind,
            protocols: self
                .protocols
                .iter()
                .map(|(name, metadata)| JoinGroupRequestProtocol { name, metadata })
                .collect(),
            reason: None,
        };
        let mut body = Vec::new();
        request.encode(self.version, &mut body).unwrap();
        body
    }
}

/// A coordinator with its own time, whose answers are kept until somebody asks.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) machine: GroupCoordinator,
    pub(crate) now: Now,
    next_id: u64,
    answers: BTreeMap<u64, Vec<u8>>,
}

pub(crate) const GROUP: &str = "g";

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(CoordinatorSettings::default(), Offsets::default())
    }

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    pub(crate) fn with(settings: CoordinatorSettings, offsets: Offsets) -> Self {
        let now = Now { instant: Instant::now(), epoch_ms: 1_700_000_000_000 };
        let machine = GroupCoordinator::new(settings, offsets, 7, now);
        Self { machine, now, next_id: 0, answers: BTreeMap::new() }
    }

    /// Sends a request and returns its number.
    pub(crate) fn send(&mut self, api_key: ApiKey, version: i16, body: &[u8]) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let incoming = Incoming { id: RequestId(id), api_key, version, client_id: "client", body };
        self.machine.handle_request(self.now, &incoming).expect("a request that is taken");
        self.collect();
        id
    }

    fn collect(&mut self) {
        while let Some(answer) = self.machine.poll_response() {
            let body = answer.body.expect("an answer that can be encoded");
            assert!(self.answers.insert(answer.id.0, body).is_none(), "two answers to one request");
        }
    }

    /// Returns the answer to a request, if it has come.
    pub(crate) fn answer(&mut self, id: u64) -> Option<Vec<u8>> {
        self.answers.remove(&id)
    }

    /// Lets time pass, the machine being called whenever it wants to.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        for _ in 0..100_000 {
            let due = self.machine.poll_timeout();
            if due > end.instant {
                break;
            }
            let step = due.saturating_duration_since(self.now.instant);
            self.now = self.now.after(step);
            self.machine.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    pub(crate) fn join(&mut self, join: &Join<'_>) -> u64 {
        self.send(ApiKey::JoinGroup, join.version, &join.encode(GROUP))
    }

    pub(crate) fn joined(&mut self, id: u64) -> Option<Joined> {
        self.joined_as(id, 9)
    }

    pub(crate) fn joined_as(&mut self, id: u64, version: i16) -> Option<Joined> {
        self.answer(id).map(|body| Joined::decode(&body, version))
    }

    /// Gets a member id as a new dynamic member.
    pub(crate) fn member_id(&mut self, join: &Join<'_>) -> String {
        let id = self.join(join);
        let joined = self.joined(id).expect("an answer at once");
        assert_eq!(joined.error, ErrorCode::MEMBER_ID_REQUIRED);
        joined.member_id
    }

    /// Joins `count` new dynamic members, and returns what they were answered.
    pub(crate) fn join_all(&mut self, count: usize) -> Vec<Joined> {
        let ids: Vec<String> = (0..count).map(|_| self.member_id(&Join::default())).collect();
        let joins: Vec<u64> =
            ids.iter().map(|id| self.join(&Join { member_id: id, ..Join::default() })).collect();
        self.pass_ms(300);
        joins.into_iter().map(|id| self.joined(id).expect("the generation begins")).collect()
    }

    /// As [`Bench::join_all`], and the leader assigns each member its own id.
    pub(crate) fn stable(&mut self, count: usize) -> Vec<Joined> {
        let joined = self.join_all(count);
        self.assign_all(&joined);
        joined
    }

    /// Lets all members sync, the leader assigning each its own id.
    pub(crate) fn assign_all(&mut self, joined: &[Joined]) {
        let members: Vec<&str> = joined.iter().map(|member| member.member_id.as_str()).collect();
        let mut syncs = Vec::new();
        for member in joined {
            let assigned: &[&str] = if member.leads() { &members } else { &[] };
            syncs.push(self.sync(&member.member_id, member.generation, assigned));
        }
        for (sync, member) in syncs.into_iter().zip(joined) {
            let own = member.member_id.clone().into_bytes();
            assert_eq!(self.synced(sync), Some((ErrorCode::NONE, own)));
        }
    }

    /// Sends a SyncGroup that assigns each of `members` its own id.
    pub(crate) fn sync(&mut self, member_id: &str, generation: i32, members: &[&str]) -> u64 {
        self.sync_as(member_id, generation, None, members)
    }

    pub(crate) fn sync_as(
        &mut self,
        member_id: &str,
        generation_id: i32,
        group_instance_id: Option<&str>,
        members: &[&str],
    ) -> u64 {
        let body = sync_body(GROUP, member_id, generation_id, group_instance_id, members);
        self.send(ApiKey::SyncGroup, 5, &body)
    }

    pub(crate) fn synced(&mut self, id: u64) -> Option<(ErrorCode, Vec<u8>)> {
        let body = self.answer(id)?;
        let response = SyncGroupResponse::decode(&body, 5).unwrap();
        Some((response.error_code, response.assignment.to_vec()))
    }

    pub(crate) fn beat(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        self.beat_as(member_id, generation_id, None)
    }

    pub(crate) fn beat_as(
        &mut self,
        member_id: &str,
        generation_id: i32,
        group_instance_id: Option<&str>,
    ) -> ErrorCode {
        let body = beat_body(GROUP, member_id, generation_id, group_instance_id);
        let id = self.send(ApiKey::Heartbeat, 4, &body);
        let body = self.answer(id).expect("heartbeats are answered at once");
        HeartbeatResponse::decode(&body, 4).unwrap().error_code
    }

    /// Lets members leave, and returns what became of each.
    pub(crate) fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Vec<ErrorCode> {
        let members = members.iter().map(|(member_id, group_instance_id)| MemberIdentity {
            member_id,
            group_instance_id: *group_instance_id,
            reason: None,
        });
        let request = LeaveGroupRequest { group_id: GROUP, members: members.collect() };
        let mut body = Vec::new();
        request.encode(5, &mut body).unwrap();
        let id = self.send(ApiKey::LeaveGroup, 5, &body);
        let body = self.answer(id).expect("who leaves is answered at once");
        let response = LeaveGroupResponse::decode(&body, 5).unwrap();
        assert_eq!(response.error_code, ErrorCode::NONE);
        response.members.iter().map(|member| member.error_code).collect()
    }

    /// Commits an offset for partition 0 of topic `t`.
    pub(crate) fn commit(&mut self, member_id: &str, generation: i32, offset: i64) -> ErrorCode {
        self.commit_with(member_id, generation, None, ("t", 0, offset, ""))
    }

    pub(crate) fn commit_with(
        &mut self,
        member_id: &str,
        generation: i32,
        group_instance_id: Option<&str>,
        offset: (&str, i32, i64, &str),
    ) -> ErrorCode {
        let body = commit_body(GROUP, member_id, generation, group_instance_id, offset);
        let id = self.send(ApiKey::OffsetCommit, 9, &body);
        let body = self.answer(id).expect("the machine answers commits at once");
        committed_error(&body)
    }

    /// Returns the offsets of the group, all that there are: topic, partition, offset, metadata.
    pub(crate) fn committed(&mut self) -> Vec<(String, i32, i64, String)> {
        let body = fetch_body(GROUP);
        let id = self.send(ApiKey::OffsetFetch, 9, &body);
        let body = self.answer(id).expect("an answer at once");
        fetched(&body)
    }
}
