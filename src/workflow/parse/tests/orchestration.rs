//! What files lead to that have gates, signals, loops, children, fallbacks and phases.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bad::{check, check_steps, step};
use super::*;
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::events::run::{Gate, UndoWhen};
use crate::workflow::definition::{
    Approval, Criticality, Does, Fallback, OnError, Repeat, StepOutput, WORKFLOW_AGENT,
};
use crate::workflow::scope::Scope;

const WHOLE: &str = r#"
defaults: {timeout: 5m, retry: {attempts: 4}, env: {LEVEL: 1}}
steps:
  - id: review
    phase: build
    agent: Reviewer
    prompt: Look at it.
    fallback: {agent: Other_Reviewer, prompt_suffix: " Be brief."}
    criticality: critical
    optional: true
    schema: {type: object, required: [verdict]}
  - id: publish
    phase: build
    run: make publish
    approve: before
    approvers: [ada, " bob "]
    approvals: 2
    expires: 2h
    checklist: [The tests passed, Nobody is on holiday]
    require_checklist: true
  - id: go
    wait_for: go ahead
    timeout: 1h
    approve: after
  - id: poll
    run: probe
    repeat: {until: "output.ready or round >= 3", max: 5}
  - id: deploy
    workflow: sub/deploy.yaml
    with: {to: "{{ steps.go.output }}"}
    retry: {}
    schema: {type: object}
"#;

fn first(rest: &str) -> Step {
    good(&step(rest)).steps.first().unwrap().as_ref().clone()
}

#[test]
fn every_key_of_orchestration_is_read() {
    let parsed = read(WHOLE).unwrap();
    let [review, publish, go, poll, deploy] = &*parsed.definition.steps else { panic!() };

    let suffix = Some(" Be brief.".to_owned());
    let fallback = Fallback { agent: AgentName::new("Other_Reviewer"), prompt_suffix: suffix, attempts: 2 };
    assert_eq!((&review.fallback, review.criticality), (&Some(fallback), Some(Criticality::Critical)));
    assert_eq!((review.on_error, review.phase.as_deref()), (OnError::RetryThenSkip, Some("build")));
    assert_eq!(review.schema, Some(serde_json::json!({"type": "object", "required": ["verdict"]})));

    assert_eq!(
        publish.approval,
        Some(Approval {
            gate: Gate::Before,
            approvers: vec!["ada".to_owned(), "bob".to_owned()],
            needed: 2,
            expires: Some(Duration::from_secs(7200)),
            checklist: vec!["The tests passed".to_owned(), "Nobody is on holiday".to_owned()],
            require_checklist: true,
        })
    );

    assert_eq!(go.does, Does::WaitFor("go ahead".to_owned()));
    let open = Approval {
        gate: Gate::After,
        approvers: vec![],
        needed: 1,
        expires: None,
        checklist: vec![],
        require_checklist: false,
    };
    assert_eq!((go.timeout, &go.approval), (Some(Duration::from_secs(3600)), &Some(open)));
    assert_eq!((&go.retry, go.env.len(), go.agent()), (&None, 0, None));

    let Repeat { until, max } = poll.repeat.as_ref().unwrap();
    assert_eq!((until.source(), *max), ("output.ready or round >= 3", 5));

    assert!(matches!(&deploy.does, Does::Workflow { file, with: Some(_) } if file == "sub/deploy.yaml"));
    assert_eq!(deploy.retry.as_ref().unwrap().attempts, 4);
    assert_eq!((deploy.env.len(), deploy.agent().unwrap().as_str()), (0, WORKFLOW_AGENT));

    let named: Vec<_> = parsed.agents.iter().map(|named| (named.agent.as_str(), named.role)).collect();
    assert_eq!(named, [("Reviewer", AgentRole::Does), ("Other_Reviewer", AgentRole::FallsBack)]);
    let [NamedChild { file, step, at }] = parsed.children.as_slice() else { panic!() };
    assert_eq!((file.as_str(), step.as_str(), at.line, at.column), ("sub/deploy.yaml", "deploy", 29, 15));
    assert_eq!(parsed.warnings, []);
    let again = Definition::from_json(parsed.definition.to_json().text()).unwrap();
    assert_eq!(again, parsed.definition);
}

