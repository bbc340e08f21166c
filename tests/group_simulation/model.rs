//! A model of how an application answers its group: it joins, revokes and assigns.

use std::collections::BTreeSet;
use std::time::Instant;

use kfetch::coordinator::command::MemberCommand;
use kfetch::coordinator::notice::{JoinedMember, Membership, Notice};

use super::application::{LEAVE_TIME, Life};
use super::event::Event;
use super::reader::Reader;

/// How far an application is with its group.
#[derive(Debug)]
pub(crate) struct Model {
    cooperative: bool,
    membership: Option<Membership>,
    /// The commit that is awaited before partitions are revoked and the group joined again.
    wait: Option<(u64, Vec<i32>)>,
    /// Whether a join is under way.
    joins: bool,
}

impl Model {
    pub(crate) fn new(cooperative: bool) -> Self {
        Self { cooperative, membership: None, wait: None, joins: false }
    }

    /// Takes a notice; returns what it is from then on.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        notice: Notice,
        reader: &mut Reader,
        state: Life,
        partitions: usize,
    ) -> Life {
        let goes_on = matches!(state, Life::Running | Life::Ending);
        match notice {
            Notice::Rejoin { .. } if self.wait.is_none() && goes_on => {
                let revoked = if self.cooperative { Vec::new() } else { reader.partitions() };
                self.give_up(now, reader, revoked);
            }
            Notice::Lost { .. } => {
                (self.membership, self.wait) = (None, None);
                reader.forget_questions();
                reader.drop_all();
                if goes_on {
                    self.join(reader, "the membership was lost");
                }
            }
            Notice::Lead { membership, members, skips_assignment: false, .. } => {
                let assignments = assign(&members, partitions, self.cooperative);
                let generation = membership.generation;
                reader.commands.push(MemberCommand::Assign { generation, assignments });
            }
            Notice::Assigned { membership, assignment, .. } if goes_on => {
                self.assigned(now, reader, membership, &assignment);
            }
            Notice::Left => return Life::Ended,
            Notice::Failed(error) if error.is_fatal() => {
                (self.membership, self.wait) = (None, None);
                reader.drop_all();
                return Life::Failed;
            }
            _ => {}
        }
        state
    }

    pub(crate) fn handle_committed(&mut self, reader: &mut Reader, id: u64) {
        if let Some((_, revoked)) = self.wait.take_if(|(wait, _)| *wait == id) {
            self.revoke(reader, revoked);
        }
    }

    pub(crate) fn join(&mut self, reader: &mut Reader, reason: &str) {
        let owned = reader.partitions();
        let bytes = owned.iter().map(|partition| u8::try_from(*partition).unwrap());
        let metadata = if self.cooperative { bytes.collect() } else { Vec::new() };
        self.joins = true;
        reader.events.push(Event::Joins { client: reader.client });
        let protocols = vec![("model".to_owned(), metadata)];
        let reason = reason.to_owned();
        reader.commands.push(MemberCommand::Join { join: 1, protocols, reason });
    }

    pub(crate) fn leave(&mut self, now: Instant, reader: &mut Reader, tells: bool) {
        self.wait = None;
        reader.commit(now, self.membership.as_ref(), true);
        reader.let_go(reader.partitions());
        let (reason, deadline) = ("it ends".to_owned(), now + LEAVE_TIME);
        reader.commands.push(MemberCommand::Leave { reason, tells, deadline });
    }

    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Tells whether it waits to revoke.
    pub(crate) fn is_waiting(&self) -> bool {
        self.wait.is_some()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.membership.is_some() && self.wait.is_none() && !self.joins
    }

    fn assigned(
        &mut self,
        now: Instant,
        reader: &mut Reader,
        membership: Membership,
        assignment: &[u8],
    ) {
        let assignment: BTreeSet<i32> = assignment.iter().map(|byte| i32::from(*byte)).collect();
        let generation = membership.generation;
        self.membership = Some(membership);
        self.joins = false;
        reader.forget_questions();
        let owned: BTreeSet<i32> = reader.partitions().into_iter().collect();
        let added: Vec<i32> = assignment.difference(&owned).copied().collect();
        let revoked: Vec<i32> = owned.difference(&assignment).copied().collect();
        reader.take_on(generation, &added);
        if !revoked.is_empty() {
            self.give_up(now, reader, revoked);
        }
    }

    /// Commits, revokes and joins again.
    fn give_up(&mut self, now: Instant, reader: &mut Reader, revoked: Vec<i32>) {
        match reader.commit(now, self.membership.as_ref(), true) {
            Some(id) if !revoked.is_empty() => self.wait = Some((id, revoked)),
            _ => self.revoke(reader, revoked),
        }
    }

    fn revoke(&mut self, reader: &mut Reader, revoked: Vec<i32>) {
        reader.let_go(revoked);
        self.join(reader, "the group rebalances");
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
