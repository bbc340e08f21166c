//! Consumer groups and commits.
//!
//! While `group.id` cannot be set there are no groups, so what only a member reads has no effect,
//! as in Java without a group; what asks for membership or for a commit is refused.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::{NoEffect, NotBuilt};
use super::super::value::Kind::{AnyCaseWord, Boolean, Integer, List, ShortText, Word};

const INT: i64 = i32::MAX as i64;

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("group.id", ShortText, "", NotBuilt(&[""]),
        "Names the group that this consumer joins and commits for."),
    Property::new("group.instance.id", ShortText, "", NotBuilt(&[""]),
        "Names this member across restarts."),
    Property::new("group.protocol", AnyCaseWord(&["classic", "consumer"]), "classic",
        NotBuilt(&["classic"]), "Says which of Kafka's two group protocols is spoken."),
    Property::new("group.remote.assignor", ShortText, "", NotBuilt(&[""]),
        "Names the assignor that the broker is to use."),
    Property::new("group.protocol.type", ShortText, "consumer", NotBuilt(&["consumer"]),
        "Names the kind of group."),
    Property::new("partition.assignment.strategy", List, "", NoEffect,
        "Is read by members of a group alone."),
    Property::new("session.timeout.ms", Integer(0, INT), "45000", NoEffect,
        "Is read by members of a group alone."),
    Property::new("heartbeat.interval.ms", Integer(0, INT), "3000", NoEffect,
        "Is read by members of a group alone."),
    Property::new("max.poll.interval.ms", Integer(1, INT), "300000", NoEffect,
        "Is read by members of a group alone."),
    Property::new("coordinator.query.interval.ms", Integer(1, 3_600_000), "600000", NoEffect,
        "Is read by members of a group alone."),
    Property::new("internal.leave.group.on.close", Boolean, "true", NoEffect,
        "Is read by members of a group alone."),
    Property::new("internal.throw.on.fetch.stable.offset.unsupported", Boolean, "false", NoEffect,
        "Is read by members of a group alone."),

    Property::new("enable.auto.commit", Boolean, "false", NotBuilt(&["false"]),
        "Commits positions from time to time.").or(&["auto.commit.enable"]),
    Property::new("auto.commit.interval.ms", Integer(0, INT), "5000", NoEffect,
        "Is read where enable.auto.commit is true."),
    Property::new("enable.auto.offset.store", Boolean, "true", NoEffect,
        "Is read where enable.auto.commit is true."),

    Property::new("share.acknowledgement.mode", Word(&["implicit", "explicit"]), "implicit",
        NotBuilt(&["implicit"]), "Says how members of a share group acknowledge records."),
    Property::new("share.acquire.mode", AnyCaseWord(&["batch_optimized", "record_limit"]),
        "batch_optimized", NotBuilt(&["batch_optimized"]),
        "Says how members of a share group acquire records."),
];
