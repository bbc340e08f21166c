//! What the layers below run by, taken out of a consumer's configuration.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::config::{
    AddressFamily, BackoffConfig, BrokerAddress, ConsumerConfig, MetadataRecovery, OffsetReset,
};
use crate::backoff::BackoffLimits;
use crate::fetch::cluster::ClusterSettings;
use crate::fetch::connection::{self, ConnectionSettings, SocketSettings};
use crate::fetch::consumer::{FetchSettings, ResetPolicy};

/// The highest Fetch version: 13 and later name topics by id, and go with fetch sessions.
const FETCH_VERSION_MAX: i16 = 12;

/// No time is longer: a clock to which it is added must not overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

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

fn connection(config: &ConsumerConfig) -> ConnectionSettings {
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

fn backoff(config: BackoffConfig) -> BackoffLimits {
    BackoffLimits { initial: config.initial.min(LONGEST), max: config.max.min(LONGEST) }
}
