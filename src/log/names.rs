//! The names of Kafka's files and directories, both ways.
//!
//! What does not have exactly the form that a broker gives it is not taken for one of its files:
//! `.deleted`, `.cleaned` and `.swap` files, and directories of partitions that are being deleted,
//! moved (`-future`) or were found without an owner (`-stray`). The source is Kafka's
//! `LogFileUtils`.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// The file that a broker leaves in each of its log directories: whose directory it is.
pub const META_PROPERTIES: &str = "meta.properties";

/// The file of a partition's directory that holds the topic's id.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// The file of a partition's directory that holds the leader epochs and where each began.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";

/// The longest name that a topic may have, since `<name>-<partition>` is a file's name.
pub const TOPIC_NAME_LEN_MAX: usize = 249;

/// Digits of the base offset in a segment's file names.
const OFFSET_DIGITS: usize = 20;

/// The kinds of files that a segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SegmentFile {
    /// When the file holds the record batches.
    Log,
    /// When it holds offsets and positions of some batches.
    OffsetIndex,
    /// When it holds timestamps and offsets of some batches.
    TimeIndex,
    /// When it holds the aborted transactions.
    TransactionIndex,
}

impl SegmentFile {
    /// All kinds, that of the batches first.
    pub const ALL: [Self; 4] =
        [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex];

    /// Returns what follows the base offset in the name, dot included.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
        }
    }

    /// Returns the name of this file of the segment that begins with `base_offset`.
    pub fn name(self, base_offset: i64) -> String {
        format!("{base_offset:0width$}{}", self.suffix(), width = OFFSET_DIGITS)
    }

    /// Reads a name into the kind of file and the segment's base offset.
    pub fn parse(name: &str) -> Option<(Self, i64)> {
        let (digits, suffix) = name.split_at_checked(OFFSET_DIGITS)?;
        let kind = Self::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
        let base_offset = digits.parse().ok().filter(|_| is_number)?;
        Some((kind, base_offset))
    }
}

/// Returns the name of a partition's directory.
pub fn partition_directory(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Reads the name of a directory into topic and partition, if a broker would give it to one.
pub fn parse_partition_directory(name: &str) -> Option<(&str, i32)> {
    let (topic, digits) = name.rsplit_once('-')?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    let is_shortest = digits == "0" || !digits.starts_with('0');
    let partition = digits.parse().ok().filter(|_| is_number && is_shortest)?;
    is_topic_name(topic).then_some((topic, partition))
}

/// Tells whether Kafka lets a topic have this name.
pub fn is_topic_name(name: &str) -> bool {
    let is_legal = |letter: u8| letter.is_ascii_alphanumeric() || b"._-".contains(&letter);
    let is_some = !name.is_empty() && name != "." && name != "..";
    is_some && name.len() <= TOPIC_NAME_LEN_MAX && name.bytes().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_go_both_ways() {
        let names = [
            (SegmentFile::Log, 0, "00000000000000000000.log"),
            (SegmentFile::OffsetIndex, 170_210, "00000000000000170210.index"),
            (SegmentFile::TimeIndex, 1, "00000000000000000001.timeindex"),
            (SegmentFile::TransactionIndex, i64::MAX, "09223372036854775807.txnindex"),
        ];
        for (kind, base_offset, name) in names {
            assert_eq!(kind.name(base_offset), name);
            assert_eq!(SegmentFile::parse(name), Some((kind, base_offset)));
        }
    }

    #[test]
    fn other_files_are_no_segments() {
        for name in [
            "",
            "0.log",
            "00000000000000000000",
            "00000000000000000000.log.deleted",
            "00000000000000000000.log.cleaned",
            "00000000000000000000.index.swap",
            "00000000000000000000.snapshot",
            "00000000000000000000log",
            "+0000000000000000001.log",
            "-0000000000000000001.log",
            "000000000000000000000.log",
            "09223372036854775808.log",
            "0000000000000000000\u{e9}.log",
            "leader-epoch-checkpoint",
        ] {
            assert_eq!(SegmentFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn partition_directories_go_both_ways() {
        let long = "x".repeat(TOPIC_NAME_LEN_MAX);
        for (topic, partition) in [("orders", 0), ("a-1", 12), ("__x.y_z-", i32::MAX), (&long, 3)] {
            let name = partition_directory(topic, partition);
            assert_eq!(parse_partition_directory(&name), Some((topic, partition)));
        }
    }

    #[test]
    fn other_directories_are_no_partitions() {
        let long = format!("{}-0", "x".repeat(TOPIC_NAME_LEN_MAX + 1));
        for name in [
            "",
            "orders",
            "-0",
            "..-0",
            "orders-",
            "orders-x",
            "orders-01",
            "orders-+1",
            "orders-2147483648",
            "or ders-0",
            "orders-0.5d1f1c1e9b2e4c3f8a0d6e7f8a9b0c1d-delete",
            "orders-0.5d1f1c1e9b2e4c3f8a0d6e7f8a9b0c1d-future",
            "orders-0.5d1f1c1e9b2e4c3f8a0d6e7f8a9b0c1d-stray",
            &long,
        ] {
            assert_eq!(parse_partition_directory(name), None, "{name}");
        }
    }
}
