//! The programs of the README, compiled and run as they are printed there.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod c_build;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use c_build::{expect_success, make, path, text};

/// What both programs print of the topic that the README makes.
const PRINTED: &str = "0 hello\n1 world\n";

fn readme() -> String {
    fs::read_to_string(path("README.md")).unwrap()
}

/// Returns the first block of a language.
fn block(language: &str) -> String {
    let readme = readme();
    let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("a block");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// Makes a directory with the README's topic in `data`.
fn directory(name: &str) -> PathBuf {
    make();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&directory));
    fs::create_dir_all(&directory).unwrap();
    let append = "printf 'hello\\nworld\\n' | target/release/kfetch log append -t orders data";
    assert!(readme().contains(append), "the README makes the topic by another command");
    let append = append.replace("target/release", path("target/release").to_str().unwrap());
    expect_success(Command::new("sh").arg("-c").arg(append).current_dir(&directory));
    directory
}

/// Runs a program where the topic is.
fn printed(program: &Path, directory: &Path) -> String {
    let mut command = Command::new(program);
    // What the link line leaves out shall not come from where the tests are run.
    command.current_dir(directory).env_remove("LD_LIBRARY_PATH");
    text(&expect_success(&mut command).stdout)
}

#[test]
fn the_c_program_prints_the_topic_by_each_link_line() {
    let directory = directory("readme-c");
    let source = directory.join("app.c");
    fs::write(&source, block("c")).unwrap();
    let readme = readme();
    let lines = readme.lines().filter(|line| line.starts_with("cc app.c -I"));
    let mut count = 0;
    for line in lines {
        let program = directory.join(format!("app-{count}"));
        let line = line.split('#').next().unwrap().replace("app.c", source.to_str().unwrap());
        let line =
            format!("{line} -std=c99 -Wall -Wextra -Wpedantic -Werror -o {}", program.display());
        expect_success(Command::new("sh").arg("-c").arg(line).current_dir(path("")));
        assert_eq!(printed(&program, &directory), PRINTED);
        count += 1;
    }
    assert_eq!(count, 2, "a shared link line and a static one");
}

#[test]
fn the_rust_program_prints_the_topic() {
    let source = fs::read_to_string(path("examples/print.rs")).unwrap();
    let (_, program) = source.split_once("\n\n").expect("a line of documentation");
    assert_eq!(block("rust"), program, "README and examples/print.rs");
    // Where all tests are run, it has been built with them.
    let mut cargo = Command::new(std::env::var("CARGO").unwrap());
    expect_success(cargo.args(["build", "--locked", "--profile", "test", "--example", "print"]));
    let directory = directory("readme-rust");
    let built = Path::new(env!("CARGO_BIN_EXE_kfetch")).parent().unwrap().join("examples/print");
    assert_eq!(printed(&built, &directory), PRINTED);
}
