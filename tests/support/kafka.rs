//! A real Apache Kafka of one or three nodes on 127.0.0.1, each a broker and a controller.
//!
//! It is ready when `start` returns, and it is gone when the [`Cluster`] is dropped, when the test
//! panics, and when the test process is killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kfetch::protocol::ApiKey;

use super::helper::helper;
use super::jvm;
use super::port::free_port;
use super::process::Process;
use super::temp_dir::TempDir;

/// What a node prints.
const LOG: &str = "server.log";
const CLUSTER_ID: &str = "a2ZldGNoLXRlc3QtY2x1cw";
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// What a test wants of its cluster beyond the defaults.
#[derive(Debug, Clone)]
pub(crate) struct ClusterBuilder {
    nodes: u32,
    data_dirs: u32,
    properties: Vec<(String, String)>,
    java_options: Vec<String>,
    /// The own port of each further listener, and the one that its clients are told.
    behind: Vec<[u16; 2]>,
}

/// A running cluster; its node ids are 1 to the number of nodes.
#[derive(Debug)]
pub(crate) struct Cluster {
    brokers: Vec<Broker>,
    directory: TempDir,
    _turn: Turn,
}

/// One node of a cluster.
#[derive(Debug)]
pub(crate) struct Broker {
    id: u32,
    port: u16,
    directory: PathBuf,
    data_dirs: Vec<PathBuf>,
    java_options: Vec<String>,
    /// `None` between a stop and the next start.
    process: Mutex<Option<Process>>,
}

impl Cluster {
    /// Begins the description of a cluster that a test has for itself.
    pub(crate) fn builder() -> ClusterBuilder {
        let (properties, java_options, behind) = (Vec::new(), Vec::new(), Vec::new());
        ClusterBuilder { nodes: 1, data_dirs: 1, properties, java_options, behind }
    }

    /// Returns the one-node cluster that the tests of this binary share, started on first use.
    /// They must not stop it, and name their topics after themselves.
    pub(crate) fn shared() -> Shared {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        Shared(SHARED.get_or_init(|| Self::builder().start_beside_others()))
    }

    /// Returns the `bootstrap.servers` of all nodes.
    pub(crate) fn bootstrap(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn broker(&self, id: u32) -> &Broker {
        self.brokers.iter().find(|broker| broker.id == id).expect("a node of this cluster")
    }

    pub(crate) fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// Returns a directory beside the brokers' own that goes away with the cluster.
    pub(crate) fn scratch(&self) -> PathBuf {
        let path = self.directory.path().join("scratch");
        fs::create_dir_all(&path).expect("the cluster's directory is writable");
        path
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_tails();
        }
    }
}

impl Cluster {
    fn print_tails(&self) {
        for broker in &self.brokers {
            eprintln!("broker {}, last lines of its log:\n{}", broker.id, broker.tail());
        }
    }
}

/// A test's use of the shared cluster: where the test panics, the brokers' last lines are shown.
#[derive(Debug)]
pub(crate) struct Shared(&'static Cluster);

impl std::ops::Deref for Shared {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.print_tails();
        }
    }
}

impl ClusterBuilder {
    pub(crate) fn nodes(mut self, nodes: u32) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets how many directories each broker has in its `log.dirs`.
    pub(crate) fn data_dirs(mut self, data_dirs: u32) -> Self {
        self.data_dirs = data_dirs;
        self
    }

    /// Sets a server property of every node; it wins over those that this module sets.
    pub(crate) fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets every node log each request, for [`Broker::logged_versions`].
    pub(crate) fn log_requests(mut self) -> Self {
        self.java_options.push("-Dorg.slf4j.simpleLogger.log.kafka.request.logger=debug".into());
        self
    }

    /// Adds a listener on `port` to the one node. Who connects to it is told in all metadata that
    /// the node is on the port `told`, where a proxy may be; the others are told as before.
    pub(crate) fn listener(mut self, port: u16, told: u16) -> Self {
        self.behind.push([port, told]);
        self
    }

