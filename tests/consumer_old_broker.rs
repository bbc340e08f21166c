//! Brokers that speak old versions, and topics in old formats.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/batches.rs"]
mod batches;
#[path = "support/scripted_broker.rs"]
mod scripted_broker;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kfetch::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use kfetch::protocol::{ApiKey, ErrorCode, write_frame};
use kfetch::{Config, Consumer, ErrorKind, EventKind, Offset, TopicPartition};

use batches::log;
use scripted_broker::{Asked, Deed, Logs, ScriptedBroker, TOPIC};

const SOON: Duration = Duration::from_secs(10);

/// Where a batch has its magic.
const MAGIC_AT: usize = 16;

/// What a broker of Kafka 2.1 speaks, Fetch as of 0.11.
const VERSIONS: [(ApiKey, i16, i16); 4] = [
    (ApiKey::Fetch, 0, 4),
    (ApiKey::ListOffsets, 0, 4),
    (ApiKey::Metadata, 0, 7),
    (ApiKey::ApiVersions, 0, 2),
];

type Seen = Arc<Mutex<Vec<(ApiKey, i16)>>>;

/// Answers for versions as brokers before 2.4 do: what is too new gets version 0 and no list.
fn versions(asked: &Asked, good: &[u8]) -> Vec<u8> {
    let mut answer = ApiVersionsResponse::default();
    let is_known = asked.version <= 2;
    if is_known {
        let known = VERSIONS.map(|(api_key, min_version, max_version)| ApiVersion {
            api_key: api_key.code(),
            min_version,
            max_version,
        });
        answer.api_keys = known.to_vec();
    } else {
        answer.error_code = ErrorCode::UNSUPPORTED_VERSION;
    }
    let mut frame = Vec::new();
    write_frame(&mut frame, |out| {
        // The correlation id is all of this header.
        out.extend_from_slice(&good[4..8]);
        answer.encode(if is_known { asked.version } else { 0 }, out)
    })
    .unwrap();
    frame
}

/// Gives a batch the magic of an old format where an answer has it.
fn age_batch(answer: &mut [u8], batch: &[u8]) {
    let at = answer.windows(batch.len()).position(|part| part == batch);
    if let Some(at) = at {
        answer[at + MAGIC_AT] = 1;
    }
}

/// Reads from a broker that has these batches, of which the one at `old` has an old format.
fn consumer(logs: Logs, old: Option<usize>) -> (Consumer, Seen) {
    let old = old.map(|at| logs[0][at].clone());
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let broker = ScriptedBroker::start(logs, move |asked, mut answer| {
        noted.lock().unwrap().push((asked.api_key, asked.version));
        match asked.api_key {
            ApiKey::ApiVersions => answer = versions(asked, &answer),
            ApiKey::Fetch => old.iter().for_each(|batch| age_batch(&mut answer, batch)),
            _ => {}
        }
        Deed::Send(answer)
    });
    let config = Config::new()
        .with("bootstrap.servers", &broker.address.to_string())
        .and_then(|config| config.with("auto.offset.reset", "earliest"))
        .unwrap();
    let mut consumer = Consumer::new(&config).unwrap();
    consumer.assign(&[TopicPartition::new(TOPIC, 0)]).unwrap();
    (consumer, seen)
}

#[test]
fn each_request_has_the_highest_version_that_an_old_broker_speaks() {
    let (mut consumer, seen) = consumer(vec![log(3, 10, &[7; 100])], None);
    let mut left = 30;
    while left > 0 {
        left -= consumer.poll(SOON).unwrap().unwrap().len();
    }
    for (api_key, version) in seen.lock().unwrap().iter() {
        let (_, _, highest) = VERSIONS.iter().find(|(known, ..)| known == api_key).unwrap();
        let is_first_question = *api_key == ApiKey::ApiVersions && *version == 3;
        let is_second = *api_key == ApiKey::ApiVersions && *version == 0;
        assert!(is_first_question || is_second || version == highest, "{api_key:?} {version}");
    }
}

#[test]
fn batches_of_an_old_format_are_an_error_behind_the_records_before_them() {
    let (mut consumer, _) = consumer(vec![log(3, 10, &[7; 100])], Some(1));
    let mut read = 0;
    let error = loop {
        let records = consumer.poll(SOON).unwrap().unwrap();
        read += records.len();
        if let Some(event) = records.events().first() {
            break event.kind().clone();
        }
    };
    let EventKind::Failed { error, sticky: true } = error else { panic!("{error:?}") };
    let named = (error.kind(), error.topic(), error.partition(), error.offset());
    assert_eq!((read, named), (10, (ErrorKind::Unsupported, Some(TOPIC), 0, 10)));
    assert!(error.to_string().contains("magic 1"), "{error}");
    consumer.seek(&TopicPartition::new(TOPIC, 0), Offset::At(20)).unwrap();
    assert_eq!(consumer.poll(SOON).unwrap().unwrap().len(), 10);
}
