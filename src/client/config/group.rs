//! What a member of a group runs by.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::consumer_build::{Values, fault};
use super::value::list;
use crate::error::Result;

/// The properties of a coordinator, which a broker has in its own configuration.
const COORDINATORS_OWN: [&str; 5] = [
    "group.initial.rebalance.delay.ms",
    "group.min.session.timeout.ms",
    "group.max.session.timeout.ms",
    "offsets.topic.num.partitions",
    "offsets.retention.minutes",
];

/// A group and how this consumer takes part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupConfig {
    /// `group.id`, not empty.
    pub group_id: String,
    /// `group.instance.id`, not empty, of a static member.
    pub group_instance_id: Option<String>,
    /// `client.rack`, not empty: partitions are assigned to members near a replica (KIP-881).
    pub rack: Option<String>,
    /// `partition.assignment.strategy`, as it was written; at least one.
    pub strategies: Vec<String>,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`, less than the session timeout.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`.
    pub max_poll_interval: Duration,
    /// `internal.leave.group.on.close`.
    pub leaves_on_close: bool,
    /// `enable.auto.commit` with its interval; none where it is off.
    pub auto_commit: Option<AutoCommit>,
    /// `enable.auto.offset.store`: whether what a poll returned may be committed without a mark.
    pub auto_store: bool,
    /// What a coordinator of log directories runs by.
    pub embedded: EmbeddedGroupConfig,
}

/// How positions are committed by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoCommit {
    /// `auto.commit.interval.ms`.
    pub interval: Duration,
}

/// What a coordinator of groups on log directories runs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddedGroupConfig {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max: Duration,
    /// `offsets.topic.num.partitions`.
    pub offsets_partitions: i32,
    /// `offsets.retention.minutes`.
    pub offsets_retention: Duration,
    /// Whether this process serves the directories' groups where nobody does. No property says
    /// so: who only looks takes no lock and writes nothing.
    pub serves: bool,
}

impl GroupConfig {
    /// Types the group's settings; none where there is no group.
    pub(super) fn build(values: &Values<'_>, warnings: &mut Vec<String>) -> Result<Option<Self>> {
        let is_local = !values.text("log.dirs").is_empty();
        if let Some(name) = COORDINATORS_OWN.iter().find(|name| values.is_set(name) && !is_local) {
            let text = "is set in the broker's own configuration; here it goes with log.dirs only";
            return Err(fault(format!("{name} {text}")));
        }
        let group_id = values.text("group.id");
        if group_id.is_empty() {
            let wishes = [("enable.auto.commit", values.boolean("enable.auto.commit"))];
            let asks = ("group.instance.id", !values.text("group.instance.id").is_empty());
            for (name, is_wanted) in wishes.into_iter().chain([asks]) {
                if is_wanted && values.is_set(name) {
                    return Err(fault(format!("{name} needs a group.id")));
                }
            }
            return Ok(None);
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let strategies: Vec<String> =
            list(values.text("partition.assignment.strategy")).map(str::to_owned).collect();
        if strategies.is_empty() {
            return Err(fault("partition.assignment.strategy names no assignor"));
        }
        let interval = values.millis("auto.commit.interval.ms")?;
        let group = Self {
            group_id: group_id.to_owned(),
            group_instance_id: some(values.text("group.instance.id")),
            rack: some(values.text("client.rack")),
            strategies,
            session_timeout: values.millis("session.timeout.ms")?,
            heartbeat_interval: values.millis("heartbeat.interval.ms")?,
            max_poll_interval: values.millis("max.poll.interval.ms")?,
            leaves_on_close: values.boolean("internal.leave.group.on.close"),
            auto_commit: values.boolean("enable.auto.commit").then_some(AutoCommit { interval }),
            auto_store: values.boolean("enable.auto.offset.store"),
            embedded: EmbeddedGroupConfig::build(values)?,
        };
        group.check(warnings)?;
        Ok(Some(group))
    }

    fn check(&self, warnings: &mut Vec<String>) -> Result<()> {
        let (heartbeat, session) = (self.heartbeat_interval, self.session_timeout);
        if heartbeat >= session {
            return Err(fault(format!(
                "heartbeat.interval.ms={} must be less than session.timeout.ms={}",
                heartbeat.as_millis(),
                session.as_millis()
            )));
        }
        if heartbeat.saturating_mul(3) > session {
            warnings.push(format!(
                "heartbeat.interval.ms={} is more than a third of session.timeout.ms={}, so one \
                 lost heartbeat may end the session",
                heartbeat.as_millis(),
                session.as_millis()
            ));
        }
        Ok(())
    }
}

impl EmbeddedGroupConfig {
    fn build(values: &Values<'_>) -> Result<Self> {
        let config = Self {
            initial_rebalance_delay: values.millis("group.initial.rebalance.delay.ms")?,
            session_timeout_min: values.millis("group.min.session.timeout.ms")?,
            session_timeout_max: values.millis("group.max.session.timeout.ms")?,
            offsets_partitions: values.number("offsets.topic.num.partitions")?,
            offsets_retention: Duration::from_secs(
                values.number::<u64>("offsets.retention.minutes")?.saturating_mul(60),
            ),
            serves: true,
        };
        if config.session_timeout_min > config.session_timeout_max {
            let text = "group.min.session.timeout.ms is more than group.max.session.timeout.ms";
            return Err(fault(text));
        }
        Ok(config)
    }
}
