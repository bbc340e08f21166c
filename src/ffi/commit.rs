//! Commits from C.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::time::Duration;

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::{Failure, kfetch_error};
use super::guard::guard;
use super::partition::partition;
use super::records::{kfetch_records, records_of};
use super::status::kfetch_status;
use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::client::{CommitCallback, Consumer};
use crate::coordinator::notice::Committed;
use crate::error::Result as OwnResult;
use crate::topic::TopicPartition;

/// How far a partition has been processed. Arrays of them are inputs of commits, which borrow the
/// strings until they return.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_partition_offset {
    /// The topic's name, NUL-terminated.
    pub topic: *const c_char,
    /// The application's own words to keep with the offset, NUL-terminated; NULL is `""`.
    pub metadata: *const c_char,
    /// The offset of the next record to process, such as `next_offset` of a `kfetch_run`.
    pub offset: i64,
    /// The partition's number.
    pub partition: i32,
    /// The leader epoch of the last record that was processed, −1 where it is not known. It helps
    /// to notice that a log was cut; 0 is an epoch.
    pub leader_epoch: i32,
    /// Zero.
    pub reserved: u64,
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_partition_offset>() == 40);

/// Takes the outcome of an asynchronous commit: its status, the error that has the text (NULL where
/// there is none), the offsets, and `opaque` of the call. All of it ends with the callback.
///
/// Callbacks run in the order of their commits. Inside of one the same calls on the handle work as
/// inside of a `kfetch_rebalance_callback`. It must not throw.
///
/// # Threads
///
/// Called on the application's thread inside poll, close or a synchronous commit; poll, subscribe
/// and close answer with a status there.
pub type kfetch_commit_callback = Option<
    unsafe extern "C-unwind" fn(
        consumer: *mut kfetch_consumer,
        status: kfetch_status,
        error: *const kfetch_error,
        offsets: *const kfetch_partition_offset,
        count: usize,
        opaque: *mut c_void,
    ),
>;

