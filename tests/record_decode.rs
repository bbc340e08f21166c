//! The record decoder against its naive twin: valid, cut, flipped and forged batches, in one call
//! and in many with limits drawn at random.

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
    BatchBuilder, BatchCursor, BatchHeader, BatchOptions, DecodeLimits, Descriptor, HEADER_LEN,
    NewRecord, RecordErrorKind,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use record_naive::Owned;

/// A record to build, owned so that proptest can shrink it.
#[derive(Clone, Debug)]
struct Spec {
    gap: i32,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What is done to a good batch.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Cut(Index),
    Flip(Index, u8),
    Overwrite(Index, Vec<u8>),
    Append(Vec<u8>),
    RecordCount(i32),
    LastOffsetDelta(i32),
}

fn bytes(max_len: usize) -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), 0..max_len).prop_map(|(byte, len)| vec![byte; len])
}

fn nullable(max_len: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        1 => Just(None),
        4 => bytes(max_len.min(64)).prop_map(Some),
        1 => bytes(max_len).prop_map(Some),
    ]
}

fn timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 1000_i64..1064,
        3 => 0_i64..9000,
        1 => -1_i64..100_000_000,
        1 => any::<i64>(),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let headers = prop_oneof![
        4 => Just(Vec::new()),
        1 => vec((bytes(90), nullable(300)), 0..4),
    ];
    (
        prop_oneof![6 => Just(0), 1 => 0..200, 1 => 0..20_000],
        timestamp(),
        nullable(200),
        nullable(9000),
        headers,
    )
        .prop_map(|(gap, timestamp, key, value, headers)| Spec {
            gap,
            timestamp,
            key,
            value,
            headers,
        })
}

/// Batches of records that are alike, as in life, with some that are not.
fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let alike = (spec(), 1_usize..100).prop_map(|(spec, count)| vec![spec; count]);
    vec(prop_oneof![alike, vec(spec(), 1..4)], 1..4).prop_map(|runs| runs.concat())
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => Just(Damage::None),
        2 => any::<Index>().prop_map(Damage::Cut),
        6 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (any::<Index>(), vec(odd_byte(), 1..11))
            .prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        1 => vec(any::<u8>(), 1..20).prop_map(Damage::Append),
        1 => prop_oneof![0..400, Just(i32::MAX)].prop_map(Damage::RecordCount),
        1 => prop_oneof![0..400, Just(i32::MAX)].prop_map(Damage::LastOffsetDelta),
    ]
}

fn build(specs: &[Spec], options: BatchOptions, base_offset: i64) -> (BatchHeader, Vec<u8>) {
    let mut builder = BatchBuilder::new(options);
    let mut delta = 0;
    for spec in specs {
        let headers: Vec<_> =
            spec.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        let record = NewRecord {
            timestamp: spec.timestamp,
            key: spec.key.as_deref(),
            value: spec.value.as_deref(),
            headers: &headers,
        };
        delta += spec.gap;
        builder.append_at(delta, &record).unwrap();
        delta += 1;
    }
    let mut batch = Vec::new();
    let header = builder.finish(base_offset, &mut batch).unwrap();
    (header, batch.split_off(HEADER_LEN))
}

fn apply(damage: &Damage, header: &mut BatchHeader, payload: &mut Vec<u8>) {
    match damage {
        Damage::None => {}
        Damage::Cut(at) => payload.truncate(at.index(payload.len())),
        Damage::Flip(at, bit) => {
            let at = at.index(payload.len());
            payload[at] ^= 1 << bit;
        }
        Damage::Overwrite(at, bytes) => {
            let at = at.index(payload.len());
            for (place, byte) in payload[at..].iter_mut().zip(bytes) {
                *place = *byte;
            }
        }
        Damage::Append(bytes) => payload.extend_from_slice(bytes),
        Damage::RecordCount(count) => header.record_count = *count,
        Damage::LastOffsetDelta(delta) => header.last_offset_delta = *delta,
    }
}

