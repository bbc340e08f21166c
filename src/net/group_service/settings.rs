//! What a group service may be told.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use super::socket::socket_path;
use crate::embedded::{CoordinatorSettings, OffsetsLogOptions};

/// The properties of a group service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// The log directory that has the groups' offsets, or will have them.
    pub dir: PathBuf,
    /// `group.initial.rebalance.delay.ms`: 100 ms here, 3 s on a broker.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max: Duration,
    /// `offsets.topic.num.partitions`, for a directory that has none.
    pub offsets_partitions: i32,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// Whether a commit is on the disk before it is acknowledged, so that it survives a loss of
    /// power and not only the end of this process.
    pub sync: bool,
    /// What a client is told as the coordinator's host.
    pub host: String,
    /// What a client is told as the coordinator's port.
    pub port: i32,
}

impl ServiceSettings {
    /// Makes the default settings for a directory; the host is the path of its socket.
    pub fn new(dir: PathBuf) -> Self {
        let coordinator = CoordinatorSettings::default();
        let log = OffsetsLogOptions::default();
        let host = format!("unix:{}", socket_path(&dir).display());
        Self {
            dir,
            initial_rebalance_delay: coordinator.initial_rebalance_delay,
            session_timeout_min: coordinator.session_timeout_min,
            session_timeout_max: coordinator.session_timeout_max,
            offsets_partitions: log.partitions,
            offsets_retention: coordinator.offsets_retention,
            sync: log.sync,
            host,
            port: coordinator.port,
        }
    }

    pub(super) fn coordinator(&self) -> CoordinatorSettings {
        CoordinatorSettings {
            initial_rebalance_delay: self.initial_rebalance_delay,
            session_timeout_min: self.session_timeout_min,
            session_timeout_max: self.session_timeout_max,
            offsets_retention: self.offsets_retention,
            host: self.host.clone(),
            port: self.port,
            ..CoordinatorSettings::default()
        }
    }

    pub(super) fn log(&self) -> OffsetsLogOptions {
        let (partitions, sync) = (self.offsets_partitions, self.sync);
        OffsetsLogOptions { partitions, sync, ..OffsetsLogOptions::default() }
    }
}
