//! The consumer from C: its life, and poll.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::error::{Failure, kfetch_error};
use super::guard::{Guarded, clock, guard, guard_plain};
use super::records::kfetch_records;
use super::status::kfetch_status;
use super::status_code::kfetch_status as StatusCode;
use super::{argument, config, engine};
use crate::client::{Config, Consumer, Engine, GroupMembershipOperation, PollLimits, WakeupHandle};
use crate::error::{Error, ErrorKind};

/// No limit of the call's own: poll waits for ever, other calls as long as
/// `default.api.timeout.ms` says. Every other timeout is a number of milliseconds.
pub const KFETCH_TIMEOUT_NONE: u32 = u32::MAX;

/// Reads partitions of Kafka topics, from brokers (`bootstrap.servers`) or from log directories
/// (`log.dirs`).
///
/// The flow of calls is: set properties, make the consumer, assign partitions, then poll, look at
/// the records in bulk and free the handle, over and over; in the end close and free. Without the
/// checks of the statuses, which a program has:
///
/// ```c
/// kfetch_config *config = kfetch_config_new();
/// kfetch_config_set(config, "bootstrap.servers", "localhost:9092", NULL);
/// kfetch_config_set(config, "auto.offset.reset", "earliest", NULL);
/// kfetch_consumer *consumer = NULL;
/// kfetch_status status = kfetch_consumer_new(config, &consumer, NULL);
/// kfetch_config_free(config);
/// kfetch_topic_partition orders = {"orders", 0};
/// kfetch_consumer_assign(consumer, &orders, 1, NULL);
/// kfetch_records *records = NULL;
/// while (status == KFETCH_STATUS_OK &&
///        (status = kfetch_consumer_poll(consumer, 5000, &records, NULL)) == KFETCH_STATUS_OK &&
///        records != NULL) { // NULL: nothing came within 5 s
///     kfetch_record batch[256];
///     size_t count = 0;
///     for (size_t at = 0; at < kfetch_records_count(records); at += count) {
///         kfetch_records_fill(records, at, batch, 256, sizeof *batch, &count);
///         for (size_t i = 0; i < count; i++)
///             fwrite(batch[i].value.data, 1, batch[i].value.len, stdout);
///     }
///     kfetch_records_free(records);
/// }
/// kfetch_consumer_close(consumer, 1000, NULL);
/// kfetch_consumer_free(consumer);
/// ```
///
/// A member of a group subscribes where the example assigns (`kfetch_consumer_subscribe`), may be
/// told what it is given (`kfetch_consumer_set_rebalance_callback`), and commits what it has
/// processed (`kfetch_consumer_commit_records`) unless `enable.auto.commit` does.
///
/// Of several `log.dirs` the first has the groups' offsets, unless another of them has them
/// already, so that their order does not matter to a group. Where more than one has some, no
/// consumer with a `group.id` can be made: `KFETCH_STATUS_CONFIG`.
///
/// The status of a poll concerns the whole consumer. What happens to one partition (a failure, its
/// end, a reset of its position) is an event of the handle, see `kfetch_records_events`.
#[derive(Debug)]
pub struct kfetch_consumer {
    consumer: Guarded<Consumer>,
    wakeup: WakeupHandle,
    fd: c_int,
    /// Whether a close has begun.
    is_closed: AtomicBool,
}

/// Makes a consumer on the process's default engine, which is started for its first consumer.
///
/// # Safety
///
/// `consumer_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_new(
    config: *const config::kfetch_config,
    consumer_out: *mut *mut kfetch_consumer,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(consumer_out, "consumer_out") }?;
        // SAFETY: as the caller promises.
        let config = unsafe { config::enter(config) }?;
        out.write(kfetch_consumer::into_raw(&config, Engine::shared)?);
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Makes a consumer on an engine, whose handle may be freed before the consumer.
///
/// # Safety
///
/// `consumer_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_new_with_engine(
    engine: *const engine::kfetch_engine,
    config: *const config::kfetch_config,
    consumer_out: *mut *mut kfetch_consumer,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let engine = unsafe { engine::engine_of(engine) }?;
        // SAFETY: as the caller promises.
        let config = unsafe { config::enter(config) }?;
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(consumer_out, "consumer_out") }?;
        out.write(kfetch_consumer::into_raw(&config, || Ok(engine))?);
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// What a close does about the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_group_membership_operation {
    /// When a dynamic member leaves, and the place of one with a `group.instance.id` waits for it.
    Default = 0,
    /// When the member leaves in any case, so that its partitions go to others at once.
    LeaveGroup = 1,
    /// When the member does not leave, and its place waits up to `session.timeout.ms`.
    RemainInGroup = 2,
}

