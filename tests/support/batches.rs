//! Batches for brokers that a test scripts.

use kfetch::record::{BatchBuilder, BatchOptions, Codec, NewRecord};

/// Makes one batch of `count` records from `base` on, each with this value.
pub(crate) fn batch(base: i64, count: usize, value: &[u8], codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
    for _ in 0..count {
        let record = NewRecord { timestamp: 1, value: Some(value), ..NewRecord::default() };
        builder.append(&record).unwrap();
    }
    let mut out = Vec::new();
    builder.finish(base, &mut out).unwrap();
    out
}

/// Makes a log of batches of `count` records each.
pub(crate) fn log(batches: i64, count: usize, value: &[u8]) -> Vec<Vec<u8>> {
    let step = i64::try_from(count).unwrap();
    (0..batches).map(|at| batch(at * step, count, value, Codec::None)).collect()
}
