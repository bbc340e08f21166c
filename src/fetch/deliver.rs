//! Verifies what has landed and hands it over to the polling thread.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::sync::Arc;

use super::call::FetchCall;
use super::consumer::FetchConsumer;
use super::landing::{Damage, Landed, What, verify};
use crate::error::Error;
use crate::ring::SlotKind;
use crate::ring::slot::Run;

impl FetchConsumer {
    /// Verifies and hands over everything that has landed; tells whether a partition has to be
    /// fetched again because of damage.
    pub fn deliver(&mut self) -> bool {
        if self.landed.is_empty() {
            return false;
        }
        let mut landed = std::mem::take(&mut self.landed);
        let mut again = false;
        for Landed { cursor, generation, what } in landed.drain(..) {
            let is_current =
                self.cursor(cursor).is_some_and(|cursor| cursor.generation == generation);
            if is_current {
                again |= self.deliver_one(cursor, what);
            }
        }
        self.landed = landed;
        self.bridge.application().notify();
        again
    }

    fn deliver_one(&mut self, index: u32, what: What) -> bool {
        match what {
            What::Run(run) if self.settings().check_crcs => {
                let (whole, damage) = verify(run);
                if let Some(whole) = whole {
                    self.deliver_run(index, whole);
                }
                damage.is_some_and(|damage| self.handle_damage(index, damage))
            }
            What::Run(run) => {
                self.deliver_run(index, run);
                false
            }
            What::Damage(damage) => self.handle_damage(index, damage),
            What::End(offset) => {
                self.hand_over(index, SlotKind::End { offset });
                false
            }
        }
    }

    fn deliver_run(&mut self, index: u32, run: Run) {
        if let Some(cursor) = self.cursor_mut(index) {
            cursor.delivered_offset = run.next_offset;
            self.bridge.counters().delivered_runs.add(1);
            self.bridge.counters().delivered_bytes.add(run.bytes.len() as u64);
            self.hand_over(index, SlotKind::Run(run));
        }
    }

    /// Hands something over for a cursor, and remembers the cursor if it has to wait for room.
    pub(super) fn hand_over(&mut self, index: u32, kind: SlotKind) {
        if self.cursor_mut(index).is_some_and(|cursor| cursor.hand_over(kind)) {
            self.spilled.push(index);
        }
    }

    /// Stops a cursor until a seek, and says why.
    pub(super) fn fail(&mut self, index: u32, error: Error) {
        if let Some(cursor) = self.cursor_mut(index) {
            cursor.stop();
            self.hand_over(index, SlotKind::Failed { error: Box::new(error), sticky: true });
            self.bridge.application().notify();
        }
    }

    /// Fetches a damaged batch once more, since it may have been whole where it came from; the
    /// second time the partition stops until a seek.
    fn handle_damage(&mut self, index: u32, damage: Damage) -> bool {
        let logger = Arc::clone(&self.logger);
        self.bridge.counters().damaged_batches.add(1);
        let Some(cursor) = self.cursor_mut(index) else { return false };
        let is_new = cursor.damaged_at != Some(damage.offset);
        if is_new {
            logger.warn(
                "kfetch::fetch",
                format_args!(
                    "{}-{} at offset {}: {}; fetching it again",
                    cursor.topic, cursor.partition, damage.offset, damage.text
                ),
            );
            cursor.damaged_at = Some(damage.offset);
            cursor.go_back();
            return true;
        }
        let error = damage.into_error(cursor.topic.as_str(), cursor.partition);
        self.fail(index, error);
        false
    }

    /// Takes note that an answer has been read to its end; what it left out is asked for again.
    pub fn handle_answered(&mut self, node_id: i32, call: &FetchCall) {
        let mut served = HashSet::new();
        for index in &call.cursors {
            let Some(cursor) = self.cursor_mut(*index) else { continue };
            if cursor.in_flight == Some(call.number) {
                cursor.in_flight = None;
            }
            if std::mem::take(&mut cursor.served) {
                served.insert(*index);
            }
        }
        if let Some(node) = self.nodes.get_mut(&node_id) {
            node.rotate(|index| served.contains(&index));
            node.handle_settled(call.link, served.is_empty());
        }
    }

    /// Takes note that a Fetch was lost with its connection.
    pub fn handle_lost(&mut self, node_id: i32, call: &FetchCall) {
        for index in &call.cursors {
            if let Some(cursor) = self.cursor_mut(*index)
                && cursor.in_flight == Some(call.number)
            {
                cursor.handle_connection_lost();
            }
        }
        if let Some(node) = self.nodes.get_mut(&node_id) {
            node.handle_settled(call.link, false);
        }
    }
}
