//! Temporary.
use std::path::{Path, PathBuf};
use std::time::Duration;
#[allow(missing_docs, missing_debug_implementations)]
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    pub dir: PathBuf,
    pub initial_rebalance_delay: Duration,
    pub session_timeout_min: Duration,
    pub session_timeout_max: Duration,
    pub offsets_partitions: i32,
    pub offsets_retention: Duration,
}
#[allow(missing_docs)]
pub fn socket_path(dir: &Path) -> PathBuf {
    dir.join(".s")
}
