//! Running a simulation over many seeds, or over the one that is to be looked at.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Failures that are shown; the rest is counted.
const SHOWN: usize = 20;

/// Runs each seed below `count`, or as many as `KFETCH_SEEDS` says, and the `rare` ones, on two
/// threads; or the one of `KFETCH_SEED`, which prints what happens.
///
/// # Panics
///
/// When a seed fails.
pub(crate) fn run_seeds<E: Display>(
    count: u64,
    rare: &[u64],
    run: impl Fn(u64, bool) -> Result<(), E> + Sync,
) {
    if let Some(seed) = number_in_environment("KFETCH_SEED") {
        run(seed, true).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        return;
    }
    let count = number_in_environment("KFETCH_SEEDS").unwrap_or(count);
    let seeds: Vec<u64> = (0..count).chain(rare.iter().copied()).collect();
    let next = AtomicUsize::new(0);
    let failed = thread::scope(|scope| {
        let worker = || {
            let mut failed = Vec::new();
            while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(violation) = run(seed, false) {
                    failed.push(format!("seed {seed}: {violation}"));
                }
            }
            failed
        };
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let shown = failed[..failed.len().min(SHOWN)].join("\n");
    assert!(failed.is_empty(), "{} of {} seeds failed:\n{shown}", failed.len(), seeds.len());
}

fn number_in_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}
