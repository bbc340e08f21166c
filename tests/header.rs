//! The C header that is shipped is the one that the source makes, and C and C++ take it.
//!
//! `UPDATE_HEADER=1 cargo test --test header` writes it anew.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::Path;
use std::process::Command;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include/kfetch.h");
const GENERATED: &str = concat!(env!("OUT_DIR"), "/kfetch.h");

fn shipped() -> String {
    fs::read_to_string(SHIPPED).expect("include/kfetch.h")
}

/// Compiles a text and fails on any warning.
fn compile(compiler: &str, language: &str, standard: &str, text: &str) {
    let name = format!("header-{compiler}-{standard}-{}", text.len());
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&source, text).expect("the target directory is writable");
    let output = Command::new(compiler)
        .args(["-x", language, &format!("-std={standard}"), "-fsyntax-only"])
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/include")])
        .arg(&source)
        .output()
        .expect(compiler);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} -std={standard}: {errors}");
}

#[test]
fn the_shipped_header_is_the_generated_one() {
    let generated = fs::read_to_string(GENERATED).expect("the build script's header");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        fs::write(SHIPPED, &generated).expect("include/kfetch.h is writable");
    }
    assert!(shipped() == generated, "UPDATE_HEADER=1 cargo test --test header writes it anew");
}

#[test]
fn c_and_cpp_compile_it_without_a_warning() {
    let text = "#include <kfetch.h>\n#include <kfetch.h>\n";
    for compiler in ["gcc", "clang"] {
        compile(compiler, "c", "c99", text);
        compile(compiler, "c", "c11", text);
    }
    for compiler in ["g++", "clang++"] {
        compile(compiler, "c++", "c++17", text);
    }
}

/// The sizes that a caller compiles in are those that the library asserts.
#[test]
fn structs_have_their_sizes() {
    let sizes = [
        ("kfetch_bytes", 16),
        ("kfetch_record", 56),
        ("kfetch_header", 32),
        ("kfetch_run", 72),
        ("kfetch_event", 64),
        ("kfetch_topic_partition", 16),
        ("kfetch_offset_and_timestamp", 24),
        ("kfetch_watermarks", 24),
        ("kfetch_partition_offset", 40),
        ("kfetch_committed_offset", 40),
        ("kfetch_group_topic", 24),
        ("kfetch_group_member", 88),
        ("kfetch_assignor", 72),
        ("kfetch_partition_info", 48),
        ("kfetch_topic", 48),
        ("kfetch_engine_options", 72),
        ("kfetch_stats", 128),
        ("kfetch_log_writer_options", 88),
        ("kfetch_new_record", 64),
        ("kfetch_status", 4),
    ];
    let mut text = String::from("#include <kfetch.h>\n");
    for (name, size) in sizes {
        text.push_str(&format!("_Static_assert(sizeof({name}) == {size}, \"{name}\");\n"));
    }
    compile("gcc", "c", "c11", &text);
    compile("g++", "c++", "c++17", &text.replace("_Static_assert", "static_assert"));
}

/// The example in the header is what a user copies first.
#[test]
fn the_example_in_the_header_compiles() {
    let header = shipped();
    let (_, rest) = header.split_once("```c").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let lines: Vec<&str> = example.lines().map(|line| line.trim_start_matches(" *")).collect();
    let body = lines.join("\n");
    let text = format!(
        "#include <kfetch.h>\n#include <stdio.h>\nint main(void) {{\n{body}\nreturn 0;\n}}\n"
    );
    compile("gcc", "c", "c99", &text);
    assert!(lines.len() <= 32, "the example has {} lines", lines.len());
}
