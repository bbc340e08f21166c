//! The log directory of a real Apache Kafka is read as Kafka's own consumer reads its partitions.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use kfetch::buffer::{Budget, Pool};
use kfetch::log::{Chunk, LogDirs, PartitionReader, ReadMode, ScanItem, SegmentScan};
use kfetch::record::codec::size_hint;
use kfetch::record::{
    BatchCursor, BatchHeader, Codec, DecodeLimits, HEADER_LEN, Inflater, verify_crc,
};
use support::deadline::{now, wait_until};
use support::kafka::Cluster;
use support::producer::{FoundRecord, Record};
use support::topics::At;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const FIRST_MS: i64 = 1_600_000_000_000;
const SOON: Duration = Duration::from_secs(60);
const MODES: [ReadMode; 3] = [ReadMode::Auto, ReadMode::Mmap, ReadMode::Pread];

/// Small segments with many index entries, and checkpoints that follow at once.
const SMALL: [(&str, &str); 3] =
    [("internal.segment.bytes", "8000"), ("index.interval.bytes", "500"), ("retention.ms", "-1")];

fn cluster() -> Cluster {
    Cluster::builder()
        .data_dirs(2)
        .property("replica.high.watermark.checkpoint.interval.ms", "50")
        .property("log.flush.start.offset.checkpoint.interval.ms", "50")
        .property("log.initial.task.delay.ms", "100")
        .property("log.retention.check.interval.ms", "200")
        .property("log.cleaner.backoff.ms", "200")
        .start()
}

/// Reads one partition of a broker's directories.
struct Reading {
    reader: PartitionReader,
    pool: Pool,
    budget: Arc<Budget>,
    inflater: Inflater,
}

impl Reading {
    fn open(cluster: &Cluster, topic: &str, partition: i32, mode: ReadMode) -> Self {
        let dirs = LogDirs::open(cluster.broker(1).data_dirs()).unwrap();
        let dir = dirs.partition(topic, partition).unwrap().expect("the broker has it");
        assert!(dir.is_broker);
        Self {
            reader: PartitionReader::open(&dir, mode).unwrap(),
            pool: Pool::new(4 << 20),
            budget: Budget::new(8 << 20, Box::new(|| {})),
            inflater: Inflater::new(),
        }
    }

