//! Exponential back-off with jitter, as KIP-580 has it: doubling, ±20 %, never above the maximum.

#![forbid(unsafe_code)]

use std::time::Duration;

/// The spread of a delay around its nominal value, in percent to each side.
const JITTER_PERCENT: u64 = 20;

/// Random numbers from a seed, so that a run can be repeated exactly (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Makes the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, 0 where that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }
}

/// The limits of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffLimits {
    /// The first delay.
    pub initial: Duration,
    /// The longest delay, jitter included.
    pub max: Duration,
}

/// How often something has failed in a row.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and returns how long to wait before the next attempt.
    pub fn next_delay(&mut self, limits: BackoffLimits, random: &mut Random) -> Duration {
        let nominal = self.nominal_delay(limits);
        self.count();
        let percent = 100 - JITTER_PERCENT + random.below(2 * JITTER_PERCENT + 1);
        let jittered = nominal.as_nanos().saturating_mul(u128::from(percent)) / 100;
        Duration::from_nanos(u64::try_from(jittered).unwrap_or(u64::MAX)).min(limits.max)
    }

    /// Returns the delay after the failures so far, without jitter.
    pub fn nominal_delay(&self, limits: BackoffLimits) -> Duration {
        limits.initial.saturating_mul(1 << self.failures.min(30)).min(limits.max)
    }

    /// Counts a failure.
    pub fn count(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Forgets the failures: an attempt has succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns how many attempts in a row have failed.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_within_the_jitter_up_to_the_maximum() {
        let initial = Duration::from_millis(100);
        let limits = BackoffLimits { initial, max: Duration::from_secs(1) };
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut backoff = Backoff::default();
            for nominal_ms in [100_u64, 200, 400, 800, 1000, 1000] {
                let delay = backoff.next_delay(limits, &mut random);
                assert!(delay >= Duration::from_millis(nominal_ms * 8 / 10), "seed {seed}");
                assert!(delay <= Duration::from_millis((nominal_ms * 12 / 10).min(1000)));
            }
            backoff.reset();
            assert!(backoff.next_delay(limits, &mut random) <= Duration::from_millis(120));
        }
    }
}