/// Closes the consumer: lets its partitions and connections go and waits up to `timeout_ms` until
/// the engine has done so. A call that another thread is inside of ends with
/// `KFETCH_STATUS_CLOSED`, as does every later one but free, and but another close, which is
/// `KFETCH_STATUS_OK` and does nothing. Handles of records stay valid. On `KFETCH_STATUS_TIMEOUT`
/// the consumer is closed as well. A member of a group commits its positions where
/// `enable.auto.commit` says so, has its partitions revoked, with the rebalance callback called,
/// and leaves, unless it has a `group.instance.id`. From inside of a callback it is
/// `KFETCH_STATUS_STATE`, and nothing has changed.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_close(
    consumer: *mut kfetch_consumer,
    timeout_ms: u32,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let operation = kfetch_group_membership_operation::Default as i32;
    // SAFETY: as the caller promises.
    unsafe { kfetch_consumer_close_with(consumer, operation, timeout_ms, error_out) }
}

/// Closes the consumer as `kfetch_consumer_close` does, and says what becomes of its place in the
/// group: `operation` is a `kfetch_group_membership_operation`.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_close_with(
    consumer: *mut kfetch_consumer,
    operation: i32,
    timeout_ms: u32,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let handle = unsafe { argument::reference(consumer, "consumer") }?;
        let operation = operation_of(operation)?;
        handle.consumer.check_process()?;
        if handle.consumer.is_lent() {
            return Err(inside());
        }
        handle.is_closed.store(true, Ordering::Release);
        handle.wakeup.wakeup();
        let deadline = clock() + Duration::from_millis(timeout_ms.into());
        let mut entered = handle.consumer.enter_to_close(deadline)?;
        entered.close_with(deadline.saturating_duration_since(clock()), operation)?;
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

fn operation_of(operation: i32) -> Result<GroupMembershipOperation, Failure> {
    use kfetch_group_membership_operation as Operation;
    match operation {
        _ if operation == Operation::Default as i32 => Ok(GroupMembershipOperation::Default),
        _ if operation == Operation::LeaveGroup as i32 => Ok(GroupMembershipOperation::LeaveGroup),
        _ if operation == Operation::RemainInGroup as i32 => {
            Ok(GroupMembershipOperation::RemainInGroup)
        }
        _ => Err(Failure::argument(format!("operation is {operation}"))),
    }
}

/// Frees the consumer, closing it without a wait if that has not been done: nothing is committed
/// then and no callback is called; a member of a group that is no static one leaves, if its
/// connection takes that at once. NULL is allowed. In a fork's child, inside of a callback, and
/// while a call of another thread is inside, nothing happens.
///
/// # Safety
///
/// No call on the handle follows.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_free(consumer: *mut kfetch_consumer) {
    let body = || {
        // SAFETY: as the caller promises.
        if unsafe { consumer.as_ref() }.is_some_and(|handle| handle.consumer.is_free()) {
            // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
            drop(unsafe { Box::from_raw(consumer) });
        }
    };
    guard_plain((), body);
}

/// Returns the records that have come, at most `max.poll.records`, after waiting up to
/// `timeout_ms` for the first. The status is `KFETCH_STATUS_OK` with a handle in `records_out`, to
/// be freed with `kfetch_records_free`; or with NULL there when the time has passed or a signal
/// handler ran; or it concerns the whole consumer (closed, concurrent, wake-up, forked, budget
/// held, poisoned) and nothing is written there. Of a member of a group these are also the statuses
/// that end its membership, for which `kfetch_error_is_fatal` is true:
/// `KFETCH_STATUS_FENCED_INSTANCE_ID`, `KFETCH_STATUS_GROUP_AUTHORIZATION_FAILED`,
/// `KFETCH_STATUS_UNSUPPORTED_VERSION`; and from the broker 23 (`INCONSISTENT_GROUP_PROTOCOL`), 24
/// (`INVALID_GROUP_ID`), 26 (`INVALID_SESSION_TIMEOUT`), 35 (`UNSUPPORTED_VERSION`) and 81
/// (`GROUP_MAX_SIZE_REACHED`); and `KFETCH_STATUS_INVALID_ARGUMENT` for a subscription that cannot
/// be sent. Other errors of its group are told once, and later polls go on.
///
/// # Safety
///
/// `records_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_poll(
    consumer: *mut kfetch_consumer,
    timeout_ms: u32,
    records_out: *mut *mut kfetch_records,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    // SAFETY: as the caller promises.
    unsafe { kfetch_consumer_poll_limited(consumer, timeout_ms, 0, 0, records_out, error_out) }
}

