//! Files: what is read, what is refused, what is never printed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use kfetch::ErrorKind;
use kfetch::client::config::{Config, properties};
use proptest::prelude::*;

use super::{assert_holds, config, config_error, names};

/// A file under the target directory that the test alone uses.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_file_is_read_over_what_is_set() {
    let text = "\u{feff}# caf\u{e9}\r\nbootstrap.servers = a:1,\\\r\n    b:2\r\n! x\r\n\
                client.id: \u{e9}\\u00e9\r\n";
    let path = file("good.properties", text.as_bytes());
    let mut config = config(&[("client.id", "before"), ("check.crcs", "false")]);
    config.load_file(&path).unwrap().set("fetch.min.bytes", "5").unwrap();
    assert_eq!(config.get("bootstrap.servers"), Some("a:1,b:2"));
    assert_eq!(config.get("client.id"), Some("\u{e9}\u{e9}"));
    assert_eq!(config.get("check.crcs"), Some("false"));
    assert!(config.consumer().is_ok());
}

#[test]
fn a_bad_file_names_file_line_and_property_and_applies_nothing() {
    let cases: &[(&[u8], &str)] = &[
        (b"client.id=b\n\nfetch.min.bytes=x", ":3: fetch.min.bytes: \"x\" is not an integer"),
        (
            b"client.id=b\nfetch.\\\n min.byte=1\n",
            ":2: no property has the name \"fetch.min.byte\"",
        ),
        (b"client.id=b\nsasl.password=\\u12", ":2: \"sasl.password\": a \\u is not followed by"),
        (b"client.id=b\nclient.rack=\\ud800", ":2: \"client.rack\": a \\u escape is half of"),
        (b"client.id=b\nsasl.password=\xff\n", ":2: the line is not UTF-8"),
        (b"client.id=b\nsasl.password=\\u0000\n", ":2: sasl.password: the value holds a NUL"),
        (b"client.id=b\nclient.rack=\0\n", ":2: client.rack: the value holds a NUL byte"),
        (b"client.id=b\n=x\n", ":2: no property has the name \"\""),
    ];
    let path = file("bad.properties", b"");
    for (content, expected) in cases {
        fs::write(&path, content).unwrap();
        let mut config = config(&[("client.id", "a")]);
        let text = config_error(config.load_file(&path));
        assert_holds(&text, &[&format!("bad.properties{expected}")]);
        assert_eq!(config.get("client.id"), Some("a"));
        if let Ok(content) = std::str::from_utf8(content) {
            let expected = expected.trim_start_matches(':');
            assert_holds(&config_error(config.parse(content)), &[&format!("line {expected}")]);
        }
    }
}

#[test]
fn what_a_file_asks_for_is_refused_with_its_line() {
    let path =
        file("late.properties", b"bootstrap.servers=a:1\n\nisolation.level=read_committed\n");
    let mut config = Config::new();
    let text = config_error(config.load_file(&path).unwrap().consumer());
    assert_holds(
        &text,
        &["late.properties:3: isolation.level=\"read_committed\" is not built yet"],
    );
    config.set("isolation.level", "read_uncommitted").unwrap();
    assert!(config.consumer().is_ok());
    config.parse("fetch.max.wait.ms=1\nfetch.wait.max.ms=2").unwrap();
    let text = config_error(config.consumer());
    assert_holds(&text, &["line 1: fetch.max.wait.ms", "line 2: fetch.wait.max.ms"]);
}

#[test]
fn huge_input_is_refused() {
    let path = file("huge.properties", b"");
    File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
    let text = config_error(Config::new().load_file(&path));
    assert_holds(&text, &["huge.properties: the file has more than"]);
    fs::remove_file(&path).unwrap();

    let long = "a".repeat(64 << 20);
    let text = config_error(Config::new().set("client.id", &long));
    assert_holds(&text, &["client.id: the value has 67108864 bytes"]);
    let text = config_error(Config::new().set("client.id", &long[..40_000]));
    assert!(text.len() < 200 && text.contains("at most 32767 bytes"), "{text}");
    let chain = "a".repeat(1 << 20);
    assert!(Config::new().set("ssl.truststore.certificates", &chain).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_an_io_error() {
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing.properties");
    for path in [missing.as_path(), Path::new(env!("CARGO_TARGET_TMPDIR"))] {
        let error = Config::new().load_file(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_holds(&error.to_string(), &[path.to_str().unwrap()]);
    }
}

#[test]
fn secrets_are_hidden_from_print_and_from_errors() {
    let mut secrets = 0;
    for property in properties().filter(|property| property.is_secret()) {
        for name in property.aliases().iter().copied().chain([property.name()]) {
            let config = config(&[(name, "hunter2")]);
            assert_eq!(config.get(name), Some("hunter2"));
            for shown in [format!("{config:?}"), format!("{config:#?}"), config.to_string()] {
                assert!(!shown.contains("hunter2") && shown.contains("[hidden]"), "{shown}");
            }
            let consumer = config.consumer().unwrap();
            assert!(!format!("{consumer:?}").contains("hunter2"), "{consumer:?}");
            let long = "hunter2".repeat(200_000);
            assert!(!config_error(Config::new().set(name, &long)).contains("hunter2"));
            secrets += 1;
        }
    }
    let named = ["password", "secret", "jaas", ".key", "private.key.pem", "passphrase"];
    for property in properties().filter(|p| named.iter().any(|part| p.name().ends_with(part))) {
        assert!(property.is_secret(), "{}", property.name());
    }
    assert!(secrets > 15);
}

/// Settings that any consumer takes, with free texts among them.
fn settings() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let setting = prop_oneof![
        any::<String>().prop_map(|text| ("client.software.name", text.replace('\0', ""))),
        "[ -~\\t\\n\\r]{0,20}".prop_map(|text| ("ssl.ca.location", text)),
        any::<u16>().prop_map(|n| ("fetch.min.bytes", n.to_string())),
        any::<bool>().prop_map(|b| ("check.crcs", b.to_string())),
        Just(("auto.offset.reset", "smallest".to_owned())),
    ];
    prop::collection::vec(setting, 0..8)
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(settings in settings()) {
        let mut config = Config::new();
        for (name, value) in &settings {
            config.set(name, value).unwrap();
        }
        let mut read = Config::new();
        read.parse(&config.to_string()).unwrap();
        prop_assert_eq!(config.iter().collect::<Vec<_>>(), read.iter().collect::<Vec<_>>());
    }

    #[test]
    fn any_text_is_taken_whole_or_not_at_all(
        text in "([a-z.]{0,3}|client.id|fetch.min.bytes|[ab1=:#! \\\\\\n\u{e9}\0]){0,20}",
    ) {
        let mut config = config(&[("client.id", "before")]);
        if let Err(error) = config.parse(&text) {
            prop_assert_eq!(error.kind(), ErrorKind::Config);
            prop_assert!(error.to_string().starts_with("line "), "{}", error);
            prop_assert_eq!(config.get("client.id"), Some("before"));
        }
    }

    #[test]
    fn any_value_is_taken_or_refused_by_name(
        (name, value) in (0..1000_usize, any::<String>()).prop_map(|(i, value)| {
            (names::JAVA[i % names::JAVA.len()], value)
        }),
    ) {
        let mut config = config(&[]);
        match config.set(name, &value) {
            Ok(config) => drop(config.consumer()),
            Err(error) => prop_assert!(error.to_string().starts_with(name), "{}", error),
        }
    }
}