    /// Starts the cluster and waits until every node serves.
    ///
    /// Tests of one binary take turns: one such cluster runs at a time, beside the shared one.
    pub(crate) fn start(self) -> Cluster {
        let turn = Turn::take();
        self.start_with(turn)
    }

    fn start_beside_others(self) -> Cluster {
        self.start_with(Turn { taken: false })
    }

    fn start_with(self, turn: Turn) -> Cluster {
        let directory = TempDir::new("kafka");
        let ports: Vec<[u16; 2]> = (0..self.nodes).map(|_| [free_port(), free_port()]).collect();
        let voters: Vec<String> =
            (1..).zip(&ports).map(|(id, [_, port])| format!("{id}@127.0.0.1:{port}")).collect();
        let broker = |(id, ports): (u32, &[u16; 2])| {
            let broker = Broker::new(id, ports[0], directory.path(), &self);
            let properties = self.server_properties(&broker, ports[1], &voters.join(","));
            fs::write(broker.config(), properties).expect("the cluster's directory is writable");
            broker.format();
            broker.spawn();
            broker
        };
        let brokers: Vec<Broker> = (1..).zip(&ports).map(broker).collect();
        let cluster = Cluster { brokers, directory, _turn: turn };
        cluster.brokers.iter().for_each(Broker::wait_started);
        jvm::note_started();
        cluster
    }

    fn server_properties(&self, broker: &Broker, controller: u16, voters: &str) -> String {
        let (id, port) = (broker.id, broker.port);
        let replicas = self.nodes.min(3);
        let min_isr = if self.nodes == 1 { 1 } else { 2 };
        let dirs: Vec<String> =
            broker.data_dirs.iter().map(|dir| dir.display().to_string()).collect();
        let mut text = format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             broker.rack=rack-{id}\n\
             controller.quorum.voters={voters}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             log.dirs={}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.num.partitions=5\n\
             transaction.state.log.num.partitions=5\n\
             broker.heartbeat.interval.ms=500\n\
             broker.session.timeout.ms=5000\n\
             group.initial.rebalance.delay.ms=0\n\
             log.cleaner.dedupe.buffer.size=4194304\n",
            dirs.join(",")
        );
        for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
            text.push_str(&format!("{topic}.replication.factor={replicas}\n"));
        }
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            text.push_str(&format!("{topic}.min.isr={min_isr}\n"));
        }
        if !self.behind.is_empty() {
            text.push_str(&self.listener_properties(port, controller));
        }
        for (name, value) in &self.properties {
            text.push_str(&format!("{name}={value}\n"));
        }
        text
    }

    /// Returns the properties of all listeners, where there are more than the usual.
    fn listener_properties(&self, port: u16, controller: u16) -> String {
        assert_eq!(self.nodes, 1, "the nodes would share the listener's port");
        let mut listeners = format!("PLAINTEXT://127.0.0.1:{port}");
        let (mut told, mut map) = (listeners.clone(), "PLAINTEXT:PLAINTEXT".to_owned());
        for (number, [own, behind]) in self.behind.iter().enumerate() {
            listeners.push_str(&format!(",BEHIND{number}://127.0.0.1:{own}"));
            told.push_str(&format!(",BEHIND{number}://127.0.0.1:{behind}"));
            map.push_str(&format!(",BEHIND{number}:PLAINTEXT"));
        }
        format!(
            "listeners={listeners},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={told}\n\
             listener.security.protocol.map={map},CONTROLLER:PLAINTEXT\n"
        )
    }
}

