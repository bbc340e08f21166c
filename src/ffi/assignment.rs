//! Which partitions a consumer reads, from C.

use std::ffi::c_char;

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::{Failure, kfetch_error};
use super::guard::guard;
use super::partition::{
    kfetch_partitions, kfetch_topic_partition, offset, partition, partitions, partitions_with,
};
use super::status::kfetch_status;
use crate::client::{Consumer, Offset};
use crate::error::Result as OwnResult;
use crate::topic::TopicPartition;

/// Reads these partitions and no others. Those that are read already go on where they are, new
/// ones begin where `auto.offset.reset` says.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_assign(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    // SAFETY: as the caller promises.
    unsafe { with_partitions(consumer, partitions, count, error_out, Consumer::assign) }
}

/// Reads these partitions and no others, each from its offset: `offsets[i]` is one, or a
/// `kfetch_offset`.
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
pub unsafe extern "C" fn kfetch_consumer_assign_at(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    offsets: *const i64,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let assign = Consumer::assign_at;
    // SAFETY: as the caller promises.
    unsafe { with_offsets(consumer, partitions, offsets, count, error_out, assign) }
}

/// Reads these partitions as well, each from its offset: `offsets[i]` is one, or a
/// `kfetch_offset`. One that is read already is `KFETCH_STATUS_STATE`, and nothing has changed.
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
pub unsafe extern "C" fn kfetch_consumer_incremental_assign(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    offsets: *const i64,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let assign = Consumer::incremental_assign;
    // SAFETY: as the caller promises.
    unsafe { with_offsets(consumer, partitions, offsets, count, error_out, assign) }
}

/// Reads these partitions no more. One that is not assigned is `KFETCH_STATUS_STATE`, and nothing
/// has changed.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_incremental_unassign(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let unassign = Consumer::incremental_unassign;
    // SAFETY: as the caller promises.
    unsafe { with_partitions(consumer, partitions, count, error_out, unassign) }
}

/// Reads nothing any more.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_unassign(
    consumer: *mut kfetch_consumer,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.unassign()?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Lists the partitions that are read, in no order; the list is freed with
/// `kfetch_partitions_free`.
///
/// # Safety
///
/// `partitions_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_assignment(
    consumer: *const kfetch_consumer,
    partitions_out: *mut *mut kfetch_partitions,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let list = |consumer: &Consumer| consumer.assignment();
    // SAFETY: as the caller promises.
    unsafe { with_list(consumer, partitions_out, error_out, list) }
}

/// Holds partitions back; what has been fetched of them is kept.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_pause(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    // SAFETY: as the caller promises.
    unsafe { with_partitions(consumer, partitions, count, error_out, Consumer::pause) }
}

/// Goes on with partitions that were held back.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_resume(
    consumer: *mut kfetch_consumer,
    partitions: *const kfetch_topic_partition,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    // SAFETY: as the caller promises.
    unsafe { with_partitions(consumer, partitions, count, error_out, Consumer::resume) }
}

/// Lists the partitions that are held back, in no order; the list is freed with
/// `kfetch_partitions_free`.
///
/// # Safety
///
/// `partitions_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_paused(
    consumer: *const kfetch_consumer,
    partitions_out: *mut *mut kfetch_partitions,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let list = |consumer: &Consumer| consumer.paused();
    // SAFETY: as the caller promises.
    unsafe { with_list(consumer, partitions_out, error_out, list) }
}

/// Gives the error that stopped a partition, which poll told once as an event: an error to be
/// freed in `partition_error_out` until a seek ends it, NULL where the partition is well.
///
/// # Safety
///
/// `topic` is NUL-terminated, `partition_error_out` can be written, `error_out` is NULL or can be
/// written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_partition_error(
    consumer: *const kfetch_consumer,
    topic: *const c_char,
    partition_number: i32,
    partition_error_out: *mut *mut kfetch_error,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(partition_error_out, "partition_error_out") }?;
        // SAFETY: as the caller promises.
        let partition = unsafe { partition(topic, partition_number) }?;
        let find = |consumer: &mut Consumer| Ok(consumer.partition_error(&partition).cloned());
        // SAFETY: as the caller promises.
        let error = unsafe { call(consumer, find) }?;
        let error = error.map(|error| kfetch_error::from(&Failure::from(error)));
        out.write(error.map_or(std::ptr::null_mut(), kfetch_error::into_raw));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Runs a call that takes partitions.
///
/// # Safety
///
/// As the function that calls it says.
unsafe fn with_partitions(
    consumer: *mut kfetch_consumer,
    pointer: *const kfetch_topic_partition,
    count: usize,
    error_out: *mut *mut kfetch_error,
    run: fn(&mut Consumer, &[TopicPartition]) -> OwnResult<()>,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let partitions = unsafe { partitions(pointer, count) }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(run(consumer, &partitions)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

type AssignAt = fn(&mut Consumer, &[(TopicPartition, Offset)]) -> OwnResult<()>;

/// Runs a call that takes partitions with offsets.
///
/// # Safety
///
/// As the function that calls it says.
unsafe fn with_offsets(
    consumer: *mut kfetch_consumer,
    pointer: *const kfetch_topic_partition,
    offsets: *const i64,
    count: usize,
    error_out: *mut *mut kfetch_error,
    run: AssignAt,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let partitions = unsafe { partitions_with(pointer, offsets, count, "offsets", offset) }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(run(consumer, &partitions)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Runs a call that makes a list.
///
/// # Safety
///
/// As the function that calls it says.
unsafe fn with_list(
    consumer: *const kfetch_consumer,
    partitions_out: *mut *mut kfetch_partitions,
    error_out: *mut *mut kfetch_error,
    list: fn(&Consumer) -> Vec<TopicPartition>,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(partitions_out, "partitions_out") }?;
        // SAFETY: as the caller promises.
        let partitions = unsafe { call(consumer, |consumer| Ok(list(consumer))) }?;
        out.write(kfetch_partitions::into_raw(&partitions));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}
