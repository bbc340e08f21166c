//! From settings to a [`ConsumerConfig`].

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use super::address::BrokerAddress;
use super::consumer::{
    AddressFamily, BackoffConfig, ConnectionConfig, ConsumerConfig, FetchConfig, IsolationLevel,
    LogReadMode, MetadataConfig, MetadataRecovery, OffsetReset, Source,
};
use super::group::GroupConfig;
use super::iso_duration;
use super::property::Support;
use super::settings::{Config, Setting};
use super::table::properties;
use super::value::{BY_DURATION, list, quoted};
use crate::error::{Error, ErrorKind, Result};

/// What an answer has beside the bytes of its batches, as librdkafka reckons it.
const RESPONSE_OVERHEAD_BYTES: i32 = 512;

impl ConsumerConfig {
    /// Checks the settings against the table and each other, and types them.
    pub(super) fn build(config: &Config) -> Result<Self> {
        refuse_not_built(config)?;
        refuse_differing_names(config)?;
        let values = Values { config };
        let mut warnings: Vec<String> = without_effect(config).into_iter().collect();
        let source = values.source()?;
        let fetch = values.fetch(&mut warnings)?;
        Ok(Self {
            source,
            client_id: values.client_id(),
            poll_records_max: values.number("max.poll.records")?,
            default_api_timeout: values.millis("default.api.timeout.ms")?,
            memory_max_bytes: values.number("kfetch.memory.max.bytes")?,
            batch_inflated_max_bytes: values.number("kfetch.batch.inflated.max.bytes")?,
            offset_reset: values.offset_reset()?,
            isolation_level: match values.text("isolation.level") {
                "read_committed" => IsolationLevel::ReadCommitted,
                _ => IsolationLevel::ReadUncommitted,
            },
            check_crcs: values.boolean("check.crcs"),
            partition_eof: values.boolean("enable.partition.eof"),
            log_read_mode: match values.text("log.read.mode") {
                "mmap" => LogReadMode::Mmap,
                "pread" => LogReadMode::Pread,
                _ => LogReadMode::Auto,
            },
            fetch,
            metadata: values.metadata()?,
            group: GroupConfig::build(&values, &mut warnings)?,
            connection: values.connection(&fetch, &mut warnings)?,
            warnings,
        })
    }
}

/// Typed access to what was set or is the default.
pub(super) struct Values<'a> {
    config: &'a Config,
}

impl<'a> Values<'a> {
    fn source(&self) -> Result<Source> {
        match (self.text("bootstrap.servers"), self.text("log.dirs")) {
            ("", "") => Err(fault("neither bootstrap.servers nor log.dirs is set")),
            (servers, "") => list(servers)
                .map(|server| {
                    BrokerAddress::parse(server).map_err(|_| misread("bootstrap.servers"))
                })
                .collect::<Result<_>>()
                .map(Source::Brokers),
            ("", directories) => {
                Ok(Source::LogDirs(list(directories).map(PathBuf::from).collect()))
            }
            _ => Err(fault(
                "bootstrap.servers and log.dirs are both set, and to read from both together is \
                 not built yet; leave one of them empty",
            )),
        }
    }

    /// Java takes an empty name for none, too.
    fn client_id(&self) -> String {
        match self.text("client.id") {
            "" => "kfetch".to_owned(),
            id => id.to_owned(),
        }
    }

    fn offset_reset(&self) -> Result<OffsetReset> {
        match self.text("auto.offset.reset") {
            "earliest" => Ok(OffsetReset::Earliest),
            "none" => Ok(OffsetReset::None),
            "latest" => Ok(OffsetReset::Latest),
            by_duration => by_duration
                .strip_prefix(BY_DURATION)
                .and_then(iso_duration::parse)
                .map(OffsetReset::ByDuration)
                .ok_or_else(|| misread("auto.offset.reset")),
        }
    }

