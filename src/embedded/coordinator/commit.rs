//! OffsetCommit: who may commit, and what is written.

#![forbid(unsafe_code)]

use super::super::now::Now;
use super::super::offsets::{CommittedOffset, OffsetRecord};
use super::group::{Group, State};
use super::machine::{GroupCoordinator, Incoming};
use crate::protocol::ErrorCode;
use crate::protocol::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::wire::WireError;

/// The longest name that a topic may have, since `<name>-<partition>` is a file's name.
const TOPIC_NAME_BYTES_MAX: usize = 249;

/// The longest group id that the key of an offset's record can have.
const GROUP_ID_BYTES_MAX: usize = 32_767;

impl GroupCoordinator {
    pub(super) fn handle_commit(
        &mut self,
        now: Now,
        incoming: &Incoming<'_>,
    ) -> Result<(), WireError> {
        let request = OffsetCommitRequest::decode(incoming.body, incoming.version)?;
        let refused = self.check_commit(&request, now).err();
        let mut topics = Vec::new();
        for topic in &request.topics {
            let partitions = topic.partitions.iter().map(|partition| {
                let committed = match refused {
                    Some(code) => Err(code),
                    None => self.commit(request.group_id, topic.name, partition, now),
                };
                let error_code = committed.err().unwrap_or_default();
                let partition_index = partition.partition_index;
                OffsetCommitResponsePartition { partition_index, error_code }
            });
            topics.push(OffsetCommitResponseTopic {
                name: topic.name,
                partitions: partitions.collect(),
                ..OffsetCommitResponseTopic::default()
            });
        }
        let response = OffsetCommitResponse { throttle_time_ms: 0, topics };
        self.outbox.push(incoming.reply(), |version, out| response.encode(version, out));
        Ok(())
    }

    /// Checks who commits. Where there is no group, that is somebody who assigns partitions by
    /// hand.
    fn check_commit(
        &mut self,
        request: &OffsetCommitRequest<'_>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        match self.groups.get_mut(request.group_id) {
            _ if request.group_id.len() > GROUP_ID_BYTES_MAX => Err(ErrorCode::INVALID_GROUP_ID),
            Some(group) => group.check_commit(request, now),
            None if request.generation_id_or_member_epoch < 0 => Ok(()),
            None => Err(ErrorCode::ILLEGAL_GENERATION),
        }
    }

    fn commit(
        &mut self,
        group: &str,
        topic: &str,
        partition: &OffsetCommitRequestPartition<'_>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let metadata = partition.committed_metadata.unwrap_or_default();
        if topic.is_empty() || topic.len() > TOPIC_NAME_BYTES_MAX {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        if partition.partition_index < 0 {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        if partition.committed_offset < 0 {
            // −1 is how an answer says that there is none.
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if metadata.len() > self.settings.offset_metadata_bytes_max {
            return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
        }
        self.write(OffsetRecord {
            group: group.to_owned(),
            topic: topic.to_owned(),
            partition: partition.partition_index,
            committed: Some(CommittedOffset {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: metadata.to_owned(),
                commit_timestamp_ms: now.epoch_ms,
                expire_timestamp_ms: None,
            }),
        });
        Ok(())
    }
}

impl Group {
    fn check_commit(
        &mut self,
        request: &OffsetCommitRequest<'_>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let is_by_member =
            generation >= 0 || !request.member_id.is_empty() || request.group_instance_id.is_some();
        if !is_by_member {
            // The partitions belong to the members, so they alone know how far those are.
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(request.member_id, request.group_instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if self.state == State::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.renew_session(request.member_id, now.instant);
        Ok(())
    }
}
