//! The error codes that brokers send, as `Errors.java` of Kafka 4.2 numbers and names them.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

/// An error code of the protocol; codes of newer brokers stay what they are.
///
/// The constants are those that a consumer acts on; [`ErrorCode::name`] knows all.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// When something unexpected failed inside of the broker.
    pub const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    /// When nothing failed.
    pub const NONE: Self = Self(0);
    /// When the offset lies outside of what the partition holds.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// When a batch is damaged, too large, or lacks a key it must have.
    pub const CORRUPT_MESSAGE: Self = Self(2);
    /// When the broker does not have this topic or partition.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// When the partition has no leader at the moment.
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// When the broker is not the leader, or no replica, of the partition.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// When the broker ran out of time.
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    /// When the replica is not available.
    pub const REPLICA_NOT_AVAILABLE: Self = Self(9);
    /// When the metadata of a commit is too long.
    pub const OFFSET_METADATA_TOO_LARGE: Self = Self(12);
    /// When the coordinator is still loading.
    pub const COORDINATOR_LOAD_IN_PROGRESS: Self = Self(14);
    /// When the coordinator is not available.
    pub const COORDINATOR_NOT_AVAILABLE: Self = Self(15);
    /// When the broker is not the coordinator.
    pub const NOT_COORDINATOR: Self = Self(16);
    /// When the topic's name is not valid, or the operation not allowed on it.
    pub const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// When the generation is not the group's.
    pub const ILLEGAL_GENERATION: Self = Self(22);
    /// When the member shares no protocol with the group.
    pub const INCONSISTENT_GROUP_PROTOCOL: Self = Self(23);
    /// When the group id is not valid.
    pub const INVALID_GROUP_ID: Self = Self(24);
    /// When the coordinator does not know this member.
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    /// When the session timeout is outside of the broker's limits.
    pub const INVALID_SESSION_TIMEOUT: Self = Self(26);
    /// When the group is rebalancing.
    pub const REBALANCE_IN_PROGRESS: Self = Self(27);
    /// When the commit is too large.
    pub const INVALID_COMMIT_OFFSET_SIZE: Self = Self(28);
    /// When the client is not authorized for the topic.
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// When the client is not authorized for the group.
    pub const GROUP_AUTHORIZATION_FAILED: Self = Self(30);
    /// When the client is not authorized for the cluster.
    pub const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    /// When the broker lacks this SASL mechanism.
    pub const UNSUPPORTED_SASL_MECHANISM: Self = Self(33);
    /// When the request does not belong to this state of the SASL exchange.
    pub const ILLEGAL_SASL_STATE: Self = Self(34);
    /// When the broker lacks this version of the API.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// When the broker cannot make sense of the request.
    pub const INVALID_REQUEST: Self = Self(42);
    /// When the broker's disk failed.
    pub const KAFKA_STORAGE_ERROR: Self = Self(56);
    /// When SASL authentication failed.
    pub const SASL_AUTHENTICATION_FAILED: Self = Self(58);
    /// When the group does not exist.
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);
    /// When the broker has no such fetch session.
    pub const FETCH_SESSION_ID_NOT_FOUND: Self = Self(70);
    /// When the epoch of the fetch session is not the next one.
    pub const INVALID_FETCH_SESSION_EPOCH: Self = Self(71);
    /// When the leader epoch is older than the broker's.
    pub const FENCED_LEADER_EPOCH: Self = Self(74);
    /// When the leader epoch is newer than the broker's.
    pub const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    /// When this version of Fetch cannot carry the topic's compression.
    pub const UNSUPPORTED_COMPRESSION_TYPE: Self = Self(76);
    /// When the new leader does not know the high watermark yet.
    pub const OFFSET_NOT_AVAILABLE: Self = Self(78);
    /// When the member has to join with the id it was given.
    pub const MEMBER_ID_REQUIRED: Self = Self(79);
    /// When the group is full.
    pub const GROUP_MAX_SIZE_REACHED: Self = Self(81);
    /// When another member has this group.instance.id.
    pub const FENCED_INSTANCE_ID: Self = Self(82);
    /// When offsets of a transaction are still undecided.
    pub const UNSTABLE_OFFSET_COMMIT: Self = Self(88);
    /// When the broker does not have a topic of this id.
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
    /// When the topic's id is not that of the log.
    pub const INCONSISTENT_TOPIC_ID: Self = Self(103);
    /// When a topic's id changed within the fetch session.
    pub const FETCH_SESSION_TOPIC_ID_ERROR: Self = Self(106);
    /// When the offset has moved to tiered storage.
    pub const OFFSET_MOVED_TO_TIERED_STORAGE: Self = Self(109);
    /// When the member's epoch is fenced: it has to join anew.
    pub const FENCED_MEMBER_EPOCH: Self = Self(110);
    /// When another member still has this group.instance.id.
    pub const UNRELEASED_INSTANCE_ID: Self = Self(111);
    /// When the group does not support this assignor.
    pub const UNSUPPORTED_ASSIGNOR: Self = Self(112);
    /// When the member's epoch is old: a newer one is on its way.
    pub const STALE_MEMBER_EPOCH: Self = Self(113);
    /// When the regular expression is not valid.
    pub const INVALID_REGULAR_EXPRESSION: Self = Self(128);
    /// When the client has to start anew from its bootstrap servers.
    pub const REBOOTSTRAP_REQUIRED: Self = Self(129);

    /// Tells whether it is an error, that is not [`ErrorCode::NONE`].
    pub const fn is_error(self) -> bool {
        self.0 != Self::NONE.0
    }

    /// Returns Kafka's name, such as `"OFFSET_OUT_OF_RANGE"`; `"UNKNOWN"` for a code that this
    /// version does not know.
    pub fn name(self) -> &'static str {
        self.row().map_or("UNKNOWN", |row| row.0)
    }

    /// Returns what the code means, in a few words.
    pub fn text(self) -> &'static str {
        self.row().map_or("an error that is not known here", |row| row.2)
    }

    /// Tells whether Kafka's Java client would try the same request again: its exception for the
    /// code is a `RetriableException`. A code that is not known is not retriable.
    pub fn is_retriable(self) -> bool {
        self.row().is_some_and(|row| row.1)
    }

    fn row(self) -> Option<&'static Row> {
        let index = self.0.checked_sub(FIRST_CODE)?;
        ROWS.get(usize::try_from(index).ok()?)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name(), self.0, self.text())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// A code's name, whether it is retriable, and its meaning.
