//! What single calls return, and when, while the network fails.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::Duration;

use kfetch::protocol::ApiKey;
use kfetch::{Consumer, Error, ErrorKind, TopicPartition};

use crate::fault_proxy::{End, FrameCut, Mode, Side};
use crate::member::{SLACK, generation, offset};
use crate::scene::{PARTITIONS, Scene};
use crate::support::deadline::now;
use crate::watch::{LIMIT, MS, let_pass};

const STEP: Duration = Duration::from_millis(50);

/// Makes a call that is to return within `limit`.
fn timed<T>(what: &str, limit: Duration, call: impl FnOnce() -> T) -> T {
    let started = now();
    let outcome = call();
    let took = started.elapsed();
    assert!(took < limit + SLACK, "{what} took {took:?} of {limit:?}");
    outcome
}

/// Polls until it owns all partitions and has read of each.
fn join(consumer: &mut Consumer, topic: &str) -> Vec<TopicPartition> {
    consumer.subscribe(&[topic]).unwrap();
    let (mut read, started) = (BTreeMap::new(), now());
    while read.len() < PARTITIONS {
        assert!(started.elapsed() < LIMIT, "{read:?}");
        for record in &consumer.poll(STEP).unwrap().into_iter().collect::<Vec<_>>() {
            for one in record {
                read.insert(one.partition(), one.offset());
            }
        }
    }
    consumer.assignment()
}

fn assert_may_pass(error: &Error) {
    let is_known = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Network);
    assert!(is_known && error.is_retriable() && !error.is_fatal(), "{:?} {error}", error.kind());
}

#[test]
fn commits_fail_in_time_while_nobody_answers_and_succeed_later() {
    let scene = Scene::new("refused").with("session.timeout.ms", "20000");
    let proxy = &scene.proxies()[0];
    let mut consumer = scene.consumer(0);
    join(&mut consumer, &scene.topic);
    consumer.commit_sync(LIMIT).unwrap();
    let before = generation(&consumer);
    for mode in [Mode::Refuse, Mode::BlackHole, Mode::Mute] {
        proxy.set(mode);
        let until = now() + 5_000 * MS;
        while now() < until {
            let limit = 700 * MS;
            let error = timed("commit", limit, || consumer.commit_sync(limit)).unwrap_err();
            assert_may_pass(&error);
            let asked = consumer.assignment();
            let error = timed("committed", limit, || consumer.committed(&asked, limit));
            assert_may_pass(&error.unwrap_err());
            drop(timed("poll", STEP, || consumer.poll(STEP)).unwrap());
        }
        proxy.set(Mode::Pass);
        timed("commit", 5_000 * MS, || consumer.commit_sync(LIMIT)).unwrap();
        let positions: BTreeMap<String, i64> = consumer
            .assignment()
            .iter()
            .map(|one| {
                let position = consumer.position(one, LIMIT).unwrap();
                (format!("{}-{}", one.topic, one.partition), position)
            })
            .collect();
        assert_eq!(scene.committed(), positions);
        drop(consumer.poll(STEP).unwrap());
        assert_eq!(generation(&consumer), before);
    }
    consumer.close(LIMIT).unwrap();
}

#[test]
fn close_returns_in_time_into_a_black_hole() {
    let scene = Scene::new("closes");
    let proxy = &scene.proxies()[0];
    for (settings, mode) in [
        ([("enable.auto.commit", "true"), ("group.id", "closes-1")], Mode::BlackHole),
        ([("enable.auto.commit", "false"), ("group.id", "closes-2")], Mode::BlackHole),
        ([("enable.auto.commit", "true"), ("group.id", "closes-3")], Mode::Mute),
        ([("enable.auto.commit", "true"), ("group.id", "closes-4")], Mode::Refuse),
    ] {
        let mut consumer = scene.consumer_with(0, &settings);
        join(&mut consumer, &scene.topic);
        proxy.set(mode);
        let limit = 1_000 * MS;
        let outcome = timed("close", limit, || consumer.close(limit));
        // Whether the coordinator heard of it, nobody can say in time.
        let kind = outcome.err().map(|error| error.kind());
        assert!(matches!(kind, None | Some(ErrorKind::Timeout)), "{settings:?}: {kind:?}");
        proxy.set(Mode::Pass);
    }
}

