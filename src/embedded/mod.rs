//! Groups with no broker: the coordinator of a log directory's groups, as machines without IO.
//!
//! ```text
//!  requests ──► GroupCoordinator ── records ──► OffsetsLog ──► __consumer_offsets-N segments
//!  answers  ◄──      │    ▲                          │
//!                groups  offsets ◄──── replayed ─────┘ when a process takes the directory over
//! ```
//!
//! The coordinator is the server's side of the classic group protocol, as Kafka's
//! `GroupMetadataManager` has it, in the protocol's own bytes. It has no socket and no clock: its
//! owner hands it requests and the time, writes the records it asks for, and then takes the
//! answers. The offsets log is that owner's means: it blocks on the disk, and keeps committed
//! offsets in Kafka's own records. Membership is kept nowhere but in memory.

mod coordinator;
mod groups_dir;
mod log_records;
mod now;
mod offset_record;
mod offsets;
mod offsets_log;
mod read_offsets;
mod replay;
mod settings;

pub use coordinator::{GroupCoordinator, Incoming, Outgoing, RequestId};
pub use groups_dir::groups_dir;
pub use now::Now;
pub use offset_record::{KeyError, OffsetKey, OffsetValue, RecordKey, ValueError};
pub use offsets::{CommittedOffset, GroupOffsets, OffsetRecord, Offsets};
pub use offsets_log::{OffsetsLog, OffsetsLogOptions, partition_of, refuse_brokers};
pub use read_offsets::read_offsets;
pub use settings::CoordinatorSettings;
