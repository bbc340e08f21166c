//! Groups of several log directories, as the command shows them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod cli;
#[path = "support/temp_dir.rs"]
mod temp_dir;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cli::{files, kfetch, run};
use temp_dir::TempDir;

/// Makes two log directories, with the topics `t` and `u`, and returns them in both orders.
fn two_directories(directory: &TempDir) -> ([PathBuf; 2], [String; 2]) {
    let paths = ["da", "db"].map(|name| directory.path().join(name));
    for (topic, path) in ["t", "u"].iter().zip(&paths) {
        let path = path.to_str().unwrap();
        run(kfetch(["log", "generate", "-q", "-t", topic, "--records", "10", path])).well();
    }
    let [da, db] = [0, 1].map(|at| paths[at].display().to_string());
    (paths, [format!("{da},{db}"), format!("{db},{da}")])
}

fn offsets_directories(path: &Path) -> usize {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().starts_with("__consumer_offsets-")).count()
}

#[test]
fn both_orders_of_two_directories_are_one_place_of_groups() {
    let directory = TempDir::new("cli-group-orders");
    let ([da, db], [forth, back]) = two_directories(&directory);
    let member = |dirs: &str| {
        run(kfetch(["cat", "--log-dirs", dirs, "-g", "g", "-t", "t", "-t", "u", "-e", "-q"])).well()
    };
    let group = |command: &str, dirs: &str, arguments: &[&str]| {
        run(kfetch(["group", command, "--log-dirs", dirs].iter().chain(arguments))).well()
    };
    assert_eq!(member(&forth).lines().count(), 20);
    assert_eq!(member(&back), "", "the group has read all");
    assert_eq!((offsets_directories(&da), offsets_directories(&db)), (50, 0));
    assert_eq!(group("describe", &forth, &[]), group("describe", &back, &[]));
    group("reset", &back, &["g", "-t", "u", "--to", "4"]);
    assert_eq!(member(&forth).lines().count(), 6);

    // Who serves them is found from the other order.
    group("reset", &back, &["g", "-t", "u", "--to", "4"]);
    let serving = ["cat", "-g", "g", "-t", "u", "-u", "--log-dirs", &forth];
    let mut serving = kfetch(serving).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    serving.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    for more in [&[][..], &["--dry-run"]] {
        let base = ["group", "reset", "--log-dirs", &back, "g", "-t", "u", "--to", "0"];
        let told = run(kfetch(base.iter().chain(more))).ended(1);
        assert!(told.contains("group g has 1 member (state Stable)"), "{told}");
    }
    let described = group("describe", &back, &["--json"]);
    assert!(described.contains("\"client_id\":\"kfetch\""), "{described}");
    drop(serving.stdout.take());
    assert_eq!(serving.wait().unwrap().code(), Some(0));
}

#[test]
fn groups_in_two_directories_are_refused_at_once_and_named() {
    let directory = TempDir::new("cli-group-two-sets");
    let ([da, db], both) = two_directories(&directory);
    for (path, topic) in [(&da, "t"), (&db, "u")] {
        let dirs = path.to_str().unwrap();
        run(kfetch(["cat", "--log-dirs", dirs, "-g", topic, "-t", topic, "-e", "-q"])).well();
    }
    let before = files(directory.path());
    let named = both[0].split(',').collect::<Vec<_>>();
    for dirs in &both {
        let read = ["cat", "--log-dirs", dirs, "-t", "t", "-e", "-q"];
        assert_eq!(run(kfetch(read)).well().lines().count(), 10);
        for (command, does) in [
            (&["cat", "-g", "t", "-t", "t", "-e"][..], "Name only one of them"),
            (&["group", "reset", "t", "-t", "t", "--to", "0"], "Name only one of them"),
            (&["group", "reset", "t", "-t", "t", "--to", "0", "--dry-run"], "Name only one"),
            (&["group", "delete-offsets", "t", "-t", "t"], "Name only one of them"),
            (&["group", "list"], "name only one"),
            (&["group", "describe"], "name only one"),
            (&["group", "describe", "t"], "name only one"),
        ] {
            let told = run(kfetch(command.iter().chain(&["--log-dirs", dirs]))).ended(1);
            assert!(named.iter().all(|path| told.contains(path)), "{told}");
            assert!(told.contains(does) && told.contains("__consumer_offsets"), "{told}");
        }
    }
    assert!(files(directory.path()) == before, "something was written");
}

#[test]
fn offsets_that_are_spread_over_two_directories_are_read_together() {
    let directory = TempDir::new("cli-group-spread");
    let ([da, db], both) = two_directories(&directory);
    let dirs = da.to_str().unwrap();
    for group in ["g", "h"] {
        run(kfetch(["cat", "--log-dirs", dirs, "-g", group, "-t", "t", "-e", "-q"])).well();
    }
    // The partition of one of them, as a broker with two directories would have it.
    let name = format!("__consumer_offsets-{}", kfetch::embedded::partition_of("h", 50));
    fs::rename(da.join(&name), db.join(&name)).unwrap();
    for dirs in &both {
        let group = |command: &str| run(kfetch(["group", command, "--log-dirs", dirs])).well();
        assert_eq!(group("list"), "g\nh\n");
        assert_eq!(group("describe").lines().count(), 3);
        let told = run(kfetch(["cat", "--log-dirs", dirs, "-g", "g", "-t", "t", "-e"])).ended(1);
        assert!(told.contains("2 of the directories have offsets of groups"), "{told}");
    }
    // A broker's are nobody else's, wherever they are.
    fs::write(db.join("meta.properties"), "version=1\n").unwrap();
    let told = run(kfetch(["cat", "--log-dirs", &both[0], "-g", "g", "-t", "t", "-e"])).ended(1);
    assert!(told.contains("db belongs to a broker: it has meta.properties"), "{told}");
}
