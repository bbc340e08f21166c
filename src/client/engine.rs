//! The engine that consumers share: one thread for all of their brokers, and one for all of their
//! log directories.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, io};

use crate::error::{Error, ErrorKind, Result};
use crate::fetch::call::ConsumerId;
use crate::logger::Logger;
use crate::net::command::{Commands, What};
use crate::net::event_loop::EventLoop;
use crate::net::file_loop::FileLoop;
use crate::ring::thread::{is_current, spawn};

/// The engine of consumers that were not given one, and the process that started it: a fork's
/// child has a copy whose thread it lacks.
static DEFAULT: Mutex<(u32, Weak<Shared>)> = Mutex::new((0, Weak::new()));

/// Which of an engine's threads feeds a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feeder {
    /// When its records come from brokers.
    Network,
    /// When they come from log directories.
    Files,
}

/// A thread that serves any number of consumers, and one more for those that read log directories;
/// they end with the last clone of their engine, of which every consumer has one.
///
/// # Threads
///
/// Any thread.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    network: LoopThread,
    /// Started with the first log directory.
    files: OnceLock<LoopThread>,
    files_starting: Mutex<()>,
    next_consumer: AtomicU64,
    logger: Arc<Logger>,
}

/// A loop's thread and the way to send it commands.
struct LoopThread {
    /// None only while it is being dropped.
    commands: Option<Commands>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Engine {
    /// Starts an engine of its own, for isolation from the consumers of others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when there is no thread or no descriptor left.
    pub fn new() -> Result<Self> {
        Self::with_logger(Logger::without_callback())
    }

    /// Starts an engine whose messages go to `logger`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when there is no thread or no descriptor left.
    pub fn with_logger(logger: Logger) -> Result<Self> {
        let logger = Arc::new(logger);
        let (event_loop, commands) =
            EventLoop::new(Arc::clone(&logger), seed()).map_err(no_resource)?;
        let thread = spawn("kfetch", move || event_loop.run()).map_err(no_resource)?;
        let shared = Shared {
            network: LoopThread { commands: Some(commands), thread: Some(thread) },
            files: OnceLock::new(),
            files_starting: Mutex::new(()),
            next_consumer: AtomicU64::new(0),
            logger,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the process's default engine, which is started if no consumer uses it yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when there is no thread or no descriptor left.
    pub fn shared() -> Result<Self> {
        let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
        let (process, known) = &*default;
        if *process == std::process::id()
            && let Some(shared) = known.upgrade()
        {
            return Ok(Self { shared });
        }
        let engine = Self::new()?;
        *default = (std::process::id(), Arc::downgrade(&engine.shared));
        Ok(engine)
    }

    pub(super) fn new_consumer_id(&self) -> ConsumerId {
        ConsumerId(self.shared.next_consumer.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the way to a thread, which is started if it is the first time.
    pub(super) fn commands(&self, feeder: Feeder) -> Result<&Commands> {
        if feeder == Feeder::Files {
            self.start_files()?;
        }
        self.running(feeder).ok_or_else(dead)
    }

    /// Sends a command; an engine whose thread is gone is an error.
    pub(super) fn send(&self, feeder: Feeder, consumer: ConsumerId, what: What) -> Result<()> {
        match self.running(feeder) {
            Some(commands) if commands.send(consumer, what) => Ok(()),
            _ => Err(dead()),
        }
    }

    fn running(&self, feeder: Feeder) -> Option<&Commands> {
        let thread = match feeder {
            Feeder::Network => Some(&self.shared.network),
            Feeder::Files => self.shared.files.get(),
        };
        thread.and_then(|thread| thread.commands.as_ref())
    }

    fn start_files(&self) -> Result<()> {
        let starting = &self.shared.files_starting;
        let _guard = starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.files.get().is_none() {
            let logger = Arc::clone(&self.shared.logger);
            let (file_loop, commands) = FileLoop::new(logger).map_err(no_resource)?;
            let thread = spawn("kfetch-files", move || file_loop.run()).map_err(no_resource)?;
            let started = LoopThread { commands: Some(commands), thread: Some(thread) };
            // Nobody else starts one meanwhile.
            drop(self.shared.files.set(started));
        }
        Ok(())
    }

    pub(super) fn logger(&self) -> &Arc<Logger> {
        &self.shared.logger
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Drop for LoopThread {
    fn drop(&mut self) {
        let Some(commands) = self.commands.take() else { return };
        let parker = Arc::clone(commands.parker());
        // The loop ends when the last sender is gone. It cannot look for that before it sleeps, so
        // that it is woken also where it does not seem to sleep yet.
        drop(commands);
        parker.signal().signal();
        if let Some(thread) = self.thread.take()
            && !is_current(&thread)
        {
            // A loop that failed has told its consumers.
            drop(thread.join());
        }
    }
}

/// Says that the engine's thread is gone, which is a defect of kfetch.
pub(super) fn dead() -> Error {
    Error::new(ErrorKind::Poisoned, "the engine has met a defect and stopped").with_fatal()
}

pub(super) fn no_resource(error: io::Error) -> Error {
    Error::new(ErrorKind::Resource, error.to_string())
}

/// Returns a number that differs from process to process, for jitter.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() ^ (u64::from(since.subsec_nanos()) << 32) ^ u64::from(std::process::id())
}
