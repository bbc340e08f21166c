//! A model of an application: it consumes, commits, revokes and assigns as consumers do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kfetch::coordinator::command::{Commit, CommitOffset, MemberCommand};
use kfetch::coordinator::notice::{JoinedMember, Membership, Notice};
use kfetch::coordinator::poll_clock::PollClock;
use kfetch::topic::TopicName;

use super::event::Event;

/// How long a synchronous commit may take.
const COMMIT_TIME: Duration = Duration::from_secs(4);
const FETCH_TIME: Duration = Duration::from_secs(8);
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// The most records that one turn brings of a partition.
const RECORDS_MAX: i64 = 20;

/// The application of one member.
#[derive(Debug)]
pub(crate) struct Application {
    client: usize,
    pub(crate) clock: Arc<PollClock>,
    cooperative: bool,
    is_static: bool,
    pub(crate) notices: VecDeque<Notice>,
    /// What it owns, with its positions where they are known.
    pub(crate) owned: BTreeMap<i32, Option<i64>>,
    membership: Option<Membership>,
    /// The commit that is awaited before partitions are revoked and the group joined again.
    wait: Option<(u64, Vec<i32>)>,
    fetching: Option<u64>,
    next_id: u64,
    turns: u64,
    /// Whether a join is under way.
    joins: bool,
    /// Whether it ends only when no rebalance keeps it from committing.
    pub(crate) ends_settled: bool,
    pub(crate) state: Life,
    /// What the turn wants of the member.
    pub(crate) commands: Vec<MemberCommand>,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    New,
    Running,
    /// When it is to end.
    Ending,
    Leaving,
    Ended,
    /// When its membership has failed for good.
    Failed,
}

impl Application {
    pub(crate) fn new(client: usize, now: Instant, cooperative: bool, is_static: bool) -> Self {
        Self {
            client,
            clock: Arc::new(PollClock::new(now)),
            cooperative,
            is_static,
            notices: VecDeque::new(),
            owned: BTreeMap::new(),
            membership: None,
            wait: None,
            fetching: None,
            next_id: 1,
            turns: 0,
            joins: false,
            ends_settled: false,
            state: Life::New,
            commands: Vec::new(),
            events: Vec::new(),
        }
    }

    /// One poll, with the partitions' log ends.
    pub(crate) fn turn(&mut self, now: Instant, ends: &[i64]) {
        self.clock.begin_poll();
        self.turns += 1;
        if self.state == Life::New {
            self.state = Life::Running;
            self.join("it starts");
        }
        while let Some(notice) = self.notices.pop_front() {
            self.take(now, notice, ends.len());
        }
        match self.state {
            Life::Ending if !self.ends_settled || self.is_settled() => self.leave(now),
            _ if self.goes_on() && self.wait.is_none() => self.consume(now, ends),
            _ => {}
        }
        self.clock.end_poll(now);
    }

    /// Tells whether it does not leave yet.
    fn goes_on(&self) -> bool {
        matches!(self.state, Life::Running | Life::Ending)
    }

    fn is_settled(&self) -> bool {
        self.membership.is_some() && self.wait.is_none() && !self.joins
    }

    fn take(&mut self, now: Instant, notice: Notice, partitions: usize) {
        match notice {
            Notice::Rejoin { .. } if self.wait.is_none() && self.goes_on() => {
                let revoked = if self.cooperative { Vec::new() } else { self.partitions() };
                self.give_up(now, revoked);
            }
            Notice::Lost { .. } => {
                self.owned.clear();
                (self.membership, self.wait, self.fetching) = (None, None, None);
                self.events.push(Event::Dropped { client: self.client });
                if self.goes_on() {
                    self.join("the membership was lost");
                }
            }
            Notice::Lead { membership, members, skips_assignment: false, .. } => {
                let assignments = assign(&members, partitions, self.cooperative);
                let generation = membership.generation;
                self.commands.push(MemberCommand::Assign { generation, assignments });
            }
            Notice::Assigned { membership, assignment, .. } if self.goes_on() => {
                self.assigned(now, membership, &assignment);
            }
            Notice::Fetched { id, result } if self.fetching == Some(id) => {
                self.fetching = None;
                for told in result.into_iter().flatten() {
                    let Ok(committed) = told.committed else { continue };
                    let offset = committed.map_or(0, |committed| committed.offset);
                    if self.owned.get(&told.partition) == Some(&None) {
                        self.owned.insert(told.partition, Some(offset));
                        let (client, partition) = (self.client, told.partition);
                        self.events.push(Event::Started { client, partition, offset });
                    }
                }
            }
            Notice::Committed { id, .. } => {
                self.events.push(Event::Told { client: self.client, id });
                if let Some((_, revoked)) = self.wait.take_if(|(wait, _)| *wait == id) {
                    self.revoke(revoked);
                }
            }
            Notice::Left => self.state = Life::Ended,
            Notice::Failed(error) if error.is_fatal() => {
                self.owned.clear();
                self.state = Life::Failed;
                self.events.push(Event::Dropped { client: self.client });
            }
            _ => {}
        }
    }

