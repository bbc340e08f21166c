//! Consumer groups and commits.
//!
//! Without `group.id` there is no group, so what only a member reads has no effect then, as in
//! Java; the properties of a broker's coordinator are for groups on log directories.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::{Built, NoEffect, NotBuilt};
use super::super::value::Kind::{AnyCaseWord, Boolean, Integer, List, ShortText, Word};

const INT: i64 = i32::MAX as i64;

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("group.id", ShortText, "", Built,
        "Names the group that this consumer joins and commits for."),
    Property::new("group.instance.id", ShortText, "", Built,
        "Names this member across restarts, so that its partitions wait for it (KIP-345)."),
    Property::new("group.protocol", AnyCaseWord(&["classic", "consumer"]), "classic",
        NotBuilt(&["classic"]), "Says which of Kafka's two group protocols is spoken."),
    Property::new("group.remote.assignor", ShortText, "", NotBuilt(&[""]),
        "Names the assignor that the broker is to use."),
    Property::new("group.protocol.type", ShortText, "consumer", NotBuilt(&["consumer"]),
        "Names the kind of group."),
    Property::new("partition.assignment.strategy", List,
        "org.apache.kafka.clients.consumer.RangeAssignor,\
         org.apache.kafka.clients.consumer.CooperativeStickyAssignor", Built,
        "Lists the assignors that this member supports, the one it likes best first."),
    Property::new("session.timeout.ms", Integer(1, INT), "45000", Built,
        "Says after how long without a heartbeat the group goes on without the member."),
    Property::new("heartbeat.interval.ms", Integer(1, INT), "3000", Built,
        "Says how often the member tells the group that it lives."),
    Property::new("max.poll.interval.ms", Integer(1, INT), "300000", Built,
        "Says how long the application may take between two polls before it leaves the group."),
    Property::new("coordinator.query.interval.ms", Integer(1, 3_600_000), "600000", NoEffect,
        "The coordinator is asked for when it is needed."),
    Property::new("internal.leave.group.on.close", Boolean, "true", Built,
        "Says whether a dynamic member leaves the group when it is closed."),
    Property::new("internal.throw.on.fetch.stable.offset.unsupported", Boolean, "false", NoEffect,
        "A broker that cannot tell stable offsets tells what it has."),

    Property::new("enable.auto.commit", Boolean, "true", Built,
        "Commits positions from time to time, where there is a group.").or(&["auto.commit.enable"]),
    Property::new("auto.commit.interval.ms", Integer(0, INT), "5000", Built,
        "Says how often positions are committed."),
    Property::new("enable.auto.offset.store", Boolean, "true", Built,
        "Says whether what a poll returned may be committed, or only what the application marks."),

    Property::new("group.initial.rebalance.delay.ms", Integer(0, INT), "100", Built,
        "Says how long a group on log directories waits for more members before it first begins."),
    Property::new("group.min.session.timeout.ms", Integer(1, INT), "6000", Built,
        "Bounds session.timeout.ms of members of groups on log directories from below."),
    Property::new("group.max.session.timeout.ms", Integer(1, INT), "1800000", Built,
        "Bounds session.timeout.ms of members of groups on log directories from above."),
    Property::new("offsets.topic.num.partitions", Integer(1, 10_000), "50", Built,
        "Says into how many partitions offsets of groups on log directories go."),
    Property::new("offsets.retention.minutes", Integer(1, INT), "10080", Built,
        "Says how long a group without members keeps its offsets on log directories."),

    Property::new("share.acknowledgement.mode", Word(&["implicit", "explicit"]), "implicit",
        NotBuilt(&["implicit"]), "Says how members of a share group acknowledge records."),
    Property::new("share.acquire.mode", AnyCaseWord(&["batch_optimized", "record_limit"]),
        "batch_optimized", NotBuilt(&["batch_optimized"]),
        "Says how members of a share group acquire records."),
];
