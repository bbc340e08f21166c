//! Reads a Fetch response while it arrives, batch by batch.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::request::read_topic;
use super::response::{
    AbortedTransaction, FetchableTopicResponse, NodeEndpoint, PartitionData, PartitionTail,
};
use crate::protocol::{ApiKey, ErrorCode};
use crate::wire::{Reader, Uuid, WireError};

/// Length of a batch's base offset and length fields, which the length does not count.
const LOG_OVERHEAD_BYTES: usize = 12;
/// Length of a v2 batch's header.
const BATCH_HEADER_BYTES: usize = 61;
/// Where a batch's magic is, in every format.
const MAGIC_AT: usize = 16;
/// The least that the length field of a v0 message counts: CRC, magic, attributes, two lengths.
const LEGACY_LENGTH_MIN: usize = 14;
/// The least that the length field of a v2 batch counts.
const BATCH_LENGTH_MIN: usize = BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES;

/// Why a response cannot be read on; the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}, at byte {at_byte} of the Fetch response")]
pub struct FetchDecodeError {
    /// What is wrong; never [`WireError::Incomplete`].
    #[source]
    pub error: WireError,
    /// How many bytes of the body had been consumed before.
    pub at_byte: usize,
}

/// What [`FetchDecoder::step`] found.
///
/// The steps of a body are, in this order: `Header`; for each topic `Topic`, and for each of its
/// partitions `Partition`, any number of `Aborted`, `Records`, any number of `Batch`, at most one
/// of `CutBatch` and `BadBatch`, `PartitionEnd`; `NodeEndpoints` if the broker sends any; `Done`.
/// `NeedMore` and `Skipped` come anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// When nothing can be said before more has arrived; nothing is consumed.
    NeedMore {
        /// How many bytes, counted from the start of this input, are needed for any progress; more
        /// than the input has, and no more than is left of the body.
        at_least: usize,
    },
    /// When bytes were consumed that say nothing: the rest of cut records, unknown tagged fields.
    Skipped,
    /// When the fields in front of the topics are there.
    Header(FetchHeader),
    /// When a topic begins.
    Topic(TopicRef<'a>),
    /// When a partition begins.
    Partition(PartitionHeader),
    /// When a transaction was aborted.
    Aborted(AbortedTransaction),
    /// When a partition's records begin, or are empty or null.
    Records(RecordsHeader),
    /// When a whole record batch has arrived; these are its bytes, and all that was consumed.
    Batch(&'a [u8]),
    /// When the records end inside of a batch, as they do where the broker's limit cut them. What
    /// there is of it is consumed here or skipped later.
    CutBatch {
        /// Length of the piece.
        length: usize,
        /// Whether a whole batch came before it. If not, the answer brought no progress although
        /// it has bytes (brokers send a first batch whole, KIP-74).
        after_whole_batch: bool,
    },
    /// When a batch's length field cannot be right: the partition is damaged, the rest of its
    /// records consumed here or skipped later. The connection is still good.
    BadBatch(BadBatch),
    /// When a partition has ended.
    PartitionEnd(PartitionTail),
    /// When the broker names the leaders that partitions have moved to (v16+, KIP-951).
    NodeEndpoints(Vec<NodeEndpoint<'a>>),
    /// When the body has ended; every later step gives this again.
    Done,
}

/// The fields in front of the topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchHeader {
    /// As [`super::FetchResponse::throttle_time_ms`].
    pub throttle_time_ms: i32,
    /// As [`super::FetchResponse::error_code`].
    pub error_code: ErrorCode,
    /// As [`super::FetchResponse::session_id`].
    pub session_id: i32,
}

/// What a topic is called in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef<'a> {
    /// When the version is 12 or lower.
    Name(&'a str),
    /// When the version is 13 or higher (KIP-516).
    Id(Uuid),
}

/// The fields of a partition in front of its aborted transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionHeader {
    /// As [`PartitionData::partition_index`].
    pub partition_index: i32,
    /// As [`PartitionData::error_code`].
    pub error_code: ErrorCode,
    /// As [`PartitionData::high_watermark`].
    pub high_watermark: i64,
    /// As [`PartitionData::last_stable_offset`].
    pub last_stable_offset: i64,
    /// As [`PartitionData::log_start_offset`].
    pub log_start_offset: i64,
    /// How many `Aborted` steps follow; `None` for null.
    pub aborted_count: Option<usize>,
}

