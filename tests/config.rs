//! The configuration: which names and values are taken, which are refused, and with what words.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "config/answers.rs"]
mod answers;
#[path = "config/files.rs"]
mod files;
#[path = "config/names.rs"]
mod names;

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use answers::Answer::{NotBuilt, Taken, Warned};
use answers::{ANSWERS, CHANGES, LOCAL_CHANGES};

use kfetch::client::config::{
    Config, ConsumerConfig, IsolationLevel, LogReadMode, OffsetReset, Source, Support, properties,
};
use kfetch::{Error, ErrorKind};

/// A configuration of one broker and these settings.
fn config(settings: &[(&str, &str)]) -> Config {
    let mut config = Config::new().with("bootstrap.servers", "a:9092").unwrap();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    config
}

fn consumer(settings: &[(&str, &str)]) -> ConsumerConfig {
    config(settings).consumer().unwrap()
}

fn config_error(result: kfetch::Result<impl Sized>) -> String {
    let error: Error = result.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

fn assert_holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

#[test]
fn every_property_gets_its_answer() {
    for &(name, value, answer) in ANSWERS {
        let mut config = Config::new();
        if !["bootstrap.servers", "metadata.broker.list"].contains(&name) {
            config.set("bootstrap.servers", "a:9092").unwrap();
        }
        if name != "group.id" {
            config.set("group.id", "g").unwrap();
        }
        config.set(name, value).unwrap();
        match config.consumer() {
            Ok(consumer) => {
                let got = if consumer.warnings().is_empty() { Taken } else { Warned };
                assert_eq!(got, answer, "{name}={value}: {:?}", consumer.warnings());
                assert!(consumer.warnings().iter().all(|text| text.contains(name)), "{name}");
            }
            Err(error) => {
                assert_eq!(answer, NotBuilt, "{name}={value}: {error}");
                assert_holds(&error.to_string(), &[name, "is not built yet; it may be "]);
            }
        }
    }
}

#[test]
fn no_name_of_another_client_is_unknown() {
    for name in names::JAVA.iter().chain(names::LIBRDKAFKA) {
        if let Err(error) = Config::new().set(name, "\u{1}no value\u{1}") {
            let text = error.to_string();
            assert!(text.starts_with(&format!("{name}: \"no value\" ")), "{text}");
        }
    }
}

#[test]
fn every_built_property_changes_what_the_engine_reads() {
    let mut checked: HashSet<&str> = HashSet::from(["log.dirs"]);
    let of_brokers: &[_] = &[("group.id", "g")];
    let of_directories: &[_] = &[("group.id", "g"), ("bootstrap.servers", ""), ("log.dirs", "/d")];
    for (base, changes) in [(of_brokers, CHANGES), (of_directories, LOCAL_CHANGES)] {
        let plain = consumer(base);
        for &(name, value) in changes {
            let changed = consumer(&[base, &[(name, value)]].concat());
            assert_ne!(format!("{plain:?}"), format!("{changed:?}"), "{name}");
            checked.insert(name);
        }
    }
    for property in properties().filter(|property| property.support() == Support::Built) {
        assert!(checked.contains(property.name()), "{} is not in the list", property.name());
    }
}

#[test]
fn defaults_are_javas() {
    let config = consumer(&[]);
    assert_eq!(config.client_id, "kfetch");
    assert_eq!(config.poll_records_max, 500);
    assert_eq!(config.default_api_timeout, Duration::from_secs(60));
    assert_eq!(config.memory_max_bytes, 64 << 20);
    assert_eq!(config.batch_inflated_max_bytes, 100 << 20);
    assert_eq!(config.offset_reset, OffsetReset::Latest);
    assert_eq!(config.isolation_level, IsolationLevel::ReadUncommitted);
    assert!(config.check_crcs && !config.partition_eof);
    assert_eq!(config.log_read_mode, LogReadMode::Auto);
    assert_eq!((config.fetch.min_bytes, config.fetch.max_wait_ms), (1, 500));
    assert_eq!((config.fetch.max_bytes, config.fetch.partition_max_bytes), (50 << 20, 1 << 20));
    assert_eq!(config.metadata.max_age, Duration::from_secs(300));
    assert!(config.metadata.auto_create_topics);
    let connection = config.connection;
    assert_eq!(connection.request_timeout, Duration::from_secs(30));
    assert_eq!(connection.retry_backoff.initial, Duration::from_millis(100));
    assert_eq!(connection.retry_backoff.max, Duration::from_secs(1));
    assert_eq!(connection.reconnect_backoff.initial, Duration::from_millis(50));
    assert_eq!(connection.reconnect_backoff.max, Duration::from_secs(1));
    assert_eq!(connection.setup_timeout.initial, Duration::from_secs(10));
    assert_eq!(connection.setup_timeout.max, Duration::from_secs(30));
    assert_eq!(connection.max_idle, Some(Duration::from_secs(540)));
    assert_eq!((connection.receive_buffer_bytes, connection.send_buffer_bytes), (None, None));
    assert_eq!(connection.response_max_bytes, 100_000_000);
    assert!(connection.keepalive && connection.nodelay);
    assert_eq!(config.warnings(), [""; 0]);
}

/// What Kafka 4.3 accepts and what it makes of it, and librdkafka's spellings beside.
#[test]
fn values_are_read_as_java_reads_them() {
    #[rustfmt::skip]
    let accepted = [
        ("fetch.min.bytes", "+1", "1"), ("fetch.min.bytes", " 1\t", "1"),
        ("fetch.min.bytes", "010", "10"), ("fetch.min.bytes", "2147483647", "2147483647"),
        ("metadata.max.age.ms", "9223372036854775807", "9223372036854775807"),
        ("check.crcs", "TRUE", "true"), ("check.crcs", " False ", "false"),
        ("check.crcs", "1", "true"), ("check.crcs", "f", "false"),
        ("auto.offset.reset", " latest ", "latest"), ("auto.offset.reset", "largest", "latest"),
        ("auto.offset.reset", "end", "latest"), ("auto.offset.reset", "smallest", "earliest"),
        ("auto.offset.reset", "beginning", "earliest"), ("auto.offset.reset", "error", "none"),
        ("auto.offset.reset", "by_duration:pt1h", "by_duration:pt1h"),
        ("security.protocol", "Plaintext", "PLAINTEXT"),
        ("metadata.recovery.strategy", "NONE", "none"),
        ("bootstrap.servers", " a:1 , b,,a:1 ", "a:1,b:9092"),
        ("bootstrap.servers", "PLAINTEXT://[::1]:9093", "[::1]:9093"),
        ("sasl.login.refresh.window.factor", "0.90", "0.9"),
        ("connections.max.idle.ms", "-5", "-5"), ("client.id", " \u{a0}x ", "\u{a0}x"),
    ];
    for (name, value, expected) in accepted {
        let config = Config::new().with(name, value).unwrap();
        assert_eq!(config.get(name), Some(expected), "{name}={value}");
    }
}

#[test]
fn a_bad_value_is_named_with_what_is_allowed() {
    #[rustfmt::skip]
    let refused: &[(&str, &str, &[&str])] = &[
        ("fetch.min.bytes", "-1", &["an integer from 0 to 2147483647"]),
        ("fetch.min.bytes", "2147483648", &["an integer from 0 to 2147483647"]),
        ("fetch.min.bytes", "0x10", &["an integer"]), ("fetch.min.bytes", "1e3", &["an integer"]),
        ("fetch.min.bytes", "1_000", &["an integer"]), ("fetch.min.bytes", "", &["an integer"]),
        ("fetch.min.bytes", "64MB", &["\"64MB\" is not an integer"]),
        ("fetch.wait.max.ms", "x", &["fetch.wait.max.ms: \"x\""]),
        ("max.poll.records", "0", &["from 1 to 2147483647"]),
        ("metadata.max.age.ms", "9223372036854775808", &["an integer of at least 0"]),
        ("receive.buffer.bytes", "-2", &["from -1 to"]),
        ("kfetch.memory.max.bytes", "1048575", &["an integer of at least 1048576"]),
        ("check.crcs", "yes", &["true or false"]), ("check.crcs", "", &["true or false"]),
        ("isolation.level", "READ_COMMITTED", &["the nearest is read_committed"]),
        ("isolation.level", "read_commited", &["the nearest is read_committed"]),
        ("client.dns.lookup", "use_all_dns_ip", &["the nearest is use_all_dns_ips"]),
        ("security.protocol", "tls", &["in any case", "the nearest is SSL"]),
        ("metadata.recovery.strategy", "", &["one of rebootstrap, none"]),
        ("log.read.mode", "map", &["one of auto, mmap, pread", "the nearest is mmap"]),
        ("auto.offset.reset", "Earliest", &["the nearest is earliest"]),
        ("auto.offset.reset", "by_durations", &["the nearest is by_duration:"]),
        ("auto.offset.reset", "by_duration:-P1D", &["ISO-8601 duration, not negative"]),
        ("auto.offset.reset", "by_duration:1D", &["ISO-8601 duration"]),
        ("bootstrap.servers", "a:9092,b:0", &["\"b:0\" has a port"]),
        ("bootstrap.servers", "SSL://a:9093", &["SSL, which is not built yet", "PLAINTEXT"]),
        ("bootstrap.servers", "::1", &["write [::1]:9092"]),
        ("bootstrap.servers", ",", &["a list of host:port"]),
        ("log.dirs", "/a,/b,/a", &["\"/a\" is given twice"]),
        ("sasl.login.refresh.window.factor", "0.4", &["a number from 0.5 to 1"]),
        ("sasl.login.refresh.window.factor", "NaN", &["a number from 0.5 to 1"]),
        ("client.id", "a\0b", &["a NUL byte"]), ("sasl.password", "a\0b", &["a NUL byte"]),
        ("rebalance_cb", "x", &["by a function of its own"]),
    ];
    for (name, value, parts) in refused {
        let mut config = config(&[]);
        let text = config_error(config.set(name, value));
        assert_holds(&text, &[&format!("{name}: ")]);
        assert_holds(&text, parts);
        assert_eq!(config.iter().collect::<Vec<_>>(), [("bootstrap.servers", "a:9092")]);
    }
}

#[test]
fn an_unknown_name_is_named_with_the_nearest() {
    for (name, nearest) in [
        ("fetch.min.byte", "fetch.min.bytes"),
        ("Fetch.Min.Bytes", "fetch.min.bytes"),
        ("bootstrap_servers", "bootstrap.servers"),
        ("boostrap.servers", "bootstrap.servers"),
        ("fetch.wait.max", "fetch.wait.max.ms"),
        ("auto.offset.rest", "auto.offset.reset"),
        ("kfetch.memory.max", "kfetch.memory.max.bytes"),
        ("log.dir", "log.dirs"),
        ("metadata.brokers.list", "metadata.broker.list"),
    ] {
        let text = config_error(Config::new().set(name, "secret"));
        assert_holds(&text, &[name, &format!("the nearest known one is {nearest}")]);
        assert!(!text.contains("\"secret\""));
    }
    for name in ["", " client.id", "client.id\0", "\n", "\u{1f600}", &"x".repeat(5 << 20)] {
        let text = config_error(Config::new().set(name, "1"));
        assert!(text.len() < 400 && !text.contains(['\0', '\n']), "{text:?}");
    }
}

#[test]
fn what_is_not_built_is_refused_together_with_security_first() {
    let config = config(&[("group.protocol", "consumer"), ("security.protocol", "ssl")]);
    let text = config_error(config.consumer());
    assert_eq!(
        text,
        "security.protocol=\"SSL\" is not built yet; it may be PLAINTEXT now; \
         group.protocol=\"consumer\" is not built yet; it may be classic now"
    );
}

#[test]
fn what_needs_a_group_or_log_directories_says_so() {
    for name in ["enable.auto.commit", "group.instance.id"] {
        let text = config_error(config(&[(name, "true")]).consumer());
        assert_holds(&text, &[name, "group.id"]);
    }
    for (name, value) in LOCAL_CHANGES {
        let text = config_error(config(&[("group.id", "g"), (name, value)]).consumer());
        assert_holds(&text, &[name, "log.dirs"]);
    }
    let slow = [("group.id", "g"), ("heartbeat.interval.ms", "9"), ("session.timeout.ms", "9")];
    let text = config_error(config(&slow).consumer());
    assert_holds(&text, &["heartbeat.interval.ms=9", "session.timeout.ms=9"]);
    assert!(consumer(&[]).group.is_none(), "no group without group.id");
}

#[test]
fn a_later_setting_of_one_name_wins() {
    let mut config = config(&[("security.protocol", "SSL"), ("fetch.min.bytes", "1")]);
    config.set("security.protocol", "PLAINTEXT").unwrap().set("fetch.min.bytes", "7").unwrap();
    assert_eq!(config.consumer().unwrap().fetch.min_bytes, 7);
    config.parse("fetch.min.bytes=8\nfetch.min.bytes=9\n").unwrap();
    assert_eq!(config.get("fetch.min.bytes"), Some("9"));
    let names: Vec<&str> = config.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["bootstrap.servers", "security.protocol", "fetch.min.bytes"]);
}

