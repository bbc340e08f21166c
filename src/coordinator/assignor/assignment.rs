//! What a member gets.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::GroupMember;
use crate::protocol::consumer_protocol::{
    ConsumerProtocolAssignment, TopicPartitions, VERSION_MAX,
};
use crate::topic::TopicName;
use crate::wire::{EncodeError, Int32Array, WireError};

/// What a member gets in one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The partitions that it is to read.
    pub partitions: Vec<(TopicName, i32)>,
    /// What the leader's assignor tells the member's own.
    pub user_data: Option<Vec<u8>>,
}

impl Assignment {
    /// Returns the bytes for a SyncGroup request, of the highest version, as Java writes them: a
    /// topic stands where its first partition does.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let topics = by_topic(&self.partitions);
        let assignment = ConsumerProtocolAssignment {
            assigned_partitions: wire_topics(&topics),
            user_data: self.user_data.as_deref(),
        };
        let mut bytes = Vec::new();
        assignment.encode(VERSION_MAX, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the bytes of a SyncGroup response. They are the leader's, which may be another
    /// client: whether the partitions exist, and only once, is not checked.
    ///
    /// # Errors
    ///
    /// Why they are not an assignment. Bytes that are empty are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read = ConsumerProtocolAssignment::decode(bytes)?;
        Ok(Self {
            partitions: flat(&read.assigned_partitions)?,
            user_data: read.user_data.map(<[u8]>::to_vec),
        })
    }
}

/// What one member of a group gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberAssignment {
    /// The member's id.
    pub member_id: String,
    /// What it gets.
    pub assignment: Assignment,
}

impl MemberAssignment {
    /// Begins the assignment of a member.
    pub fn nothing(member: &GroupMember) -> Self {
        Self { member_id: member.member_id.clone(), assignment: Assignment::default() }
    }
}

/// Partitions by topic, in the order in which the topics came.
pub(super) fn by_topic<'a>(
    partitions: impl IntoIterator<Item = &'a (TopicName, i32)>,
) -> Vec<(&'a str, Vec<i32>)> {
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (topic, partition) in partitions {
        let place = *places.entry(topic.as_str()).or_insert(topics.len());
        match topics.get_mut(place) {
            Some((_, partitions)) => partitions.push(*partition),
            None => topics.push((topic.as_str(), vec![*partition])),
        }
    }
    topics
}

/// Borrows topics for a message.
pub(super) fn wire_topics<'a>(topics: &'a [(&str, Vec<i32>)]) -> Vec<TopicPartitions<'a>> {
    let topics = topics.iter().map(|(topic, partitions)| TopicPartitions {
        topic,
        partitions: Int32Array::Values(partitions),
    });
    topics.collect()
}

/// Takes over the topics of a message; a topic's partitions share one copy of its name.
pub(super) fn flat(topics: &[TopicPartitions<'_>]) -> Result<Vec<(TopicName, i32)>, WireError> {
    let mut partitions = Vec::with_capacity(topics.iter().map(|t| t.partitions.len()).sum());
    for topic in topics {
        let topic_name = name(topic.topic)?;
        partitions.extend(topic.partitions.iter().map(|number| (topic_name.clone(), number)));
    }
    Ok(partitions)
}

/// Takes over a topic's name; no topic has a NUL in it.
pub(super) fn name(topic: &str) -> Result<TopicName, WireError> {
    if topic.contains('\0') { Err(WireError::InvalidUtf8) } else { Ok(TopicName::new(topic)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_were_written() {
        let [a, b] = ["a", "b"].map(TopicName::new);
        let partitions = vec![(b.clone(), 1), (a.clone(), 7), (b.clone(), 0)];
        let assignment = Assignment { partitions, user_data: Some(Vec::new()) };
        let read = Assignment::decode(&assignment.encode().unwrap()).unwrap();
        assert_eq!(read.partitions, [(b.clone(), 1), (b, 0), (a, 7)]);
        assert_eq!(read.user_data, assignment.user_data);
    }
}
