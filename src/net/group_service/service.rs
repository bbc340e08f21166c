//! The handle of the thread that serves.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use mio::Poll;

use super::serve::{Server, WAKE_TOKEN};
use super::settings::ServiceSettings;
use super::socket::{lock_path, socket_path};
use crate::buffer::FileLock;
use crate::embedded::refuse_brokers;
use crate::error::{Error, ErrorKind, Result};
use crate::logger::Logger;

const TARGET: &str = "kfetch::groups";

/// What the thread and its handle share.
#[derive(Debug, Default)]
struct Shared {
    is_stopping: AtomicBool,
    is_serving: AtomicBool,
    has_ended: AtomicBool,
    failure: Mutex<Option<Error>>,
}

/// The service of a log directory's groups, or the attempt to be it.
///
/// Dropping it stops it and waits for its end.
///
/// # Threads
///
/// Any thread.
#[derive(Debug)]
pub struct GroupService {
    shared: Arc<Shared>,
    waker: mio::Waker,
    thread: Option<JoinHandle<()>>,
}

impl GroupService {
    /// Starts the thread `kfetch-groups`, which tries the directory's lock once. With it, it reads
    /// the offsets, listens and serves; without, it ends at once, since somebody else does that.
    ///
    /// # Errors
    ///
    /// What the operating system says where there is no thread or descriptor for it, and
    /// [`io::ErrorKind::InvalidInput`] for the directory of a broker.
    pub fn start(settings: ServiceSettings, logger: Arc<Logger>) -> io::Result<Self> {
        let refused = |error: Error| match error.kind() {
            ErrorKind::InvalidArgument => {
                io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
            }
            _ => io::Error::other(error.to_string()),
        };
        refuse_brokers(&settings.dir).map_err(refused)?;
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE_TOKEN)?;
        let shared = Arc::new(Shared::default());
        let run = {
            let shared = Arc::clone(&shared);
            move || run_thread(&settings, poll, &logger, &shared)
        };
        let thread = Builder::new().name("kfetch-groups".to_owned()).spawn(run)?;
        Ok(Self { shared, waker, thread: Some(thread) })
    }

    /// Tells whether the thread still tries, or serves.
    pub fn is_running(&self) -> bool {
        !self.shared.has_ended.load(Ordering::Acquire)
    }

    /// Tells whether this process serves the directory's groups.
    pub fn is_serving(&self) -> bool {
        self.is_running() && self.shared.is_serving.load(Ordering::Acquire)
    }

    /// Returns why the service has ended, or did not come about; fatal where that will not change
    /// by itself.
    pub fn failure(&self) -> Option<Error> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the thread to end: it closes the socket and all connections and gives the lock back.
    /// What was acknowledged is in the log, what was not is for the next one.
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        // It fails only where the descriptor is gone, and with it the thread.
        drop(self.waker.wake());
    }
}

impl Drop for GroupService {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A panic has been told by the thread itself.
            drop(thread.join());
        }
    }
}

/// Makes the error of an operation, fatal where no other attempt will end otherwise.
pub(in crate::net) fn settled(error: &io::Error, text: String) -> Error {
    let told = Error::new(ErrorKind::Io, text);
    match error.kind() {
        io::ErrorKind::InvalidInput
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => told.with_fatal(),
        _ => told,
    }
}

/// Says that the thread has ended, however it does.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Release);
    }
}

fn run_thread(settings: &ServiceSettings, poll: Poll, logger: &Arc<Logger>, shared: &Shared) {
    let _ending = Ending(shared);
    if let Err(error) = try_run(settings, poll, logger, shared) {
        let dir = settings.dir.display();
        logger.warn(TARGET, format_args!("the groups of {dir} are not served: {error}"));
        *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

fn try_run(
    settings: &ServiceSettings,
    poll: Poll,
    logger: &Arc<Logger>,
    shared: &Shared,
) -> Result<()> {
    let dir = &settings.dir;
    let failed = |what: &str, error: &io::Error| {
        settled(error, format!("cannot {what} {}: {error}", dir.display()))
    };
    fs::create_dir_all(dir).map_err(|error| failed("make", &error))?;
    let _lock = match FileLock::try_take(&lock_path(dir)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(failed("lock the groups of", &error)),
    };
    let mut server = Server::open(settings, poll, Arc::clone(logger))?;
    shared.is_serving.store(true, Ordering::Release);
    logger.debug(TARGET, format_args!("serves the groups of {}", dir.display()));
    let served = server.run(&shared.is_stopping);
    shared.is_serving.store(false, Ordering::Release);
    if !server.has_members() {
        // While the lock is held, so that it is not the next one's socket.
        drop(fs::remove_file(socket_path(dir)));
    }
    let closed = server.close();
    served.and(closed)
}
