//! The numbers of the statuses.

/// What a function that can fail returns: 0 where nothing failed. −1 and every positive number is
/// an error code of Kafka's protocol, of which the ones that programs look for most have a constant
/// here; kfetch's own begin at −100 and go down. No number is ever used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_status {
    /// When nothing failed.
    Ok = 0,
    /// When something unexpected failed inside of a broker.
    UnknownServerError = -1,
    /// When a position lies outside of what the partition holds and `auto.offset.reset` is `none`.
    OffsetOutOfRange = 1,
    /// When a topic or a partition does not exist.
    UnknownTopicOrPartition = 3,
    /// When the generation has ended in which a member wanted to commit.
    IllegalGeneration = 22,
    /// When the group does not know the member any more.
    UnknownMemberId = 25,
    /// When the group is being rebalanced: the same call may succeed once that is over.
    RebalanceInProgress = 27,
    /// When the client may not read a topic.
    TopicAuthorizationFailed = 29,
    /// When the client may not use a group.
    GroupAuthorizationFailed = 30,
    /// When another member has taken this one's `group.instance.id`.
    FencedInstanceId = 82,

    /// When a panic was caught: a defect of kfetch. The handle is poisoned.
    Panic = -100,
    /// When an argument is NULL where that is not allowed, or outside of what the call takes.
    InvalidArgument = -101,
    /// When a property is unknown, malformed, out of range or not built yet.
    Config = -102,
    /// When the call does not fit the state: a partition that is not assigned, or a call from
    /// inside of a callback that may not make it.
    State = -103,
    /// When the handle has been closed.
    Closed = -104,
    /// When another thread is inside of a call on the same handle.
    Concurrent = -105,
    /// When `kfetch_consumer_wakeup` ended the call.
    Wakeup = -106,
    /// When the process is a fork's child and the handle belongs to the parent.
    Forked = -107,
    /// When the records that the program still holds take up `kfetch.memory.max.bytes`: free some.
    BudgetHeld = -108,
    /// When the time of the call ran out.
    Timeout = -109,
    /// When the handle or its engine met a defect earlier; only close and free still work.
    Poisoned = -110,
    /// When descriptors, threads or memory could not be had.
    Resource = -111,
    /// When there is no connection, a reset, or a name that does not resolve.
    Network = -112,
    /// When a peer's bytes are not the protocol.
    Protocol = -113,
    /// When the broker speaks no version of an API that kfetch speaks.
    UnsupportedVersion = -114,
    /// When no offset is known for a partition and `auto.offset.reset` is `none`.
    NoOffset = -115,
    /// When a batch or a record is damaged: checksum, lengths, counts, compressed data.
    Corrupt = -116,
    /// When a batch is of a format or a compression that kfetch does not read.
    Unsupported = -117,
    /// When a batch inflates past `kfetch.batch.inflated.max.bytes`.
    BatchTooLarge = -118,
    /// When a file or a directory could not be read or written.
    Io = -119,
    /// When a partition is locked by another writer.
    Locked = -120,
    /// When the caller's buffer does not hold what it should take.
    BufferTooSmall = -121,
}