/// The fields of a partition between its aborted transactions and its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordsHeader {
    /// As [`PartitionData::preferred_read_replica`].
    pub preferred_read_replica: i32,
    /// Length of the records; `None` for null.
    pub records_length: Option<usize>,
}

/// A batch whose length field is below the least that a batch can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBatch {
    /// The batch's base offset, if that can be trusted.
    pub base_offset: i64,
    /// The batch's length field.
    pub batch_length: i32,
}

/// A machine that reads the body of one Fetch response in the pieces in which it arrives, without
/// copying and without memory of its own.
///
/// The caller keeps the bytes that have arrived and are not consumed, in one piece, and gives them
/// to [`FetchDecoder::step`] again and again. Every length is checked against what is left of the
/// body, so that a damaged one is an error before anything is waited for.
#[derive(Clone, Debug)]
pub struct FetchDecoder {
    version: i16,
    body_length: usize,
    /// Bytes of the body that have not been consumed.
    body_left: usize,
    state: State,
    topics_left: usize,
    partitions_left: usize,
    aborted_left: usize,
    /// Bytes of the partition's records that have not been consumed.
    records_left: usize,
    /// Whether the partition had a whole batch.
    whole_batch: bool,
    tags_left: u32,
    tail: PartitionTail,
    /// Bytes to consume before `state` goes on.
    skip_left: usize,
}

/// What comes next in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    TopicOrEnd,
    PartitionOrEnd,
    AbortedOrEnd,
    Records,
    BatchOrEnd,
    TagCount(Scope),
    TagOrEnd(Scope),
    PartitionEnd,
    End,
}

/// Whose tagged fields they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Aborted,
    Partition,
    Topic,
    Body,
}

impl FetchDecoder {
    /// Makes a decoder of a body of `version` that is `body_length` bytes long: the frame's length
    /// without the response's header. A version that kfetch does not read fails the first step.
    pub fn new(version: i16, body_length: usize) -> Self {
        Self {
            version,
            body_length,
            body_left: body_length,
            state: State::Header,
            topics_left: 0,
            partitions_left: 0,
            aborted_left: 0,
            records_left: 0,
            whole_batch: false,
            tags_left: 0,
            tail: PartitionTail::default(),
            skip_left: 0,
        }
    }

