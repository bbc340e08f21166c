//! Descriptions of topics, for C.

use std::ffi::{CString, c_char};

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::kfetch_error;
use super::guard::guard;
use super::status::{kfetch_status, status_of};
use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::client::Consumer;
use crate::error::Result as OwnResult;
use crate::fetch::reply::{PartitionInfo, TopicInfo};

/// A partition as the cluster describes it, lent by a `kfetch_topics`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_partition_info {
    /// Node ids of all replicas.
    pub replicas: *const i32,
    /// How many replicas there are.
    pub replica_count: usize,
    /// Node ids of the replicas that are in sync.
    pub in_sync_replicas: *const i32,
    /// How many of them there are.
    pub in_sync_replica_count: usize,
    /// The partition's number.
    pub partition: i32,
    /// The leader's node id, −1 while there is none.
    pub leader: i32,
    /// The leader's epoch, −1 where it is not known.
    pub leader_epoch: i32,
    /// Zero.
    pub reserved: u32,
}

/// A topic as the cluster describes it, lent by a `kfetch_topics`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_topic {
    /// The name, NUL-terminated.
    pub name: *const c_char,
    /// Its partitions by number.
    pub partitions: *const kfetch_partition_info,
    /// How many partitions there are, 0 where the status is an error.
    pub partition_count: usize,
    /// The topic's id, all zero where the cluster has none.
    pub topic_id: [u8; 16],
    /// Why its partitions cannot be told, else `KFETCH_STATUS_OK`.
    pub status: kfetch_status,
    /// Whether it is Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_partition_info>() == 48);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_topic>() == 48);

/// Descriptions of topics.
#[derive(Debug)]
pub struct kfetch_topics {
    items: Vec<kfetch_topic>,
    /// What the items point to.
    _owned: Vec<Owned>,
}

/// What a topic's description points to.
#[derive(Debug)]
struct Owned {
    name: CString,
    partitions: Vec<kfetch_partition_info>,
    /// Holds the lists of replicas.
    info: TopicInfo,
}

/// Describes a topic: one item, to be freed with `kfetch_topics_free`. A topic that does not exist
/// is `KFETCH_STATUS_UNKNOWN_TOPIC_OR_PARTITION`.
///
/// # Safety
///
/// `topic` is NUL-terminated, `topics_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_partitions_for(
    consumer: *mut kfetch_consumer,
    topic: *const c_char,
    timeout_ms: u32,
    topics_out: *mut *mut kfetch_topics,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(topics_out, "topics_out") }?;
        // SAFETY: as the caller promises.
        let topic = unsafe { argument::string(topic, "topic") }?;
        let find = |consumer: &mut Consumer| {
            let timeout = argument::timeout(timeout_ms, consumer.config().default_api_timeout);
            Ok(consumer.partitions_for(topic, timeout)?)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, find) }?;
        out.write(kfetch_topics::into_raw(vec![found]));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Describes all topics that this client may see, by name; to be freed with `kfetch_topics_free`.
///
/// # Safety
///
/// `topics_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_list_topics(
    consumer: *mut kfetch_consumer,
    timeout_ms: u32,
    topics_out: *mut *mut kfetch_topics,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(topics_out, "topics_out") }?;
        let find = |consumer: &mut Consumer| {
            let timeout = argument::timeout(timeout_ms, consumer.config().default_api_timeout);
            Ok(consumer.list_topics(timeout)?)
        };
        // SAFETY: as the caller promises.
        let found = unsafe { call(consumer, find) }?;
        out.write(kfetch_topics::into_raw(found));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Returns the topics; they are valid until they are freed. NULL has none.
///
/// # Safety
///
/// `topics` is NULL or has not been freed, `count_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_topics_items(
    topics: *const kfetch_topics,
    count_out: *mut usize,
) -> *const kfetch_topic {
    // SAFETY: as the caller promises.
    let items = unsafe { topics.as_ref() }.map_or(&[][..], |topics| &topics.items);
    // SAFETY: as the caller promises.
    unsafe { argument::lend(items, count_out) }
}

/// Frees descriptions of topics. NULL is allowed.
///
/// # Safety
///
/// They are not used any more, nor what they lent.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_topics_free(topics: *mut kfetch_topics) {
    if !topics.is_null() {
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(topics) });
    }
}

impl kfetch_topics {
    fn into_raw(found: Vec<TopicInfo>) -> *mut Self {
        let owned: Vec<Owned> = found.into_iter().map(Owned::new).collect();
        let items = owned.iter().map(Owned::topic).collect();
        Box::into_raw(Box::new(Self { items, _owned: owned }))
    }
}

impl Owned {
    fn new(info: TopicInfo) -> Self {
        let partitions = info.partitions.iter().flatten().map(partition_info).collect();
        Self { name: c_string(&info.name), partitions, info }
    }

    fn topic(&self) -> kfetch_topic {
        kfetch_topic {
            name: self.name.as_ptr(),
            partitions: self.partitions.as_ptr(),
            partition_count: self.partitions.len(),
            topic_id: self.info.topic_id.0,
            status: status(&self.info.partitions),
            is_internal: self.info.is_internal,
            reserved: [0; 3],
        }
    }
}

fn status<T>(outcome: &OwnResult<T>) -> kfetch_status {
    outcome.as_ref().err().map_or(StatusCode::Ok as i32, status_of)
}

/// The lists stay where they are when the description moves: they are on the heap.
fn partition_info(info: &PartitionInfo) -> kfetch_partition_info {
    kfetch_partition_info {
        replicas: info.replicas.as_ptr(),
        replica_count: info.replicas.len(),
        in_sync_replicas: info.in_sync_replicas.as_ptr(),
        in_sync_replica_count: info.in_sync_replicas.len(),
        partition: info.partition,
        leader: info.leader,
        leader_epoch: info.leader_epoch,
        reserved: 0,
    }
}
