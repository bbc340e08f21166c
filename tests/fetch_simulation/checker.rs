//! Holds the events of a world to what must be true of every consumer.
//!
//! | invariant | broken by |
//! |---|---|
//! | what is delivered is the log from the position on, in order | loss, repeats, stale data |
//! | a position comes from a look-up that a broker answered | an invented reset |
//! | an end is told where everything before it was delivered | an early end |
//! | only damage and refusals stop a partition | an error out of nothing |
//! | a partition is in at most one unanswered Fetch | a second request |
//! | at most two connections to a broker carry Fetches | a third connection |
//! | memory stays within the budget and one batch | more |
//! | once healed, everything is delivered | a stall |

use std::collections::{BTreeMap, BTreeSet};

use kfetch::ErrorKind;

use super::event::{Event, Violation};
use super::log::PartitionLog;

/// Fetch connections that a consumer may have to one broker.
const FETCH_CONNECTIONS_MAX: usize = 2;

/// One pass over the events of a world.
#[derive(Debug)]
pub(crate) struct Checker {
    /// How far each log had grown, and where it began, when the event happened.
    seen: Vec<Seen>,
    readers: BTreeMap<usize, Reader>,
    connections: BTreeMap<u64, FetchConnection>,
    memory_max: usize,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    batches: usize,
    start: i64,
    rotten: BTreeSet<i64>,
}

/// A partition that the application reads.
#[derive(Clone, Debug, Default)]
struct Reader {
    next: Option<i64>,
    told: BTreeSet<i64>,
    was_refused: bool,
    has_failed: bool,
}

#[derive(Clone, Debug)]
struct FetchConnection {
    broker: usize,
    unanswered: Vec<Vec<(usize, u64)>>,
}

impl Checker {
    pub(crate) fn new(partitions: usize, memory_max: usize) -> Self {
        Self {
            seen: vec![Seen::default(); partitions],
            readers: BTreeMap::new(),
            connections: BTreeMap::new(),
            memory_max,
        }
    }

    /// Takes the next event; the logs may have grown beyond what the event saw.
    pub(crate) fn check(&mut self, event: &Event, logs: &[PartitionLog]) -> Result<(), Violation> {
        match event {
            Event::Positioned { place, offset } => {
                self.readers.insert(*place, Reader { next: *offset, ..Reader::default() });
            }
            Event::Unassigned { place } => drop(self.readers.remove(place)),
            Event::Run { place, from, next, hashes } => {
                self.check_run(*place, *from, *next, hashes, &logs[*place])?;
            }
            Event::Started { place, offset } => self.check_start(*place, *offset)?,
            Event::Reset { place, from, to } => self.check_reset(*place, *from, *to)?,
            Event::Ended { place, offset } => self.check_end(*place, *offset, &logs[*place])?,
            Event::Failed { place, offset, kind, sticky: true } => {
                self.check_failure(*place, *offset, *kind, &logs[*place])?;
            }
            Event::Failed { sticky: false, .. } | Event::Fault(_) | Event::Healed => {}
            Event::Grown { place } => self.seen[*place].batches += 1,
            Event::Trimmed { place, start } => self.seen[*place].start = *start,
            Event::Rotten { place, base } => drop(self.seen[*place].rotten.insert(*base)),
            Event::Told { place, offset } => {
                if let Some(reader) = self.readers.get_mut(place) {
                    reader.told.insert(*offset);
                }
            }
            Event::Refused { place } => {
                if let Some(reader) = self.readers.get_mut(place) {
                    reader.was_refused = true;
                }
            }
            Event::Requested { connection, broker, parts } => {
                self.check_request(*connection, *broker, parts)?;
            }
            Event::Answering { connection } => {
                if let Some(connection) = self.connections.get_mut(connection) {
                    connection.unanswered.remove(0);
                }
            }
            Event::Closed { connection } => drop(self.connections.remove(connection)),
            Event::Memory { used } => {
                let max = self.memory_max;
                expect(*used <= max, || format!("{used} bytes are charged, above {max}"))?;
            }
            Event::Finished => self.check_finish(logs)?,
        }
        Ok(())
    }

    fn reader(&mut self, place: usize) -> Result<&mut Reader, Violation> {
        let reader = self.readers.get_mut(&place);
        reader.ok_or_else(|| Violation(format!("partition {place} is not assigned")))
    }

