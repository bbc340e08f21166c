//! Positions, what is read, how much is fetched at once and held.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::{Built, NoEffect, NotBuilt, Warn};
use super::super::value::Kind::{Boolean, Integer, OffsetReset, Text, Word};

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const MIB: i64 = 1 << 20;

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("auto.offset.reset", OffsetReset, "latest", Built,
        "Says where to go on when a position is unknown or out of range."),
    Property::new("isolation.level", Word(&["read_uncommitted", "read_committed"]),
        "read_uncommitted", NotBuilt(&["read_uncommitted"]),
        "Says whether records of open and aborted transactions are delivered."),
    Property::new("check.crcs", Boolean, "true", Built,
        "Checks the CRC of each batch before its records are delivered."),
    Property::new("enable.partition.eof", Boolean, "false", Built,
        "Tells with an event when the end of a partition is reached."),
    Property::new("max.poll.records", Integer(1, INT), "500", Built,
        "Bounds what one poll returns, where the poll itself names no limit."),

    Property::new("fetch.min.bytes", Integer(0, INT), "1", Built,
        "Lets a broker wait until it has so much to send."),
    Property::new("fetch.max.wait.ms", Integer(0, INT), "500", Built,
        "Bounds that wait.").or(&["fetch.wait.max.ms"]),
    Property::new("fetch.max.bytes", Integer(0, INT), "52428800", Built,
        "Bounds an answer to a Fetch, except that its first batch always comes whole."),
    Property::new("max.partition.fetch.bytes", Integer(0, INT), "1048576", Built,
        "Bounds the share of one partition in an answer.").or(&["fetch.message.max.bytes"]),
    Property::new("receive.message.max.bytes", Integer(1000, INT), "100000000", Built,
        "Bounds what an answer may claim as its size before the connection is given up."),
    Property::new("kfetch.memory.max.bytes", Integer(MIB, LONG), "67108864", Built,
        "Bounds what a consumer holds: received, decompressed and not yet given back."),
    Property::new("kfetch.batch.inflated.max.bytes", Integer(1024, INT), "104857600", Built,
        "Bounds a batch after decompression; a larger one is an error of its partition."),

    Property::new("queued.min.messages", Integer(1, 10_000_000), "100000", Warn(&["100000"]),
        "What is fetched ahead is bounded by kfetch.memory.max.bytes, not by a count."),
    Property::new("queued.max.messages.kbytes", Integer(1, 2_097_151), "65536", Warn(&["65536"]),
        "What is fetched ahead is bounded by kfetch.memory.max.bytes."),
    Property::new("fetch.queue.backoff.ms", Integer(0, 300_000), "1000", Warn(&["1000"]),
        "Fetching goes on as soon as there is room, without a wait."),
    Property::new("fetch.error.backoff.ms", Integer(0, 300_000), "500", Warn(&["500"]),
        "Fetching goes on after an error at the pace of retry.backoff.ms."),
    Property::new("message.max.bytes", Integer(1000, 1_000_000_000), "1000000", NoEffect,
        "Bounds requests, and a consumer's are small."),
    Property::new("message.copy.max.bytes", Integer(0, 1_000_000_000), "65535", NoEffect,
        "Says which messages a producer copies."),
    Property::new("consume.callback.max.messages", Integer(0, 1_000_000), "0", NoEffect,
        "Bounds a call of librdkafka's older interface."),

    Property::new("offset.store.method", Word(&["none", "file", "broker"]), "broker",
        NotBuilt(&["broker", "none"]), "Says where librdkafka's older consumer stores offsets."),
    Property::new("offset.store.path", Text, "", NoEffect,
        "Names the file of offset.store.method=file."),
    Property::new("offset.store.sync.interval.ms", Integer(-1, 86_400_000), "-1", NoEffect,
        "Flushes the file of offset.store.method=file."),
];
