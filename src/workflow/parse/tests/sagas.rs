//! What files lead to that say how steps are undone.

use std::time::Duration;

use super::bad::{check, check_steps, step};
use super::*;
use crate::events::run::{Because, UndoWhen};
use crate::workflow::definition::{Compensate, Does, Retry, RetryPolicy};

const WHOLE: &str = r#"
on_failure: stop
limits: {duration: 1h30m}
defaults: {timeout: 5m, retry: {policy: none}}
steps:
  - id: tag
    run: git tag v1
    compensate: {run: git tag -d v1}
  - id: publish
    agent: Publisher
    at_most_once: true
    compensate:
      agent: Un_Publisher
      with: {withdraw: "{{ output.version }}", tag: "{{ steps.tag.output }}"}
      prompt: It {{ outcome }} after {{ steps.publish.attempts }}.
      timeout: 30s
      retry: {initial: 10s, policy: fixed}
      when: attempted
  - id: announce
    run: mail
    irreversible: true
    retry: {}
"#;

/// The compensation of a step with `says` as its `compensate`.
fn compensation(says: &str) -> Compensate {
    let definition = good(&step(&format!("run: x\n    compensate: {says}")));
    definition.steps.first().unwrap().compensate.clone().unwrap()
}

#[test]
fn every_key_of_a_saga_is_read() {
    let parsed = read(WHOLE).unwrap();
    let definition = &parsed.definition;
    assert_eq!(definition.on_failure, OnFailure::Stop);
    assert_eq!(definition.limits.duration, Some(Duration::from_secs(5400)));
    let [tag, publish, announce] = &*definition.steps else { panic!() };

    let undo = tag.compensate.as_ref().unwrap();
    assert!(matches!(undo.does, Does::Run(_)));
    assert_eq!((undo.timeout, undo.when), (None, UndoWhen::Completed));
    let five = Retry { attempts: 5, ..Retry::default() };
    assert_eq!((undo.retry.policy, &undo.retry), (RetryPolicy::Exponential, &five));
    assert_eq!((tag.irreversible, tag.at_most_once), (false, false));

    let undo = publish.compensate.as_ref().unwrap();
    assert_eq!((undo.timeout, undo.when), (Some(Duration::from_secs(30)), UndoWhen::Attempted));
    let fixed = Retry { policy: RetryPolicy::Fixed, initial: Duration::from_secs(10), ..five };
    assert_eq!(undo.retry, fixed);
    assert!(publish.at_most_once && announce.irreversible && announce.compensate.is_none());

    assert_eq!(parsed.warnings, []);
    let again = Definition::from_json(definition.to_json().text()).unwrap();
    assert_eq!(&again, definition);
}

#[test]
fn a_workflow_rolls_back_unless_it_says_otherwise() {
    assert_eq!(good("steps: [{id: a, run: x}]").on_failure, OnFailure::Rollback);
    assert_eq!(good("on_failure: rollback\nsteps: [{id: a, run: x}]").on_failure, OnFailure::Rollback);
}

#[test]
fn a_step_may_say_that_it_has_nothing_to_undo() {
    let definition = good(&step("run: x\n    for_each: [1]\n    compensate: none"));
    let step = definition.steps.first().unwrap();
    assert_eq!((step.nothing_to_undo, &step.compensate, step.undo()), (true, &None, None));
    for because in [Because::Definition, Because::ForEach] {
        assert!(step.added(step.id.clone(), because).nothing_to_undo);
    }
    let again = Definition::from_json(definition.to_json().text()).unwrap();
    assert_eq!(again, definition);
}

#[test]
fn the_defaults_are_not_for_compensations() {
    let text = "defaults: {timeout: 1s, retry: {attempts: 2, jitter: 0}}\n";
    let definition = good(&format!("{text}{}", step("run: x\n    compensate: {run: y}")));
    let undo = definition.steps.first().unwrap().compensate.clone().unwrap();
    assert_eq!((undo.timeout, undo.retry), (None, Retry { attempts: 5, ..Retry::default() }));
}

