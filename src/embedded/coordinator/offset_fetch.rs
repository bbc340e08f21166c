//! OffsetFetch: what a group has committed.
//!
//! Offsets of a transaction that is open are not waited for, though the request may ask for it
//! (KIP-447): nobody is left here who could end that transaction.

#![forbid(unsafe_code)]

use super::super::offsets::{CommittedOffset, GroupOffsets};
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use crate::wire::WireError;

impl GroupCoordinator {
    pub(super) fn handle_offset_fetch(&mut self, incoming: &Incoming<'_>) -> Result<(), WireError> {
        let request = OffsetFetchRequest::decode(incoming.body, incoming.version)?;
        let groups = request.groups.iter().map(|group| answer(group, self.offsets()));
        let response = OffsetFetchResponse { throttle_time_ms: 0, groups: groups.collect() };
        let mut body = Vec::new();
        let encoded = response.encode(incoming.version, &mut body);
        self.outbox.push(incoming.reply(), |_, out| {
            *out = body;
            encoded
        });
        Ok(())
    }
}

fn answer<'a>(
    asked: &OffsetFetchRequestGroup<'a>,
    offsets: &'a super::super::Offsets,
) -> OffsetFetchResponseGroup<'a> {
    let committed = offsets.group(asked.group_id);
    let topics = match &asked.topics {
        Some(topics) => topics
            .iter()
            .map(|topic| OffsetFetchResponseTopic {
                name: topic.name,
                partitions: topic
                    .partition_indexes
                    .into_iter()
                    .map(|index| {
                        let partitions = committed.and_then(|topics| topics.get(topic.name));
                        partition(index, partitions.and_then(|found| found.get(&index)))
                    })
                    .collect(),
                ..OffsetFetchResponseTopic::default()
            })
            .collect(),
        None => committed.map(all_topics).unwrap_or_default(),
    };
    OffsetFetchResponseGroup { group_id: asked.group_id, topics, error_code: ErrorCode::NONE }
}

fn all_topics(offsets: &GroupOffsets) -> Vec<OffsetFetchResponseTopic<'_>> {
    offsets
        .iter()
        .map(|(name, partitions)| OffsetFetchResponseTopic {
            name,
            partitions: partitions
                .iter()
                .map(|(index, committed)| partition(*index, Some(committed)))
                .collect(),
            ..OffsetFetchResponseTopic::default()
        })
        .collect()
}

fn partition(index: i32, committed: Option<&CommittedOffset>) -> OffsetFetchResponsePartition<'_> {
    OffsetFetchResponsePartition {
        partition_index: index,
        committed_offset: committed.map_or(-1, |committed| committed.offset),
        committed_leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: Some(committed.map_or("", |committed| committed.metadata.as_str())),
        error_code: ErrorCode::NONE,
    }
}