#[test]
fn a_wait_gets_no_timeout_from_the_defaults() {
    let defaults = "defaults: {timeout: 1s, retry: {}, env: {A: b}}\n";
    let definition = good(&format!("{defaults}{}", step("wait_for: go")));
    let wait = definition.steps.first().unwrap();
    assert_eq!((wait.timeout, &wait.retry, wait.env.len()), (None, &None, 0));
}

#[test]
fn optional_says_in_one_word_what_on_error_says_in_many() {
    let of = |defaults: &str, says: &str| {
        let text = format!("defaults: {{on_error: {defaults}}}\n{}", step(&format!("run: x\n    {says}")));
        good(&text).steps.first().unwrap().on_error
    };
    assert_eq!(of("fail_fast", "optional: true"), OnError::RetryThenSkip);
    assert_eq!(of("fail_fast", "optional: false"), OnError::FailFast);
    assert_eq!(of("continue", "optional: false"), OnError::RetryThenFail);
    assert_eq!(of("continue", "optional: true\n    on_error: retry_then_skip"), OnError::RetryThenSkip);
    let message = "`optional: true` is `on_error: retry_then_skip`";
    check_steps(&[
        ("run: x\n    on_error: continue\n    optional: true", Code::Contradiction, 5, 5, message, ""),
        (
            "run: x\n    on_error: retry_then_skip\n    optional: false",
            Code::Contradiction,
            5,
            5,
            "tolerates a failure",
            "",
        ),
        ("run: x\n    on_error: skip\n    optional: true", Code::BadValue, 4, 15, "not `skip`", ""),
        ("run: x\n    optional: 1", Code::BadValue, 4, 15, "`true` or `false`", ""),
    ]);
}

#[test]
fn stand_ins_that_cannot_be() {
    let fallback = |rest: &str| format!("agent: p\n    fallback: {rest}");
    check_steps(&[
        (&fallback("q"), Code::BadValue, 4, 15, "this is a text", "fallback: {agent: q}"),
        (&fallback("[q]"), Code::BadValue, 4, 15, "a map", ""),
        (&fallback("{}"), Code::BadValue, 4, 15, "names no `agent`", "agent: NAME"),
        (&fallback("{agnt: q}"), Code::UnknownKey, 4, 16, "`agnt`", "`agent`"),
        (&fallback("{agent: ''}"), Code::BadValue, 4, 23, "`agent` is empty", ""),
        (&fallback("{agent: Shell}"), Code::BadValue, 4, 23, "does steps with `run`", "another agent"),
        (&fallback("{agent: workflow}"), Code::BadValue, 4, 23, "does steps with `workflow`", "another"),
        (
            &fallback("{agent: q, retry: {}}"),
            Code::Contradiction,
            4,
            26,
            "`retry` has no place",
            "in the step",
        ),
        (&fallback("{agent: q, prompt: x}"), Code::Contradiction, 4, 26, "`prompt`", "prompt_suffix"),
        (
            "run: x\n    fallback: {agent: q}",
            Code::Contradiction,
            4,
            5,
            "a step with an `agent`",
            "take it out",
        ),
        (
            "agent: p\n    at_most_once: true\n    fallback: {agent: q}",
            Code::Contradiction,
            5,
            5,
            "start it again",
            "one of them",
        ),
        ("run: x\n    criticality: urgent", Code::BadValue, 4, 18, "not `urgent`", "`critical`"),
    ]);
}

