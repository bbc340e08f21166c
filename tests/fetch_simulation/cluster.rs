//! The model cluster: brokers that know leaders, now and as of yesterday, and answer requests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kfetch::backoff::Random;
use kfetch::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use kfetch::protocol::list_offsets::{
    EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartitionResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kfetch::protocol::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use kfetch::protocol::{ApiKey, ErrorCode, RequestHeader, ResponseHeader, write_frame};
use kfetch::wire::{EncodeError, Int32Array, Reader};

use super::event::Event;
use super::log::{PARTITIONS_PER_TOPIC, PartitionLog, place_of};
use super::weather::{Weather, happens};

/// The leader of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    /// None while an election is under way.
    pub(crate) broker: Option<usize>,
    pub(crate) epoch: i32,
}

#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) is_up: bool,
    pub(crate) port: u16,
    /// What it believes of the leaders, which may be of yesterday.
    pub(crate) view: Vec<Leader>,
    fetch_version_max: i16,
    metadata_version_max: i16,
}

/// All brokers and what they hold.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) brokers: Vec<Broker>,
    pub(crate) leaders: Vec<Leader>,
    pub(crate) logs: Vec<PartitionLog>,
    pub(crate) weather: Weather,
    /// What the checker should know.
    pub(crate) events: Vec<Event>,
    /// Batches that have lost a bit on their way already; the second loss would be damage.
    pub(crate) flipped: BTreeSet<(usize, i64)>,
}

/// What a broker does with a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// When it answers with a frame.
    Answer(Vec<u8>),
    /// When it waits until then for data.
    Wait(Instant),
}

impl Cluster {
    pub(crate) fn new(brokers: usize, partitions: usize, random: &mut Random) -> Self {
        let leaders: Vec<Leader> = (0..partitions)
            .map(|_| Leader { broker: Some(pick(random, brokers)), epoch: 3 })
            .collect();
        let broker = |at: usize, random: &mut Random| Broker {
            is_up: true,
            port: 9000 + u16::try_from(at).unwrap(),
            view: leaders.clone(),
            fetch_version_max: 4 + i16::try_from(random.below(11)).unwrap(),
            metadata_version_max: 4 + i16::try_from(random.below(9)).unwrap(),
        };
        Self {
            brokers: (0..brokers).map(|at| broker(at, random)).collect(),
            leaders: leaders.clone(),
            logs: vec![PartitionLog::default(); partitions],
            weather: Weather::default(),
            events: Vec::new(),
            flipped: BTreeSet::new(),
        }
    }

    /// Moves a partition's leader; the others hear of it later.
    pub(crate) fn move_leader(&mut self, place: usize, to: Option<usize>) {
        let leader = Leader { broker: to, epoch: self.leaders[place].epoch + 1 };
        self.leaders[place] = leader;
        if let Some(broker) = to {
            self.brokers[broker].view[place] = leader;
        }
    }

    /// Lets a broker answer a request, the body of a frame.
    pub(crate) fn answer(
        &mut self,
        broker: usize,
        request: &[u8],
        waited: Duration,
        now: Instant,
        random: &mut Random,
    ) -> Outcome {
        let mut reader = Reader::new(request);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let (version, body) = (header.request_api_version, reader.rest());
        let api_key = ApiKey::from_code(header.request_api_key).unwrap();
        let mut answer = Vec::new();
        if api_key == ApiKey::Fetch
            && let Some(left) = self.fetch(broker, body, version, waited, random, &mut answer)
        {
            return Outcome::Wait(now + left);
        }
        let mut correlation_id = header.correlation_id;
        if happens(random, self.weather.mismatched) {
            self.events.push(Event::Fault(format!("broker {broker}: wrong correlation id")));
            correlation_id += 1;
        }
        let mut frame = Vec::new();
        write_frame(&mut frame, |out| {
            ResponseHeader { correlation_id }.encode(out, api_key, version);
            match api_key {
                ApiKey::ApiVersions => self.api_versions(broker).encode(version, out),
                ApiKey::Metadata => self.metadata(broker, body, version, random, out),
                ApiKey::ListOffsets => self.list_offsets(broker, body, version, random, out),
                _ => {
                    out.extend_from_slice(&answer);
                    Ok(())
                }
            }
        })
        .unwrap();
        if happens(random, self.weather.mismeasured)
            && let Some(length) = frame.first_chunk_mut()
        {
            self.events.push(Event::Fault(format!("broker {broker}: wrong length")));
            let wrong = i32::from_be_bytes(*length) + [-9, -1, 1, 300][pick(random, 4)];
            *length = wrong.to_be_bytes();
        }
        if happens(random, self.weather.scrambled) {
            scramble(&mut frame, random);
        }
        Outcome::Answer(frame)
    }