#[test]
fn what_the_retry_of_a_compensation_leaves_out_is_filled_in() {
    for (says, policy, attempts) in [
        ("{}", RetryPolicy::Exponential, 5),
        ("{policy: linear}", RetryPolicy::Linear, 5),
        ("{policy: none}", RetryPolicy::None, 1),
        ("{attempts: 2}", RetryPolicy::Exponential, 2),
    ] {
        let retry = compensation(&format!("{{run: y, retry: {says}}}")).retry;
        assert_eq!((retry.policy, retry.attempts), (policy, attempts), "{says}");
    }
}

#[test]
fn a_retry_of_the_defaults_does_not_reach_a_step_that_starts_once() {
    let defaults = "defaults: {retry: {attempts: 4}}\n";
    let of = |rest: &str| good(&format!("{defaults}{}", step(rest))).steps.first().unwrap().retry.clone();
    assert_eq!(of("run: x\n    at_most_once: true"), None);
    assert_eq!(of("run: x\n    at_most_once: false").unwrap().attempts, 4);
    good(&step("run: x\n    at_most_once: false\n    retry: {}"));
}

#[test]
fn agents_of_compensations_are_named_with_their_places_and_get_their_own_spelling() {
    let mut parsed = read(WHOLE).unwrap();
    let named: Vec<_> = parsed.agents.iter().map(|named| (named.agent.as_str(), named.role)).collect();
    assert_eq!(named, [("Publisher", AgentRole::Does), ("Un_Publisher", AgentRole::Undoes)]);
    let at = &parsed.agents.last().unwrap().at;
    assert_eq!((at.line, at.column), (13, 14));

    let (publish, tag) = (StepId::parse("publish").unwrap(), StepId::parse("tag").unwrap());
    parsed.definition.set_agent(&publish, AgentRole::Undoes, &AgentName::new("unpublisher"));
    parsed.definition.set_agent(&tag, AgentRole::Undoes, &AgentName::new("nobody"));
    let step = parsed.definition.step(&publish).unwrap();
    assert_eq!(step.agent(), Some(AgentName::new("Publisher")));
    assert_eq!(step.undo().unwrap().agent.as_str(), "unpublisher");
    let shell = parsed.definition.step(&tag).unwrap().undo().unwrap().agent;
    assert_eq!(shell.as_str(), "shell", "a program stays one");
}

#[test]
fn compensations_that_are_not_what_they_must_be() {
    for (says, code, column, message, hint) in [
        ("", Code::BadValue, 15, "`compensate` has no value", "a map"),
        ("rm x", Code::BadValue, 17, "this is a text", "compensate: {run: …}"),
        ("None", Code::BadValue, 17, "this is a text", "or `compensate: none`"),
        ("[rm, x]", Code::BadValue, 17, "this is a list", "a map"),
        ("{}", Code::StepKind, 17, "compensation does nothing", "one of `run` and `agent`"),
        ("{timeout: 1s}", Code::StepKind, 17, "compensation does nothing", "one of `run` and `agent`"),
        ("{run: x, agent: y}", Code::StepKind, 26, "`run` and `agent`", "one of `run` and `agent`"),
        ("{sleep: 1s}", Code::Contradiction, 18, "`sleep` has no place in `compensate`", "undoes nothing"),
        ("{run: x, sleep: 1s}", Code::Contradiction, 26, "`sleep`", "undoes nothing"),
        ("{run: x, env: {A: b}}", Code::Contradiction, 26, "`env`", "in the step"),
        ("{run: x, cwd: y}", Code::Contradiction, 26, "`cwd`", "in the step"),
        ("{run: x, if: 'true'}", Code::Contradiction, 26, "`if`", "`when`"),
        ("{run: x, with: {}}", Code::Contradiction, 26, "this compensation has none", "take it out"),
        ("{run: x, wen: attempted}", Code::UnknownKey, 26, "`compensate` has no key `wen`", "`when`"),
        ("{run: x, zzzzzz: y}", Code::UnknownKey, 26, "`zzzzzz`", "its keys are `run`"),
        ("{run: x, cache: y}", Code::Contradiction, 26, "`cache` has no place", "each time"),
        ("{run: x, merge: y}", Code::NotBuilt, 26, "`merge` is not supported", ""),
        ("{run: x, files: [y]}", Code::NotBuilt, 26, "`files` is not supported", ""),
        ("{run: x, when: failed}", Code::BadValue, 32, "`completed`, `attempted`", "choose one of"),
        ("{run: x, when: complete}", Code::BadValue, 32, "not `complete`", "did you mean `completed`"),
        ("{run: x, timeout: 0s}", Code::BadValue, 35, "longer than zero", ""),
        ("{run: x, timeout: soon}", Code::BadDuration, 35, "`soon`", ""),
        ("{run: x, retry: 3}", Code::BadValue, 33, "a map", ""),
        ("{run: x, retry: {atempts: 3}}", Code::UnknownKey, 34, "`atempts`", "`attempts`"),
        ("{run: x, retry: {policy: none, attempts: 2}}", Code::Contradiction, 58, "one attempt", ""),
        ("{run: x, retry: {initial: 2m}}", Code::BadValue, 33, "shorter than `initial`", "raise `max`"),
        ("{run: ''}", Code::BadValue, 23, "`run` is empty", ""),
        ("{agent: Shell}", Code::BadValue, 25, "does steps with `run`", "`run:`"),
        ("{agent: ''}", Code::BadValue, 25, "`agent` is empty", ""),
        ("{run: \"rm '{{ output }}'\"}", Code::QuotedValue, 31, "in quotes", "raw"),
        ("{run: \"rm {{ output\"}", Code::BadExpression, 27, "not closed", ""),
        ("{run: {{ output }}}", Code::NotYaml, 24, "not in quotes", "quotes around"),
    ] {
        let rest = format!("run: x\n    compensate: {says}");
        check_steps(&[(&rest, code, 4, column, message, hint)]);
    }
}