#[test]
fn gates_that_nobody_could_open() {
    let gate = |rest: &str| format!("run: x\n    approve: before\n    {rest}");
    check_steps(&[
        ("run: x\n    approve: yes", Code::BadValue, 4, 14, "`before`, `after`", ""),
        ("run: x\n    approvers: [a]", Code::Contradiction, 4, 5, "without `approve`", "approve: before"),
        ("run: x\n    approvals: 2", Code::Contradiction, 4, 5, "without `approve`", ""),
        ("run: x\n    expires: 1h", Code::Contradiction, 4, 5, "without `approve`", ""),
        ("run: x\n    checklist: [a]", Code::Contradiction, 4, 5, "without `approve`", ""),
        ("run: x\n    require_checklist: true", Code::Contradiction, 4, 5, "without `approve`", ""),
        (&gate("approvers: ada"), Code::BadValue, 5, 16, "this is a text", "approvers: [ada]"),
        (&gate("approvers: []"), Code::BadValue, 5, 16, "names nobody", "anybody"),
        (&gate("approvers: [ada, bob, ada]"), Code::Contradiction, 5, 27, "`ada` stands twice", ""),
        (&gate("approvers: ['']"), Code::BadValue, 5, 17, "empty", ""),
        (&gate("approvers: [\"a\\nb\"]"), Code::BadValue, 5, 17, "on one line", ""),
        (&gate("approvals: 0"), Code::BadValue, 5, 16, "from 1 to 100", ""),
        (&gate("approvals: -1"), Code::BadValue, 5, 16, "from 1 to 100", ""),
        (&gate("approvals: 4000000000"), Code::BadValue, 5, 16, "from 1 to 100", ""),
        (
            &gate("approvals: 3\n    approvers: [ada, bob]"),
            Code::Contradiction,
            5,
            16,
            "never be reached: there are 2",
            "fewer",
        ),
        (&gate("expires: 0s"), Code::BadValue, 5, 14, "longer than zero", ""),
        (&gate("expires: -1h"), Code::BadDuration, 5, 14, "`-1h`", ""),
        (&gate("require_checklist: look"), Code::BadValue, 5, 24, "`true` or `false`", ""),
        (&gate("checklist: look"), Code::BadValue, 5, 16, "a list", ""),
        (&gate("checklist: [[x]]"), Code::BadValue, 5, 17, "a text", ""),
    ]);
    let names = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>().join(", ");
    assert_eq!(only(&step(&gate(&format!("approvers: [{}]", names(101))))).code, Code::TooLarge);
    assert_eq!(only(&step(&gate(&format!("checklist: [{}]", names(101))))).code, Code::TooLarge);
    assert_eq!(only(&step(&gate(&format!("checklist: [{}]", "x".repeat(501))))).code, Code::BadValue);
    first(&gate("approvals: 100"));
}

#[test]
fn signals_are_named_and_nothing_else_is_done_there() {
    let long = "n".repeat(65);
    check_steps(&[
        ("wait_for: ''", Code::BadValue, 3, 15, "empty", ""),
        ("wait_for: {a: b}", Code::BadValue, 3, 15, "a text", ""),
        (&format!("wait_for: {long}"), Code::BadValue, 3, 15, "at most 64 characters", ""),
        ("wait_for: \"{{ input.x }}\"", Code::BadValue, 3, 15, "as it is", "before a run starts"),
        (
            "wait_for: go\n    run: x",
            Code::StepKind,
            3,
            5,
            "`run` and `wait_for`",
            "`wait_for` and `workflow`",
        ),
        ("wait_for: go\n    timeout: 0s", Code::BadValue, 4, 14, "longer than zero", ""),
        ("wait_for: go\n    with: {}", Code::Contradiction, 4, 5, "an `agent` or a `workflow`", ""),
    ]);
    for key in
        ["retry: {}", "env: {A: b}", "cwd: x", "schema: {}", "compensate: {run: y}", "irreversible: true"]
    {
        for kind in ["wait_for: go", "sleep: 1s"] {
            let text = format!("{kind}\n    {key}");
            check_steps(&[(&text, Code::Contradiction, 4, 5, "makes no attempts", "take it out")]);
        }
    }
}

