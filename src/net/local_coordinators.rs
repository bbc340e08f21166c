//! Coordinators of log directories that this loop runs, since nobody else does.
//!
//! Which process coordinates a directory's groups is decided by a lock in it. A member only
//! connects to the directory's socket; where nobody listens there, a service is started that tries
//! for the lock, and the member connects again after its back-off, to whoever has got it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::group_service::{GroupService, ServiceSettings, settled, socket_path};
use crate::error::Error;
use crate::fetch::call::ConsumerId;
use crate::fetch::engine::Address;
use crate::fetch::failure::Failure;
use crate::logger::Logger;

/// How long a directory is left alone whose groups could not be served: as a rule it is a broker's,
/// or cannot be written.
const PAUSE: Duration = Duration::from_secs(10);

/// A directory with members on this loop.
#[derive(Debug)]
struct Place {
    settings: ServiceSettings,
    members: BTreeSet<ConsumerId>,
    /// The service, from its start on; it may have ended by itself.
    service: Option<GroupService>,
    /// Why the last one has failed, and until when no other is started.
    trouble: Option<(Error, Instant)>,
}

/// The services of one loop, at most one for each directory.
#[derive(Debug)]
pub(super) struct LocalCoordinators {
    /// By the path of the directory's socket.
    places: BTreeMap<PathBuf, Place>,
    /// Services without members, which are on their way out.
    ending: Vec<GroupService>,
    /// Members whose groups nobody will serve, and why, until somebody wants to know.
    hopeless: Vec<(ConsumerId, Error)>,
    logger: Arc<Logger>,
}

impl LocalCoordinators {
    pub(super) fn new(logger: Arc<Logger>) -> Self {
        Self { places: BTreeMap::new(), ending: Vec::new(), hopeless: Vec::new(), logger }
    }

    /// Counts one more member of a directory.
    pub(super) fn add(&mut self, member: ConsumerId, settings: ServiceSettings) {
        let place = self.places.entry(socket_path(&settings.dir)).or_insert_with(|| Place {
            settings,
            members: BTreeSet::new(),
            service: None,
            trouble: None,
        });
        place.members.insert(member);
    }

    /// Lets a member go, and its directory's service if it has none left: it ends by itself.
    pub(super) fn remove(&mut self, member: ConsumerId) {
        self.ending.retain(GroupService::is_running);
        let ending = &mut self.ending;
        self.places.retain(|_, place| {
            place.members.remove(&member);
            let is_used = !place.members.is_empty();
            let service = place.service.take_if(|_| !is_used);
            ending.extend(service.inspect(GroupService::stop));
            is_used
        });
    }

    /// Takes note that an address could not be connected to: starts the service that should listen
    /// there, if it is a directory's. Returns the failure with what is known of that service.
    pub(super) fn handle_refused(
        &mut self,
        address: &Address,
        failure: Failure,
        now: Instant,
    ) -> Failure {
        let Address::Unix(path) = address else { return failure };
        let Some(place) = self.places.get_mut(path) else { return failure };
        place.start(&self.logger, now);
        let Some((trouble, _)) = &place.trouble else { return failure };
        if trouble.is_fatal() {
            self.hopeless.extend(place.members.iter().map(|member| (*member, trouble.clone())));
        }
        Failure::Io(format!("{failure}: {trouble}"))
    }

    /// Takes the members whose groups nobody will serve, with why.
    pub(super) fn take_hopeless(&mut self) -> Vec<(ConsumerId, Error)> {
        std::mem::take(&mut self.hopeless)
    }
}

impl Place {
    /// Starts the service unless it runs, or has just failed.
    fn start(&mut self, logger: &Arc<Logger>, now: Instant) {
        if self.service.as_ref().is_some_and(GroupService::is_running) {
            return;
        }
        if let Some(ended) = self.service.take() {
            self.trouble = ended.failure().map(|error| (error, now + PAUSE));
        }
        if self.trouble.as_ref().is_some_and(|(_, until)| now < *until) {
            return;
        }
        match GroupService::start(self.settings.clone(), Arc::clone(logger)) {
            Ok(service) => self.service = Some(service),
            Err(error) => {
                let text = format!("its groups cannot be served: {error}");
                logger.warn(
                    "kfetch::groups",
                    format_args!("{}: {text}", self.settings.dir.display()),
                );
                self.trouble = Some((settled(&error, text), now + PAUSE));
            }
        }
    }
}