    /// Reads what can be read now; anything but an end behind it is a failure.
    fn read_to_end(&mut self) -> Vec<FoundRecord> {
        let mut found = Vec::new();
        loop {
            match self.reader.read(&mut self.pool, &self.budget, 64 * 1024).unwrap() {
                Chunk::Run { bytes, from_offset, .. } => {
                    decode_run(&mut self.inflater, &bytes, from_offset, &mut found);
                }
                Chunk::End { offset } => {
                    assert_eq!(offset, self.reader.position());
                    return found;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn wait_for_high_watermark(&mut self, offset: i64) {
        wait_until("the high watermark's checkpoint", SOON, || {
            self.reader.refresh().unwrap();
            assert!(self.reader.high_watermark() <= offset);
            self.reader.high_watermark() == offset
        });
    }
}

fn decode_run(inflater: &mut Inflater, run: &[u8], from: i64, found: &mut Vec<FoundRecord>) {
    let mut rest = run;
    while !rest.is_empty() {
        let header = BatchHeader::parse(rest).unwrap();
        let (batch, behind) = rest.split_at(header.size());
        rest = behind;
        assert!(verify_crc(batch));
        if header.is_control() {
            continue;
        }
        let (codec, payload) = (header.codec().unwrap(), &batch[HEADER_LEN..]);
        let plain = match codec {
            Codec::None => payload.to_vec(),
            codec => {
                let guess = size_hint(codec, payload).unwrap_or(1 << 16);
                let grow = |size: usize| Some(vec![0; size]);
                let inflated = inflater.inflate_capped(codec, payload, guess, 1 << 24, grow);
                let (mut memory, len) = inflated.unwrap();
                memory.truncate(len);
                memory
            }
        };
        let mut records = Vec::new();
        let mut cursor = BatchCursor::new(&header, 0..plain.len()).unwrap();
        let limits = DecodeLimits { from_offset: from, ..DecodeLimits::ALL };
        cursor.decode(&plain, 0, &limits, &mut records).unwrap();
        found.extend(records.iter().map(|record| {
            FoundRecord {
                offset: record.offset,
                timestamp_ms: record.timestamp,
                key: record.key(&plain).map(<[u8]>::to_vec),
                value: record.value(&plain).map(<[u8]>::to_vec),
                headers: record
                    .headers(&plain)
                    .map(|header| {
                        let name = String::from_utf8_lossy(header.key).into_owned();
                        (name, header.value.map(<[u8]>::to_vec))
                    })
                    .collect(),
            }
        }));
    }
}

/// Records for three partitions, the times of which rise but for every tenth.
fn records(first: i64, count: i64) -> Vec<Record> {
    let record = |number: i64| {
        let timestamp_ms = FIRST_MS + number * 10 - if number % 10 == 9 { 3000 } else { 0 };
        let value = format!("value {number} {}", "kafka ".repeat(10));
        let mut record = Record::new(&format!("key-{number}"), &value)
            .timestamp_ms(timestamp_ms)
            .partition(i32::try_from(number % 3).unwrap());
        match number % 7 {
            0 => record.key = None,
            1 => record.value = None,
            2 => record = record.header("a", Some(b"1")).header("a", None).header("", Some(&[])),
            _ => {}
        }
        record
    };
    (first..first + count).map(record).collect()
}

/// Every segment is whole, and every entry of its indexes names a batch.
fn assert_segments_in_order(cluster: &Cluster, topic: &str, partition: i32) -> usize {
    let segments = cluster.broker(1).segments(topic, partition);
    for path in &segments {
        for item in SegmentScan::open(path).unwrap() {
            if let ScanItem::Fault { position, text, .. } = item {
                panic!("{} at {position}: {text}", path.display());
            }
        }
    }
    segments.len()
}

#[test]
fn a_live_brokers_partitions_are_read_and_searched() {
    let cluster = cluster();
    for codec in CODECS {
        let topic = format!("codec-{codec}");
        cluster.create_topic(&topic, 3, &SMALL);
        let producer = cluster.producer(&[
            ("compression.type", codec),
            ("batch.size", "2000"),
            ("enable.idempotence", "false"),
        ]);
        producer.send(&topic, &records(0, 3000), 100);
        producer.close();
        for partition in 0..3 {
            let expected = cluster.consume(&topic, partition, 0, "read_uncommitted");
            assert_eq!(expected.len(), 1000);
            for mode in MODES {
                let mut reading = Reading::open(&cluster, &topic, partition, mode);
                reading.wait_for_high_watermark(1000);
                assert!(reading.read_to_end() == expected, "{topic}-{partition} {mode:?}");
                reading.reader.seek(777);
                assert!(reading.read_to_end() == expected[777..], "{topic}-{partition} {mode:?}");
            }
            let segments = assert_segments_in_order(&cluster, &topic, partition);
            assert!(segments > 1, "{segments} segments");
        }
        let mut reading = Reading::open(&cluster, &topic, 1, ReadMode::Auto);
        for step in 0..20 {
            let timestamp_ms = FIRST_MS - 1000 + step * 1700;
            let found = reading.reader.offset_for_time(timestamp_ms).unwrap();
            let kafkas = cluster.list_offset(&topic, 1, At::TimestampMs(timestamp_ms));
            assert_eq!(found.unwrap_or((-1, -1)), (kafkas.offset, kafkas.timestamp_ms));
        }
    }
    let dirs = LogDirs::open(cluster.broker(1).data_dirs()).unwrap();
    let topics = dirs.topics().unwrap();
    for codec in CODECS {
        let topic = topics.iter().find(|topic| topic.name == format!("codec-{codec}"));
        assert_eq!(topic.unwrap().partitions, [0, 1, 2]);
    }
}

#[test]
fn a_live_broker_is_followed_and_a_killed_one_read() {
    let cluster = cluster();
    cluster.create_topic("follow", 1, &SMALL);
    let mut readings = MODES.map(|mode| Reading::open(&cluster, "follow", 0, mode));
    let mut followed = MODES.map(|_| Vec::new());
    let producer = cluster.producer(&[("batch.size", "1500")]);
    let mut end = 0;
    for step in 0..12 {
        let batch: Vec<Record> =
            records(step * 300, 300).into_iter().map(|record| record.partition(0)).collect();
        producer.send("follow", &batch, 30);
        end += 300;
        for (reading, followed) in readings.iter_mut().zip(&mut followed) {
            // Whatever the broker is doing, what is read is a part of what comes next.
            let started = now();
            while reading.reader.position() < end {
                assert!(started.elapsed() < SOON);
                reading.reader.refresh().unwrap();
                followed.extend(reading.read_to_end());
            }
        }
    }
    producer.close();
    let expected = cluster.consume("follow", 0, 0, "read_uncommitted");
    assert!(followed.iter().all(|followed| *followed == expected));
    assert!(assert_segments_in_order(&cluster, "follow", 0) > 5);

    assert_eq!(cluster.delete_records("follow", 0, 1234), 1234);
    let [reading, ..] = &mut readings;
    wait_until("the log start offset's checkpoint", SOON, || {
        reading.reader.refresh().unwrap();
        reading.reader.log_start_offset() == 1234
    });
    reading.reader.seek(1233);
    let chunk = reading.reader.read(&mut reading.pool, &reading.budget, 1 << 16).unwrap();
    assert!(matches!(chunk, Chunk::OutOfRange { start: 1234, end: 3600 }), "{chunk:?}");
    reading.reader.seek(1234);
    assert!(reading.read_to_end() == expected[1234..]);

    cluster.broker(1).kill();
    for mode in MODES {
        let mut reading = Reading::open(&cluster, "follow", 0, mode);
        assert_eq!(reading.reader.high_watermark(), 3600);
        assert!(reading.read_to_end() == expected[1234..], "{mode:?}");
    }
    let index = cluster.broker(1).segments("follow", 0).pop().unwrap().with_extension("index");
    assert_eq!(fs::metadata(index).unwrap().len(), 10 << 20, "made beforehand, never trimmed");
}

const KEYS: i64 = 97;

fn compacted_record(number: i64) -> Record {
    let value = format!("{number} {}", "v".repeat(50));
    Record::new(&format!("key-{}", number * 7 % KEYS), &value).timestamp_ms(FIRST_MS + number)
}

/// The last record of each key, by offset.
fn last_of_keys(found: &[FoundRecord]) -> Vec<FoundRecord> {
    let last: HashMap<_, _> = found.iter().map(|record| (&record.key, record)).collect();
    let mut last: Vec<FoundRecord> = last.into_values().cloned().collect();
    last.sort_by_key(|record| record.offset);
    last
}

#[test]
fn a_compacted_partition_is_read_while_the_cleaner_works() {
    let cluster = cluster();
    let mut configs = SMALL.to_vec();
    configs.extend([
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
        ("preallocate", "true"),
    ]);
    cluster.create_topic("compact", 1, &configs);
    let producer = cluster.producer(&[("batch.size", "1500")]);
    let mut reading = Reading::open(&cluster, "compact", 0, ReadMode::Auto);
    let (mut end, mut least, mut cleaned) = (0, 0, 0);
    // From start to end again and again, beside the cleaner that replaces files all the time.
    wait_until("the cleaner has been at work often", SOON, || {
        if cleaned < 15 {
            let records: Vec<Record> = (end..end + 300).map(compacted_record).collect();
            producer.send("compact", &records, 40);
            end += 300;
            reading.wait_for_high_watermark(end);
        }
        reading.reader.refresh().unwrap();
        reading.reader.seek(0);
        let found = reading.read_to_end();
        assert!(found.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        let offsets: Vec<i64> = last_of_keys(&found).iter().map(|record| record.offset).collect();
        let wanted: Vec<i64> = (end - KEYS..end).collect();
        assert_eq!(offsets, wanted, "the last of each key is never missing");
        cleaned += usize::from(found.len() < least + 300);
        least = found.len();
        cleaned >= 15
    });
    let expected = cluster.consume("compact", 0, 0, "read_uncommitted");
    for mode in MODES {
        let mut reading = Reading::open(&cluster, "compact", 0, mode);
        assert!(last_of_keys(&reading.read_to_end()) == last_of_keys(&expected), "{mode:?}");
    }
    producer.close();
    assert_segments_in_order(&cluster, "compact", 0);
}