    /// Reads on, and returns how many bytes of `input` it has consumed and what it found.
    ///
    /// `input` begins at the first byte that is not consumed; what it has beyond the body's end is
    /// left alone. Consumed bytes are never needed again, except by the caller for what it keeps
    /// of `Batch`. The result does not depend on how the body was cut into pieces, except for
    /// `NeedMore` and `Skipped`.
    ///
    /// # Errors
    /// [`FetchDecodeError`] if the bytes are no Fetch response; then the decoder is of no more use.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Step<'a>), FetchDecodeError> {
        let flexible = ApiKey::Fetch.is_flexible(self.version);
        let mut r = Reader::prefix(input, self.body_left).with_flexible(flexible);
        let arrived = r.rest().len();
        let mut consumed = 0;
        loop {
            let found = self.advance(&mut r);
            let position = arrived.saturating_sub(r.rest().len());
            let step = match found {
                Ok(None) => {
                    consumed = position;
                    continue;
                }
                Ok(Some(step)) => {
                    consumed = position;
                    step
                }
                Err(WireError::Incomplete { .. }) if consumed > 0 => Step::Skipped,
                Err(WireError::Incomplete { missing }) => {
                    Step::NeedMore { at_least: arrived.saturating_add(missing) }
                }
                Err(error) => {
                    let before = self.body_length.saturating_sub(self.body_left);
                    let at_byte = before.saturating_add(consumed);
                    return Err(FetchDecodeError { error, at_byte });
                }
            };
            self.body_left = self.body_left.saturating_sub(consumed);
            return Ok((consumed, step));
        }
    }

    /// Returns the header of the batch that [`FetchDecoder::step`] waits for, if `input`, the one
    /// it was given, has as much of it: the batch is of format v2 and will be a whole one.
    ///
    /// Nothing but its length has been checked; its checksum needs the whole batch.
    pub fn batch_header_in_sight<'a>(
        &self,
        input: &'a [u8],
    ) -> Option<&'a [u8; BATCH_HEADER_BYTES]> {
        if self.state != State::BatchOrEnd {
            return None;
        }
        let header = input.first_chunk()?;
        let whole = matches!(self.batch_extent(input), Extent::Whole { .. });
        (whole && header.get(MAGIC_AT) == Some(&2)).then_some(header)
    }

    /// Reads one thing and returns it, or `None` for something that the caller need not know.
    ///
    /// Changes nothing if it fails, so that it can be called again with more input.
    fn advance<'a>(&mut self, r: &mut Reader<'a>) -> Result<Option<Step<'a>>, WireError> {
        if self.skip_left > 0 {
            self.skip(r)?;
            return Ok(None);
        }
        match self.state {
            State::Header => self.read_header(r).map(Some),
            State::TopicOrEnd => self.read_topic(r),
            State::PartitionOrEnd => self.read_partition(r),
            State::AbortedOrEnd => self.read_aborted(r),
            State::Records => self.read_records(r).map(Some),
            State::BatchOrEnd => self.read_batch(r),
            State::TagCount(scope) => {
                self.tags_left = r.tag_count()?;
                self.state = State::TagOrEnd(scope);
                Ok(None)
            }
            State::TagOrEnd(scope) => self.read_tag(scope, r),
            State::PartitionEnd => {
                self.state = State::PartitionOrEnd;
                Ok(Some(Step::PartitionEnd(self.tail)))
            }
            State::End => r.end().map(|()| Some(Step::Done)),
        }
    }

    fn skip(&mut self, r: &mut Reader<'_>) -> Result<(), WireError> {
        let here = self.skip_left.min(r.rest().len());
        r.take(here.max(1))?;
        self.skip_left = self.skip_left.saturating_sub(here);
        Ok(())
    }

    fn read_header<'a>(&mut self, r: &mut Reader<'a>) -> Result<Step<'a>, WireError> {
        if !ApiKey::Fetch.versions().contains(self.version) {
            return Err(WireError::UnsupportedVersion { version: self.version });
        }
        let mut header = FetchHeader {
            throttle_time_ms: r.int32()?,
            error_code: ErrorCode::NONE,
            session_id: 0,
        };
        if self.version >= 7 {
            header.error_code = ErrorCode(r.int16()?);
            header.session_id = r.int32()?;
        }
        self.topics_left = r.array_count(FetchableTopicResponse::MIN_BYTES)?;
        self.state = State::TopicOrEnd;
        Ok(Step::Header(header))
    }

    fn read_topic<'a>(&mut self, r: &mut Reader<'a>) -> Result<Option<Step<'a>>, WireError> {
        let Some(topics_left) = self.topics_left.checked_sub(1) else {
            self.enter_tags(Scope::Body);
            return Ok(None);
        };
        let (topic, topic_id) = read_topic(r, self.version)?;
        self.partitions_left = r.array_count(PartitionData::MIN_BYTES)?;
        self.topics_left = topics_left;
        self.state = State::PartitionOrEnd;
        let by_id = self.version >= 13;
        let topic = if by_id { TopicRef::Id(topic_id) } else { TopicRef::Name(topic) };
        Ok(Some(Step::Topic(topic)))
    }

    fn read_partition<'a>(&mut self, r: &mut Reader<'a>) -> Result<Option<Step<'a>>, WireError> {
        let Some(partitions_left) = self.partitions_left.checked_sub(1) else {
            self.enter_tags(Scope::Topic);
            return Ok(None);
        };
        let header = PartitionHeader {
            partition_index: r.int32()?,
            error_code: ErrorCode(r.int16()?),
            high_watermark: r.int64()?,
            last_stable_offset: r.int64()?,
            log_start_offset: if self.version >= 5 { r.int64()? } else { -1 },
            aborted_count: r.nullable_array_count(AbortedTransaction::MIN_BYTES)?,
        };
        self.partitions_left = partitions_left;
        self.aborted_left = header.aborted_count.unwrap_or(0);
        self.whole_batch = false;
        self.tail = PartitionTail::default();
        self.state = State::AbortedOrEnd;
        Ok(Some(Step::Partition(header)))
    }

    fn read_aborted<'a>(&mut self, r: &mut Reader<'a>) -> Result<Option<Step<'a>>, WireError> {
        let Some(aborted_left) = self.aborted_left.checked_sub(1) else {
            self.state = State::Records;
            return Ok(None);
        };
        let aborted = AbortedTransaction::decode(r)?;
        self.aborted_left = aborted_left;
        self.enter_tags(Scope::Aborted);
        Ok(Some(Step::Aborted(aborted)))
    }

    fn read_records<'a>(&mut self, r: &mut Reader<'a>) -> Result<Step<'a>, WireError> {
        let header = RecordsHeader {
            preferred_read_replica: if self.version >= 11 { r.int32()? } else { -1 },
            records_length: r.nullable_length()?,
        };
        let records_left = header.records_length.unwrap_or(0);
        match records_left.checked_sub(r.bytes_left()) {
            None | Some(0) => {}
            Some(missing) => return Err(WireError::Truncated { missing }),
        }
        self.records_left = records_left;
        self.state = State::BatchOrEnd;
        Ok(Step::Records(header))
    }

    fn read_batch<'a>(&mut self, r: &mut Reader<'a>) -> Result<Option<Step<'a>>, WireError> {
        if self.records_left == 0 {
            self.enter_tags(Scope::Partition);
            return Ok(None);
        }
        let step = match self.batch_extent(r.rest()) {
            // More than there is, so this says how much is missing.
            Extent::Unknown { needed } => return r.take(needed).map(|_| None),
            Extent::Whole { length } => {
                let batch = r.take(length)?;
                self.records_left = self.records_left.saturating_sub(length);
                self.whole_batch = true;
                return Ok(Some(Step::Batch(batch)));
            }
            Extent::Cut => {
                Step::CutBatch { length: self.records_left, after_whole_batch: self.whole_batch }
            }
            Extent::Bad(batch) => Step::BadBatch(batch),
        };
        let here = self.records_left.min(r.rest().len());
        r.take(here)?;
        self.skip_left = self.records_left.saturating_sub(here);
        self.records_left = 0;
        Ok(Some(step))
    }

    /// Looks where the batch ends that begins with `input`, of which no more than the records that
    /// are left belongs to it.
    fn batch_extent(&self, input: &[u8]) -> Extent {
        if self.records_left < LOG_OVERHEAD_BYTES {
            return Extent::Cut;
        }
        let mut r = Reader::new(input);
        let (Ok(base_offset), Ok(batch_length)) = (r.int64(), r.int32()) else {
            return Extent::Unknown { needed: LOG_OVERHEAD_BYTES };
        };
        let bad = Extent::Bad(BadBatch { base_offset, batch_length });
        let Ok(counted) = usize::try_from(batch_length) else {
            return bad;
        };
        let length = counted.saturating_add(LOG_OVERHEAD_BYTES);
        if counted < LEGACY_LENGTH_MIN {
            return bad;
        }
        if length > self.records_left {
            return Extent::Cut;
        }
        // Messages of the formats before v2 may be shorter, and brokers serve them as they are.
        if counted < BATCH_LENGTH_MIN {
            match input.get(MAGIC_AT) {
                None => {
                    return Extent::Unknown { needed: MAGIC_AT + 1 };
                }
                Some(0 | 1) => {}
                Some(_) => return bad,
            }
        }
        Extent::Whole { length }
    }

    fn read_tag<'a>(
        &mut self,
        scope: Scope,
        r: &mut Reader<'a>,
    ) -> Result<Option<Step<'a>>, WireError> {
        let Some(tags_left) = self.tags_left.checked_sub(1) else {
            self.leave_tags(scope);
            return Ok(None);
        };
        let (tag, length) = r.tag()?;
        let mut step = None;
        let is_nodes = scope == Scope::Body && tag == 0 && self.version >= 16;
        if is_nodes || (scope == Scope::Partition && PartitionTail::knows(tag)) {
            let mut field = Reader::new(r.take(length)?).with_flexible(true);
            if is_nodes {
                step = Some(Step::NodeEndpoints(NodeEndpoint::decode_array(&mut field)?));
            } else {
                self.tail.decode_tag(tag, &mut field)?;
            }
            field.end()?;
        } else {
            self.skip_left = length;
        }
        self.tags_left = tags_left;
        Ok(step)
    }

    fn enter_tags(&mut self, scope: Scope) {
        self.state = State::TagCount(scope);
        if !ApiKey::Fetch.is_flexible(self.version) {
            self.leave_tags(scope);
        }
    }

    fn leave_tags(&mut self, scope: Scope) {
        self.state = match scope {
            Scope::Aborted => State::AbortedOrEnd,
            Scope::Partition => State::PartitionEnd,
            Scope::Topic => State::TopicOrEnd,
            Scope::Body => State::End,
        };
    }
}

/// Where a batch ends.
enum Extent {
    /// When that cannot be seen yet: so many bytes are needed, which the records have.
    Unknown { needed: usize },
    /// When the records have all of it.
    Whole { length: usize },
    /// When the records end before it does.
    Cut,
    /// When its length cannot be right.
    Bad(BadBatch),
}
