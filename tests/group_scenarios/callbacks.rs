//! What listeners may do, and who is woken for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kfetch::{Consumer, ErrorKind, Offset, OffsetAndMetadata, RebalanceListener, TopicPartition};

use super::{Member, Place, SOON, poll_until};

/// Calls the consumer in every way that is allowed.
struct Uses(Arc<Mutex<Vec<String>>>);

impl RebalanceListener for Uses {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        assert_eq!(consumer.assignment().len(), partitions.len());
        let committed = consumer.committed(partitions, SOON).unwrap();
        assert!(committed.iter().all(|one| one.as_ref().unwrap().is_none()));
        assert_eq!(consumer.position(&partitions[0], SOON).unwrap(), 0);
        consumer.seek(&partitions[0], Offset::At(5)).unwrap();
        assert_eq!(consumer.position(&partitions[0], SOON).unwrap(), 5);
        consumer.pause(&partitions[1..]).unwrap();
        self.0.lock().unwrap().push(format!("assigned {}", partitions.len()));
    }

    fn revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        assert_eq!(consumer.assignment().len(), partitions.len(), "they are still its own");
        consumer.commit_sync(SOON).unwrap();
        let committed = consumer.committed(partitions, SOON).unwrap();
        let sum: i64 =
            committed.into_iter().map(|one| one.unwrap().map_or(0, |one| one.offset)).sum();
        self.0.lock().unwrap().push(format!("revoked at {sum}"));
    }
}

pub(crate) fn a_listener_may_use_the_consumer(place: &dyn Place) {
    place.fill("uses", 2, 20);
    let mut member = Member::of(place, "uses", &["uses"], &[("enable.auto.commit", "false")]);
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = Uses(Arc::clone(&told));
    member.consumer.set_rebalance_listener(Some(Box::new(listener))).unwrap();
    poll_until(&mut [&mut member], |all| all[0].values.len() == 5);
    member.close();
    assert_eq!(*told.lock().unwrap(), ["assigned 2", "revoked at 10"]);
}

/// Calls what is not allowed, and keeps the answers.
struct Forbidden(Arc<Mutex<Vec<ErrorKind>>>);

impl RebalanceListener for Forbidden {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        let errors = [
            consumer.poll(Duration::ZERO).map(drop),
            consumer.subscribe(&["other"]),
            consumer.subscribe_pattern("other"),
            consumer.unsubscribe(),
            consumer.assign(partitions),
            consumer.unassign(),
            consumer.set_rebalance_listener(None),
            consumer.close(SOON),
        ];
        let kinds = errors.into_iter().map(|result| result.unwrap_err().kind());
        self.0.lock().unwrap().extend(kinds);
    }
}

pub(crate) fn a_listener_may_not_poll_or_close(place: &dyn Place) {
    place.fill("forbidden", 1, 10);
    let mut member = Member::of(place, "forbidden", &["forbidden"], &[]);
    let kinds: Arc<Mutex<Vec<ErrorKind>>> = Arc::default();
    let listener = Forbidden(Arc::clone(&kinds));
    member.consumer.set_rebalance_listener(Some(Box::new(listener))).unwrap();
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::State; 8]);
    member.close();
}

struct Panics;

impl RebalanceListener for Panics {
    fn assigned(&mut self, _: &mut Consumer, _: &[TopicPartition]) {
        panic!("a listener's own fault");
    }
}

pub(crate) fn a_listener_that_panics_leaves_the_group_in_order(place: &dyn Place) {
    place.fill("panics", 1, 10);
    let mut member = Member::of(place, "panics", &["panics"], &[]);
    member.consumer.set_rebalance_listener(Some(Box::new(Panics))).unwrap();
    let deadline = Instant::now() + SOON;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        while Instant::now() < deadline {
            drop(member.consumer.poll(Duration::from_millis(50)).unwrap());
        }
    }));
    let text = panicked.unwrap_err().downcast_ref::<&str>().copied();
    assert_eq!(text, Some("a listener's own fault"));
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    member.close();
}

/// Sleeps in the first call, for twice the poll interval.
struct Slow(Arc<Mutex<Vec<&'static str>>>);

impl RebalanceListener for Slow {
    fn assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) {
        let is_first = self.0.lock().unwrap().is_empty();
        if is_first {
            std::thread::sleep(Duration::from_secs(3));
            let at = OffsetAndMetadata { offset: 0, leader_epoch: -1, metadata: String::new() };
            let offsets = [(partitions[0].clone(), at)];
            let refused = consumer.commit_offsets_sync(&offsets, SOON).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::CommitFailed, "{refused}");
        }
        self.0.lock().unwrap().push("assigned");
    }

    fn lost(&mut self, _: &mut Consumer, _: &[TopicPartition]) {
        self.0.lock().unwrap().push("lost");
    }
}

pub(crate) fn a_listener_that_takes_too_long_loses_the_membership(place: &dyn Place) {
    place.fill("dawdles", 1, 10);
    let mut member = Member::new(
        place,
        "dawdles",
        &[("max.poll.interval.ms", "1500"), ("enable.auto.commit", "false")],
    );
    let told = Arc::default();
    let listener = Slow(Arc::clone(&told));
    member.consumer.set_rebalance_listener(Some(Box::new(listener))).unwrap();
    member.consumer.subscribe(&["dawdles"]).unwrap();
    poll_until(&mut [&mut member], |all| all[0].values.len() == 10);
    assert_eq!(told.lock().unwrap()[..], ["assigned", "lost", "assigned"]);
    member.close();
}

pub(crate) fn a_rebalance_wakes_who_waits_for_the_descriptor(place: &dyn Place) {
    place.fill("woken", 2, 0);
    let mut waits = Member::of(place, "woken", &["woken"], &[]);
    let mut other: Option<Member> = None;
    let deadline = Instant::now() + SOON;
    let mut longest = Duration::ZERO;
    while waits.owned().len() != 1 {
        assert!(Instant::now() < deadline, "{:?}", waits.told());
        if other.is_none() && waits.owned().len() == 2 {
            other = Some(Member::of(place, "woken", &["woken"], &[]));
        }
        if let Some(other) = &mut other {
            other.poll();
        }
        // Only what makes the descriptor readable brings this member on.
        let mut fd = libc::pollfd { fd: waits.consumer.fd(), events: libc::POLLIN, revents: 0 };
        let begun = Instant::now();
        // SAFETY: one descriptor that is open, in an array of one.
        let ready = unsafe { libc::poll(&raw mut fd, 1, if other.is_some() { 50 } else { 5000 }) };
        if other.is_none() {
            longest = longest.max(begun.elapsed());
        }
        if ready > 0 {
            assert!(waits.consumer.poll(Duration::ZERO).unwrap().is_none(), "there is no record");
        }
    }
    assert!(longest < Duration::from_millis(4900), "it was woken in time: {longest:?}");
    waits.close();
    other.unwrap().close();
}
