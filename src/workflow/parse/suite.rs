//! A file of tests of a workflow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::data::json;
use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key, words};
use super::script::{ANSWER, CLASSES, PURPOSES, answer};
use super::tree::{Tree, Value};
use crate::events::ids::StepId;
use crate::events::json::Json;
use crate::events::problem::{Class, Code, Problem, SourceLocation};
use crate::events::run::{Purpose, RunStatus};
use crate::workflow::script::{Says, Script, ScriptedAnswer};
use crate::workflow::suite::{Expected, Suite, WorkflowTest};

/// How long a test may take that does not say.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A name stands on a line of what is shown.
const NAME_CHARS_MAX: usize = 200;

const SUITE: Keys = Keys {
    known: &[
        key("workflow", Takes::Text, "the file of the workflow, from the folder of this one"),
        key("tests", Takes::Maps(&TEST), "the tests, each a run of its own"),
    ],
    ..Keys::of("a file of tests")
};

const TEST: Keys = Keys {
    known: &[
        key("name", Takes::Text, "what is tested, in a line"),
        key("input", Takes::Value, "the input of the run"),
        key("cassette", Takes::Text, "the cassette that answers, from the folder of this file"),
        key("answers", Takes::Maps(&ANSWER), "answers, as in a script"),
        key("fail", Takes::Map(&FAIL), "a failure that is injected, or a list of them"),
        key("crash_after", Takes::Id, "the step after whose completion the process is killed, or a list"),
        key("timeout", Takes::Duration, "how long the test may take"),
        key("expect", Takes::Map(&EXPECT), "what is to come of it"),
    ],
    ..Keys::of("a test")
};

const FAIL: Keys = Keys {
    known: &[
        key("step", Takes::Text, "the step that fails"),
        key("attempt", Takes::Count(u32::MAX), "the number of the attempt that fails; all without it"),
        key("purpose", Takes::Word(|| words(&PURPOSES)), "whether doing the step fails, or undoing it"),
        key("class", Takes::Word(|| words(&CLASSES)), "the class of the failure"),
        key("message", Takes::Text, "what went wrong"),
    ],
    ..Keys::of("`fail`")
};

const EXPECT: Keys = Keys {
    known: &[
        key("status", Takes::Word(|| words(&STATUSES)), "how the run ends, or rests"),
        key("output", Takes::Value, "the output of the run"),
        key("outputs", Takes::Value, "the outputs of steps, by their ids"),
        key("steps", Takes::TextsByName, "the statuses of steps, by their ids"),
        key("attempts", Takes::Value, "how many attempts at steps come to something, by their ids"),
        key("order", Takes::Texts, "steps that complete, in order"),
        key("compensations", Takes::Texts, "the steps that are undone, in order, and no others"),
        key("error", Takes::Text, "the code of the error with which the run fails"),
    ],
    ..Keys::of("`expect`")
};

const STATUSES: [(&str, RunStatus); 7] = [
    ("completed", RunStatus::Completed),
    ("failed", RunStatus::Failed),
    ("compensated", RunStatus::Compensated),
    ("cancelled", RunStatus::Cancelled),
    ("waiting", RunStatus::Waiting),
    ("paused", RunStatus::Paused),
    ("stuck", RunStatus::Stuck),
];

/// Every key that a test may have.
#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    [&TEST, &FAIL, &EXPECT].into_iter().flat_map(Keys::names)
}

/// Reads a file of tests. `file` is the name in problems.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn suite(text: &str, file: &str) -> Result<Suite, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = Tree::read(text, file).map_err(|problem| vec![problem])?;
    let mut report = Diagnostics::new(file, text);
    let read = whole(&mut report, &tree);
    match read {
        Some(suite) if report.problems.is_empty() => Ok(suite),
        _ => Err(report.problems),
    }
}

fn whole(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<Suite> {
    let fields = Fields::read(report, "a file of tests", &SUITE, tree)?;
    let workflow = wanted(report, &fields, "workflow", "a file of tests", tree)
        .and_then(|tree| report.text("workflow", tree).map(str::to_owned));
    let list = wanted(report, &fields, "tests", "a file of tests", tree)?;
    let items = report.list("tests", list)?;
    if items.is_empty() {
        report.refuse(list, Problem::new(Code::BadValue, "`tests` holds no test").hint("add one"));
    }
    let mut names = BTreeSet::new();
    let mut tests = Vec::new();
    for item in items {
        let Some(test) = test(report, item) else { continue };
        if !names.insert(test.name.clone()) {
            let message = format!("two tests are named `{}`", test.name);
            report.refuse(item, Problem::new(Code::BadValue, message).hint("give each a name of its own"));
        }
        tests.push(test);
    }
    Some(Suite { workflow: workflow?, tests })
}

/// The value of a key that must be there.
fn wanted<'t>(
    report: &mut Diagnostics<'_>,
    fields: &Fields<'t>,
    key: &str,
    of: &str,
    tree: &Tree,
) -> Option<&'t Tree> {
    let found = fields.get(key);
    if found.is_none() && !fields.refused_some() {
        let problem = Problem::new(Code::BadValue, format!("{of} without `{key}`"));
        report.refuse(tree, problem.hint(format!("say its `{key}`")));
    }
    found
}

