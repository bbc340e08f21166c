//! Batches that Kafka's own Java code wrote (kafka-clients 4.3.0, `MemoryRecordsBuilder`).
//!
//! Each has the same records from base offset 5000 and leader epoch 7; those that are compressed
//! have one more with a large value. `transactional`, `append-time` and `delete-horizon` are the
//! plain one with that attribute, `empty` is what compaction leaves of a batch.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod record_naive;

use kfetch::record::{
    BatchCursor, BatchHeader, Codec, ControlKey, ControlType, DecodeLimits, HEADER_LEN, Inflater,
    TimestampType, codec::size_hint, verify_crc,
};
use record_naive::Owned;

const T: i64 = 1_700_000_000_000;

macro_rules! batch {
    ($name:literal) => {
        include_bytes!(concat!("record_java/", $name, ".batch"))
    };
}

fn parse(batch: &[u8]) -> BatchHeader {
    let header = BatchHeader::parse(batch).unwrap();
    assert_eq!((header.size(), header.base_offset), (batch.len(), 5000));
    assert_eq!(header.partition_leader_epoch, 7);
    assert!(verify_crc(batch));
    header
}

fn decode(header: &BatchHeader, slice: &[u8], at: usize) -> Vec<Owned> {
    let mut out = Vec::new();
    let mut cursor = BatchCursor::new(header, at..slice.len()).unwrap();
    cursor.decode(slice, 0, &DecodeLimits::ALL, &mut out).unwrap();
    assert!(cursor.is_done());
    out.iter().map(|record| Owned::of(record, slice)).collect()
}

fn expected() -> Vec<Owned> {
    let record = |offset, timestamp, key: Option<&[u8]>, value: Option<&[u8]>| Owned {
        offset,
        timestamp,
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: Vec::new(),
    };
    let mut records = vec![
        record(5000, T, Some(b"k0"), Some(b"v0")),
        record(5001, T - 5000, None, Some(&[b'a'; 100])),
        record(5002, T + 100_000, Some(b"k2"), None),
        record(5013, T + 1, Some(b""), Some(b"")),
    ];
    records[1].headers = vec![
        (b"h".to_vec(), Some(b"1".to_vec())),
        (b"h".to_vec(), Some(b"2".to_vec())),
        (b"n".to_vec(), None),
        ("é".as_bytes().to_vec(), Some(vec![0, 0xff])),
    ];
    records
}

#[test]
fn plain_records_are_read() {
    let batch = batch!("none");
    let header = parse(batch);
    assert_eq!(
        (header.codec(), header.timestamp_type()),
        (Ok(Codec::None), TimestampType::CreateTime)
    );
    assert_eq!((header.base_timestamp, header.max_timestamp), (T, T + 100_000));
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (-1, -1, -1));
    assert_eq!(decode(&header, batch, HEADER_LEN), expected());
}

#[test]
fn every_codec_is_read() {
    let mut records = expected();
    records.push(Owned {
        offset: 5014,
        timestamp: T + 2,
        key: Some(b"big".to_vec()),
        value: Some(b"0123456789".repeat(7000)),
        headers: Vec::new(),
    });
    let mut inflater = Inflater::new();
    for (codec, batch) in [
        (Codec::Gzip, &batch!("gzip")[..]),
        (Codec::Snappy, &batch!("snappy")[..]),
        (Codec::Lz4, &batch!("lz4")[..]),
        (Codec::Zstd, &batch!("zstd")[..]),
    ] {
        let header = parse(batch);
        assert_eq!((header.codec(), header.next_offset()), (Ok(codec), 5015));
        let input = &batch[HEADER_LEN..];
        let first_size = size_hint(codec, input).unwrap_or(4 * input.len());
        let (memory, len) = inflater
            .inflate_capped(codec, input, first_size, 1 << 20, |size| Some(vec![0xee; size]))
            .unwrap();
        assert_eq!(decode(&header, &memory[..len], 0), records, "{codec}");
    }
}

#[test]
fn the_append_time_is_every_records_timestamp() {
    let batch = batch!("append-time");
    let header = parse(batch);
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    let expected: Vec<_> =
        expected().into_iter().map(|record| Owned { timestamp: T + 77, ..record }).collect();
    assert_eq!(decode(&header, batch, HEADER_LEN), expected);
}

#[test]
fn a_transactional_batch_names_its_producer() {
    let header = parse(batch!("transactional"));
    assert!(header.is_transactional() && !header.is_control());
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (4711, 3, 21));
}

#[test]
fn timestamps_are_relative_to_a_delete_horizon() {
    let batch = batch!("delete-horizon");
    let header = parse(batch);
    assert!(header.has_delete_horizon());
    assert_eq!(header.base_timestamp, T + 86_400_000);
    assert_eq!(decode(&header, batch, HEADER_LEN), expected());
}

#[test]
fn control_records_say_what_they_are() {
    for (batch, control_type) in [
        (&batch!("commit")[..], ControlType::Commit),
        (&batch!("abort")[..], ControlType::Abort),
        (&batch!("leader-change")[..], ControlType::LeaderChange),
    ] {
        let header = parse(batch);
        assert!(header.is_control());
        let records = decode(&header, batch, HEADER_LEN);
        let key = ControlKey::parse(records[0].key.as_deref().unwrap()).unwrap();
        assert_eq!((key.version, key.control_type), (0, control_type));
        assert_eq!((records.len(), header.next_offset()), (1, 5001));
    }
}

#[test]
fn an_empty_batch_moves_the_position_behind_its_last_offset() {
    let batch = batch!("empty");
    let header = parse(batch);
    assert_eq!((header.record_count, header.next_offset()), (0, 5020));
    assert_eq!(decode(&header, batch, HEADER_LEN), []);
}
