//! `kfetch demo groups`: a consumer group on a log directory, as a timeline.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kfetch::record::NewRecord;
use kfetch::ring::process::{catch_interrupts, is_interrupted};
use kfetch::{Engine, LogWriter, LogWriterOptions, Logger};

use crate::demo_member::{GROUP, Member, TOPIC};
use crate::failure::{Failure, Outcome};
use crate::group_local;
use crate::group_offsets;
use crate::output::Output;
use crate::start::{Deadline, now};

/// One partition less than members.
const PARTITIONS: i32 = 3;

/// Who comes, the first of them as a static member.
const NAMES: [&str; 4] = ["anna", "ben", "carl", "dora"];

/// Records that are appended to each partition at a time.
const RECORDS: i64 = 40;

/// Each step takes less, unless something is wrong.
const STEP_MAX: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
///
/// What the library says, and when a step does not come about.
pub(crate) fn run() -> Outcome {
    catch_interrupts().map_err(|error| Failure::Error(format!("signals: {error}")))?;
    let directory = Directory::make()?;
    let mut demo = Demo::new(&directory.path)?;
    demo.write_topic()?;
    demo.gather()?;
    demo.let_one_go()?;
    demo.restart_the_static_one()?;
    demo.look_back()
}

/// A log directory that is gone at the end.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn make() -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("kfetch-demo-{}", std::process::id()));
        fs::create_dir(&path)
            .map_err(|error| Failure::Error(format!("{}: {error}", path.display())))?;
        Ok(Self { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is the operating system's to clean up.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// The members, and who writes down what they do.
#[derive(Debug)]
struct Demo<'a> {
    log_dir: &'a Path,
    engine: Engine,
    members: Vec<Member>,
    output: Output,
    begun: Instant,
    /// Records in the topic, and how many of them have been read.
    written: i64,
    read: i64,
}

impl<'a> Demo<'a> {
    fn new(log_dir: &'a Path) -> Outcome<Self> {
        Ok(Self {
            log_dir,
            engine: Engine::with_logger(Logger::new(|_, _, _| {}))?,
            members: Vec::new(),
            output: Output::new()?,
            begun: now(),
            written: 0,
            read: 0,
        })
    }

    fn write_topic(&mut self) -> Outcome {
        self.print(&format!(
            "Four consumers of the group \"{GROUP}\" share the topic \"{TOPIC}\", which has \
             {PARTITIONS} partitions.\nIt lies in {}; there is no broker: the first consumer to \
             come\ncoordinates the group for all of them.\n\n   time  who   what\n",
            self.log_dir.display()
        ))?;
        self.append()
    }

    /// Four members come, of which one has nothing to do.
    fn gather(&mut self) -> Outcome {
        for name in NAMES {
            let is_static = name == NAMES[0];
            self.members.push(Member::start(&self.engine, self.log_dir, name, is_static)?);
            let what = match is_static {
                true => "starts as a static member: group.instance.id=anna",
                false => "starts",
            };
            self.tell(name, what)?;
        }
        self.settle(-1)?;
        self.read_all()
    }

    /// One that has partitions leaves, and the idle one takes over.
    fn let_one_go(&mut self) -> Outcome {
        self.print("\n         ben leaves; what it owned goes to who has nothing\n")?;
        let before = self.generation();
        let Some(place) = self.members.iter().position(|member| member.name == NAMES[1]) else {
            return Ok(());
        };
        let mut ben = self.members.remove(place);
        ben.close()?;
        self.tell_news_of(&ben)?;
        self.tell(ben.name, "has left")?;
        self.settle(before)?;
        self.append()?;
        self.read_all()
    }

    /// A static member goes and comes back, and nobody else notices.
    fn restart_the_static_one(&mut self) -> Outcome {
        self.print("\n         anna restarts; as a static member it keeps its place meanwhile\n")?;
        let before = self.generation();
        let mut anna = self.members.remove(0);
        anna.close()?;
        // Its own listener hears of a revocation; to the group it is still there.
        drop(anna.news());
        self.tell(anna.name, "stops without a word to the group")?;
        drop(anna);
        self.append()?;
        self.read_until(self.written - RECORDS)?;
        let again = Member::start(&self.engine, self.log_dir, NAMES[0], true)?;
        self.members.insert(0, again);
        self.tell(NAMES[0], "starts again with the same group.instance.id")?;
        self.until("anna has its place again", |members| members[0].owned() > 0)?;
        self.read_all()?;
        if self.members.iter().any(|member| member.generation() != before) {
            return Err(Failure::Error("the group was rebalanced after all".to_owned()));
        }
        self.tell("all", &format!("are still in generation {before}: nothing has moved"))
    }

    /// All leave, and what they have committed is looked up as `group describe` does.
    fn look_back(&mut self) -> Outcome {
        let ends = self.members[0].ends(PARTITIONS)?;
        self.print("\n         all leave; their offsets stay\n")?;
        for mut member in std::mem::take(&mut self.members) {
            member.close()?;
            self.tell_news_of(&member)?;
            let what = match member.name == NAMES[0] {
                true => "stops; its place is kept until its session ends",
                false => "has left",
            };
            self.tell(member.name, what)?;
        }
        let mut rows = group_local::rows(&[self.log_dir.to_owned()], Some(GROUP))?;
        group_offsets::sort(&mut rows);
        for (row, end) in rows.iter_mut().zip(ends) {
            row.log_end_offset = Some(end);
        }
        self.print(&format!("\n{}", group_offsets::text(&rows)))
    }

    /// Waits until all members are in one generation after `before` and the topic is divided.
    fn settle(&mut self, before: i32) -> Outcome {
        self.until("the group is settled", |members| {
            let generation = members[0].generation();
            let owned: usize = members.iter().map(Member::owned).sum();
            generation > before
                && members.iter().all(|one| one.generation() == generation && one.owned() <= 1)
                && i32::try_from(owned) == Ok(PARTITIONS)
        })
    }

    /// Appends to every partition.
    fn append(&mut self) -> Outcome {
        for partition in 0..PARTITIONS {
            let options = LogWriterOptions::default();
            let mut writer = LogWriter::open(self.log_dir, TOPIC, partition, options)?;
            for number in 0..RECORDS {
                let value = format!("order {number}");
                let record = NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() };
                writer.append(&[record])?;
            }
            writer.close()?;
        }
        self.written += i64::from(PARTITIONS) * RECORDS;
        self.tell("", &format!("{RECORDS} records are appended to each partition"))
    }

    /// Has all records read and committed.
    fn read_all(&mut self) -> Outcome {
        self.read_until(self.written)
    }

    fn read_until(&mut self, count: i64) -> Outcome {
        let deadline = Deadline::after(STEP_MAX);
        while self.read < count {
            self.poll("all records are read", deadline)?;
        }
        for place in 0..self.members.len() {
            self.members[place].commit()?;
        }
        self.tell_news()
    }

    /// Polls all members in turn until it is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&[Member]) -> bool) -> Outcome {
        let deadline = Deadline::after(STEP_MAX);
        while !is_so(&self.members) {
            self.poll(what, deadline)?;
        }
        Ok(())
    }

    fn poll(&mut self, what: &str, deadline: Deadline) -> Outcome {
        if is_interrupted() {
            return Err(Failure::Error("interrupted".to_owned()));
        }
        if deadline.left().is_zero() {
            return Err(Failure::Error(format!("it took too long until {what}")));
        }
        for member in &mut self.members {
            self.read += i64::try_from(member.poll()?).unwrap_or(0);
        }
        self.tell_news()
    }

    fn generation(&self) -> i32 {
        self.members.iter().map(Member::generation).max().unwrap_or(-1)
    }

    fn tell_news(&mut self) -> Outcome {
        let news = self
            .members
            .iter()
            .flat_map(|member| member.news().into_iter().map(|what| (member.name, what)));
        for (name, what) in news.collect::<Vec<_>>() {
            self.tell(name, &what)?;
        }
        Ok(())
    }

    fn tell_news_of(&mut self, member: &Member) -> Outcome {
        member.news().iter().try_for_each(|what| self.tell(member.name, what))
    }

    fn tell(&mut self, name: &str, what: &str) -> Outcome {
        let time = now().saturating_duration_since(self.begun).as_secs_f64();
        self.print(&format!("{time:>6.2}s  {name:<4}  {what}\n"))
    }

    /// Prints at once, so that one can follow.
    fn print(&mut self, text: &str) -> Outcome {
        self.output.append(|out| out.extend_from_slice(text.as_bytes()))?;
        self.output.flush()
    }
}
