//! Where to read from, identity, metadata, metrics, logging, and what is Java's or C's alone.

#![forbid(unsafe_code)]

use super::super::property::Property;
use super::super::property::Support::{Built, NoEffect, NotBuilt, Warn};
use super::super::value::Kind::{
    AnyCaseWord, Boolean, BrokerList, Callback, DirectoryList, Integer, List, ShortText, Text, Word,
};

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const DNS_LOOKUPS: &[&str] = &["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"];

// One property a line, which the formatter would spread over six.
#[rustfmt::skip]
pub(super) static PROPERTIES: &[Property] = &[
    Property::new("bootstrap.servers", BrokerList, "", Built,
        "Names the brokers from which the others are learnt.").or(&["metadata.broker.list"]),
    Property::new("log.dirs", DirectoryList, "", Built,
        "Names log directories to read from instead of brokers."),
    Property::new("log.read.mode", Word(&["auto", "mmap", "pread"]), "auto", Built,
        "Says how segment files are read; mmap is for directories that nobody writes to."),

    Property::new("client.id", ShortText, "kfetch", Built,
        "Names this client to brokers, for their logs and quotas."),
    Property::new("client.rack", ShortText, "", Built,
        "Names this client's rack: a group gives it partitions with a replica there (KIP-881)."),
    Property::new("client.dns.lookup", Word(DNS_LOOKUPS), "use_all_dns_ips",
        Warn(&["use_all_dns_ips"]), "Host names are used as they are given, each address in turn."),
    Property::new("client.software.name", Text, "", NoEffect,
        "Names the library to brokers, which is kfetch."),
    Property::new("client.software.version", Text, "", NoEffect,
        "Tells brokers the library's version, which is that of kfetch."),

    Property::new("metadata.max.age.ms", Integer(0, LONG), "300000", Built,
        "Bounds the age of what is known of topics and leaders."),
    Property::new("topic.metadata.refresh.interval.ms", Integer(-1, INT), "", Built,
        "Refreshes metadata more often than metadata.max.age.ms; 0 and -1 do not."),
    Property::new("metadata.recovery.strategy", AnyCaseWord(&["rebootstrap", "none"]),
        "rebootstrap", Built,
        "Says whether to go back to bootstrap.servers when no known broker answers."),
    Property::new("metadata.recovery.rebootstrap.trigger.ms", Integer(0, LONG), "300000",
        Warn(&["300000"]), "bootstrap.servers are asked as soon as every known broker fails."),
    Property::new("metadata.cluster.check.enable", Boolean, "false", NotBuilt(&["false"]),
        "Refuses a broker that belongs to another cluster."),
    Property::new("bootstrap.resolve.timeout.ms", Integer(0, LONG), "0", Warn(&["0"]),
        "The whole start, names included, is bounded by default.api.timeout.ms."),
    Property::new("allow.auto.create.topics", Boolean, "true", Built,
        "Lets a broker create a topic that is asked for and does not exist."),
    Property::new("exclude.internal.topics", Boolean, "true", Built,
        "Says whether a subscription by pattern leaves Kafka's own topics out."),
    Property::new("topic.blacklist", List, "", NotBuilt(&[""]),
        "Hides topics whose names match a pattern."),
    Property::new("topic.metadata.refresh.fast.interval.ms", Integer(1, 60_000), "100",
        Warn(&["100"]),
        "Metadata that is missing is asked for at the pace of retry.backoff.ms."),
    Property::new("topic.metadata.refresh.fast.cnt", Integer(0, 1000), "10", NoEffect,
        "Has had no effect in librdkafka for long either."),
    Property::new("topic.metadata.refresh.sparse", Boolean, "true", Warn(&["true"]),
        "Metadata is asked for the topics in use alone."),
    Property::new("topic.metadata.propagation.max.ms", Integer(0, 3_600_000), "30000",
        Warn(&["30000"]),
        "A topic that does not exist yet is waited for as long as the call allows."),
    Property::new("metadata.request.timeout.ms", Integer(10, 900_000), "10", NoEffect,
        "Has had no effect in librdkafka for long either."),

    Property::new("key.deserializer", Text, "", Warn(&[]), "Keys are delivered as bytes."),
    Property::new("value.deserializer", Text, "", Warn(&[]), "Values are delivered as bytes."),
    Property::new("interceptor.classes", List, "", Warn(&[""]), "Java classes are not run."),
    Property::new("config.providers", List, "", NotBuilt(&[""]),
        "Names Java classes that fill in placeholders in other values."),
    Property::new("security.providers", Text, "", Warn(&[""]), "Java classes are not run."),
    Property::new("plugin.library.paths", Text, "", Warn(&[""]), "Plug-ins are not loaded."),
    Property::new("builtin.features", Text, "", Warn(&[""]),
        "Features of a librdkafka build are not looked up."),

    Property::new("enable.metrics.push", Boolean, "false", Warn(&["false"]),
        "Metrics are not sent to brokers; a program reads them from the statistics."),
    Property::new("metric.reporters", List, "", Warn(&["", JMX]), "Java classes are not run."),
    Property::new("auto.include.jmx.reporter", Boolean, "true", Warn(&["true"]),
        "There is no JMX; a program reads the statistics."),
    Property::new("metrics.num.samples", Integer(1, INT), "2", Warn(&["2"]),
        "Statistics are counters, without samples."),
    Property::new("metrics.sample.window.ms", Integer(0, LONG), "30000", Warn(&["30000"]),
        "Statistics are counters, without a window."),
    Property::new("metrics.recording.level", Word(&["INFO", "DEBUG", "TRACE"]), "INFO",
        Warn(&["INFO"]), "Statistics have one level of detail."),
    Property::new("statistics.interval.ms", Integer(0, INT), "0", Warn(&["0"]),
        "Statistics are not emitted; a program reads them when it wants them."),

    Property::new("debug", List, "", Warn(&[""]), "The log callback gets what its level asks for."),
    Property::new("log_level", Integer(0, 7), "6", Warn(&["6"]),
        "The log callback gets what its level asks for."),
    Property::new("log.queue", Boolean, "false", Warn(&["false"]),
        "Log lines go to the log callback at once."),
    Property::new("log.thread.name", Boolean, "true", NoEffect,
        "Changes the form of librdkafka's own log lines."),
    Property::new("log.connection.close", Boolean, "true", NoEffect,
        "Silences a log line of librdkafka's own."),
    Property::new("enabled_events", Integer(0, INT), "0", Warn(&["0"]),
        "Events come with the records, without being asked for."),
    Property::new("enable.random.seed", Boolean, "true", NoEffect,
        "Seeds the C library's generator, which is not used."),
    Property::new("internal.termination.signal", Integer(0, 128), "0", NoEffect,
        "Interrupts librdkafka's threads; the engine's are woken without a signal."),

    Property::new("error_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("throttle_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("stats_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("log_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("background_event_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("socket_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("connect_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("closesocket_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("open_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("resolve_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("consume_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("rebalance_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("offset_commit_cb", Callback, "", NoEffect, CALLBACK),
    Property::new("opaque", Callback, "", NoEffect, CALLBACK),
    Property::new("default_topic_conf", Callback, "", NoEffect, CALLBACK),
    Property::new("interceptors", Callback, "", NoEffect, CALLBACK),
];

const JMX: &str = "org.apache.kafka.common.metrics.JmxReporter";
const CALLBACK: &str = "Holds a pointer, which librdkafka sets by a function of its own.";
