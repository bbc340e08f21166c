//! What a consumer asks its brokers about topics, and how often.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kfetch::protocol::metadata::{MetadataRequest, MetadataResponse};
use kfetch::protocol::{ApiKey, ErrorCode};
use kfetch::{Config, Consumer, ErrorKind, EventKind, Offset, TopicPartition};

use batches::log;
use scripted_broker::{Deed, ScriptedBroker, TOPIC};

const SOON: Duration = Duration::from_secs(10);

/// The topics of each Metadata request that a broker got.
type Asked = Arc<Mutex<Vec<Vec<String>>>>;

fn consumer(settings: &[(&str, &str)]) -> (Consumer, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let broker = ScriptedBroker::start(vec![log(1, 10, &[7; 100]); 2], move |asked, answer| {
        if asked.api_key == ApiKey::Metadata {
            let request = MetadataRequest::decode(&asked.body, asked.version).unwrap();
            let names = request.topics.iter().flatten().filter_map(|topic| topic.name);
            seen.lock().unwrap().push(names.map(str::to_owned).collect());
        }
        Deed::Send(answer)
    });
    let mut config = Config::new().with("bootstrap.servers", &broker.address.to_string()).unwrap();
    for (name, value) in settings {
        config = config.with(name, value).unwrap();
    }
    (Consumer::new(&config).unwrap(), asked)
}

/// Takes what was asked in `time`.
fn asked_in(asked: &Asked, time: Duration) -> Vec<Vec<String>> {
    asked.lock().unwrap().clear();
    std::thread::park_timeout(time);
    std::mem::take(&mut *asked.lock().unwrap())
}

#[test]
fn a_topic_that_was_only_asked_about_is_not_asked_for_ever() {
    let (mut consumer, asked) = consumer(&[("retry.backoff.max.ms", "100")]);
    consumer.assign_at(&[(TopicPartition::new(TOPIC, 0), Offset::Beginning)]).unwrap();
    let missing = TopicPartition::new("missing", 0);
    assert!(consumer.end_offsets(&[missing], SOON).unwrap()[0].is_err());
    // One request may be under way.
    asked_in(&asked, Duration::from_millis(150));
    let later = asked_in(&asked, Duration::from_millis(1000));
    assert!(later.is_empty(), "{later:?}");
}

#[test]
fn questions_that_follow_each_other_need_the_leaders_once() {
    let (mut consumer, asked) = consumer(&[]);
    let partitions = [0, 1].map(|partition| TopicPartition::new(TOPIC, partition));
    let ends = consumer.end_offsets(&partitions, SOON).unwrap();
    let begins = consumer.beginning_offsets(&partitions, SOON).unwrap();
    assert_eq!((ends, begins), (vec![Ok(10); 2], vec![Ok(0); 2]));
    assert_eq!(*asked.lock().unwrap(), [[TOPIC]]);
}

#[test]
fn metadata_of_no_age_is_asked_for_at_the_pace_of_retries() {
    let (mut consumer, asked) = consumer(&[("metadata.max.age.ms", "0")]);
    consumer.assign_at(&[(TopicPartition::new(TOPIC, 0), Offset::Beginning)]).unwrap();
    let often = asked_in(&asked, Duration::from_millis(1000)).len();
    assert!((2..=12).contains(&often), "{often} times in a second");
}

#[test]
fn metadata_is_asked_for_again_when_it_is_old() {
    let (mut consumer, asked) = consumer(&[("metadata.max.age.ms", "300")]);
    consumer.assign_at(&[(TopicPartition::new(TOPIC, 0), Offset::Beginning)]).unwrap();
    let often = asked_in(&asked, Duration::from_millis(1600)).len();
    assert!((3..=7).contains(&often), "{often} times in 1.6 s");
}

/// Says of every topic of a Metadata answer that it has no leaders yet.
fn without_leaders(frame: &[u8], version: i16) -> Vec<u8> {
    let head = if version >= 9 { 9 } else { 8 };
    let mut answer = MetadataResponse::decode(&frame[head..], version).unwrap();
    for topic in &mut answer.topics {
        topic.error_code = ErrorCode::LEADER_NOT_AVAILABLE;
        topic.partitions.clear();
    }
    let mut body = frame[4..head].to_vec();
    answer.encode(version, &mut body).unwrap();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

#[test]
fn a_topic_without_leaders_is_asked_for_until_it_has_some() {
    for answers_without in [2, usize::MAX] {
        let count = AtomicUsize::new(0);
        let broker = ScriptedBroker::start(vec![log(1, 10, &[7; 100])], move |asked, answer| {
            let lacks_leaders = asked.api_key == ApiKey::Metadata
                && count.fetch_add(1, Ordering::Relaxed) < answers_without;
            Deed::Send(match lacks_leaders {
                true => without_leaders(&answer, asked.version),
                false => answer,
            })
        });
        let servers = broker.address.to_string();
        let config = Config::new().with("bootstrap.servers", &servers).unwrap();
        let mut consumer = Consumer::new(&config).unwrap();
        if answers_without == 2 {
            let info = consumer.partitions_for(TOPIC, SOON).unwrap();
            assert_eq!(info.partitions.unwrap().len(), 1);
        } else {
            let error = consumer.partitions_for(TOPIC, Duration::from_millis(400)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::LEADER_NOT_AVAILABLE.0, "{error}");
        }
    }
}

#[test]
fn a_partition_that_is_missing_is_told_soon_and_looked_for_at_a_growing_pace() {
    let (mut consumer, asked) = consumer(&[("retry.backoff.max.ms", "400")]);
    let missing = TopicPartition::new(TOPIC, 7);
    consumer.assign_at(&[(missing, Offset::At(0))]).unwrap();
    let records = consumer.poll(SOON).unwrap().unwrap();
    let EventKind::Failed { error, sticky: false } = records.events()[0].kind() else {
        panic!("{:?}", records.events());
    };
    assert_eq!(error.kind(), ErrorKind::UnknownTopicOrPartition);
    let often = asked_in(&asked, Duration::from_millis(2000)).len();
    assert!((3..=6).contains(&often), "{often} times in two seconds");
}
