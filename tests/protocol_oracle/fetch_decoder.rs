//! The Fetch response that is read as it arrives.

use crate::fetch::{API, response, tag_response};
use crate::{encoded, for_each_version, tags};
use kfetch::protocol::ErrorCode;
use kfetch::protocol::fetch::{
    AbortedTransaction, BadBatch, FetchDecodeError, FetchDecoder, FetchHeader, FetchResponse,
    FetchableTopicResponse, NodeEndpoint, PartitionData, PartitionHeader, RecordsHeader, Step,
    TopicRef,
};
use kfetch::wire::{Uuid, WireError};
use proptest::collection::vec;
use proptest::prelude::*;

/// Feeds `body` to a decoder, `arrivals` bytes at a time over and over, and at least what it asks
/// for if `patient`; returns the steps that tell something.
fn steps<'a>(
    version: i16,
    body: &'a [u8],
    arrivals: &[usize],
    patient: bool,
) -> Result<Vec<Step<'a>>, FetchDecodeError> {
    let mut decoder = FetchDecoder::new(version, body.len());
    let mut arrivals = arrivals.iter().cycle();
    let (mut position, mut arrived) = (0, 0);
    let mut steps = Vec::new();
    loop {
        let input = &body[position..arrived];
        let (consumed, step) = decoder.step(input)?;
        position += consumed;
        match step {
            Step::NeedMore { at_least } => {
                assert!(consumed == 0 && at_least > input.len());
                assert!(position + at_least <= body.len(), "asks for more than the body has");
                let wanted = if patient { at_least - input.len() } else { 1 };
                let arriving = wanted.max(*arrivals.next().expect("a cycle"));
                arrived = body.len().min(arrived + arriving);
            }
            Step::Skipped => assert!(consumed > 0),
            Step::Done => {
                assert_eq!(position, body.len());
                return Ok(steps);
            }
            step => steps.push(step),
        }
    }
}

/// Puts a response together from its steps; a partition's records from their pieces.
fn assembled<'a>(version: i16, body: &'a [u8], steps: Vec<Step<'a>>) -> FetchResponse<'a> {
    let mut response = FetchResponse::default();
    for step in steps {
        match step {
            Step::Header(header) => {
                response.throttle_time_ms = header.throttle_time_ms;
                response.error_code = header.error_code;
                response.session_id = header.session_id;
            }
            Step::Topic(topic) => {
                let (topic, topic_id) = match topic {
                    TopicRef::Name(name) => (name, Uuid::ZERO),
                    TopicRef::Id(id) => ("", id),
                };
                assert_eq!(matches!(topic, ""), version >= 13 || topic.is_empty());
                let topic = FetchableTopicResponse { topic, topic_id, partitions: vec![] };
                response.responses.push(topic);
            }
            Step::NodeEndpoints(nodes) => response.node_endpoints = nodes,
            step => {
                let topic = response.responses.last_mut().expect("a topic before");
                if let Step::Partition(_) = step {
                    topic.partitions.push(PartitionData::default());
                }
                let partition = topic.partitions.last_mut().expect("a partition before");
                add_to_partition(partition, body, &step);
            }
        }
    }
    response
}

fn add_to_partition<'a>(partition: &mut PartitionData<'a>, body: &'a [u8], step: &Step<'a>) {
    match step {
        Step::Partition(header) => {
            partition.partition_index = header.partition_index;
            partition.error_code = header.error_code;
            partition.high_watermark = header.high_watermark;
            partition.last_stable_offset = header.last_stable_offset;
            partition.log_start_offset = header.log_start_offset;
            partition.aborted_transactions = header.aborted_count.map(|_| vec![]);
        }
        Step::Aborted(aborted) => {
            partition.aborted_transactions.as_mut().expect("not null").push(*aborted);
        }
        Step::Records(header) => {
            partition.preferred_read_replica = header.preferred_read_replica;
            // The bytes are checked by the batches below; here only their length is known.
            partition.records = header.records_length.map(|length| &body[..length]);
        }
        Step::Batch(_) | Step::CutBatch { .. } | Step::BadBatch(_) => {}
        Step::PartitionEnd(tail) => partition.tail = *tail,
        other => panic!("{other:?} inside of a partition"),
    }
}

