//! Questions for offsets from C, and what is known without asking.

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::kfetch_error;
use super::guard::guard;
use super::partition::{kfetch_topic_partition, partitions, partitions_with};
use super::seek::Results;
use super::status::kfetch_status;
use crate::client::{Consumer, OffsetAndTimestamp, Watermarks};
use crate::error::Result as OwnResult;
use crate::topic::TopicPartition;
use std::time::Duration;

/// An offset that was found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct kfetch_offset_and_timestamp {
    /// The offset, −1 where there is no such record.
    pub offset: i64,
    /// The record's time stamp in ms, −1 where there is no such record.
    pub timestamp_ms: i64,
    /// The record's leader epoch, −1 where it is not known.
    pub leader_epoch: i32,
    /// Zero.
    pub reserved: u32,
}

/// A partition's ends, as the last answer told them: they may be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct kfetch_watermarks {
    /// The first offset, −1 where it is not known.
    pub log_start_offset: i64,
    /// The offset behind the last record that is on all in-sync replicas, −1 where not known.
    pub high_watermark: i64,
    /// The offset behind the last record of no open transaction, −1 where it is not known.
    pub last_stable_offset: i64,
}

const _: () = assert!(size_of::<kfetch_offset_and_timestamp>() == 24);
const _: () = assert!(size_of::<kfetch_watermarks>() == 24);

/// Finds for each partition the first record with `timestamps_ms[i]` or a later time stamp. The
/// partitions need not be assigned; those of one broker are one request. With `statuses_out` each
/// partition has a status; without it the first partition's error is that of the call.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `timestamps_ms` to as many times; `offsets_out`, and
/// `statuses_out` unless it is NULL, have room for as many; `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_offsets_for_times(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    timestamps_ms: *const i64,
    count: usize,
    timeout_ms: u32,
    offsets_out: *mut kfetch_offset_and_timestamp,
    statuses_out: *mut kfetch_status,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let mut results = unsafe { Results::new(offsets_out, statuses_out, count) }?;
        let (times, name) = (timestamps_ms, "timestamps_ms");
        // SAFETY: as the caller promises.
        let asked = unsafe { partitions_with(partitions, times, count, name, Ok) }?;
        let find = |consumer: &mut Consumer| {
            let timeout = argument::timeout(timeout_ms, consumer.config().default_api_timeout);
            Ok(consumer.offsets_for_times(&asked, timeout)?)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, find) }?;
        let found = found.into_iter().map(|found| found.map(offset_and_timestamp)).collect();
        results.write(found, offset_and_timestamp(None))
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Finds the first offset of each partition, which need not be assigned. With `statuses_out` each
/// partition has a status, and its offset is −1 where that is an error; without it the first
/// partition's error is that of the call.
///
/// # Safety
///
/// `partitions` is to `count` partitions; `offsets_out`, and `statuses_out` unless it is NULL,
/// have room for as many; `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_beginning_offsets(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    count: usize,
    timeout_ms: u32,
    offsets_out: *mut i64,
    statuses_out: *mut kfetch_status,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let asked = (partitions, count);
    let (out, ask) = ((offsets_out, statuses_out), Consumer::beginning_offsets);
    // SAFETY: as the caller promises.
    unsafe { ends(consumer, asked, timeout_ms, out, error_out, ask) }
}

/// Finds the end of each partition: its high watermark, where the next record will be read. The
/// arguments are those of `kfetch_consumer_beginning_offsets`.
///
/// # Safety
///
/// As for `kfetch_consumer_beginning_offsets`.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_end_offsets(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    count: usize,
    timeout_ms: u32,
    offsets_out: *mut i64,
    statuses_out: *mut kfetch_status,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let asked = (partitions, count);
    let (out, ask) = ((offsets_out, statuses_out), Consumer::end_offsets);
    // SAFETY: as the caller promises.
    unsafe { ends(consumer, asked, timeout_ms, out, error_out, ask) }
}

