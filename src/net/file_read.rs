//! Turns of reading: a piece of a segment, its checksums, the hand-over.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::file_consumer::FileConsumer;
use super::file_cursor::State;
use crate::error::ErrorKind;
use crate::fetch::cursor::StartAt;
use crate::fetch::landing::{Damage, verify};
use crate::log::Chunk;
use crate::ring::SlotKind;
use crate::ring::slot::{Run, Source};

/// Bytes that are read of a partition at a time: a ring full of them fits into a cache.
const CHUNK_BYTES: usize = 256 * 1024;

/// Pieces that are read before commands are looked at again.
const TURN_CHUNKS: usize = 8;

impl FileConsumer {
    /// Reads a few pieces, each of another partition as far as there are others.
    pub(super) fn read_turn(&mut self, now: Instant) {
        for _ in 0..TURN_CHUNKS {
            if self.is_starved {
                return;
            }
            let Some(index) = self.listed.pop_front() else { return };
            if let Some(cursor) = self.cursors.get_mut(&index) {
                cursor.is_listed = false;
                if cursor.is_readable() {
                    self.read(index, now);
                    self.list(index);
                }
            }
        }
    }

    fn read(&mut self, index: u32, now: Instant) {
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        let Some(reader) = &mut cursor.reader else { return };
        let chunk = reader.read(&mut self.pool, &self.budget, CHUNK_BYTES);
        cursor.publish_ends();
        match chunk {
            Ok(Chunk::Run { bytes, from_offset, next_offset }) => {
                self.bridge.counters().fetches.add(1);
                self.bridge.counters().received_bytes.add(bytes.len() as u64);
                let high_watermark = cursor.lane.lane().high_watermark();
                let source = Source::Segment;
                let run = Run { bytes, from_offset, next_offset, high_watermark, source };
                self.deliver(index, run);
            }
            Ok(Chunk::NoCredit { wanted_bytes }) => {
                // A batch larger than the whole budget is read when nothing else is charged.
                let wanted = wanted_bytes.min(self.budget.limit());
                self.is_starved = self.budget.want(wanted);
                self.bridge.counters().credit_waits.add(u64::from(self.is_starved));
                return;
            }
            Ok(Chunk::End { offset }) => self.handle_end(index, offset),
            Ok(Chunk::OutOfRange { .. }) => {
                let from = cursor.delivered_offset;
                self.begin(index, StartAt::Policy, Some(from), now);
            }
            Ok(Chunk::Damaged { offset, kind, text }) => {
                self.handle_damage(index, Damage { offset, kind, text });
            }
            Err(error) => cursor.fail(error),
        }
        self.note_spill(index);
        self.bridge.application().notify();
    }

    fn deliver(&mut self, index: u32, run: Run) {
        let (whole, damage) = match self.settings.check_crcs {
            true => verify(run),
            false => (Some(run), None),
        };
        if let (Some(run), Some(cursor)) = (whole, self.cursors.get_mut(&index)) {
            cursor.delivered_offset = run.next_offset;
            let counters = self.bridge.counters();
            counters.delivered_runs.add(1);
            counters.delivered_bytes.add(run.bytes.len() as u64);
            cursor.hand_over(SlotKind::Run(run));
        }
        if let Some(damage) = damage {
            self.handle_damage(index, damage);
        }
    }

    /// Looks once more, since the file may have grown meanwhile, and then waits for a change.
    fn handle_end(&mut self, index: u32, offset: i64) {
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        let Some(reader) = &mut cursor.reader else { return };
        let before = (reader.log_start_offset(), reader.high_watermark());
        if let Err(error) = reader.refresh() {
            if error.kind() != ErrorKind::UnknownTopicOrPartition {
                return cursor.fail(error);
            }
            // The partition has been removed; it may be made again.
            cursor.reader = None;
            cursor.state = State::Missing { start: StartAt::Offset(offset) };
            return;
        }
        if before != (reader.log_start_offset(), reader.high_watermark()) {
            return cursor.publish_ends();
        }
        cursor.state = State::AtEnd;
        if self.settings.partition_eof && cursor.end_told != Some(offset) {
            cursor.end_told = Some(offset);
            cursor.hand_over(SlotKind::End { offset });
        }
    }

    /// Reads a damaged batch once more, since it may have been half written; the second time the
    /// partition stops until a seek.
    fn handle_damage(&mut self, index: u32, damage: Damage) {
        self.bridge.counters().damaged_batches.add(1);
        let Some(cursor) = self.cursors.get_mut(&index) else { return };
        if cursor.damaged_at != Some(damage.offset) {
            self.logger.warn(
                "kfetch::log",
                format_args!(
                    "{}-{} at offset {}: {}; reading it again",
                    cursor.topic, cursor.partition, damage.offset, damage.text
                ),
            );
            cursor.damaged_at = Some(damage.offset);
            return cursor.start_at(cursor.delivered_offset);
        }
        cursor.fail(damage.into_error(cursor.topic.as_str(), cursor.partition));
    }
}
