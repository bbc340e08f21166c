//! Assignors of the application's own, from C.

use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::ptr;

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::{Failure, kfetch_error};
use super::fill::kfetch_bytes;
use super::guard::guard;
use super::partition::kfetch_topic_partition;
use super::status::kfetch_status;
use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::coordinator::assignor::{
    Assignor, ClusterTopics, GroupMember, MemberAssignment, built_in,
};
use crate::error::{Error, ErrorKind, Result as OwnResult};
use crate::topic::TopicName;

/// A topic that members of a group have subscribed to, lent to a `kfetch_assign_callback`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_group_topic {
    /// The name, NUL-terminated.
    pub name: *const c_char,
    /// How many partitions it has.
    pub partition_count: usize,
    /// Zero.
    pub reserved: u64,
}

/// A member of a group, lent to a `kfetch_assign_callback`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_group_member {
    /// The id that the coordinator gave it, NUL-terminated.
    pub member_id: *const c_char,
    /// Its `group.instance.id`, NULL where there is none.
    pub instance_id: *const c_char,
    /// Its `client.rack`, NULL where there is none.
    pub rack: *const c_char,
    /// The topics that it has subscribed to; they need not exist.
    pub topics: *const *const c_char,
    /// How many they are.
    pub topic_count: usize,
    /// The partitions that it says it owns; an eager member owns none.
    pub owned: *const kfetch_topic_partition,
    /// How many they are.
    pub owned_count: usize,
    /// What its own assignor has added to its subscription; `data` NULL where that is nothing.
    pub user_data: kfetch_bytes,
    /// The generation in which it was assigned what it owns, −1 where it does not tell.
    pub generation: i32,
    /// Zero.
    pub reserved: [u32; 3],
}

/// Divides partitions among the members of a group. `owners` has an element for each partition of
/// the first topic, then of the second, and so on: all are −1, and the callback writes the place of
/// the member (from 0) that is to get the partition. A status other than `KFETCH_STATUS_OK` makes
/// the rebalance fail, which is tried again.
///
/// No call on the consumer works inside of it: each is `KFETCH_STATUS_STATE`. It must not throw.
///
/// # Threads
///
/// Called on the application's thread inside poll, close or a synchronous commit; poll, subscribe
/// and close answer with a status there.
pub type kfetch_assign_callback = Option<
    unsafe extern "C-unwind" fn(
        topics: *const kfetch_group_topic,
        topic_count: usize,
        members: *const kfetch_group_member,
        member_count: usize,
        owners: *mut i32,
        opaque: *mut c_void,
    ) -> kfetch_status,
>;

/// An assignor: one of the application's own, or one that comes with kfetch. Set all of it to zero,
/// then `size` to `sizeof(kfetch_assignor)`, then what is wanted.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_assignor {
    /// `sizeof(kfetch_assignor)`.
    pub size: usize,
    /// The name by which the members of a group agree on it, NUL-terminated. Without `assign` one
    /// that `partition.assignment.strategy` takes.
    pub name: *const c_char,
    /// Divides the partitions where this member leads; NULL asks for the assignor of this name that
    /// comes with kfetch.
    pub assign: kfetch_assign_callback,
    /// Is passed to `assign` and not touched.
    pub opaque: *mut c_void,
    /// What this member's subscription carries to the leader's assignor; copied.
    pub user_data: kfetch_bytes,
    /// Whether members keep their partitions during a rebalance: then a partition may go to
    /// another only in the generation after the one in which its owner gave it up.
    pub is_cooperative: bool,
    /// Zero.
    pub reserved: [u8; 23],
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_group_topic>() == 24);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_group_member>() == 88);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_assignor>() == 72);

/// Puts assignors in the place of `partition.assignment.strategy`, the one that is liked best
/// first. While something is subscribed to it is `KFETCH_STATUS_STATE`.
///
/// # Safety
///
/// `assignors` is to `count` assignors with valid names and user data. The callbacks and what
/// `opaque` points to stay valid until others are set or the consumer has been freed; `error_out`
/// is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_set_assignors(
    consumer: *mut kfetch_consumer,
    assignors: *const kfetch_assignor,
    count: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let items = unsafe { argument::array(assignors, count, "assignors") }?;
        let mut assignors = Vec::with_capacity(items.len());
        for item in items {
            // SAFETY: as the caller promises.
            assignors.push(unsafe { assignor(consumer, item) }?);
        }
        // SAFETY: as the caller promises.
        unsafe { call(consumer, |consumer| Ok(consumer.set_assignors(assignors)?)) }
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Makes the assignor that the caller describes.
///
/// # Safety
///
/// Its name and user data are valid.
unsafe fn assignor(
    handle: *mut kfetch_consumer,
    item: &kfetch_assignor,
) -> Result<Box<dyn Assignor>, Failure> {
    if item.size != size_of::<kfetch_assignor>() {
        return Err(Failure::argument(format!("an assignor's size is {}", item.size)));
    }
    // SAFETY: as the caller promises.
    let name = unsafe { argument::string(item.name, "name") }?;
    let Some(assign) = item.assign else { return Ok(built_in(name)?) };
    if name.is_empty() {
        return Err(Failure::argument("an assignor's name is empty"));
    }
    let kfetch_bytes { data, len } = item.user_data;
    // SAFETY: as the caller promises.
    let bytes = unsafe { argument::array(data, len, "user_data") }?;
    let user_data = (!data.is_null()).then(|| bytes.to_vec());
    let (opaque, is_cooperative) = (item.opaque, item.is_cooperative);
    let name = name.to_owned();
    Ok(Box::new(OwnAssignor { handle, name, assign, opaque, user_data, is_cooperative }))
}

