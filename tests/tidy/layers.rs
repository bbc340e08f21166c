//! Imports run downward only.

/// The layers from the lowest up. Modules of one layer may import each other where `Side::Open`.
const LAYERS: [(&[&str], Side); 9] = [
    (&["sync", "error", "topic", "logger", "backoff", "nearest"], Side::Open),
    (&["buffer"], Side::Open),
    (&["wire"], Side::Open),
    (&["record", "protocol"], Side::Parted),
    (&["log", "ring"], Side::Parted),
    (&["fetch", "coordinator", "embedded"], Side::Parted),
    (&["net"], Side::Open),
    (&["client"], Side::Open),
    (&["ffi", "arrow", "cli"], Side::Parted),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Open,
    Parted,
}

/// Returns the line and the words of each import that does not run downward, for a file given by
/// its path under `src` and its blanked code. The crate's root may import everything.
pub(crate) fn violations(path: &str, code: &str) -> Vec<(usize, String)> {
    let module: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let Some(from) = module.first().filter(|module| **module != "lib") else {
        return Vec::new();
    };
    if place(from).is_none() {
        return vec![(1, format!("module {from} is in no layer"))];
    }
    let mut found = Vec::new();
    for (at, target) in targets(&module, code) {
        if !may_import(from, &target) {
            let line = code[..at].matches('\n').count() + 1;
            found.push((line, format!("{from} imports {target}")));
        }
    }
    found
}

fn place(module: &str) -> Option<(usize, Side)> {
    let holds = |(names, _): &(&[&str], Side)| names.contains(&module);
    let level = LAYERS.iter().position(holds)?;
    Some((level, LAYERS[level].1))
}

/// What is no module at the root is a re-export of the crate or a test's own: no business here.
fn may_import(from: &str, target: &str) -> bool {
    let (Some((from_level, side)), Some((level, _))) = (place(from), place(target)) else {
        return true;
    };
    from == target || level < from_level || (level == from_level && side == Side::Open)
}

/// Returns the modules at the crate's root that a file names, with where it names them.
fn targets(module: &[&str], code: &str) -> Vec<(usize, String)> {
    let depth = module.len() - usize::from(module.ends_with(&["mod"]));
    // As far up as this a path of a file at that depth is at the root.
    let root = "super::".repeat(depth);
    let mut found = Vec::new();
    for prefix in ["crate::", "kfetch::", &root] {
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|letter| !letter.is_alphanumeric() && !"_:".contains(letter)) {
                let names = first_segments(&code[at + prefix.len()..]);
                found.extend(names.into_iter().map(|name| (at, name)));
            }
        }
    }
    found
}

/// Returns the first segment of a path, or of each path of a braced list.
fn first_segments(path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let text = text.trim_start();
        text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    if !path.starts_with('{') {
        return vec![word(path)];
    }
    let (mut depth, mut names) = (0, Vec::new());
    for (at, letter) in path.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && "{,".contains(letter) {
            names.push(word(&path[at + 1..]));
        }
    }
    names
}

#[test]
fn imports_are_found_and_judged() {
    let judge = |path: &str, code: &str| -> Vec<String> {
        violations(path, code).into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(judge("wire/reader.rs", "use crate::error::X; let y = crate::wire::Z;"), [""; 0]);
    assert_eq!(judge("wire/reader.rs", "\nuse crate::ring::X;"), ["wire imports ring"]);
    assert_eq!(judge("record/mod.rs", "crate::protocol::f()"), ["record imports protocol"]);
    assert_eq!(judge("error.rs", "use crate::topic::T;"), [""; 0]);
    let list = "use crate::{\n    buffer::{Slice, log},\n    client::Consumer, net,\n};";
    assert_eq!(judge("log/a.rs", list), ["log imports client", "log imports net"]);
    assert_eq!(judge("log/a/b.rs", "use super::super::super::ring::X;"), ["log imports ring"]);
    assert_eq!(judge("log/a/b.rs", "use super::super::ring::X;"), [""; 0]);
    assert_eq!(judge("log/mod.rs", "pub use super::ring::X;"), ["log imports ring"]);
    assert_eq!(judge("cli/main.rs", "use kfetch::client::X; kfetch::ffi::y"), ["cli imports ffi"]);
    assert_eq!(judge("lib.rs", "use crate::ffi::X;"), [""; 0]);
    assert_eq!(judge("utils/a.rs", ""), ["module utils is in no layer"]);
    assert_eq!(violations("wire/a.rs", "\n\ncrate::net::x")[0].0, 3);
}
