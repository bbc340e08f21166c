//! The consumer: what an application holds.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use slab::Slab;

use super::config::{Config, ConsumerConfig, Source};
use super::engine::{Engine, Feeder, dead, no_resource};
use super::group::{Group, GroupMembershipOperation};
use super::inflate::InflatePool;
use super::partition::Partition;
use super::records::Recycler;
use super::settings;
use super::stats::Counters;
use crate::buffer::Budget;
use crate::error::{Error, ErrorKind, Result};
use crate::fetch::call::ConsumerId;
use crate::fetch::reply::Reply;
use crate::log::LogDirs;
use crate::net::command::{NewConsumer, NewSource, What};
use crate::ring::bridge::Bridge;
use crate::ring::ready::ReadySet;
use crate::ring::wake::Waited;
use crate::topic::TopicName;

/// Reads partitions of Kafka topics, from brokers or from log directories.
///
/// # Threads
///
/// One thread at a time; [`Consumer::wakeup_handle`] gives others a way to end a poll.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use kfetch::{Config, Consumer, TopicPartition};
///
/// # fn main() -> kfetch::Result<()> {
/// let config = Config::new()
///     .with("bootstrap.servers", "localhost:9092")?
///     .with("auto.offset.reset", "earliest")?;
/// let mut consumer = Consumer::new(&config)?;
/// consumer.assign(&[TopicPartition::new("orders", 0)])?;
/// while let Some(records) = consumer.poll(Duration::from_secs(5))? {
///     for record in &records {
///         println!("{} {:?}", record.offset(), record.value());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Consumer {
    pub(super) config: ConsumerConfig,
    pub(super) engine: Engine,
    pub(super) feeder: Feeder,
    pub(super) id: ConsumerId,
    pub(super) bridge: Arc<Bridge>,
    pub(super) budget: Arc<Budget>,
    pub(super) control: Arc<Control>,
    pub(super) partitions: Slab<Partition>,
    pub(super) by_name: HashMap<TopicName, HashMap<i32, usize>>,
    pub(super) ready: ReadySet,
    /// Partitions with data, in the order in which they are served.
    pub(super) listed: VecDeque<usize>,
    pub(super) inflate: InflatePool,
    pub(super) recycler: Recycler,
    /// The number of the next handle.
    pub(super) serial: u64,
    pub(super) counters: Counters,
    /// The group, where there is one.
    pub(super) group: Option<Box<Group>>,
    is_closed: bool,
}

/// What the engine gets to let a consumer go whose group has used up the time of a close.
const ENGINE_TIME: Duration = Duration::from_millis(200);

/// What other threads may touch.
#[derive(Debug)]
pub(super) struct Control {
    /// Whether `wakeup` has been called and no call has ended for it yet.
    woken: AtomicBool,
    bridge: Arc<Bridge>,
}

/// Ends a poll that waits, from any thread or a signal handler.
#[derive(Clone, Debug)]
pub struct WakeupHandle(Arc<Control>);

impl WakeupHandle {
    /// Makes the consumer's running or next blocking call end with [`ErrorKind::Wakeup`].
    pub fn wakeup(&self) {
        self.0.woken.store(true, Ordering::Release);
        self.0.bridge.application().notify();
    }
}

impl Consumer {
    /// Makes a consumer on the process's default engine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what the configuration lacks or cannot have, and as
    /// [`Consumer::with_engine`].
    pub fn new(config: &Config) -> Result<Self> {
        let config = config.consumer()?;
        Self::with_engine(&Engine::shared()?, config)
    }

