//! The values of `-o`: where to begin and where to stop.

use std::str::FromStr;

/// One `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetArg {
    /// When it says where to begin.
    Start(StartAt),
    /// When it says before which time to stop, in ms.
    StopAtMs(i64),
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartAt {
    /// When it is the first record that there is.
    Beginning,
    /// When it is the end.
    End,
    /// When it is this offset.
    At(i64),
    /// When it is so many offsets before the end of each partition.
    BeforeEnd(i64),
    /// When it is the first record with this time stamp, in ms, or a later one.
    TimestampMs(i64),
}

impl FromStr for OffsetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |digits: &str| match digits.parse::<i64>() {
            Ok(ms @ 0..) => Ok(ms),
            _ => Err(format!("'{digits}' is no time in ms since the epoch")),
        };
        if let Some(digits) = text.strip_prefix("s@") {
            return time(digits).map(|ms| Self::Start(StartAt::TimestampMs(ms)));
        }
        if let Some(digits) = text.strip_prefix("e@") {
            return time(digits).map(Self::StopAtMs);
        }
        let start = match (text, text.parse::<i64>()) {
            ("beginning", _) => StartAt::Beginning,
            ("end", _) => StartAt::End,
            (_, Ok(offset @ 0..)) => StartAt::At(offset),
            (_, Ok(offset)) => StartAt::BeforeEnd(offset.saturating_neg()),
            (_, Err(_)) => {
                return Err("may be beginning, end, N, -N, s@MS or e@MS".to_owned());
            }
        };
        Ok(Self::Start(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        for (text, start) in [
            ("beginning", StartAt::Beginning),
            ("end", StartAt::End),
            ("0", StartAt::At(0)),
            ("42", StartAt::At(42)),
            ("-3", StartAt::BeforeEnd(3)),
            ("-9223372036854775808", StartAt::BeforeEnd(i64::MAX)),
            ("s@0", StartAt::TimestampMs(0)),
            ("s@1600000000000", StartAt::TimestampMs(1_600_000_000_000)),
        ] {
            assert_eq!(text.parse(), Ok(OffsetArg::Start(start)), "{text}");
        }
        assert_eq!("e@7".parse(), Ok(OffsetArg::StopAtMs(7)));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "-", "latest", "stored", "1x", "s@", "s@-1", "e@x", "9223372036854775808"] {
            assert!(bad.parse::<OffsetArg>().is_err(), "{bad}");
        }
    }
}
