//! Kafka's own Java code as the oracle of batches and messages.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use kfetch::protocol::ApiKey;
use kfetch::wire::EncodeError;

use super::helper::{JavaError, Row, bytes, helper, hex};
use super::producer::{FoundRecord, found_record, push_headers};
use super::topics::pairs;

/// A batch that Kafka's code read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundBatch {
    /// The header by the names that `build_batch` takes, and `last_offset`, `count`, `size`, `crc`.
    pub(crate) header: HashMap<String, String>,
    pub(crate) records: Vec<FoundRecord>,
    /// What was thrown instead of more records.
    pub(crate) fault: Option<JavaError>,
}

impl FoundBatch {
    /// Returns a number of the header.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let text = self.header.get(name).unwrap_or_else(|| panic!("no {name} in a header"));
        text.parse().unwrap_or_else(|_| panic!("{name} is {text}"))
    }
}

/// How Kafka's log cleaner treats the batches given to [`compact_batches`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compaction {
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: i64,
    /// Whether a batch that loses all its records leaves its header, as a producer's last one does.
    pub(crate) retain_empty: bool,
    /// Whether markers stand behind transactions that have no records any more.
    pub(crate) emptied_transactions: bool,
}

/// Builds one batch. The properties, all optional: `magic`, `codec`, `level`, `timestamp_type`
/// (CreateTime, LogAppendTime), `base_offset`, `last_offset`, `log_append_time`, `producer_id`,
/// `producer_epoch`, `base_sequence`, `transactional`, `control`, `partition_leader_epoch`,
/// `delete_horizon`.
pub(crate) fn build_batch(properties: &[(&str, &str)], records: &[FoundRecord]) -> Vec<u8> {
    let rows: Vec<Row> = records.iter().map(record_row).collect();
    call_with(properties, "build_batch", &rows)
}

/// Builds the header that compaction leaves of a batch; `max_timestamp` is a property here.
pub(crate) fn build_empty_batch(properties: &[(&str, &str)]) -> Vec<u8> {
    call_with(properties, "build_empty_batch", &[])
}

fn call_with(properties: &[(&str, &str)], command: &str, rows: &[Row]) -> Vec<u8> {
    let properties = pairs(properties);
    let arguments: Vec<&str> = properties.iter().map(String::as_str).collect();
    only_bytes(&helper().expect(command, &arguments, rows))
}

/// Builds the control batch that ends a transaction.
pub(crate) fn build_marker(
    commit: bool,
    offset: i64,
    timestamp_ms: i64,
    producer_id: i64,
    producer_epoch: i16,
) -> Vec<u8> {
    let kind = if commit { "COMMIT" } else { "ABORT" };
    let numbers = [offset, timestamp_ms, producer_id, producer_epoch.into()];
    let numbers = numbers.map(|number| number.to_string());
    let [offset, timestamp, id, epoch] = &numbers;
    only_bytes(&helper().expect("build_marker", &[kind, offset, timestamp, id, epoch], &[]))
}

/// Reads batches that stand behind each other; bytes of a last, cut one are left out.
///
/// # Errors
///
/// What was thrown before the first batch.
pub(crate) fn parse_batches(data: &[u8]) -> Result<Vec<FoundBatch>, JavaError> {
    let mut batches: Vec<FoundBatch> = Vec::new();
    for row in helper().expect("parse_batches", &[&hex(Some(data))], &[]) {
        match (row[0].as_str(), batches.last_mut()) {
            ("batch", _) => batches.push(FoundBatch {
                header: row[1..].iter().map(|field| pair(field)).collect(),
                records: Vec::new(),
                fault: None,
            }),
            ("record", Some(batch)) => batch.records.push(found_record(&row[1..])),
            (_, batch) => {
                let fault = JavaError { class: row[1].clone(), message: row[2].clone() };
                let Some(batch) = batch else {
                    return Err(fault);
                };
                batch.fault = Some(fault);
            }
        }
    }
    Ok(batches)
}

