//! A member of the group that `kfetch demo groups` shows, and what it tells of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kfetch::coordinator::assignor::{
    Assignment, Assignor, ClusterTopics, CooperativeStickyAssignor, GroupMember, MemberAssignment,
};
use kfetch::topic::TopicName;
use kfetch::{Config, Consumer, Engine, RebalanceListener, TopicPartition};

use crate::failure::Outcome;

/// The group, and the topic that it reads.
pub(crate) const GROUP: &str = "demo";
pub(crate) const TOPIC: &str = "orders";

/// How long a poll waits.
const STEP: Duration = Duration::from_millis(10);

/// How long a commit or a farewell may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    consumer: Consumer,
    told: Told,
    /// By partition: the first offset that has been read since the last commit, and the next one.
    read: BTreeMap<i32, (i64, i64)>,
}

/// What has happened in a member since it was last looked at, in sentences without a subject.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn tell(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// The assignor that moves the least, which tells who leads, and what each generation brings.
#[derive(Debug)]
struct TellingAssignor {
    assignor: CooperativeStickyAssignor,
    told: Told,
}

impl Assignor for TellingAssignor {
    fn name(&self) -> &str {
        self.assignor.name()
    }

    fn is_cooperative(&self) -> bool {
        self.assignor.is_cooperative()
    }

    fn user_data(&self, topics: &[TopicName]) -> Option<Vec<u8>> {
        self.assignor.user_data(topics)
    }

    fn assign(
        &mut self,
        cluster: &ClusterTopics,
        group: &[GroupMember],
    ) -> kfetch::Result<Vec<MemberAssignment>> {
        let mut names: Vec<&str> = group.iter().map(name_of).collect();
        names.sort_unstable();
        self.told.tell(format!("leads, and divides the partitions among {}", names.join(", ")));
        self.assignor.assign(cluster, group)
    }

    fn handle_assignment(&mut self, assignment: &Assignment, generation: i32) {
        self.assignor.handle_assignment(assignment, generation);
        let mut numbers: Vec<i32> = assignment.partitions.iter().map(|(_, one)| *one).collect();
        numbers.sort_unstable();
        let owns = match numbers.as_slice() {
            [] => "nothing, and waits for its turn".to_owned(),
            numbers => list(numbers.iter().copied()),
        };
        self.told.tell(format!("is in generation {generation}: owns {owns}"));
    }
}

impl RebalanceListener for Told {
    fn revoked(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) {
        if !partitions.is_empty() {
            self.tell(format!("gives up {}", list(partitions.iter().map(|one| one.partition))));
        }
    }
}

impl Member {
    /// Starts a member, which joins with its next polls.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub(crate) fn start(
        engine: &Engine,
        log_dir: &Path,
        name: &'static str,
        is_static: bool,
    ) -> Outcome<Self> {
        let mut config = Config::new()
            .with("log.dirs", &log_dir.display().to_string())?
            .with("group.id", GROUP)?
            .with("client.id", name)?
            .with("auto.offset.reset", "earliest")?
            .with("enable.auto.commit", "false")?
            // Who stays hears of a rebalance with a heartbeat.
            .with("heartbeat.interval.ms", "100")?;
        if is_static {
            config.set("group.instance.id", name)?;
        }
        let mut consumer = Consumer::with_engine(engine, config.consumer()?)?;
        let told = Told::default();
        consumer.set_rebalance_listener(Some(Box::new(told.clone())))?;
        let assignor = CooperativeStickyAssignor::default();
        let assignor = TellingAssignor { assignor, told: told.clone() };
        consumer.set_assignors(vec![Box::new(assignor)])?;
        consumer.subscribe(&[TOPIC])?;
        Ok(Self { name, consumer, told, read: BTreeMap::new() })
    }

    /// Reads what there is; returns how many records it was.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub(crate) fn poll(&mut self) -> Outcome<usize> {
        let Some(records) = self.consumer.poll(STEP)? else { return Ok(0) };
        for record in &records {
            let offset = record.offset();
            let (_, next) = self.read.entry(record.partition()).or_insert((offset, offset));
            *next = offset + 1;
        }
        Ok(records.len())
    }

    /// Commits what it has read since the last time, and tells of it.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub(crate) fn commit(&mut self) -> Outcome {
        if self.read.is_empty() {
            return Ok(());
        }
        self.consumer.commit_sync(TIMEOUT)?;
        for (partition, (first, next)) in std::mem::take(&mut self.read) {
            let last = next - 1;
            self.told.tell(format!(
                "reads {} from {first} to {last}, and commits {next}",
                list([partition].into_iter())
            ));
        }
        Ok(())
    }

    /// Closes: a static member says nothing to the group, any other one leaves it.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub(crate) fn close(&mut self) -> Outcome {
        Ok(self.consumer.close(TIMEOUT)?)
    }

    /// Returns what has happened since the last call.
    pub(crate) fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.told.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns how many partitions are its own.
    pub(crate) fn owned(&self) -> usize {
        self.consumer.assignment().len()
    }

    /// Returns the generation that it is in, −1 before the first.
    pub(crate) fn generation(&self) -> i32 {
        self.consumer.group_metadata().map_or(-1, |known| known.generation)
    }

    /// Returns the ends of the topic's partitions.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub(crate) fn ends(&mut self, partitions: i32) -> Outcome<Vec<i64>> {
        let all: Vec<_> = (0..partitions).map(|one| TopicPartition::new(TOPIC, one)).collect();
        let ends = self.consumer.end_offsets(&all, TIMEOUT)?;
        Ok(ends.into_iter().collect::<Result<_, _>>()?)
    }
}

/// Returns the name with which a member was started: its id begins with that.
fn name_of(member: &GroupMember) -> &str {
    let id = member.group_instance_id.as_deref().unwrap_or(&member.member_id);
    id.split('-').next().unwrap_or(id)
}

fn list(partitions: impl Iterator<Item = i32>) -> String {
    let mut partitions: Vec<i32> = partitions.collect();
    partitions.sort_unstable();
    let named: Vec<String> = partitions.iter().map(|one| format!("{TOPIC} [{one}]")).collect();
    named.join(", ")
}