/// The least and naive decoder of records: each whole batch, then what is left.
fn naive_records<'a>(records: &'a [u8]) -> Vec<Step<'a>> {
    let mut found = Vec::new();
    let mut rest = records;
    while !rest.is_empty() {
        let cut = Step::CutBatch { length: rest.len(), after_whole_batch: !found.is_empty() };
        if rest.len() < 12 {
            found.push(cut);
            break;
        }
        let base_offset = i64::from_be_bytes(rest[..8].try_into().unwrap());
        let batch_length = i32::from_be_bytes(rest[8..12].try_into().unwrap());
        let bad = Step::BadBatch(BadBatch { base_offset, batch_length });
        if batch_length < 14 {
            found.push(bad);
            break;
        }
        let length = 12 + usize::try_from(batch_length).unwrap();
        if length > rest.len() {
            found.push(cut);
            break;
        }
        if length < 61 && !matches!(rest[16], 0 | 1) {
            found.push(bad);
            break;
        }
        found.push(Step::Batch(&rest[..length]));
        rest = &rest[length..];
    }
    found
}

/// Checks that the decoder, however the body is cut, agrees with the whole decode.
fn check(version: i16, body: &[u8], arrivals: &[usize]) {
    let whole = FetchResponse::decode(body, version);
    for (arrivals, patient) in [(arrivals, false), (arrivals, true), (&[usize::MAX][..], false)] {
        let steps = steps(version, body, arrivals, patient);
        let (Ok(whole), Ok(steps)) = (&whole, &steps) else {
            assert_eq!(whole.is_ok(), steps.is_ok(), "{whole:?} but {steps:?}");
            continue;
        };
        let of_records = |step: &&Step<'_>| {
            matches!(step, Step::Batch(_) | Step::CutBatch { .. } | Step::BadBatch(_))
        };
        let batches: Vec<_> = steps.iter().filter(of_records).cloned().collect();
        let partitions = whole.responses.iter().flat_map(|topic| &topic.partitions);
        let naive: Vec<_> =
            partitions.flat_map(|p| naive_records(p.records.unwrap_or_default())).collect();
        assert_eq!(batches, naive);

        let mut read = assembled(version, body, steps.clone());
        let read_partitions = read.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
        let partitions = whole.responses.iter().flat_map(|topic| &topic.partitions);
        for (read, partition) in read_partitions.zip(partitions) {
            assert_eq!(read.records.map(<[u8]>::len), partition.records.map(<[u8]>::len));
            read.records = partition.records;
        }
        assert_eq!(&read, whole);
    }
}

/// A batch of `length` bytes with a plausible header and nothing in it.
fn batch(length: usize, magic: u8) -> Vec<u8> {
    let mut bytes = vec![0xA5; length];
    bytes[..8].copy_from_slice(&77i64.to_be_bytes());
    let counted = i32::try_from(length).unwrap() - 12;
    bytes[8..12].copy_from_slice(&counted.to_be_bytes());
    bytes[16] = magic;
    bytes
}

/// Records as brokers send them, cut at the end or damaged or neither.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let batches = vec((prop_oneof![26..61usize, 61..300usize], 0..4u8), 0..6);
    let damage = proptest::option::of((0..200usize, any::<u8>()));
    (batches, 0..80usize, damage).prop_map(|(batches, cut, damage)| {
        let mut bytes: Vec<u8> =
            batches.into_iter().flat_map(|(len, magic)| batch(len, magic)).collect();
        bytes.truncate(bytes.len().saturating_sub(cut / 2));
        if let Some((at, value)) = damage {
            bytes.get_mut(at).into_iter().for_each(|byte| *byte = value);
        }
        bytes
    })
}

fn arrivals() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), vec(1..200usize, 1..20)]
}

#[test]
fn steps_are_the_whole_response_however_it_arrives() {
    for_each_version(
        API.versions(),
        |version| (response(version), vec(records(), 0..8), tags(), arrivals()),
        |version, (mut theirs, mut records, tags, arrivals)| {
            let topics = theirs.responses.iter_mut();
            for partition in topics.flat_map(|topic| &mut topic.partitions) {
                partition.records = records.pop().map(Into::into);
            }
            if version >= 12 {
                tag_response(&mut theirs, &tags);
            }
            check(version, &encoded(&theirs, version), &arrivals);
        },
    );
}

