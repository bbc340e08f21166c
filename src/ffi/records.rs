//! The handle on what a poll returned: its partitions, its events, its life.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use super::argument;
use super::error::Failure;
use super::fork;
use super::status::{kfetch_status, status_of};
use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::client::{EventKind, PartitionEvent, PartitionRun, Records};
use crate::error::{Error, ErrorKind};
use crate::record::TimestampType;

/// Whose clock the time stamps of a run's records are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_timestamp_type {
    /// When the producer set each record's.
    CreateTime = 0,
    /// When the broker set one for each batch as it appended it.
    LogAppendTime = 1,
}

/// What happened to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_event_kind {
    /// When everything up to the high watermark has been read (`enable.partition.eof`).
    End = 1,
    /// When the position was outside of the partition and has been reset (`auto.offset.reset`).
    Reset = 2,
    /// When the partition failed.
    Failed = 3,
}

/// Records of one partition that follow one another in a handle, in offset order. Lent by the
/// handle and valid until it is freed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_run {
    /// The topic's name, NUL-terminated.
    pub topic: *const c_char,
    /// The place of the first record in the handle.
    pub first: usize,
    /// How many records there are, at least one.
    pub count: usize,
    /// The offset to commit when all of them have been processed. It may be above the last
    /// record's offset + 1: what compaction left out is stepped over with it.
    pub next_offset: i64,
    /// The partition's high watermark when they were read, −1 if it is not known.
    pub high_watermark: i64,
    /// The partition's number.
    pub partition: i32,
    /// The leader epoch of the records, to commit with the offset; −1 where there is none.
    pub leader_epoch: i32,
    /// Whose clock their time stamps are of.
    pub timestamp_type: kfetch_timestamp_type,
    /// The id of the broker that sent them, −1 where a file had them.
    pub broker: i32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Something that happened to a partition, behind its last record of the same handle. Lent by the
/// handle and valid until it is freed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_event {
    /// The topic's name, NUL-terminated.
    pub topic: *const c_char,
    /// What to tell people, NUL-terminated, with topic, partition and offset; never NULL.
    pub text: *const c_char,
    /// At an end the high watermark, at a reset the position now, at a failure the offset that
    /// failed or −1.
    pub offset: i64,
    /// At a reset the position before, else −1.
    pub offset_before: i64,
    /// The partition's number.
    pub partition: i32,
    /// What happened.
    pub kind: kfetch_event_kind,
    /// Why it failed, `KFETCH_STATUS_OK` for other kinds.
    pub status: kfetch_status,
    /// Whether a failed partition gives no more records until a seek; else the engine goes on
    /// trying. Such a failure is told once; `kfetch_consumer_partition_error` tells it again.
    pub is_sticky: bool,
    /// Whether the same may succeed later without any change.
    pub is_retriable: bool,
    /// Zero.
    pub reserved: [u8; 18],
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_run>() == 72);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_event>() == 64);

/// The records and events that one poll returned. The records are numbered from 0, each
/// partition's in a run. They lie where the network or a file brought them: what the handle lends
/// (runs, events, keys, values, headers) is valid until its last free, over later polls and seeks,
/// and after the consumer has been closed and freed. The memory counts against the consumer's
/// `kfetch.memory.max.bytes` until then.
#[derive(Debug)]
pub struct kfetch_records {
    pub(super) records: Records,
    runs: Vec<kfetch_run>,
    events: Vec<kfetch_event>,
    /// What the events' texts point to.
    _texts: Vec<CString>,
    /// The process that the handle belongs to.
    process: u64,
}

// SAFETY: the pointers are to what `records` and `_texts` own and nobody changes.
unsafe impl Send for kfetch_records {}
// SAFETY: as above.
unsafe impl Sync for kfetch_records {}

/// Returns how many records there are; 0 for NULL. A handle may have events alone.
///
/// # Safety
///
/// `records` is NULL or a handle that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_count(records: *const kfetch_records) -> usize {
    // SAFETY: as the caller promises.
    unsafe { records.as_ref() }.map_or(0, |handle| handle.records.len())
}

/// Returns the runs of the handle, one for each partition and leader epoch or so; they cover all
/// records in order. NULL has none.
///
/// # Safety
///
/// `records` is NULL or a handle that has not been freed, `count_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_runs(
    records: *const kfetch_records,
    count_out: *mut usize,
) -> *const kfetch_run {
    // SAFETY: as the caller promises.
    let runs = unsafe { records.as_ref() }.map_or(&[][..], |handle| &handle.runs);
    // SAFETY: as the caller promises.
    unsafe { argument::lend(runs, count_out) }
}

