//! `kfetch group`: lists and describes groups, and changes their committed offsets.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use kfetch::client::config::{ConsumerConfig, Source};
use kfetch::embedded::groups_dir;
use kfetch::net::group_service::SocketAddress;
use kfetch::{
    Consumer, Engine, Error, ErrorKind, GroupDescription, GroupListing, OffsetAndMetadata,
    TopicPartition,
};

use crate::failure::{Failure, Outcome};
use crate::group_args::{DescribeArgs, GroupCommand, ListArgs, ResetArgs};
use crate::group_delete;
use crate::group_local;
use crate::group_offsets::{self, GroupOffset, Owner};
use crate::group_reset::{self, Target};
use crate::message;
use crate::output::Output;
use crate::progress::{Progress, waiting_for};
use crate::settings;
use crate::source_args::SourceArgs;
use crate::start::{Deadline, refuse_brokers_groups};
use crate::table::shown;

/// `GROUP_ID_NOT_FOUND`.
const GROUP_ID_NOT_FOUND: i16 = 69;

/// What groups are for whose members consume; empty where there never was a member.
const CONSUMERS: [&str; 2] = ["consumer", ""];

/// How long what is left of a client may take to go.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a process that serves the groups of a directory may take to say who owns what.
const OBSERVING_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the command.
///
/// # Errors
///
/// What the library says; [`Failure::Reported`] where only part of it could be done.
pub(crate) fn run(command: &GroupCommand) -> Outcome {
    match command {
        GroupCommand::List(args) => list(args),
        GroupCommand::Describe(args) => describe(args),
        GroupCommand::Reset(args) => reset(args),
        GroupCommand::DeleteOffsets(args) => group_delete::run(args),
    }
}

/// Asks about groups, one after another.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    engine: Engine,
    args: &'a SourceArgs,
    source: Source,
    deadline: Deadline,
}

impl<'a> Client<'a> {
    /// Begins; what is asked has `default.api.timeout.ms` in all.
    ///
    /// # Errors
    ///
    /// What the library refuses in the configuration.
    pub(crate) fn new(args: &'a SourceArgs) -> Outcome<Self> {
        let config = settings::config(args)?.consumer()?;
        let engine = Engine::with_logger(message::logger(false))?;
        let deadline = Deadline::after(config.default_api_timeout);
        Ok(Self { engine, args, source: config.source, deadline })
    }

    /// Returns the log directories, where there are no brokers.
    fn log_dirs(&self) -> Option<&[PathBuf]> {
        match &self.source {
            Source::LogDirs(log_dirs) => Some(log_dirs),
            _ => None,
        }
    }

