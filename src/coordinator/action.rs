//! What a member wants its owner to do, and how a request can go without an answer.

#![forbid(unsafe_code)]

use super::notice::Notice;
use super::request::Request;
use crate::topic::TopicName;

/// Something that only the owner of connections can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberAction {
    /// When any broker of the cluster is to be asked.
    Ask(Request),
    /// When this broker of the cluster is to be asked, by the node id that the answer to
    /// [`Request::Brokers`] gave it.
    AskBroker {
        /// The broker's node id.
        node_id: i32,
        /// The request.
        request: Request,
    },
    /// When a connection to the coordinator is to be made, which carries this member's requests
    /// and nothing else; an earlier one is closed, and its unanswered requests are handed back
    /// before the member is told of the new one.
    Connect {
        /// The coordinator's node id.
        node_id: i32,
        /// Its name or address.
        host: String,
        /// Its TCP port.
        port: u16,
    },
    /// When the coordinator is to be asked, on the connection.
    Send(Request),
    /// When the connection is to be closed, if there still is one; its unanswered requests are
    /// handed back, and nothing else is told.
    Disconnect,
    /// When the ids of these topics have turned out to be stale.
    ForgetTopicIds(Vec<TopicName>),
    /// When the application's side is to be told.
    Notify(Notice),
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// When the connection was lost, or the time ran out; in words.
    Lost(String),
    /// When the broker speaks no version of it that has what it says; in words.
    Unsupported(String),
}