#[test]
fn damaged_responses_are_refused_as_by_the_whole_decode() {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    for_each_version(
        API.versions(),
        |version| (response(version), damage.clone(), any::<prop::sample::Index>(), arrivals()),
        |version, (theirs, damage, end, arrivals)| {
            let mut body = encoded(&theirs, version);
            for (at, value) in &damage {
                let at = at.index(body.len());
                body[at] = *value;
            }
            check(version, &body, &arrivals);
            body.truncate(end.index(body.len() + 1));
            check(version, &body, &arrivals);
        },
    );
}

#[test]
fn garbage_is_refused_as_by_the_whole_decode() {
    let byte = prop_oneof![Just(0u8), Just(1), Just(2), Just(255), any::<u8>()];
    for_each_version(
        API.versions(),
        |_| (vec(byte.clone(), 0..120), arrivals()),
        |version, (body, arrivals)| check(version, &body, &arrivals),
    );
}

/// A response of one partition with these records.
fn one_partition(version: i16, records: Option<&[u8]>) -> Vec<u8> {
    let partition = PartitionData {
        partition_index: 3,
        high_watermark: 100,
        aborted_transactions: Some(vec![AbortedTransaction { producer_id: 5, first_offset: 6 }]),
        records,
        ..PartitionData::default()
    };
    let topic =
        FetchableTopicResponse { topic: "t", topic_id: Uuid([9; 16]), partitions: vec![partition] };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let mut body = Vec::new();
    response.encode(version, &mut body).unwrap();
    body
}

/// The steps between `Records` and `PartitionEnd`.
fn steps_of_records(records: &[u8]) -> Vec<String> {
    let body = one_partition(12, Some(records));
    let steps = steps(12, &body, &[1], false).unwrap();
    let begin = steps.iter().position(|step| matches!(step, Step::Records(_))).unwrap();
    let end = steps.iter().position(|step| matches!(step, Step::PartitionEnd(_))).unwrap();
    let shown = steps[begin + 1..end].iter().map(|step| match step {
        Step::Batch(bytes) => format!("batch {}", bytes.len()),
        Step::CutBatch { length, after_whole_batch } => format!("cut {length} {after_whole_batch}"),
        Step::BadBatch(bad) => format!("bad {} {}", bad.base_offset, bad.batch_length),
        other => format!("{other:?}"),
    });
    shown.collect()
}

#[test]
fn steps_come_in_the_order_of_the_wire() {
    let whole = batch(70, 2);
    for version in API.versions().min..=API.versions().max {
        let body = one_partition(version, Some(&whole));
        let steps = steps(version, &body, &[usize::MAX], false).unwrap();
        let topic = if version >= 13 { TopicRef::Id(Uuid([9; 16])) } else { TopicRef::Name("t") };
        let expected = [
            Step::Header(FetchHeader {
                throttle_time_ms: 0,
                error_code: ErrorCode::NONE,
                session_id: 0,
            }),
            Step::Topic(topic),
            Step::Partition(PartitionHeader {
                partition_index: 3,
                error_code: ErrorCode::NONE,
                high_watermark: 100,
                last_stable_offset: -1,
                log_start_offset: -1,
                aborted_count: Some(1),
            }),
            Step::Aborted(AbortedTransaction { producer_id: 5, first_offset: 6 }),
            Step::Records(RecordsHeader { preferred_read_replica: -1, records_length: Some(70) }),
            Step::Batch(&whole),
            Step::PartitionEnd(Default::default()),
        ];
        assert_eq!(steps, expected, "version {version}");
    }
}

#[test]
fn records_may_be_null_or_empty() {
    for records in [None, Some(&[][..])] {
        let body = one_partition(10, records);
        let steps = steps(10, &body, &[1], false).unwrap();
        let records_length = records.map(<[u8]>::len);
        let expected = Step::Records(RecordsHeader { preferred_read_replica: -1, records_length });
        assert_eq!(steps[4], expected);
        assert!(matches!(steps[5], Step::PartitionEnd(_)));
    }
}

