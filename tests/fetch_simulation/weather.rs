//! How bad a world is: what goes wrong, and how often, drawn from the seed.

use std::time::Duration;

use kfetch::backoff::Random;

/// Chances in a thousand, each of one answer, connection or partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// A connection is refused.
    pub(crate) refused: u64,
    /// A connection attempt is never answered.
    pub(crate) unanswered_connect: u64,
    /// A name does not resolve.
    pub(crate) unresolved: u64,
    /// An answer is cut at any byte, and the connection closed.
    pub(crate) cut: u64,
    /// An answer stops at any byte, and nothing follows.
    pub(crate) stuck: u64,
    /// An answer says that it is shorter or longer than it is.
    pub(crate) mismeasured: u64,
    /// A field of an answer is anything: a bit of it is lost, or it is −1, 0, or huge.
    pub(crate) scrambled: u64,
    /// A request is never answered.
    pub(crate) silent: u64,
    /// An answer carries another correlation id.
    pub(crate) mismatched: u64,
    /// An answer comes late.
    pub(crate) late: u64,
    /// A partition of an answer is an error that passes.
    pub(crate) partition_error: u64,
    /// A partition of an answer is an error that a seek ends.
    pub(crate) refusal: u64,
    /// A partition is left out of an answer, comes twice, or one comes that nobody asked for.
    pub(crate) odd_partitions: u64,
    /// The answer as a whole is an error.
    pub(crate) top_level: u64,
    /// The broker asks for a pause.
    pub(crate) throttled: u64,
    /// A batch loses a bit on its way, once.
    pub(crate) flipped: u64,
    /// A batch loses a bit on the broker's disk.
    pub(crate) rotten: u64,
    /// Metadata is of yesterday, lacks brokers, topics or leaders.
    pub(crate) odd_metadata: u64,
    /// How often a leader moves, a broker goes down or retention deletes; never if zero.
    pub(crate) move_every: Duration,
    pub(crate) crash_every: Duration,
    pub(crate) trim_every: Duration,
}

impl Weather {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let mut chance = |most: u64| match random.below(3) {
            0 => random.below(most),
            _ => 0,
        };
        let mut weather = Self {
            refused: chance(600),
            unanswered_connect: chance(300),
            unresolved: chance(300),
            cut: chance(250),
            stuck: chance(60),
            mismeasured: chance(60),
            silent: chance(120),
            mismatched: chance(60),
            late: chance(300),
            partition_error: chance(250),
            refusal: chance(30),
            odd_partitions: chance(150),
            top_level: chance(100),
            throttled: chance(100),
            flipped: chance(100),
            rotten: chance(30),
            odd_metadata: chance(400),
            ..Self::default()
        };
        let mut interval = || match random.below(3) {
            0 => Duration::from_millis(20 + random.below(3000)),
            _ => Duration::ZERO,
        };
        weather.move_every = interval();
        weather.crash_every = interval();
        weather.trim_every = interval();
        weather
    }
}

/// Tells whether something with this chance in a thousand happens.
pub(crate) fn happens(random: &mut Random, chance: u64) -> bool {
    chance > 0 && random.below(1000) < chance
}
