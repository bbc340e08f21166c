//! A broker as one consumer uses it: which of its partitions it leads, and two fetch connections.
//!
//! As a rule one Fetch after the other goes out on the first. The second carries what became
//! fetchable while the broker sits on a Fetch that does not list it; it is made when that happens
//! first, and its requests do not wait long, so that soon one request lists everything again.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

use super::connection::ConnectionId;

/// Connections to one broker.
pub const LINKS: usize = 2;

/// The longest wait of a Fetch on the second connection for data that is not there yet.
pub const CATCH_UP_WAIT: Duration = Duration::from_millis(20);

/// One of the two connections.
#[derive(Debug, Default)]
pub struct Link {
    /// The connection, from the attempt to connect on.
    pub connection: Option<ConnectionId>,
    /// The number of the Fetch that has not been answered.
    pub in_flight: Option<u64>,
}

/// A broker that leads some of a consumer's partitions.
#[derive(Debug, Default)]
pub struct Node {
    /// The cursors, in the order in which the next Fetch lists them; brokers fill in order.
    pub order: VecDeque<u32>,
    /// First and second connection.
    pub links: [Link; LINKS],
    /// Whether the first connection's last answer was empty while the second is busy: what both
    /// carry should go into one request.
    pub merging: bool,
}

impl Node {
    /// Takes a cursor off the list.
    pub fn remove(&mut self, cursor: u32) {
        self.order.retain(|listed| *listed != cursor);
    }

    /// Puts first whoever follows the last cursor that `was_served`, so that partitions take
    /// turns at being filled. If that was the last of all, the next comes first: else the first
    /// would get its fill each time, and the last what is left.
    pub fn rotate(&mut self, was_served: impl Fn(u32) -> bool) {
        if let Some(last) = self.order.iter().rposition(|cursor| was_served(*cursor)) {
            let first = last + 1;
            self.order.rotate_left(if first == self.order.len() { 1 } else { first });
        }
    }

    /// Takes note that a link's Fetch is answered or lost.
    pub fn handle_settled(&mut self, link: usize, was_empty: bool) {
        let other_is_busy = self.links[1].in_flight.is_some();
        match link {
            0 => self.merging = was_empty && other_is_busy,
            _ => self.merging = false,
        }
        self.links[link].in_flight = None;
    }

    /// Returns the link that can carry a Fetch now, if `is_waiting` tells of a connection whether
    /// the broker has not begun to answer on it.
    pub fn free_link(&self, is_waiting: impl Fn(ConnectionId) -> bool) -> Option<usize> {
        let [first, second] = &self.links;
        if first.in_flight.is_none() {
            return (!self.merging).then_some(0);
        }
        let waits = first.connection.is_some_and(is_waiting);
        (waits && second.in_flight.is_none()).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_cursors_go_to_the_end_of_the_line() {
        let mut node = Node { order: (0..5).collect(), ..Node::default() };
        node.rotate(|cursor| cursor == 0 || cursor == 2);
        assert_eq!(node.order, [3, 4, 0, 1, 2]);
        node.rotate(|_| false);
        assert_eq!(node.order, [3, 4, 0, 1, 2]);
        node.rotate(|_| true);
        assert_eq!(node.order, [4, 0, 1, 2, 3]);
    }

    #[test]
    fn the_second_link_serves_while_the_broker_sits_on_the_first() {
        let id = ConnectionId { index: 0, generation: 0 };
        let mut node = Node::default();
        assert_eq!(node.free_link(|_| true), Some(0));
        node.links[0] = Link { connection: Some(id), in_flight: Some(1) };
        assert_eq!(node.free_link(|_| true), Some(1));
        assert_eq!(node.free_link(|_| false), None, "its answer is arriving");
        node.links[1].in_flight = Some(2);
        node.handle_settled(0, true);
        assert_eq!(node.free_link(|_| true), None, "one request should list everything again");
        node.handle_settled(1, true);
        assert_eq!(node.free_link(|_| true), Some(0));
    }
}