#[test]
fn two_names_of_one_property_must_agree() {
    for (kafka, librdkafka) in [
        (("fetch.max.wait.ms", "100"), ("fetch.wait.max.ms", "200")),
        (("max.partition.fetch.bytes", "1"), ("fetch.message.max.bytes", "2")),
        (("request.timeout.ms", "30000"), ("socket.timeout.ms", "60000")),
        (("bootstrap.servers", "a:1"), ("metadata.broker.list", "b:1")),
        (("sasl.mechanism", "PLAIN"), ("sasl.mechanisms", "SCRAM-SHA-256")),
    ] {
        for (first, second) in [(kafka, librdkafka), (librdkafka, kafka)] {
            let text = config_error(config(&[first, second]).consumer());
            assert_holds(&text, &[first.0, first.1, second.0, second.1, "different values"]);
        }
        let same = config(&[kafka, (librdkafka.0, kafka.1)]);
        assert!(same.consumer().is_ok(), "{}", librdkafka.0);
        let later = config(&[kafka, librdkafka, (librdkafka.0, kafka.1)]);
        assert!(later.consumer().is_ok(), "{}", librdkafka.0);
        assert_eq!(later.get(kafka.0), later.get(librdkafka.0));
    }
    let secret = "sasl.oauthbearer.client.credentials.client.secret";
    let text = config_error(
        config(&[(secret, "hush"), ("sasl.oauthbearer.client.secret", "psst")]).consumer(),
    );
    assert!(text.contains(secret) && !text.contains("hush") && !text.contains("psst"), "{text}");
}

