//! OffsetDelete: offsets that an administrator takes away (KIP-496).

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::super::now::Now;
use super::super::offsets::OffsetRecord;
use super::group::{Group, State};
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::consumer_protocol::ConsumerProtocolSubscription;
use crate::protocol::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use crate::wire::WireError;

/// When the group has members, of which nobody knows what they read.
const NON_EMPTY_GROUP: ErrorCode = ErrorCode(68);

/// When a member reads the topic.
const GROUP_SUBSCRIBED_TO_TOPIC: ErrorCode = ErrorCode(86);

/// The protocol type of consumers, who tell what they read.
const CONSUMER: &str = "consumer";

impl GroupCoordinator {
    pub(super) fn handle_offset_delete(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = OffsetDeleteRequest::decode(incoming.body, incoming.version)?;
        let group_id = request.group_id;
        let group = self.groups.get(group_id);
        let settled = self.check_settled(group_id, now);
        let subscribed = match group {
            _ if settled.is_err() => settled.map(|()| BTreeSet::new()),
            Some(group) => group.subscribed_topics(),
            None if self.offsets.group(group_id).is_some() => Ok(BTreeSet::new()),
            None => Err(ErrorCode::GROUP_ID_NOT_FOUND),
        };
        let mut response = OffsetDeleteResponse::default();
        match subscribed {
            Err(code) => response.error_code = code,
            Ok(subscribed) => {
                for topic in &request.topics {
                    let is_free = !subscribed.contains(topic.name);
                    let error_code =
                        if is_free { ErrorCode::NONE } else { GROUP_SUBSCRIBED_TO_TOPIC };
                    let mut partitions = Vec::new();
                    for partition in &topic.partitions {
                        let partition_index = partition.partition_index;
                        if is_free {
                            self.delete(group_id, topic.name, partition_index);
                        }
                        partitions
                            .push(OffsetDeleteResponsePartition { partition_index, error_code });
                    }
                    let name = topic.name;
                    response.topics.push(OffsetDeleteResponseTopic { name, partitions });
                }
            }
        }
        self.outbox.push(incoming.reply(), |version, out| response.encode(version, out));
        Ok(())
    }

    fn delete(&mut self, group: &str, topic: &str, partition: i32) {
        if self.offsets.committed(group, topic, partition).is_some() {
            self.write(OffsetRecord {
                group: group.to_owned(),
                topic: topic.to_owned(),
                partition,
                committed: None,
            });
        }
    }
}

impl Group {
    /// Returns the topics whose offsets the members need.
    fn subscribed_topics(&self) -> Result<BTreeSet<String>, ErrorCode> {
        if self.state == State::Empty {
            return Ok(BTreeSet::new());
        }
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return Err(NON_EMPTY_GROUP);
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            for (_, metadata) in &member.protocols {
                let subscription = ConsumerProtocolSubscription::decode(metadata);
                // A member whose words nobody understands may read any topic.
                let subscription = subscription.map_err(|_| NON_EMPTY_GROUP)?;
                topics.extend(subscription.topics.into_iter().map(str::to_owned));
            }
        }
        Ok(topics)
    }
}
