//! Positions from C: where they are and where they move to.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::time::Duration;

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::{Failure, kfetch_error};
use super::guard::{clock, guard};
use super::partition::{kfetch_topic_partition, offset, partition, partitions, partitions_with};
use super::status::{kfetch_status, status_of};
use super::status_code::kfetch_status as StatusCode;
use crate::client::{Consumer, Offset};
use crate::error::ErrorKind;

/// Moves the position of an assigned partition to an offset, or a `kfetch_offset`. What has been
/// fetched of it is dropped, and its error ends.
///
/// # Safety
///
/// `topic` is NUL-terminated, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_seek(
    consumer: *mut kfetch_consumer,
    topic: *const c_char,
    partition_number: i32,
    new_offset: i64,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let partition = unsafe { partition(topic, partition_number) }?;
        let offset = offset(new_offset)?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.seek(&partition, offset)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Moves the positions of many assigned partitions: `offsets[i]` is an offset, or a
/// `kfetch_offset`. Where one of them fails nothing has changed.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `offsets` to as many offsets, `error_out` is NULL or can
/// be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_seek_many(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    offsets: *const i64,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let seeks = unsafe { partitions_with(partitions, offsets, count, "offsets", offset) }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.seek_many(&seeks)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Moves each position to the first record with `timestamps_ms[i]` or a later time stamp, to the
/// end where there is none.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `timestamps_ms` to as many times, `error_out` is NULL or
/// can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_seek_to_times(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    timestamps_ms: *const i64,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        let time = |ms| Ok(Offset::Timestamp(ms));
        let (times, name) = (timestamps_ms, "timestamps_ms");
        // SAFETY: as the caller promises.
        let seeks = unsafe { partitions_with(partitions, times, count, name, time) }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.seek_many(&seeks)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Gives the offset of the next record that a poll will return of an assigned partition, after
/// waiting up to `timeout_ms` for it to be looked up.
///
/// # Safety
///
/// `topic` is NUL-terminated, `offset_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_position(
    consumer: *mut kfetch_consumer,
    topic: *const c_char,
    partition_number: i32,
    timeout_ms: u32,
    offset_out: *mut i64,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(offset_out, "offset_out") }?;
        // SAFETY: as the caller promises.
        let partition = unsafe { partition(topic, partition_number) }?;
        let find = |consumer: &mut Consumer| {
            let timeout = argument::timeout(timeout_ms, consumer.config().default_api_timeout);
            Ok(consumer.position(&partition, timeout)?)
        };
        // SAFETY: as the caller promises.
        out.write(unsafe { call(consumer, find) }?);
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Gives the positions of many assigned partitions, as `kfetch_consumer_position` does, within
/// `timeout_ms` for all. With `statuses_out` each partition has a status, and its offset is −1
/// where that is an error; without it the first partition's error is that of the call.
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
pub unsafe extern "C" fn kfetch_consumer_positions(
    consumer: *mut kfetch_consumer,
    topic_partitions: *const kfetch_topic_partition,
    count: usize,
    timeout_ms: u32,
    offsets_out: *mut i64,
    statuses_out: *mut kfetch_status,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let mut results = unsafe { Results::new(offsets_out, statuses_out, count) }?;
        // SAFETY: as the caller promises.
        let partitions = unsafe { partitions(topic_partitions, count) }?;
        let find = |consumer: &mut Consumer| {
            let timeout = argument::timeout(timeout_ms, consumer.config().default_api_timeout);
            let deadline = clock().checked_add(timeout);
            let left =
                || deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(clock()));
            let mut found = Vec::with_capacity(partitions.len());
            for partition in &partitions {
                found.push(match consumer.position(partition, left()) {
                    Err(error) if error.kind() == ErrorKind::Wakeup => return Err(error.into()),
                    position => position,
                });
            }
            Ok(found)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, find) }?;
        results.write(found, -1)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Where the results of a call on many partitions go.
pub(super) struct Results<'a, T> {
    values: &'a mut [MaybeUninit<T>],
    /// None where the caller wants no status of each.
    statuses: Option<&'a mut [MaybeUninit<kfetch_status>]>,
}

impl<T: Copy> Results<'_, T> {
    /// Takes the caller's arrays.
    ///
    /// # Safety
    ///
    /// `count` elements can be written at `values`, and at `statuses` unless it is NULL.
    pub(super) unsafe fn new(
        values: *mut T,
        statuses: *mut kfetch_status,
        count: usize,
    ) -> Result<Self, Failure> {
        // SAFETY: as the caller promises.
        let values = unsafe { argument::output_array(values, count, "results") }?;
        let statuses = if statuses.is_null() {
            None
        } else {
            // SAFETY: as the caller promises.
            Some(unsafe { argument::output_array(statuses, count, "statuses_out") }?)
        };
        Ok(Self { values, statuses })
    }

    /// Writes what was found, and `none` where a partition failed.
    pub(super) fn write(
        &mut self,
        found: Vec<crate::error::Result<T>>,
        none: T,
    ) -> Result<(), Failure> {
        let Some(statuses) = &mut self.statuses else {
            let found: Vec<T> = found.into_iter().collect::<crate::error::Result<_>>()?;
            for (place, value) in self.values.iter_mut().zip(found) {
                place.write(value);
            }
            return Ok(());
        };
        for ((place, status), value) in self.values.iter_mut().zip(&mut **statuses).zip(found) {
            status.write(value.as_ref().err().map_or(StatusCode::Ok as i32, status_of));
            place.write(value.unwrap_or(none));
        }
        Ok(())
    }
}
