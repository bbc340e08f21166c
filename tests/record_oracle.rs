//! Batches against the `kafka-protocol` crate, both ways.
//!
//! What that crate cannot do is left out: it keeps one header per key, and header keys must be
//! UTF-8.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod record_naive;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use kfetch::record::{
    BatchBuilder, BatchCursor, BatchHeader, BatchOptions, DecodeLimits, HEADER_LEN, NewRecord,
    verify_crc,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use record_naive::Owned;

fn record() -> impl Strategy<Value = Owned> {
    (
        0_i64..100_000,
        option::of(vec(any::<u8>(), 0..80)),
        option::of(vec(any::<u8>(), 0..300)),
        proptest::collection::btree_map("[a-zé]{0,9}", option::of(vec(any::<u8>(), 0..70)), 0..4),
    )
        .prop_map(|(timestamp, key, value, headers)| Owned {
            offset: 0,
            timestamp,
            key,
            value,
            headers: headers.into_iter().map(|(key, value)| (key.into_bytes(), value)).collect(),
        })
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    vec(record(), 1..80).prop_map(|mut records| {
        for (offset, record) in (1000..).zip(&mut records) {
            record.offset = offset;
        }
        records
    })
}

fn to_theirs(record: &Owned) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 5,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: record.offset,
        sequence: -1,
        timestamp: record.timestamp,
        key: record.key.clone().map(Bytes::from),
        value: record.value.clone().map(Bytes::from),
        headers: record
            .headers
            .iter()
            .map(|(key, value)| {
                let key = StrBytes::from_string(String::from_utf8(key.clone()).unwrap());
                (key, value.clone().map(Bytes::from))
            })
            .collect(),
    }
}

fn from_theirs(record: &Record) -> Owned {
    Owned {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.as_deref().map(<[u8]>::to_vec),
        value: record.value.as_deref().map(<[u8]>::to_vec),
        headers: record
            .headers
            .iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_deref().map(<[u8]>::to_vec)))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn reads_what_the_oracle_writes(records in records()) {
        let theirs: Vec<_> = records.iter().map(to_theirs).collect();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        let mut bytes = BytesMut::new();
        RecordBatchEncoder::encode(&mut bytes, &theirs, &options).unwrap();
        let mut rest = &bytes[..];
        let mut read = Vec::new();
        // The oracle starts another batch where its sequence rule says so.
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).unwrap();
            let batch = &rest[..header.size()];
            prop_assert!(verify_crc(batch));
            let mut out = Vec::new();
            let mut cursor = BatchCursor::new(&header, HEADER_LEN..batch.len()).unwrap();
            cursor.decode(batch, 0, &DecodeLimits::ALL, &mut out).unwrap();
            prop_assert!(cursor.is_done());
            read.extend(out.iter().map(|record| Owned::of(record, batch)));
            rest = &rest[header.size()..];
        }
        prop_assert_eq!(read, records);
    }

    #[test]
    fn the_oracle_reads_what_is_built(records in records()) {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for record in &records {
            let headers: Vec<_> =
                record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
            builder.append(&NewRecord {
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: &headers,
            }).unwrap();
        }
        let mut batch = Vec::new();
        builder.finish(1000, &mut batch).unwrap();
        let set = RecordBatchDecoder::decode(&mut Bytes::from(batch)).unwrap();
        let read: Vec<_> = set.records.iter().map(from_theirs).collect();
        prop_assert_eq!(read, records);
    }
}
