//! An engine's threads end with its last clone, whatever they are doing just then.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use kfetch::{Config, Consumer, Engine};

/// The loops see their last sender go between a look at their commands and their sleep: once in
/// some hundred times the wake-up was lost.
#[test]
fn dropping_an_engine_never_waits_for_a_loop_that_sleeps() {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let (done, is_done) = channel();
    thread::spawn(move || {
        let config = Config::new().with("log.dirs", directory).unwrap().consumer().unwrap();
        for _ in 0..800 {
            let engine = Engine::new().unwrap();
            drop(Consumer::with_engine(&engine, config.clone()).unwrap());
            done.send(()).unwrap();
        }
    });
    for turn in 0..800 {
        let ended = is_done.recv_timeout(Duration::from_secs(20));
        assert!(ended.is_ok(), "turn {turn} hangs");
    }
}
