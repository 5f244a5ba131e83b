//! How the values of keys are read. An error says what the key takes.

use std::ops::RangeInclusive;
use std::path::{Component, PathBuf};
use std::time::Duration;

use toml::Value;

use super::Durability;
use crate::events::ids::AgentName;
use crate::events::time::parse_duration;
use crate::workflow::definition::{Approval, RetryPolicy};
use crate::workflow::work::Command;

/// The lengths of time that are allowed: a day at most. To wait longer is as good as to wait for ever.
const LENGTH: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

pub(super) const KIB: u64 = 1024;

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "give it a text".to_owned())
}

/// A list of texts; or one text, which is split at commas, as the environment gives it.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, String> {
    let texts: Option<Vec<&str>> = match value {
        Value::String(text) => Some(text.split(',').collect()),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let texts = texts.ok_or_else(|| "give it a list of texts, as in [\"A\", \"B\"]".to_owned())?;
    Ok(texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect())
}

/// The points of a checklist, each on one line.
pub(super) fn points(value: &Value) -> Result<Vec<String>, String> {
    let points = texts(value)?;
    let (most, longest) = (Approval::POINTS_MAX, Approval::POINT_CHARS_MAX);
    let fits = |point: &String| point.chars().count() <= longest && !point.contains(char::is_control);
    match points.len() <= most && points.iter().all(fits) {
        true => Ok(points),
        false => Err(format!("give it at most {most} texts of one line and {longest} characters")),
    }
}

/// A program and its arguments, not changed in any way; an empty list means none.
pub(super) fn program(value: &Value) -> Result<Vec<String>, String> {
    let words = value.as_array().and_then(|items| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    words.filter(|words| words.first().is_none_or(|program| !program.is_empty())).ok_or_else(|| {
        "give it the program and its arguments as a list, as in [\"make\", \"check\"]".to_owned()
    })
}

/// A text for the shell, or a program and its arguments; empty for none.
pub(super) fn command(value: &Value) -> Result<Option<Command>, String> {
    match value {
        Value::String(text) => {
            Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Command::Shell(text.to_owned())))
        }
        list => {
            let words = program(list).map_err(|_| {
                "give it a text for the shell, or a list as in [\"cargo\", \"test\"]".to_owned()
            })?;
            Ok(Some(words).filter(|words| !words.is_empty()).map(Command::List))
        }
    }
}

pub(super) fn number(value: &Value, range: RangeInclusive<u32>) -> Result<u32, String> {
    let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("give it a whole number from {} to {}", range.start(), range.end()))
}

/// A path inside of a folder: relative, and without `..`. Empty for none.
pub(super) fn inside(value: &Value) -> Result<Option<PathBuf>, String> {
    let path = text(value).map(PathBuf::from)?;
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    match path.file_name() {
        None if path.as_os_str().is_empty() => Ok(None),
        Some(_) if is_inside => Ok(Some(path)),
        _ => Err("a path inside of the work folder, without `..`".to_owned()),
    }
}

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    let flag = value.as_bool().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    flag.ok_or_else(|| "it is `true` or `false`".to_owned())
}

pub(super) fn length(value: &Value) -> Result<Duration, String> {
    let length = any_length(value)?;
    if LENGTH.contains(&length) { Ok(length) } else { Err("give it a day at most".to_owned()) }
}

/// A length of time without an upper bound.
pub(super) fn any_length(value: &Value) -> Result<Duration, String> {
    let text = text(value).map_err(|_| "write it like \"10s\", with a unit and quotes".to_owned())?;
    parse_duration(text).map_err(|why| why.to_string())
}

pub(super) fn positive(value: &Value) -> Result<Duration, String> {
    let length = any_length(value)?;
    if length.is_zero() { Err("it must be longer than zero".to_owned()) } else { Ok(length) }
}

pub(super) fn decimal(value: &Value, range: RangeInclusive<f64>) -> Result<f64, String> {
    let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("give it a number from {} to {}", range.start(), range.end()))
}

pub(super) fn policy(value: &Value) -> Result<RetryPolicy, String> {
    match value.as_str() {
        Some("none") => Ok(RetryPolicy::None),
        Some("fixed") => Ok(RetryPolicy::Fixed),
        Some("linear") => Ok(RetryPolicy::Linear),
        Some("exponential") => Ok(RetryPolicy::Exponential),
        _ => Err("it is one of none, fixed, linear, exponential".to_owned()),
    }
}

/// `32MiB`, `64KiB`, `1GiB`, or a number of bytes.
pub(super) fn bytes(value: &Value, range: RangeInclusive<u64>) -> Result<u64, String> {
    let of_text = |text: &str| {
        let units = [("KiB", KIB), ("MiB", KIB * KIB), ("GiB", KIB * KIB * KIB), ("", 1)];
        let (number, unit) =
            units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
        number.trim().parse::<u64>().ok()?.checked_mul(unit)
    };
    let bytes = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => of_text(text.trim()),
        _ => None,
    };
    let bytes = bytes.ok_or_else(|| "write it like \"64KiB\", \"32MiB\" or \"1GiB\"".to_owned())?;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("give it {} to {} bytes", range.start(), range.end()))
}

pub(super) fn durability(value: &Value) -> Result<Durability, String> {
    match value.as_str() {
        Some("power") => Ok(Durability::Power),
        Some("process") => Ok(Durability::Process),
        _ => Err("it is \"power\" or \"process\"".to_owned()),
    }
}

/// A path; none of an empty text.
pub(super) fn path(value: &Value) -> Result<Option<PathBuf>, String> {
    text(value).map(|path| Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()))
}

/// The name of an agent; an empty text for none.
pub(super) fn agent(value: &Value) -> Result<Option<AgentName>, String> {
    let name = AgentName::new(text(value)?.trim());
    if name.as_str().is_empty() {
        return Ok(None);
    }
    name.check().map_err(|error| error.to_string())?;
    Ok(Some(name))
}
