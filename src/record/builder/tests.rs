use super::*;
use crate::record::{BatchCursor, DecodeLimits, verify_crc};

fn record<'a>(timestamp: i64, value: &'a [u8]) -> NewRecord<'a> {
    NewRecord { timestamp, value: Some(value), ..NewRecord::default() }
}

/// Offset, timestamp and value of each record in a plain batch.
fn read(header: &BatchHeader, batch: &[u8]) -> Vec<(i64, i64, Vec<u8>)> {
    assert!(verify_crc(batch));
    let mut out = Vec::new();
    let mut cursor = BatchCursor::new(header, HEADER_LEN..batch.len()).unwrap();
    cursor.decode(batch, 0, &DecodeLimits::ALL, &mut out).unwrap();
    assert!(cursor.is_done());
    let value = |record: &crate::record::Descriptor| record.value(batch).unwrap().to_vec();
    out.iter().map(|record| (record.offset, record.timestamp, value(record))).collect()
}

#[test]
fn the_header_says_what_was_appended() {
    let options = BatchOptions {
        partition_leader_epoch: 9,
        producer_id: 4711,
        producer_epoch: 3,
        base_sequence: 21,
        is_transactional: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    let sizes = [record(50, b"a"), record(40, b"b"), record(60, b"c")]
        .map(|record| builder.append(&record).unwrap());
    assert_eq!(builder.estimated_size(), HEADER_LEN + sizes.iter().sum::<usize>());
    let mut batch = b"before".to_vec();
    let header = builder.finish(1000, &mut batch).unwrap();
    let batch = batch.strip_prefix(b"before").unwrap();
    assert_eq!(BatchHeader::parse(batch), Ok(header));
    assert_eq!((header.size(), header.next_offset()), (batch.len(), 1003));
    assert_eq!((header.base_timestamp, header.max_timestamp), (50, 60));
    assert_eq!((header.partition_leader_epoch, header.record_count), (9, 3));
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (4711, 3, 21));
    assert!(header.is_transactional() && !header.is_control());
    assert_eq!(
        read(&header, batch),
        [(1000, 50, b"a".to_vec()), (1001, 40, b"b".to_vec()), (1002, 60, b"c".to_vec())]
    );
}

#[test]
fn a_builder_starts_anew_and_keeps_its_memory() {
    let mut builder = BatchBuilder::default();
    let mut out = Vec::new();
    builder.append(&record(i64::MAX, &[7; 5000])).unwrap();
    builder.finish(0, &mut out).unwrap();
    let capacity = builder.records.capacity();
    assert!(builder.is_empty() && capacity >= 5000);
    out.clear();
    builder.append(&record(-1, b"next")).unwrap();
    let header = builder.finish(1, &mut out).unwrap();
    assert_eq!((header.base_timestamp, header.max_timestamp), (-1, -1));
    assert_eq!(read(&header, &out), [(1, -1, b"next".to_vec())]);
    assert_eq!(builder.records.capacity(), capacity);
}

#[test]
fn with_an_append_time_all_records_have_it() {
    let mut builder = BatchBuilder::default();
    builder.options_mut().append_time_ms = Some(77);
    let mut batch = Vec::new();
    builder.append(&record(5, b"a")).unwrap();
    builder.append(&record(900, b"b")).unwrap();
    let header = builder.finish(0, &mut batch).unwrap();
    assert_eq!((header.base_timestamp, header.max_timestamp), (5, 77));
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(read(&header, &batch), [(0, 77, b"a".to_vec()), (1, 77, b"b".to_vec())]);
}

#[test]
fn gaps_are_kept_and_offsets_that_do_not_rise_refused() {
    let mut builder = BatchBuilder::default();
    builder.append_at(3, &record(0, b"a")).unwrap();
    for delta in [i32::MIN, -1, 0, 3] {
        assert_eq!(builder.append_at(delta, &record(0, b"x")), Err(BuildError::Offset));
    }
    builder.append_at(i32::MAX, &record(0, b"b")).unwrap();
    assert_eq!(builder.append(&record(0, b"x")), Err(BuildError::Offset));
    let mut batch = Vec::new();
    let header = builder.finish(10, &mut batch).unwrap();
    assert_eq!((header.last_offset_delta, header.record_count), (i32::MAX, 2));
    let last = 10 + i64::from(i32::MAX);
    assert_eq!(read(&header, &batch), [(13, 0, b"a".to_vec()), (last, 0, b"b".to_vec())]);
}

#[test]
fn any_two_timestamps_can_be_in_one_batch() {
    let mut builder = BatchBuilder::default();
    let timestamps = [i64::MIN, i64::MAX, 0, -1, i64::MIN + 1];
    for timestamp in timestamps {
        builder.append(&record(timestamp, b"")).unwrap();
    }
    let mut batch = Vec::new();
    let header = builder.finish(0, &mut batch).unwrap();
    let read: Vec<_> = read(&header, &batch).iter().map(|record| record.1).collect();
    assert_eq!(read, timestamps);
}

#[test]
fn a_batch_that_cannot_be_finished_leaves_everything_as_it_was() {
    let mut builder = BatchBuilder::default();
    let mut out = b"before".to_vec();
    assert_eq!(builder.finish(0, &mut out), Err(BuildError::Empty));
    builder.append(&record(0, b"a")).unwrap();
    for base_offset in [i64::MAX, -1] {
        assert_eq!(builder.finish(base_offset, &mut out), Err(BuildError::Offset));
    }
    *builder.options_mut() =
        BatchOptions { codec: Codec::Gzip, level: Some(10), ..BatchOptions::default() };
    let refused = BuildError::Deflate(DeflateError::Level { codec: Codec::Gzip, level: 10 });
    assert_eq!(builder.finish(0, &mut out), Err(refused));
    assert_eq!((&out[..], builder.record_count()), (&b"before"[..], 1));
    builder.clear();
    assert!(builder.is_empty());
}