#[test]
fn records_come_from_brokers_or_from_directories() {
    let source = |settings: &[(&str, &str)]| {
        let mut config = Config::new();
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        config.consumer().map(|consumer| consumer.source)
    };
    let Ok(Source::Brokers(servers)) = source(&[("bootstrap.servers", "a,[::1]:1,b:2,a:9092")])
    else {
        panic!("no brokers");
    };
    let servers: Vec<(&str, u16)> = servers.iter().map(|s| (s.host.as_str(), s.port)).collect();
    assert_eq!(servers, [("a", 9092), ("::1", 1), ("b", 2)]);
    let directories = vec![PathBuf::from("/a"), PathBuf::from("b c")];
    let both_empty = [("log.dirs", " /a , b c,"), ("bootstrap.servers", "")];
    assert_eq!(source(&both_empty), Ok(Source::LogDirs(directories)));
    for neither in [&[][..], &[("bootstrap.servers", " "), ("log.dirs", "")]] {
        let text = config_error(source(neither));
        assert_holds(&text, &["neither bootstrap.servers nor log.dirs"]);
    }
    let text = config_error(source(&[("bootstrap.servers", "a:1"), ("log.dirs", "/a")]));
    assert_holds(&text, &["bootstrap.servers", "log.dirs", "not built yet"]);
}