    /// Returns a consumer that belongs to a group and is no member of it.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub(crate) fn consumer(&self, group: &str) -> Outcome<Consumer> {
        refuse_brokers_groups(&self.source)?;
        Ok(Consumer::with_engine(&self.engine, self.config(group)?)?)
    }

    fn config(&self, group: &str) -> Outcome<ConsumerConfig> {
        let config = settings::config(self.args)?.with("group.id", group)?;
        Ok(config.with("enable.auto.commit", "false")?.consumer()?)
    }

    /// Returns a consumer that asks the process which serves the groups of the log directories;
    /// none where there is no such process now, or cannot be: offsets that are spread over several
    /// directories can be read, but not served.
    fn observer(&self, group: &str) -> Outcome<Option<Consumer>> {
        let served = self
            .log_dirs()
            .and_then(|dirs| groups_dir(dirs).ok())
            .filter(|dir| SocketAddress::of(dir).and_then(|address| address.connect()).is_ok());
        if served.is_none() {
            return Ok(None);
        }
        let mut config = self.config(group)?;
        if let Some(group) = &mut config.group {
            group.embedded.serves = false;
        }
        Ok(Some(Consumer::with_engine(&self.engine, config)?))
    }

    /// Returns a consumer that belongs to no group: on log directories it only reads.
    fn reader(&self) -> Outcome<Consumer> {
        let mut config = settings::config(self.args)?.with("group.id", "")?;
        for (name, value) in [("group.instance.id", ""), ("enable.auto.commit", "false")] {
            config.set(name, value)?;
        }
        Ok(Consumer::with_engine(&self.engine, config.consumer()?)?)
    }

    /// Returns how much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.left()
    }

    /// Tells whether there is no such group, as far as that can be known: log directories do not
    /// say which groups have members.
    fn lacks(&self, group: Option<&str>) -> Outcome<bool> {
        let Some(group) = group.filter(|_| self.log_dirs().is_none()) else { return Ok(false) };
        Ok(!self.groups()?.iter().any(|listed| listed == group))
    }

    /// Returns the names of the groups that consume.
    fn groups(&self) -> Outcome<Vec<String>> {
        if let Some(log_dirs) = self.log_dirs() {
            return self.local_groups(log_dirs);
        }
        let mut consumer = self.consumer("kfetch")?;
        let listed = waiting_for("the brokers", || consumer.list_groups(self.left()))?;
        close(consumer);
        Ok(consuming(listed).collect())
    }

    /// Returns the names of the groups of log directories: those that have committed something,
    /// and those that a process serves now.
    fn local_groups(&self, log_dirs: &[PathBuf]) -> Outcome<Vec<String>> {
        let mut groups: BTreeSet<String> = group_local::groups(log_dirs)?.into_iter().collect();
        if let Some(mut observer) = self.observer("kfetch")? {
            match observer.list_groups(self.left().min(OBSERVING_TIMEOUT)) {
                Ok(listed) => groups.extend(consuming(listed)),
                Err(error) => message::note(&format!(
                    "groups that run and have committed nothing are not known: {}",
                    message::of(&error)
                )),
            }
            close(observer);
        }
        Ok(groups.into_iter().collect())
    }
}

/// Returns the names of the groups whose members consume.
fn consuming(listed: Vec<GroupListing>) -> impl Iterator<Item = String> {
    let listed = listed.into_iter();
    let consuming = listed.filter(|one| CONSUMERS.contains(&one.protocol_type.as_str()));
    consuming.map(|one| one.group_id)
}

/// Lets a consumer go before the next one comes, with its connections.
pub(crate) fn close(mut consumer: Consumer) {
    // It has nothing to lose.
    drop(consumer.close(CLOSE_TIMEOUT));
}

