//! ISO-8601 durations of days, hours, minutes and seconds, as `java.time.Duration.parse` has them.

#![forbid(unsafe_code)]

use std::time::Duration;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const FRACTION_DIGITS_MAX: usize = 9;

/// Parses `PnDTnHnMn.nS`; `None` for anything else and for a duration below zero.
///
/// Each number may have a sign, and so may the whole: `PT1M-30S` is half a minute. Letters may be
/// of either case, and the seconds may have up to nine decimals after a point or a comma.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let mut rest = unsigned.strip_prefix(['P', 'p'])?;
    if rest.is_empty() {
        return None;
    }
    let mut total = Total::default();
    total.add(take(&mut rest, b'D'), 86_400)?;
    if let Some(time) = rest.strip_prefix(['T', 't']) {
        rest = time;
        if rest.is_empty() {
            return None;
        }
        total.add(take(&mut rest, b'H'), 3_600)?;
        total.add(take(&mut rest, b'M'), 60)?;
        total.add(take(&mut rest, b'S'), 1)?;
    }
    if rest.is_empty() { total.duration(negative) } else { None }
}

/// A number and its decimals, which carry the number's sign.
struct Component {
    whole: i64,
    nanos: i64,
}

#[derive(Default)]
struct Total {
    seconds: i64,
    nanos: i64,
}

impl Total {
    /// Adds `component` units; `None` where the sum leaves the range of Java's seconds.
    fn add(&mut self, component: Option<Component>, unit_seconds: i64) -> Option<()> {
        if let Some(Component { whole, nanos }) = component {
            self.seconds = self.seconds.checked_add(whole.checked_mul(unit_seconds)?)?;
            self.nanos = nanos;
        }
        Some(())
    }

    fn duration(&self, negative: bool) -> Option<Duration> {
        let nanos = i128::from(self.seconds) * NANOS_PER_SECOND + i128::from(self.nanos);
        let nanos = if negative { -nanos } else { nanos };
        let seconds = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
        let below = u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?;
        Some(Duration::new(u64::try_from(seconds).ok()?, below))
    }
}

/// Takes a number that `unit` ends off the front of `rest`, or leaves `rest` as it is.
fn take(rest: &mut &str, unit: u8) -> Option<Component> {
    let end = rest.bytes().position(|b| b.is_ascii_alphabetic())?;
    if rest.as_bytes()[end].to_ascii_uppercase() != unit {
        return None;
    }
    let number = &rest[..end];
    let (whole, fraction) = match number.split_once(['.', ',']) {
        Some((whole, fraction)) if unit == b'S' => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let component = Component {
        whole: whole.parse().ok()?,
        nanos: fraction_nanos(fraction, whole.starts_with('-'))?,
    };
    *rest = &rest[end + 1..];
    Some(component)
}

fn fraction_nanos(fraction: &str, negative: bool) -> Option<i64> {
    if fraction.len() > FRACTION_DIGITS_MAX || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    Some(if negative { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's `Duration.parse` says of each, in nanoseconds; `None` where it refuses, or
    /// where Kafka refuses because the duration is negative.
    const BY_JAVA: &[(&str, Option<u128>)] = &[
        ("P1D", Some(86_400_000_000_000)),
        ("+P1D", Some(86_400_000_000_000)),
        ("PT0S", Some(0)),
        ("pt1h30m", Some(5_400_000_000_000)),
        ("PT1.5S", Some(1_500_000_000)),
        ("PT1,5S", Some(1_500_000_000)),
        ("PT1.S", Some(1_000_000_000)),
        ("PT1.123456789S", Some(1_123_456_789)),
        ("PT1M-30S", Some(30_000_000_000)),
        ("PT1M-0.5S", Some(59_500_000_000)),
        ("-PT-5S", Some(5_000_000_000)),
        ("P1DT2H3M4.005S", Some(93_784_005_000_000)),
        ("P106751991167300D", Some(9_223_372_036_854_720_000_000_000_000)),
        ("PT9223372036854775807S", Some(9_223_372_036_854_775_807_000_000_000)),
        ("P106751991167301D", None),
        ("PT9223372036854775808S", None),
        ("-P1D", None),
        ("PT-30S", None),
        ("PT-0.5S", None),
        ("", None),
        ("-", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("P1W", None),
        ("P1M", None),
        ("1D", None),
        (" P1D", None),
        ("PT.5S", None),
        ("PT1.5M", None),
        ("PT1.1234567891S", None),
        ("PT1.-5S", None),
        ("PT2H1D", None),
        ("PT1S1S", None),
        ("PT1S2M", None),
        ("P1D ", None),
        ("P\u{e9}D", None),
    ];

    #[test]
    fn agrees_with_java() {
        for &(text, nanos) in BY_JAVA {
            assert_eq!(parse(text).map(|d| d.as_nanos()), nanos, "{text:?}");
        }
    }
}
