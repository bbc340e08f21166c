//! The writer of log directories, from C.

use std::ffi::c_char;

use super::argument;
use super::error::{Failure, kfetch_error};
use super::fill::{kfetch_bytes, kfetch_header};
use super::guard::{Guarded, guard};
use super::status::kfetch_status;
use crate::log::{LogWriter, LogWriterOptions};
use crate::record::{Codec, NewRecord};

/// How batches are compressed, as Kafka numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_codec {
    /// When they are not.
    None = 0,
    /// When it is gzip.
    Gzip = 1,
    /// When it is snappy.
    Snappy = 2,
    /// When it is LZ4.
    Lz4 = 3,
    /// When it is Zstandard.
    Zstd = 4,
}

/// Options of a log writer. Set all of it to zero, then `size` to
/// `sizeof(kfetch_log_writer_options)`, then what is wanted: a field that is 0 stands for its
/// default, which is Kafka's where Kafka has the property.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_log_writer_options {
    /// `sizeof(kfetch_log_writer_options)`.
    pub size: usize,
    /// How batches are compressed: a `kfetch_codec`.
    pub codec: i32,
    /// The codec's level; 0 is its default.
    pub compression_level: i32,
    /// The bytes before compression that a batch does not exceed unless one record does
    /// (`batch.size`).
    pub batch_bytes: usize,
    /// The bytes that a segment does not exceed unless one batch does (`segment.bytes`).
    pub segment_bytes: u64,
    /// After how many bytes of finished batches readers are shown them, if nobody flushes before.
    pub flush_bytes: u64,
    /// How long a finished batch waits for that at most, in ms, as long as further ones follow.
    pub flush_ms: u64,
    /// More bytes than this lie between two entries of an index (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// Zero.
    pub reserved: [u32; 9],
}

/// A record to append, valid for the call alone.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_new_record {
    /// The time stamp in ms since the epoch; −1 stands for the time of the call.
    pub timestamp_ms: i64,
    /// The key; `data` NULL is null.
    pub key: kfetch_bytes,
    /// The value; `data` NULL is null, a tombstone.
    pub value: kfetch_bytes,
    /// The headers, in the order in which they are to be read; NULL where there are none.
    pub headers: *const kfetch_header,
    /// How many headers there are.
    pub header_count: usize,
    /// Zero.
    pub reserved: u64,
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_log_writer_options>() == 88);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_new_record>() == 64);

/// Appends to one partition of a log directory, in segments that a broker serves as its own. A
/// partition has one writer at a time, in any process; readers in any process follow it.
#[derive(Debug)]
pub struct kfetch_log_writer(Guarded<LogWriter>);

/// Opens a partition of a log directory for appending and makes what is not there. What a writer
/// that was killed has left is put right first: the log ends with its last whole batch. A
/// partition that has a writer is `KFETCH_STATUS_LOCKED`; the directory of a broker is refused.
/// `options` may be NULL.
///
/// # Safety
///
/// `log_dir` and `topic` are NUL-terminated, `options` is NULL or valid, `writer_out` can be
/// written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_log_writer_open(
    log_dir: *const c_char,
    topic: *const c_char,
    partition: i32,
    options: *const kfetch_log_writer_options,
    writer_out: *mut *mut kfetch_log_writer,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(writer_out, "writer_out") }?;
        // SAFETY: as the caller promises.
        let log_dir = unsafe { argument::path(log_dir, "log_dir") }?;
        // SAFETY: as the caller promises.
        let topic = unsafe { argument::string(topic, "topic") }?;
        let options = if options.is_null() {
            LogWriterOptions::default()
        } else {
            // SAFETY: as the caller promises.
            options_of(unsafe { argument::reference(options, "options") }?)?
        };
        let writer = LogWriter::open(log_dir, topic, partition, options)?;
        out.write(Box::into_raw(Box::new(kfetch_log_writer(Guarded::new(writer)))));
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Appends records; `base_offset_out` (NULL is allowed) is the offset of the first, and those of
/// the others follow it. They can be read when they have been published, see
/// `kfetch_log_writer_flush`. Where the status is `KFETCH_STATUS_INVALID_ARGUMENT` none has been
/// appended and the writer goes on; after other errors it fails every call.
///
/// # Safety
///
/// `records` is to `count` records whose bytes and headers are valid, `base_offset_out` and
/// `error_out` are NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_log_writer_append(
    writer: *mut kfetch_log_writer,
    records: *const kfetch_new_record,
    count: usize,
    base_offset_out: *mut i64,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let handle = unsafe { argument::reference(writer, "writer") }?;
        // SAFETY: as the caller promises.
        let records = unsafe { argument::array(records, count, "records") }?;
        let mut writer = handle.0.enter()?;
        // SAFETY: as the caller promises.
        let base_offset = unsafe { append(&mut writer, records) }?;
        if !base_offset_out.is_null() {
            // SAFETY: as the caller promises.
            unsafe { argument::output(base_offset_out, "base_offset_out") }?.write(base_offset);
        }
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Writes everything that was appended and publishes it to readers. With `sync` it is on the disk
/// when this returns and survives a loss of power; without, it survives the end of the process.
///
/// # Safety
///
/// `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_log_writer_flush(
    writer: *mut kfetch_log_writer,
    sync: bool,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let handle = unsafe { argument::reference(writer, "writer") }?;
        Ok(handle.0.enter()?.flush(sync)?)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Gives the offset that the next record will have.