/// Returns the events of the handle: what happened to partitions, each behind the last record of
/// its partition. NULL has none.
///
/// # Safety
///
/// `records` is NULL or a handle that has not been freed, `count_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_events(
    records: *const kfetch_records,
    count_out: *mut usize,
) -> *const kfetch_event {
    // SAFETY: as the caller promises.
    let events = unsafe { records.as_ref() }.map_or(&[][..], |handle| &handle.events);
    // SAFETY: as the caller promises.
    unsafe { argument::lend(events, count_out) }
}

/// Adds an owner: the handle has to be freed once more. NULL is allowed.
///
/// # Safety
///
/// `records` is NULL or a handle that has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_retain(records: *mut kfetch_records) {
    if !records.is_null() {
        // SAFETY: the pointer came from `Arc::into_raw` and an owner is alive.
        unsafe { Arc::increment_strong_count(records.cast_const()) };
    }
}

/// Gives a handle up; the last owner's free gives the memory back to the consumer's budget. NULL
/// is allowed, and in a fork's child nothing happens.
///
/// # Safety
///
/// This owner does not use the handle any more, nor what it lent.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_free(records: *mut kfetch_records) {
    // SAFETY: as the caller promises.
    if unsafe { records.as_ref() }.is_some_and(|handle| fork::is_own(handle.process)) {
        // SAFETY: the pointer came from `Arc::into_raw`, and this owner gives it up.
        unsafe { Arc::decrement_strong_count(records.cast_const()) };
    }
}

impl kfetch_records {
    /// Hands what a poll returned to C.
    pub(super) fn into_raw(records: Records) -> *mut Self {
        let runs = records.runs().iter().map(run).collect();
        let texts: Vec<CString> = records.events().iter().map(event_text).collect();
        let events = records.events().iter().zip(&texts);
        let events = events.map(|(found, text)| event(found, text)).collect();
        let process = fork::join();
        let handle = Arc::new(Self { records, runs, events, _texts: texts, process });
        Arc::into_raw(handle).cast_mut()
    }
}

/// Takes a handle.
///
/// # Safety
///
/// `records` is NULL or a handle that has not been freed.
pub(super) unsafe fn records_of<'a>(
    records: *const kfetch_records,
) -> Result<&'a Records, Failure> {
    // SAFETY: as the caller promises.
    let handle = unsafe { argument::reference(records, "records") }?;
    if !fork::is_own(handle.process) {
        let text = "the handle belongs to the process that this one was forked from";
        return Err(Error::new(ErrorKind::Forked, text).into());
    }
    Ok(&handle.records)
}

fn run(run: &PartitionRun) -> kfetch_run {
    kfetch_run {
        topic: run.topic.as_terminated().as_ptr().cast(),
        first: run.first(),
        count: run.len(),
        next_offset: run.next_offset(),
        high_watermark: run.high_watermark(),
        partition: run.partition(),
        leader_epoch: run.leader_epoch(),
        timestamp_type: match run.timestamp_type() {
            TimestampType::CreateTime => kfetch_timestamp_type::CreateTime,
            TimestampType::LogAppendTime => kfetch_timestamp_type::LogAppendTime,
        },
        broker: run.broker(),
        reserved: [0; 2],
    }
}

fn event(event: &PartitionEvent, text: &CString) -> kfetch_event {
    let mut found = kfetch_event {
        topic: event.topic.as_terminated().as_ptr().cast(),
        text: text.as_ptr(),
        offset: -1,
        offset_before: -1,
        partition: event.partition(),
        kind: kfetch_event_kind::End,
        status: StatusCode::Ok as i32,
        is_sticky: false,
        is_retriable: false,
        reserved: [0; 18],
    };
    match event.kind() {
        EventKind::End { offset } => found.offset = *offset,
        EventKind::Reset { from, to } => {
            found.kind = kfetch_event_kind::Reset;
            found.offset = *to;
            found.offset_before = *from;
        }
        EventKind::Failed { error, sticky } => {
            found.kind = kfetch_event_kind::Failed;
            found.offset = error.offset();
            found.status = status_of(error);
            found.is_sticky = *sticky;
            found.is_retriable = error.is_retriable();
        }
    }
    found
}

fn event_text(event: &PartitionEvent) -> CString {
    let (topic, partition) = (event.topic(), event.partition());
    let text = match event.kind() {
        EventKind::End { offset } => format!("{topic}-{partition}: the end is {offset}"),
        EventKind::Reset { from, to } => {
            format!("{topic}-{partition}: the position was reset from {from} to {to}")
        }
        EventKind::Failed { error, .. } => error.to_string(),
    };
    c_string(&text)
}
