//! What an attempt reports that it used up, as programs write it.

use crate::events::json::Json;
use crate::events::limits::{CALLS_MAX, TOKENS_MAX};
use crate::events::money::{DOLLARS_MAX, NANOS_A_DOLLAR, parse_usd};
use crate::events::problem::Code;
use crate::events::run::Usage;
use crate::executors::Failure;
use crate::workflow::json_text::Level;

/// Reads a report: an object of `calls`, `input_tokens`, `output_tokens` and `usd`, each of which may be missing.
///
/// # Errors
/// [`Code::BadUsage`] for anything else, for numbers that are none, negative or absurd, and for money that is finer than it is
/// counted.
pub(super) fn read(report: &Json) -> Result<Usage, Failure> {
    let Ok(Level::Map(members)) = Level::of(report.text()) else {
        return Err(bad("it is no object".to_owned()));
    };
    let mut usage = Usage::default();
    for (key, value) in members {
        match &*key {
            "calls" => usage.calls = whole("calls", value, CALLS_MAX)?,
            "input_tokens" => usage.input_tokens = whole("input_tokens", value, TOKENS_MAX)?,
            "output_tokens" => usage.output_tokens = whole("output_tokens", value, TOKENS_MAX)?,
            "usd" => usage.usd_nanos = money(value)?,
            _ => {
                let known = "calls, input_tokens, output_tokens and usd";
                return Err(bad(format!("it has no `{}`, but {known}", key.escape_debug())));
            }
        }
    }
    Ok(usage)
}

/// The sum of what an attempt reports.
///
/// # Errors
/// [`Code::BadUsage`] where all together is absurd.
pub(super) fn sum(one: Usage, other: Usage) -> Result<Usage, Failure> {
    let sum = one.and(other);
    let is_absurd = sum.calls > CALLS_MAX
        || sum.input_tokens.max(sum.output_tokens) > TOKENS_MAX
        || sum.usd_nanos > DOLLARS_MAX * NANOS_A_DOLLAR;
    if is_absurd { Err(bad("all of it together is absurdly much".to_owned())) } else { Ok(sum) }
}

fn whole(key: &str, value: &str, most: u64) -> Result<u64, Failure> {
    let number = match Level::of(value) {
        Ok(Level::Number(digits)) => digits.parse().ok().filter(|number| *number <= most),
        _ => None,
    };
    number.ok_or_else(|| bad(format!("`{key}` is a whole number from 0 to {most}, and not {}", shown(value))))
}

/// An amount as a number, or as a text, in which no writer of JSON makes a float of it.
fn money(value: &str) -> Result<u64, Failure> {
    let text = match Level::of(value) {
        Ok(Level::Number(digits)) => digits.into(),
        Ok(Level::Text(text)) => text,
        _ => return Err(bad(format!("`usd` is an amount in US dollars, and not {}", shown(value)))),
    };
    parse_usd(&text).map_err(|why| bad(format!("`usd`: {} {why}", shown(value))))
}

/// A value as a message quotes it: cut if it is long.
fn shown(value: &str) -> String {
    const CHARS: usize = 60;
    match value.char_indices().nth(CHARS) {
        Some((at, _)) => format!("`{}…`", value.get(..at).unwrap_or_default()),
        None => format!("`{value}`"),
    }
}

fn bad(why: String) -> Failure {
    Failure::new(Code::BadUsage, format!("what it reports that it used up cannot be taken: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::problem::Class;

    fn of(text: &str) -> Result<Usage, Failure> {
        read(&Json::parse(text).unwrap())
    }

    #[test]
    fn a_report_is_exact_and_each_part_may_be_missing() {
        let all = r#"{"calls": 2, "input_tokens": 1200, "output_tokens": 300, "usd": 0.0123}"#;
        let usage = Usage { calls: 2, input_tokens: 1_200, output_tokens: 300, usd_nanos: 12_300_000 };
        assert_eq!(of(all), Ok(usage));
        assert_eq!(of("{}"), Ok(Usage::default()));
        assert_eq!(of(r#"{"usd":"0.000000001"}"#).unwrap().usd_nanos, 1);
        assert_eq!(of(r#"{"usd":1e-05}"#).unwrap().usd_nanos, 10_000);
    }

    #[test]
    fn nonsense_is_a_failure_that_is_not_tried_again() {
        for (text, says) in [
            ("[1]", "it is no object"),
            (r#"{"eur": 1}"#, "it has no `eur`, but calls"),
            (r#"{"calls": -1}"#, "`calls` is a whole number from 0 to 4294967295, and not `-1`"),
            (r#"{"calls": 1.5}"#, "and not `1.5`"),
            (r#"{"calls": 1e3}"#, "and not `1e3`"),
            (r#"{"input_tokens": "7"}"#, "`input_tokens` is a whole number"),
            (r#"{"output_tokens": 99999999999999999999}"#, "and not `99999999999999999999`"),
            (r#"{"usd": -0.01}"#, "`usd`: `-0.01` is less than zero"),
            (r#"{"usd": "NaN"}"#, "is no amount of US dollars"),
            (r#"{"usd": 0.30000000000000004}"#, "is finer than a billionth"),
            (r#"{"usd": 1e12}"#, "is more than 1000000000 dollars"),
            (r#"{"usd": null}"#, "and not `null`"),
        ] {
            let failure = of(text).unwrap_err();
            assert_eq!((failure.code, failure.class), (Code::BadUsage, Class::Validation), "{text}");
            assert!(failure.message.contains(says), "{}", failure.message);
        }
        let most = Usage { calls: CALLS_MAX, ..Usage::default() };
        assert!(sum(most, Usage::default()).is_ok());
        assert_eq!(sum(most, Usage { calls: 1, ..Usage::default() }).unwrap_err().code, Code::BadUsage);
    }
}