/// Commits for every assigned partition how far polls have returned its records, or with
/// `enable.auto.offset.store=false` what was stored, and waits up to `timeout_ms`.
///
/// The status is `KFETCH_STATUS_REBALANCE_IN_PROGRESS` when the same may succeed after the next
/// polls, `KFETCH_STATUS_UNKNOWN_MEMBER_ID`, `KFETCH_STATUS_ILLEGAL_GENERATION` or
/// `KFETCH_STATUS_FENCED_INSTANCE_ID` when the partitions may be another member's by now.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_commit(
    consumer: *mut kfetch_consumer,
    timeout_ms: u32,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        let commit = |consumer: &mut Consumer| {
            let timeout = timeout_of(consumer, timeout_ms);
            Ok(consumer.commit_sync(timeout)?)
        };
        // SAFETY: as the caller promises.
        unsafe { call(consumer, commit) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Commits these offsets and waits up to `timeout_ms`. For a member of a group the partitions have
/// to be assigned, else the status is `KFETCH_STATUS_STATE` and nothing is committed.
///
/// # Safety
///
/// `offsets` is to `count` offsets with valid strings, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_commit_offsets(
    consumer: *mut kfetch_consumer,
    offsets: *const kfetch_partition_offset,
    count: usize,
    timeout_ms: u32,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let offsets = unsafe { offsets_of(offsets, count) }?;
        // SAFETY: as the caller promises.
        unsafe { commit_and_wait(consumer, &offsets, timeout_ms) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Commits that all records of a handle have been processed, and waits up to `timeout_ms`: for
/// each partition `next_offset` and the leader epoch of its last `kfetch_run`. Otherwise as
/// `kfetch_consumer_commit_offsets`.
///
/// # Safety
///
/// `records` is a handle that has not been freed, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_commit_records(
    consumer: *mut kfetch_consumer,
    records: *const kfetch_records,
    timeout_ms: u32,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let offsets = unsafe { processed(records) }?;
        // SAFETY: as the caller promises.
        unsafe { commit_and_wait(consumer, &offsets, timeout_ms) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Commits as `kfetch_consumer_commit`, without waiting and without trying again. The outcome goes
/// to `callback`, which may be NULL; where the status is an error it is not called.
///
/// # Safety
///
/// The callback and what `opaque` points to stay valid until it was called or the consumer has
/// been freed; `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_commit_async(
    consumer: *mut kfetch_consumer,
    callback: kfetch_commit_callback,
    opaque: *mut c_void,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        let callback = callback_of(consumer, callback, opaque);
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.commit_async(callback)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Commits these offsets, without waiting and without trying again. The outcome goes to
/// `callback`, which may be NULL; where the status is an error it is not called.
///
/// # Safety
///
/// `offsets` is to `count` offsets with valid strings. The callback and what `opaque` points to
/// stay valid until it was called or the consumer has been freed; `error_out` is NULL or can be
/// written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_commit_offsets_async(
    consumer: *mut kfetch_consumer,
    offsets: *const kfetch_partition_offset,
    count: usize,
    callback: kfetch_commit_callback,
    opaque: *mut c_void,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let offsets = unsafe { offsets_of(offsets, count) }?;
        let callback = callback_of(consumer, callback, opaque);
        let commit = |consumer: &mut Consumer| {
            consumer.commit_offsets_async(&offsets, callback)?;
            Ok(())
        };
        // SAFETY: as the caller promises.
        unsafe { call(consumer, commit) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Marks how far partitions have been processed, for the next commit that names no offsets, the
/// automatic one included. It needs `enable.auto.offset.store=false` and assigned partitions, else
/// the status is `KFETCH_STATUS_STATE` and nothing is marked.
///
/// # Safety
///
/// `offsets` is to `count` offsets with valid strings, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_store_offsets(
    consumer: *mut kfetch_consumer,
    offsets: *const kfetch_partition_offset,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let offsets = unsafe { offsets_of(offsets, count) }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.store_offsets(&offsets)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Marks that all records of a handle have been processed, as `kfetch_consumer_store_offsets` does.
///
/// # Safety
///
/// `records` is a handle that has not been freed, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_store_records(
    consumer: *mut kfetch_consumer,
    records: *const kfetch_records,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let offsets = unsafe { processed(records) }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.store_offsets(&offsets)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Offsets as the consumer takes them.
type Offsets = Vec<(TopicPartition, Committed)>;

/// Returns how long a call may take.
pub(super) fn timeout_of(consumer: &Consumer, timeout_ms: u32) -> Duration {
    argument::timeout(timeout_ms, consumer.config().default_api_timeout)
}

/// Commits offsets and waits.
///
/// # Safety
///
/// As the function that calls it says.
unsafe fn commit_and_wait(
    consumer: *mut kfetch_consumer,
    offsets: &Offsets,
    timeout_ms: u32,
) -> Result<(), Failure> {
    let commit = |consumer: &mut Consumer| {
        let timeout = timeout_of(consumer, timeout_ms);
        Ok(consumer.commit_offsets_sync(offsets, timeout)?)
    };
    // SAFETY: as the caller promises.
    unsafe { call(consumer, commit) }
}

/// Takes offsets of the caller.
///
/// # Safety
///
/// `pointer` is to `count` offsets with valid strings.
unsafe fn offsets_of(
    pointer: *const kfetch_partition_offset,
    count: usize,
) -> Result<Offsets, Failure> {
    // SAFETY: as the caller promises.
    let items = unsafe { argument::array(pointer, count, "offsets") }?;
    let mut offsets = Vec::with_capacity(items.len());
    for item in items {
        // SAFETY: as the caller promises.
        let partition = unsafe { partition(item.topic, item.partition) }?;
        let metadata = if item.metadata.is_null() { c"".as_ptr() } else { item.metadata };
        // SAFETY: as the caller promises.
        let metadata = unsafe { argument::string(metadata, "metadata") }?.to_owned();
        let (offset, leader_epoch) = (item.offset, item.leader_epoch);
        offsets.push((partition, Committed { offset, leader_epoch, metadata }));
    }
    Ok(offsets)
}

/// Returns the offsets behind the records of a handle.
///
/// # Safety
///
/// `records` is NULL or a handle that has not been freed.
unsafe fn processed(records: *const kfetch_records) -> Result<Offsets, Failure> {
    // SAFETY: as the caller promises.
    let records = unsafe { records_of(records) }?;
    let mut last = BTreeMap::new();
    for run in records.runs() {
        let (offset, leader_epoch) = (run.next_offset(), run.leader_epoch());
        let committed = Committed { offset, leader_epoch, metadata: String::new() };
        last.insert((run.topic(), run.partition()), committed);
    }
    let named =
        |((topic, partition), committed)| (TopicPartition::new(topic, partition), committed);
    Ok(last.into_iter().map(named).collect())
}

/// A callback with what it is called with.
struct Calling {
    handle: *mut kfetch_consumer,
    callback: unsafe extern "C-unwind" fn(
        *mut kfetch_consumer,
        kfetch_status,
        *const kfetch_error,
        *const kfetch_partition_offset,
        usize,
        *mut c_void,
    ),
    opaque: *mut c_void,
}

// SAFETY: it is used inside of calls on the handle alone, whose thread is the caller's choice.
unsafe impl Send for Calling {}

/// Makes the callback that the consumer calls.
fn callback_of(
    handle: *mut kfetch_consumer,
    callback: kfetch_commit_callback,
    opaque: *mut c_void,
) -> Option<CommitCallback> {
    let calling = Calling { handle, callback: callback?, opaque };
    Some(Box::new(move |consumer, offsets, outcome| calling.run(consumer, offsets, outcome)))
}

impl Calling {
    fn run(
        self,
        consumer: &mut Consumer,
        offsets: &[(TopicPartition, Committed)],
        outcome: OwnResult<()>,
    ) {
        let failure = outcome.err().map(Failure::from);
        let status = failure.as_ref().map_or(StatusCode::Ok as i32, |failure| failure.status);
        let error = failure.as_ref().map(kfetch_error::from);
        let error = error.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let strings: Vec<(CString, CString)> = offsets
            .iter()
            .map(|(partition, offset)| (c_string(&partition.topic), c_string(&offset.metadata)))
            .collect();
        let items: Vec<kfetch_partition_offset> =
            offsets.iter().zip(&strings).map(partition_offset).collect();
        // SAFETY: a call on the handle is running, under which it is not freed.
        let handle = unsafe { &*self.handle };
        let (items, count) = (items.as_ptr(), items.len());
        handle.lend(consumer, || {
            // SAFETY: it is valid as the caller promised who passed it.
            unsafe { (self.callback)(self.handle, status, error, items, count, self.opaque) }
        });
    }
}

type Named<'a> = (&'a (TopicPartition, Committed), &'a (CString, CString));

fn partition_offset(
    ((partition, offset), (topic, metadata)): Named<'_>,
) -> kfetch_partition_offset {
    kfetch_partition_offset {
        topic: topic.as_ptr(),
        metadata: metadata.as_ptr(),
        offset: offset.offset,
        partition: partition.partition,
        leader_epoch: offset.leader_epoch,
        reserved: 0,
    }
}