impl Broker {
    fn new(id: u32, port: u16, cluster: &Path, of: &ClusterBuilder) -> Self {
        let directory = cluster.join(format!("broker-{id}"));
        fs::create_dir_all(&directory).expect("the cluster's directory is writable");
        let data_dirs = (1..=of.data_dirs).map(|n| directory.join(format!("data-{n}"))).collect();
        let java_options = of.java_options.clone();
        Self { id, port, directory, data_dirs, java_options, process: Mutex::new(None) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the directories of `log.dirs`.
    pub(crate) fn data_dirs(&self) -> &[PathBuf] {
        &self.data_dirs
    }

    /// Returns where the broker keeps its replica of a partition.
    pub(crate) fn partition_dir(&self, topic: &str, partition: i32) -> PathBuf {
        let name = format!("{topic}-{partition}");
        let found = self.data_dirs.iter().map(|dir| dir.join(&name)).find(|dir| dir.is_dir());
        found.unwrap_or_else(|| panic!("broker {} has no {name}", self.id))
    }

    /// Returns the segment files of a partition, oldest first.
    pub(crate) fn segments(&self, topic: &str, partition: i32) -> Vec<PathBuf> {
        let directory = self.partition_dir(topic, partition);
        let entries = fs::read_dir(directory).expect("the partition's directory is readable");
        let mut segments: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        segments.sort();
        segments
    }

    /// Returns the process id while the broker runs.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.lock().as_ref().map(Process::id)
    }

    /// Starts a stopped or killed broker, on its ports and data, and waits until it serves.
    pub(crate) fn start(&self) {
        self.spawn();
        self.wait_started();
    }

    /// Ends the broker by SIGTERM: leaders move away, files are closed.
    pub(crate) fn stop(&self) {
        let process = self.lock().take().expect("the broker runs");
        process.signal(libc::SIGTERM);
        let ended = process.wait(STOP_LIMIT);
        assert!(ended.is_some(), "broker {} did not stop\n{}", self.id, process.tail());
    }

    /// Ends the broker by SIGKILL.
    pub(crate) fn kill(&self) {
        drop(self.lock().take().expect("the broker runs"));
    }

    /// Freezes the broker: its connections stay, nothing answers.
    pub(crate) fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: libc::c_int) {
        self.lock().as_ref().expect("the broker runs").signal(signal);
    }

    /// Waits until the broker has logged `marker` since its last start.
    pub(crate) fn wait_for_log(&self, marker: &str, limit: Duration) {
        self.lock().as_ref().expect("the broker runs").wait_for(marker, limit);
    }

    /// Returns the versions in which a client has asked an API, where requests are logged.
    pub(crate) fn logged_versions(&self, api_key: ApiKey, client_id: &str) -> BTreeSet<i16> {
        let log = fs::read_to_string(self.directory.join(LOG)).expect("the log");
        let begin = format!("\"requestApiKey\":{},\"requestApiVersion\":", api_key.code());
        let asked = log.split(&begin).skip(1).filter_map(|rest| rest.split_once(','));
        let client = format!("\"clientId\":\"{client_id}\"");
        let own = asked.filter(|(_, rest)| rest.split('}').next().unwrap_or("").contains(&client));
        own.map(|(version, _)| version.parse().expect("a version")).collect()
    }

    fn wait_started(&self) {
        self.wait_for_log("Kafka Server started", START_LIMIT);
    }

    fn tail(&self) -> String {
        self.lock().as_ref().map_or_else(|| "not running".to_owned(), Process::tail)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    fn format(&self) {
        let config = self.config();
        let config = config.to_str().expect("a path in UTF-8");
        let arguments = ["format", "-t", CLUSTER_ID, "-c", config];
        let output = helper().tool("kafka.tools.StorageTool", &arguments);
        assert_eq!(output.status, 0, "format of broker {}: {output:?}", self.id);
    }

    fn spawn(&self) {
        let name = format!("broker {}", self.id);
        let mut slot = self.lock();
        assert!(slot.is_none(), "{name} runs already");
        let mut options = vec!["-Xmx512m"];
        options.extend(self.java_options.iter().map(String::as_str));
        let mut command = jvm::command(&options, "kafka.Kafka");
        command.arg(self.config());
        *slot = Some(Process::spawn(&name, command, &self.directory.join(LOG)));
    }
}

/// The right to run a cluster of one's own.
#[derive(Debug)]
struct Turn {
    taken: bool,
}

static TURN: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

impl Turn {
    fn take() -> Self {
        let busy = TURN.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy =
            TURN.1.wait_while(busy, |busy| *busy).unwrap_or_else(PoisonError::into_inner);
        *busy = true;
        Self { taken: true }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.taken {
            *TURN.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
            TURN.1.notify_one();
        }
    }
}