/// Polls with limits of its own: most records, and most bytes that they take in their batches (the
/// first record may take more). 0 stands for `max.poll.records`, and for no limit in bytes.
///
/// # Safety
///
/// `records_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_poll_limited(
    consumer: *mut kfetch_consumer,
    timeout_ms: u32,
    max_records: usize,
    max_bytes: usize,
    records_out: *mut *mut kfetch_records,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(records_out, "records_out") }?;
        let timeout = argument::timeout(timeout_ms, Duration::MAX);
        let poll = |consumer: &mut Consumer| {
            let configured = consumer.config().poll_records_max;
            let limits = PollLimits {
                max_records: if max_records == 0 { configured } else { max_records },
                max_bytes: if max_bytes == 0 { usize::MAX } else { max_bytes },
            };
            Ok(consumer.poll_with(timeout, limits)?)
        };
        // SAFETY: as the caller promises.
        let records = unsafe { call(consumer, poll) }?;
        out.write(records.map_or(std::ptr::null_mut(), kfetch_records::into_raw));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Ends the running blocking call, or the next one, with `KFETCH_STATUS_WAKEUP`. On NULL and in a
/// fork's child nothing happens.
///
/// # Safety
///
/// `consumer` is NULL or has not been freed.
///
/// # Threads
///
/// Any thread. A signal handler may call it too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_wakeup(consumer: *const kfetch_consumer) {
    // SAFETY: as the caller promises.
    let handle = unsafe { consumer.as_ref() };
    if let Some(handle) = handle.filter(|handle| handle.consumer.check_process().is_ok()) {
        handle.wakeup.wakeup();
    }
}

/// Returns a descriptor for the program's own `poll` or `epoll`, readable when a poll with timeout
/// 0 would give something. Poll until nothing comes before waiting for it, never read it and never
/// close it: it belongs to the consumer until that is freed. It is −1 for NULL, a closed consumer
/// and a fork's child.
///
/// # Safety
///
/// `consumer` is NULL or has not been freed.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_fd(consumer: *const kfetch_consumer) -> c_int {
    // SAFETY: as the caller promises.
    match unsafe { consumer.as_ref() } {
        Some(handle) if handle.check().is_ok() => handle.fd,
        _ => -1,
    }
}

impl kfetch_consumer {
    fn into_raw(
        config: &Config,
        engine: impl FnOnce() -> Result<Engine, Error>,
    ) -> Result<*mut Self, Failure> {
        // The settings first: a wrong one does not start a thread.
        let config = config.consumer()?;
        let consumer = Consumer::with_engine(&engine()?, config)?;
        let (wakeup, fd) = (consumer.wakeup_handle(), consumer.fd());
        let is_closed = AtomicBool::new(false);
        let consumer = Guarded::new(consumer);
        Ok(Box::into_raw(Box::new(Self { consumer, wakeup, fd, is_closed })))
    }

    /// Runs a callback that was given this handle's consumer; calls of it find that one.
    pub(super) fn lend(&self, consumer: &mut Consumer, callback: impl FnOnce()) {
        self.consumer.lend(consumer, callback);
    }

    /// Runs a callback that no call of it on this handle is allowed to.
    pub(super) fn lend_nothing(&self, callback: impl FnOnce()) {
        self.consumer.lend_nothing(callback);
    }

    /// Tells the caller of a call that was woken up for a close what for.
    fn tell_close<R>(&self, outcome: Result<R, Failure>) -> Result<R, Failure> {
        let is_woken = |failure: &Failure| failure.status == StatusCode::Wakeup as i32;
        if outcome.as_ref().is_err_and(is_woken) && self.is_closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        outcome
    }

    /// Refuses calls in a fork's child and on a closed consumer.
    fn check(&self) -> Result<(), Failure> {
        self.consumer.check_process()?;
        if self.is_closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        Ok(())
    }
}

#[cold]
fn closed() -> Failure {
    Error::new(ErrorKind::Closed, "the consumer is closed").into()
}

#[cold]
fn inside() -> Failure {
    Error::new(ErrorKind::State, "the call cannot be made from inside of this callback").into()
}

/// Runs a call on a consumer.
///
/// # Safety
///
/// `consumer` is NULL or a handle that has not been freed.
pub(super) unsafe fn call<R>(
    consumer: *const kfetch_consumer,
    body: impl FnOnce(&mut Consumer) -> Result<R, Failure>,
) -> Result<R, Failure> {
    // SAFETY: as the caller promises.
    let handle = unsafe { argument::reference(consumer, "consumer") }?;
    let refused = match handle.check().and_then(|()| handle.consumer.enter()) {
        Ok(mut entered) => {
            // A close may have been faster.
            handle.check()?;
            return handle.tell_close(body(&mut entered));
        }
        Err(refused) => refused,
    };
    // Inside of a callback the consumer is there for its thread, also while it is being closed.
    let Some(mut lent) = handle.consumer.enter_lent()? else {
        return Err(if handle.consumer.is_lent() { inside() } else { refused });
    };
    let outcome = handle.tell_close(body(&mut lent));
    if outcome.as_ref().is_err_and(|failure| failure.status == StatusCode::Closed as i32) {
        // The call around the callback is to end for the close as well.
        handle.wakeup.wakeup();
    }
    outcome
}
