//! Questions about groups: which there are, who the members are; and deleting offsets.

use std::time::Duration;

use super::commit::{Settled, Waiting, finite_deadline, no_group};
use crate::client::consumer::Consumer;
use crate::client::engine::dead;
use crate::coordinator::command::MemberCommand;
use crate::coordinator::question::{GroupDescription, GroupListing, Question, Told};
use crate::error::Result;
use crate::topic::TopicPartition;

impl Consumer {
    /// Lists the groups of all brokers by their names, after waiting up to `timeout`; for log
    /// directories those of their coordinator. Any `group.id` will do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) without `group.id`,
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) where a broker does not answer, and what
    /// brokers say.
    pub fn list_groups(&mut self, timeout: Duration) -> Result<Vec<GroupListing>> {
        match self.ask_member(Question::Groups, timeout)? {
            Told::Groups(groups) => Ok(groups),
            _ => Err(dead()),
        }
    }

    /// Describes the consumer's group, whether this consumer is a member or not, after waiting up
    /// to `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::list_groups`]; code 69 (`GROUP_ID_NOT_FOUND`) where there is no such group of
    /// the classic protocol.
    pub fn describe_group(&mut self, timeout: Duration) -> Result<GroupDescription> {
        match self.ask_member(Question::Group, timeout)? {
            Told::Group(group) => Ok(group),
            _ => Err(dead()),
        }
    }

    /// Makes the consumer's group forget what it has committed for these partitions (KIP-496), and
    /// waits up to `timeout`; one result for each partition. An offset that was never committed is
    /// deleted as well.
    ///
    /// # Errors
    ///
    /// As [`Consumer::describe_group`]; for a partition of whose topic a member of the group reads,
    /// the code 86 (`GROUP_SUBSCRIBED_TO_TOPIC`).
    pub fn delete_offsets(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Result<()>>> {
        self.check_group()?;
        let asked = self.shared_names(partitions)?;
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        match self.ask_member(Question::DeleteOffsets(asked), timeout)? {
            Told::Deleted(results) => Ok(results),
            _ => Err(dead()),
        }
    }

    fn ask_member(&mut self, question: Question, timeout: Duration) -> Result<Told> {
        self.check_group()?;
        let deadline = finite_deadline(timeout);
        let Some(group) = &mut self.group else { return Err(no_group()) };
        let id = group.new_id();
        group.waiting.insert(id, Waiting::Call);
        self.send_member(MemberCommand::Ask { id, question, deadline })?;
        match self.wait_for_answer(id)? {
            Settled::Told(result) => result,
            Settled::Committed(_) | Settled::Fetched(_) => Err(dead()),
        }
    }
}
