//! Partitions by name, to C and from it.

use std::ffi::{CString, c_char};

use super::argument;
use super::error::Failure;
use super::text::c_string;
use crate::client::Offset;
use crate::topic::TopicPartition;

/// A partition of a topic. Arrays of them are inputs of the calls on many partitions; those calls
/// borrow the names until they return.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_topic_partition {
    /// The topic's name, NUL-terminated.
    pub topic: *const c_char,
    /// The partition's number, from 0.
    pub partition: i32,
}

/// Numbers that stand where an offset is asked for and none is known; other negative numbers are
/// `KFETCH_STATUS_INVALID_ARGUMENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum kfetch_offset {
    /// When it is the end: the next record that is written.
    End = -1,
    /// When it is the first record that there is.
    Beginning = -2,
    /// When `auto.offset.reset` decides.
    Default = -3,
}

/// A list of partitions that the library made.
#[derive(Debug)]
pub struct kfetch_partitions {
    items: Vec<kfetch_topic_partition>,
    /// What the items point to.
    _names: Vec<CString>,
}

/// Returns the partitions of a list; they are valid until it is freed. NULL is an empty list.
///
/// # Safety
///
/// `partitions` is NULL or a list that has not been freed, `count_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_partitions_items(
    partitions: *const kfetch_partitions,
    count_out: *mut usize,
) -> *const kfetch_topic_partition {
    // SAFETY: as the caller promises.
    let items = unsafe { partitions.as_ref() }.map_or(&[][..], |list| &list.items);
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
pub unsafe extern "C" fn kfetch_partitions_free(partitions: *mut kfetch_partitions) {
    if !partitions.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(partitions) });
    }
}

impl kfetch_partitions {
    /// Hands a list to C.
    pub(super) fn into_raw(partitions: &[TopicPartition]) -> *mut Self {
        let (items, names) = named(partitions);
        Box::into_raw(Box::new(Self { items, _names: names }))
    }
}

/// Makes partitions for C, and the names that they point to.
pub(super) fn named(partitions: &[TopicPartition]) -> (Vec<kfetch_topic_partition>, Vec<CString>) {
    let names: Vec<CString> = partitions.iter().map(|item| c_string(&item.topic)).collect();
    let item = |(name, item): (&CString, &TopicPartition)| kfetch_topic_partition {
        topic: name.as_ptr(),
        partition: item.partition,
    };
    (names.iter().zip(partitions).map(item).collect(), names)
}

/// Takes one partition.
///
/// # Safety
///
/// `topic` is NULL or NUL-terminated.
pub(super) unsafe fn partition(
    topic: *const c_char,
    partition: i32,
) -> Result<TopicPartition, Failure> {
    // SAFETY: as the caller promises.
    Ok(TopicPartition::new(unsafe { argument::string(topic, "topic") }?, partition))
}

/// Takes an array of partitions.
///
/// # Safety
///
/// `pointer` is to `count` partitions with valid names.
pub(super) unsafe fn partitions(
    pointer: *const kfetch_topic_partition,
    count: usize,
) -> Result<Vec<TopicPartition>, Failure> {
    // SAFETY: as the caller promises.
    let items = unsafe { argument::array(pointer, count, "partitions") }?;
    let mut partitions = Vec::with_capacity(items.len());
    for item in items {
        // SAFETY: as the caller promises.
        partitions.push(unsafe { partition(item.topic, item.partition) }?);
    }
    Ok(partitions)
}

/// Takes an array of partitions with a number for each: an offset, a time.
///
/// # Safety
///
/// `pointer` is to `count` partitions with valid names, `numbers` to as many numbers.
pub(super) unsafe fn partitions_with<T>(
    pointer: *const kfetch_topic_partition,
    numbers: *const i64,
    count: usize,
    name: &str,
    meaning: impl Fn(i64) -> Result<T, Failure>,
) -> Result<Vec<(TopicPartition, T)>, Failure> {
    // SAFETY: as the caller promises.
    let partitions = unsafe { partitions(pointer, count) }?;
    // SAFETY: as the caller promises.
    let numbers = unsafe { argument::array(numbers, count, name) }?;
    let pair = |(partition, number): (TopicPartition, &i64)| Ok((partition, meaning(*number)?));
    partitions.into_iter().zip(numbers).map(pair).collect()
}

/// Returns what an offset from C stands for.
pub(super) fn offset(number: i64) -> Result<Offset, Failure> {
    match number {
        0.. => Ok(Offset::At(number)),
        _ if number == kfetch_offset::End as i64 => Ok(Offset::End),
        _ if number == kfetch_offset::Beginning as i64 => Ok(Offset::Beginning),
        _ if number == kfetch_offset::Default as i64 => Ok(Offset::Default),
        _ => Err(Failure::argument(format!("offset {number} is none"))),
    }
}
