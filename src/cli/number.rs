//! Decimal numbers without the cost of the formatting machinery.

/// The digits of `i64::MIN` and its sign.
const MAX_LEN: usize = 20;

/// Appends a number in decimal.
pub(crate) fn write_decimal(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0_u8; MAX_LEN];
    let mut at = MAX_LEN;
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

#[allow(clippy::cast_possible_truncation, reason = "less than 10")]
fn digit(number: u64) -> u8 {
    number as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        let powers = (0..19).map(|power| 10_i64.pow(power));
        let around = powers.flat_map(|power| [power - 1, power, -power, 1 - power]);
        for number in around.chain([i64::MIN, i64::MAX]) {
            let mut out = Vec::new();
            write_decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
