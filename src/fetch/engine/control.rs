//! Commands of the application, and its questions.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Instant;

use super::action::Action;
use super::state::{ClusterEntry, FetchEngine, TopicsQuestion};
use crate::error::{Error, ErrorKind};
use crate::fetch::call::{ClusterId, ConsumerId};
use crate::fetch::cursor::{NewPartition, StartAt};
use crate::fetch::lookup::partition_error;
use crate::fetch::reply::{OffsetsReply, PartitionInfo, TopicInfo, TopicsReply};
use crate::protocol::ErrorCode;
use crate::protocol::metadata::{MetadataResponse, MetadataResponseTopic};
use crate::topic::TopicName;

impl FetchEngine {
    /// Takes partitions on for a consumer.
    pub fn handle_assign(&mut self, id: ConsumerId, new: Vec<NewPartition>, now: Instant) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let Some(entry) = self.clusters.get_mut(&consumer.cluster) else { return };
        for new in new {
            consumer.handle_assign(new, &mut entry.cluster, now);
        }
        let cluster = consumer.cluster;
        self.mark_cluster(cluster);
    }

    /// Lets partitions of a consumer go.
    pub fn handle_unassign(&mut self, id: ConsumerId, indexes: &[u32]) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let Some(entry) = self.clusters.get_mut(&consumer.cluster) else { return };
        for index in indexes {
            consumer.handle_unassign(*index, &mut entry.cluster);
        }
    }

    /// Moves the positions of a consumer's partitions.
    pub fn handle_seek(&mut self, id: ConsumerId, seeks: &[(u32, u32, StartAt)], now: Instant) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        for (index, stamp, start) in seeks {
            consumer.handle_seek(*index, *stamp, *start, now);
        }
        self.dirty_consumers.insert(id);
    }

    /// Stops a partition whose next record cannot be read.
    pub fn handle_halt(&mut self, id: ConsumerId, index: u32, stamp: u32) {
        if let Some(consumer) = self.consumers.get_mut(&id) {
            consumer.handle_halt(index, stamp);
        }
    }

    /// Pauses partitions, or goes on with them.
    pub fn handle_pause(&mut self, id: ConsumerId, indexes: &[u32], paused: bool) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        for index in indexes {
            consumer.handle_pause(*index, paused);
        }
        self.dirty_consumers.insert(id);
    }

    /// Takes a question for offsets; each partition is answered by `deadline`.
    pub fn handle_offsets_question(
        &mut self,
        id: ConsumerId,
        partitions: &[(TopicName, i32, i64)],
        deadline: Instant,
        reply: OffsetsReply,
        now: Instant,
    ) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let Some(entry) = self.clusters.get_mut(&consumer.cluster) else { return };
        for (topic, _, _) in partitions {
            entry.cluster.use_topic(topic, now);
        }
        consumer.lookups.question(partitions, deadline, reply);
        let cluster = consumer.cluster;
        self.mark_cluster(cluster);
    }

    /// Takes a question for topics, all of them where no names are given.
    pub fn handle_topics_question(
        &mut self,
        id: ConsumerId,
        names: Option<Vec<String>>,
        deadline: Instant,
        reply: TopicsReply,
    ) {
        let Some(consumer) = self.consumers.get(&id) else { return };
        let Some(entry) = self.clusters.get_mut(&consumer.cluster) else { return };
        let (retry_at, told) = (None, None);
        let question = TopicsQuestion { names, deadline, is_sent: false, retry_at, told, reply };
        entry.questions.insert(self.next_id, question);
        self.next_id += 1;
        let cluster = consumer.cluster;
        self.mark_cluster(cluster);
    }

    /// Looks after a consumer to which credit has come back, or one of whose rings has drained.
    pub fn handle_attention(&mut self, id: ConsumerId) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        consumer.budget.stop_wanting();
        consumer.refill();
        for connection in std::mem::take(&mut consumer.starved) {
            self.actions.push_back(Action::Resume(connection));
        }
        self.dirty_consumers.insert(id);
    }

    /// Answers the topic questions whose time is up.
    pub(super) fn expire_questions(&mut self, id: ClusterId, now: Instant) {
        let Some(entry) = self.clusters.get_mut(&id) else { return };
        let why = entry.cluster.describe_failures();
        let is_late =
            |(number, asked): (&u64, &TopicsQuestion)| (asked.deadline <= now).then_some(*number);
        let late: Vec<u64> = entry.questions.iter().filter_map(is_late).collect();
        for question in late.iter().filter_map(|number| entry.questions.remove(number)) {
            let text = format!("no broker gave usable metadata in time: {why}");
            let none = Error::new(ErrorKind::Timeout, text);
            question.reply.send(question.told.ok_or(none));
        }
    }
}

impl ClusterEntry {
    /// Takes the answer to a question for topics.
    pub(super) fn answer_question(
        &mut self,
        number: u64,
        answer: &MetadataResponse<'_>,
        now: Instant,
    ) {
        let Some(mut question) = self.questions.remove(&number) else { return };
        let infos = topic_infos(answer);
        if question.names.is_none() || !is_passing(answer) {
            return question.reply.send(Ok(infos));
        }
        question.told = Some(infos);
        question.is_sent = false;
        question.retry_at = Some(now + self.cluster.settings().retry.initial);
        self.questions.insert(number, question);
    }
}

/// Tells whether a topic that was asked for has no leaders yet, as one just made: a broker says so
/// for a moment. One that is unknown is the answer.
fn is_passing(answer: &MetadataResponse<'_>) -> bool {
    let mut codes = answer.topics.iter().map(|topic| topic.error_code);
    codes.any(|code| code.is_retriable() && code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// Returns the racks of the brokers that have one.
fn racks_by_node<'a>(answer: &MetadataResponse<'a>) -> BTreeMap<i32, &'a str> {
    let brokers = answer.brokers.iter();
    brokers.filter_map(|broker| Some((broker.node_id, broker.rack?))).collect()
}

/// Describes the topics of an answer.
fn topic_infos(answer: &MetadataResponse<'_>) -> Vec<TopicInfo> {
    let racks = racks_by_node(answer);
    answer.topics.iter().filter_map(|topic| topic_info(topic, &racks)).collect()
}

fn topic_info(topic: &MetadataResponseTopic<'_>, racks: &BTreeMap<i32, &str>) -> Option<TopicInfo> {
    let name = topic.name?;
    let rack_of = |node: i32| racks.get(&node).map(|rack| (*rack).to_owned());
    let mut partitions: Vec<PartitionInfo> = topic
        .partitions
        .iter()
        .map(|partition| PartitionInfo {
            partition: partition.partition_index,
            leader: partition.leader_id,
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.iter().collect(),
            in_sync_replicas: partition.isr_nodes.iter().collect(),
            racks: partition.replica_nodes.iter().filter_map(rack_of).collect(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    let partitions = match topic.error_code {
        ErrorCode::NONE => Ok(partitions),
        code => Err(partition_error(&TopicName::new(name), -1, code)),
    };
    let (topic_id, is_internal) = (topic.topic_id, topic.is_internal);
    let name = name.to_owned();
    Some(TopicInfo { name, topic_id, is_internal, partitions, shared_count: None })
}