/// Commits an offset for one partition, and returns what came of it and what is there then.
fn commit(scene: &Scene, consumer: &mut Consumer, next: i64, limit: Duration) -> (bool, i64) {
    let one = TopicPartition::new(&scene.topic, 0);
    let call = || consumer.commit_offsets_sync(&[(one, offset(next))], limit);
    let outcome = timed("commit", limit, call);
    if let Err(error) = &outcome {
        assert_may_pass(error);
    }
    (outcome.is_ok(), scene.committed()[&format!("{}-0", scene.topic)])
}

#[test]
fn a_commit_whose_answer_is_cut_is_sent_again_or_fails() {
    let scene =
        Scene::new("cut").with("session.timeout.ms", "20000").with("max.poll.interval.ms", "60000");
    let proxy = &scene.proxies()[0];
    let mut consumer = scene.consumer(0);
    join(&mut consumer, &scene.topic);
    let api_key = ApiKey::OffsetCommit.code();
    let cut = |side, after, times, end| {
        proxy.set(Mode::CutFrame(FrameCut { side, api_key, after, times }, end));
    };
    let (mut next, mut before) = (0, proxy.ended());
    let mut ended = || {
        let ended = proxy.ended() - before;
        before += ended;
        ended
    };
    for end in [End::Fin, End::Reset] {
        // Inside of the length, of the correlation id, of what follows.
        for after in [0, 1, 4, 7, 8, 15, 20] {
            next += 1;
            cut(Side::Answers, after, 1, end);
            assert_eq!(commit(&scene, &mut consumer, next, LIMIT), (true, next), "{after}");
            assert_eq!(ended(), 1, "{after}");
        }
        for after in [6, 8, 30, 60] {
            next += 1;
            cut(Side::Requests, after, 1, end);
            assert_eq!(commit(&scene, &mut consumer, next, LIMIT), (true, next), "{after}");
            assert_eq!(ended(), 1, "{after}");
        }
        // The broker has it, but nobody can know that.
        next += 1;
        cut(Side::Answers, 10, usize::MAX, end);
        assert_eq!(commit(&scene, &mut consumer, next, 1_500 * MS), (false, next));
        assert!(ended() > 0);
        // The broker never gets it whole.
        let last = next;
        next += 1;
        cut(Side::Requests, 40, usize::MAX, end);
        assert_eq!(commit(&scene, &mut consumer, next, 1_500 * MS), (false, last));
        assert!(ended() > 0);
        proxy.set(Mode::Pass);
        assert_eq!(commit(&scene, &mut consumer, next, LIMIT), (true, next));
    }
    consumer.close(LIMIT).unwrap();
}

#[test]
fn an_asynchronous_commit_whose_answer_is_cut_is_told_to_have_failed() {
    let scene = Scene::new("async").with("session.timeout.ms", "20000");
    let proxy = &scene.proxies()[0];
    let mut consumer = scene.consumer(0);
    join(&mut consumer, &scene.topic);
    let (sender, told) = channel();
    for (next, side) in (1..).zip([Side::Answers, Side::Requests]) {
        let api_key = ApiKey::OffsetCommit.code();
        let cut = FrameCut { side, api_key, after: 12, times: 1 };
        proxy.set(Mode::CutFrame(cut, End::Fin));
        let one = TopicPartition::new(&scene.topic, 0);
        let sender = sender.clone();
        let tell = move |_: &mut Consumer, _: &[_], result| sender.send(result).unwrap();
        consumer.commit_offsets_async(&[(one, offset(next))], Some(Box::new(tell))).unwrap();
        let started = now();
        let result = loop {
            drop(timed("poll", STEP, || consumer.poll(STEP)).unwrap());
            if let Ok(result) = told.try_recv() {
                break result;
            }
            assert!(started.elapsed() < LIMIT);
        };
        assert_may_pass(&result.unwrap_err());
        // It is not sent again.
        let_pass(500 * MS);
        assert_eq!(scene.committed().values().copied().collect::<Vec<_>>(), [1]);
    }
    consumer.close(LIMIT).unwrap();
}