    /// Makes a consumer on an engine.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Resource`] when there is no thread or descriptor left, and [`ErrorKind::Io`]
    /// for a log directory that cannot be listed. [`ErrorKind::Config`] where two of them are one
    /// and, with a group, where more than one has the offsets of groups.
    pub fn with_engine(engine: &Engine, config: ConsumerConfig) -> Result<Self> {
        let (feeder, source) = open(&config)?;
        let commands = engine.commands(feeder)?;
        let bridge = Bridge::new(Arc::clone(commands.parker())).map_err(no_resource)?;
        let calling = Arc::clone(&bridge);
        let wake = Box::new(move || calling.call_feeder());
        let budget = Budget::new(config.memory_max_bytes, wake);
        let id = engine.new_consumer_id();
        let new = NewConsumer {
            source,
            settings: settings::fetch(&config, clock()),
            bridge: Arc::clone(&bridge),
            budget: Arc::clone(&budget),
        };
        engine.send(feeder, id, What::Add(Box::new(new)))?;
        let group = Group::new(&config, engine, id, &bridge).inspect_err(|_| {
            drop(engine.send(feeder, id, What::Remove(Reply::new(|()| {}))));
        })?;
        for warning in config.warnings() {
            engine.logger().warn("kfetch::config", format_args!("{warning}"));
        }
        let inflate = InflatePool::new(Arc::clone(&budget), config.batch_inflated_max_bytes);
        let control =
            Arc::new(Control { woken: AtomicBool::new(false), bridge: Arc::clone(&bridge) });
        Ok(Self {
            config,
            engine: engine.clone(),
            feeder,
            id,
            bridge,
            budget,
            control,
            partitions: Slab::new(),
            by_name: HashMap::new(),
            ready: ReadySet::default(),
            listed: VecDeque::new(),
            inflate,
            recycler: Recycler::new(),
            serial: 0,
            counters: Counters::default(),
            group,
            is_closed: false,
        })
    }

    /// Returns a handle that ends a poll from elsewhere.
    pub fn wakeup_handle(&self) -> WakeupHandle {
        WakeupHandle(Arc::clone(&self.control))
    }

    /// Returns a descriptor that is readable when a poll would return something at once. It is
    /// not to be read; poll until nothing comes before waiting for it.
    pub fn fd(&self) -> RawFd {
        self.bridge.application().signal().fd()
    }

    /// Returns the configuration.
    pub fn config(&self) -> &ConsumerConfig {
        &self.config
    }

    /// Lets everything go and waits up to `timeout` until the engine has done so. Handles stay
    /// valid. A member of a group commits where `enable.auto.commit` says so, has its partitions
    /// revoked, with the listener called, and leaves, unless it is a static one. One that is
    /// dropped instead commits nothing and calls nobody; it leaves if its connection takes that at
    /// once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] when the engine did not answer in time; the consumer is closed then
    /// as well. [`ErrorKind::State`] inside of a callback.
    pub fn close(&mut self, timeout: Duration) -> Result<()> {
        self.close_with(timeout, GroupMembershipOperation::Default)
    }

