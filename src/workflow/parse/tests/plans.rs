//! The results of parsing plans: steps, or the first problem with its path.

use proptest::prelude::*;

use super::*;
use crate::events::json::Json;
use crate::workflow::definition::{Does, Fallback};

fn planned(text: &str) -> Result<(Definition, Vec<NamedAgent>), Problem> {
    let steps = |id: &str| matches!(id, "plan" | "build" | "copy[0]" | "poll#1" | "plan/earlier");
    plan(
        text,
        &PlanScope {
            env: &["HOME".to_owned()],
            fallback_attempts: 3,
            contexts: &std::collections::BTreeMap::new(),
            steps: &steps,
        },
    )
}

#[track_caller]
fn joins(text: &str) -> Definition {
    planned(text).unwrap_or_else(|problem| panic!("{text}\n{problem:?}")).0
}

#[test]
fn a_plan_is_read_like_the_steps_of_a_file() {
    let (definition, agents) = planned(
        r#" [ {"id": "fetch", "run": ["curl", "{{ steps.build.output.url }}", 1.10], "timeout": "10s"},
              {"id": "sum", "agent": "Adder", "with": {"n": 123456789012345678901234567890, "a": "{{ steps.fetch.output }}"},
               "fallback": {"agent": "Other"}, "compensate": {"agent": "Un_Adder"}, "approve": "before"},
              {"id": "each", "needs": [], "for_each": "input.files", "run": "touch {{ item }}"},
              {"id": "all", "needs": ["sum", "each"], "run": "x {{ steps['each[0]'].output }} {{ steps.plan.status }}"} ] "#,
    )
    .unwrap();
    let [fetch, sum, each, all] = &*definition.steps else { panic!() };
    assert_eq!(fetch.needs, []);
    assert_eq!(sum.needs, std::slice::from_ref(&fetch.id), "the one above");
    assert_eq!((each.needs.len(), all.needs.len()), (0, 2));
    assert!(matches!(&sum.does, Does::Agent { with: Some(with), .. }
        if Json::of(with).unwrap().text().contains("123456789012345678901234567890")));
    let fallback = Fallback { agent: AgentName::new("Other"), prompt_suffix: None, attempts: 3 };
    assert_eq!(sum.fallback, Some(fallback));
    let named: Vec<_> =
        agents.iter().map(|named| (named.agent.as_str(), named.role, named.at.file.as_str())).collect();
    assert_eq!(
        named,
        [
            ("Adder", AgentRole::Does, "add_steps[1].agent"),
            ("Other", AgentRole::FallsBack, "add_steps[1].fallback.agent"),
            ("Un_Adder", AgentRole::Undoes, "add_steps[1].compensate.agent"),
        ]
    );
    let again = Definition::from_json(definition.to_json().text()).unwrap();
    assert_eq!(again, definition);
}

