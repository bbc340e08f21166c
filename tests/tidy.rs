//! The rules of shape that no compiler knows: lengths, layers, module files, words.
//!
//! A rule finds violations; `tidy/exceptions.txt` may grant a file some, and may only shrink.

#[path = "tidy/blank.rs"]
mod blank;
#[path = "tidy/exceptions.rs"]
mod exceptions;
#[path = "tidy/functions.rs"]
mod functions;
#[path = "tidy/header.rs"]
mod header;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

use exceptions::{Violation, check};
use source::Source;

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const FUNCTION_LINES_P95_MAX: usize = 40;
const TEST_BLOCK_LINES_MAX: usize = 150;

/// Each rule by the name that `exceptions.txt` knows it by.
const RULES: [&str; 8] = [
    "columns",
    "file-length",
    "function-length",
    "layers",
    "lints",
    "module-file",
    "test-block",
    "words",
];

/// The modules that may have unsafe code.
const UNSAFE: [&str; 3] = ["src/buffer", "src/ring", "src/ffi"];
/// The modules that read bytes which somebody else wrote.
const UNTRUSTED: [&str; 4] = ["src/wire", "src/record", "src/protocol", "src/log"];

fn violation(source: &Source, line: usize, text: impl Into<String>) -> Violation {
    Violation { path: source.path.clone(), line, text: text.into() }
}

#[test]
fn lines_have_at_most_100_columns() {
    let mut found = Vec::new();
    for source in source::code_files() {
        for (line, text) in (1..).zip(source.text.lines()) {
            let columns = text.chars().count();
            if columns > COLUMNS_MAX {
                found.push(violation(&source, line, format!("{columns} columns")));
            }
        }
    }
    check("columns", &found);
}

#[test]
fn files_have_at_most_600_lines() {
    let mut found = Vec::new();
    for source in source::code_files() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(violation(&source, lines, format!("{lines} lines")));
        }
    }
    check("file-length", &found);
}

#[test]
fn functions_have_at_most_70_lines() {
    let mut found = Vec::new();
    for source in source::library() {
        for function in functions::functions(&source.code()) {
            if function.lines > FUNCTION_LINES_MAX {
                let text = format!("{} has {} lines", function.name, function.lines);
                found.push(violation(&source, function.line, text));
            }
        }
    }
    check("function-length", &found);
}

#[test]
fn of_100_functions_95_have_at_most_40_lines() {
    let lengths: Vec<usize> = source::library()
        .iter()
        .flat_map(|source| functions::functions(&source.code()))
        .map(|function| function.lines)
        .collect();
    let p95 = functions::percentile_95(lengths);
    assert!(p95 <= FUNCTION_LINES_P95_MAX, "95 of 100 functions have up to {p95} lines");
}

#[test]
fn imports_run_downward() {
    let mut found = Vec::new();
    for source in source::library() {
        let path = source.path.trim_start_matches("src/");
        for (line, text) in layers::violations(path, &source.code()) {
            found.push(violation(&source, line, text));
        }
    }
    check("layers", &found);
}

#[test]
fn module_files_hold_no_code() {
    let mut found = Vec::new();
    for source in source::library() {
        if source.path.ends_with("/mod.rs") {
            for item in shape::foreign_items(&source.code()) {
                found.push(violation(&source, 1, item));
            }
        }
    }
    check("module-file", &found);
}

/// An attribute at the head of a `mod.rs` or `main.rs` holds for the files below it too.
#[test]
fn modules_forbid_unsafe_code_and_unchecked_arithmetic() {
    let sources = source::library();
    let mut found = Vec::new();
    let checked = ["clippy::arithmetic_side_effects", "clippy::indexing_slicing"];
    for source in &sources {
        // A module file has no code, a file of tests lies inside of the module it tests, and the
        // crate's root cannot forbid for all.
        let is_inside = ["/mod.rs", "/tests.rs"].iter().any(|end| source.path.ends_with(end));
        if is_inside || source.path == "src/lib.rs" {
            continue;
        }
        let heads = heads(source, &sources);
        let has = |level: &str, lint: &str| {
            heads.iter().any(|head| shape::has_lint(&head.code(), level, lint))
        };
        if !source.is_in(&UNSAFE) && !has("forbid", "unsafe_code") {
            found.push(violation(source, 1, "does not forbid unsafe_code"));
        }
        for lint in checked {
            if source.is_in(&UNTRUSTED) && !has("deny", lint) {
                found.push(violation(source, 1, format!("does not deny {lint}")));
            }
        }
    }
    check("lints", &found);
}

/// Returns the file and those whose inner attributes hold for it, but for the crate's root.
fn heads<'a>(source: &'a Source, sources: &'a [Source]) -> Vec<&'a Source> {
    let is_head = |other: &&Source| {
        let directory = ["mod.rs", "main.rs"].iter().find_map(|end| other.path.strip_suffix(end));
        directory.is_some_and(|directory| source.path.starts_with(directory))
    };
    sources.iter().filter(is_head).chain([source]).collect()
}

#[test]
fn test_blocks_have_at_most_150_lines() {
    let mut found = Vec::new();
    for source in source::library() {
        let lines = shape::test_block_lines(&source.code());
        if lines > TEST_BLOCK_LINES_MAX {
            found.push(violation(&source, 1, format!("{lines} lines of tests")));
        }
    }
    check("test-block", &found);
}

#[test]
fn no_file_has_forbidden_words() {
    let mut found = Vec::new();
    for source in source::all() {
        for (line, text) in (1..).zip(source.text.lines()) {
            let is_lock = source.path == "Cargo.lock" && text.starts_with("source = ");
            for word in words::forbidden(text).into_iter().filter(|_| !is_lock) {
                found.push(violation(&source, line, word));
            }
        }
    }
    check("words", &found);
}

#[test]
fn header_has_prefixed_names_alone() {
    let Some(text) = source::read("include/kfetch.h") else {
        assert!(source::read("src/ffi/mod.rs").is_none(), "src/ffi has no include/kfetch.h");
        return;
    };
    assert_eq!(header::unprefixed(&text), [""; 0]);
}

#[test]
fn readme_names_the_version() {
    let readme = source::read("README.md").expect("README.md");
    let version = format!("Version {}", env!("CARGO_PKG_VERSION"));
    assert!(readme.lines().any(|line| line.starts_with(&version)), "no line {version:?}");
}

#[test]
fn exceptions_name_rules_that_exist() {
    exceptions::check_rules(&RULES);
}