/// An assignor of the application's, as the consumer knows it, whose part it is.
struct OwnAssignor {
    handle: *mut kfetch_consumer,
    name: String,
    assign: unsafe extern "C-unwind" fn(
        *const kfetch_group_topic,
        usize,
        *const kfetch_group_member,
        usize,
        *mut i32,
        *mut c_void,
    ) -> kfetch_status,
    opaque: *mut c_void,
    user_data: Option<Vec<u8>>,
    is_cooperative: bool,
}

// SAFETY: it is used inside of calls on the handle alone, whose thread is the caller's choice.
unsafe impl Send for OwnAssignor {}

impl Assignor for OwnAssignor {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_cooperative(&self) -> bool {
        self.is_cooperative
    }

    fn user_data(&self, _: &[TopicName]) -> Option<Vec<u8>> {
        self.user_data.clone()
    }

    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> OwnResult<Vec<MemberAssignment>> {
        let topics: Vec<kfetch_group_topic> = cluster.iter().map(group_topic).collect();
        let total = topics.iter().map(|topic| topic.partition_count).sum();
        let owned: Vec<Owned<'_>> = group.iter().map(Owned::new).collect();
        let members: Vec<kfetch_group_member> = owned.iter().map(Owned::member).collect();
        let mut owners = vec![-1; total];
        let mut status = StatusCode::Ok as i32;
        // SAFETY: a call on the handle is running, under which it is not freed.
        let handle = unsafe { &*self.handle };
        let (first, count) = (members.as_ptr(), members.len());
        handle.lend_nothing(|| {
            let (topics, topic_count) = (topics.as_ptr(), topics.len());
            let owners = owners.as_mut_ptr();
            // SAFETY: it is valid as the caller promised who set it.
            status =
                unsafe { (self.assign)(topics, topic_count, first, count, owners, self.opaque) };
        });
        if status != StatusCode::Ok as i32 {
            let text = format!("the assignor {} failed with status {status}", self.name);
            return Err(Error::new(ErrorKind::State, text));
        }
        self.take(cluster, group, &owners)
    }
}

impl OwnAssignor {
    /// Turns the places that the callback wrote into what each member gets.
    fn take(
        &self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
        owners: &[i32],
    ) -> OwnResult<Vec<MemberAssignment>> {
        let mut assignments: Vec<_> = group.iter().map(MemberAssignment::nothing).collect();
        let partitions =
            cluster.iter().flat_map(|(topic, count)| (0..count).map(move |one| (topic, one)));
        for ((topic, partition), owner) in partitions.zip(owners) {
            if *owner == -1 {
                continue;
            }
            let member = usize::try_from(*owner).ok().and_then(|place| assignments.get_mut(place));
            let Some(member) = member else {
                let text = format!("the assignor {} wrote {owner}, no member's place", self.name);
                let error = Error::new(ErrorKind::InvalidArgument, text);
                return Err(error.with_partition(topic.as_str(), partition));
            };
            member.assignment.partitions.push((topic.clone(), partition));
        }
        Ok(assignments)
    }
}

impl fmt::Debug for OwnAssignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnAssignor").field("name", &self.name).finish_non_exhaustive()
    }
}

fn group_topic((name, count): (&TopicName, i32)) -> kfetch_group_topic {
    let partition_count = usize::try_from(count).unwrap_or(0);
    kfetch_group_topic { name: c_name(name), partition_count, reserved: 0 }
}

fn c_name(name: &TopicName) -> *const c_char {
    name.as_terminated().as_ptr().cast()
}

/// A member with what its description points to.
struct Owned<'a> {
    member: &'a GroupMember,
    member_id: CString,
    instance_id: Option<CString>,
    rack: Option<CString>,
    topics: Vec<*const c_char>,
    partitions: Vec<kfetch_topic_partition>,
}

impl<'a> Owned<'a> {
    fn new(member: &'a GroupMember) -> Self {
        let subscription = &member.subscription;
        let partition = |(topic, partition): &(TopicName, i32)| kfetch_topic_partition {
            topic: c_name(topic),
            partition: *partition,
        };
        Self {
            member,
            member_id: c_string(&member.member_id),
            instance_id: member.group_instance_id.as_deref().map(c_string),
            rack: subscription.rack_id.as_deref().map(c_string),
            topics: subscription.topics.iter().map(c_name).collect(),
            partitions: subscription.owned_partitions.iter().map(partition).collect(),
        }
    }

    fn member(&self) -> kfetch_group_member {
        let subscription = &self.member.subscription;
        let or_null = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |it| it.as_ptr());
        let user_data = subscription.user_data.as_deref();
        kfetch_group_member {
            member_id: self.member_id.as_ptr(),
            instance_id: or_null(&self.instance_id),
            rack: or_null(&self.rack),
            topics: self.topics.as_ptr(),
            topic_count: self.topics.len(),
            owned: self.partitions.as_ptr(),
            owned_count: self.partitions.len(),
            user_data: kfetch_bytes {
                data: user_data.map_or(ptr::null(), <[u8]>::as_ptr),
                len: user_data.map_or(0, <[u8]>::len),
            },
            generation: subscription.generation.unwrap_or(-1),
            reserved: [0; 3],
        }
    }
}
