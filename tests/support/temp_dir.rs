//! Directories that a test may fill, under `target/tmp`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const ROOT: &str = env!("CARGO_TARGET_TMPDIR");

/// A new empty directory, removed when dropped.
///
/// It stays after a panic, to be looked at, and after a kill; the next test process that makes one
/// removes what processes that are gone have left.
#[derive(Debug)]
pub(crate) struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes `<name>-<process id>-<number>`.
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            remove_orphans();
        }
        let path = Path::new(ROOT).join(format!("{name}-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("target/tmp is writable");
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn remove_orphans() {
    let Ok(entries) = fs::read_dir(ROOT) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let mut parts = name.to_str().unwrap_or_default().rsplit('-');
        let (number, process) = (parts.next(), parts.next());
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        let (Some(number), Some(process)) = (number, process) else {
            continue;
        };
        if is_number(number) && is_number(process) && !is_alive(process) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_alive(process: &str) -> bool {
    let id = process.parse::<libc::pid_t>().expect("a number");
    // SAFETY: signal 0 is sent to nobody; it only asks whether the process is there.
    unsafe { libc::kill(id, 0) == 0 }
}
