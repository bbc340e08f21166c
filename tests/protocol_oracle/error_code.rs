//! The table of error codes.

use kafka_protocol::ResponseError;
use kfetch::protocol::ErrorCode;

/// `NotLeaderOrFollower` to `NOT_LEADER_OR_FOLLOWER`.
fn constant_name(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

#[test]
fn names_and_retriable_flags_are_theirs() {
    for code in (-1..=133).filter(|code| *code != 0) {
        let theirs = ResponseError::try_from_code(code).expect("a code of theirs");
        let ours = ErrorCode(code);
        assert_eq!(ours.name(), constant_name(&format!("{theirs:?}")), "{code}");
        // ConcurrentTransactionsException is a RetriableException in Java's client.
        let retriable = theirs.is_retriable() || code == 51;
        assert_eq!(ours.is_retriable(), retriable, "{code}");
    }
}
