//! Log directories in Kafka's own format: segments, their indexes, and checkpoints.
//!
//! What is written here a broker serves as its own, and Kafka's dump tool finds nothing wrong with
//! it. What is read here somebody else may have written, or be writing: no byte of it makes this
//! module panic, and no count in it is believed before the bytes are there.
//!
//! ```text
//!  <log dir>/replication-offset-checkpoint        the high watermark of each partition
//!            recovery-point-offset-checkpoint     up to where each is known to be on the disk
//!            <topic>-<partition>/
//!                %020d.log                        record batches, one behind the other
//!                %020d.index                      some of the batches' offsets and positions
//!                %020d.timeindex                  largest timestamps so far, and their offsets
//! ```
//!
//! Every call may wait for a disk, so none belongs on a thread that serves sockets.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod active_segment;
pub mod checkpoint;
mod cursor;
mod dir_checkpoints;
mod directory;
mod headers;
mod hint;
pub mod index;
mod index_check;
mod indexer;
mod io_error;
mod large;
mod listing;
mod lock;
pub mod names;
mod reader;
mod recovery;
mod regular_file;
mod scan;
mod segment;
mod segment_check;
mod tail;
mod time_lookup;
mod writer;
mod writer_options;

pub use directory::{LogDirs, LogTopic, PartitionDir};
pub(crate) use io_error::io_error;
pub use reader::{Chunk, PartitionReader, ReadMode};
pub use scan::{ScanItem, SegmentScan};
pub use writer::LogWriter;
pub use writer_options::LogWriterOptions;
