//! The assignors that come with kfetch, by name.

#![forbid(unsafe_code)]

use super::{
    Assignor, CooperativeStickyAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor,
};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;

/// Where Java's classes are.
const PACKAGE: &str = "org.apache.kafka.clients.consumer.";

/// What an entry of `partition.assignment.strategy` may say.
const NAMES: [&str; 8] = [
    "range",
    "roundrobin",
    "sticky",
    "cooperative-sticky",
    "RangeAssignor",
    "RoundRobinAssignor",
    "StickyAssignor",
    "CooperativeStickyAssignor",
];

/// Makes the assignor that an entry of `partition.assignment.strategy` names: by the name that
/// the members of a group agree on, which is librdkafka's as well, or by Java's class, with or
/// without its package.
///
/// # Errors
///
/// [`ErrorKind::Config`] for every other name; the text names the nearest.
pub fn built_in(name: &str) -> Result<Box<dyn Assignor>> {
    let known = match name.strip_prefix(PACKAGE) {
        Some(class) => class,
        None => class_of(name),
    };
    match known {
        "RangeAssignor" => Ok(Box::new(RangeAssignor)),
        "RoundRobinAssignor" => Ok(Box::new(RoundRobinAssignor)),
        "StickyAssignor" => Ok(Box::<StickyAssignor>::default()),
        "CooperativeStickyAssignor" => Ok(Box::<CooperativeStickyAssignor>::default()),
        other => {
            let near = nearest(other, NAMES.into_iter()).unwrap_or_default();
            let text = format!("{name:?} is no assignor; the nearest is {near}");
            Err(Error::new(ErrorKind::Config, text))
        }
    }
}

/// Returns Java's class for a short name, and every other name as it is.
fn class_of(name: &str) -> &str {
    match name {
        "range" => "RangeAssignor",
        "roundrobin" => "RoundRobinAssignor",
        "sticky" => "StickyAssignor",
        "cooperative-sticky" => "CooperativeStickyAssignor",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_short_names_mean_the_same() {
        for (short, class) in [
            ("range", "RangeAssignor"),
            ("roundrobin", "RoundRobinAssignor"),
            ("sticky", "StickyAssignor"),
            ("cooperative-sticky", "CooperativeStickyAssignor"),
        ] {
            for name in [short, class, &format!("{PACKAGE}{class}")] {
                let assignor = built_in(name).unwrap();
                assert_eq!(assignor.name(), short);
                assert_eq!(assignor.is_cooperative(), short == "cooperative-sticky");
            }
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_nearest() {
        for (name, near) in [
            ("round-robin", "roundrobin"),
            ("cooperative_sticky", "cooperative-sticky"),
            ("org.apache.kafka.clients.consumer.RangeAssigner", "RangeAssignor"),
            ("org.apache.kafka.clients.consumer.range", "range"),
        ] {
            let error = built_in(name).unwrap_err();
            let text = format!("{name:?} is no assignor; the nearest is {near}");
            assert_eq!((error.kind(), error.message()), (ErrorKind::Config, text.as_str()));
        }
    }
}
