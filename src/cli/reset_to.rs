//! The values of `--to`: where a group goes on.

use std::str::FromStr;
use std::time::Duration;

use kfetch::Config;
use kfetch::client::config::OffsetReset;

/// Where a group goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetTo {
    /// When it is the first record that there is.
    Earliest,
    /// When it is the end.
    Latest,
    /// When it is this offset.
    At(i64),
    /// When it is the first record with this time stamp, in ms, or a later one.
    TimestampMs(i64),
    /// When it is the first record no older than this.
    ByDuration(Duration),
}

impl FromStr for ResetTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(digits) = text.strip_prefix("s@") {
            return match digits.parse() {
                Ok(ms @ 0..) => Ok(Self::TimestampMs(ms)),
                _ => Err(format!("'{digits}' is no time in ms since the epoch")),
            };
        }
        if let Some(age) = text.strip_prefix("by_duration:") {
            return by_duration(text).ok_or_else(|| {
                format!("'{age}' is no duration from 0 up, such as PT1H30M or P7D")
            });
        }
        match (text, text.parse()) {
            ("earliest", _) => Ok(Self::Earliest),
            ("latest", _) => Ok(Self::Latest),
            (_, Ok(offset @ 0..)) => Ok(Self::At(offset)),
            _ => Err("may be earliest, latest, N, s@MS or by_duration:PT…".to_owned()),
        }
    }
}

/// Reads a duration as the property of the same form has it.
fn by_duration(text: &str) -> Option<ResetTo> {
    // The configuration is not complete without a source; nothing is opened.
    let config = Config::new().with("auto.offset.reset", text).ok()?.with("log.dirs", ".").ok()?;
    match config.consumer().ok()?.offset_reset {
        OffsetReset::ByDuration(duration) => Some(ResetTo::ByDuration(duration)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        for (text, to) in [
            ("earliest", ResetTo::Earliest),
            ("latest", ResetTo::Latest),
            ("0", ResetTo::At(0)),
            ("42", ResetTo::At(42)),
            ("s@0", ResetTo::TimestampMs(0)),
            ("s@1600000000000", ResetTo::TimestampMs(1_600_000_000_000)),
            ("by_duration:PT90S", ResetTo::ByDuration(Duration::from_secs(90))),
            ("by_duration:P1DT1H", ResetTo::ByDuration(Duration::from_secs(90_000))),
        ] {
            assert_eq!(text.parse(), Ok(to), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "-1",
            "beginning",
            "e@7",
            "s@",
            "s@-1",
            "9223372036854775808",
            "by_duration:",
            "by_duration:90",
            "by_duration:-PT1S",
        ] {
            let error = bad.parse::<ResetTo>().unwrap_err();
            assert!(!error.contains("auto.offset.reset") && !error.contains("none,"), "{error}");
            if let Some(age) = bad.strip_prefix("by_duration:") {
                assert!(error.contains(&format!("'{age}' is no duration")), "{error}");
            }
        }
    }
}
