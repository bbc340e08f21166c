//! Decoding allocates nothing per record, and nothing at all into descriptors that have room.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod record_counting;

use kfetch::record::{
    BatchBuilder, BatchCursor, BatchHeader, BatchOptions, Codec, DecodeLimits, Descriptor,
    HEADER_LEN, Inflater, NewRecord, verify_crc,
};
use record_counting::measure;

const HEADERS: &[(&[u8], Option<&[u8]>)] =
    &[(b"a", Some(b"1")), (b"a", None), (b"b", Some(&[7; 90]))];

fn build(builder: &mut BatchBuilder, records: usize, batch: &mut Vec<u8>) -> BatchHeader {
    for index in 0..records {
        let record = NewRecord {
            timestamp: (index as i64 * 7919) % 20_000,
            key: (index % 3 != 0).then_some(&[3; 20]),
            value: (index % 7 != 0).then_some(&[9; 100]),
            headers: if index % 5 == 0 { HEADERS } else { &[] },
        };
        builder.append(&record).unwrap();
    }
    builder.finish(0, batch).unwrap()
}

fn decode(header: &BatchHeader, batch: &[u8], out: &mut Vec<Descriptor>) -> usize {
    let mut cursor = BatchCursor::new(header, HEADER_LEN..batch.len()).unwrap();
    let limits = DecodeLimits { max_records: 100, ..DecodeLimits::ALL };
    while !cursor.is_done() {
        cursor.decode(batch, 0, &limits, out).unwrap();
    }
    out.iter()
        .map(|record| record.headers(batch).map(|header| header.key.len()).sum::<usize>())
        .sum()
}

#[test]
fn decoding_into_recycled_descriptors_allocates_nothing() {
    let mut batch = Vec::new();
    let header = build(&mut BatchBuilder::default(), 2000, &mut batch);
    let mut out = Vec::with_capacity(2000);
    for _ in 0..3 {
        out.clear();
        let (calls, _, keys_len) = measure(|| {
            assert!(verify_crc(&batch));
            assert_eq!(BatchHeader::parse(&batch), Ok(header));
            decode(&header, &batch, &mut out)
        });
        assert_eq!((out.len(), keys_len, calls), (2000, 2000 / 5 * 3, 0));
    }
}

#[test]
fn decoding_into_an_empty_vec_allocates_for_the_vec_alone() {
    let mut batch = Vec::new();
    let header = build(&mut BatchBuilder::default(), 1000, &mut batch);
    let mut out = Vec::new();
    let mut cursor = BatchCursor::new(&header, HEADER_LEN..batch.len()).unwrap();
    let (calls, _, decoded) =
        measure(|| cursor.decode(&batch, 0, &DecodeLimits::ALL, &mut out).unwrap());
    assert_eq!((decoded.records, calls), (1000, 1));
}

#[test]
fn building_and_inflating_again_allocates_nothing() {
    let mut inflater = Inflater::new();
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
        let (mut batch, mut out) = (Vec::new(), vec![0; 1 << 20]);
        for round in 0..3 {
            batch.clear();
            let (calls, _, _) = measure(|| {
                build(&mut builder, 1000, &mut batch);
                inflater.inflate(codec, &batch[HEADER_LEN..], &mut out).unwrap()
            });
            assert!(round == 0 || calls == 0, "{codec}: {calls} allocations");
        }
    }
}