/// Decodes in one call.
fn decode(header: &BatchHeader, payload: &[u8], from_offset: i64) -> (Vec<Owned>, Option<i64>) {
    let mut out = Vec::new();
    let mut cursor = BatchCursor::new(header, 0..payload.len()).unwrap();
    let limits = DecodeLimits { from_offset, ..DecodeLimits::ALL };
    let outcome = cursor.decode(payload, 7, &limits, &mut out);
    assert_eq!(outcome.is_ok(), cursor.is_done());
    if let Err(error) = outcome {
        let again = cursor.decode(payload, 7, &limits, &mut out);
        assert_eq!(again, Err(error), "an error is returned again");
    }
    assert!(out.iter().all(|record| record.block == 7));
    let error = outcome.err().map(|error| error.offset);
    (out.iter().map(|record| Owned::of(record, payload)).collect(), error)
}

/// Decodes in many calls with the limits given in turn, and checks that each call keeps to them.
fn decode_in_parts(
    header: &BatchHeader,
    payload: &[u8],
    from_offset: i64,
    limits: &[(usize, usize, i64)],
) -> (Vec<Owned>, Option<i64>) {
    let mut out: Vec<Descriptor> = Vec::new();
    let mut cursor = BatchCursor::new(header, 0..payload.len()).unwrap();
    for (max_records, max_bytes, span) in limits.iter().cycle() {
        let before = out.len();
        let reached = out.last().map_or(header.base_offset, |record| record.offset);
        let limits = DecodeLimits {
            from_offset,
            until_offset: reached.saturating_add(*span),
            max_records: *max_records,
            max_bytes: *max_bytes,
        };
        let outcome = cursor.decode(payload, 7, &limits, &mut out);
        let records = &out[before..];
        assert!(records.len() <= *max_records);
        assert!(records.iter().all(|record| record.offset < limits.until_offset));
        match outcome {
            Ok(decoded) => {
                assert_eq!(decoded.records, records.len());
                assert!(decoded.records == 1 || decoded.bytes <= *max_bytes);
                assert_eq!(decoded.records == 0, decoded.bytes == 0);
                if cursor.is_done() {
                    return (out.iter().map(|record| Owned::of(record, payload)).collect(), None);
                }
            }
            Err(error) => {
                let records = out.iter().map(|record| Owned::of(record, payload)).collect();
                return (records, Some(error.offset));
            }
        }
    }
    unreachable!("the limits repeat without end")
}

/// Draws the bytes that a varint is most easily broken with.
fn odd_byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0xff_u8), Just(0x80), Just(0), any::<u8>()]
}

fn bytes_max() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..4000, Just(usize::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn equals_the_naive_twin(
        specs in specs(),
        damage in damage(),
        append_time_ms in proptest::option::of(timestamp()),
        base_offset in prop_oneof![Just(0), 0..1_000_000_i64, Just(i64::MAX - 3_000_000)],
        skip in prop_oneof![Just(0), 0..300_i64, Just(i64::MAX)],
        mut limits in vec((1_usize..60, bytes_max(), 1_i64..30_000), 1..4),
    ) {
        let options = BatchOptions { append_time_ms, ..BatchOptions::default() };
        let (mut header, mut payload) = build(&specs, options, base_offset);
        apply(&damage, &mut header, &mut payload);
        let from = base_offset.saturating_add(skip);
        let expected = record_naive::decode(&header, &payload, from);
        if matches!(damage, Damage::None) {
            prop_assert_eq!(expected.1, None);
        }
        prop_assert_eq!(&decode(&header, &payload, from), &expected);
        // One call without a stop, so that the parts come to an end whatever the gaps are.
        limits.push((1000, usize::MAX, i64::MAX));
        prop_assert_eq!(&decode_in_parts(&header, &payload, from, &limits), &expected);
    }

    #[test]
    fn arbitrary_bytes_equal_the_naive_twin(
        payload in vec(prop_oneof![Just(0_u8), Just(2), Just(14), Just(0x80), any::<u8>()], 0..200),
        record_count in prop_oneof![0..30, Just(i32::MAX)],
        last_offset_delta in prop_oneof![0..30, Just(i32::MAX)],
    ) {
        let (header, _) = build(&[plain()], BatchOptions::default(), 5);
        let header = BatchHeader { record_count, last_offset_delta, ..header };
        let expected = record_naive::decode(&header, &payload, 0);
        prop_assert_eq!(decode(&header, &payload, 0), expected);
    }
}

