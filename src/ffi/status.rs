//! Statuses: what every fallible function of the C interface returns.

use std::ffi::{CStr, CString, c_char};
use std::sync::LazyLock;

use super::status_code::kfetch_status as StatusCode;
use super::text::c_string;
use crate::error::{Error, ErrorKind};
use crate::protocol::ErrorCode;

/// What a fallible function returns: one of [`StatusCode`] or another code of the protocol, which
/// a Rust enum could not hold. In C both are one type.
///
/// cbindgen:ignore
pub type kfetch_status = i32;

/// Every code with its name.
const NAMES: [(StatusCode, &CStr); 22] = [
    (StatusCode::Panic, c"PANIC"),
    (StatusCode::InvalidArgument, c"INVALID_ARGUMENT"),
    (StatusCode::Config, c"CONFIG"),
    (StatusCode::State, c"STATE"),
    (StatusCode::Closed, c"CLOSED"),
    (StatusCode::Concurrent, c"CONCURRENT"),
    (StatusCode::Wakeup, c"WAKEUP"),
    (StatusCode::Forked, c"FORKED"),
    (StatusCode::BudgetHeld, c"BUDGET_HELD"),
    (StatusCode::Timeout, c"TIMEOUT"),
    (StatusCode::Poisoned, c"POISONED"),
    (StatusCode::Resource, c"RESOURCE"),
    (StatusCode::Network, c"NETWORK"),
    (StatusCode::Protocol, c"PROTOCOL"),
    (StatusCode::UnsupportedVersion, c"UNSUPPORTED_VERSION"),
    (StatusCode::NoOffset, c"NO_OFFSET"),
    (StatusCode::Corrupt, c"CORRUPT"),
    (StatusCode::Unsupported, c"UNSUPPORTED"),
    (StatusCode::BatchTooLarge, c"BATCH_TOO_LARGE"),
    (StatusCode::Io, c"IO"),
    (StatusCode::Locked, c"LOCKED"),
    (StatusCode::BufferTooSmall, c"BUFFER_TOO_SMALL"),
];

/// The protocol's codes begin here; there are no gaps.
const FIRST_CODE: i16 = -1;

/// Kafka's names of the codes from [`FIRST_CODE`] up to the first that is not known, for C.
static KAFKA_NAMES: LazyLock<Vec<CString>> = LazyLock::new(|| {
    let names = (FIRST_CODE..i16::MAX).map(|code| ErrorCode(code).name());
    names.take_while(|name| *name != "UNKNOWN").map(c_string).collect()
});

/// Returns the name of a status, such as `"TIMEOUT"` or Kafka's `"LEADER_NOT_AVAILABLE"`; `"OK"`
/// for 0 and `"UNKNOWN"` for a number that is none. The string is static.
///
/// # Threads
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn kfetch_status_name(status: kfetch_status) -> *const c_char {
    name(status).as_ptr()
}

fn name(status: kfetch_status) -> &'static CStr {
    if status == StatusCode::Ok as i32 {
        return c"OK";
    }
    if let Some((_, name)) = NAMES.iter().find(|(code, _)| *code as i32 == status) {
        return name;
    }
    let place = i16::try_from(status).ok().and_then(|code| code.checked_sub(FIRST_CODE));
    let place = place.and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| KAFKA_NAMES.get(place)).map_or(c"UNKNOWN", CString::as_c_str)
}

/// Returns the status of an error: the broker's code where there is one.
pub(super) fn status_of(error: &Error) -> kfetch_status {
    if error.code() != 0 {
        return i32::from(error.code());
    }
    let code = match error.kind() {
        ErrorKind::Config => StatusCode::Config,
        ErrorKind::InvalidArgument => StatusCode::InvalidArgument,
        ErrorKind::State => StatusCode::State,
        ErrorKind::Closed => StatusCode::Closed,
        ErrorKind::Concurrent => StatusCode::Concurrent,
        ErrorKind::Wakeup => StatusCode::Wakeup,
        ErrorKind::Forked => StatusCode::Forked,
        ErrorKind::BudgetHeld => StatusCode::BudgetHeld,
        ErrorKind::Timeout => StatusCode::Timeout,
        ErrorKind::Poisoned => StatusCode::Poisoned,
        ErrorKind::Resource => StatusCode::Resource,
        ErrorKind::Network => StatusCode::Network,
        ErrorKind::Protocol => StatusCode::Protocol,
        ErrorKind::UnsupportedVersion => StatusCode::UnsupportedVersion,
        ErrorKind::Broker => StatusCode::UnknownServerError,
        ErrorKind::RebalanceInProgress => StatusCode::RebalanceInProgress,
        ErrorKind::CommitFailed => StatusCode::UnknownMemberId,
        ErrorKind::Fenced => StatusCode::FencedInstanceId,
        ErrorKind::OffsetOutOfRange => StatusCode::OffsetOutOfRange,
        ErrorKind::NoOffset => StatusCode::NoOffset,
        ErrorKind::UnknownTopicOrPartition => StatusCode::UnknownTopicOrPartition,
        ErrorKind::Corrupt => StatusCode::Corrupt,
        ErrorKind::Unsupported => StatusCode::Unsupported,
        ErrorKind::BatchTooLarge => StatusCode::BatchTooLarge,
        ErrorKind::Io => StatusCode::Io,
        ErrorKind::Locked => StatusCode::Locked,
    };
    code as kfetch_status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_one_name() {
        let own: Vec<&CStr> = (-130..-99).map(name).collect();
        assert_eq!(own.iter().filter(|name| **name != c"UNKNOWN").count(), NAMES.len());
        let named = [0, -1, 1, 3, 29, -121, i32::MIN, 30_000, 70_000].map(name);
        assert_eq!(
            named,
            [
                c"OK",
                c"UNKNOWN_SERVER_ERROR",
                c"OFFSET_OUT_OF_RANGE",
                c"UNKNOWN_TOPIC_OR_PARTITION",
                c"TOPIC_AUTHORIZATION_FAILED",
                c"BUFFER_TOO_SMALL",
                c"UNKNOWN",
                c"UNKNOWN",
                c"UNKNOWN",
            ]
        );
    }

    #[test]
    fn a_broker_s_code_is_the_status() {
        let error = Error::new(ErrorKind::Broker, "no").with_code(29);
        assert_eq!(status_of(&error), 29);
        assert_eq!(status_of(&Error::new(ErrorKind::Timeout, "late")), -109);
        assert_eq!(status_of(&Error::new(ErrorKind::OffsetOutOfRange, "far")), 1);
    }
}