#[test]
fn values_are_held_against_each_other_as_in_java() {
    let backoff = consumer(&[("retry.backoff.ms", "3000")]);
    assert_eq!(backoff.connection.retry_backoff.initial, Duration::from_secs(1));
    assert_holds(&backoff.warnings()[0], &["retry.backoff.ms=3000", "retry.backoff.max.ms=1000"]);

    let setup = consumer(&[("socket.connection.setup.timeout.max.ms", "5")]);
    assert_eq!(setup.connection.setup_timeout.initial, Duration::from_millis(5));
    assert_holds(&setup.warnings()[0], &["socket.connection.setup.timeout.ms=10000", "max.ms=5"]);

    let constant = consumer(&[("reconnect.backoff.ms", "70")]).connection.reconnect_backoff;
    assert_eq!((constant.initial, constant.max), (constant.max, Duration::from_millis(70)));
    let growing = [("reconnect.backoff.ms", "70"), ("reconnect.backoff.max.ms", "1000")];
    assert_eq!(consumer(&growing).connection.reconnect_backoff.max, Duration::from_secs(1));
    assert_eq!(consumer(&growing).warnings().len(), 0);

    let waits = consumer(&[("fetch.max.wait.ms", "30000")]);
    assert_holds(&waits.warnings()[0], &["fetch.max.wait.ms=30000", "request.timeout.ms=30000"]);
    let starves = consumer(&[("fetch.min.bytes", "3"), ("fetch.max.bytes", "2")]);
    assert_holds(&starves.warnings()[0], &["fetch.min.bytes=3", "fetch.max.bytes=2"]);

    let refresh = |ms| consumer(&[("topic.metadata.refresh.interval.ms", ms)]).metadata.max_age;
    assert_eq!(refresh("1000"), Duration::from_secs(1));
    assert_eq!([refresh("-1"), refresh("0"), refresh("999999")], [Duration::from_secs(300); 3]);
}

