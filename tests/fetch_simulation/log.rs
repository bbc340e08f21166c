//! What the model cluster holds: a log of batches per partition, and the truth that deliveries are
//! held against.

use std::sync::OnceLock;

use kfetch::backoff::Random;
use kfetch::record::{BatchBuilder, BatchOptions, Codec, ControlKey, ControlType, NewRecord};

/// Partitions per topic of a name; every world uses the same.
pub(crate) const PARTITIONS_PER_TOPIC: usize = 3;

/// One batch of a log.
#[derive(Clone, Debug)]
pub(crate) struct LogBatch {
    pub(crate) base: i64,
    /// The offset behind its last.
    pub(crate) next: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: u64,
    /// Whether a bit of it has rotted on the broker's disk, for ever.
    pub(crate) is_rotten: bool,
}

/// A partition's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionLog {
    pub(crate) batches: Vec<LogBatch>,
    /// Everything below has been deleted by retention.
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// A batch that begins at offset 0.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    span: i64,
}

impl PartitionLog {
    /// Appends a batch behind a gap, which most often is none.
    pub(crate) fn append(&mut self, random: &mut Random) {
        let templates = templates();
        let at = usize::try_from(random.below(templates.len() as u64)).unwrap();
        let gap = if random.below(8) == 0 { i64::try_from(random.below(50)).unwrap() } else { 0 };
        let base = self.end + gap;
        let mut bytes = templates[at].bytes.clone();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        let (next, hash) = (base + templates[at].span, hash(&bytes));
        self.batches.push(LogBatch { base, next, bytes, hash, is_rotten: false });
        self.end = next;
    }

    /// Returns the place of the batch that a reader at `offset` sees first.
    pub(crate) fn find(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.next <= offset)
    }
}

/// Tells batches apart (FNV-1a).
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns the topic and the partition number of a partition by its place.
pub(crate) fn name_of(place: usize) -> (String, i32) {
    let topic = format!("topic-{}", place / PARTITIONS_PER_TOPIC);
    (topic, i32::try_from(place % PARTITIONS_PER_TOPIC).unwrap())
}

/// Returns the place of a partition by its name.
pub(crate) fn place_of(topic: &str, partition: i32) -> Option<usize> {
    let topic: usize = topic.strip_prefix("topic-")?.parse().ok()?;
    let partition = usize::try_from(partition).ok()?;
    (partition < PARTITIONS_PER_TOPIC).then_some(topic * PARTITIONS_PER_TOPIC + partition)
}

fn templates() -> &'static [Template] {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        let mut random = Random::new(20);
        (0..48).map(|kind| template(kind, &mut random)).collect()
    })
}

fn template(kind: u64, random: &mut Random) -> Template {
    if kind % 12 == 11 {
        return control();
    }
    let codecs = [Codec::None, Codec::None, Codec::Lz4, Codec::Zstd, Codec::Gzip, Codec::Snappy];
    let codec = codecs[usize::try_from(kind % 6).unwrap()];
    // A few batches are larger than the smallest block, most are small.
    let value_max = [40, 200, 700, 4000][usize::try_from(kind % 4).unwrap()];
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
    let mut delta = 0;
    for _ in 0..=random.below(12) {
        let len = usize::try_from(random.below(value_max)).unwrap();
        let value: Vec<u8> = (0..len).map(|_| random.next_u64().to_le_bytes()[0]).collect();
        let record = NewRecord { timestamp: 1, value: Some(&value), ..NewRecord::default() };
        builder.append_at(delta, &record).unwrap();
        delta += 1 + i32::try_from(random.below(3)).unwrap() / 2;
    }
    finish(&mut builder)
}

fn control() -> Template {
    let options = BatchOptions { is_control: true, is_transactional: true, ..Default::default() };
    let mut builder = BatchBuilder::new(options);
    let key = ControlKey { version: 0, control_type: ControlType::Commit }.to_bytes();
    let record = NewRecord { key: Some(&key), value: Some(&[0; 6]), ..NewRecord::default() };
    builder.append(&record).unwrap();
    finish(&mut builder)
}

fn finish(builder: &mut BatchBuilder) -> Template {
    let mut bytes = Vec::new();
    let header = builder.finish(0, &mut bytes).unwrap();
    Template { bytes, span: header.next_offset() }
}