    fn api_versions(&self, broker: usize) -> ApiVersionsResponse<'static> {
        let broker = &self.brokers[broker];
        let versions = [
            (ApiKey::Fetch, 4, broker.fetch_version_max),
            (ApiKey::ListOffsets, 1, 5),
            (ApiKey::Metadata, 1, broker.metadata_version_max),
            (ApiKey::ApiVersions, 0, 3),
        ];
        let api_keys = versions.map(|(api_key, min_version, max_version)| ApiVersion {
            api_key: api_key.code(),
            min_version,
            max_version,
        });
        ApiVersionsResponse { api_keys: api_keys.to_vec(), ..ApiVersionsResponse::default() }
    }

    fn metadata(
        &mut self,
        broker: usize,
        body: &[u8],
        version: i16,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let request = MetadataRequest::decode(body, version).unwrap();
        let odd = self.weather.odd_metadata;
        let hosts: Vec<String> = (0..self.brokers.len()).map(host_of).collect();
        let mut brokers: Vec<MetadataResponseBroker<'_>> = (0..self.brokers.len())
            .map(|at| MetadataResponseBroker {
                node_id: node_of(at),
                host: &hosts[at],
                port: i32::from(self.brokers[at].port),
                rack: None,
            })
            .collect();
        if happens(random, odd) {
            match random.below(2) {
                0 => brokers.clear(),
                _ => drop(brokers.remove(pick(random, brokers.len()))),
            }
        }
        let mut topics = Vec::new();
        for asked in request.topics.iter().flatten() {
            topics.push(self.describe(broker, asked.name.unwrap(), random));
        }
        if happens(random, odd) && !topics.is_empty() {
            drop(topics.remove(pick(random, topics.len())));
        }
        let throttle_time_ms = self.throttle(random);
        let response =
            MetadataResponse { throttle_time_ms, brokers, topics, ..MetadataResponse::default() };
        response.encode(version, out)
    }

    fn describe<'a>(
        &self,
        broker: usize,
        name: &'a str,
        random: &mut Random,
    ) -> MetadataResponseTopic<'a> {
        let mut topic = MetadataResponseTopic { name: Some(name), ..Default::default() };
        if happens(random, self.weather.odd_metadata) {
            topic.error_code = ErrorCode([3, 5][pick(random, 2)]);
            return topic;
        }
        for number in 0..i32::try_from(PARTITIONS_PER_TOPIC).unwrap() {
            let Some(place) = place_of(name, number).filter(|place| *place < self.logs.len())
            else {
                continue;
            };
            let mut leader = self.brokers[broker].view[place];
            if happens(random, self.weather.odd_metadata) {
                leader.broker = None;
            }
            topic.partitions.push(MetadataResponsePartition {
                partition_index: number,
                leader_id: leader.broker.map_or(-1, node_of),
                leader_epoch: leader.epoch,
                replica_nodes: Int32Array::Values(&[1]),
                isr_nodes: Int32Array::Values(&[1]),
                ..MetadataResponsePartition::default()
            });
        }
        topic
    }

    /// Draws how long the broker wants to be left alone.
    pub(crate) fn throttle(&self, random: &mut Random) -> i32 {
        match happens(random, self.weather.throttled) {
            true => i32::try_from(random.below(400)).unwrap(),
            false => 0,
        }
    }

    fn list_offsets(
        &mut self,
        broker: usize,
        body: &[u8],
        version: i16,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let request = ListOffsetsRequest::decode(body, version).unwrap();
        let mut topics = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for asked in &topic.partitions {
                if happens(random, self.weather.odd_partitions) {
                    continue;
                }
                let place = place_of(topic.name, asked.partition_index).unwrap();
                let error_code =
                    self.partition_error(broker, place, asked.current_leader_epoch, random);
                let offset = match error_code {
                    ErrorCode::NONE => self.look_up(place, asked.timestamp),
                    _ => -1,
                };
                partitions.push(ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    error_code,
                    timestamp: -1,
                    offset,
                    leader_epoch: -1,
                });
            }
            topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
        }
        let throttle_time_ms = self.throttle(random);
        ListOffsetsResponse { throttle_time_ms, topics }.encode(version, out)
    }

    /// Finds an offset; times are tenths of offsets.
    fn look_up(&mut self, place: usize, timestamp: i64) -> i64 {
        let log = &self.logs[place];
        let offset = match timestamp {
            EARLIEST_TIMESTAMP => log.start,
            LATEST_TIMESTAMP => log.end,
            time if time * 10 >= log.end => -1,
            time => (time * 10).max(log.start),
        };
        self.events.push(Event::Told { place, offset });
        offset
    }

    /// Returns what is wrong with asking this broker for a partition, if anything.
    pub(crate) fn partition_error(
        &mut self,
        broker: usize,
        place: usize,
        epoch: i32,
        random: &mut Random,
    ) -> ErrorCode {
        if happens(random, self.weather.refusal) {
            self.events.push(Event::Refused { place });
            return ErrorCode([29, 2][pick(random, 2)]);
        }
        if happens(random, self.weather.partition_error) {
            return ErrorCode([3, 5, 6, 9, 56, 74, 75, 78, -1][pick(random, 9)]);
        }
        let leader = self.leaders[place];
        if leader.broker != Some(broker) {
            return ErrorCode::NOT_LEADER_OR_FOLLOWER;
        }
        match epoch {
            -1 => ErrorCode::NONE,
            epoch if epoch < leader.epoch => ErrorCode::FENCED_LEADER_EPOCH,
            epoch if epoch > leader.epoch => ErrorCode::UNKNOWN_LEADER_EPOCH,
            _ => ErrorCode::NONE,
        }
    }
}

/// Puts something else in the place of some bytes.
fn scramble(frame: &mut [u8], random: &mut Random) {
    let at = pick(random, frame.len());
    let wrong: &[u8] = match random.below(7) {
        0 => &[0xff; 4],
        1 => &[0; 4],
        2 => &[0x7f, 0xff, 0xff, 0xff],
        3 => &[0x80, 0, 0, 0],
        4 => &[0xff, 0xff, 0xff, 0xff, 0x0f],
        5 => &[0xff; 10],
        _ => &[frame[at] ^ (1 << random.below(8))],
    };
    for (to, from) in frame[at..].iter_mut().zip(wrong) {
        *to = *from;
    }
}

/// Returns the node id of a broker.
pub(crate) fn node_of(broker: usize) -> i32 {
    i32::try_from(broker).unwrap() + 1
}

/// Returns the name of a broker's host.
pub(crate) fn host_of(broker: usize) -> String {
    format!("broker-{broker}")
}

/// Draws a place below `count`.
pub(crate) fn pick(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).unwrap()
}
