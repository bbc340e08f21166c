//! The members of a group, as its leader knows them.

#![forbid(unsafe_code)]

use crate::protocol::consumer_protocol::{ConsumerProtocolSubscription, VERSION_MAX};
use crate::topic::TopicName;
use crate::wire::{EncodeError, WireError};

use super::assignment::{by_topic, flat, name, wire_topics};

/// A member of a group with what it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id, which no other member has.
    pub member_id: String,
    /// The `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// What it wants, and what it has.
    pub subscription: Subscription,
}

/// What a member wants, and what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics that it has subscribed to; they need not exist.
    pub topics: Vec<TopicName>,
    /// What its own assignor tells the leader's.
    pub user_data: Option<Vec<u8>>,
    /// The partitions that it owns while it joins; none of an eager member. Another member's
    /// claim: they need not exist, and others may claim the same.
    pub owned_partitions: Vec<(TopicName, i32)>,
    /// The generation in which it was assigned them, ≥ 0; none where it does not tell.
    pub generation: Option<i32>,
    /// Its `client.rack`, not empty.
    pub rack_id: Option<String>,
}

impl Subscription {
    /// Returns the bytes for a JoinGroup request, of the highest version, with topics and
    /// partitions ascending, as Java writes them.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut topics: Vec<&str> = self.topics.iter().map(TopicName::as_str).collect();
        topics.sort_unstable();
        let mut owned: Vec<&(TopicName, i32)> = self.owned_partitions.iter().collect();
        owned.sort_unstable();
        let owned = by_topic(owned);
        let subscription = ConsumerProtocolSubscription {
            topics,
            user_data: self.user_data.as_deref(),
            owned_partitions: wire_topics(&owned),
            generation_id: self.generation.unwrap_or(-1),
            rack_id: self.rack_id.as_deref(),
        };
        let mut bytes = Vec::new();
        subscription.encode(VERSION_MAX, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads a member's bytes.
    ///
    /// # Errors
    ///
    /// Why they are not a subscription.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read = ConsumerProtocolSubscription::decode(bytes)?;
        Ok(Self {
            topics: read.topics.into_iter().map(name).collect::<Result<_, _>>()?,
            user_data: read.user_data.map(<[u8]>::to_vec),
            owned_partitions: flat(&read.owned_partitions)?,
            generation: Some(read.generation_id).filter(|generation| *generation >= 0),
            rack_id: read.rack_id.filter(|rack| !rack.is_empty()).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_were_written() {
        let [a, b] = ["a", "b"].map(TopicName::new);
        let subscription = Subscription {
            topics: vec![b.clone(), a.clone()],
            user_data: Some(vec![1]),
            owned_partitions: vec![(b.clone(), 1), (a.clone(), 7), (b.clone(), 0)],
            generation: Some(3),
            rack_id: Some("r".to_owned()),
        };
        let read = Subscription::decode(&subscription.encode().unwrap()).unwrap();
        let sorted = vec![(a.clone(), 7), (b.clone(), 0), (b.clone(), 1)];
        let topics = vec![a, b];
        assert_eq!(read, Subscription { topics, owned_partitions: sorted, ..subscription });
        let nothing = Subscription::default();
        assert_eq!(Subscription::decode(&nothing.encode().unwrap()), Ok(nothing));
    }

    #[test]
    fn a_name_with_a_nul_is_no_topic() {
        let subscription = ConsumerProtocolSubscription {
            topics: vec!["a\0b"],
            ..ConsumerProtocolSubscription::default()
        };
        let mut bytes = Vec::new();
        subscription.encode(VERSION_MAX, &mut bytes).unwrap();
        assert_eq!(Subscription::decode(&bytes), Err(WireError::InvalidUtf8));
    }
}
