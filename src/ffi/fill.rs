//! Records in bulk: into an array of the caller, or as columns.
//!
//! Filling is one loop over the descriptors that poll made: it allocates nothing, takes no lock
//! and cannot fail once the arguments have been looked at.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use super::argument;
use super::error::{Failure, kfetch_error};
use super::guard::guard;
use super::records::{kfetch_records, records_of};
use super::status::kfetch_status;
use crate::buffer::Slice;
use crate::client::Records;
use crate::record::{Descriptor, Header};

/// Bytes of a key, a value or a header, borrowed from the handle of their record. `data` is NULL
/// for null; empty bytes have a `data` that is not NULL and a `len` of 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_bytes {
    /// The bytes, not NUL-terminated.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

/// One record, valid until its handle is freed. A program may embed it as the first member of a
/// larger struct of its own and give that one's size to `kfetch_records_fill`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_record {
    /// The offset in its partition.
    pub offset: i64,
    /// The time stamp in ms since the epoch, −1 for none.
    pub timestamp_ms: i64,
    /// The key.
    pub key: kfetch_bytes,
    /// The value; null is a tombstone.
    pub value: kfetch_bytes,
    /// The index of its run in `kfetch_records_runs`, which names topic and partition.
    pub run: u32,
    /// How many headers it has; see `kfetch_records_headers`.
    pub header_count: u32,
}

/// One header of a record, valid until the handle is freed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_header {
    /// The key, never null; UTF-8 by convention, which nobody checks.
    pub key: kfetch_bytes,
    /// The value; it may be null.
    pub value: kfetch_bytes,
}

const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_bytes>() == 16);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_record>() == 56);
const _: () = assert!(size_of::<usize>() != 8 || size_of::<kfetch_header>() == 32);

/// A part of the records as a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum kfetch_column {
    /// When it is their keys.
    Key = 0,
    /// When it is their values.
    Value = 1,
}

/// Fills the caller's array with the records from number `first` on, as many as there are and fit.
/// `record_size` is the distance between the elements, `sizeof(kfetch_record)` or more: bytes
/// behind a record are left alone. `count_out` is how many were filled, 0 behind the last.
///
/// # Safety
///
/// `capacity` times `record_size` bytes can be written at `records_out`, `count_out` can be
/// written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_fill(
    records: *const kfetch_records,
    first: usize,
    records_out: *mut kfetch_record,
    capacity: usize,
    record_size: usize,
    count_out: *mut usize,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let records = unsafe { records_of(records) }?;
        // SAFETY: as the caller promises.
        let count = unsafe { argument::output(count_out, "count_out") }?;
        check_stride(record_size, capacity)?;
        let range = range(records, first, capacity);
        if !range.is_empty() {
            // SAFETY: as the caller promises; it is looked at but not written.
            unsafe { argument::output(records_out, "records_out") }?;
            // SAFETY: as the caller promises; the range has at most `capacity` records.
            unsafe { fill(records, range.clone(), records_out, record_size) };
        }
        count.write(range.len());
        Ok(())
    };
    // SAFETY: no error is asked for.
    unsafe { guard(ptr::null_mut(), body) }
}

/// Fills the caller's array with the headers of record number `record`, in the producer's order
/// and with its repetitions, as many as fit. `count_out` is how many were filled;
/// `kfetch_record.header_count` says how many there are.
///
/// # Safety
///
/// `capacity` headers can be written at `headers_out`, `count_out` can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_headers(
    records: *const kfetch_records,
    record: usize,
    headers_out: *mut kfetch_header,
    capacity: usize,
    count_out: *mut usize,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let records = unsafe { records_of(records) }?;
        // SAFETY: as the caller promises.
        let count = unsafe { argument::output(count_out, "count_out") }?;
        // SAFETY: as the caller promises.
        let places = unsafe { argument::output_array(headers_out, capacity, "headers_out") }?;
        let Some(record) = records.get(record) else {
            let text = format!("record {record} is none of {}", records.len());
            return Err(Failure::argument(text));
        };
        let mut filled = 0;
        for (place, Header { key, value }) in places.iter_mut().zip(record.headers()) {
            place.write(kfetch_header { key: bytes(Some(key)), value: bytes(value) });
            filled += 1;
        }
        count.write(filled);
        Ok(())
    };
    // SAFETY: no error is asked for.
    unsafe { guard(ptr::null_mut(), body) }
}

