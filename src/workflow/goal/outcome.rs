//! What an agent says of its task beside how it went: which files it made or changed, and which tests it ran. What it does not say is
//! not there.

use serde_json::Value;

use crate::events::json::Json;
use crate::workflow::answer;

/// How many files of one answer are kept.
const FILES_MAX: usize = 1_000;

/// The longest path that is kept, in bytes.
const PATH_BYTES_MAX: usize = 4_096;

/// What an agent says of its task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The paths that it names in `files_modified`; a remark in brackets behind one, such as `(new)`, is left out.
    pub files: Vec<String>,
    /// How many tests passed and how many failed, by `test_suites`, else by `test_results`; none where neither says so.
    pub tests: Option<(u64, u64)>,
}

impl Outcome {
    /// Reads what an agent answered, be that JSON or a text with a block of JSON.
    pub fn read(answered: &Json) -> Self {
        let looks = ["files_modified", "test_"].iter().any(|word| answered.text().contains(word));
        let declared = looks.then(|| answer::as_json(answered.clone()).ok()).flatten();
        let Some(value) = declared.map(|answered| answered.value()) else { return Self::default() };
        let files = value.get("files_modified").and_then(Value::as_array).into_iter().flatten();
        let files = files.filter_map(Value::as_str).map(path).filter(|path| is_path(path));
        let suites =
            value.get("test_suites").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let of_text = value.get("test_results").and_then(Value::as_str).and_then(counted);
        Self {
            files: files.take(FILES_MAX).map(str::to_owned).collect(),
            tests: of_suites(suites).or(of_text),
        }
    }
}

fn of_suites(suites: &[Value]) -> Option<(u64, u64)> {
    let of = |suite: &Value, key: &str| suite.get(key).and_then(Value::as_u64);
    let counts = suites.iter().filter_map(|suite| match (of(suite, "passed"), of(suite, "failed")) {
        (None, None) => None,
        (passed, failed) => Some((passed.unwrap_or_default(), failed.unwrap_or_default())),
    });
    counts.reduce(|sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
}

/// The numbers before the words `passed` and `failed` of a text such as `24 passed, 1 failed`.
fn counted(text: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let before = |wanted: &str| {
        let at = words.iter().position(|word| word.eq_ignore_ascii_case(wanted))?;
        words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
    };
    match (before("passed"), before("failed")) {
        (None, None) => None,
        (passed, failed) => Some((passed.unwrap_or_default(), failed.unwrap_or_default())),
    }
}

fn path(text: &str) -> &str {
    let text = text.trim();
    let remark = text.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
    remark.map_or(text, |(path, _)| path.trim())
}

fn is_path(path: &str) -> bool {
    !path.is_empty() && path.len() <= PATH_BYTES_MAX && !path.contains(char::is_control)
}
