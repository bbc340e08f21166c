//! What a group has committed, for C.

use std::ffi::{CString, c_char};

use super::argument;
use super::commit::timeout_of;
use super::consumer::{call, kfetch_consumer};
use super::error::kfetch_error;
use super::guard::guard;
use super::partition::{kfetch_topic_partition, partitions};
use super::status::{kfetch_status, status_of};
use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::client::Consumer;
use crate::coordinator::notice::Committed;
use crate::error::Result as OwnResult;
use crate::topic::TopicPartition;

/// What a group has committed for a partition, lent by a `kfetch_committed_offsets`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_committed_offset {
    /// The topic's name, NUL-terminated.
    pub topic: *const c_char,
    /// The words that were committed with the offset, NUL-terminated; `""` where there are none.
    pub metadata: *const c_char,
    /// The offset of the next record to process, −1 where nothing is committed or it cannot be
    /// told.
    pub offset: i64,
    /// The partition's number.
    pub partition: i32,
    /// The leader epoch that was committed with the offset, −1 where there is none.
    pub leader_epoch: i32,
    /// Why it cannot be told, else `KFETCH_STATUS_OK`.
    pub status: kfetch_status,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_committed_offset>() == 40);

/// A list of what a group has committed.
#[derive(Debug)]
pub struct kfetch_committed_offsets {
    items: Vec<kfetch_committed_offset>,
    /// What the items point to.
    _strings: Vec<(CString, CString)>,
}

/// Asks what the group has committed for each of the partitions, which need not be assigned: an
/// item for each in their order. The list is freed with `kfetch_committed_offsets_free`.
///
/// # Safety
///
/// `partitions` is to `count` partitions, `offsets_out` can be written, `error_out` is NULL or can
/// be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_committed(
    consumer: *mut kfetch_consumer,
    topic_partitions: *const kfetch_topic_partition,
    count: usize,
    timeout_ms: u32,
    offsets_out: *mut *mut kfetch_committed_offsets,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(offsets_out, "offsets_out") }?;
        // SAFETY: as the caller promises.
        let asked = unsafe { partitions(topic_partitions, count) }?;
        let ask = |consumer: &mut Consumer| {
            let timeout = timeout_of(consumer, timeout_ms);
            Ok(consumer.committed(&asked, timeout)?)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, ask) }?;
        let found: Vec<Found> = asked.into_iter().zip(found).collect();
        out.write(kfetch_committed_offsets::into_raw(&found));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Asks for all that the group has committed; the list is freed with
/// `kfetch_committed_offsets_free`.
///
/// # Safety
///
/// `offsets_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_all_committed(
    consumer: *mut kfetch_consumer,
    timeout_ms: u32,
    offsets_out: *mut *mut kfetch_committed_offsets,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(offsets_out, "offsets_out") }?;
        let ask = |consumer: &mut Consumer| {
            let timeout = timeout_of(consumer, timeout_ms);
            Ok(consumer.all_committed(timeout)?)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, ask) }?;
        let found = found.into_iter().map(|(partition, offset)| (partition, Ok(Some(offset))));
        out.write(kfetch_committed_offsets::into_raw(&found.collect::<Vec<Found>>()));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Returns the items of a list; they are valid until it is freed. NULL is an empty list.
///
/// # Safety
///
/// `offsets` is NULL or a list that has not been freed, `count_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_committed_offsets_items(
    offsets: *const kfetch_committed_offsets,
    count_out: *mut usize,
) -> *const kfetch_committed_offset {
    // SAFETY: as the caller promises.
    let items = unsafe { offsets.as_ref() }.map_or(&[][..], |list| &list.items);
    // SAFETY: as the caller promises.
    unsafe { argument::lend(items, count_out) }
}

/// Frees a list. NULL is allowed.
///
/// # Safety
///
/// The list is not used any more, nor what it lent.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_committed_offsets_free(offsets: *mut kfetch_committed_offsets) {
    if !offsets.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(offsets) });
    }
}

/// A partition and what was found for it.
type Found = (TopicPartition, OwnResult<Option<Committed>>);

impl kfetch_committed_offsets {
    fn into_raw(found: &[Found]) -> *mut Self {
        let strings: Vec<(CString, CString)> = found
            .iter()
            .map(|(partition, found)| {
                let metadata = found.iter().flatten().map(|found| found.metadata.as_str()).next();
                (c_string(&partition.topic), c_string(metadata.unwrap_or_default()))
            })
            .collect();
        let items = found.iter().zip(&strings).map(item).collect();
        Box::into_raw(Box::new(Self { items, _strings: strings }))
    }
}

fn item(((partition, found), strings): (&Found, &(CString, CString))) -> kfetch_committed_offset {
    let committed = found.as_ref().ok().and_then(Option::as_ref);
    kfetch_committed_offset {
        topic: strings.0.as_ptr(),
        metadata: strings.1.as_ptr(),
        offset: committed.map_or(-1, |committed| committed.offset),
        partition: partition.partition,
        leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        status: found.as_ref().err().map_or(StatusCode::Ok as i32, status_of),
        reserved: 0,
    }
}