/// Gives how many bytes the keys or values (`column` is a `kfetch_column`) of up to `count`
/// records from number `first` on have together.
///
/// # Safety
///
/// `bytes_out` can be written, `error_out` is NULL or can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_column_bytes(
    records: *const kfetch_records,
    column: i32,
    first: usize,
    count: usize,
    bytes_out: *mut usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let records = unsafe { records_of(records) }?;
        // SAFETY: as the caller promises.
        let out = unsafe { argument::output(bytes_out, "bytes_out") }?;
        let cells = Cells { records, part: part(column)? };
        let len = |place| cells.get(place).map_or(0, <[u8]>::len);
        out.write(range(records, first, count).map(len).sum());
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Copies the keys or values (`column` is a `kfetch_column`) of up to `count` records from number
/// `first` on into one buffer, for callers that cannot follow pointers. Cell `i` is the bytes from
/// `offsets_out[i]` to `offsets_out[i + 1]` of `data_out`; `valid_out[i]` is 0 where it is null,
/// else 1. `count_out` is how many records were copied: those that there are and whose bytes fit.
/// Where not even the first fits the status is `KFETCH_STATUS_BUFFER_TOO_SMALL`.
///
/// # Safety
///
/// `offsets_out` has room for `count` + 1 numbers, `valid_out` for `count` bytes unless it is
/// NULL, `data_out` for `data_capacity` bytes; `count_out` can be written, `error_out` is NULL or
/// can be written.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_records_copy_column(
    records: *const kfetch_records,
    column: i32,
    first: usize,
    count: usize,
    offsets_out: *mut i64,
    valid_out: *mut u8,
    data_out: *mut u8,
    data_capacity: usize,
    count_out: *mut usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        // SAFETY: as the caller promises.
        let records = unsafe { records_of(records) }?;
        // SAFETY: as the caller promises.
        let copied = unsafe { argument::output(count_out, "count_out") }?;
        let cells = Cells { records, part: part(column)? };
        let range = range(records, first, count);
        let rows = range.len();
        // SAFETY: as the caller promises.
        let offsets = unsafe { argument::output_array(offsets_out, rows + 1, "offsets_out") }?;
        let valid_rows = if valid_out.is_null() { 0 } else { rows };
        // SAFETY: as the caller promises.
        let valid = unsafe { argument::output_array(valid_out, valid_rows, "valid_out") }?;
        // SAFETY: as the caller promises.
        let data = unsafe { argument::output_array(data_out, data_capacity, "data_out") }?;
        copied.write(cells.copy(range, offsets, valid, data)?);
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

fn check_stride(record_size: usize, capacity: usize) -> Result<(), Failure> {
    let least = size_of::<kfetch_record>();
    if record_size < least || !record_size.is_multiple_of(align_of::<kfetch_record>()) {
        let text = format!("record_size is {record_size}, not {least} or more in steps of 8");
        return Err(Failure::argument(text));
    }
    if capacity > isize::MAX.cast_unsigned() / record_size {
        return Err(Failure::argument(format!("no memory has {capacity} records")));
    }
    Ok(())
}

/// Returns the numbers of up to `count` records from `first` on.
fn range(records: &Records, first: usize, count: usize) -> Range<usize> {
    let start = first.min(records.len());
    start..start + count.min(records.len() - start)
}

