//! What a member of a group runs by.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::backoff::BackoffLimits;

/// The settings of one member; times are not zero unless it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// `group.id`, not empty.
    pub group_id: String,
    /// `group.instance.id`, not empty: a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`, less than the session timeout.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`, which is the rebalance timeout as well.
    pub max_poll_interval: Duration,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`; both may be zero.
    pub retry: BackoffLimits,
}
