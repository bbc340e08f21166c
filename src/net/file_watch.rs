//! Which cursors look at which directories, and which of these have changed.
//!
//! A directory of a log holds its checkpoints and names its partitions; a partition's own holds
//! its segments. Where the operating system has no watch (left), a cursor is looked after from
//! time to time instead.

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::fetch::call::ConsumerId;
use crate::ring::watch::{Change, WatchId, Watcher};

/// The token of the watcher.
pub(super) const WATCH_TOKEN: Token = Token(0);

/// Whether, and how, a directory is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Watched {
    /// When it is not, so that somebody has to look from time to time.
    #[default]
    No,
    /// When changes are told.
    Yes(WatchId),
}

/// Who wants to know of a directory's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// When it is one of a consumer's log directories.
    Root(ConsumerId),
    /// When it is the directory of one of its partitions.
    Partition(ConsumerId, u32),
}

/// What has changed.
#[derive(Debug)]
pub(super) enum Changed {
    /// When it is known whom it concerns.
    Places(HashSet<Place>),
    /// When changes were lost.
    Anything,
}

/// All watches of a loop.
#[derive(Debug)]
pub(super) struct Watches {
    watcher: Option<Watcher>,
    users: HashMap<WatchId, HashSet<Place>>,
}

impl Watches {
    /// Opens the watcher, if the operating system has one.
    pub(super) fn new(registry: &Registry) -> Self {
        let watcher = Watcher::new().ok().filter(|watcher| {
            let fd = watcher.fd();
            registry.register(&mut SourceFd(&fd), WATCH_TOKEN, Interest::READABLE).is_ok()
        });
        Self { watcher, users: HashMap::new() }
    }

    /// Watches a directory on behalf of `place`.
    pub(super) fn watch(&mut self, directory: &Path, place: Place) -> Watched {
        match self.watcher.as_ref().and_then(|watcher| watcher.watch(directory).ok()) {
            Some(id) => {
                self.users.entry(id).or_default().insert(place);
                Watched::Yes(id)
            }
            None => Watched::No,
        }
    }

    /// Ends what `place` asked for.
    pub(super) fn unwatch(&mut self, watched: Watched, place: Place) {
        let Watched::Yes(id) = watched else { return };
        let Some(users) = self.users.get_mut(&id) else { return };
        users.remove(&place);
        if users.is_empty() {
            self.users.remove(&id);
            if let Some(watcher) = &self.watcher {
                watcher.unwatch(id);
            }
        }
    }

    /// Returns what has changed since the last time.
    pub(super) fn poll_changed(&self) -> Changed {
        let mut directories = HashSet::new();
        let mut lost = false;
        if let Some(watcher) = &self.watcher {
            watcher.poll_changes(|change| match change {
                Change::In(id) => {
                    directories.insert(id);
                }
                Change::Anywhere => lost = true,
            });
        }
        if lost {
            return Changed::Anything;
        }
        let users = directories.iter().filter_map(|id| self.users.get(id));
        Changed::Places(users.flatten().copied().collect())
    }
}
