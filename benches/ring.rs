//! The ring of batches against rtrb and crossbeam's `ArrayQueue`: what a slot costs.
//!
//! Two threads pass slots of the size of a partition's. Each ring's time is taken in turns with
//! the others', and the ratios are printed, since all of them move with the machine's load.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the bench")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::cast_precision_loss, reason = "ratios")]

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::queue::ArrayQueue;
use kfetch::ring::slot::RING_SLOTS;

/// As large as a slot of a partition's ring.
type Payload = [u64; 12];

const _: () = assert!(size_of::<Payload>() >= size_of::<kfetch::ring::Slot>());

/// Slots that are passed in a turn.
const TURN_SLOTS: u64 = 200_000;

/// Turns from which the medians are taken.
const TURNS: usize = 15;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(300));
    targets = one_thread, two_threads
}
criterion_main!(benches);

/// Push and pop on one thread: the instructions alone.
fn one_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring, one thread");
    group.throughput(Throughput::Elements(1));
    let (mut producer, mut consumer) = kfetch::ring::ring::<Payload>(RING_SLOTS);
    group.bench_function("kfetch", |bencher| {
        bencher.iter(|| {
            producer.push(black_box([1; 12])).expect("is empty");
            consumer.pop().expect("holds one")
        });
    });
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Payload>::new(RING_SLOTS);
    group.bench_function("rtrb", |bencher| {
        bencher.iter(|| {
            producer.push(black_box([1; 12])).expect("is empty");
            consumer.pop().expect("holds one")
        });
    });
    let queue = ArrayQueue::<Payload>::new(RING_SLOTS);
    group.bench_function("ArrayQueue", |bencher| {
        bencher.iter(|| {
            queue.push(black_box([1; 12])).expect("is empty");
            queue.pop().expect("holds one")
        });
    });
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring, two threads");
    group.throughput(Throughput::Elements(TURN_SLOTS));
    for (name, turn) in RIVALS {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|turns| (0..turns).map(|_| turn()).sum());
        });
    }
    group.finish();
    if std::env::args().any(|argument| argument == "--bench") {
        report_ratios();
    }
}

type Turn = fn() -> Duration;
const RIVALS: [(&str, Turn); 3] =
    [("kfetch", kfetch_turn), ("rtrb", rtrb_turn), ("ArrayQueue", array_queue_turn)];

fn report_ratios() {
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for ((_, turn), samples) in RIVALS.iter().zip(&mut samples) {
            samples.push(turn().as_nanos() as f64 / TURN_SLOTS as f64);
        }
    }
    let medians = samples.map(|mut samples| {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    });
    for ((name, _), median) in RIVALS.iter().zip(medians) {
        println!("{name}: {median:.1} ns/slot, {:.2}x kfetch's", median / medians[0]);
    }
}

fn kfetch_turn() -> Duration {
    let (mut producer, mut consumer) = kfetch::ring::ring::<Payload>(RING_SLOTS);
    pass(move |slot| producer.push(slot).is_ok(), move || consumer.pop())
}

fn rtrb_turn() -> Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Payload>::new(RING_SLOTS);
    pass(move |slot| producer.push(slot).is_ok(), move || consumer.pop().ok())
}

fn array_queue_turn() -> Duration {
    let queue = Arc::new(ArrayQueue::<Payload>::new(RING_SLOTS));
    let other = Arc::clone(&queue);
    pass(move |slot| queue.push(slot).is_ok(), move || other.pop())
}

/// Passes a turn's slots from a thread to this one, and checks that they come in order.
fn pass(
    mut push: impl FnMut(Payload) -> bool + Send + 'static,
    mut pop: impl FnMut() -> Option<Payload>,
) -> Duration {
    let start = Instant::now();
    let producer = thread::spawn(move || {
        for number in 0..TURN_SLOTS {
            while !push([number; 12]) {
                spin_loop();
            }
        }
    });
    for number in 0..TURN_SLOTS {
        let slot = loop {
            match pop() {
                Some(slot) => break slot,
                None => spin_loop(),
            }
        };
        assert_eq!((slot[0], slot[11]), (number, number));
    }
    producer.join().expect("pushes all");
    start.elapsed()
}
