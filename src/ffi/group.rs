//! Subscribing from C, and a consumer's place in its group.

use std::ffi::{CString, c_char};
use std::ptr;

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::{Failure, kfetch_error};
use super::guard::guard;
use super::status::kfetch_status;
use super::text::c_string;
use crate::client::{Consumer, GroupMetadata};

/// A list of topics' names that the library made.
#[derive(Debug)]
pub struct kfetch_topic_names {
    items: Vec<*const c_char>,
    /// What the items point to.
    _names: Vec<CString>,
}

/// A consumer's place in its group, for a producer that commits the group's offsets in its
/// transactions.
#[derive(Debug)]
pub struct kfetch_group_metadata {
    group_id: CString,
    generation: i32,
    member_id: CString,
    instance_id: Option<CString>,
}

/// Joins the group (`group.id`) for these topics, or changes what was subscribed to. Partitions
/// come and go inside of later polls, see `kfetch_consumer_set_rebalance_callback`. No topics at
/// all is the same as `kfetch_consumer_unsubscribe`.
///
/// Poll at least every `max.poll.interval.ms`; heartbeats are the engine's.
///
/// # Safety
///
/// `topics` is to `count` NUL-terminated names, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_subscribe(
    consumer: *mut kfetch_consumer,
    topics: *const *const c_char,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let items = unsafe { argument::array(topics, count, "topics") }?;
        let mut topics = Vec::with_capacity(items.len());
        for item in items {
            // SAFETY: as the caller promises.
            topics.push(unsafe { argument::string(*item, "topic") }?);
        }
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.subscribe(&topics)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Joins the group for all topics whose whole name matches a regular expression, also those that
/// are made later, which are found after `metadata.max.age.ms` at the latest.
///
/// # Safety
///
/// `pattern` is NUL-terminated, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_subscribe_pattern(
    consumer: *mut kfetch_consumer,
    pattern: *const c_char,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let pattern = unsafe { argument::string(pattern, "pattern") }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.subscribe_pattern(pattern)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Leaves the group: before this returns the partitions are revoked, with the rebalance callback
/// called. Partitions that were assigned by hand are let go as well.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_unsubscribe(
    consumer: *mut kfetch_consumer,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.unsubscribe()?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Lists the topics that are subscribed to, as far as a pattern has been resolved; the list is
/// freed with `kfetch_topic_names_free`.
///
/// # Safety
///
/// `names_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_subscription(
    consumer: *const kfetch_consumer,
    names_out: *mut *mut kfetch_topic_names,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(names_out, "names_out") }?;
        let list = |consumer: &mut Consumer| Ok(consumer.subscription());
        // SAFETY: as the caller promises.
        let names = unsafe { call(consumer, list) }?;
        out.write(kfetch_topic_names::into_raw(&names));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Returns the names of a list; they are NUL-terminated and valid until it is freed. NULL is an
/// empty list.
///
/// # Safety
///
/// `names` is NULL or a list that has not been freed, `count_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_topic_names_items(
    names: *const kfetch_topic_names,
    count_out: *mut usize,
) -> *const *const c_char {
    // SAFETY: as the caller promises.
    let items = unsafe { names.as_ref() }.map_or(&[][..], |list| &list.items);
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
pub unsafe extern "C" fn kfetch_topic_names_free(names: *mut kfetch_topic_names) {
    if !names.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(names) });
    }
}

/// Makes the group assign its partitions anew, with the next polls. `reason` goes to the broker's
/// log; NULL is none.
///
/// # Safety
///
/// `reason` is NULL or NUL-terminated, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_enforce_rebalance(
    consumer: *mut kfetch_consumer,
    reason: *const c_char,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        let reason =
            if reason.is_null() { c"the application asked for it".as_ptr() } else { reason };
        // SAFETY: as the caller promises.
        let reason = unsafe { argument::string(reason, "reason") }?;
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.enforce_rebalance(reason)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Gives the consumer's place in its group, to be freed with `kfetch_group_metadata_free`.
///
/// # Safety
///
/// `metadata_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_group_metadata(
    consumer: *const kfetch_consumer,
    metadata_out: *mut *mut kfetch_group_metadata,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(metadata_out, "metadata_out") }?;
        let look = |consumer: &mut Consumer| Ok::<_, Failure>(consumer.group_metadata()?);
        // SAFETY: as the caller promises.
        let metadata = unsafe { call(consumer, look) }?;
        out.write(kfetch_group_metadata::into_raw(&metadata));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Returns `group.id`, `""` for NULL; valid until the metadata is freed.
///
/// # Safety
///
/// `metadata` is NULL or has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_group_metadata_group_id(
    metadata: *const kfetch_group_metadata,
) -> *const c_char {
    // SAFETY: as the caller promises.
    unsafe { metadata.as_ref() }.map_or(c"".as_ptr(), |metadata| metadata.group_id.as_ptr())
}

/// Returns the generation, −1 outside of one and for NULL.
///
/// # Safety
///
/// `metadata` is NULL or has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_group_metadata_generation(
    metadata: *const kfetch_group_metadata,
) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { metadata.as_ref() }.map_or(-1, |metadata| metadata.generation)
}

/// Returns the id that the coordinator gave the member, `""` outside of a generation and for NULL;
/// valid until the metadata is freed.
///
/// # Safety
///
/// `metadata` is NULL or has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_group_metadata_member_id(
    metadata: *const kfetch_group_metadata,
) -> *const c_char {
    // SAFETY: as the caller promises.
    unsafe { metadata.as_ref() }.map_or(c"".as_ptr(), |metadata| metadata.member_id.as_ptr())
}

/// Returns `group.instance.id`, NULL where there is none; valid until the metadata is freed.
///
/// # Safety
///
/// `metadata` is NULL or has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_group_metadata_instance_id(
    metadata: *const kfetch_group_metadata,
) -> *const c_char {
    // SAFETY: as the caller promises.
    let id = unsafe { metadata.as_ref() }.and_then(|metadata| metadata.instance_id.as_ref());
    id.map_or(ptr::null(), |id| id.as_ptr())
}

/// Frees the metadata. NULL is allowed.
///
/// # Safety
///
/// It is not used any more, nor what it lent.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_group_metadata_free(metadata: *mut kfetch_group_metadata) {
    if !metadata.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(metadata) });
    }
}

impl kfetch_topic_names {
    fn into_raw(names: &[String]) -> *mut Self {
        let names: Vec<CString> = names.iter().map(|name| c_string(name)).collect();
        let items = names.iter().map(|name| name.as_ptr()).collect();
        Box::into_raw(Box::new(Self { items, _names: names }))
    }
}

impl kfetch_group_metadata {
    fn into_raw(metadata: &GroupMetadata) -> *mut Self {
        Box::into_raw(Box::new(Self {
            group_id: c_string(&metadata.group_id),
            generation: metadata.generation,
            member_id: c_string(&metadata.member_id),
            instance_id: metadata.group_instance_id.as_deref().map(c_string),
        }))
    }
}
