//! `kfetch group delete-offsets`: makes a group forget what it has committed for topics.

use kfetch::{OffsetAndMetadata, TopicPartition};

use crate::failure::{Failure, Outcome};
use crate::group::{Client, close, print};
use crate::group_args::DeleteOffsetsArgs;
use crate::message;
use crate::progress::waiting_for;
use crate::table::{Align, Table};

/// Runs the command.
///
/// # Errors
///
/// What the library says; [`Failure::Reported`] where not all of it could be deleted.
pub(crate) fn run(args: &DeleteOffsetsArgs) -> Outcome {
    let client = Client::new(&args.source)?;
    let mut consumer = client.consumer(&args.group)?;
    let mut offsets = waiting_for("the coordinator", || consumer.all_committed(client.left()))?;
    offsets.retain(|(partition, _)| args.topics.contains(&partition.topic));
    offsets.sort_by(|(a, _), (b, _)| a.cmp(b));
    let partitions: Vec<_> = offsets.iter().map(|(partition, _)| partition.clone()).collect();
    let results =
        waiting_for("the coordinator", || consumer.delete_offsets(&partitions, client.left()))?;
    close(consumer);
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for (offset, result) in offsets.into_iter().zip(results) {
        match result {
            Ok(()) => deleted.push(offset),
            Err(error) => errors.push(message::of(&error)),
        }
    }
    let has = |topic: &String| partitions.iter().any(|partition| partition.topic == *topic);
    for topic in args.topics.iter().filter(|topic| !has(topic)) {
        errors.push(format!("group {} has committed nothing for topic {topic}", args.group));
    }
    if !deleted.is_empty() {
        print(text(&args.group, &deleted).as_bytes())?;
    }
    errors.iter().for_each(|error| message::error(error));
    if errors.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}

/// Returns a table for people.
fn text(group: &str, deleted: &[(TopicPartition, OffsetAndMetadata)]) -> String {
    let mut table = Table::new([
        ("GROUP", Align::Left),
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("DELETED", Align::Right),
    ]);
    for (partition, offset) in deleted {
        table.push([
            group.to_owned(),
            partition.topic.clone(),
            partition.partition.to_string(),
            offset.offset.to_string(),
        ]);
    }
    table.text()
}
