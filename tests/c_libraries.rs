//! The libraries as files: names that they put into a program, soname, and the static one linked
//! beside libzstd and another Rust library.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod c_build;
mod support;

use std::path::Path;
use std::process::Command;

use c_build::{expect_success, make, path, run, text};
use support::temp_dir::TempDir;

/// What the static library needs of the system, as kfetch.pc says.
const SYSTEM: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

fn output_of(program: &str, arguments: &[&str], file: &Path) -> String {
    text(&expect_success(Command::new(program).args(arguments).arg(file)).stdout)
}

/// Returns the names of the functions that the header declares.
fn declared() -> Vec<String> {
    let header = std::fs::read_to_string(path("include/kfetch.h")).unwrap();
    let mut names = Vec::new();
    for (at, _) in header.match_indices("kfetch_") {
        let name: String =
            header[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let is_function = header[at + name.len()..].starts_with('(');
        let starts = !header[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_function && starts {
            names.push(name);
        }
    }
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_shared_library_has_its_soname_and_exports_what_the_header_declares() {
    make();
    let library = path("target/release/libkfetch.so");
    let dynamic = output_of("readelf", &["--dynamic", "--wide"], &library);
    let soname = format!("[libkfetch.so.{}]", env!("CARGO_PKG_VERSION_MAJOR"));
    assert!(dynamic.contains(&soname), "{dynamic}");
    assert_eq!(exported(&["--dynamic"], &library), declared());
}

#[test]
fn the_static_library_is_one_object_that_exports_what_the_header_declares() {
    make();
    let library = path("target/release/libkfetch.a");
    assert_eq!(output_of("ar", &["t"], &library), "kfetch.o\n");
    assert_eq!(exported(&[], &library), declared());
}

fn exported(arguments: &[&str], library: &Path) -> Vec<String> {
    let arguments = [arguments, &["--defined-only", "--extern-only", "--format=just-symbols"]];
    let symbols = output_of("nm", &arguments.concat(), library);
    let is_name = |line: &&str| !line.is_empty() && !line.ends_with(':');
    let mut names: Vec<String> = symbols.lines().filter(is_name).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_static_library_links_beside_libzstd_and_another_rust_library() {
    make();
    let directory = TempDir::new("c-static");
    let (program, other) = (directory.path().join("static"), directory.path().join("libother.a"));
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=staticlib", "-o"]);
    expect_success(rustc.arg(&other).arg(path("tests/c/other.rs")));
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let libraries = [path("target/release/libkfetch.a"), other.clone(), "-l:libzstd.a".into()];
        let mut cc = Command::new("cc");
        cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]);
        cc.arg(path("include")).arg("-o").arg(&program).arg(path("tests/c/static.c"));
        cc.args(order.map(|index| &libraries[index])).args(SYSTEM);
        expect_success(&mut cc);
        let name = format!("log-{}", order[0]);
        let log_dir = directory.path().join(name);
        let output = run(&program, &[&log_dir]);
        assert!(output.status.success(), "{order:?}: {}", text(&output.stderr));
    }
}