fn test(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<WorkflowTest> {
    let fields = Fields::read(report, "a test", &TEST, tree)?;
    let name = wanted(report, &fields, "name", "a test", tree)
        .and_then(|tree| report.line("name", NAME_CHARS_MAX, tree).map(str::to_owned));
    let input = match fields.get("input") {
        Some(tree) => json(report, "input", tree),
        None => Some(Json::from(&serde_json::json!({}))),
    };
    let cassette = fields.get("cassette").and_then(|tree| report.text("cassette", tree)).map(str::to_owned);
    let mut names = Vec::new();
    let mut script: Vec<ScriptedAnswer> = Vec::new();
    for item in fields.get("fail").map(one_or_many).unwrap_or_default() {
        script.extend(failure(report, item, &mut names));
    }
    if let Some(answers) = fields.get("answers").and_then(|tree| report.list("answers", tree)) {
        script.extend(answers.iter().filter_map(|tree| answer(report, tree)));
    }
    let mut crash_after = Vec::new();
    for item in fields.get("crash_after").map(one_or_many).unwrap_or_default() {
        let Some(step) = report.text("crash_after", item) else { continue };
        crash_after.push(StepId::grown(step));
        names.push((step.to_owned(), report.place(item)));
    }
    let timeout = match fields.get("timeout") {
        Some(tree) => report.positive_duration("timeout", tree),
        None => Some(TIMEOUT),
    };
    let expected = wanted(report, &fields, "expect", "a test", tree)
        .and_then(|tree| expectation(report, tree, &mut names));
    Some(WorkflowTest {
        name: name?,
        at: report.place(tree),
        input: input?,
        cassette,
        script: Script(script),
        crash_after,
        timeout: timeout?,
        expected: expected?,
        names,
    })
}

/// The items of a list; what is none stands for itself.
fn one_or_many(tree: &Tree) -> Vec<&Tree> {
    match &tree.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![tree],
    }
}

fn failure(
    report: &mut Diagnostics<'_>,
    tree: &Tree,
    names: &mut Vec<(String, SourceLocation)>,
) -> Option<ScriptedAnswer> {
    let fields = Fields::read(report, "fail", &FAIL, tree)?;
    let place = wanted(report, &fields, "step", "`fail`", tree)?;
    let step = report.text("step", place)?.to_owned();
    // With a `*` in it, it is a pattern.
    if !step.contains(['*', '?']) {
        names.push((step.clone(), report.place(place)));
    }
    let attempt = fields.get("attempt").map(|tree| report.count_to("attempt", u32::MAX, tree));
    let purpose = fields.get("purpose").map(|tree| report.choice("purpose", &PURPOSES, tree));
    let class = fields.get("class").map(|tree| report.choice("class", &CLASSES, tree));
    let message = fields.get("message").map(|tree| report.text("message", tree).map(str::to_owned));
    let message = message.unwrap_or_else(|| Some("the test has it fail".to_owned()));
    let says = Says::Fail { class: class.unwrap_or(Some(Class::Transient))?, message: message? };
    let purpose = Some(purpose.unwrap_or(Some(Purpose::Do))?);
    let attempt = match attempt {
        Some(attempt) => Some(attempt?),
        None => None,
    };
    Some(ScriptedAnswer { step: Some(step), agent: None, attempt, purpose, prompt: None, delay_us: 0, says })
}

fn expectation(
    report: &mut Diagnostics<'_>,
    tree: &Tree,
    names: &mut Vec<(String, SourceLocation)>,
) -> Option<Expected> {
    let fields = Fields::read(report, "expect", &EXPECT, tree)?;
    let status = wanted(report, &fields, "status", "`expect`", tree)
        .and_then(|tree| report.choice("status", &STATUSES, tree));
    let output = fields.get("output").and_then(|tree| json(report, "output", tree));
    let outputs = by_step(report, &fields, "outputs", names, |report, tree| json(report, "outputs", tree));
    let steps = by_step(report, &fields, "steps", names, |report, tree| {
        report.text("steps", tree).map(str::to_owned)
    });
    let attempts = by_step(report, &fields, "attempts", names, |report, tree| {
        report.count_to("attempts", u32::MAX, tree)
    });
    let order = in_order(report, &fields, "order", names);
    let compensations = in_order(report, &fields, "compensations", names);
    let error = fields.get("error").and_then(|tree| report.text("error", tree)).map(str::to_owned);
    Some(Expected { status: status?, output, outputs, steps, attempts, order, compensations, error })
}

