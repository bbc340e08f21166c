//! Every property, one line each, with what becomes of a setting.
//!
//! The names are those of Java's `ConsumerConfig` up to 4.4, with what 3.x still had, and those
//! of librdkafka 2.15 for consumers. Names that only a producer has are unknown here.
//!
//! To change what becomes of a property, change the fourth word of its line:
//!
//! | word | a setting of it |
//! |---|---|
//! | `Built` | is honoured |
//! | `NoEffect` | is accepted in silence, for the reason that the last word gives |
//! | `Warn(values)` | is accepted with a warning that gives the last word, unless one of `values` |
//! | `NotBuilt(values)` | is refused unless one of `values`, which do not ask for the function |
//!
//! `NoEffect` is for what cannot change anything that this consumer does: a property of a function
//! that is off and cannot be turned on, or one that librdkafka ignores as well. `Warn` is for a
//! wish that is not fulfilled without harm to the records, such as another pace or other metrics.
//! `NotBuilt` is for all else, where to go on in silence could read other records than asked for
//! or send them unprotected.

mod client;
mod connection;
mod fetch;
mod group;
mod lookup;
mod sasl;
mod tls;

pub(super) use lookup::{find, names};

pub use lookup::properties;