#[test]
fn an_answer_may_always_be_as_large_as_was_asked_for() {
    let sizes = |settings| {
        let consumer = consumer(settings);
        (consumer.fetch.max_bytes, consumer.connection.response_max_bytes)
    };
    assert_eq!(sizes(&[("receive.message.max.bytes", "1000")]), (488, 1000));
    assert_eq!(sizes(&[("fetch.max.bytes", "200000000")]), (200_000_000, 200_000_512));
    let largest = usize::try_from(i32::MAX).unwrap();
    assert_eq!(sizes(&[("fetch.max.bytes", "2147483647")]), (i32::MAX - 512, largest));
    let both = |fetch| config(&[("receive.message.max.bytes", "1512"), ("fetch.max.bytes", fetch)]);
    assert!(both("1000").consumer().is_ok());
    let text = config_error(both("1001").consumer());
    assert_holds(&text, &["receive.message.max.bytes=1512", "fetch.max.bytes=1001", "512"]);
}

#[test]
fn a_duration_of_reset_is_typed() {
    for (value, expected) in [
        ("by_duration:PT0S", OffsetReset::ByDuration(Duration::ZERO)),
        ("by_duration:P1DT0.5S", OffsetReset::ByDuration(Duration::from_millis(86_400_500))),
        ("smallest", OffsetReset::Earliest),
        ("error", OffsetReset::None),
    ] {
        assert_eq!(consumer(&[("auto.offset.reset", value)]).offset_reset, expected);
    }
}

#[test]
fn times_and_sizes_that_ask_for_nothing_are_none() {
    for value in ["0", "-1", "-9223372036854775808"] {
        assert_eq!(consumer(&[("connections.max.idle.ms", value)]).connection.max_idle, None);
    }
    let connection = consumer(&[("socket.receive.buffer.bytes", "0")]).connection;
    assert_eq!(connection.receive_buffer_bytes, None);
    let connection = consumer(&[("socket.receive.buffer.bytes", "65536")]).connection;
    assert_eq!(connection.receive_buffer_bytes, Some(65536));
    assert_eq!(consumer(&[("client.id", " ")]).client_id, "kfetch");
}

thread_local! {
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl log::Log for ThreadLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LOGGED.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

#[test]
fn what_has_no_effect_is_one_warning_in_the_log() {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&ThreadLog).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let java = [
        ("key.deserializer", "a.B"),
        ("value.deserializer", "a.B"),
        ("metric.reporters", "a.B"),
        ("sasl.password", "hunter2"),
        ("session.timeout.ms", "6000"),
    ];
    let consumer = consumer(&java);
    let lines = LOGGED.take();
    assert_eq!(lines, [format!("WARN {}", consumer.warnings()[0])]);
    let named =
        ["key.deserializer (Keys are delivered as bytes)", "metric.reporters", "sasl.password"];
    assert_holds(&lines[0], &named);
    assert!(!lines[0].contains("session.timeout.ms") && !lines[0].contains("hunter2"));
}

#[test]
fn the_table_can_be_listed() {
    let property = properties().find(|p| p.name() == "fetch.max.wait.ms").unwrap();
    assert_eq!(property.aliases(), ["fetch.wait.max.ms"]);
    assert_eq!(property.default(), "500");
    assert_eq!(property.allowed(), "an integer from 0 to 2147483647");
    assert_eq!(property.support(), Support::Built);
    for property in properties() {
        let doc = property.doc();
        assert!(doc.ends_with('.') && doc.len() > 10, "{}: {doc}", property.name());
    }
}
