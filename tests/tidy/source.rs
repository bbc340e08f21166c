//! The project's files.

#![allow(clippy::expect_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::blank::blank;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A text file; `path` is relative to the project's root, with `/`.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn code(&self) -> String {
        blank(&self.text)
    }

    pub(crate) fn is_in(&self, directories: &[&str]) -> bool {
        directories.iter().any(|directory| self.path.starts_with(&format!("{directory}/")))
    }
}

/// Reads a file by its path under the root; `None` where there is none.
pub(crate) fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(ROOT).join(path)).ok()
}

/// Returns all text files but those that were built, fetched or made by an editor.
pub(crate) fn all() -> Vec<Source> {
    let mut directories = vec![PathBuf::from(ROOT)];
    let mut sources = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            if !is_ours(&path) {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(ROOT).expect("under the root");
                sources.push(Source { path: relative.display().to_string(), text });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_built = name == "target" || name == "__pycache__" || name == "proptest-regressions";
    !is_built && (!name.starts_with('.') || name == ".ci")
}

/// Returns the Rust files under `src`.
pub(crate) fn library() -> Vec<Source> {
    all().into_iter().filter(|source| source.is_in(&["src"]) && is_rust(&source.path)).collect()
}

/// Returns every file of source code, whatever its language.
pub(crate) fn code_files() -> Vec<Source> {
    let directories = ["src", "tests", "benches", "ffi-examples", "fuzz", "python"];
    let endings = [".rs", ".c", ".h", ".cpp", ".hpp", ".py", ".java"];
    let is_code = |source: &Source| {
        let has_ending = endings.iter().any(|ending| source.path.ends_with(ending));
        has_ending && (source.is_in(&directories) || source.path == "build.rs")
    };
    all().into_iter().filter(is_code).collect()
}

pub(crate) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}