fn plain() -> Spec {
    Spec {
        gap: 0,
        timestamp: 1000,
        key: Some(b"key".to_vec()),
        value: Some(b"value".to_vec()),
        headers: Vec::new(),
    }
}

/// Records of each shape that the decoder has a way for, with borders of one and two bytes.
fn borders() -> Vec<Spec> {
    let mut specs = Vec::new();
    for len in [0, 1, 63, 64, 8191, 8192] {
        for timestamp in [1000, 1063, 1064, 936, 935, 9191, 9192, i64::MAX, i64::MIN] {
            for key in [None, Some(vec![b'k'; 4]), Some(vec![b'k'; 70])] {
                let value = Some(vec![b'v'; len]);
                specs.push(Spec { timestamp, key: key.clone(), value, ..plain() });
                specs.push(Spec { timestamp, key, value: None, ..plain() });
            }
        }
    }
    let headers =
        vec![(b"h".to_vec(), None), (vec![0xff; 70], Some(vec![1; 200])), (vec![], Some(vec![]))];
    specs.push(Spec { headers, ..plain() });
    specs
}

#[test]
fn borders_of_every_width_equal_the_naive_twin() {
    let (header, payload) = build(&borders(), BatchOptions::default(), 1 << 40);
    let expected = record_naive::decode(&header, &payload, 0);
    assert_eq!((expected.0.len(), expected.1), (borders().len(), None));
    assert_eq!(decode(&header, &payload, 0), expected);
}

#[test]
fn cut_at_each_byte_equals_the_naive_twin() {
    let mut specs = vec![plain(); 70];
    specs.extend(
        borders()
            .into_iter()
            .filter(|spec| spec.value.as_ref().is_none_or(|value| value.len() < 70)),
    );
    let (header, payload) = build(&specs, BatchOptions::default(), 100);
    for len in 0..payload.len() {
        let expected = record_naive::decode(&header, &payload[..len], 0);
        assert!(expected.1.is_some());
        assert_eq!(decode(&header, &payload[..len], 0), expected, "cut to {len}");
    }
}

#[test]
fn each_flipped_bit_equals_the_naive_twin() {
    let mut specs = vec![plain(); 66];
    specs.push(Spec {
        headers: vec![(b"h".to_vec(), Some(b"x".to_vec())), (b"h".to_vec(), None)],
        ..plain()
    });
    specs.push(Spec { key: None, value: Some(vec![3; 70]), timestamp: 5000, ..plain() });
    specs.push(Spec { value: None, timestamp: 1 << 50, ..plain() });
    let (header, payload) = build(&specs, BatchOptions::default(), 100);
    for bit in 0..payload.len() * 8 {
        let mut payload = payload.clone();
        payload[bit / 8] ^= 1 << (bit % 8);
        let expected = record_naive::decode(&header, &payload, 0);
        assert_eq!(decode(&header, &payload, 0), expected, "bit {bit}");
    }
}

