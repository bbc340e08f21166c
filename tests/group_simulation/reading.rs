//! Holds what is read and committed of partitions to the invariants.

use super::checker::{Checker, expect};
use super::event::{Event, Position, Violation};
use super::record_log::{RecordLog, index};
use super::world::{Time, World};

/// A partition's log, and how far the group is with it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) records: RecordLog,
    /// What has been committed, the last at the end, each an offset with its leader epoch.
    stored: Vec<(i64, i32)>,
    /// Each record before this has been delivered, or an application sought to behind it: runs
    /// begin at what is committed, which is not behind this, and go on without gaps.
    pub(super) delivered: i64,
    /// Where the last that read is.
    next: i64,
}

impl Default for Log {
    fn default() -> Self {
        let records = RecordLog::default();
        Self { records, stored: vec![(0, -1)], delivered: 0, next: 0 }
    }
}

impl Log {
    pub(super) fn committed(&self) -> i64 {
        self.stored.last().map_or(0, |(offset, _)| *offset)
    }
}

/// A process reads a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Run {
    pub(super) generation: i32,
    /// The place in `Log::stored` of what was committed when it began.
    since: usize,
    position: Option<i64>,
    /// The leader epoch of the record before the position, -1 where the application cannot know.
    epoch: i32,
    /// The highest leader epoch since it began or sought.
    read_epoch: i32,
    pub(super) is_paused: bool,
    is_sought: bool,
    /// What happened since the last delivery that must not move the position.
    pub(super) after: Option<&'static str>,
    /// The number of the last seek backwards.
    rewound: Option<u64>,
}

/// One partition's offset in a commit, and the seek that it may go back for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    at: Position,
    back: Option<u64>,
}

type Checked = Result<(), Violation>;

impl Checker {
    /// Takes an event of reading or committing.
    pub(super) fn check_reading(&mut self, now: Time, event: &Event) -> Checked {
        match event {
            Event::Started { client, at } => self.check_start(*client, *at)?,
            Event::Delivered { client, partition, from, to, epoch } => {
                self.check_delivery(now, *client, *partition, (*from, *to), *epoch)?;
            }
            Event::Paused { client, partition } => self.check_pause(*client, *partition, true)?,
            Event::Resumed { client, partition } => self.check_pause(*client, *partition, false)?,
            Event::Sought { client, partition, offset } => {
                self.check_seek(*client, *partition, *offset)?;
            }
            Event::Commits { client, id, positions } => {
                self.check_commit(*client, *id, positions)?;
            }
            Event::Told { client, id } => {
                let is_next = self.client(*client).untold.pop_front() == Some(*id);
                expect(is_next, || format!("commit {id} of {client} is told out of order"))?;
            }
            Event::Stored { client, id, at } => self.check_stored(*client, *id, *at)?,
            Event::Grown { partition, end } => self.logs[index(*partition)].records.end = *end,
            Event::Led { partition, epoch } => {
                self.logs[index(*partition)].records.lead(*epoch);
            }
            other => unreachable!("{other:?} is not of reading"),
        }
        Ok(())
    }

    pub(super) fn begin_run(&mut self, client: usize, generation: i32, partition: i32) {
        let since = self.logs[index(partition)].stored.len() - 1;
        let run = Run { generation, since, epoch: -1, read_epoch: -1, ..Run::default() };
        self.client(client).owned.insert(partition, run);
    }

    fn check_start(&mut self, client: usize, at: Position) -> Checked {
        let Position { partition, offset, epoch } = at;
        let has_epochs = self.has_epochs;
        let calm = self.calm;
        let log = &mut self.logs[index(partition)];
        let own = self.clients.entry(client).or_default();
        let run = own.owned.get_mut(&partition);
        let run = run.ok_or_else(|| Violation(format!("I7: {client} starts {partition}")))?;
        let text = || format!("I20: {client} sought in {partition}, and is told {offset} after it");
        expect(!run.is_sought, text)?;
        let text = || format!("I6: {client} starts {partition} at {offset} once more");
        expect(run.position.is_none(), text)?;
        let known = &log.stored[run.since..];
        let text = || format!("I6: {client} starts {partition} at {offset}, not one of {known:?}");
        expect(known.iter().any(|(stored, _)| *stored == offset), text)?;
        let text = || format!("I13: {client} starts {partition} at {at:?}, not one of {known:?}");
        let is_told = |(stored, of): &(i64, i32)| {
            *stored == offset && epoch == if has_epochs { *of } else { -1 }
        };
        expect(known.iter().any(is_told), text)?;
        let next = log.next;
        let text =
            || format!("I16: {partition} goes on at {offset}, not {next}, though all is calm");
        expect(!calm || offset == next, text)?;
        log.next = offset;
        (run.position, run.epoch) = (Some(offset), epoch);
        Ok(())
    }

