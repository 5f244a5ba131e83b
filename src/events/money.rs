//! Money: whole billionths of a US dollar, from the text in which somebody writes an amount to the event that records it.
//! Nothing here is a float, so that a sum of a million prices is exact.

use std::fmt;

/// How many billionths a dollar has.
pub const NANOS_A_DOLLAR: u64 = 1_000_000_000;

/// The greatest amount that is taken, in dollars: what is more is a slip, and sums of it could overflow.
pub const DOLLARS_MAX: u64 = 1_000_000_000;

/// How many digits an amount may have behind the point.
const DIGITS: usize = 9;

/// The longest text that may be an amount, in bytes.
const TEXT_BYTES_MAX: usize = 64;

/// The reasons for which a text is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// It is no decimal number.
    #[error("is no amount of US dollars: write a plain number, as in `2.50`")]
    NotANumber,
    /// It is less than zero.
    #[error("is less than zero")]
    Negative,
    /// It says more than a billionth of a dollar can hold.
    #[error("is finer than a billionth of a dollar")]
    TooFine,
    /// It is more than [`DOLLARS_MAX`].
    #[error("is more than {DOLLARS_MAX} dollars")]
    TooMuch,
}

/// An amount as a person or a program writes it, in billionths of a dollar: `5`, `0.25`, `1.5e-3`.
///
/// # Errors
/// When the text is no decimal number, is negative, has more digits than there are billionths, or is absurdly much.
pub fn parse_usd(text: &str) -> Result<u64, BadMoney> {
    let text = text.trim();
    if text.len() > TEXT_BYTES_MAX {
        return Err(BadMoney::NotANumber);
    }
    let (unsigned, is_negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (number, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let unsigned_exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if ![whole, fraction, unsigned_exponent].into_iter().all(is_digits) {
        return Err(BadMoney::NotANumber);
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if is_negative {
        return Err(BadMoney::Negative);
    }
    // An exponent of more digits than that is beyond all amounts, whichever way.
    let exponent: i32 = exponent.parse().map_err(|_| BadMoney::NotANumber)?;
    let places = i32::try_from(fraction.len()).map_err(|_| BadMoney::NotANumber)?;
    let shift = exponent.saturating_sub(places).saturating_add(DIGITS as i32);
    let nanos = shifted(significant, shift)?;
    if nanos > u128::from(DOLLARS_MAX) * u128::from(NANOS_A_DOLLAR) {
        return Err(BadMoney::TooMuch);
    }
    u64::try_from(nanos).map_err(|_| BadMoney::TooMuch)
}

/// A number that begins with no zero, times a power of ten.
fn shifted(digits: &str, shift: i32) -> Result<u128, BadMoney> {
    let mut digits = digits.to_owned();
    for _ in shift..0 {
        // Only zeros may be lost.
        match digits.pop() {
            Some('0') => {}
            _ => return Err(BadMoney::TooFine),
        }
    }
    let zeros = usize::try_from(shift).unwrap_or_default();
    if digits.len().saturating_add(zeros) > TEXT_BYTES_MAX / 2 {
        return Err(BadMoney::TooMuch);
    }
    digits.extend(std::iter::repeat_n('0', zeros));
    digits.parse().map_err(|_| BadMoney::TooMuch)
}

/// An amount in dollars as a JSON number, exactly: `5.0`, `0.25`.
pub fn decimal(nanos: u64) -> String {
    with_digits(nanos, 1)
}

/// An amount in dollars, with so many digits behind the point or as many as it takes.
fn with_digits(nanos: u64, digits_min: usize) -> String {
    let fraction = format!("{:09}", nanos % NANOS_A_DOLLAR);
    let shown = fraction.trim_end_matches('0').len().max(digits_min);
    format!("{}.{}", nanos / NANOS_A_DOLLAR, fraction.get(..shown).unwrap_or(&fraction))
}

/// An amount for people, in dollars, with two digits behind the point or as many as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dollars(pub u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", with_digits(self.0, 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_from_its_text_on() {
        for (text, nanos) in [
            ("0", 0),
            ("-0.0", 0),
            ("5", 5_000_000_000),
            ("5.0", 5_000_000_000),
            (" 0.25 ", 250_000_000),
            ("0.000000001", 1),
            ("0.1000000000000", 100_000_000),
            ("1e-05", 10_000),
            ("1.5E-3", 1_500_000),
            ("2e3", 2_000_000_000_000),
            ("1000000000", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(parse_usd(text), Ok(nanos), "{text}");
        }
        let sum: u64 = (0..10).map(|_| parse_usd("0.1").unwrap()).sum();
        assert_eq!(sum, NANOS_A_DOLLAR, "ten tenths are one");
    }

    #[test]
    fn what_is_no_amount_is_refused_with_its_reason() {
        for (text, why) in [
            ("", BadMoney::NotANumber),
            ("NaN", BadMoney::NotANumber),
            ("inf", BadMoney::NotANumber),
            ("-inf", BadMoney::NotANumber),
            ("$5", BadMoney::NotANumber),
            ("5 EUR", BadMoney::NotANumber),
            ("1,5", BadMoney::NotANumber),
            ("1_000", BadMoney::NotANumber),
            ("0x10", BadMoney::NotANumber),
            (".5", BadMoney::NotANumber),
            ("5.", BadMoney::NotANumber),
            ("+5", BadMoney::NotANumber),
            ("1e", BadMoney::NotANumber),
            ("1e99999999999", BadMoney::NotANumber),
            ("-1", BadMoney::Negative),
            ("-0.000000001", BadMoney::Negative),
            ("0.0000000001", BadMoney::TooFine),
            ("0.30000000000000004", BadMoney::TooFine),
            ("1e-10", BadMoney::TooFine),
            ("1e-2000000000", BadMoney::TooFine),
            ("1000000000.000000001", BadMoney::TooMuch),
            ("1e30", BadMoney::TooMuch),
            ("1e2000000000", BadMoney::TooMuch),
            ("99999999999999999999999999999999999999999", BadMoney::TooMuch),
        ] {
            assert_eq!(parse_usd(text), Err(why), "{text}");
        }
        assert_eq!(parse_usd(&"9".repeat(100)), Err(BadMoney::NotANumber));
    }

    #[test]
    fn people_read_as_many_digits_as_it_takes() {
        for (nanos, shown) in
            [(0, "$0.00"), (5_000_000_000, "$5.00"), (1_230_000_000, "$1.23"), (1, "$0.000000001")]
        {
            assert_eq!(Dollars(nanos).to_string(), shown);
            assert_eq!(parse_usd(&decimal(nanos)), Ok(nanos), "and programs the same");
        }
    }
}