///
/// # Safety
///
/// `offset_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_log_writer_next_offset(
    writer: *const kfetch_log_writer,
    offset_out: *mut i64,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let handle = unsafe { argument::reference(writer, "writer") }?;
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(offset_out, "offset_out") }?;
        out.write(handle.0.enter()?.next_offset());
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Flushes without sync, gives the partition back and frees the handle, whatever the status is;
/// only in a fork's child, inside of the log callback, and while a call of another thread is
/// inside, nothing happens. NULL is allowed.
///
/// # Safety
///
/// No call on the handle follows; `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_log_writer_close(
    writer: *mut kfetch_log_writer,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let Some(handle) = (unsafe { writer.as_ref() }) else { return Ok(()) };
        let entered = handle.0.enter().map(drop);
        if entered.is_err() && !handle.0.is_free() {
            return entered;
        }
        // SAFETY: the pointer came from `into_raw`, and the caller gives it up.
        let writer = unsafe { Box::from_raw(writer) };
        // A poisoned one is only freed.
        entered?;
        Ok(writer.0.into_inner().close()?)
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

fn options_of(options: &kfetch_log_writer_options) -> Result<LogWriterOptions, Failure> {
    if options.size != size_of::<kfetch_log_writer_options>() {
        return Err(Failure::argument(format!("options.size is {}", options.size)));
    }
    let codec = match options.codec {
        0 => Codec::None,
        1 => Codec::Gzip,
        2 => Codec::Snappy,
        3 => Codec::Lz4,
        4 => Codec::Zstd,
        codec => return Err(Failure::argument(format!("options.codec is {codec}"))),
    };
    let default = LogWriterOptions::default();
    let interval = options.index_interval_bytes;
    Ok(LogWriterOptions {
        codec,
        compression_level: Some(options.compression_level).filter(|level| *level != 0),
        batch_bytes: or(options.batch_bytes, default.batch_bytes),
        segment_bytes: or(options.segment_bytes, default.segment_bytes),
        index_interval_bytes: or(interval, default.index_interval_bytes),
        flush_bytes: or(options.flush_bytes, default.flush_bytes),
        flush_ms: or(options.flush_ms, default.flush_ms),
    })
}

/// Returns the default where a field is zero.
fn or<T: PartialEq + Default>(value: T, default: T) -> T {
    if value == T::default() { default } else { value }
}

/// A header as the writer takes it.
type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Appends the caller's records.
///
/// # Safety
///
/// Their bytes and headers are valid.
unsafe fn append(writer: &mut LogWriter, records: &[kfetch_new_record]) -> Result<i64, Failure> {
    let mut headers: Vec<Header<'_>> = Vec::new();
    for record in records {
        let (start, count) = (record.headers, record.header_count);
        // SAFETY: as the caller promises.
        for header in unsafe { argument::array(start, count, "headers") }? {
            // SAFETY: as the caller promises.
            let Some(key) = unsafe { bytes(&header.key) }? else {
                return Err(Failure::argument("a header's key is null"));
            };
            // SAFETY: as the caller promises.
            headers.push((key, unsafe { bytes(&header.value) }?));
        }
    }
    let mut rest = headers.as_slice();
    let mut new = Vec::with_capacity(records.len());
    for record in records {
        let (own, others) = rest.split_at_checked(record.header_count).unwrap_or_default();
        rest = others;
        // SAFETY: as the caller promises.
        let key = unsafe { bytes(&record.key) }?;
        // SAFETY: as the caller promises.
        let value = unsafe { bytes(&record.value) }?;
        new.push(NewRecord { timestamp: record.timestamp_ms, key, value, headers: own });
    }
    Ok(writer.append(&new)?)
}

/// Takes bytes of the caller; NULL is null.
///
/// # Safety
///
/// They are valid for as long as `'a`.
unsafe fn bytes<'a>(bytes: &kfetch_bytes) -> Result<Option<&'a [u8]>, Failure> {
    if bytes.data.is_null() && bytes.len == 0 {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { argument::array(bytes.data, bytes.len, "data") }.map(Some)
}
