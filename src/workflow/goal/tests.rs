use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::events::ids::{RunId, StepId};
use crate::events::problem::Code;
use crate::workflow::definition::{Integrate, PlanOfTasks};
use crate::workflow::parse::{PlanScope, plan};
use crate::workflow::scope::{Scope, StepView};
use crate::workflow::template::Template;

fn candidates() -> Vec<Candidate> {
    let candidate = |name: &str, description: &str, expertise: &[&str]| Candidate {
        name: AgentName::new(name),
        skills: Skills::new(description, expertise),
    };
    vec![
        candidate("Backend-Dev", "Builds services and their interfaces", &["databases", "http apis"]),
        candidate("frontend_dev", "Builds what people see", &["forms", "styling"]),
        candidate("qa", "Finds out how things fail", &["testing"]),
    ]
}

fn with<T>(of_plan: PlanOfTasks, check: impl FnOnce(&Goal<'_>) -> T) -> T {
    let (manager, candidates) = (AgentName::new("boss"), candidates());
    check(&Goal { plan: &of_plan, manager: &manager, candidates: &candidates, tasks_max: 10 })
}

fn steps(answer: &Value) -> Result<Vec<Value>, String> {
    let steps = with(PlanOfTasks::default(), |goal| goal.steps(&Json::from(answer)));
    let steps = steps.map_err(|problem| {
        assert_eq!(problem.code, Code::BadTasks);
        problem.message
    })?;
    Ok(serde_json::from_str(steps.text()).unwrap())
}

fn wrong(answer: &Value) -> String {
    steps(answer).unwrap_err()
}

fn login() -> Value {
    json!({
        "tasks": [
            {"task_id": "TASK-001", "description": "Build the service", "assigned_to": "backend-dev",
             "dependencies": [], "deliverables": ["POST /login", "a table {{ users }}"]},
            {"task_id": "TASK-002", "description": "Build the form", "assigned_to": "Frontend Dev",
             "dependencies": ["TASK-001"]},
        ],
        "decisions": [
            {"decision": "Tokens live an hour", "rationale": "they leak", "affected_agents": ["backend-dev"]},
            {"decision": "No framework", "rationale": "", "affected_agents": []},
        ],
    })
}

fn read(list: &Json) -> crate::workflow::definition::Definition {
    let scope = PlanScope { env: &[], fallback_attempts: 2, contexts: &BTreeMap::new(), steps: &|_| false };
    plan(list.text(), &scope).unwrap_or_else(|problem| panic!("{problem:?}\n{list:?}")).0
}

#[test]
fn tasks_become_steps_that_know_what_they_build_on_and_what_was_decided() {
    let steps = steps(&login()).unwrap();
    let ids: Vec<_> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["TASK-001", "TASK-002", "integration"]);
    assert_eq!((&steps[0]["agent"], &steps[1]["agent"]), (&json!("Backend-Dev"), &json!("frontend_dev")));
    assert_eq!(
        (&steps[0]["needs"], &steps[1]["needs"], &steps[2]["needs"]),
        (&json!([]), &json!(["TASK-001"]), &json!(["TASK-001", "TASK-002"]))
    );
    let prompts: Vec<_> = steps.iter().map(|step| step["prompt"].as_str().unwrap()).collect();
    assert!(prompts[0].contains("Tokens live an hour (they leak)") && prompts[0].contains("No framework"));
    assert!(!prompts[1].contains("Tokens live an hour") && prompts[1].contains("No framework"));
    assert!(prompts[0].contains("- POST /login") && !prompts[0].contains("builds on"));
    assert_eq!(steps[2]["agent"], "boss");
    assert_eq!(steps[1]["with"]["dependencies"]["TASK-001"]["output"], "{{ steps['TASK-001'].output }}");
}