/// Values by the ids of steps.
fn by_step<T>(
    report: &mut Diagnostics<'_>,
    fields: &Fields<'_>,
    key: &str,
    names: &mut Vec<(String, SourceLocation)>,
    mut value: impl FnMut(&mut Diagnostics<'_>, &Tree) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(tree) = fields.get(key) else { return BTreeMap::new() };
    let Value::Map(entries) = &tree.value else {
        report.wants(key, "a map", tree);
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for (name, tree) in entries {
        let Some(step) = report.text(key, name).map(str::to_owned) else { continue };
        names.push((step.clone(), report.place(name)));
        found.extend(value(report, tree).map(|value| (step, value)));
    }
    found
}

/// A list of the ids of steps.
fn in_order(
    report: &mut Diagnostics<'_>,
    fields: &Fields<'_>,
    key: &str,
    names: &mut Vec<(String, SourceLocation)>,
) -> Option<Vec<String>> {
    let items = fields.get(key).and_then(|tree| report.list(key, tree))?;
    let mut steps = Vec::new();
    for item in items {
        let Some(step) = report.text(key, item).map(str::to_owned) else { continue };
        names.push((step.clone(), report.place(item)));
        steps.push(step);
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let read = suite(
            "workflow: w.yaml\ntests:\n  - name: all\n    input: {n: 1}\n    cassette: c.json\n    answers: [{step: a, output: 1}]\n    \
             fail: {step: b, attempt: 1, purpose: compensate, class: fatal, message: no}\n    crash_after: [a, 'b[0]']\n    timeout: 5s\n    \
             expect: {status: compensated, output: 1, outputs: {a: [1]}, steps: {a: completed}, attempts: {b: 2}, order: [a, b], compensations: [b], error: RE-3001}\n  \
             - {name: few, fail: [{step: a}], crash_after: a, expect: {status: waiting}}\n",
            "t.yaml",
        )
        .unwrap();
        let [all, few] = read.tests.as_slice() else { panic!("{read:?}") };
        assert_eq!((read.workflow.as_str(), all.name.as_str(), all.at.line), ("w.yaml", "all", 3));
        assert_eq!((all.input.text(), all.cassette.as_deref()), ("{\"n\":1}", Some("c.json")));
        let [failure, _] = all.script.0.as_slice() else { panic!("{all:?}") };
        assert_eq!((failure.attempt, failure.purpose), (Some(1), Some(Purpose::Compensate)));
        assert_eq!(failure.says, Says::Fail { class: Class::Fatal, message: "no".to_owned() });
        assert_eq!((all.crash_after.len(), all.timeout), (2, Duration::from_secs(5)));
        let expected = &all.expected;
        assert_eq!((expected.status, expected.attempts["b"]), (RunStatus::Compensated, 2));
        assert_eq!(
            (&expected.order, &expected.error),
            (&Some(vec!["a".into(), "b".into()]), &Some("RE-3001".into()))
        );
        let named: Vec<_> = all.names.iter().map(|(name, at)| (name.as_str(), at.line)).collect();
        let steps = [
            ("b", 7),
            ("a", 8),
            ("b[0]", 8),
            ("a", 10),
            ("a", 10),
            ("b", 10),
            ("a", 10),
            ("b", 10),
            ("b", 10),
        ];
        assert_eq!(named, steps);
        assert_eq!((few.script.0[0].attempt, few.script.0[0].purpose), (None, Some(Purpose::Do)));
        assert_eq!((few.timeout, few.expected.status), (TIMEOUT, RunStatus::Waiting));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, place, code) in [
            ("tests: []", (1, 1), Code::BadValue),
            ("workflow: w\ntests: []", (2, 8), Code::BadValue),
            ("workflow: w\ntests:\n  - {name: a, expect: {status: done}}", (3, 32), Code::BadValue),
            ("workflow: w\ntests:\n  - {name: a, expct: {status: failed}}", (3, 15), Code::UnknownKey),
            ("workflow: w\ntests:\n  - {name: a}", (3, 5), Code::BadValue),
            (
                "workflow: w\ntests:\n  - {name: a, fail: {attempt: 1}, expect: {status: failed}}",
                (3, 21),
                Code::BadValue,
            ),
            (
                "workflow: w\ntests:\n  - {name: a, timeout: soon, expect: {status: failed}}",
                (3, 24),
                Code::BadDuration,
            ),
            (
                "workflow: w\ntests:\n  - {name: a, expect: {status: failed}}\n  - {name: a, expect: {status: failed}}",
                (4, 5),
                Code::BadValue,
            ),
            ("workflow: w\ntests:\n  - {name: a", (3, 13), Code::NotYaml),
        ] {
            let problems = suite(text, "t.yaml").unwrap_err();
            let at = problems[0].at.as_ref().unwrap();
            assert_eq!(problems[0].code, code, "{text}: {problems:?}");
            if code != Code::NotYaml {
                assert_eq!((at.line, at.column), place, "{text}: {problems:?}");
            }
        }
    }
}