#[test]
fn loops_that_never_end_or_never_begin() {
    let repeat = |rest: &str| format!("run: x\n    repeat: {rest}");
    let both = "{until: 'true', max: 2}";
    check_steps(&[
        (&repeat("3"), Code::BadValue, 4, 13, "a map", ""),
        (&repeat("{until: 'true'}"), Code::BadValue, 4, 13, "no `max`", "max: 10"),
        (&repeat("{max: 3}"), Code::BadValue, 4, 13, "no `until`", "until: "),
        (&repeat("{untill: 'true', max: 3}"), Code::UnknownKey, 4, 14, "`untill`", "`until`"),
        (&repeat("{until: 'true', max: 0}"), Code::BadValue, 4, 34, "from 1 to 10000", ""),
        (&repeat("{until: 'true', max: -1}"), Code::BadValue, 4, 34, "from 1 to 10000", ""),
        (&repeat("{until: 'true', max: 10001}"), Code::BadValue, 4, 34, "from 1 to 10000", ""),
        (&repeat("{until: 'true', max: 1e99}"), Code::BadValue, 4, 34, "from 1 to 10000", ""),
        (&repeat("{until: 1 +, max: 3}"), Code::BadExpression, 4, 21, "`until`", ""),
        (
            &format!("for_each: [1]\n    run: x\n    repeat: {both}"),
            Code::Contradiction,
            5,
            5,
            "`for_each`",
            "workflow of its own",
        ),
        (&format!("sleep: 1s\n    repeat: {both}"), Code::Contradiction, 4, 5, "`sleep`", ""),
        (&format!("wait_for: go\n    repeat: {both}"), Code::Contradiction, 4, 5, "`wait_for`", ""),
    ]);
}

#[test]
fn what_a_round_answered_is_known_in_until_only() {
    first(
        "run: x\n    repeat: {until: \"output.ok and round > 1 and input.x and run.id and env.HOME\", max: 2}",
    );
    good(
        "steps:\n  - {id: a, run: x}\n  - {id: b, run: y, repeat: {until: steps.a.output == output, max: 2}}\n",
    );
    good(
        "steps:\n  - {id: a, run: x, repeat: {until: output, max: 2}}\n  - {id: b, run: \"{{ steps['a#1'].output }}\"}\n",
    );
    check_steps(&[
        ("run: x {{ round }}", Code::UnknownName, 3, 15, "only in an `until`", "from 1"),
        (
            "run: x {{ output }}\n    repeat: {until: output, max: 2}",
            Code::UnknownName,
            3,
            15,
            "a `compensate` and an `until`",
            "",
        ),
        (
            "run: x\n    repeat: {until: outcome, max: 2}",
            Code::UnknownName,
            4,
            21,
            "`outcome` is known only in a `compensate`",
            "",
        ),
        ("run: x\n    repeat: {until: item, max: 2}", Code::UnknownName, 4, 21, "`for_each`", ""),
        (
            "run: x\n    repeat: {until: steps.a.output, max: 2}",
            Code::UnknownName,
            4,
            27,
            "yet to do itself",
            "is `output`",
        ),
    ]);
    check(&[(
        "steps:\n  - {id: a, run: x}\n  - {id: b, run: \"{{ steps['a#1'].output }}\"}\n",
        Code::UnknownName,
        3,
        28,
        "no step `a#1`",
        "",
    )]);
}