    fn check_run(
        &mut self,
        place: usize,
        from: i64,
        next: i64,
        hashes: &[u64],
        log: &PartitionLog,
    ) -> Result<(), Violation> {
        let seen = self.seen[place].clone();
        let reader = self.reader(place)?;
        expect(!reader.has_failed, || format!("partition {place} goes on after a failure"))?;
        let position = *reader.next.get_or_insert(from);
        expect(from == position, || {
            format!("partition {place} was at {position}, and a run from {from} came")
        })?;
        let first = log.find(position);
        let batches = log.batches[..seen.batches].get(first..first + hashes.len());
        let batches = batches.ok_or_else(|| Violation(format!("more of {place} than there is")))?;
        for (batch, hash) in batches.iter().zip(hashes) {
            let base = batch.base;
            expect(!seen.rotten.contains(&base), || format!("rotten batch {base} of {place}"))?;
            expect(batch.hash == *hash, || {
                format!("partition {place} at {position}: another batch came for that at {base}")
            })?;
        }
        let end = batches.last().map_or(position, |batch| batch.next);
        expect(end == next, || format!("partition {place}: {next} follows instead of {end}"))?;
        reader.next = Some(next);
        Ok(())
    }

    fn check_start(&mut self, place: usize, offset: i64) -> Result<(), Violation> {
        let reader = self.reader(place)?;
        expect(reader.next.is_none(), || format!("partition {place} starts a second time"))?;
        expect(reader.told.contains(&offset), || format!("{place} starts at untold {offset}"))?;
        reader.next = Some(offset);
        Ok(())
    }

    fn check_reset(&mut self, place: usize, from: i64, to: i64) -> Result<(), Violation> {
        let start = self.seen[place].start;
        let reader = self.reader(place)?;
        expect(reader.next == Some(from), || format!("{place} is not at {from}, and is reset"))?;
        expect(from < start, || format!("{place} is reset from {from}, which is in range"))?;
        expect(reader.told.contains(&to), || format!("{place} is reset to untold {to}"))?;
        reader.next = Some(to);
        Ok(())
    }

    fn check_end(&mut self, place: usize, end: i64, log: &PartitionLog) -> Result<(), Violation> {
        let batches = self.seen[place].batches;
        let reader = self.reader(place)?;
        expect(reader.next == Some(end), || format!("{place} ends at {end}, before all came"))?;
        let is_end = log.batches[..batches].iter().any(|batch| batch.next == end) || end == 0;
        expect(is_end, || format!("{place} never ended at {end}"))
    }

    fn check_failure(
        &mut self,
        place: usize,
        at: i64,
        kind: ErrorKind,
        log: &PartitionLog,
    ) -> Result<(), Violation> {
        let Seen { rotten, start, .. } = self.seen[place].clone();
        let reader = self.reader(place)?;
        reader.has_failed = true;
        if reader.was_refused {
            return Ok(());
        }
        if kind == ErrorKind::NoOffset {
            return expect(reader.next.is_none(), || format!("{place} has a position"));
        }
        if kind == ErrorKind::OffsetOutOfRange {
            let is_out = reader.next == Some(at) && at < start;
            return expect(is_out, || format!("{place} at {at} is in range"));
        }
        expect(kind == ErrorKind::Corrupt, || format!("{place} failed out of nothing: {kind:?}"))?;
        let next = reader.next.unwrap_or(at);
        let batch = log.batches.get(log.find(next));
        expect(batch.is_some_and(|batch| rotten.contains(&batch.base)), || {
            format!("partition {place} stops at {next}, where nothing is rotten")
        })?;
        expect(at >= next, || format!("{place} is rotten at {at}, below its position {next}"))
    }

    fn check_request(
        &mut self,
        connection: u64,
        broker: usize,
        parts: &[(usize, u64)],
    ) -> Result<(), Violation> {
        let others = self.connections.values().flat_map(|other| other.unanswered.iter().flatten());
        let twice = others.into_iter().find(|other| parts.contains(other));
        if let Some((place, _)) = twice {
            return Err(Violation(format!("partition {place} is in two unanswered Fetches")));
        }
        let listed: BTreeSet<_> = parts.iter().map(|(place, _)| place).collect();
        expect(listed.len() == parts.len(), || format!("a Fetch lists twice: {parts:?}"))?;
        let known = self.connections.entry(connection);
        let known = known.or_insert(FetchConnection { broker, unanswered: Vec::new() });
        known.unanswered.push(parts.to_vec());
        let count = self.connections.values().filter(|other| other.broker == broker).count();
        expect(count <= FETCH_CONNECTIONS_MAX, || {
            format!("{count} connections to broker {broker} carry Fetches")
        })
    }

    fn check_finish(&self, logs: &[PartitionLog]) -> Result<(), Violation> {
        for (place, reader) in &self.readers {
            let end = logs[*place].end;
            expect(reader.next == Some(end), || {
                format!("partition {place} is at {:?}, and ends at {end}", reader.next)
            })?;
        }
        Ok(())
    }
}

fn expect(holds: bool, complaint: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(complaint())) }
}
