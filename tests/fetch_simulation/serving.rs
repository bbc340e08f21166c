//! How a broker of the model answers a Fetch: within its limits, and with what the weather adds.

use std::time::Duration;

use kfetch::backoff::Random;
use kfetch::protocol::ErrorCode;
use kfetch::protocol::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    PartitionData,
};

use super::cluster::{Cluster, node_of, pick};
use super::event::Event;
use super::log::place_of;
use super::weather::happens;

/// A partition of an answer.
#[derive(Clone, Debug)]
struct Served {
    partition: i32,
    place: usize,
    error_code: ErrorCode,
    records: Vec<u8>,
}

impl Cluster {
    /// Writes the answer to a Fetch; returns how long to wait where there is nothing to say yet.
    pub(crate) fn fetch(
        &mut self,
        broker: usize,
        body: &[u8],
        version: i16,
        waited: Duration,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Duration> {
        let request = FetchRequest::decode(body, version).unwrap();
        let mut left = usize::try_from(request.max_bytes).unwrap();
        let mut is_first = true;
        let mut topics: Vec<(&str, Vec<Served>)> = Vec::new();
        for topic in &request.topics {
            let mut served = Vec::new();
            for asked in &topic.partitions {
                let place = place_of(topic.topic, asked.partition).unwrap();
                let one = self.serve(broker, place, asked, left, is_first, random);
                left = left.saturating_sub(one.records.len());
                is_first &= one.records.is_empty();
                served.push(one);
            }
            topics.push((topic.topic, served));
        }
        let has_news = |one: &Served| one.error_code != ErrorCode::NONE || !one.records.is_empty();
        let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap());
        if waited < max_wait && !topics.iter().any(|(_, served)| served.iter().any(has_news)) {
            return Some(max_wait - waited);
        }
        for (_, served) in &mut topics {
            self.make_odd(served, random);
        }
        self.write_fetch(&topics, version, random, out);
        None
    }

    fn serve(
        &mut self,
        broker: usize,
        place: usize,
        asked: &FetchPartition,
        left: usize,
        is_first: bool,
        random: &mut Random,
    ) -> Served {
        let error_code = self.partition_error(broker, place, asked.current_leader_epoch, random);
        let mut served =
            Served { partition: asked.partition, place, error_code, records: Vec::new() };
        if error_code != ErrorCode::NONE {
            return served;
        }
        let log = &self.logs[place];
        if asked.fetch_offset < log.start || asked.fetch_offset > log.end {
            served.error_code = ErrorCode::OFFSET_OUT_OF_RANGE;
            return served;
        }
        let limit = left.min(usize::try_from(asked.partition_max_bytes).unwrap());
        let at_whole_batches = random.below(2) == 0;
        let mut flips = Vec::new();
        for batch in &log.batches[log.find(asked.fetch_offset)..] {
            let start = served.records.len();
            let fits = start + batch.bytes.len() <= limit;
            let is_owed = is_first && start == 0;
            if !fits && !is_owed && (at_whole_batches || start == 0 || start >= limit) {
                break;
            }
            served.records.extend_from_slice(&batch.bytes);
            if batch.is_rotten {
                served.records[start + 30] ^= 4;
            } else if happens(random, self.weather.flipped)
                && self.flipped.insert((place, batch.base))
            {
                flips.push((start, batch.bytes.len(), batch.base));
            }
            if !fits && !is_owed {
                served.records.truncate(limit);
                break;
            }
        }
        for (start, len, base) in flips {
            self.flip(&mut served, start, len, base, random);
        }
        served
    }

    /// Loses a bit that a checksum or a length covers.
    fn flip(&mut self, one: &mut Served, start: usize, len: usize, base: i64, random: &mut Random) {
        let within = match random.below(3) {
            0 => 8 + pick(random, 4),
            1 => 16 + pick(random, 45),
            _ => 16 + pick(random, len - 16),
        };
        if let Some(byte) = one.records.get_mut(start + within) {
            *byte ^= 1 << random.below(8);
            let text = format!("partition {}: batch {base} loses a bit at {within}", one.place);
            self.events.push(Event::Fault(text));
        }
    }

    /// Leaves a partition out, gives one twice, or one that nobody asked for.
    fn make_odd(&mut self, served: &mut Vec<Served>, random: &mut Random) {
        if served.is_empty() || !happens(random, self.weather.odd_partitions) {
            return;
        }
        let at = pick(random, served.len());
        match random.below(3) {
            0 => drop(served.remove(at)),
            1 => {
                let again = served[at].clone();
                served.push(again);
            }
            _ => {
                let foreign = Served { partition: 77, ..served[at].clone() };
                served.insert(at, foreign);
            }
        }
    }

    fn write_fetch(
        &mut self,
        topics: &[(&str, Vec<Served>)],
        version: i16,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) {
        let mut response =
            FetchResponse { throttle_time_ms: self.throttle(random), ..Default::default() };
        if version >= 7 && happens(random, self.weather.top_level) {
            response.error_code = ErrorCode([70, -1][pick(random, 2)]);
            return response.encode(version, out).unwrap();
        }
        for (topic, served) in topics {
            let partitions = served.iter().map(|one| self.partition_data(one, version)).collect();
            let topic = FetchableTopicResponse { topic, partitions, ..Default::default() };
            response.responses.push(topic);
        }
        response.encode(version, out).unwrap();
    }

    fn partition_data<'a>(&self, one: &'a Served, version: i16) -> PartitionData<'a> {
        let (log, leader) = (&self.logs[one.place], self.leaders[one.place]);
        let has_failed = one.error_code != ErrorCode::NONE;
        let mut data = PartitionData {
            partition_index: one.partition,
            error_code: one.error_code,
            high_watermark: if has_failed { -1 } else { log.end },
            last_stable_offset: if has_failed { -1 } else { log.end },
            log_start_offset: if has_failed || version < 5 { -1 } else { log.start },
            records: (!has_failed).then_some(&one.records[..]),
            ..PartitionData::default()
        };
        if one.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER
            && version >= 12
            && let Some(broker) = leader.broker
        {
            data.tail.current_leader =
                LeaderIdAndEpoch { leader_id: node_of(broker), leader_epoch: leader.epoch };
        }
        data
    }
}
