//! Where Java and Kafka's jars are.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const KAFKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/kafka");
const OLDEST_JAVA: u32 = 17;

/// Returns a command that runs Java with Kafka's jars and the test's own classes.
///
/// # Panics
///
/// When there is no Java of version 17 or later, or `target/kafka` is not filled.
pub(crate) fn command(options: &[&str], main_class: &str) -> Command {
    static JAVA: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(JAVA.get_or_init(find));
    let [classes, libs, messages] = ["classes", "libs", "messages"].map(directory);
    let class_path = format!("{classes}:{libs}/*");
    command
        .args(["-Djava.awt.headless=true", "-XX:-UsePerfData"])
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
        .arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")
        .arg(format!("-Dkfetch.messages={messages}"))
        .args(options)
        .args(["-cp", &class_path, main_class]);
    command
}

/// Adds this test binary to the list by which `.ci/run` proves that Kafka was started.
pub(crate) fn note_started() {
    let binary = std::env::current_exe().expect("a running binary");
    let line = format!("{}\n", binary.file_stem().unwrap_or_default().display());
    let list = Path::new(KAFKA).join("started");
    let mut list = File::options().create(true).append(true).open(list).expect("target/kafka");
    list.write_all(line.as_bytes()).expect("target/kafka is writable");
}

fn directory(name: &str) -> String {
    let path = Path::new(KAFKA).join(name);
    assert!(path.is_dir(), "no {}: run make test", path.display());
    path.display().to_string()
}

fn find() -> PathBuf {
    let of_home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let candidates = of_home.into_iter().chain([PathBuf::from("java")]);
    let mut seen = String::new();
    for candidate in candidates {
        match version(&candidate) {
            Some(version) if version >= OLDEST_JAVA => return candidate,
            found => seen.push_str(&format!(" {} has {found:?};", candidate.display())),
        }
    }
    panic!("no Java {OLDEST_JAVA} or later in JAVA_HOME or PATH ({seen} ): run make test")
}

/// Reads the feature release from `openjdk version "17.0.15"`; old ones say `"1.8.0"`.
fn version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let quoted = text.split('"').nth(1)?;
    quoted.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}
