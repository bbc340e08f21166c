//! Faults that are drawn from a seed.

use std::time::Instant;

use kfetch::backoff::Random;
use kfetch::protocol::ApiKey;

use crate::fault_proxy::{End, FaultProxy, FrameCut, Mode, Side};
use crate::support::deadline::now;
use crate::watch::{MS, let_pass};

/// Replays the choices of a run, though not the moments at which they strike.
const SEED: &str = "KFETCH_TEST_SEED";

/// All that members ask.
const ASKED: [ApiKey; 11] = [
    ApiKey::ApiVersions,
    ApiKey::Metadata,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::LeaveGroup,
];

/// Returns the seed of this run, and says it.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var(SEED)
        .map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().expect("a number"));
    eprintln!("{SEED}={seed}");
    seed
}

/// Breaks the connections through a proxy again and again, for as long as that is to go on.
pub(crate) fn break_connections(proxy: &FaultProxy, seed: u64, end: End, until: Instant) {
    let mut random = Random::new(seed);
    while now() < until {
        proxy.set(any_mode(&mut random, end));
        let_pass(MS * u32::try_from(20 + random.below(300)).unwrap());
    }
    proxy.set(Mode::Pass);
}

/// Cuts after few bytes are as frequent as those after many.
fn any_mode(random: &mut Random, end: End) -> Mode {
    let mut up_to = |bits| usize::try_from(random.next_u64() % (1 << random.below(bits))).unwrap();
    match up_to(4) {
        0 => Mode::Pass,
        1 | 2 => {
            let (after, times) = (up_to(13), 1 + up_to(2));
            let api_key = ASKED[up_to(8) % ASKED.len()].code();
            let side = if up_to(8) % 2 == 0 { Side::Answers } else { Side::Requests };
            Mode::CutFrame(FrameCut { side, api_key, after, times }, end)
        }
        _ => Mode::Cut(up_to(14), end),
    }
}
