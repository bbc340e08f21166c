//! What the layers below run by, taken out of a consumer's configuration.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::config::{
    AddressFamily, BackoffConfig, BrokerAddress, ConsumerConfig, GroupConfig, MetadataRecovery,
    OffsetReset, Source,
};
use crate::backoff::BackoffLimits;
use crate::coordinator::settings::MemberSettings;
use crate::embedded::groups_dir;
use crate::error::Result;
use crate::fetch::cluster::ClusterSettings;
use crate::fetch::connection::{self, ConnectionSettings, SocketSettings};
use crate::fetch::consumer::{FetchSettings, ResetPolicy};
use crate::net::group_service::{ServiceSettings, socket_path};

/// The highest Fetch version: 13 and later name topics by id, and go with fetch sessions.
const FETCH_VERSION_MAX: i16 = 12;

/// How old a list of the topics in log directories may become.
const LOCAL_TOPICS_MAX_AGE: Duration = Duration::from_secs(1);

/// No time is longer: a clock to which it is added must not overflow.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(super) fn cluster(config: &ConsumerConfig, servers: &[BrokerAddress]) -> ClusterSettings {
    ClusterSettings {
        bootstrap: servers.iter().map(|server| (server.host.clone(), server.port)).collect(),
        client_id: config.client_id.clone(),
        metadata_max_age: config.metadata.max_age.min(LONGEST),
        allow_auto_create_topics: config.metadata.auto_create_topics,
        retry: backoff(config.connection.retry_backoff),
        reconnect: backoff(config.connection.reconnect_backoff),
        setup_timeout: backoff(config.connection.setup_timeout),
        rebootstrap: config.metadata.recovery == MetadataRecovery::Rebootstrap,
    }
}

/// Where a group is coordinated.
#[derive(Debug)]
pub(super) struct Coordination {
    /// Where its coordinator is asked for: the brokers, or the socket of a log directory.
    pub(super) cluster: ClusterSettings,
    /// What the coordinator of that directory runs by, if this process comes to hold it.
    pub(super) service: Option<ServiceSettings>,
}

/// Finds where a group is coordinated. Of log directories it is the one that has the groups now.
///
/// # Errors
///
/// As [`groups_dir`].
pub(super) fn coordination(config: &ConsumerConfig, group: &GroupConfig) -> Result<Coordination> {
    Ok(match &config.source {
        Source::Brokers(servers) => {
            Coordination { cluster: cluster(config, servers), service: None }
        }
        Source::LogDirs(paths) => {
            let dir = groups_dir(paths)?;
            let bootstrap = vec![(local_coordinator(&dir), 0)];
            let cluster = ClusterSettings { bootstrap, ..cluster(config, &[]) };
            Coordination { cluster, service: service(group, dir) }
        }
    })
}

fn service(group: &GroupConfig, dir: PathBuf) -> Option<ServiceSettings> {
    let embedded = Some(&group.embedded).filter(|embedded| embedded.serves)?;
    Some(ServiceSettings {
        initial_rebalance_delay: embedded.initial_rebalance_delay,
        session_timeout_min: embedded.session_timeout_min,
        session_timeout_max: embedded.session_timeout_max,
        offsets_partitions: embedded.offsets_partitions,
        offsets_retention: embedded.offsets_retention,
        host: local_coordinator(&dir),
        port: 0,
        ..ServiceSettings::new(dir)
    })
}

/// Returns the address of the coordinator of a log directory's groups.
fn local_coordinator(dir: &Path) -> String {
    format!("unix:{}", socket_path(dir).display())
}

/// Returns what a member of a group runs by.
pub(super) fn member(config: &ConsumerConfig, group: &GroupConfig) -> MemberSettings {
    MemberSettings {
        group_id: group.group_id.clone(),
        group_instance_id: group.group_instance_id.clone(),
        session_timeout: group.session_timeout,
        heartbeat_interval: group.heartbeat_interval,
        max_poll_interval: group.max_poll_interval,
        request_timeout: config.connection.request_timeout.min(LONGEST),
        retry: backoff(config.connection.retry_backoff),
    }
}

/// Returns how old what is known of topics may become: directories are listed more often than
/// brokers are asked, since that costs little.
pub(super) fn topics_max_age(config: &ConsumerConfig) -> Duration {
    let max_age = config.metadata.max_age.min(LONGEST);
    match config.source {
        Source::Brokers(_) => max_age,
        Source::LogDirs(_) => max_age.min(LOCAL_TOPICS_MAX_AGE),
    }
}

pub(super) fn fetch(config: &ConsumerConfig, now: Instant) -> FetchSettings {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(0);
    FetchSettings {
        min_bytes: config.fetch.min_bytes,
        max_wait_ms: config.fetch.max_wait_ms,
        max_bytes: config.fetch.max_bytes,
        partition_max_bytes: config.fetch.partition_max_bytes,
        check_crcs: config.check_crcs,
        partition_eof: config.partition_eof,
        reset: reset(config.offset_reset),
        retry: backoff(config.connection.retry_backoff),
        connection: connection(config),
        epoch: (now, now_ms),
    }
}

pub(super) fn connection(config: &ConsumerConfig) -> ConnectionSettings {
    ConnectionSettings {
        client_id: config.client_id.clone(),
        request_timeout: config.connection.request_timeout.min(LONGEST),
        receive_max_bytes: config.connection.response_max_bytes,
        idle_max: config.connection.max_idle.map(|idle| idle.min(LONGEST)),
        fetch_version_max: FETCH_VERSION_MAX,
        family: match config.connection.address_family {
            AddressFamily::Any => connection::AddressFamily::Any,
            AddressFamily::V4 => connection::AddressFamily::V4,
            AddressFamily::V6 => connection::AddressFamily::V6,
        },
        socket: SocketSettings {
            receive_buffer_bytes: config.connection.receive_buffer_bytes,
            send_buffer_bytes: config.connection.send_buffer_bytes,
            keepalive: config.connection.keepalive,
            nodelay: config.connection.nodelay,
        },
    }
}

fn reset(policy: OffsetReset) -> ResetPolicy {
    match policy {
        OffsetReset::Earliest => ResetPolicy::Earliest,
        OffsetReset::Latest => ResetPolicy::Latest,
        OffsetReset::None => ResetPolicy::None,
        OffsetReset::ByDuration(age) => ResetPolicy::ByDuration(age),
    }
}

pub(super) fn backoff(config: BackoffConfig) -> BackoffLimits {
    BackoffLimits { initial: config.initial.min(LONGEST), max: config.max.min(LONGEST) }
}