#[test]
fn a_loop_ends_with_the_round_after_which_its_until_is_true() {
    let step = first("run: x\n    repeat: {until: output.ready and round >= input.least, max: 9}");
    let repeat = step.repeat.unwrap();
    let scope = Scope {
        input: Json::parse(r#"{"least":2}"#).unwrap(),
        run: RunId::parse("r1").unwrap(),
        env: BTreeMap::new(),
        steps: BTreeMap::new(),
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: None,
        round: None,
        answer: None,
        undone: None,
    };
    let over = |round, output| {
        let round = Some((round, Json::parse(output).unwrap()));
        repeat.until.is_true(&Scope { round, ..scope.clone() })
    };
    assert_eq!(over(1, r#"{"ready":true}"#), Ok(false));
    assert_eq!(over(2, r#"{"ready":false}"#), Ok(false));
    assert_eq!(over(2, r#"{"ready":true}"#), Ok(true));
    assert!(over(2, "{}").is_err());
}

#[test]
fn children_are_named_by_files() {
    check_steps(&[
        ("workflow: ''", Code::BadValue, 3, 15, "empty", ""),
        ("workflow: [x]", Code::BadValue, 3, 15, "a text", ""),
        ("workflow: '{{ input.file }}'", Code::BadValue, 3, 15, "as it is", ""),
        ("workflow: c.yaml\n    agent: p", Code::StepKind, 3, 5, "`agent` and `workflow`", ""),
        ("workflow: c.yaml\n    prompt: x", Code::Contradiction, 4, 5, "`prompt` is for an `agent`", ""),
        ("workflow: c.yaml\n    env: {A: b}", Code::Contradiction, 4, 5, "have their own", ""),
        ("workflow: c.yaml\n    cwd: x", Code::Contradiction, 4, 5, "have their own", ""),
        ("agent: Workflow", Code::BadValue, 3, 12, "does steps with `workflow`", "write `workflow:`"),
        ("run: x\n    compensate: {workflow: c.yaml}", Code::Contradiction, 4, 18, "`workflow`", "by itself"),
        ("run: x\n    compensate: {agent: workflow}", Code::BadValue, 4, 25, "`workflow`", "another agent"),
    ]);
    let mut definition = good(&step("workflow: c.yaml"));
    let id = StepId::parse("a").unwrap();
    definition.set_child(&id, "/w/c.yaml");
    assert_eq!(definition.step(&id).unwrap().does, Does::Workflow { file: "/w/c.yaml".into(), with: None });
}

#[test]
fn a_child_run_is_rolled_back_unless_the_step_says_how_else() {
    let undo = first("workflow: c.yaml").undo().unwrap();
    assert_eq!((undo.agent.as_str(), undo.when), (WORKFLOW_AGENT, UndoWhen::Attempted));
    let step = first("workflow: c.yaml\n    env: {A: b}\n    compensate: {run: y}");
    assert_eq!((step.undo().unwrap().agent.as_str(), step.env.len()), ("shell", 1));
}

#[test]
fn outputs_are_checked_against_schemas_that_can_be_used() {
    check_steps(&[
        ("run: x\n    schema: {type: strin}", Code::BadSchema, 4, 13, "`schema` is no JSON Schema", ""),
        ("run: x\n    schema: object", Code::BadValue, 4, 13, "a JSON Schema", ""),
        ("run: x\n    schema: {$ref: 'http://x.invalid/'}", Code::BadSchema, 4, 13, "", ""),
    ]);
}

#[test]
fn phases_are_names_that_can_be_typed() {
    check_steps(&[
        ("run: x\n    phase: ''", Code::BadValue, 4, 12, "empty", ""),
        ("run: x\n    phase: \"a\\tb\"", Code::BadValue, 4, 12, "control characters", ""),
        (&format!("run: x\n    phase: {}", "ä".repeat(65)), Code::BadValue, 4, 12, "at most 64", ""),
        ("run: x\n    phase: [a]", Code::BadValue, 4, 12, "a text", ""),
    ]);
    assert_eq!(first(&format!("run: x\n    phase: {}", "ä".repeat(64))).phase.unwrap().chars().count(), 64);
    let text = "steps:\n  - {id: a, run: x, phase: b}\n  - {id: b, run: x, phase: b}\n";
    let warnings = read(text).unwrap().warnings;
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let at = warning.at.as_ref().unwrap();
    assert_eq!((warning.message.as_str(), at.line, at.column), ("the phase `b` is named like a step", 2, 28));
}

#[test]
fn keys_of_a_step_that_stand_beside_the_steps_are_sent_there() {
    for key in ["approve: before", "fallback: {agent: a}", "optional: true", "phase: a", "repeat: {}"] {
        let problem = only(&format!("{key}\nsteps: [{{id: a, run: x}}]"));
        assert_eq!(
            (problem.code, problem.remedies.plain().contains("write it there")),
            (Code::Contradiction, true)
        );
    }
}

const PHASED: &str =
    "steps:\n  - {id: a, run: x, phase: build}\n  - {id: b, run: x}\n  - {id: c, run: x, phase: ship}\n";

#[test]
fn people_can_be_asked_about_whole_phases() {
    let text = format!(
        "phases:\n  build: {{approve: after, approvers: [ada, bob], approvals: 2, expires: 2h, checklist: [Look]}}\n  ship: {{approve: before}}\n{PHASED}"
    );
    let definition = good(&text);
    let build = &definition.phases["build"].approval;
    assert_eq!((build.gate, build.needed, build.expires), (Gate::After, 2, Some(Duration::from_secs(7_200))));
    assert_eq!((build.approvers.len(), build.checklist.len()), (2, 1));
    assert_eq!(definition.phases["ship"].approval.gate, Gate::Before);
    assert_eq!(definition.steps.len(), 3, "what asks is no step of the file");
    assert_eq!(Definition::from_json(definition.to_json().text()).unwrap(), definition);
    assert!(!good(PHASED).to_json().text().contains("phases"), "definitions without them are as ever");
}

#[test]
fn what_is_wrong_with_a_phase_is_told_where_it_stands() {
    let check = |phases: &str, code, line, column, message, hint| {
        check(&[(&format!("phases:\n  {phases}\n{PHASED}"), code, line, column, message, hint)]);
    };
    check("biuld: {approve: after}", Code::UnknownPhase, 2, 3, "`biuld`", "`build`");
    check("build: {aprove: after}", Code::UnknownKey, 2, 11, "`aprove`", "`approve`");
    check(
        "build: {approve: after, on_error: continue}",
        Code::Contradiction,
        2,
        27,
        "`on_error`",
        "one step",
    );
    check("build: {approve: sometimes}", Code::BadValue, 2, 20, "sometimes", "");
    check("build: {expires: 1h}", Code::Contradiction, 2, 11, "`expires` says nothing", "approve");
    check("build: {approve: after, approvals: 3, approvers: [a]}", Code::Contradiction, 2, 38, "never", "");
    check("build: {}", Code::BadValue, 2, 3, "nothing is said", "approve");
    check("build:", Code::BadValue, 2, 3, "nothing is said", "approve");
    check("build: after", Code::BadValue, 2, 10, "`a phase`", "");
    check("[build]", Code::BadValue, 2, 3, "`phases`", "");

    // `b` waits for the approval of the phase, which waits for `c`, which needs `b`.
    let circle = "phases: {build: {approve: after}}\nsteps:\n  - {id: a, run: x, phase: build}\n  - {id: b, run: x}\n  - {id: c, run: x, phase: build}\n";
    super::bad::check(&[(circle, Code::PhaseCircle, 1, 10, "the approval of `build`", "belong")]);
    let before = circle.replace("after", "before");
    assert!(read(&before).is_ok(), "before a phase nothing inside of it is awaited");
}

#[test]
fn who_asks_about_a_step_and_about_its_phase_is_told_that_both_are_asked() {
    let text =
        "phases: {build: {approve: after}}\nsteps:\n  - {id: a, run: x, phase: build, approve: after}\n";
    let warnings = read(text).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].message.contains("the step first"), "{warnings:?}");
    assert!(
        read(&text.replacen("after", "before", 1)).unwrap().warnings.is_empty(),
        "these are two questions"
    );
}

#[test]
fn an_output_is_an_expression_or_is_made_of_some() {
    let made = |rest: &str| first(&format!("run: x\n    output: {rest}")).output;
    let Some(StepOutput::Of(expression)) = made("output.stdout | fromjson") else { panic!() };
    assert_eq!(expression.source(), "output.stdout | fromjson");
    let Some(StepOutput::Of(expression)) = made("\"{{ output.n }}\"") else { panic!() };
    assert_eq!(expression.source(), "output.n");
    assert!(matches!(made("{n: '{{ output.n }}', input: '{{ input.x }}'}"), Some(StepOutput::Made(_))));
    let step =
        first("for_each: [1]\n    run: x\n    output: [\"{{ item }}\", \"{{ index }}\", \"{{ output }}\"]");
    let read: Step = serde_json::from_str(&serde_json::to_string(&step).unwrap()).unwrap();
    assert_eq!(read, step);
    check_steps(&[
        ("run: x\n    output: 3", Code::BadValue, 4, 13, "`output` takes an expression", ""),
        ("run: x\n    output: steps.a.output", Code::UnknownName, 4, 19, "has yet to do itself", "`output`"),
        ("run: x\n    output: round", Code::UnknownName, 4, 13, "`round`", ""),
        ("run: x\n    output: outptu.n", Code::UnknownName, 4, 13, "`outptu`", "`output`"),
        ("run: \"{{ output }}\"", Code::UnknownName, 3, 14, "`output` is known only in", ""),
        ("sleep: 1s\n    output: output", Code::Contradiction, 4, 5, "`sleep` makes no attempts", ""),
        ("wait_for: x\n    output: output", Code::Contradiction, 4, 5, "`wait_for` makes no attempts", ""),
    ]);
}