#[test]
fn what_a_plan_says_is_never_an_expression_and_what_it_builds_on_is() {
    let list = with(PlanOfTasks::default(), |goal| goal.steps(&Json::from(&login()))).unwrap();
    let definition = read(&list);
    let output = Json::parse(r#"{"port": 8080, "says": "{{ not this }}"}"#).unwrap();
    let view = StepView { status: "completed", attempts: 1, output: Some(output) };
    let scope = Scope {
        input: Json::null(),
        run: RunId::parse("r").unwrap(),
        env: BTreeMap::new(),
        steps: [(StepId::grown("TASK-001"), view)].into(),
        context: BTreeMap::new(),
        contexts: BTreeMap::new(),
        item: None,
        round: None,
        answer: None,
        undone: None,
    };
    let work = |at: usize| definition.steps[at].work(&scope).unwrap();
    let (first, second) = (work(0), work(1));
    assert!(first.prompt.as_ref().unwrap().contains("- a table {{ users }}"), "{first:?}");
    assert_eq!(first.with.value()["deliverables"][1], "a table {{ users }}");
    let prompt = second.prompt.unwrap();
    assert!(prompt.contains("### TASK-001, by Backend-Dev\n\n{\"port\": 8080"), "{prompt}");
    assert!(prompt.contains("{{ not this }}") && prompt.contains("`blockers`"), "{prompt}");
    assert_eq!(second.with.value()["dependencies"]["TASK-001"]["output"]["port"], 8080);
}

#[test]
fn everything_that_is_wrong_with_a_plan_is_said_at_once_by_task() {
    let message = wrong(&json!({
        "tasks": [
            {"task_id": "a", "description": "x", "assigned_to": "backend_deb", "dependencies": ["b"]},
            {"task_id": "b", "description": "", "assigned_to": "qa", "dependencies": ["a", "c"]},
            {"task_id": "d", "description": "x", "assigned_to": 7, "dependencies": "a", "deliverables": [1]},
            {"task_id": "d", "description": "x", "assigned_to": "qa", "dependencies": ["d"]},
        ],
        "decisions": [{"decision": "x", "affected_agents": ["nobody that is there"]}, {"rationale": "y"}],
    }));
    for part in [
        "task `a`: it is assigned to `backend_deb`, to whom no task may be assigned: did you mean `Backend-Dev`?",
        "task `b`: it has no `description`",
        "task `b`: it depends on `c`, which is no task",
        "circle: `a` → `b` → `a`",
        "task `d`: `assigned_to` names no agent: 7",
        "task `d`: `dependencies` is no list",
        "task `d`: `deliverables` takes texts, and not 1",
        "task `d`: its id is that of task `d`",
        "decision 1: it affects `nobody that is there`",
        "decision 2: it has no text `decision`",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
}

#[test]
fn what_is_no_plan_is_refused() {
    for (answer, part) in [
        (json!("I cannot plan this"), "no object with a list `tasks`"),
        (json!({"text": "no"}), "no object with a list `tasks`"),
        (json!({"tasks": []}), "there are none"),
        (json!({"tasks": {}}), "no list"),
        (json!({"tasks": [1]}), "task 1: it is no object"),
        (json!({"tasks": [{"description": "x"}]}), "task 1: it has no `task_id`"),
        (json!({"tasks": [{"task_id": {}, "description": "x"}]}), "`task_id` is no text"),
        (json!({"tasks": [{"task_id": "x".repeat(65), "description": "x"}]}), "more than 64 characters"),
        (
            json!({"tasks": [{"task_id": "x", "description": "y".repeat(20_001)}]}),
            "more than 20000 characters",
        ),
        (json!({"tasks": vec![json!({"task_id": "x"}); 11]}), "there are 11, and no more than 10 may be"),
        (json!({"tasks": [{"task_id": "x", "description": "zzz"}]}), "assigned to nobody"),
        (
            json!({"tasks": [{"task_id": "integration", "description": "test", "assigned_to": "qa"}]}),
            "the last step",
        ),
        (json!({"tasks": [{"task_id": "x", "description": "y", "assigned_to": "shell"}]}), "to whom no task"),
    ] {
        let message = wrong(&answer);
        assert!(message.contains(part), "{part}: {message}");
    }
    let many: Vec<Value> = (0..10).map(|n| json!({"task_id": n, "deliverables": [1, 2, 3]})).collect();
    let message = wrong(&json!({ "tasks": many }));
    assert!(message.contains("and 30 more") && message.len() < 4_000, "{}: {message}", message.len());
}

#[test]
fn a_plan_may_stand_in_a_text_and_ids_may_be_anything() {
    let fenced = "Here it is.\n\n```json\n{\"tasks\": [{\"task_id\": 1, \"description\": \"testing of a form\"}, {\"task_id\": \"Größe 2\", \"description\": \"databases\", \"dependencies\": [1, 1]}]}\n```\n";
    for answer in [json!(fenced), json!({"stdout": fenced}), json!({"text": fenced})] {
        let steps = steps(&answer).unwrap();
        let ids: Vec<_> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["task_1", "Gr__e_2", "integration"]);
        assert_eq!(steps[1]["needs"], json!(["task_1"]));
        read(&Json::from(&Value::from(steps)));
    }
}

#[test]
fn a_task_of_nobody_goes_to_who_fits_best() {
    let task = |id: &str, text: &str| json!({"task_id": id, "description": text, "assigned_to": ""});
    let steps = steps(&json!({"tasks": [
        task("a", "Design the database and an API over HTTP"),
        task("b", "A styled form for the login"),
        task("c", "Write tests for all of it"),
    ]}));
    let agents: Vec<_> = steps.unwrap().iter().map(|step| step["agent"].clone()).collect();
    assert_eq!(agents, ["Backend-Dev", "frontend_dev", "qa", "boss"]);
}

#[test]
fn the_tests_run_before_the_last_step_and_it_may_be_anybodys_or_nobodys() {
    let text = |text: &str| Template::from_json(&Json::from(&Value::from(text))).unwrap();
    let plan = PlanOfTasks {
        test: Some(text("make test")),
        context: Some(text("Mind {{ input.goal }}")),
        integrate: Integrate::By(AgentName::new("qa")),
        ..PlanOfTasks::default()
    };
    let list = with(plan, |goal| goal.steps(&Json::from(&login()))).unwrap();
    let steps: Vec<Value> = serde_json::from_str(list.text()).unwrap();
    assert_eq!((&steps[2]["id"], &steps[2]["run"]), (&json!("tests"), &json!("make test")));
    assert_eq!(steps[3]["needs"], json!(["TASK-001", "TASK-002", "tests"]));
    assert_eq!(steps[3]["agent"], "qa");
    for step in [0, 1, 3] {
        assert!(steps[step]["prompt"].as_str().unwrap().contains("\nMind {{ input.goal }}\n"), "{step}");
    }
    read(&list);
    let nobody = PlanOfTasks { integrate: Integrate::Nobody, ..PlanOfTasks::default() };
    let list = with(nobody, |goal| goal.steps(&Json::from(&login()))).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(list.text()).unwrap().len(), 2);
}