    fn assigned(&mut self, now: Instant, membership: Membership, assignment: &[u8]) {
        let assignment: BTreeSet<i32> = assignment.iter().map(|byte| i32::from(*byte)).collect();
        let generation = membership.generation;
        self.membership = Some(membership);
        (self.joins, self.fetching) = (false, None);
        let owned: BTreeSet<i32> = self.owned.keys().copied().collect();
        let added: Vec<i32> = assignment.difference(&owned).copied().collect();
        let revoked: Vec<i32> = owned.difference(&assignment).copied().collect();
        self.owned.extend(added.iter().map(|partition| (*partition, None)));
        let client = self.client;
        self.events.push(Event::Assigned { client, generation, partitions: added });
        if !revoked.is_empty() {
            self.give_up(now, revoked);
        }
    }

    /// Commits, revokes and joins again.
    fn give_up(&mut self, now: Instant, revoked: Vec<i32>) {
        match self.commit(now, true) {
            Some(id) if !revoked.is_empty() => self.wait = Some((id, revoked)),
            _ => self.revoke(revoked),
        }
    }

    fn revoke(&mut self, revoked: Vec<i32>) {
        self.owned.retain(|partition, _| !revoked.contains(partition));
        let client = self.client;
        self.events.push(Event::Revoked { client, partitions: revoked });
        self.join("the group rebalances");
    }

    fn join(&mut self, reason: &str) {
        let owned = self.partitions();
        let bytes = owned.iter().map(|partition| u8::try_from(*partition).unwrap());
        let metadata = if self.cooperative { bytes.collect() } else { Vec::new() };
        self.joins = true;
        self.events.push(Event::Joins { client: self.client });
        let protocols = vec![("model".to_owned(), metadata)];
        self.commands.push(MemberCommand::Join { join: 1, protocols, reason: reason.to_owned() });
    }

    fn consume(&mut self, now: Instant, ends: &[i64]) {
        let client = self.client;
        for (&partition, position) in &mut self.owned {
            let (Some(from), end) = (*position, ends[usize::try_from(partition).unwrap()]) else {
                continue;
            };
            let to = end.min(from + RECORDS_MAX);
            if from < to {
                *position = Some(to);
                self.events.push(Event::Delivered { client, partition, from, to });
            }
        }
        if self.fetching.is_none() && self.owned.values().any(Option::is_none) {
            let open = self.owned.iter().filter(|(_, position)| position.is_none());
            let name = |(partition, _): (&i32, _)| (TopicName::new("t"), *partition);
            let partitions = Some(open.map(name).collect());
            let (id, deadline) = (self.id(), now + FETCH_TIME);
            self.fetching = Some(id);
            self.commands.push(MemberCommand::Fetch { id, partitions, deadline });
        }
        if self.turns.is_multiple_of(5) {
            self.commit(now, false);
        }
    }

    /// Commits all positions; returns the commit's number, if there is anything to commit.
    fn commit(&mut self, now: Instant, retries: bool) -> Option<u64> {
        let membership = Some(self.membership.clone()?);
        let known = self.owned.iter();
        let known = known.filter_map(|(partition, position)| Some((*partition, (*position)?)));
        let offsets: Vec<(i32, i64)> = known.collect();
        if offsets.is_empty() {
            return None;
        }
        let (id, client) = (self.id(), self.client);
        self.events.push(Event::Commits { client, id, offsets: offsets.clone() });
        let offset = |(partition, offset): (i32, i64)| CommitOffset {
            topic: TopicName::new("t"),
            partition,
            offset,
            leader_epoch: -1,
            metadata: String::new(),
        };
        let offsets = offsets.into_iter().map(offset).collect();
        let deadline = now + COMMIT_TIME;
        let commit = Commit { id, offsets, membership, retries, deadline };
        self.commands.push(MemberCommand::Commit(commit));
        Some(id)
    }

    fn leave(&mut self, now: Instant) {
        self.state = Life::Leaving;
        self.wait = None;
        self.commit(now, true);
        let partitions = self.partitions();
        self.owned.clear();
        self.events.push(Event::Revoked { client: self.client, partitions });
        let (reason, tells, deadline) = ("it ends".to_owned(), !self.is_static, now + LEAVE_TIME);
        self.commands.push(MemberCommand::Leave { reason, tells, deadline });
    }

    fn partitions(&self) -> Vec<i32> {
        self.owned.keys().copied().collect()
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Deals the partitions out in turn; what another member still owns is held back where members
/// keep their partitions through a rebalance.
fn assign(
    members: &[JoinedMember],
    partitions: usize,
    cooperative: bool,
) -> Vec<(String, Vec<u8>)> {
    let mut sorted: Vec<&JoinedMember> = members.iter().collect();
    sorted.sort_by_key(|member| (&member.group_instance_id, &member.member_id));
    let mut dealt: Vec<(String, Vec<u8>)> =
        sorted.iter().map(|member| (member.member_id.clone(), Vec::new())).collect();
    for partition in 0..u8::try_from(partitions).unwrap() {
        let place = usize::from(partition) % sorted.len();
        let mut others = sorted.iter().enumerate().filter(|(other, _)| *other != place);
        let is_held = others.any(|(_, member)| member.metadata.contains(&partition));
        if !(cooperative && is_held) {
            dealt[place].1.push(partition);
        }
    }
    dealt
}
