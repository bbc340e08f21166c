//! Another library written in Rust, for `static.c`.

/// Starts threads and returns how many have ended.
#[unsafe(no_mangle)]
pub extern "C" fn other_rust_threads(count: usize) -> usize {
    let threads: Vec<_> = (0..count).map(|_| std::thread::spawn(|| ())).collect();
    threads.into_iter().filter_map(|thread| thread.join().ok()).count()
}
