//! Tests of a workflow, as a file says them: what a run is given, who answers its steps, what goes wrong, and what is to come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::json_text::Level;
use super::script::Script;
use crate::events::ids::StepId;
use crate::events::json::Json;
use crate::events::problem::SourceLocation;
use crate::events::run::RunStatus;

/// The tests of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The path of the workflow's file, from the folder of this one.
    pub workflow: String,
    /// The tests, at least one, in the order of the file.
    pub tests: Vec<WorkflowTest>,
}

/// A test: one run.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowTest {
    /// Its name, which no other of the file has.
    pub name: String,
    /// The place where it begins.
    pub at: SourceLocation,
    /// The input of the run.
    pub input: Json,
    /// The path of the cassette that answers, from the folder of the file. Without one the script does.
    pub cassette: Option<String>,
    /// The failures that are injected, and the answers after them.
    pub script: Script,
    /// The steps after whose completion the process is killed, one after the other.
    pub crash_after: Vec<StepId>,
    /// How long the test may take.
    pub timeout: Duration,
    /// What is to come of it.
    pub expected: Expected,
    /// Every step that it names, with the place.
    pub names: Vec<(String, SourceLocation)>,
}

/// What is to come of a run. What is not said may be anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// How the run ends, or rests.
    pub status: RunStatus,
    /// Its output.
    pub output: Option<Json>,
    /// The outputs of steps.
    pub outputs: BTreeMap<String, Json>,
    /// The statuses of steps.
    pub steps: BTreeMap<String, String>,
    /// How many attempts at steps there are whose result counts: without those that a crash took with it.
    pub attempts: BTreeMap<String, u32>,
    /// The steps that complete, in order. Others may complete in between.
    pub order: Option<Vec<String>>,
    /// The steps that are undone, in order, and no others.
    pub compensations: Option<Vec<String>>,
    /// The code of the error with which the run fails.
    pub error: Option<String>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// How the run ended, or rests.
    pub status: String,
    /// Its output.
    pub output: Json,
    /// The outputs of its steps.
    pub outputs: BTreeMap<String, Json>,
    /// The statuses of its steps.
    pub steps: BTreeMap<String, String>,
    /// How many attempts at its steps came to something.
    pub attempts: BTreeMap<String, u32>,
    /// The steps that completed, in order.
    pub order: Vec<String>,
    /// The steps that were undone, in order.
    pub compensations: Vec<String>,
    /// The code of its error, and what it says.
    pub error: Option<(String, String)>,
}

/// Something that did not come as it was to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about, as the file calls it: `status`, `outputs.build`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl Expected {
    /// What did not come as it was to, in the order of the keys.
    pub fn differences(&self, found: &Found) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut differ = |what: String, expected: String, found: String| {
            differences.push(Difference { what, expected, found });
        };
        let status = self.status.text();
        if status != found.status {
            let why = found.error.as_ref().map(|(code, message)| format!(" ({code}: {message})"));
            differ(
                "status".to_owned(),
                status.to_owned(),
                format!("{}{}", found.status, why.unwrap_or_default()),
            );
        }
        if let Some(error) = &self.error
            && found.error.as_ref().is_none_or(|(code, _)| code != error)
        {
            let is = found
                .error
                .as_ref()
                .map_or_else(|| "none".to_owned(), |(code, why)| format!("{code}: {why}"));
            differ("error".to_owned(), error.clone(), is);
        }
        if let Some(output) =
            self.output.as_ref().filter(|output| !is_same(output.text(), found.output.text()))
        {
            differ("output".to_owned(), output.text().to_owned(), found.output.text().to_owned());
        }
        for (step, output) in &self.outputs {
            let is = found.outputs.get(step);
            if is.is_none_or(|is| !is_same(output.text(), is.text())) {
                differ(format!("outputs.{step}"), output.text().to_owned(), shown(is.map(Json::text)));
            }
        }
        for (step, status) in &self.steps {
            let is = found.steps.get(step);
            if is != Some(status) {
                differ(format!("steps.{step}"), status.clone(), shown(is.map(String::as_str)));
            }
        }
        for (step, attempts) in &self.attempts {
            let is = found.attempts.get(step).copied().unwrap_or_default();
            if is != *attempts {
                differ(format!("attempts.{step}"), attempts.to_string(), is.to_string());
            }
        }
        if let Some(order) = self.order.as_ref().filter(|order| !comes_in(order, &found.order)) {
            differ("order".to_owned(), order.join(", "), found.order.join(", "));
        }
        if let Some(undone) = self.compensations.as_ref().filter(|undone| **undone != found.compensations) {
            differ("compensations".to_owned(), undone.join(", "), found.compensations.join(", "));
        }
        differences
    }
}

