//! A member by hand: the tests are its owner, its coordinator and its application.

#![forbid(unsafe_code)]

mod codes;
mod commits;
mod fetches;
mod joining;
mod leaving;
mod lookups;
mod questions;
mod sessions;
mod topic_ids;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Member;
use crate::backoff::BackoffLimits;
use crate::coordinator::action::{MemberAction, Unanswered};
use crate::coordinator::command::{Commit, CommitOffset, MemberCommand};
use crate::coordinator::notice::{Membership, Notice};
use crate::coordinator::poll_clock::PollClock;
use crate::coordinator::request::Request;
use crate::coordinator::settings::MemberSettings;
use crate::coordinator::topic_ids::TopicIds;
use crate::protocol::find_coordinator::{Coordinator, FindCoordinatorResponse};
use crate::protocol::heartbeat::HeartbeatResponse;
use crate::protocol::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use crate::protocol::leave_group::LeaveGroupResponse;
use crate::protocol::offset_commit::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::protocol::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponseTopic,
};
use crate::protocol::sync_group::SyncGroupResponse;
use crate::protocol::{ApiKey, ErrorCode};
use crate::topic::TopicName;

const GROUP: &str = "group";
const MEMBER: &str = "m-1";
const RETRY: Duration = Duration::from_millis(100);

/// A member and everything around it.
#[derive(Debug)]
struct Bench {
    now: Instant,
    member: Member,
    clock: Arc<PollClock>,
    /// What the member said to its owner and has not been looked at.
    asked: VecDeque<Request>,
    /// What is on the connection.
    on_wire: Vec<Request>,
    notices: Vec<Notice>,
    connects: usize,
    disconnects: usize,
    /// The topics whose ids it found stale.
    forgotten: Vec<TopicName>,
    generation: i32,
    /// Whether the member leads the generations to come.
    leads: bool,
    /// Whether connections come about.
    is_reachable: bool,
}