    fn fetch(&self, warnings: &mut Vec<String>) -> Result<FetchConfig> {
        let fetch = FetchConfig {
            min_bytes: self.number("fetch.min.bytes")?,
            max_wait_ms: self.number("fetch.max.wait.ms")?,
            max_bytes: self.fetch_max_bytes()?,
            partition_max_bytes: self.number("max.partition.fetch.bytes")?,
        };
        let request_timeout_ms: i32 = self.number("request.timeout.ms")?;
        if fetch.min_bytes > fetch.max_bytes {
            warnings.push(format!(
                "fetch.min.bytes={} is more than fetch.max.bytes={}, so it counts as that",
                fetch.min_bytes, fetch.max_bytes
            ));
        }
        if fetch.max_wait_ms >= request_timeout_ms {
            warnings.push(format!(
                "fetch.max.wait.ms={} is not less than request.timeout.ms={request_timeout_ms}, so \
                 a Fetch that finds no data may time out",
                fetch.max_wait_ms
            ));
        }
        Ok(fetch)
    }

    /// Keeps `fetch.max.bytes` below `receive.message.max.bytes`, or a broker that does what it
    /// is asked would be cut off. A default yields to a setting, as in librdkafka.
    fn fetch_max_bytes(&self) -> Result<i32> {
        let asked: i32 = self.number("fetch.max.bytes")?;
        let response_max: i32 = self.number("receive.message.max.bytes")?;
        let fits = response_max.saturating_sub(RESPONSE_OVERHEAD_BYTES);
        if asked <= fits || !self.is_set("receive.message.max.bytes") {
            return Ok(asked.min(i32::MAX - RESPONSE_OVERHEAD_BYTES));
        }
        if !self.is_set("fetch.max.bytes") {
            return Ok(fits);
        }
        Err(fault(format!(
            "receive.message.max.bytes={response_max} must be larger than fetch.max.bytes={asked} \
             by {RESPONSE_OVERHEAD_BYTES}"
        )))
    }

    fn metadata(&self) -> Result<MetadataConfig> {
        let max_age = self.millis("metadata.max.age.ms")?;
        let interval = match self.text("topic.metadata.refresh.interval.ms") {
            "" | "0" | "-1" => Duration::MAX,
            _ => self.millis("topic.metadata.refresh.interval.ms")?,
        };
        Ok(MetadataConfig {
            max_age: max_age.min(interval),
            recovery: match self.text("metadata.recovery.strategy") {
                "none" => MetadataRecovery::None,
                _ => MetadataRecovery::Rebootstrap,
            },
            excludes_internal_topics: self.boolean("exclude.internal.topics"),
            auto_create_topics: self.boolean("allow.auto.create.topics"),
        })
    }

    fn connection(
        &self,
        fetch: &FetchConfig,
        warnings: &mut Vec<String>,
    ) -> Result<ConnectionConfig> {
        let response_max: i32 = self.number("receive.message.max.bytes")?;
        let response_max =
            response_max.max(fetch.max_bytes.saturating_add(RESPONSE_OVERHEAD_BYTES));
        Ok(ConnectionConfig {
            request_timeout: self.millis("request.timeout.ms")?,
            retry_backoff: self.backoff("retry.backoff.ms", "retry.backoff.max.ms", warnings)?,
            reconnect_backoff: self.reconnect_backoff(warnings)?,
            setup_timeout: self.backoff(
                "socket.connection.setup.timeout.ms",
                "socket.connection.setup.timeout.max.ms",
                warnings,
            )?,
            max_idle: self.positive("connections.max.idle.ms")?.map(Duration::from_millis),
            receive_buffer_bytes: self.buffer_bytes("receive.buffer.bytes")?,
            send_buffer_bytes: self.buffer_bytes("send.buffer.bytes")?,
            response_max_bytes: usize::try_from(response_max)
                .map_err(|_| misread("receive.message.max.bytes"))?,
            keepalive: self.boolean("socket.keepalive.enable"),
            nodelay: self.boolean("socket.nagle.disable"),
            address_family: match self.text("broker.address.family") {
                "v4" => AddressFamily::V4,
                "v6" => AddressFamily::V6,
                _ => AddressFamily::Any,
            },
        })
    }

    /// A first time above the largest one counts as the largest, as in Java.
    fn backoff(
        &self,
        initial_name: &str,
        max_name: &str,
        warnings: &mut Vec<String>,
    ) -> Result<BackoffConfig> {
        let (initial, max) = (self.millis(initial_name)?, self.millis(max_name)?);
        if initial > max {
            warnings.push(format!(
                "{initial_name}={} is more than {max_name}={max_ms}, so it is always {max_ms}",
                initial.as_millis(),
                max_ms = max.as_millis(),
            ));
        }
        Ok(BackoffConfig { initial: initial.min(max), max })
    }