/// Writes the records of a range one behind the other, `stride` bytes apart.
///
/// # Safety
///
/// `out` is aligned and has room for the range's records at that distance, a multiple of their
/// alignment.
unsafe fn fill(records: &Records, range: Range<usize>, out: *mut kfetch_record, stride: usize) {
    let runs = records.runs();
    let slices = records.slices();
    let mut run = runs.partition_point(|run| run.first() + run.len() <= range.start);
    let mut run_end = runs.get(run).map_or(usize::MAX, |run| run.first() + run.len());
    let mut slice: &[u8] = &[];
    let mut block = None;
    let mut at = out;
    let descriptors = records.descriptors().get(range.clone()).unwrap_or_default();
    for (place, descriptor) in range.zip(descriptors) {
        if place == run_end {
            run += 1;
            run_end = runs.get(run).map_or(usize::MAX, |run| run.first() + run.len());
        }
        if block != Some(descriptor.block) {
            block = Some(descriptor.block);
            slice = slices.get(descriptor.block as usize).map_or(&[], |slice| slice);
        }
        // A handle with more runs than that has more partitions than Kafka can have.
        let run = u32::try_from(run).unwrap_or(u32::MAX);
        // SAFETY: `at` is within the caller's array, see above.
        unsafe { at.write(record(descriptor, slice, run)) };
        // One behind the last one written, which the array's end is.
        at = at.wrapping_byte_add(stride);
    }
}

#[inline]
fn record(descriptor: &Descriptor, slice: &[u8], run: u32) -> kfetch_record {
    kfetch_record {
        offset: descriptor.offset,
        timestamp_ms: descriptor.timestamp,
        key: bytes(descriptor.key(slice)),
        value: bytes(descriptor.value(slice)),
        run,
        header_count: descriptor.header_count,
    }
}

#[inline]
fn bytes(bytes: Option<&[u8]>) -> kfetch_bytes {
    match bytes {
        Some(bytes) => kfetch_bytes { data: bytes.as_ptr(), len: bytes.len() },
        None => kfetch_bytes { data: ptr::null(), len: 0 },
    }
}

/// Takes a record's key or value out of its slice.
type Part = for<'a> fn(&Descriptor, &'a [u8]) -> Option<&'a [u8]>;

fn part(column: i32) -> Result<Part, Failure> {
    match column {
        _ if column == kfetch_column::Key as i32 => Ok(Descriptor::key),
        _ if column == kfetch_column::Value as i32 => Ok(Descriptor::value),
        _ => Err(Failure::argument(format!("column {column} is none"))),
    }
}

/// The cells of a column.
struct Cells<'a> {
    records: &'a Records,
    part: Part,
}

impl<'a> Cells<'a> {
    fn get(&self, place: usize) -> Option<&'a [u8]> {
        let descriptor = self.records.descriptors().get(place)?;
        let slice: &'a Slice = self.records.slices().get(descriptor.block as usize)?;
        (self.part)(descriptor, slice)
    }

    /// Copies the cells of a range for as long as their bytes fit; returns how many did.
    fn copy(
        &self,
        range: Range<usize>,
        offsets: &mut [MaybeUninit<i64>],
        valid: &mut [MaybeUninit<u8>],
        data: &mut [MaybeUninit<u8>],
    ) -> Result<usize, Failure> {
        let rows = range.len();
        let mut end = 0;
        write_at(offsets, 0, 0);
        for (row, place) in range.enumerate() {
            let cell = self.get(place);
            let bytes = cell.unwrap_or_default();
            let Some(room) = data.get_mut(end..end + bytes.len()) else {
                if row == 0 {
                    let text = format!("the buffer has {} bytes, not {}", data.len(), bytes.len());
                    return Err(Failure::buffer(text));
                }
                return Ok(row);
            };
            // SAFETY: the room is the caller's and as long as the bytes, which are the library's.
            unsafe {
                ptr::copy_nonoverlapping(bytes.as_ptr(), room.as_mut_ptr().cast(), room.len())
            };
            end += bytes.len();
            write_at(offsets, row + 1, i64::try_from(end).unwrap_or(i64::MAX));
            write_at(valid, row, u8::from(cell.is_some()));
        }
        Ok(rows)
    }
}

/// Writes a cell's number, if the caller wants it.
fn write_at<T>(places: &mut [MaybeUninit<T>], index: usize, value: T) {
    if let Some(place) = places.get_mut(index) {
        place.write(value);
    }
}