#[test]
fn every_step_of_the_run_can_be_named_and_siblings_only_in_order() {
    for id in ["build", "copy[0]", "poll#1", "plan/earlier"] {
        joins(&format!(r#"[{{"id": "a", "run": "x {{{{ steps['{id}'].output }}}}"}}]"#));
    }
    joins(r#"[{"id": "build", "run": "x"}, {"id": "b", "run": "{{ steps.build.output }}"}]"#);
    joins(r#"[{"id": "a", "run": "x {{ env.HOME }} {{ input.anything }} {{ run.id }}"}]"#);
}

#[test]
fn texts_of_json_are_texts_whatever_yaml_thinks_of_them() {
    let definition =
        joins(r#"[{"id":"a","agent":"p","prompt":"\ud83d\ude00 \/ \u00e4\tb","with":{"no":"no"}}]"#);
    let Does::Agent { prompt: Some(prompt), .. } = &definition.steps.first().unwrap().does else { panic!() };
    assert_eq!(Json::of(prompt).unwrap().value(), "😀 / ä\tb");
}

/// A row: a plan, and the path and parts of the message and the hint of its problem.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn check(rows: &[Row]) {
    for (text, path, message, hint) in rows {
        let problem = planned(text).expect_err(text);
        assert_eq!((problem.code, problem.class), (Code::BadPlan, Class::Validation), "{text}");
        assert!(problem.message.starts_with(&format!("`{path}`: ")), "{text}\n{problem:?}");
        assert!(problem.message.contains(message), "{text}\n{problem:?}");
        assert!(
            problem.remedies.plain().contains(hint) && !problem.remedies.all.is_empty(),
            "{text}\n{problem:?}"
        );
        assert_eq!((problem.at, problem.step), (None, None), "{text}");
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_told_with_its_path() {
    check(&[
        ("[]", "add_steps", "adds no steps", ""),
        ("{}", "add_steps", "takes a list", ""),
        ("[3]", "add_steps[0]", "takes a map", ""),
        (r#"[{"run": "x"}]"#, "add_steps[0]", "no `id`", ""),
        (r#"[{"id": "a b", "run": "x"}]"#, "add_steps[0].id", "`a b` is no step id", ""),
        (r#"[{"id": "a"}]"#, "add_steps[0]", "does nothing", "exactly one"),
        (r#"[{"id": "a", "rnu": "x"}]"#, "add_steps[0].rnu", "no key `rnu`", "`run`"),
        (r#"[{"id": "a", "run": "x", "merge": "auto"}]"#, "add_steps[0].merge", "not supported", ""),
        (
            r#"[{"id": "a", "run": "x", "retry": {"attempts": 0}}]"#,
            "add_steps[0].retry.attempts",
            "from 1",
            "",
        ),
        (r#"[{"id": "a", "run": "x", "run": "y"}]"#, "add_steps", "`run` stands twice", ""),
        (r#"[{"id": "a", "run": "x"}"#, "add_steps", "not JSON", ""),
    ]);
}

#[test]
fn steps_of_a_plan_need_each_other_in_an_order_that_there_is() {
    check(&[
        (
            r#"[{"id": "a", "run": "x"}, {"id": "b", "run": "x"}, {"id": "a", "run": "x"}]"#,
            "add_steps[2].id",
            "two steps are called `a`: the first is at `add_steps[0].id`",
            "",
        ),
        (
            r#"[{"id": "add", "run": "x"}, {"id": "b", "run": "x", "needs": ["ad"]}]"#,
            "add_steps[1].needs[0]",
            "no step `ad` to need",
            "`add`",
        ),
        (
            r#"[{"id": "a", "run": "x", "needs": ["build"]}]"#,
            "add_steps[0].needs[0]",
            "no step `build` to need",
            "",
        ),
        (
            r#"[{"id": "a", "run": "x", "needs": ["b"]}, {"id": "b", "run": "x"}]"#,
            "add_steps[0].needs[0]",
            "a → b → a",
            "`b` runs after the step above it",
        ),
        (
            r#"[{"id": "ä", "run": "x"}, {"id": "b", "run": "x {{ nope }}"}]"#,
            "add_steps[0].id",
            "is no step id",
            "",
        ),
    ]);
}

#[test]
fn what_steps_of_a_plan_cannot_name() {
    check(&[
        (
            r#"[{"id": "a", "agent": "p", "prompt": "ääää {{ nope }}"}]"#,
            "add_steps[0].prompt",
            "`nope` is not known",
            "",
        ),
        (
            r#"[{"id": "a", "agent": "p", "with": {"deep": [1, {"x": "{{ steps.gone.output }}"}]}}]"#,
            "add_steps[0].with.deep[1].x",
            "no step `gone`",
            "",
        ),
        (
            r#"[{"id": "a", "run": "x {{ steps.b.output }}"}, {"id": "b", "run": "x"}]"#,
            "add_steps[0].run",
            "need not be done",
            "change the order",
        ),
        (r#"[{"id": "a", "run": "x {{ steps.a.output }}"}]"#, "add_steps[0].run", "yet to do itself", ""),
        (
            r#"[{"id": "a", "workflow": "w.yaml"}]"#,
            "add_steps[0].workflow",
            "cannot start a workflow",
            "when it starts",
        ),
        (r#"[{"id": "a", "agent": "shell"}]"#, "add_steps[0].agent", "steps with `run`", ""),
    ]);
}

#[test]
fn a_plan_that_is_too_big_or_too_deep_is_refused_before_it_costs() {
    let deep =
        format!(r#"[{{"id": "a", "agent": "p", "with": {}{}}}]"#, "[".repeat(2_000), "]".repeat(2_000));
    assert!(planned(&deep).unwrap_err().message.contains("deeper than 100"));
    let long = format!(r#"[{{"id": "a", "agent": "p", "prompt": "{}"}}]"#, "x".repeat(FILE_BYTES_MAX));
    assert!(planned(&long).unwrap_err().message.contains("no more than 1048576"));
    let steps: Vec<_> = (0..=STEPS_MAX).map(|n| format!(r#"{{"id": "s{n}", "run": "x"}}"#)).collect();
    assert!(planned(&format!("[{}]", steps.join(","))).unwrap_err().message.contains("no more than 10000"));
}

proptest! {
    #[test]
    fn no_plan_makes_the_reader_panic(text in "\\PC{0,60}", json in "[\\[\\]{}:,\"a-z0-9 ä]{0,60}") {
        let _ = planned(&text);
        let _ = planned(&json);
        let _ = planned(&format!(r#"[{{"id": "a", "run": {json}}}]"#));
        let _ = planned(&format!(r#"[{{"id": "a", "run": "x", "needs": {json}, "retry": {json}}}]"#));
    }
}