    /// Where the first time alone is set, it is the largest too, as in Java.
    fn reconnect_backoff(&self, warnings: &mut Vec<String>) -> Result<BackoffConfig> {
        let (initial_name, max_name) = ("reconnect.backoff.ms", "reconnect.backoff.max.ms");
        if self.is_set(initial_name) && !self.is_set(max_name) {
            let always = self.millis(initial_name)?;
            warnings.push(format!(
                "{initial_name} is set and {max_name} is not, so the wait does not grow",
            ));
            return Ok(BackoffConfig { initial: always, max: always });
        }
        self.backoff(initial_name, max_name, warnings)
    }

    fn buffer_bytes(&self, name: &str) -> Result<Option<usize>> {
        let bytes = self.positive(name)?.map(usize::try_from);
        bytes.transpose().map_err(|_| misread(name))
    }

    /// Returns the value where it is above 0.
    fn positive(&self, name: &str) -> Result<Option<u64>> {
        let value: i64 = self.number(name)?;
        Ok(u64::try_from(value).ok().filter(|&value| value > 0))
    }

    pub(super) fn millis(&self, name: &str) -> Result<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N> {
        self.text(name).parse().map_err(|_| misread(name))
    }

    pub(super) fn boolean(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    pub(super) fn text(&self, name: &str) -> &'a str {
        self.config.get(name).unwrap_or_default()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.config.settings().iter().any(|setting| setting.property.name() == name)
    }
}

/// Refuses every setting that asks for what does not exist yet, all in one error.
fn refuse_not_built(config: &Config) -> Result<()> {
    let mut refused: Vec<(bool, String)> = config
        .settings()
        .iter()
        .filter_map(|setting| match setting.property.support() {
            Support::NotBuilt(values) if !values.contains(&setting.value.as_str()) => {
                let comes_later = setting.name != "security.protocol";
                Some((comes_later, not_built(setting, values)))
            }
            _ => None,
        })
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    refused.sort_by_key(|(comes_later, _)| *comes_later);
    let texts: Vec<String> = refused.into_iter().map(|(_, text)| text).collect();
    Err(fault(texts.join("; ")))
}

fn not_built(setting: &Setting, values: &[&str]) -> String {
    let now: Vec<&str> =
        values.iter().map(|value| if value.is_empty() { "empty" } else { *value }).collect();
    format!(
        "{}{}={} is not built yet; it may be {} now",
        setting.origin,
        setting.name,
        quoted(setting.shown()),
        now.join(" or ")
    )
}

/// Refuses two names of one property with different values.
fn refuse_differing_names(config: &Config) -> Result<()> {
    for (i, setting) in config.settings().iter().enumerate() {
        let property = setting.property;
        let other = config.settings().iter().take(i).find(|earlier| {
            earlier.property.name() == property.name() && earlier.value != setting.value
        });
        if let Some(other) = other {
            return Err(fault(format!(
                "{}{}={} and {}{}={} are two names of one property with different values",
                other.origin,
                other.name,
                quoted(other.shown()),
                setting.origin,
                setting.name,
                quoted(setting.shown()),
            )));
        }
    }
    Ok(())
}

/// Names the settings that were accepted without effect and says why, in one text.
fn without_effect(config: &Config) -> Option<String> {
    let ignored: Vec<String> = properties()
        .filter_map(|property| {
            let setting = config.last(property)?;
            match property.support() {
                Support::Warn(values) if !values.contains(&setting.value.as_str()) => {
                    Some(format!("{} ({})", setting.name, property.doc().trim_end_matches('.')))
                }
                _ => None,
            }
        })
        .collect();
    if ignored.is_empty() {
        return None;
    }
    Some(format!("without effect in this consumer: {}", ignored.join(", ")))
}

pub(super) fn fault(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

/// A value that [`Config::set`] let pass and that cannot be typed: out of this machine's range.
pub(super) fn misread(name: &str) -> Error {
    fault(format!("{name} is out of range on this machine"))
}