#[test]
fn a_cut_batch_is_no_error() {
    let (first, second) = (batch(100, 2), batch(5000, 2));
    for kept in [1, 11, 12, 16, 17, 60, 61, 4999] {
        let both = [&first[..], &second[..kept]].concat();
        assert_eq!(steps_of_records(&both), ["batch 100", &format!("cut {kept} true")]);
        assert_eq!(steps_of_records(&second[..kept]), [format!("cut {kept} false")]);
    }
}

#[test]
fn a_batch_length_that_cannot_be_right_is_the_partitions_error() {
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        let mut bad = batch(70, 2);
        bad[8..12].copy_from_slice(&length.to_be_bytes());
        assert_eq!(steps_of_records(&bad), [format!("bad 77 {length}")]);
        let both = [&batch(61, 2)[..], &bad, &batch(80, 2)].concat();
        assert_eq!(steps_of_records(&both), ["batch 61", &format!("bad 77 {length}")]);
    }
}

#[test]
fn messages_of_old_formats_may_be_shorter_than_a_batch_header() {
    let both = [batch(26, 0), batch(34, 1), batch(61, 2)].concat();
    assert_eq!(steps_of_records(&both), ["batch 26", "batch 34", "batch 61"]);
    assert_eq!(steps_of_records(&batch(60, 3)), ["bad 77 48"]);
}

#[test]
fn the_header_of_a_batch_is_in_sight_before_its_body() {
    let batches = [batch(200, 2), batch(300, 2)].concat();
    let body = one_partition(11, Some(&batches));
    let begin = body.len() - 500;
    let mut decoder = FetchDecoder::new(11, body.len());
    let mut position = 0;
    while position < begin {
        position += decoder.step(&body[position..begin]).unwrap().0;
    }
    let input = &body[begin..begin + 60];
    assert_eq!(decoder.step(input).unwrap(), (0, Step::NeedMore { at_least: 200 }));
    assert_eq!(decoder.batch_header_in_sight(input), None);
    let input = &body[begin..begin + 199];
    assert_eq!(decoder.step(input).unwrap(), (0, Step::NeedMore { at_least: 200 }));
    assert_eq!(decoder.batch_header_in_sight(input).unwrap()[..], batches[..61]);
    let input = &body[begin..begin + 261];
    assert_eq!(decoder.step(input).unwrap(), (200, Step::Batch(&batches[..200])));
    assert_eq!(decoder.batch_header_in_sight(&input[200..]).unwrap()[..], batches[200..261]);
}

#[test]
fn no_header_is_in_sight_of_what_will_not_be_a_batch() {
    for records in [&batch(200, 2)[..150], &batch(200, 1)] {
        let body = one_partition(11, Some(records));
        let begin = body.len() - records.len();
        let mut decoder = FetchDecoder::new(11, body.len());
        let mut position = 0;
        while position < begin {
            assert_eq!(decoder.batch_header_in_sight(&body[position..]), None);
            position += decoder.step(&body[position..begin]).unwrap().0;
        }
        assert_eq!(decoder.batch_header_in_sight(&body[begin..]), None);
    }
}

#[test]
fn a_length_beyond_the_body_is_an_error_before_anything_is_waited_for() {
    let body = one_partition(10, Some(&batch(70, 2)));
    for missing in 1..body.len() {
        let mut decoder = FetchDecoder::new(10, body.len() - missing);
        let mut position = 0;
        let error = loop {
            match decoder.step(&body[position..]) {
                Ok((_, Step::NeedMore { .. } | Step::Done)) => panic!("{missing} bytes missing"),
                Ok((consumed, _)) => position += consumed,
                Err(error) => break error,
            }
        };
        let is_length =
            matches!(error.error, WireError::Truncated { .. } | WireError::CountTooLarge { .. });
        assert!(is_length && error.at_byte == position, "{error}");
    }
}

#[test]
fn bytes_behind_the_last_field_are_an_error() {
    let mut body = one_partition(12, None);
    body.push(0);
    let error = steps(12, &body, &[1], true).unwrap_err();
    assert_eq!(error.error, WireError::TrailingBytes { count: 1 });
    assert_eq!(error.at_byte, body.len() - 1);
}

