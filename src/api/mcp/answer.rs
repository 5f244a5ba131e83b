//! What tools and resources answer: the JSON of the command line, within a bound.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::wording::{Call, Worded};
use crate::events::problem::{Code, Problem};
use crate::events::text::{json_line, printable};

/// The longest answer, in bytes of JSON: assistants take less than that at once.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The member of an answer that says which others were left out.
const LEFT_OUT: &str = "left_out";

/// An answer, as JSON and as its text.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) value: Value,
}

/// Everything because of which there is no answer.
#[derive(Debug, Clone)]
pub(super) struct Failed(Vec<Problem>);

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Failed {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl Answer {
    /// What the command line prints with `--json`.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub(super) fn of<T: Clone + Serialize + Worded>(told: &T, call: &Call) -> Result<Self, Problem> {
        let mut told = told.clone();
        told.word(call);
        Self::plain(&told)
    }

    /// What holds nothing that is to be worded.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub(super) fn plain<T: Serialize>(told: &T) -> Result<Self, Problem> {
        let bad = |error: serde_json::Error| {
            Problem::new(Code::Internal, format!("an answer has no JSON form: {error}"))
        };
        // The text keeps each number as it was written.
        let text = serde_json::to_string(told).map_err(bad)?;
        let value: Value = serde_json::from_str(&text).map_err(bad)?;
        if text.len() <= ANSWER_BYTES_MAX {
            return Ok(Self { text: json_line(&text).into_owned(), value });
        }
        let value = shortened(value, text.len());
        Ok(Self { text: json_line(&value.to_string()).into_owned(), value })
    }

    /// The same, with one more member.
    ///
    /// # Errors
    /// When that has no JSON form.
    pub(super) fn with<T: Serialize>(self, name: &str, told: &T) -> Result<Self, Problem> {
        let Value::Object(mut members) = self.value else { return Ok(self) };
        let told = Self::plain(told)?;
        members.insert(name.to_owned(), told.value);
        Self::plain(&Value::Object(members))
    }
}

impl Failed {
    /// What is wrong, for who reads it: code, message and what helps, one problem after the other.
    pub(super) fn text(&self, call: &Call) -> String {
        let one = |problem: &Problem| {
            let hint = call.hint(&problem.remedies);
            let place = problem.at.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
            let says = format!("{} {}{}", problem.code, place.unwrap_or_default(), problem.message);
            let (says, hint) = (printable(&says), printable(&hint));
            if hint.is_empty() { says.into_owned() } else { format!("{says}\nhint: {hint}") }
        };
        self.0.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    /// The same as JSON: the first problem as the command line prints it, and all where there are several.
    pub(super) fn value(&self, call: &Call) -> Value {
        let worded = |problem: &Problem| {
            let mut problem = problem.clone();
            problem.word(call);
            json!(problem)
        };
        let all: Vec<Value> = self.0.iter().map(worded).collect();
        let first = all.first().cloned().unwrap_or_default();
        if all.len() > 1 { json!({ "error": first, "errors": all }) } else { json!({ "error": first }) }
    }

    /// Whether it is one thing, that what was asked for is not there.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.0.as_slice(), [problem] if matches!(problem.code, Code::UnknownRun | Code::AmbiguousRun))
    }
}

/// An answer that fits: its longest members are left out, and it says which, each with its length in bytes.
fn shortened(value: Value, bytes: usize) -> Value {
    let Value::Object(mut members) = value else { return json!({ LEFT_OUT: { "": bytes } }) };
    let mut left_out = Map::new();
    let mut lengths: Vec<(String, usize)> =
        members.iter().map(|(name, value)| (name.clone(), value.to_string().len())).collect();
    lengths.sort_by_key(|(_, length)| *length);
    let mut total = bytes;
    while total > ANSWER_BYTES_MAX
        && let Some((name, length)) = lengths.pop()
    {
        members.shift_remove(&name);
        total = total.saturating_sub(length);
        // Its name, and what is said of it.
        total += name.len() + 32;
        left_out.insert(name, length.into());
    }
    members.insert(LEFT_OUT.to_owned(), Value::Object(left_out));
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_left_out_and_named() {
        let long = "x".repeat(ANSWER_BYTES_MAX);
        let half = "y".repeat(ANSWER_BYTES_MAX / 2);
        let answer = Answer::plain(&json!({"run": "r", "steps": [long], "output": half})).unwrap();
        assert!(answer.text.len() <= ANSWER_BYTES_MAX, "{}", answer.text.len());
        assert_eq!(answer.value["run"], "r");
        assert_eq!(answer.value["output"].as_str().unwrap().len(), ANSWER_BYTES_MAX / 2);
        assert_eq!(answer.value[LEFT_OUT], json!({"steps": ANSWER_BYTES_MAX + 4}));
        assert!(answer.value.get("steps").is_none());
    }

    #[test]
    fn what_fits_is_whole_and_its_text_keeps_each_number() {
        let raw =
            serde_json::value::RawValue::from_string("123456789012345678901234567890".to_owned()).unwrap();
        let answer = Answer::plain(&std::collections::BTreeMap::from([("n", raw)])).unwrap();
        assert_eq!(answer.text, "{\"n\":123456789012345678901234567890}");
        assert!(answer.value.get(LEFT_OUT).is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_code_and_what_helps() {
        let failed = Failed(vec![Problem::new(Code::UnknownRun, "no run has the id `x`")]);
        let text = failed.text(&Call::default());
        assert_eq!(text, "RE-1003 no run has the id `x`\nhint: `reenact list` shows the runs");
        assert_eq!(failed.value(&Call::default())["error"]["code"], "RE-1003");
    }
}
