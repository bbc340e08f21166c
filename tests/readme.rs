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

/// Returns the blocks of a language: one that reads a partition, one that is a member of a group.
fn blocks(language: &str) -> [String; 2] {
    let readme = readme();
    let begin = format!("```{language}\n");
    let rests = readme.split(&begin).skip(1);
    let blocks: Vec<String> =
        rests.map(|rest| rest.split_once("```").expect("its end").0.to_owned()).collect();
    blocks.try_into().expect("two blocks")
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
    let [first, _] = blocks("c");
    let programs = c_programs(&directory, &first);
    assert_eq!(programs.len(), 2, "a shared link line and a static one");
    for program in programs {
        assert_eq!(printed(&program, &directory), PRINTED);
    }
}

#[test]
fn the_c_member_prints_what_its_group_has_not_read() {
    let directory = directory("readme-c-group");
    let [_, second] = blocks("c");
    let programs = c_programs(&directory, &second);
    let outputs: Vec<String> =
        programs.iter().map(|program| printed(program, &directory)).collect();
    assert_eq!(outputs, [PRINTED, ""]);
}

/// Compiles a program by each link line of the README.
fn c_programs(directory: &Path, source: &str) -> Vec<PathBuf> {
    let file = directory.join("app.c");
    fs::write(&file, source).unwrap();
    let readme = readme();
    let lines = readme.lines().filter(|line| line.starts_with("cc app.c -I"));
    let compile = |(number, line): (usize, &str)| {
        let program = directory.join(format!("app-{number}"));
        let line = line.split('#').next().unwrap().replace("app.c", file.to_str().unwrap());
        let line =
            format!("{line} -std=c99 -Wall -Wextra -Wpedantic -Werror -o {}", program.display());
        expect_success(Command::new("sh").arg("-c").arg(line).current_dir(path("")));
        program
    };
    lines.enumerate().map(compile).collect()
}

#[test]
fn the_rust_programs_print_the_topic() {
    let built = |example: &str, block: &str| {
        let source = fs::read_to_string(path(&format!("examples/{example}.rs"))).unwrap();
        let (_, program) = source.split_once("\n\n").expect("a line of documentation");
        assert_eq!(block, program, "README and examples/{example}.rs");
        // Where all tests are run, it has been built with them.
        let mut cargo = Command::new(std::env::var("CARGO").unwrap());
        let build = ["build", "--locked", "--profile", "test", "--example", example];
        expect_success(cargo.args(build));
        let beside = Path::new(env!("CARGO_BIN_EXE_kfetch")).parent().unwrap();
        beside.join("examples").join(example)
    };
    let directory = directory("readme-rust");
    let [first, second] = blocks("rust");
    assert_eq!(printed(&built("print", &first), &directory), PRINTED);
    let member = built("group", &second);
    assert_eq!(printed(&member, &directory), PRINTED);
    assert_eq!(printed(&member, &directory), "", "the group has read it all");
}