fn settings() -> MemberSettings {
    MemberSettings {
        group_id: GROUP.to_owned(),
        group_instance_id: None,
        session_timeout: Duration::from_secs(45),
        heartbeat_interval: Duration::from_secs(3),
        max_poll_interval: Duration::from_secs(300),
        request_timeout: Duration::from_secs(30),
        retry: BackoffLimits { initial: RETRY, max: Duration::from_secs(1) },
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: MemberSettings) -> Self {
        #[allow(clippy::disallowed_methods, reason = "an Instant has no other origin")]
        let now = Instant::now();
        let clock = Arc::new(PollClock::new(now));
        clock.begin_poll();
        Self {
            now,
            member: Member::new(settings, Arc::clone(&clock), 7),
            clock,
            asked: VecDeque::new(),
            on_wire: Vec::new(),
            notices: Vec::new(),
            connects: 0,
            disconnects: 0,
            forgotten: Vec::new(),
            generation: 0,
            leads: false,
            is_reachable: true,
        }
    }

    fn joined() -> Self {
        let mut bench = Self::new();
        bench.join();
        bench.settle();
        assert_eq!(bench.notices.len(), 1, "{:?}", bench.notices);
        bench.notices.clear();
        bench
    }

    fn command(&mut self, command: MemberCommand) {
        self.member.handle_command(self.now, command);
        self.act();
    }

    fn join(&mut self) {
        let protocols = vec![("range".to_owned(), vec![1, 2])];
        self.command(MemberCommand::Join { join: 1, protocols, reason: "a test".to_owned() });
    }

    fn leave(&mut self, tells: bool) {
        let deadline = self.now + Duration::from_secs(10);
        self.command(MemberCommand::Leave { reason: "done".to_owned(), tells, deadline });
    }

    fn membership(&self) -> Membership {
        Membership { generation: self.generation, member_id: MEMBER.to_owned() }
    }

    fn commit(&mut self, id: u64, retries: bool, offsets: &[(i32, i64)]) {
        let membership = Some(self.membership());
        self.commit_as(membership, id, retries, offsets);
    }

    fn commit_as(
        &mut self,
        membership: Option<Membership>,
        id: u64,
        retries: bool,
        offsets: &[(i32, i64)],
    ) {
        let offset = |&(partition, offset): &(i32, i64)| CommitOffset {
            topic: TopicName::new("t"),
            partition,
            offset,
            leader_epoch: 5,
            metadata: String::new(),
        };
        let offsets = offsets.iter().map(offset).collect();
        let deadline = self.now + Duration::from_secs(60);
        self.command(MemberCommand::Commit(Commit { id, offsets, membership, retries, deadline }));
    }

    fn fetch(&mut self, id: u64, partitions: Option<&[i32]>) {
        let name = |partition: &i32| (TopicName::new("t"), *partition);
        let partitions = partitions.map(|partitions| partitions.iter().map(name).collect());
        let deadline = self.now + Duration::from_secs(60);
        self.command(MemberCommand::Fetch { id, partitions, deadline });
    }

    /// Does what the member says.
    fn act(&mut self) {
        while let Some(action) = self.member.poll_action() {
            match action {
                MemberAction::Ask(request) => self.asked.push_back(request),
                MemberAction::AskBroker { request, .. } => self.asked.push_back(request),
                MemberAction::Send(request) => {
                    self.on_wire.push(request.clone());
                    self.asked.push_back(request);
                }
                MemberAction::Connect { node_id, host, port } => {
                    assert_eq!((node_id, host.as_str(), port), (1, "broker", 9092));
                    self.hand_back("another connection is made");
                    self.connects += 1;
                    if self.is_reachable {
                        self.member.handle_connected(self.now);
                    } else {
                        self.member.handle_disconnected(self.now, "refused");
                    }
                }
                MemberAction::Disconnect => {
                    self.disconnects += 1;
                    self.hand_back("closed");
                }
                MemberAction::ForgetTopicIds(names) => self.forgotten.extend(names),
                MemberAction::Notify(notice) => self.notices.push(notice),
            }
        }
    }

    fn hand_back(&mut self, why: &str) {
        for request in std::mem::take(&mut self.on_wire) {
            self.asked.retain(|asked| *asked != request);
            let why = Unanswered::Lost(why.to_owned());
            self.member.handle_unanswered(self.now, request, why);
        }
    }

    fn cut(&mut self) {
        self.hand_back("reset");
        self.member.handle_disconnected(self.now, "reset");
        self.act();
    }

    /// Lets time pass up to what is due next; returns whether anything is.
    fn pass(&mut self) -> bool {
        let Some(at) = self.member.poll_timeout() else { return false };
        self.now = self.now.max(at);
        self.member.handle_timeout(self.now);
        self.act();
        true
    }

    fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        while self.member.poll_timeout().is_some_and(|at| at <= until) {
            self.pass();
            while let Some(request) = self.asked.pop_front() {
                self.answer_well(&request);
            }
        }
        self.now = until;
    }

    /// Answers everything in the good way until nothing is asked any more.
    fn settle(&mut self) {
        for _ in 0..100 {
            let Some(request) = self.asked.pop_front() else { return };
            self.answer_well(&request);
        }
        panic!("it goes on for ever");
    }

    /// Returns the next request of an API; others are answered well until it comes.
    fn next(&mut self, api: ApiKey) -> Request {
        for _ in 0..1000 {
            match self.asked.pop_front() {
                Some(request) if request.api_key() == api => return request,
                Some(request) => self.answer_well(&request),
                None => assert!(self.pass(), "nothing is due, and no {api:?} came"),
            }
        }
        panic!("no {api:?} came");
    }

    fn answer(&mut self, request: &Request, body: &[u8]) {
        if let Some(place) = self.on_wire.iter().position(|sent| sent == request) {
            self.on_wire.remove(place);
        }
        let version = version_of(request.api_key());
        self.member.handle_answer(self.now, request.clone(), version, body).unwrap();
        self.act();
    }

    fn answer_code(&mut self, request: &Request, code: ErrorCode) {
        let body = self.body(request, code);
        self.answer(request, &body);
    }

    fn answer_well(&mut self, request: &Request) {
        self.answer_code(request, ErrorCode::NONE);
        // The assignor of a leader.
        if let Some(Notice::Lead { membership, skips_assignment: false, .. }) = self.notices.last()
        {
            let generation = membership.generation;
            let assignments = vec![(MEMBER.to_owned(), b"mine".to_vec())];
            self.command(MemberCommand::Assign { generation, assignments });
        }
    }

    fn body(&mut self, request: &Request, error_code: ErrorCode) -> Vec<u8> {
        let mut out = Vec::new();
        let version = version_of(request.api_key());
        match request {
            Request::FindCoordinator => {
                let (key, host) = (GROUP, "broker");
                let one = Coordinator { key, node_id: 1, host, port: 9092, ..Default::default() };
                let coordinators = vec![Coordinator { error_code, ..one }];
                FindCoordinatorResponse { throttle_time_ms: 0, coordinators }
                    .encode(version, &mut out)
            }
            Request::JoinGroup { .. } => {
                self.generation += i32::from(!error_code.is_error());
                join_response(self.generation, error_code, self.leads).encode(version, &mut out)
            }
            Request::SyncGroup { .. } => {
                SyncGroupResponse { error_code, assignment: b"mine", ..Default::default() }
                    .encode(version, &mut out)
            }
            Request::Heartbeat { .. } => {
                HeartbeatResponse { throttle_time_ms: 0, error_code }.encode(version, &mut out)
            }
            Request::LeaveGroup { .. } => {
                LeaveGroupResponse { error_code, ..Default::default() }.encode(version, &mut out)
            }
            Request::OffsetCommit { offsets, .. } => {
                let places = offsets.iter().map(|offset| (offset.partition, error_code));
                out = commit_body(&places.collect::<Vec<_>>());
                Ok(())
            }
            Request::DescribeGroup { .. }
            | Request::OffsetDelete { .. }
            | Request::Brokers { .. }
            | Request::ListGroups { .. } => panic!("{request:?} has no answer of its own"),
            Request::OffsetFetch { partitions, .. } => {
                let all = vec![(TopicName::new("t"), 0)];
                let places = partitions.as_ref().unwrap_or(&all).iter();
                let told = places.map(|(_, partition)| (*partition, 40, ErrorCode::NONE));
                out = fetch_body(error_code, &told.collect::<Vec<_>>());
                Ok(())
            }
        }
        .unwrap();
        out
    }

    fn wait(&mut self) {
        self.clock.end_poll(self.now);
    }
}

