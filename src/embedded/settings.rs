//! What a group coordinator may be told.

#![forbid(unsafe_code)]

use std::time::Duration;

/// The properties of a group coordinator; the defaults are a broker's but for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// How long the first rebalance of a group waits for further members
    /// (`group.initial.rebalance.delay.ms`): 100 ms here, 3 s on a broker.
    pub initial_rebalance_delay: Duration,
    /// The shortest session timeout that a member may ask for (`group.min.session.timeout.ms`).
    pub session_timeout_min: Duration,
    /// The longest session timeout that a member may ask for (`group.max.session.timeout.ms`).
    pub session_timeout_max: Duration,
    /// The most members that a group may have (`group.max.size`).
    pub group_members_max: usize,
    /// The longest metadata of a committed offset (`offset.metadata.max.bytes`).
    pub offset_metadata_bytes_max: usize,
    /// How long the offsets of a group without members are kept (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// How often that is looked at (`offsets.retention.check.interval.ms`).
    pub retention_check_interval: Duration,
    /// What the coordinator names as its host when it is asked who coordinates a group.
    pub host: String,
    /// What it names as its port.
    pub port: i32,
}

impl Default for CoordinatorSettings {
    fn default() -> Self {
        Self {
            initial_rebalance_delay: Duration::from_millis(100),
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(1800),
            group_members_max: usize::MAX,
            offset_metadata_bytes_max: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            retention_check_interval: Duration::from_secs(600),
            host: "localhost".to_owned(),
            port: 1,
        }
    }
}
