//! Statistics, pulled by the program.

use std::mem::MaybeUninit;

use super::argument;
use super::consumer::{call, kfetch_consumer};
use super::error::{Failure, kfetch_error};
use super::guard::guard;
use super::status::kfetch_status;
use crate::client::{Consumer, Stats};

/// What a consumer has done since it was made, and what it holds now. The numbers are read one
/// after the other while other threads go on, so that they need not fit together to the last byte.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct kfetch_stats {
    /// Polls begun.
    pub polls: u64,
    /// Records returned by them.
    pub records: u64,
    /// Events returned by them.
    pub events: u64,
    /// Fetch requests sent, or reads of segment files.
    pub fetches: u64,
    /// Bytes received in answers to Fetch, or taken from segment files.
    pub received_bytes: u64,
    /// Bytes of whole batches, verified and handed over to the polls.
    pub delivered_bytes: u64,
    /// Runs of batches handed over to the polls; a run is what lies together in memory.
    pub delivered_runs: u64,
    /// Batches that were damaged when they came, whether or not another read mended them.
    pub damaged_batches: u64,
    /// Connections opened for fetching.
    pub connections_opened: u64,
    /// Connections for fetching that were lost or given up.
    pub connections_lost: u64,
    /// How often reading stopped because the memory budget had no room.
    pub credit_waits: u64,
    /// Partitions that are assigned now.
    pub assigned_partitions: u64,
    /// Partitions that are paused now.
    pub paused_partitions: u64,
    /// The memory budget (`kfetch.memory.max.bytes`).
    pub memory_limit_bytes: u64,
    /// How much of it is in use.
    pub memory_used_bytes: u64,
    /// How much of that is pinned by records that the program has not freed.
    pub memory_held_bytes: u64,
}

const _: () = assert!(size_of::<kfetch_stats>() == 16 * 8);

/// Gives the statistics. `stats_size` is `sizeof(kfetch_stats)`: a program gets as many fields as
/// its header has, and zeros for those that an older library lacks.
///
/// # Safety
///
/// `stats_size` bytes can be written at `stats_out`, `error_out` is NULL or can be written.
///
/// # Threads
///
/// One thread at a time per handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kfetch_consumer_stats(
    consumer: *const kfetch_consumer,
    stats_out: *mut kfetch_stats,
    stats_size: usize,
    error_out: *mut *mut kfetch_error,
) -> kfetch_status {
    let body = || {
        if !stats_size.is_multiple_of(size_of::<u64>()) {
            return Err(Failure::argument(format!("stats_size is {stats_size}, no multiple of 8")));
        }
        let (fields, count) = (stats_out.cast::<u64>(), stats_size / size_of::<u64>());
        // SAFETY: as the caller promises; the struct is nothing but numbers of 64 bits.
        let places = unsafe { argument::output_array(fields, count, "stats_out") }?;
        // SAFETY: as the caller promises.
        let stats = unsafe { call(consumer, |consumer: &mut Consumer| Ok(consumer.stats())) }?;
        write(&stats, places);
        Ok(())
    };
    // SAFETY: as the caller promises.
    unsafe { guard(error_out, body) }
}

/// Writes the numbers in the order of the C struct.
fn write(stats: &Stats, places: &mut [MaybeUninit<u64>]) {
    let fields = [
        stats.polls,
        stats.records,
        stats.events,
        stats.fetches,
        stats.received_bytes,
        stats.delivered_bytes,
        stats.delivered_runs,
        stats.damaged_batches,
        stats.connections_opened,
        stats.connections_lost,
        stats.credit_waits,
        stats.assigned_partitions,
        stats.paused_partitions,
        stats.memory_limit_bytes,
        stats.memory_used_bytes,
        stats.memory_held_bytes,
    ];
    const _: () = assert!(size_of::<kfetch_stats>() == size_of::<[u64; 16]>());
    for (place, field) in places.iter_mut().zip(fields.into_iter().chain(std::iter::repeat(0))) {
        place.write(field);
    }
}
