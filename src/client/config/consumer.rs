//! What a consumer runs by: every value typed, in range and not at odds with another.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use super::address::BrokerAddress;
use super::group::GroupConfig;
pub use crate::log::ReadMode as LogReadMode;

/// A checked configuration, made by [`Config::consumer`](super::Config::consumer).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// Where records come from.
    pub source: Source,
    /// How this client calls itself (`client.id`); never empty, at most 32767 bytes.
    pub client_id: String,
    /// What a poll returns at most unless it has a limit of its own (`max.poll.records`); ≥ 1.
    pub poll_records_max: usize,
    /// How long a call without a limit of its own may take (`default.api.timeout.ms`).
    pub default_api_timeout: Duration,
    /// What a consumer may hold in memory (`kfetch.memory.max.bytes`); ≥ 1 MiB.
    pub memory_max_bytes: usize,
    /// How large a batch may become when it is decompressed
    /// (`kfetch.batch.inflated.max.bytes`); ≥ 1024.
    pub batch_inflated_max_bytes: usize,
    /// Where to go on when a position is unknown or out of range (`auto.offset.reset`).
    pub offset_reset: OffsetReset,
    /// Whose records are delivered (`isolation.level`).
    pub isolation_level: IsolationLevel,
    /// Whether the CRC of a batch is checked (`check.crcs`).
    pub check_crcs: bool,
    /// Whether the end of a partition is an event (`enable.partition.eof`).
    pub partition_eof: bool,
    /// How segment files are read (`log.read.mode`).
    pub log_read_mode: LogReadMode,
    /// What a Fetch request asks for.
    pub fetch: FetchConfig,
    /// How topics and leaders are kept known.
    pub metadata: MetadataConfig,
    /// How brokers are connected to.
    pub connection: ConnectionConfig,
    /// The group, where there is one (`group.id`).
    pub group: Option<GroupConfig>,
    pub(super) warnings: Vec<String>,
}

impl ConsumerConfig {
    /// Returns what the author of the settings should know: one text for all settings that have
    /// no effect, and one for each pair of values that do not go together well.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// When `bootstrap.servers` is set: at least one server, none twice.
    Brokers(Vec<BrokerAddress>),
    /// When `log.dirs` is set: at least one directory, no path twice. The first has the groups'
    /// offsets, unless another of them has them already.
    LogDirs(Vec<PathBuf>),
}

/// Where a partition goes on when its position is unknown or out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetReset {
    /// When it is the first record that there is.
    Earliest,
    /// When it is the end.
    Latest,
    /// When it is an error.
    None,
    /// When it is the first record no older than this (KIP-1106).
    ByDuration(Duration),
}

/// Whose records are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// When those of open and aborted transactions are delivered too.
    ReadUncommitted,
    /// When those of committed transactions and of none are.
    ReadCommitted,
}

/// What a Fetch request asks for; the integers are the protocol's, none is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchConfig {
    /// What a broker waits for (`fetch.min.bytes`).
    pub min_bytes: i32,
    /// How long it waits for that at most (`fetch.max.wait.ms`).
    pub max_wait_ms: i32,
    /// What it sends at most (`fetch.max.bytes`); ≤ [`ConnectionConfig::response_max_bytes`] − 512.
    pub max_bytes: i32,
    /// What it sends at most of one partition (`max.partition.fetch.bytes`).
    pub partition_max_bytes: i32,
}

/// How topics and leaders are kept known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetadataConfig {
    /// When metadata is asked for anew (`metadata.max.age.ms`, or
    /// `topic.metadata.refresh.interval.ms` where that is less).
    pub max_age: Duration,
    /// What happens when no known broker answers (`metadata.recovery.strategy`).
    pub recovery: MetadataRecovery,
    /// Whether a pattern leaves Kafka's own topics out (`exclude.internal.topics`).
    pub excludes_internal_topics: bool,
    /// Whether to ask for a topic may create it (`allow.auto.create.topics`).
    pub auto_create_topics: bool,
}

/// What happens when no known broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataRecovery {
    /// When it starts again from `bootstrap.servers`.
    Rebootstrap,
    /// When it goes on with the known brokers.
    None,
}

/// How brokers are connected to.
///
/// Times may be as long as a Java `long` of milliseconds; adding one to a clock needs a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionConfig {
    /// When a request is given up (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// Between a failed request and the next (`retry.backoff.ms`, `retry.backoff.max.ms`).
    pub retry_backoff: BackoffConfig,
    /// Between two attempts to connect (`reconnect.backoff.ms`, `reconnect.backoff.max.ms`).
    pub reconnect_backoff: BackoffConfig,
    /// How long an attempt to connect may take (`socket.connection.setup.timeout.ms` and
    /// `.max.ms`).
    pub setup_timeout: BackoffConfig,
    /// When an idle connection is closed (`connections.max.idle.ms`); `None` for never.
    pub max_idle: Option<Duration>,
    /// The size of the receive buffer (`receive.buffer.bytes`); `None` for the system's own.
    pub receive_buffer_bytes: Option<usize>,
    /// The size of the send buffer (`send.buffer.bytes`); `None` for the system's own.
    pub send_buffer_bytes: Option<usize>,
    /// What an answer may claim as its size (`receive.message.max.bytes`); ≥ 1000.
    pub response_max_bytes: usize,
    /// Whether idle connections are probed (`socket.keepalive.enable`).
    pub keepalive: bool,
    /// Whether small requests leave at once (`socket.nagle.disable`).
    pub nodelay: bool,
    /// Which addresses of a host are used (`broker.address.family`).
    pub address_family: AddressFamily,
}

/// A time that doubles with every failure in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackoffConfig {
    /// The time after the first failure; ≤ `max`.
    pub initial: Duration,
    /// The time that is never exceeded, before jitter.
    pub max: Duration,
}

/// Which addresses of a host are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressFamily {
    /// When all are.
    Any,
    /// When those of IPv4 are.
    V4,
    /// When those of IPv6 are.
    V6,
}
