//! What is committed when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kfetch::{ErrorKind, OffsetAndMetadata, TopicPartition};

use super::{Member, Place, SOON, poll_until, poll_while};

const BY_HAND: (&str, &str) = ("enable.auto.commit", "false");

fn at(offset: i64) -> OffsetAndMetadata {
    OffsetAndMetadata { offset, leader_epoch: -1, metadata: String::new() }
}

fn committed(member: &mut Member, partition: &TopicPartition) -> Option<OffsetAndMetadata> {
    let asked = std::slice::from_ref(partition);
    member.consumer.committed(asked, SOON).unwrap().remove(0).unwrap()
}

pub(crate) fn a_commit_is_refused_where_it_must_be(place: &dyn Place) {
    place.fill("refused", 1, 10);
    let mut member = Member::of(place, "refused", &["refused"], &[BY_HAND]);
    let owned = TopicPartition::new("refused", 0);
    let commit = |member: &mut Member, partition: &TopicPartition, offset| {
        member.consumer.commit_offsets_sync(&[(partition.clone(), offset)], SOON)
    };
    let early = commit(&mut member, &owned, at(1)).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::State, "not assigned yet");
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    let foreign = TopicPartition::new("refused", 7);
    assert_eq!(commit(&mut member, &foreign, at(1)).unwrap_err().kind(), ErrorKind::State);
    let negative = commit(&mut member, &owned, at(-1)).unwrap_err();
    assert_eq!(negative.kind(), ErrorKind::InvalidArgument);
    let long = OffsetAndMetadata { metadata: "x".repeat(4097), ..at(1) };
    let refused = commit(&mut member, &owned, long).unwrap_err();
    assert_eq!((refused.code(), refused.partition()), (12, 0), "OFFSET_METADATA_TOO_LARGE");
    assert_eq!(committed(&mut member, &owned), None, "nothing was committed by any of these");
    let told = OffsetAndMetadata { metadata: "so far".to_owned(), ..at(4) };
    commit(&mut member, &owned, told.clone()).unwrap();
    assert_eq!(committed(&mut member, &owned), Some(told));
    member.close();
}

pub(crate) fn asynchronous_commits_are_told_in_order(place: &dyn Place) {
    place.fill("async", 1, 10);
    let mut member = Member::of(place, "async", &["async"], &[BY_HAND]);
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    let partition = TopicPartition::new("async", 0);
    let told: Arc<Mutex<Vec<(i64, bool)>>> = Arc::default();
    for offset in 1..=20 {
        let told = Arc::clone(&told);
        let offsets = [(partition.clone(), at(offset))];
        let callback =
            move |_: &mut kfetch::Consumer, offsets: &[(_, OffsetAndMetadata)], result| {
                let result: kfetch::Result<()> = result;
                told.lock().unwrap().push((offsets[0].1.offset, result.is_ok()));
            };
        member.consumer.commit_offsets_async(&offsets, Some(Box::new(callback))).unwrap();
    }
    poll_until(&mut [&mut member], |_| told.lock().unwrap().len() == 20);
    let expected: Vec<(i64, bool)> = (1..=20).map(|offset| (offset, true)).collect();
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(committed(&mut member, &partition).unwrap().offset, 20);
    member.close();
}

pub(crate) fn marked_offsets_alone_are_committed(place: &dyn Place) {
    place.fill("marked", 2, 20);
    let settings = [("enable.auto.offset.store", "false"), ("auto.commit.interval.ms", "100")];
    let mut member = Member::of(place, "marked", &["marked"], &settings);
    poll_until(&mut [&mut member], |all| all[0].values.len() == 20);
    let partitions = [0, 1].map(|number| TopicPartition::new("marked", number));
    poll_while(&mut [&mut member], Duration::from_millis(400));
    assert_eq!(committed(&mut member, &partitions[0]), None, "nothing is marked");
    let foreign = [(TopicPartition::new("marked", 9), at(1))];
    let refused = member.consumer.store_offsets(&foreign).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::State);
    member.consumer.store_offsets(&[(partitions[1].clone(), at(3))]).unwrap();
    poll_until(&mut [&mut member], |_| true);
    poll_while(&mut [&mut member], Duration::from_millis(400));
    assert_eq!(committed(&mut member, &partitions[1]).unwrap().offset, 3);
    assert_eq!(committed(&mut member, &partitions[0]), None);
    member.consumer.store_offsets(&[(partitions[0].clone(), at(5))]).unwrap();
    member.close();
    let mut other = Member::new(place, "marked", &[]);
    assert_eq!(committed(&mut other, &partitions[0]).unwrap().offset, 5, "the close commits");
    other.close();
}

pub(crate) fn positions_are_committed_from_time_to_time(place: &dyn Place) {
    place.fill("timely", 1, 10);
    let settings = [("auto.commit.interval.ms", "200")];
    let mut member = Member::of(place, "timely", &["timely"], &settings);
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    let partition = TopicPartition::new("timely", 0);
    let mut other = Member::new(place, "timely", &[]);
    poll_while(&mut [&mut member], Duration::from_millis(600));
    assert_eq!(committed(&mut other, &partition).unwrap().offset, 10);
    other.close();
    member.close();
}

pub(crate) fn partitions_assigned_by_hand_start_and_end_with_commits(place: &dyn Place) {
    place.fill("manual", 1, 10);
    let partition = TopicPartition::new("manual", 0);
    let mut first = Member::new(place, "manual", &[]);
    first.consumer.assign(std::slice::from_ref(&partition)).unwrap();
    let refused = first.consumer.subscribe(&["manual"]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::State);
    poll_until(&mut [&mut first], |all| all[0].values.len() == 10);
    assert!(first.close().is_empty(), "nobody is told of what was assigned by hand");
    place.fill_on("manual", 1, 10..12);
    let mut second = Member::new(place, "manual", &[]);
    second.consumer.assign(std::slice::from_ref(&partition)).unwrap();
    assert_eq!(second.consumer.position(&partition, SOON).unwrap(), 10);
    poll_until(&mut [&mut second], |all| all[0].values.len() == 2);
    assert_eq!(second.values, ["v10", "v11"]);
    second.close();
}