#[test]
fn blockers_are_what_an_answer_lists() {
    for (answer, said) in [
        (json!({"blockers": ["no key", "no table"]}), Some("no key; no table")),
        (json!({"blockers": "no key"}), Some("no key")),
        (json!({"blockers": [{"what": "x"}]}), Some(r#"{"what":"x"}"#)),
        (json!({"blockers": [], "status": "completed"}), None),
        (json!({"blockers": ["", null]}), None),
        (json!({"blockers": null}), None),
        (json!({"status": "Blocked", "notes": "the disk is full"}), Some("the disk is full")),
        (json!({"status": "blocked"}), Some("it does not say by what")),
        (json!("there were blockers, and none is left"), None),
        (json!({"stdout": "```json\n{\"blockers\": [\"no key\"]}\n```"}), Some("no key")),
    ] {
        assert_eq!(blockers(&Json::from(&answer)).as_deref(), said, "{answer}");
    }
}

#[test]
fn what_was_made_and_tested_is_what_an_answer_says() {
    let of = |answer: Value| {
        let Outcome { files, tests } = Outcome::read(&Json::from(&answer));
        (files.join(" "), tests)
    };
    assert_eq!(
        of(json!({"files_modified": ["a.ts (new)", "b c", 7, "d\u{7}"]})),
        ("a.ts b c".to_owned(), None)
    );
    let suites = json!([{"passed": 24, "failed": 0}, {"passed": 3, "failed": 2}, {"name": "x"}]);
    assert_eq!(of(json!({"test_suites": suites, "test_results": "1 passed"})).1, Some((27, 2)));
    assert_eq!(of(json!({"test_results": "24 passed, 1 failed"})).1, Some((24, 1)));
    assert_eq!(of(json!({"test_results": "18 tests, all passed", "test_suites": []})).1, None);
    assert_eq!(of(json!({"stdout": "```json\n{\"test_results\": \"3 failed\"}\n```"})).1, Some((0, 3)));
    assert_eq!(of(json!("12 passed")), (String::new(), None));
}