/// Runs the log cleaner's filter over batches, keeping the records at `kept` offsets.
pub(crate) fn compact_batches(data: &[u8], kept: &[i64], compaction: Compaction) -> Vec<u8> {
    let rows: Vec<Row> = kept.iter().map(|offset| vec![offset.to_string()]).collect();
    let retention = if compaction.retain_empty { "RETAIN_EMPTY" } else { "DELETE_EMPTY" };
    let arguments = [
        hex(Some(data)),
        compaction.now_ms.to_string(),
        compaction.delete_retention_ms.to_string(),
        retention.to_owned(),
        compaction.emptied_transactions.to_string(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    only_bytes(&helper().expect("compact_batches", &arguments, &rows))
}

/// Returns the lowest and highest version of a message such as `FetchRequest`.
pub(crate) fn message_versions(name: &str) -> (i16, i16) {
    let row = helper().expect("message_versions", &[name], &[]).remove(0);
    (row[0].parse().expect("a version"), row[1].parse().expect("a version"))
}

/// Writes a message from JSON, by Kafka's generated class: `FetchRequest`, `ListOffsetsResponse`,
/// `RequestHeader`, and internal records such as `OffsetCommitValue`. The JSON names every field
/// of the version as Kafka's message definitions do; bytes are base64, record data too.
///
/// # Errors
///
/// What Kafka's class threw.
pub(crate) fn message_bytes(name: &str, version: i16, json: &str) -> Result<Vec<u8>, JavaError> {
    let arguments = [name, &version.to_string(), json];
    helper().call("message_bytes", &arguments, &[]).map(|rows| only_bytes(&rows))
}

/// Reads a message into JSON and tells how many bytes were left over. Of record data the JSON has
/// the size, `recordsSizeInBytes`.
///
/// # Errors
///
/// What Kafka's class threw.
pub(crate) fn message_json(
    name: &str,
    version: i16,
    data: &[u8],
) -> Result<(String, usize), JavaError> {
    let arguments = [name, &version.to_string(), &hex(Some(data))];
    let row = helper().call("message_json", &arguments, &[])?.remove(0);
    Ok((row[0].clone(), row[1].parse().expect("a count")))
}

/// Holds the versions that kfetch has of an API, such as `Fetch`, to those of Kafka's classes.
pub(crate) fn check_java_versions(api_key: ApiKey, name: &str) {
    let ours = api_key.versions();
    for kind in ["Request", "Response"] {
        let theirs = message_versions(&format!("{name}{kind}"));
        assert_eq!(theirs, (ours.min, ours.max), "{name}{kind}");
    }
}

/// Returns all versions of an API that kfetch has.
pub(crate) fn versions(api_key: ApiKey) -> RangeInclusive<i16> {
    api_key.versions().min..=api_key.versions().max
}

/// Has Java read what `encode` writes, holds what Java writes of it to the same, and its JSON to
/// the parts that it must have or lack.
pub(crate) fn check_with_java(
    name: &str,
    version: i16,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    parts: &[(&str, bool)],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes).unwrap();
    let (json, left) = message_json(name, version, &bytes).unwrap();
    assert_eq!(left, 0, "{name} version {version}");
    for (part, present) in parts {
        assert_eq!(json.contains(part), *present, "{name} version {version}: {part} in {json}");
    }
    let theirs = message_bytes(name, version, &json).unwrap();
    assert_eq!(theirs, bytes, "{name} version {version}");
    bytes
}

/// `value` where the version has the field.
pub(crate) fn since(present: bool, value: &str) -> Option<&str> {
    present.then_some(value)
}

fn record_row(record: &FoundRecord) -> Row {
    let (key, value) = (hex(record.key.as_deref()), hex(record.value.as_deref()));
    let mut row = vec![record.offset.to_string(), record.timestamp_ms.to_string(), key, value];
    push_headers(&mut row, &record.headers);
    row
}

fn only_bytes(rows: &[Row]) -> Vec<u8> {
    bytes(&rows[0][0]).expect("bytes, not null")
}

fn pair(field: &str) -> (String, String) {
    let (name, value) = field.split_once('=').expect("name=value");
    (name.to_owned(), value.to_owned())
}