#[test]
fn keys_of_a_saga_that_cannot_stand_together() {
    check_steps(&[
        (
            "run: x\n    at_most_once: true\n    retry: {}",
            Code::Contradiction,
            5,
            5,
            "`retry`",
            "one of them",
        ),
        ("sleep: 1s\n    irreversible: true", Code::Contradiction, 4, 5, "`irreversible` says nothing", ""),
        ("sleep: 1s\n    at_most_once: true", Code::Contradiction, 4, 5, "`at_most_once` says nothing", ""),
        ("sleep: 1s\n    compensate: {run: x}", Code::Contradiction, 4, 5, "`compensate` says nothing", ""),
        (
            "run: x\n    irreversible: true\n    compensate: {run: y}",
            Code::Contradiction,
            5,
            5,
            "would never be used",
            "when: attempted",
        ),
        (
            "run: x\n    irreversible: true\n    compensate: none",
            Code::Contradiction,
            5,
            17,
            "there is nothing to undo",
            "one of them",
        ),
        (
            "workflow: w.yaml\n    compensate: none",
            Code::Contradiction,
            4,
            17,
            "rolled back by itself",
            "of its steps",
        ),
        ("sleep: 1s\n    compensate: none", Code::Contradiction, 4, 5, "`compensate` says nothing", ""),
        ("run: x\n    irreversible: yes", Code::BadValue, 4, 19, "`true` or `false`", ""),
        ("run: x\n    at_most_once: 1", Code::BadValue, 4, 19, "`true` or `false`", ""),
        ("run: x\n    on_failure: stop", Code::Contradiction, 4, 5, "no place in a step", "`on_error`"),
    ]);
    good(&step("run: x\n    irreversible: true\n    compensate: {run: y, when: attempted}"));
    good(&step("run: x\n    irreversible: false\n    compensate: {run: y}"));
    good(&step("run: x\n    irreversible: true\n    at_most_once: true"));
    good(&format!("on_failure: stop\n{}", step("run: x\n    compensate: {run: y}")));
    let one = "steps: [{id: a, run: x}]";
    check(&[
        (&format!("on_failure: undo\n{one}"), Code::BadValue, 1, 13, "not `undo`", "`rollback`, `stop`"),
        (&format!("on_failure: rolback\n{one}"), Code::BadValue, 1, 13, "", "did you mean `rollback`"),
        (&format!("compensate: {{run: x}}\n{one}"), Code::Contradiction, 1, 1, "a workflow", "one step"),
        (
            &format!("defaults: {{compensate: {{run: x}}}}\n{one}"),
            Code::Contradiction,
            1,
            12,
            "`defaults`",
            "one step",
        ),
        (&format!("limits: {{duration: 0s}}\n{one}"), Code::BadValue, 1, 20, "longer than zero", ""),
        (&format!("limits: {{duration: 3}}\n{one}"), Code::BadDuration, 1, 20, "`3`", "10s"),
    ]);
}