    fn check_delivery(
        &mut self,
        now: Time,
        client: usize,
        partition: i32,
        (from, to): (i64, i64),
        epoch: i32,
    ) -> Checked {
        let calm = self.calm;
        let log = &mut self.logs[index(partition)];
        expect(to <= log.records.end, || format!("I2: {client} is given what is not there"))?;
        let it = self.clients.entry(client).or_default();
        let place = it.owned.get_mut(&partition);
        let run = place.ok_or_else(|| Violation(format!("I7: {client} gets {partition}")))?;
        expect(!run.is_paused, || format!("I20: {client} gets {partition}, which is paused"))?;
        let name = match run.after {
            Some(_) => "I20",
            None if calm && from < log.next => "I16",
            None => "I7",
        };
        let (at, after) = (run.position, run.after.unwrap_or_default());
        let text = || format!("{name}: {client} gets {partition} from {from}, not {at:?} {after}");
        expect(at == Some(from), text)?;
        let before = run.read_epoch;
        let text = || format!("I19: {client} gets epoch {epoch} of {partition} after {before}");
        expect(epoch >= before, text)?;
        let written = (log.records.epoch_of(from), log.records.epoch_of(to - 1));
        let text = || format!("I1: {client} gets epoch {epoch} of {partition}, not {written:?}");
        expect(written == (epoch, epoch), text)?;
        (run.position, run.epoch, run.read_epoch, run.after) = (Some(to), epoch, epoch, None);
        (log.delivered, log.next) = (log.delivered.max(to), to);
        // Who stood still knows as soon as it goes on; another knows by its own clock.
        let since = it.removed.map(|removed| removed.max(it.frozen_until));
        let blind = since.is_some_and(|since| now > since + World::blindness());
        let what = if it.fenced { "I22: fenced" } else { "I8: removed" };
        expect(!blind, || format!("{what} since {since:?}, {client} still reads {partition}"))
    }

    fn check_pause(&mut self, client: usize, partition: i32, pauses: bool) -> Checked {
        let run = self.client(client).owned.get_mut(&partition);
        let text = || Violation(format!("I20: {client} pauses {partition}, not its own"));
        let run = run.ok_or_else(text)?;
        if !pauses {
            run.after.get_or_insert("after it is resumed");
        }
        run.is_paused = pauses;
        Ok(())
    }

    /// A seek is the application's will: what it leaves out counts as delivered, what it goes back
    /// for may be committed again.
    fn check_seek(&mut self, client: usize, partition: i32, to: i64) -> Checked {
        self.seeks += 1;
        let number = self.seeks;
        let log = &mut self.logs[index(partition)];
        let run = self.clients.entry(client).or_default().owned.get_mut(&partition);
        let text = || Violation(format!("I20: {client} seeks in {partition}, not its own"));
        let run = run.ok_or_else(text)?;
        if to < run.position.unwrap_or_else(|| log.committed()) {
            run.rewound = Some(number);
        }
        (run.position, run.epoch, run.read_epoch) = (Some(to), -1, -1);
        (run.is_sought, run.after) = (true, Some("after a seek"));
        (log.delivered, log.next) = (log.delivered.max(to), to);
        Ok(())
    }

    fn check_commit(&mut self, client: usize, id: u64, positions: &[Position]) -> Checked {
        let own = self.clients.entry(client).or_default();
        let mut asked = Vec::with_capacity(positions.len());
        for at in positions {
            let Position { partition, offset, epoch } = at;
            let text = || Violation(format!("I10: {client} commits {partition}, not its own"));
            let run = own.owned.get(partition).ok_or_else(text)?;
            let position = run.position;
            let text = || format!("I9: {client} commits {offset} of {partition}, {position:?}");
            expect(position.is_some_and(|position| *offset <= position), text)?;
            let text = || format!("I13: {client} commits {at:?}, read epoch {}", run.epoch);
            expect(position != Some(*offset) || *epoch == run.epoch, text)?;
            asked.push(Asked { at: *at, back: run.rewound });
        }
        own.untold.push_back(id);
        own.commits.insert(id, asked);
        Ok(())
    }

    fn check_stored(&mut self, client: usize, id: u64, at: Position) -> Checked {
        let Position { partition, offset, epoch } = at;
        let log = &mut self.logs[index(partition)];
        let own = self.clients.entry(client).or_default();
        let asked = own.commits.get(&id).into_iter().flatten();
        let mut asked = asked.map(|asked| (asked.at, asked.back));
        let asked = asked.find(|(of, _)| (of.partition, of.offset) == (partition, offset));
        let text = || Violation(format!("I10: {client} never committed {at:?} by {id}"));
        let (asked, back) = asked.ok_or_else(text)?;
        let back = back.filter(|seek| own.spent.get(&partition).is_none_or(|spent| seek > spent));
        let last = own.stored_commit;
        let text =
            || format!("I12: commit {id} of {client} is stored after {last}, which is newer");
        expect(id >= last, text)?;
        own.stored_commit = id;
        let (committed, delivered) = (log.committed(), log.delivered);
        let text = || format!("I12: {partition} goes back from {committed} to {offset}");
        expect(offset >= committed || back.is_some(), text)?;
        let text = || format!("I15: {partition} at {offset}, delivered {delivered}");
        expect(offset <= delivered, text)?;
        let meant = if self.has_epochs { asked.epoch } else { -1 };
        let text = || format!("I13: {at:?} is stored, {meant} was committed");
        expect(epoch == meant, text)?;
        let written = log.records.epoch_of(offset - 1);
        let text = || format!("I13: {at:?} is stored, the record before has epoch {written}");
        expect(epoch == -1 || epoch == written, text)?;
        log.stored.push((offset, epoch));
        // A seek is an excuse until its first commit is stored.
        if let Some(back) = back {
            own.spent.insert(partition, back);
        }
        Ok(())
    }
}
