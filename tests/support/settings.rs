//! Settings of clusters and connections for tests that work below the client.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::time::Duration;

use kfetch::backoff::BackoffLimits;
use kfetch::fetch::cluster::ClusterSettings;
use kfetch::fetch::connection::{AddressFamily, ConnectionSettings, SocketSettings};

/// `request.timeout.ms`.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// `reconnect.backoff.ms`.
pub(crate) const RECONNECT: Duration = Duration::from_millis(50);

/// Returns what a client wants of a cluster with these bootstrap servers.
pub(crate) fn cluster_settings(bootstrap: &[(&str, u16)]) -> ClusterSettings {
    let retry = BackoffLimits { initial: RECONNECT, max: RECONNECT };
    ClusterSettings {
        bootstrap: bootstrap.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect(),
        client_id: "test".to_owned(),
        metadata_max_age: Duration::from_secs(300),
        allow_auto_create_topics: false,
        retry,
        reconnect: BackoffLimits { initial: RECONNECT, max: Duration::from_secs(1) },
        setup_timeout: BackoffLimits { initial: TIMEOUT, max: TIMEOUT },
        rebootstrap: true,
    }
}

/// Returns how connections are set up.
pub(crate) fn connection_settings() -> ConnectionSettings {
    ConnectionSettings {
        client_id: "test".to_owned(),
        request_timeout: TIMEOUT,
        receive_max_bytes: 1 << 20,
        idle_max: None,
        fetch_version_max: 12,
        family: AddressFamily::Any,
        socket: SocketSettings::default(),
    }
}