/// Three steps in a row and one beside them; `b`, the one in the middle, is a fan-out with
/// this in its compensation.
fn undone_by(use_: &str) -> String {
    format!(
        "steps:\n  - {{id: a, run: x}}\n  - id: b\n    for_each: [1]\n    run: x\n    compensate:\n      run: y {use_}\n\
         \x20 - {{id: c, run: x}}\n  - {{id: d, run: x, needs: []}}\n"
    )
}

#[test]
fn a_compensation_names_what_its_step_may_name_and_the_step_itself() {
    for use_ in [
        "{{ output }} {{ outcome }}",
        "{{ output.x.y if outcome == 'completed' else '-' }}",
        "{{ steps.a.output }} {{ item }} {{ index }} {{ run.id }} {{ env.HOME }} {{ input.x }}",
        "{{ steps.b.output }} {{ steps.b.status }} {{ steps['b'].attempts }}",
    ] {
        good(&undone_by(use_));
    }
    check(&[
        (
            &undone_by("{{ steps.c.output }}"),
            Code::UnknownName,
            7,
            23,
            "when `b` is undone",
            "undone before it",
        ),
        (&undone_by("{{ steps.d.output }}"), Code::UnknownName, 7, 23, "when `b` is undone", "add `d`"),
        (&undone_by("{{ steps['b[0]'].output }}"), Code::UnknownName, 7, 23, "no other item", "`steps['b']`"),
        (&undone_by("{{ steps.b.outptu }}"), Code::UnknownName, 7, 25, "no `outptu`", "`output`"),
        (&undone_by("{{ steps.z.output }}"), Code::UnknownName, 7, 23, "no step `z`", ""),
        (&undone_by("{{ outcom }}"), Code::UnknownName, 7, 17, "`outcom` is not known", "`outcome`"),
        (&undone_by("{{ env.SECRET }}"), Code::UnknownName, 7, 21, "`env.SECRET`", ""),
    ]);
    check_steps(&[(
        "run: x\n    compensate: {run: 'y {{ item }}'}",
        Code::UnknownName,
        4,
        29,
        "`item`",
        "evaluated once",
    )]);
}

#[test]
fn output_and_outcome_are_known_in_compensations_only() {
    check_steps(&[
        ("run: x {{ output }}", Code::UnknownName, 3, 15, "only in a `compensate`", "`steps.ID`"),
        ("run: x\n    if: outcome == 'unknown'", Code::UnknownName, 4, 9, "only in a `compensate`", ""),
        (
            "run: x\n    env: {A: '{{ outcome }}'}\n    compensate: {run: y}",
            Code::UnknownName,
            4,
            18,
            "only in a `compensate`",
            "",
        ),
    ]);
    check(&[(
        "steps: [{id: a, run: x, compensate: {run: y}}]\noutput: '{{ output }}'",
        Code::UnknownName,
        2,
        13,
        "`output` is known only in a `compensate`",
        "`steps.ID`",
    )]);
}

#[test]
fn all_that_is_wrong_with_a_saga_is_told_at_once() {
    let text = "\
on_failure: undo
limits: {duration: soon}
steps:
  - id: a
    run: x {{ outcome }}
    compensate: {rnu: y}
  - id: b
    agent: p
    at_most_once: true
    retry: {}
    compensate:
      run: y {{ steps.c.output }}
      agent: q
      wen: attempted
      retry: {attempts: 0}
  - id: c
    sleep: 1s
    irreversible: true
";
    let problems = read(text).unwrap_err();
    let place = |problem: &Problem| problem.at.as_ref().map(|at| (at.line, at.column)).unwrap();
    let found: Vec<_> = problems.iter().map(|problem| (place(problem), problem.code)).collect();
    assert_eq!(
        found,
        [
            ((1, 13), Code::BadValue),
            ((2, 20), Code::BadDuration),
            ((5, 15), Code::UnknownName),
            ((6, 18), Code::UnknownKey),
            ((10, 5), Code::Contradiction),
            ((13, 7), Code::StepKind),
            ((14, 7), Code::UnknownKey),
            ((15, 25), Code::BadValue),
            ((18, 5), Code::Contradiction),
        ],
        "{problems:#?}"
    );
}