/// Gives the ends of assigned partitions as the last answer told them, without a request: −1 in
/// all fields of one that is not assigned or has had no answer yet.
///
/// # Safety
///
/// `topic_partitions` is to `count` partitions, `watermarks_out` has room for as many, `error_out`
/// is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_watermarks(
    consumer: *const kfetch_consumer,
    topic_partitions: *const kfetch_topic_partition,
    count: usize,
    watermarks_out: *mut kfetch_watermarks,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let look = |consumer: &Consumer, partition: &TopicPartition| {
        let known = consumer.watermarks(partition);
        let none = Watermarks { log_start_offset: -1, high_watermark: -1, last_stable_offset: -1 };
        let Watermarks { log_start_offset, high_watermark, last_stable_offset } =
            known.unwrap_or(none);
        kfetch_watermarks { log_start_offset, high_watermark, last_stable_offset }
    };
    // SAFETY: as the caller promises.
    unsafe { look_up(consumer, (topic_partitions, count), watermarks_out, error_out, look) }
}

/// Gives how many offsets lie between the position and the high watermark of assigned partitions,
/// without a request: −1 while either is not known.
///
/// # Safety
///
/// `topic_partitions` is to `count` partitions, `lags_out` has room for as many, `error_out` is
/// NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_lag(
    consumer: *const kfetch_consumer,
    topic_partitions: *const kfetch_topic_partition,
    count: usize,
    lags_out: *mut i64,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let look = |consumer: &Consumer, partition: &TopicPartition| {
        let lag = consumer.lag(partition);
        lag.map_or(-1, |lag| i64::try_from(lag).unwrap_or(i64::MAX))
    };
    // SAFETY: as the caller promises.
    unsafe { look_up(consumer, (topic_partitions, count), lags_out, error_out, look) }
}

type Ask = fn(&mut Consumer, &[TopicPartition], Duration) -> OwnResult<Vec<OwnResult<i64>>>;

/// Asks for one end of each partition.
///
/// # Safety
///
/// As the function that calls it says.
unsafe fn ends(
    consumer: *mut kfetch_consumer,
    (pointer, count): (*const kfetch_topic_partition, usize),
    timeout_ms: u32,
    (offsets_out, statuses_out): (*mut i64, *mut kfetch_status),
    error_out: *mut *mut kfetch_error,
    ask: Ask,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let mut results = unsafe { Results::new(offsets_out, statuses_out, count) }?;
        // SAFETY: as the caller promises.
        let asked = unsafe { partitions(pointer, count) }?;
        let find = |consumer: &mut Consumer| {
            let timeout = argument::timeout(timeout_ms, consumer.config().default_api_timeout);
            Ok(ask(consumer, &asked, timeout)?)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, find) }?;
        results.write(found, -1)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Looks something up for each partition.
///
/// # Safety
///
/// As the function that calls it says.
unsafe fn look_up<T>(
    consumer: *const kfetch_consumer,
    (pointer, count): (*const kfetch_topic_partition, usize),
    values_out: *mut T,
    error_out: *mut *mut kfetch_error,
    look: fn(&Consumer, &TopicPartition) -> T,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let values = unsafe { argument::output_array(values_out, count, "results") }?;
        // SAFETY: as the caller promises.
        let asked = unsafe { partitions(pointer, count) }?;
        let write = |consumer: &mut Consumer| {
            for (place, partition) in values.iter_mut().zip(&asked) {
                place.write(look(consumer, partition));
            }
            Ok(())
        };
        // SAFETY: as the caller promises.
        unsafe { call(consumer, write) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

fn offset_and_timestamp(found: Option<OffsetAndTimestamp>) -> kfetch_offset_and_timestamp {
    let none = OffsetAndTimestamp { offset: -1, timestamp: -1, leader_epoch: -1 };
    let OffsetAndTimestamp { offset, timestamp, leader_epoch } = found.unwrap_or(none);
    kfetch_offset_and_timestamp { offset, timestamp_ms: timestamp, leader_epoch, reserved: 0 }
}