#[test]
fn records_that_are_fewer_than_counted_are_missing_at_the_next_one() {
    let (header, payload) = build(&vec![plain(); 5], BatchOptions::default(), 100);
    let header = BatchHeader { record_count: 7, last_offset_delta: 9, ..header };
    let mut cursor = BatchCursor::new(&header, 0..payload.len()).unwrap();
    let mut out = Vec::new();
    let five = DecodeLimits { max_records: 5, ..DecodeLimits::ALL };
    assert_eq!(cursor.decode(&payload, 0, &five, &mut out).unwrap().records, 5);
    let error = cursor.decode(&payload, 0, &DecodeLimits::ALL, &mut out).unwrap_err();
    assert_eq!((error.kind, error.offset, out.len()), (RecordErrorKind::Missing, 105, 5));
}

#[test]
fn bytes_behind_the_last_record_are_an_error_after_it() {
    for record_count in [0, 5] {
        let (header, mut payload) = build(&vec![plain(); 5], BatchOptions::default(), 100);
        payload.push(0);
        let header = BatchHeader { record_count, ..header };
        let mut cursor = BatchCursor::new(&header, 0..payload.len()).unwrap();
        let mut out = Vec::new();
        let error = cursor.decode(&payload, 0, &DecodeLimits::ALL, &mut out).unwrap_err();
        assert_eq!(error.kind, RecordErrorKind::Trailing);
        assert_eq!(
            (error.offset, out.len()),
            (100 + i64::from(record_count), record_count as usize)
        );
        assert!(!cursor.is_done());
    }
}

#[test]
fn an_empty_batch_is_done_at_once() {
    let (header, _) = build(&[plain()], BatchOptions::default(), 100);
    let header = BatchHeader { record_count: 0, ..header };
    let mut cursor = BatchCursor::new(&header, 0..0).unwrap();
    assert!(cursor.is_done());
    let decoded = cursor.decode(&[], 0, &DecodeLimits::ALL, &mut Vec::new()).unwrap();
    assert_eq!(decoded.records, 0);
}

#[test]
fn a_record_count_that_lies_costs_little_memory() {
    let (header, payload) =
        build(&[Spec { value: Some(vec![0; 8 << 20]), ..plain() }], BatchOptions::default(), 0);
    let header = BatchHeader { record_count: i32::MAX, last_offset_delta: i32::MAX, ..header };
    let mut cursor = BatchCursor::new(&header, 0..payload.len()).unwrap();
    let mut out = Vec::new();
    assert!(cursor.decode(&payload, 0, &DecodeLimits::ALL, &mut out).is_err());
    assert_eq!(out.len(), 1);
    assert!(out.capacity() <= 8192, "{} descriptors", out.capacity());
}

#[test]
fn positions_count_from_the_slice_that_holds_the_batch() {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let mut run = vec![0xee; 1000];
    let mut headers = Vec::new();
    for _ in 0..3 {
        builder.append(&NewRecord { value: Some(b"value"), ..NewRecord::default() }).unwrap();
        headers.push((run.len(), builder.finish(7, &mut run).unwrap()));
    }
    for (at, header) in headers {
        let mut cursor = BatchCursor::new(&header, at + HEADER_LEN..at + header.size()).unwrap();
        let mut out = Vec::new();
        cursor.decode(&run, 0, &DecodeLimits::ALL, &mut out).unwrap();
        assert!(out[0].value as usize > at + HEADER_LEN);
        assert_eq!(out[0].value(&run), Some(&b"value"[..]));
    }
}

#[test]
fn slices_past_4_gib_and_short_ones_are_refused() {
    let (header, payload) = build(&[plain()], BatchOptions::default(), 100);
    for range in [0..1 << 32, 1 << 32..1 << 33, usize::MAX - 1..usize::MAX] {
        let error = BatchCursor::new(&header, range).unwrap_err();
        assert_eq!((error.kind, error.offset), (RecordErrorKind::Slice, 100));
    }
    let mut cursor = BatchCursor::new(&header, 0..payload.len() + 1).unwrap();
    let error = cursor.decode(&payload, 0, &DecodeLimits::ALL, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind, RecordErrorKind::Slice);
}
