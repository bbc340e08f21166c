//! What an administrator does to the topics of a [`Cluster`].

use super::helper::{Row, ToolOutput, helper};
use super::kafka::Cluster;

/// Where ListOffsets is asked to look.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Earliest,
    Latest,
    MaxTimestamp,
    /// The first record with this time or a later one.
    TimestampMs(i64),
}

/// What ListOffsets answered; −1 for what it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundOffset {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) leader_epoch: i32,
}

/// The state of a partition as the brokers' metadata has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionState {
    pub(crate) partition: i32,
    pub(crate) leader: Option<u32>,
    pub(crate) replicas: Vec<u32>,
    pub(crate) in_sync: Vec<u32>,
}

impl Cluster {
    /// Creates a topic whose partitions have the given replicas, the first of them leading, and
    /// waits until every broker knows the leaders.
    pub(crate) fn create_topic_on(
        &self,
        topic: &str,
        replicas: &[&[u32]],
        configs: &[(&str, &str)],
    ) {
        let rows: Vec<Row> =
            replicas.iter().map(|ids| ids.iter().map(u32::to_string).collect()).collect();
        let configs = pairs(configs);
        let bootstrap = self.bootstrap();
        let mut arguments = vec![bootstrap.as_str(), topic];
        arguments.extend(configs.iter().map(String::as_str));
        helper().expect("create_topic", &arguments, &rows);
    }

    /// Creates a topic with one replica of each partition, spread over the brokers in turn.
    pub(crate) fn create_topic(&self, topic: &str, partitions: usize, configs: &[(&str, &str)]) {
        let ids: Vec<[u32; 1]> = self.brokers().iter().map(|broker| [broker.id()]).collect();
        let replicas: Vec<&[u32]> =
            ids.iter().map(<[u32; 1]>::as_slice).cycle().take(partitions).collect();
        self.create_topic_on(topic, &replicas, configs);
    }

    pub(crate) fn delete_topic(&self, topic: &str) {
        helper().expect("delete_topic", &[&self.bootstrap(), topic], &[]);
    }

    /// Changes the configuration of a topic; the brokers follow a moment later.
    pub(crate) fn alter_topic(&self, topic: &str, configs: &[(&str, &str)]) {
        let configs = pairs(configs);
        let bootstrap = self.bootstrap();
        let mut arguments = vec![bootstrap.as_str(), topic];
        arguments.extend(configs.iter().map(String::as_str));
        helper().expect("alter_topic", &arguments, &[]);
    }

    /// Returns the topic's id, as Kafka prints it, and the state of its partitions.
    pub(crate) fn describe_topic(&self, topic: &str) -> (String, Vec<PartitionState>) {
        let rows = helper().expect("describe_topic", &[&self.bootstrap(), topic], &[]);
        let ids = |field: &str| field.split(',').filter_map(|id| id.parse().ok()).collect();
        let partition = |row: &Row| PartitionState {
            partition: row[0].parse().expect("a number"),
            leader: row[1].parse().ok(),
            replicas: ids(&row[2]),
            in_sync: ids(&row[3]),
        };
        (rows[0][0].clone(), rows[1..].iter().map(partition).collect())
    }

    /// Deletes the records before `offset` and returns the log start offset.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> i64 {
        let arguments = [&self.bootstrap(), topic, &partition.to_string(), &offset.to_string()];
        helper().expect("delete_records", &arguments, &[])[0][0].parse().expect("an offset")
    }

    pub(crate) fn list_offset(&self, topic: &str, partition: i32, at: At) -> FoundOffset {
        let at = match at {
            At::Earliest => "earliest".to_owned(),
            At::Latest => "latest".to_owned(),
            At::MaxTimestamp => "max_timestamp".to_owned(),
            At::TimestampMs(timestamp_ms) => timestamp_ms.to_string(),
        };
        let arguments = [&self.bootstrap(), topic, &partition.to_string(), &at];
        let row = helper().expect("list_offset", &arguments, &[]).remove(0);
        FoundOffset {
            offset: row[0].parse().expect("an offset"),
            timestamp_ms: row[1].parse().expect("a time"),
            leader_epoch: row[2].parse().expect("an epoch"),
        }
    }

    /// Makes a broker the leader of a partition, replacing its last replica where it had none,
    /// and waits until every broker says so.
    pub(crate) fn move_leader(&self, topic: &str, partition: i32, broker: u32) {
        let arguments = [&self.bootstrap(), topic, &partition.to_string(), &broker.to_string()];
        helper().expect("move_leader", &arguments, &[]);
    }

    /// Runs Kafka's dump tool over all segments of a partition on one broker.
    pub(crate) fn dump_segments(
        &self,
        broker: u32,
        topic: &str,
        partition: i32,
        options: &[&str],
    ) -> ToolOutput {
        let segments = self.broker(broker).segments(topic, partition);
        let files: Vec<String> = segments.iter().map(|path| path.display().to_string()).collect();
        let files = files.join(",");
        let arguments = [&["--files", files.as_str()], options].concat();
        helper().tool("kafka.tools.DumpLogSegments", &arguments)
    }
}

/// Joins names and values as the helper's commands take them.
pub(crate) fn pairs(properties: &[(&str, &str)]) -> Vec<String> {
    properties.iter().map(|(name, value)| format!("{name}={value}")).collect()
}
