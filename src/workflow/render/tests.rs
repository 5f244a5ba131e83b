use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::events::ids::{RunId, StepId};
use crate::events::run::Undoes;
use crate::workflow::parse::{Known, parse};
use crate::workflow::scope::{StepReferences, StepView, Undone};

fn id(text: &str) -> StepId {
    StepId::parse(text).unwrap()
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// The last step of a workflow.
fn last(file: &str) -> Step {
    parse(file, "w.yaml", &Known::default()).unwrap().definition.steps.last().unwrap().as_ref().clone()
}

/// The scope of a compensation of `copy`, which completed with that output; without one
/// its outcome is unknown.
fn scope(step: &str, output: Option<&str>) -> Scope {
    let outcome = if output.is_some() { Undoes::Completed } else { Undoes::Unknown };
    let view = StepView { status: "compensating", attempts: 3, output: output.map(json) };
    let made = StepView { status: "completed", attempts: 1, output: Some(json("\"it's\"")) };
    Scope {
        input: json(r#"{"to":"a b"}"#),
        run: RunId::parse("r1").unwrap(),
        env: BTreeMap::new(),
        steps: BTreeMap::from([(id("make"), made)]),
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: None,
        round: None,
        answer: None,
        undone: Some(Undone { step: id(step), outcome, view }),
    }
}

const COPY: &str = r#"
steps:
  - {id: make, run: x}
  - id: copy
    run: cp {{ steps.make.output }} {{ input.to }}
    env: {TO: "{{ input.to }}"}
    cwd: "{{ run.id }}"
    compensate:
      run: rm {{ output.file if outcome == 'completed' else input.to }} {{ outcome | raw }}
"#;

#[test]
fn a_compensation_sees_what_it_undoes_and_has_the_environment_of_its_step() {
    let copy = last(COPY);
    let done = copy.compensation(&scope("copy", Some(r#"{"file":"a;b"}"#))).unwrap();
    assert_eq!(done.run, Some(Command::Shell("rm 'a;b' completed".to_owned())));
    assert_eq!(done.env, BTreeMap::from([("TO".to_owned(), "a b".to_owned())]));
    assert_eq!(done.cwd.as_deref(), Some("r1"));
    let unknown = copy.compensation(&scope("copy", None)).unwrap();
    assert_eq!(unknown.run, Some(Command::Shell("rm 'a b' unknown".to_owned())));
    let forward = copy.work(&Scope { undone: None, ..scope("copy", None) }).unwrap();
    assert_eq!(forward.run, Some(Command::Shell("cp 'it'\\''s' 'a b'".to_owned())));
}

#[test]
fn an_agent_that_undoes_gets_its_own_arguments_and_words() {
    let step = last(
        r#"
steps:
  - id: copy
    agent: copier
    with: forward
    prompt: Copy.
    compensate: {agent: remover, with: {was: "{{ output }}", same: "{{ steps.copy.output }}"}, prompt: "It {{ outcome }}"}
"#,
    );
    let done = step.compensation(&scope("copy", Some(r#"{"n":123456789012345678901234567890}"#))).unwrap();
    let big = r#"{"n":123456789012345678901234567890}"#;
    assert_eq!(done.with.text(), format!(r#"{{"was":{big},"same":{big}}}"#));
    assert_eq!((done.prompt.as_deref(), done.run), (Some("It completed"), None));
}

#[test]
fn what_is_not_known_of_an_attempt_is_null_or_can_be_asked_for() {
    let of = |use_: &str| {
        let file = format!(
            "steps:\n  - id: copy\n    agent: a\n    compensate: {{agent: b, with: [\"{{{{ {use_} }}}}\"]}}\n"
        );
        last(&file).compensation(&scope("copy", None)).map(|work| work.with.text().to_owned())
    };
    assert_eq!(of("output").as_deref(), Ok("[null]"));
    assert_eq!(of("steps.copy.output is defined").as_deref(), Ok("[false]"));
    assert_eq!(of("steps.copy.attempts").as_deref(), Ok("[3]"));
    assert_eq!(of("steps.copy.output"), Err(RenderError::NoOutput(id("copy"))));
    assert!(matches!(of("output.file"), Err(RenderError::Failed(_))));
    assert_eq!(of("output.file if outcome == 'completed' else 'none'").as_deref(), Ok("[\"none\"]"));
}

#[test]
fn an_answer_is_not_relied_on_where_the_outcome_is_unknown() {
    let step = last("steps: [{id: copy, run: x, compensate: {run: ['{{ output }}', '{{ outcome }}']}}]");
    let mut scope = scope("copy", Some("\"half\""));
    scope.undone.as_mut().unwrap().outcome = Undoes::Unknown;
    let words = ["null", "unknown"].map(str::to_owned).to_vec();
    assert_eq!(step.compensation(&scope).unwrap().run, Some(Command::List(words)));
}

#[test]
fn the_compensation_of_an_item_sees_that_item_and_its_own_step() {
    let step = last(
        r#"
steps:
  - id: copy
    for_each: [x, y]
    run: cp {{ item }}
    compensate: {run: ["rm", "{{ item }}{{ index }}", "{{ steps.copy.output }}", "{{ output }}"]}
"#,
    );
    let item = Scope { item: Some((1, json("\"y\""))), ..scope("copy", Some("\"own\"")) };
    let words = ["rm", "y1", "own", "own"].map(str::to_owned).to_vec();
    assert_eq!(step.compensation(&item).unwrap().run, Some(Command::List(words)));
}

#[test]
fn a_compensation_asks_for_what_it_and_the_environment_use_but_not_for_its_own_step() {
    let of = |compensate: &str| {
        let file = format!(
            "steps:\n  - {{id: make, run: x}}\n  - {{id: far, run: x}}\n  - id: copy\n    run: x {{{{ steps.far.output }}}}\n    \
             env: {{A: '{{{{ steps.make.output }}}}'}}\n    compensate: {{run: '{compensate}'}}\n"
        );
        last(&file).compensation_references()
    };
    let make = StepReferences::These(BTreeSet::from([id("make")]));
    assert_eq!(of("y {{ steps.copy.output }} {{ output }}").steps, make);
    assert_eq!(of("y {{ steps.far.output }}").steps, StepReferences::These([id("far"), id("make")].into()));
    assert_eq!(of("y {{ steps | length }}").steps, StepReferences::All);
    assert!(of("y {{ input.x }}").input && !of("y").input);
    let copy = last(COPY);
    assert_eq!(copy.references().steps, make, "going forward asks for nothing of the compensation");
}

#[test]
fn a_step_without_a_compensation_has_nothing_to_render() {
    let step = last("steps: [{id: copy, run: x}]");
    assert_eq!(step.compensation_references(), References::default());
    assert!(step.compensation(&scope("copy", None)).is_err());
}