fn join_response(
    generation: i32,
    error_code: ErrorCode,
    leads: bool,
) -> JoinGroupResponse<'static> {
    let member = JoinGroupResponseMember { member_id: MEMBER, ..Default::default() };
    JoinGroupResponse {
        error_code,
        generation_id: generation,
        protocol_type: Some("consumer"),
        protocol_name: Some("range"),
        leader: if leads { MEMBER } else { "another" },
        member_id: MEMBER,
        members: if leads { vec![member] } else { Vec::new() },
        ..JoinGroupResponse::default()
    }
}

fn commit_body(codes: &[(i32, ErrorCode)]) -> Vec<u8> {
    let partition = |&(partition_index, error_code): &(i32, ErrorCode)| {
        OffsetCommitResponsePartition { partition_index, error_code }
    };
    let partitions = codes.iter().map(partition).collect();
    let topics = vec![OffsetCommitResponseTopic { name: "t", partitions, ..Default::default() }];
    let mut out = Vec::new();
    OffsetCommitResponse { throttle_time_ms: 0, topics }.encode(9, &mut out).unwrap();
    out
}

fn fetch_body(error_code: ErrorCode, told: &[(i32, i64, ErrorCode)]) -> Vec<u8> {
    let partition = |&(partition_index, committed_offset, error_code): &(i32, i64, ErrorCode)| {
        OffsetFetchResponsePartition {
            partition_index,
            committed_offset,
            committed_leader_epoch: 5,
            metadata: None,
            error_code,
        }
    };
    let partitions = told.iter().map(partition).collect();
    let topics = vec![OffsetFetchResponseTopic { name: "t", partitions, ..Default::default() }];
    let topics = if error_code.is_error() { Vec::new() } else { topics };
    let groups = vec![OffsetFetchResponseGroup { group_id: GROUP, topics, error_code }];
    let mut out = Vec::new();
    OffsetFetchResponse { throttle_time_ms: 0, groups }.encode(9, &mut out).unwrap();
    out
}

fn version_of(api: ApiKey) -> i16 {
    match api {
        ApiKey::FindCoordinator | ApiKey::Heartbeat => 4,
        ApiKey::SyncGroup | ApiKey::LeaveGroup | ApiKey::ListGroups => 5,
        ApiKey::DescribeGroups => 6,
        ApiKey::OffsetDelete => 0,
        _ => 9,
    }
}
