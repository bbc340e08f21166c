//! Loom models: every interleaving of ring, ready bit, parker and credit, within loom's bounds.

use std::sync::atomic::{AtomicUsize as StdAtomicUsize, Ordering as StdOrdering};

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::park::{Parker, Signal};
use super::ready::ReadySet;
use super::spsc::ring_from;
use crate::buffer::{Budget, Charge};
use crate::sync::{Arc, AtomicBool, Ordering};

/// A signal that a loom thread can sleep on.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Signal for Bell {
    fn signal(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

#[test]
fn loom_ring_hands_every_slot_over_once_and_in_order() {
    for capacity in [1, 2] {
        loom::model(move || {
            let (mut producer, mut consumer) = ring_from(capacity, usize::MAX);
            let pushing = thread::spawn(move || {
                for value in 0..3 {
                    let mut slot = Box::new(value);
                    while let Err(refused) = producer.push(slot) {
                        slot = refused;
                        thread::yield_now();
                    }
                }
            });
            for expected in 0..3 {
                let slot = loop {
                    match consumer.pop() {
                        Some(slot) => break slot,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(*slot, expected);
            }
            assert!(consumer.pop().is_none());
            pushing.join().unwrap();
        });
    }
}

#[test]
fn loom_ring_drops_what_nobody_popped() {
    loom::model(|| {
        let dropped = Arc::new(StdAtomicUsize::new(0));
        struct Counted(Arc<StdAtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, StdOrdering::Relaxed);
            }
        }
        let (mut producer, mut consumer) = ring_from(2, 0);
        let count = Arc::clone(&dropped);
        let pushing = thread::spawn(move || {
            for _ in 0..2 {
                assert!(producer.push(Counted(Arc::clone(&count))).is_ok());
            }
        });
        drop(consumer.pop());
        drop(consumer);
        pushing.join().unwrap();
        assert_eq!(dropped.load(StdOrdering::Relaxed), 2);
    });
}

#[test]
fn loom_parked_poll_never_misses_a_push() {
    loom::model(|| {
        let parker = Arc::new(Parker::new(Bell::default()));
        let mut set = ReadySet::default();
        let bit = set.bit(0);
        let (mut producer, mut consumer) = ring_from(1, 0);
        let waking = Arc::clone(&parker);
        let engine = thread::spawn(move || {
            producer.push(7).unwrap();
            bit.mark();
            waking.notify();
        });
        let found = loop {
            let mut ready = false;
            set.take(|_| ready = true);
            if ready {
                break consumer.pop();
            }
            parker.arm();
            if !set.is_empty() {
                parker.disarm();
                continue;
            }
            parker.signal().wait();
        };
        assert_eq!(found, Some(7), "a bit is set after the push it speaks of");
        engine.join().unwrap();
    });
}

#[test]
fn loom_credit_that_comes_back_wakes_the_engine() {
    loom::model(|| {
        let bell = Arc::new(Bell::default());
        let ringing = Arc::clone(&bell);
        let budget = Budget::new(8, Box::new(move || ringing.signal()));
        let first = Charge::try_new(&budget, 4).unwrap();
        let second = Charge::try_new(&budget, 4).unwrap();
        let application = thread::spawn(move || {
            drop(first);
            drop(second);
        });
        // The engine: no credit, so it leaves word and sleeps until it is woken.
        let charge = loop {
            if let Some(charge) = Charge::try_new(&budget, 4) {
                break charge;
            }
            if budget.want(4) {
                bell.wait();
            }
        };
        application.join().unwrap();
        drop(charge);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn loom_ring_that_drained_wakes_the_engine_that_spilled() {
    loom::model(|| {
        let spilled = Arc::new(AtomicBool::new(false));
        let parker = Arc::new(Parker::new(Bell::default()));
        let (mut producer, mut consumer) = ring_from(1, 0);
        producer.push(1).unwrap();
        let (flag, waking) = (Arc::clone(&spilled), Arc::clone(&parker));
        let application = thread::spawn(move || {
            assert_eq!(consumer.pop(), Some(1));
            crate::sync::fence(Ordering::SeqCst);
            if flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::AcqRel) {
                waking.notify();
            }
            consumer
        });
        // The engine: the ring may be full; then it leaves word, arms, looks again and sleeps.
        let mut slot = 2;
        while let Err(refused) = producer.push(slot) {
            slot = refused;
            spilled.store(true, Ordering::Relaxed);
            parker.arm();
            if producer.is_full() {
                parker.signal().wait();
            }
            parker.disarm();
        }
        assert_eq!(application.join().unwrap().pop(), Some(2));
    });
}