#[test]
fn input_beyond_the_body_is_left_alone() {
    let body = one_partition(12, Some(&batch(70, 2)));
    let stream = [&body[..], &[0xEE; 100]].concat();
    let mut decoder = FetchDecoder::new(12, body.len());
    let mut position = 0;
    loop {
        let (consumed, step) = decoder.step(&stream[position..]).unwrap();
        position += consumed;
        if step == Step::Done {
            break;
        }
    }
    assert_eq!(position, body.len());
    assert_eq!(decoder.step(&stream[position..]).unwrap(), (0, Step::Done));
}

#[test]
fn a_large_unknown_tag_is_skipped_in_pieces_and_never_waited_for() {
    let mut body = one_partition(12, None);
    body.pop(); // the count of the body's tagged fields
    let length = 3_000_000usize;
    body.extend([1, 0x7F, 0xC0, 0x8D, 0xB7, 0x01]); // one field of tag 127 and that length
    body.extend(std::iter::repeat_n(0xEE, length));
    let mut decoder = FetchDecoder::new(12, body.len());
    let (mut position, mut arrived) = (0, 0);
    loop {
        let (consumed, step) = decoder.step(&body[position..arrived]).unwrap();
        position += consumed;
        match step {
            Step::NeedMore { at_least } => {
                assert!(at_least <= 100);
                arrived = body.len().min(arrived + 10_000);
            }
            Step::Done => break,
            _ => {}
        }
    }
    assert_eq!(position, body.len());
}

#[test]
fn an_unknown_tag_beyond_the_body_is_an_error_before_anything_is_waited_for() {
    let mut body = one_partition(12, None);
    body.pop(); // the count of the body's tagged fields
    body.extend([1, 0x7F, 100]); // one field of tag 127 and 100 bytes, of which 99 can come
    let mut decoder = FetchDecoder::new(12, body.len() + 99);
    let mut position = 0;
    let error = loop {
        match decoder.step(&body[position..]) {
            Ok((_, Step::NeedMore { .. })) => panic!("waits"),
            Ok((consumed, _)) => position += consumed,
            Err(error) => break error,
        }
    };
    assert_eq!(error.error, WireError::Truncated { missing: 1 });
}

#[test]
fn tags_of_later_versions_are_skipped() {
    let mut body = Vec::new();
    FetchResponse::default().encode(15, &mut body).unwrap();
    body.pop();
    body.extend([1, 0, 1, 0xEE]); // no array of nodes, which it would be from version 16 on
    check(15, &body, &[1]);
    assert_eq!(FetchResponse::decode(&body, 15), Ok(FetchResponse::default()));
    assert!(steps(15, &body, &[1], false).is_ok());
    assert!(steps(16, &body, &[1], false).is_err());
}

#[test]
fn a_known_tag_is_as_long_as_its_field() {
    let body = one_partition(12, None);
    let tags = body.len() - 3; // of the partition, then of the topic, then of the body
    for (length, is_good) in [(8, false), (9, true), (10, false)] {
        let mut body = body.clone();
        let field = std::iter::repeat_n(0, length);
        body.splice(tags..=tags, [1, 1, u8::try_from(length).unwrap()].into_iter().chain(field));
        check(12, &body, &[1]);
        assert_eq!(steps(12, &body, &[1], false).is_ok(), is_good, "{length} bytes");
    }
}

#[test]
fn node_endpoints_come_before_the_end() {
    let node = NodeEndpoint { node_id: 4, host: "b4", port: 9092, rack: None };
    let response = FetchResponse { node_endpoints: vec![node], ..FetchResponse::default() };
    let mut body = Vec::new();
    response.encode(16, &mut body).unwrap();
    let steps = steps(16, &body, &[1], false).unwrap();
    assert_eq!(steps.last(), Some(&Step::NodeEndpoints(vec![node])));
}

#[test]
fn versions_that_are_not_supported_are_refused() {
    for version in [3, 19, -1] {
        let error = FetchDecoder::new(version, 100).step(&[0; 100]).unwrap_err();
        assert_eq!(error.error, WireError::UnsupportedVersion { version });
    }
}
