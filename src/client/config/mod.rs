//! Configuration by Kafka's property names.
//!
//! A [`Config`] is a set of names and values, from code or from a `.properties` file. It knows
//! every property of the Java consumer and of librdkafka's consumer, in both dialects, so a
//! configuration that works there is understood here: an unknown name is an error that names the
//! nearest known one, a malformed value is an error that says what is allowed, and a property
//! whose function does not exist yet is refused by name unless its value asks for nothing.
//! [`Config::consumer`] turns the set into a [`ConsumerConfig`], the typed and checked form that
//! the engine reads.
//!
//! # Dialects
//!
//! Names, defaults and ranges are the Java client's. Names that only librdkafka has are aliases
//! of Kafka's where they mean the same (`fetch.wait.max.ms` is `fetch.max.wait.ms`). Of two
//! settings of one name the later wins. Two names of one property must agree: which of the two
//! the author meant cannot be known, so different values are an error.
//!
//! Defaults that differ from Java's, each on purpose: `client.id` is `kfetch`; the socket buffers
//! are the operating system's, because Java's 64 KiB bounds what a connection carries in a round
//! trip; and no default asks for what is not built, so `enable.metrics.push` and
//! `metadata.cluster.check.enable` are `false`. `enable.auto.commit` is `true` and means nothing
//! without a group.
//!
//! # Values
//!
//! Blanks around a value are cut off, as Java does. Integers are decimal. Booleans are `true` and
//! `false` in any case, and librdkafka's `1`, `0`, `t` and `f`. Whether the case of an enumerated
//! value counts is as in Java. A value is at most 1 MiB and has no NUL byte.
//!
//! # Threads
//!
//! Plain data: any thread, one at a time. Nothing here blocks but [`Config::load_file`].

mod address;
mod consumer;
mod consumer_build;
mod group;
mod iso_duration;
mod properties_file;
mod property;
mod settings;
mod table;
mod value;

pub use address::BrokerAddress;
pub use consumer::{
    AddressFamily, BackoffConfig, ConnectionConfig, ConsumerConfig, FetchConfig, IsolationLevel,
    LogReadMode, MetadataConfig, MetadataRecovery, OffsetReset, Source,
};
pub use group::{AutoCommit, EmbeddedGroupConfig, GroupConfig};
pub use property::{Property, Support};
pub use settings::Config;
pub use table::properties;
