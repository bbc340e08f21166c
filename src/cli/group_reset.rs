//! Where `kfetch group reset` puts a group, partition by partition.

use std::time::{SystemTime, UNIX_EPOCH};

use kfetch::{Consumer, Error, TopicPartition};

use crate::failure::Outcome;
use crate::reset_to::ResetTo;
use crate::start::{Deadline, Wanted, find};
use crate::start_at::StartAt;
use crate::table::{Align, Table};

/// The offset that a partition gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) partition: TopicPartition,
    /// What is committed now, where anything is.
    pub(crate) committed_offset: Option<i64>,
    pub(crate) new_offset: i64,
}

/// Finds the new offset of every partition of some topics; the committed ones are not looked up.
///
/// # Errors
///
/// What the library says of a topic or of any partition: a group is put as a whole or not at all.
pub(crate) fn targets(
    consumer: &mut Consumer,
    topics: &[String],
    to: ResetTo,
    deadline: Deadline,
) -> Outcome<Vec<Target>> {
    let mut partitions = Vec::new();
    for topic in topics {
        let wanted = Wanted { topic, partitions: &[], start_at: StartAt::Beginning };
        partitions.extend(find(consumer, &wanted, deadline)?);
    }
    // A topic that was named twice.
    partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    partitions.dedup();
    let offsets = offsets(consumer, &partitions, to, deadline)?;
    let target = |(partition, new_offset)| Target { partition, committed_offset: None, new_offset };
    Ok(partitions.into_iter().zip(offsets).map(target).collect())
}

fn offsets(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    to: ResetTo,
    deadline: Deadline,
) -> Outcome<Vec<i64>> {
    match to {
        ResetTo::Earliest => all(consumer.beginning_offsets(partitions, deadline.left())?),
        ResetTo::Latest => all(consumer.end_offsets(partitions, deadline.left())?),
        ResetTo::At(offset) => {
            let first = all(consumer.beginning_offsets(partitions, deadline.left())?)?;
            let end = all(consumer.end_offsets(partitions, deadline.left())?)?;
            // The end wins, should the first offset have moved beyond it meanwhile.
            let within = |(first, end): (i64, i64)| offset.max(first).min(end);
            Ok(first.into_iter().zip(end).map(within).collect())
        }
        ResetTo::TimestampMs(ms) => since(consumer, partitions, ms, deadline),
        ResetTo::ByDuration(age) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let ms = now.saturating_sub(age).as_millis();
            since(consumer, partitions, i64::try_from(ms).unwrap_or(i64::MAX), deadline)
        }
    }
}

/// Finds the first record of that time or later, and the end where there is none.
fn since(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    ms: i64,
    deadline: Deadline,
) -> Outcome<Vec<i64>> {
    // Asked first, so that no record that comes meanwhile is stepped over.
    let ends = all(consumer.end_offsets(partitions, deadline.left())?)?;
    let times: Vec<_> = partitions.iter().map(|partition| (partition.clone(), ms)).collect();
    let found = all(consumer.offsets_for_times(&times, deadline.left())?)?;
    let offsets = found.into_iter().zip(ends);
    Ok(offsets.map(|(found, end)| found.map_or(end, |found| found.offset)).collect())
}

fn all<T>(answers: Vec<Result<T, Error>>) -> Outcome<Vec<T>> {
    Ok(answers.into_iter().collect::<Result<_, _>>()?)
}

/// Returns a table for people.
pub(crate) fn text(group: &str, targets: &[Target]) -> String {
    let mut table = Table::new([
        ("GROUP", Align::Left),
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("COMMITTED", Align::Right),
        ("NEW", Align::Right),
    ]);
    for Target { partition, committed_offset, new_offset } in targets {
        table.push([
            group.to_owned(),
            partition.topic.clone(),
            partition.partition.to_string(),
            committed_offset.map_or_else(String::new, |offset| offset.to_string()),
            new_offset.to_string(),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use kfetch::record::NewRecord;
    use kfetch::{Config, LogWriter, LogWriterOptions};

    use super::*;

    const DAY_MS: i64 = 24 * 3600 * 1000;

    fn now_ms() -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(now.as_millis()).unwrap()
    }

    /// Makes two topics: one of two partitions, with a record for each day up to today, and an
    /// empty one.
    fn log_dir(name: &str, now_ms: i64) -> PathBuf {
        let path = std::env::temp_dir().join(format!("kfetch-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        for (topic, partition, days) in [("days", 0, 10), ("days", 1, 3), ("empty", 0, 0)] {
            let options = LogWriterOptions::default();
            let mut writer = LogWriter::open(&path, topic, partition, options).unwrap();
            for day in (0..days).rev() {
                let timestamp = now_ms - day * DAY_MS;
                writer.append(&[NewRecord { timestamp, ..NewRecord::default() }]).unwrap();
            }
            writer.close().unwrap();
        }
        path
    }

    fn consumer(log_dir: &Path) -> Consumer {
        let config = Config::new().with("log.dirs", log_dir.to_str().unwrap()).unwrap();
        Consumer::new(&config).unwrap()
    }

    #[test]
    fn each_form_gives_an_offset_for_each_partition() {
        let now = now_ms();
        let path = log_dir("group-reset", now);
        let mut consumer = consumer(&path);
        let topics = ["empty", "days", "empty"].map(str::to_owned);
        let two_and_a_half_days = Duration::from_secs(60 * 3600);
        for (to, offsets) in [
            (ResetTo::Earliest, [0, 0, 0]),
            (ResetTo::Latest, [10, 3, 0]),
            (ResetTo::At(5), [5, 3, 0]),
            (ResetTo::TimestampMs(0), [0, 0, 0]),
            (ResetTo::TimestampMs(now - 4 * DAY_MS), [5, 0, 0]),
            (ResetTo::TimestampMs(now + 1), [10, 3, 0]),
            (ResetTo::ByDuration(two_and_a_half_days), [7, 0, 0]),
            (ResetTo::ByDuration(Duration::MAX), [0, 0, 0]),
        ] {
            let deadline = Deadline::after(Duration::from_secs(20));
            let targets = targets(&mut consumer, &topics, to, deadline).unwrap();
            let found = targets.iter().map(|target| {
                let TopicPartition { topic, partition } = &target.partition;
                (topic.as_str(), *partition, target.new_offset)
            });
            let [of_first, of_second, of_empty] = offsets;
            let expected = [("days", 0, of_first), ("days", 1, of_second), ("empty", 0, of_empty)];
            assert_eq!(found.collect::<Vec<_>>(), expected, "{to:?}");
        }
        let deadline = Deadline::after(Duration::from_secs(20));
        let topics = ["days", "other"].map(str::to_owned);
        assert!(targets(&mut consumer, &topics, ResetTo::Latest, deadline).is_err());
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn the_table_shows_old_and_new() {
        let target = |partition, committed_offset, new_offset| Target {
            partition: TopicPartition::new("orders", partition),
            committed_offset,
            new_offset,
        };
        let targets = [target(0, Some(40), 7), target(1, None, 1234)];
        let lines = [
            "GROUP    TOPIC   PARTITION  COMMITTED   NEW",
            "billing  orders          0         40     7",
            "billing  orders          1          -  1234",
            "",
        ];
        assert_eq!(text("billing", &targets), lines.join("\n"));
    }
}