type Row = (&'static str, bool, &'static str);

const FIRST_CODE: i16 = -1;

/// One row for each code from [`FIRST_CODE`] on, without a gap.
const ROWS: [Row; 135] = [
    ("UNKNOWN_SERVER_ERROR", false, "an unexpected failure inside of the broker"),
    ("NONE", false, "no error"),
    ("OFFSET_OUT_OF_RANGE", false, "the offset lies outside of what the partition holds"),
    ("CORRUPT_MESSAGE", true, "a batch is damaged, too large, or lacks a key it must have"),
    ("UNKNOWN_TOPIC_OR_PARTITION", true, "the broker does not have this topic or partition"),
    ("INVALID_FETCH_SIZE", false, "the fetch size is not valid"),
    ("LEADER_NOT_AVAILABLE", true, "the partition has no leader at the moment"),
    (
        "NOT_LEADER_OR_FOLLOWER",
        true,
        "the broker is not the leader, or no replica, of the partition",
    ),
    ("REQUEST_TIMED_OUT", true, "the broker ran out of time"),
    ("BROKER_NOT_AVAILABLE", false, "the broker is not available"),
    ("REPLICA_NOT_AVAILABLE", true, "the replica is not available"),
    ("MESSAGE_TOO_LARGE", false, "a batch is larger than the broker accepts"),
    ("STALE_CONTROLLER_EPOCH", false, "the controller has moved"),
    ("OFFSET_METADATA_TOO_LARGE", false, "the metadata of a commit is too long"),
    ("NETWORK_EXCEPTION", true, "the connection ended before the response"),
    ("COORDINATOR_LOAD_IN_PROGRESS", true, "the coordinator is still loading"),
    ("COORDINATOR_NOT_AVAILABLE", true, "the coordinator is not available"),
    ("NOT_COORDINATOR", true, "the broker is not the coordinator"),
    (
        "INVALID_TOPIC_EXCEPTION",
        false,
        "the topic's name is not valid, or the operation not allowed on it",
    ),
    ("RECORD_LIST_TOO_LARGE", false, "a batch is larger than a segment"),
    ("NOT_ENOUGH_REPLICAS", true, "fewer replicas are in sync than the topic asks for"),
    (
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        true,
        "written, but to fewer replicas than the topic asks for",
    ),
    ("INVALID_REQUIRED_ACKS", false, "the value of acks is not valid"),
    ("ILLEGAL_GENERATION", false, "the generation is not the group's"),
    ("INCONSISTENT_GROUP_PROTOCOL", false, "the member shares no protocol with the group"),
    ("INVALID_GROUP_ID", false, "the group id is not valid"),
    ("UNKNOWN_MEMBER_ID", false, "the coordinator does not know this member"),
    ("INVALID_SESSION_TIMEOUT", false, "the session timeout is outside of the broker's limits"),
    ("REBALANCE_IN_PROGRESS", false, "the group is rebalancing"),
    ("INVALID_COMMIT_OFFSET_SIZE", false, "the commit is too large"),
    ("TOPIC_AUTHORIZATION_FAILED", false, "not authorized for the topic"),
    ("GROUP_AUTHORIZATION_FAILED", false, "not authorized for the group"),
    ("CLUSTER_AUTHORIZATION_FAILED", false, "not authorized for the cluster"),
    ("INVALID_TIMESTAMP", false, "a timestamp is outside of the accepted range"),
    ("UNSUPPORTED_SASL_MECHANISM", false, "the broker lacks this SASL mechanism"),
    ("ILLEGAL_SASL_STATE", false, "not expected in this state of the SASL exchange"),
    ("UNSUPPORTED_VERSION", false, "the broker lacks this version of the API"),
    ("TOPIC_ALREADY_EXISTS", false, "a topic of this name exists"),
    ("INVALID_PARTITIONS", false, "the number of partitions is not valid"),
    ("INVALID_REPLICATION_FACTOR", false, "the replication factor is not valid"),
    ("INVALID_REPLICA_ASSIGNMENT", false, "the assignment of replicas is not valid"),
    ("INVALID_CONFIG", false, "the configuration is not valid"),
    ("NOT_CONTROLLER", true, "the broker is not the controller"),
    ("INVALID_REQUEST", false, "the broker cannot make sense of the request"),
    ("UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "the topic's message format does not support this"),
    ("POLICY_VIOLATION", false, "a policy of the cluster forbids it"),
    ("OUT_OF_ORDER_SEQUENCE_NUMBER", false, "a sequence number is out of order"),
    ("DUPLICATE_SEQUENCE_NUMBER", false, "a sequence number came twice"),
    ("INVALID_PRODUCER_EPOCH", false, "the producer's epoch is old"),
    ("INVALID_TXN_STATE", false, "not allowed in the transaction's state"),
    ("INVALID_PRODUCER_ID_MAPPING", false, "the producer id is not that of the transactional id"),
    ("INVALID_TRANSACTION_TIMEOUT", false, "the transaction timeout is above the broker's limit"),
    ("CONCURRENT_TRANSACTIONS", true, "another operation on the transaction is under way"),
    ("TRANSACTION_COORDINATOR_FENCED", false, "the transaction coordinator is no longer current"),
    ("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "not authorized for the transactional id"),
    ("SECURITY_DISABLED", false, "security is not enabled"),
    ("OPERATION_NOT_ATTEMPTED", false, "the broker did not try it"),
    ("KAFKA_STORAGE_ERROR", true, "the broker's disk failed"),
    ("LOG_DIR_NOT_FOUND", false, "the broker has no such log directory"),
    ("SASL_AUTHENTICATION_FAILED", false, "SASL authentication failed"),
    ("UNKNOWN_PRODUCER_ID", false, "the broker has no state of this producer"),
    ("REASSIGNMENT_IN_PROGRESS", false, "the partition is being reassigned"),
    ("DELEGATION_TOKEN_AUTH_DISABLED", false, "delegation tokens are not enabled"),
    ("DELEGATION_TOKEN_NOT_FOUND", false, "the delegation token does not exist"),
    ("DELEGATION_TOKEN_OWNER_MISMATCH", false, "the delegation token belongs to another"),
    (
        "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
        false,
        "a delegation token cannot be asked for over this channel",
    ),
    ("DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "not authorized for the delegation token"),
    ("DELEGATION_TOKEN_EXPIRED", false, "the delegation token has expired"),
    ("INVALID_PRINCIPAL_TYPE", false, "the type of principal is not supported"),
    ("NON_EMPTY_GROUP", false, "the group has members"),
    ("GROUP_ID_NOT_FOUND", false, "the group does not exist"),
    ("FETCH_SESSION_ID_NOT_FOUND", true, "the broker has no such fetch session"),
    ("INVALID_FETCH_SESSION_EPOCH", true, "the epoch of the fetch session is not the next one"),
    ("LISTENER_NOT_FOUND", true, "the leader has no listener of that name"),
    ("TOPIC_DELETION_DISABLED", false, "deleting topics is not enabled"),
    ("FENCED_LEADER_EPOCH", true, "the leader epoch is older than the broker's"),
    ("UNKNOWN_LEADER_EPOCH", true, "the leader epoch is newer than the broker's"),
    (
        "UNSUPPORTED_COMPRESSION_TYPE",
        false,
        "this version of Fetch cannot carry the topic's compression",
    ),
    ("STALE_BROKER_EPOCH", false, "the broker's epoch has changed"),
    ("OFFSET_NOT_AVAILABLE", true, "the new leader does not know the high watermark yet"),
    ("MEMBER_ID_REQUIRED", false, "the member has to join with the id it was given"),
    ("PREFERRED_LEADER_NOT_AVAILABLE", true, "the preferred leader is not available"),
    ("GROUP_MAX_SIZE_REACHED", false, "the group is full"),
    ("FENCED_INSTANCE_ID", false, "another member has this group.instance.id"),
    ("ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "no replica that may lead is available"),
    ("ELECTION_NOT_NEEDED", true, "the partition needs no election"),
    ("NO_REASSIGNMENT_IN_PROGRESS", false, "the partition is not being reassigned"),
    ("GROUP_SUBSCRIBED_TO_TOPIC", false, "the group is subscribed to the topic"),
    ("INVALID_RECORD", false, "the broker refuses a record"),
    ("UNSTABLE_OFFSET_COMMIT", true, "offsets of a transaction are still undecided"),
    ("THROTTLING_QUOTA_EXCEEDED", true, "a quota is used up"),
    ("PRODUCER_FENCED", false, "a newer producer has this transactional id"),
    ("RESOURCE_NOT_FOUND", false, "the resource does not exist"),
    ("DUPLICATE_RESOURCE", false, "the resource is named twice"),
    ("UNACCEPTABLE_CREDENTIAL", false, "the credential does not meet the broker's rules"),
    ("INCONSISTENT_VOTER_SET", false, "the sender or the receiver is not among the voters"),
    ("INVALID_UPDATE_VERSION", false, "the version of the update is not valid"),
    ("FEATURE_UPDATE_FAILED", false, "features could not be updated"),
    ("PRINCIPAL_DESERIALIZATION_FAILURE", false, "a forwarded principal could not be read"),
    ("SNAPSHOT_NOT_FOUND", false, "the snapshot does not exist"),
    ("POSITION_OUT_OF_RANGE", false, "the position lies outside of the snapshot"),
    ("UNKNOWN_TOPIC_ID", true, "the broker does not have a topic of this id"),
    ("DUPLICATE_BROKER_REGISTRATION", false, "a broker of this id is registered"),
    ("BROKER_ID_NOT_REGISTERED", false, "no broker of this id is registered"),
    ("INCONSISTENT_TOPIC_ID", true, "the topic's id is not that of the log"),
    ("INCONSISTENT_CLUSTER_ID", false, "the cluster's id is another one"),
    ("TRANSACTIONAL_ID_NOT_FOUND", false, "the transactional id does not exist"),
    ("FETCH_SESSION_TOPIC_ID_ERROR", true, "a topic's id changed within the fetch session"),
    ("INELIGIBLE_REPLICA", false, "a replica may not be in sync"),
    ("NEW_LEADER_ELECTED", false, "the partition's leader has changed"),
    ("OFFSET_MOVED_TO_TIERED_STORAGE", false, "the offset has moved to tiered storage"),
    ("FENCED_MEMBER_EPOCH", false, "the member's epoch is fenced: it has to join anew"),
    ("UNRELEASED_INSTANCE_ID", false, "another member still has this group.instance.id"),
    ("UNSUPPORTED_ASSIGNOR", false, "the group does not support this assignor"),
    ("STALE_MEMBER_EPOCH", false, "the member's epoch is old: a newer one is on its way"),
    ("MISMATCHED_ENDPOINT_TYPE", false, "the endpoint is of another type"),
    ("UNSUPPORTED_ENDPOINT_TYPE", false, "the endpoint's type is not supported"),
    ("UNKNOWN_CONTROLLER_ID", false, "no controller has this id"),
    ("UNKNOWN_SUBSCRIPTION_ID", false, "the telemetry subscription is unknown or outdated"),
    ("TELEMETRY_TOO_LARGE", false, "the telemetry is larger than the broker accepts"),
    ("INVALID_REGISTRATION", false, "the controller refuses the broker's registration"),
    ("TRANSACTION_ABORTABLE", false, "the transaction can only be aborted"),
    ("INVALID_RECORD_STATE", false, "the records are not in a state to be acknowledged"),
    ("SHARE_SESSION_NOT_FOUND", true, "the share session does not exist"),
    ("INVALID_SHARE_SESSION_EPOCH", true, "the epoch of the share session is not the next one"),
    ("FENCED_STATE_EPOCH", false, "the epoch of the share group's state is old"),
    ("INVALID_VOTER_KEY", false, "the voter's key is not the replica's"),
    ("DUPLICATE_VOTER", false, "the voter is in the set"),
    ("VOTER_NOT_FOUND", false, "the voter is not in the set"),
    ("INVALID_REGULAR_EXPRESSION", false, "the regular expression is not valid"),
    ("REBOOTSTRAP_REQUIRED", false, "the client has to start anew from its bootstrap servers"),
    ("STREAMS_INVALID_TOPOLOGY", false, "the topology is not valid"),
    ("STREAMS_INVALID_TOPOLOGY_EPOCH", false, "the topology's epoch is not valid"),
    ("STREAMS_TOPOLOGY_FENCED", false, "the topology's epoch is old"),
    ("SHARE_SESSION_LIMIT_REACHED", true, "the broker has too many share sessions"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_their_names() {
        assert_eq!(ErrorCode::UNKNOWN_SERVER_ERROR.name(), "UNKNOWN_SERVER_ERROR");
        assert_eq!(ErrorCode::NONE.name(), "NONE");
        assert_eq!(ErrorCode::OFFSET_OUT_OF_RANGE.name(), "OFFSET_OUT_OF_RANGE");
        assert_eq!(ErrorCode::INVALID_FETCH_SESSION_EPOCH.name(), "INVALID_FETCH_SESSION_EPOCH");
        assert_eq!(ErrorCode::REBOOTSTRAP_REQUIRED.name(), "REBOOTSTRAP_REQUIRED");
        assert_eq!(ErrorCode(133).name(), "SHARE_SESSION_LIMIT_REACHED");
    }

    #[test]
    fn an_unknown_code_is_an_error_that_is_not_retried() {
        for code in [134, 1000, -2, i16::MIN, i16::MAX] {
            let code = ErrorCode(code);
            assert!(code.is_error() && !code.is_retriable());
            assert_eq!(code.name(), "UNKNOWN");
        }
        assert_eq!(ErrorCode(1000).to_string(), "UNKNOWN (1000): an error that is not known here");
    }
}