fn shown(found: Option<&str>) -> String {
    found.map_or_else(|| "no such step".to_owned(), str::to_owned)
}

/// Whether all of one list stand in another in that order, with whatever in between.
fn comes_in(wanted: &[String], found: &[String]) -> bool {
    let mut found = found.iter();
    wanted.iter().all(|step| found.any(|other| other == step))
}

/// Whether two documents say the same. Members may stand in any order; numbers beyond 64 bits are compared digit by digit.
fn is_same(one: &str, other: &str) -> bool {
    match (Level::of(one), Level::of(other)) {
        (Ok(Level::Map(one)), Ok(Level::Map(other))) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.iter().any(|(theirs, found)| theirs == name && is_same(value, found))
                })
        }
        (Ok(Level::List(one)), Ok(Level::List(other))) => {
            one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| is_same(one, other))
        }
        (Ok(Level::Number(one)), Ok(Level::Number(other))) => one == other || is_same_number(one, other),
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Whether two numbers that are written otherwise are the same: `1.0` is `1`, as far as a float tells them apart.
fn is_same_number(one: &str, other: &str) -> bool {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one == other && one.abs() <= EXACT_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(status: RunStatus) -> Expected {
        Expected {
            status,
            output: None,
            outputs: BTreeMap::new(),
            steps: BTreeMap::new(),
            attempts: BTreeMap::new(),
            order: None,
            compensations: None,
            error: None,
        }
    }

    #[test]
    fn documents_are_the_same_that_say_the_same() {
        for (one, other, is) in [
            ("{\"a\":1,\"b\":[2]}", "{ \"b\": [2.0], \"a\": 1 }", true),
            ("12345678901234567890123", "12345678901234567890124", false),
            ("1", "\"1\"", false),
            ("[1,2]", "[2,1]", false),
            ("{\"a\":1}", "{\"a\":1,\"b\":null}", false),
            ("\"\\u0061\"", "\"a\"", true),
            ("null", "null", true),
        ] {
            assert_eq!(is_same(one, other), is, "{one} {other}");
        }
    }

    #[test]
    fn everything_that_is_not_as_it_was_to_be_is_told() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = Found {
            status: "failed".to_owned(),
            order: names(&["a", "b", "c"]),
            compensations: names(&["b", "a"]),
            error: Some(("RE-3001".to_owned(), "no".to_owned())),
            ..Found::default()
        };
        let good = Expected {
            order: Some(names(&["a", "c"])),
            compensations: Some(names(&["b", "a"])),
            error: Some("RE-3001".to_owned()),
            ..expected(RunStatus::Failed)
        };
        assert_eq!(good.differences(&found), []);
        let bad = Expected {
            output: Some(Json::from(&serde_json::json!(1))),
            outputs: [("a".to_owned(), Json::null())].into(),
            steps: [("a".to_owned(), "completed".to_owned())].into(),
            attempts: [("a".to_owned(), 2)].into(),
            order: Some(names(&["c", "a"])),
            compensations: Some(names(&["b"])),
            error: Some("RE-3002".to_owned()),
            ..expected(RunStatus::Completed)
        };
        let told: Vec<String> = bad.differences(&found).into_iter().map(|differs| differs.what).collect();
        let all =
            ["status", "error", "output", "outputs.a", "steps.a", "attempts.a", "order", "compensations"];
        assert_eq!(told, all);
    }
}