/// Describes a group; `None` where the coordinator knows of no such group of the classic protocol.
///
/// # Errors
///
/// What the library says.
pub(crate) fn description(
    consumer: &mut Consumer,
    timeout: Duration,
) -> Outcome<Option<GroupDescription>> {
    match waiting_for("the coordinator", || consumer.describe_group(timeout)) {
        Ok(group) => Ok(Some(group)),
        Err(error) if error.code() == GROUP_ID_NOT_FOUND => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn list(args: &ListArgs) -> Outcome {
    let groups = Client::new(&args.source)?.groups()?;
    let lines: String = groups.iter().map(|group| format!("{}\n", shown(group))).collect();
    print(lines.as_bytes())
}

fn describe(args: &DescribeArgs) -> Outcome {
    let client = Client::new(&args.source)?;
    let mut rows = match client.log_dirs() {
        Some(log_dirs) => local_rows(&client, log_dirs, args.group.as_deref())?,
        None => match &args.group {
            Some(group) => rows_of(&client, group)?,
            None => all_rows(&client)?,
        },
    };
    let is_missing = rows.is_empty() && client.lacks(args.group.as_deref())?;
    find_ends(&client, &mut rows)?;
    show(&mut rows, args.json)?;
    match &args.group {
        Some(group) if is_missing => Err(Failure::Error(format!("group {group} does not exist"))),
        Some(group) if rows.is_empty() => {
            message::note(&format!("group {} has committed nothing", shown(group)));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Returns the rows of a group of log directories, or of all groups, with their owners where a
/// process serves them. Nothing is locked, started or written.
fn local_rows(
    client: &Client<'_>,
    log_dirs: &[PathBuf],
    group: Option<&str>,
) -> Outcome<Vec<GroupOffset>> {
    let mut rows = group_local::rows(log_dirs, group)?;
    let groups: BTreeSet<String> = rows.iter().map(|row| row.group.clone()).collect();
    for group in groups {
        let Some(mut observer) = client.observer(&group)? else { break };
        let found = observer.describe_group(client.left().min(OBSERVING_TIMEOUT));
        close(observer);
        // Who serves them may have gone meanwhile, or stand still: the offsets are known.
        let mut owners = found.map(owners).unwrap_or_default();
        for row in rows.iter_mut().filter(|row| row.group == group) {
            row.owner = owners.remove(&row.partition());
        }
    }
    Ok(rows)
}

/// Returns the rows of all groups.
fn all_rows(client: &Client<'_>) -> Outcome<Vec<GroupOffset>> {
    let groups = client.groups()?;
    let mut progress = Progress::new("groups", Some(groups.len() as u64), true);
    let mut rows = Vec::new();
    for group in &groups {
        rows.extend(rows_of(client, group)?);
        progress.add(1);
    }
    Ok(rows)
}

/// Returns a row for each offset that a group has committed.
fn rows_of(client: &Client<'_>, group: &str) -> Outcome<Vec<GroupOffset>> {
    let mut consumer = client.consumer(group)?;
    let known = description(&mut consumer, client.left())?;
    let committed = waiting_for("the coordinator", || consumer.all_committed(client.left()))?;
    close(consumer);
    let mut owners = known.map(owners).unwrap_or_default();
    let row = |(partition, committed)| {
        let owner = owners.remove(&partition);
        row(group, partition, committed, owner)
    };
    Ok(committed.into_iter().map(row).collect())
}

/// Prints rows in their order.
fn show(rows: &mut [GroupOffset], as_json: bool) -> Outcome {
    group_offsets::sort(rows);
    if as_json {
        let mut out = Vec::new();
        group_offsets::write_json(&mut out, rows);
        print(&out)
    } else {
        print(group_offsets::text(rows).as_bytes())
    }
}

fn row(
    group: &str,
    partition: TopicPartition,
    committed: OffsetAndMetadata,
    owner: Option<Owner>,
) -> GroupOffset {
    GroupOffset {
        group: group.to_owned(),
        topic: partition.topic,
        partition: partition.partition,
        committed_offset: committed.offset,
        leader_epoch: Some(committed.leader_epoch).filter(|epoch| *epoch >= 0),
        log_end_offset: None,
        metadata: committed.metadata,
        owner,
    }
}

/// Says of each assigned partition whose it is.
fn owners(group: GroupDescription) -> HashMap<TopicPartition, Owner> {
    let mut owners = HashMap::new();
    for member in group.members {
        let owner = Owner {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
        };
        let assigned = member.assignment.into_iter().flatten();
        owners.extend(assigned.map(|partition| (partition, owner.clone())));
    }
    owners
}

/// Looks up where the partitions end; the end stays unknown where there is no such partition any
/// more, or its leader does not answer.
fn find_ends(client: &Client<'_>, rows: &mut [GroupOffset]) -> Outcome {
    if rows.is_empty() {
        return Ok(());
    }
    let mut consumer = client.reader()?;
    let topics = waiting_for("the brokers", || consumer.list_topics(client.left()))?;
    let mut there = HashMap::new();
    for topic in topics {
        let name = topic.name.as_str();
        match topic.partitions {
            Ok(partitions) => {
                let numbers = partitions.iter().map(|one| one.partition);
                there.extend(numbers.map(|one| (TopicPartition::new(name, one), None)));
            }
            Err(error) if rows.iter().any(|row| row.topic == name) => {
                message::error(&message::of(&error));
            }
            Err(_) => {}
        }
    }
    let mut wanted: Vec<TopicPartition> = rows.iter().map(GroupOffset::partition).collect();
    wanted.sort();
    wanted.dedup();
    wanted.retain(|partition| there.contains_key(partition));
    let ends = waiting_for("the leaders", || consumer.end_offsets(&wanted, client.left()))?;
    close(consumer);
    for (partition, end) in wanted.into_iter().zip(ends) {
        match end {
            Ok(end) => {
                there.insert(partition, Some(end));
            }
            Err(error) => message::error(&message::of(&error)),
        }
    }
    for row in rows {
        row.log_end_offset = there.get(&row.partition()).copied().flatten();
    }
    Ok(())
}

fn reset(args: &ResetArgs) -> Outcome {
    let client = Client::new(&args.source)?;
    if let Some(log_dirs) = client.log_dirs().filter(|_| args.dry_run) {
        return show_reset(&client, log_dirs, args);
    }
    refuse_brokers_groups(&client.source)?;
    // Whoever asks for a group of log directories makes the files of all groups.
    let mut targets = targets(&client, args)?;
    let mut consumer = client.consumer(&args.group)?;
    refuse_members(&mut consumer, &args.group, client.left())?;
    let partitions: Vec<_> = targets.iter().map(|target| target.partition.clone()).collect();
    let committed =
        waiting_for("the coordinator", || consumer.committed(&partitions, client.left()))?;
    for (target, committed) in targets.iter_mut().zip(committed) {
        target.committed_offset = committed?.map(|committed| committed.offset);
    }
    if !args.dry_run {
        commit(&mut consumer, &args.group, &targets, client.left())?;
    }
    close(consumer);
    print(group_reset::text(&args.group, &targets).as_bytes())
}

/// Shows what a reset on log directories would do. Nothing is locked, started or written.
fn show_reset(client: &Client<'_>, log_dirs: &[PathBuf], args: &ResetArgs) -> Outcome {
    refuse_brokers_groups(&client.source)?;
    if let Some(mut observer) = client.observer(&args.group)? {
        refuse_members(&mut observer, &args.group, client.left())?;
        close(observer);
    }
    let mut targets = targets(client, args)?;
    let rows = group_local::rows(log_dirs, Some(&args.group))?;
    let offset = |row: GroupOffset| (row.partition(), row.committed_offset);
    let committed: HashMap<TopicPartition, i64> = rows.into_iter().map(offset).collect();
    for target in &mut targets {
        target.committed_offset = committed.get(&target.partition).copied();
    }
    print(group_reset::text(&args.group, &targets).as_bytes())
}

/// Finds the new offsets; on log directories nothing is locked, started or written.
fn targets(client: &Client<'_>, args: &ResetArgs) -> Outcome<Vec<Target>> {
    let mut reader = client.reader()?;
    let find = || group_reset::targets(&mut reader, &args.topics, args.to, client.deadline);
    let targets = waiting_for("the brokers", find)?;
    close(reader);
    Ok(targets)
}

/// Refuses a group that has members: they would not notice, and commit over it.
fn refuse_members(consumer: &mut Consumer, group: &str, timeout: Duration) -> Outcome {
    let Some(found) = description(consumer, timeout)? else { return Ok(()) };
    if matches!(found.state.as_str(), "Empty" | "Dead") {
        return Ok(());
    }
    let (count, state) = (found.members.len(), found.state);
    let members = if count == 1 { "1 member" } else { &format!("{count} members") };
    Err(Failure::Error(format!(
        "group {group} has {members} (state {state}): only a group without members can be reset"
    )))
}

fn commit(consumer: &mut Consumer, group: &str, targets: &[Target], timeout: Duration) -> Outcome {
    let offset = |target: &Target| {
        let (offset, leader_epoch, metadata) = (target.new_offset, -1, String::new());
        (target.partition.clone(), OffsetAndMetadata { offset, leader_epoch, metadata })
    };
    let offsets: Vec<_> = targets.iter().map(offset).collect();
    waiting_for("the coordinator", || consumer.commit_offsets_sync(&offsets, timeout)).map_err(
        |error: Error| match error.kind() {
            ErrorKind::CommitFailed => Failure::Error(format!(
                "group {group} has got members meanwhile, and nothing is reset: {}",
                error.message()
            )),
            _ => error.into(),
        },
    )
}

/// Writes to standard output.
///
/// # Errors
///
/// As [`Output::append`].
pub(crate) fn print(bytes: &[u8]) -> Outcome {
    let mut output = Output::new()?;
    output.append(|out| out.extend_from_slice(bytes))?;
    output.flush()
}