    /// Closes as [`Consumer::close`], and says whether the member leaves its group.
    ///
    /// # Errors
    ///
    /// As [`Consumer::close`].
    pub fn close_with(
        &mut self,
        timeout: Duration,
        operation: GroupMembershipOperation,
    ) -> Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let mut deadline = deadline_after(timeout);
        if !self.bridge.is_dead() {
            self.check_outside_of_callback()?;
            self.close_group(operation, timeout);
            if self.group.is_some() {
                // A coordinator that does not answer takes all the time: the engine gets a moment.
                deadline = deadline.map(|deadline| deadline.max(clock() + ENGINE_TIME));
            }
        }
        self.is_closed = true;
        self.partitions.clear();
        self.by_name.clear();
        self.listed.clear();
        if self.group.is_some() {
            self.wait_until_done(deadline, |consumer, reply| {
                consumer.engine.send(Feeder::Network, consumer.id, What::RemoveMember(reply))
            })?;
        }
        self.wait_until_done(deadline, |consumer, reply| consumer.send(What::Remove(reply)))
    }

    /// Sends a command and waits until it is done.
    fn wait_until_done(
        &self,
        deadline: Option<Instant>,
        send: impl FnOnce(&Self, Reply<()>) -> Result<()>,
    ) -> Result<()> {
        let done = Arc::new(AtomicBool::new(false));
        let (flag, bridge) = (Arc::clone(&done), Arc::clone(&self.bridge));
        let reply = Reply::new(move |()| {
            flag.store(true, Ordering::Release);
            bridge.application().notify();
        });
        send(self, reply)?;
        match self.wait_for(deadline, || done.load(Ordering::Acquire).then_some(())) {
            Some(()) => Ok(()),
            None => Err(Error::new(ErrorKind::Timeout, "the engine did not answer in time")),
        }
    }

    /// Sends a command to the loop that feeds this consumer.
    pub(super) fn send(&self, what: What) -> Result<()> {
        self.engine.send(self.feeder, self.id, what)
    }

    /// Refuses calls on a consumer that is closed or whose engine is dead.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_closed {
            return Err(Error::new(ErrorKind::Closed, "the consumer is closed"));
        }
        if self.bridge.is_dead() {
            return Err(dead());
        }
        Ok(())
    }

    /// Ends a call for which `wakeup` was called, once; but no call of a callback inside of close,
    /// which is the last chance to commit (Java disables wake-ups there, too).
    pub(super) fn check_wakeup(&self) -> Result<()> {
        let woken = &self.control.woken;
        let is_closing = self.group.as_ref().is_some_and(|group| group.is_closing);
        if woken.load(Ordering::Relaxed) && woken.swap(false, Ordering::Acquire) && !is_closing {
            return Err(Error::new(ErrorKind::Wakeup, "wakeup was called"));
        }
        Ok(())
    }

    pub(super) fn is_woken(&self) -> bool {
        self.control.woken.load(Ordering::Acquire)
    }

    /// Waits until `ready` gives something or the deadline has passed.
    pub(super) fn wait_for<T>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let found = self.wait_until(deadline, &mut ready);
        // What came meanwhile took the descriptor's readiness along, and a program may wait for it.
        self.bridge.application().arm();
        if self.has_news() || !self.listed.is_empty() {
            self.bridge.application().notify();
        }
        found
    }

    fn wait_until<T>(
        &self,
        deadline: Option<Instant>,
        ready: &mut impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let parker = self.bridge.application();
        loop {
            parker.signal().drain();
            parker.arm();
            let found = ready();
            if found.is_some() || self.bridge.is_dead() {
                return found;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(clock()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            // An interruption only brings another look.
            if !matches!(parker.signal().wait(left), Ok(Waited::Signalled | Waited::Interrupted)) {
                return ready();
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if !self.is_closed {
            // Nobody waits for the outcome.
            if self.group.is_some() {
                self.part_from_group();
                let remove = What::RemoveMember(Reply::new(|()| {}));
                drop(self.engine.send(Feeder::Network, self.id, remove));
            }
            drop(self.send(What::Remove(Reply::new(|()| {}))));
        }
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("id", &self.id)
            .field("partitions", &self.partitions.len())
            .field("closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

/// Returns who feeds a consumer, and from where.
fn open(config: &ConsumerConfig) -> Result<(Feeder, NewSource)> {
    Ok(match &config.source {
        Source::Brokers(servers) => {
            (Feeder::Network, NewSource::Cluster(settings::cluster(config, servers)))
        }
        Source::LogDirs(paths) => {
            let dirs = LogDirs::open(paths)?;
            (Feeder::Files, NewSource::LogDirs(dirs, config.log_read_mode))
        }
    })
}

/// Reads the clock.
pub(super) fn clock() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "a poll's deadline")]
    Instant::now()
}

/// Returns when a call that begins now is over; none where that is beyond what a clock can tell.
pub(super) fn deadline_after(timeout: Duration) -> Option<Instant> {
    clock().checked_add(timeout)
}
