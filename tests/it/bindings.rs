//! What a workflow is bound to before it starts: the files that its steps start, and the agents that they name.

use serde_json::{Value, json};

use crate::support::Sandbox;

const GOOD: &str = "steps: [{id: x, run: 'true'}]";

/// An agent's file.
fn agent(name: &str, more: &str) -> String {
    let rest = "executor: subprocess\ncommand: [\"true\"]";
    format!("---\nname: {name}\ndescription: Does it\n{rest}\n{more}\n---\n")
}

/// What `validate` says of a file: code, file, line and column, message.
fn said(sandbox: &Sandbox, code: i32, file: &str, kind: &str) -> Vec<(String, String, u64, u64, String)> {
    let checked = sandbox.json(code, &["validate", file]);
    let problems = checked["files"][0][kind].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    problems
        .map(|problem| {
            assert!(!problem["hint"].as_str().unwrap().is_empty(), "{problem}");
            let at = &problem["at"];
            let place = (at["line"].as_u64().unwrap(), at["column"].as_u64().unwrap());
            (text(&problem["code"]), text(&at["file"]), place.0, place.1, text(&problem["message"]))
        })
        .collect()
}

#[track_caller]
fn refused(sandbox: &Sandbox, file: &str, expected: (&str, &str, u64, u64, &str)) {
    let found = said(sandbox, 2, file, "errors");
    let [(code, at, line, column, message)] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(
        (code.as_str(), at.as_str(), *line, *column),
        (expected.0, expected.1, expected.2, expected.3)
    );
    assert!(message.contains(expected.4), "{message}");
    let run = sandbox.json(2, &["run", file]);
    assert_eq!(run["error"]["code"], code.as_str(), "what `validate` finds, `run` refuses");
    assert!(!sandbox.data().exists(), "nothing was started");
}

#[test]
fn a_child_that_is_missing_is_refused_where_it_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("flows/w.yaml", "steps:\n  - id: a\n    workflow: sub/none.yaml\n");
    let at = ("RE-1116", "flows/w.yaml", 3, 15, "`sub/none.yaml` cannot be read: No such file");
    refused(&sandbox, "flows/w.yaml", at);
}

#[test]
fn what_is_wrong_with_a_child_is_told_with_its_own_file_and_once() {
    let sandbox = Sandbox::new();
    sandbox
        .write("w.yaml", "steps:\n  - {id: a, workflow: sub/c.yaml}\n  - {id: b, workflow: ./sub/c.yaml}\n");
    sandbox.write("sub/c.yaml", "steps:\n  - {id: x, workflow: ../d.yaml}\n");
    sandbox.write("d.yaml", "steps:\n  - {id: x, rnu: y}\n");
    refused(&sandbox, "w.yaml", ("RE-1103", "d.yaml", 2, 13, "`rnu`"));
    sandbox.write("d.yaml", "steps:\n  - {id: x, agent: nobody}\n");
    refused(&sandbox, "w.yaml", ("RE-1301", "d.yaml", 2, 20, "`nobody`"));
    sandbox.write("d.yaml", "steps: [");
    refused(&sandbox, "w.yaml", ("RE-1102", "d.yaml", 1, 8, "not YAML"));
    sandbox.write("d.yaml", "steps:\n  - {id: x, run: y, phase: x}\n");
    let warned = said(&sandbox, 0, "w.yaml", "warnings");
    assert_eq!(warned.len(), 1, "a child that is named twice is read once: {warned:?}");
    assert_eq!((warned[0].1.as_str(), warned[0].2), ("d.yaml", 2));
}

#[test]
fn all_that_is_wrong_with_a_family_is_told_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps:\n  - {id: a, workflow: none.yaml}\n  - {id: b, workflow: c.yaml}\n  - {id: c, agent: nobody}\n");
    sandbox.write("c.yaml", "steps: []");
    let found = said(&sandbox, 2, "w.yaml", "errors");
    let codes: Vec<_> = found.iter().map(|(code, file, ..)| (code.as_str(), file.as_str())).collect();
    assert_eq!(codes, [("RE-1116", "w.yaml"), ("RE-1106", "c.yaml"), ("RE-1301", "w.yaml")]);
}

#[test]
fn a_workflow_that_leads_back_to_itself_is_refused_with_the_way() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps:\n  - id: a\n    workflow: w.yaml\n");
    refused(&sandbox, "w.yaml", ("RE-1116", "w.yaml", 3, 15, "without end: w.yaml → w.yaml"));
    sandbox.write("w.yaml", "steps:\n  - id: a\n    workflow: sub/b.yaml\n");
    sandbox.write("sub/b.yaml", "steps:\n  - id: a\n    workflow: c.yaml\n");
    sandbox.write("sub/c.yaml", "steps:\n  - id: a\n    workflow: link.yaml\n");
    std::os::unix::fs::symlink("b.yaml", sandbox.work("sub/link.yaml")).unwrap();
    let way = "without end: sub/b.yaml → sub/c.yaml → sub/b.yaml";
    refused(&sandbox, "w.yaml", ("RE-1116", "sub/c.yaml", 3, 15, way));
}

#[test]
fn workflows_cannot_be_started_any_number_deep() {
    let sandbox = Sandbox::new();
    for depth in 0..40 {
        sandbox
            .write(&format!("w{depth}.yaml"), format!("steps: [{{id: a, workflow: w{}.yaml}}]", depth + 1));
    }
    sandbox.write("w40.yaml", GOOD);
    refused(
        &sandbox,
        "w0.yaml",
        ("RE-1116", "w32.yaml", 1, 27, "more than 32 workflows deep inside `w0.yaml`"),
    );
    assert_eq!(sandbox.json(0, &["validate", "w8.yaml"])["files"][0]["ok"], true);
}

#[test]
fn what_is_no_file_of_a_workflow_is_no_child() {
    let sandbox = Sandbox::new();
    let of = |file: &str| sandbox.write("w.yaml", format!("steps:\n  - id: a\n    workflow: {file}\n"));
    sandbox.write("chain.md", "# A chain\n");
    sandbox.write("sub/x", "");
    of("chain.md");
    refused(&sandbox, "w.yaml", ("RE-1122", "chain.md", 1, 1, "no subtasks"));
    of("sub");
    refused(&sandbox, "w.yaml", ("RE-1116", "w.yaml", 3, 15, "directory"));
}

#[test]
fn an_input_that_a_child_cannot_take_is_refused_where_it_is_known() {
    let sandbox = Sandbox::new();
    let child =
        "input: {type: object, required: [n], properties: {n: {type: integer}}, additionalProperties: false}";
    sandbox.write("c.yaml", format!("{child}\n{GOOD}"));
    let with = |with: &str| {
        sandbox.write("w.yaml", format!("steps:\n  - id: a\n    workflow: c.yaml\n    {with}\n"))
    };
    with("");
    refused(&sandbox, "w.yaml", ("RE-1203", "w.yaml", 3, 15, "`input.n` is missing"));
    with("with: {n: many, m: 1}");
    refused(&sandbox, "w.yaml", ("RE-1203", "w.yaml", 3, 15, "`input.m` is not an input"));
    for good in ["with: {n: 3}", "with: {n: '{{ run.id }}'}"] {
        with(good);
        assert_eq!(sandbox.json(0, &["validate", "w.yaml"])["files"][0]["ok"], true, "{good}");
    }
}

#[test]
fn a_run_records_all_that_it_may_start_and_who_could_do_it() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/other.md", agent("other", ""));
    sandbox.write("agents/psychic.md", "---\nname: psychic\ndescription: x\nexecutor: llm\n---\n");
    sandbox.write("sub/agents/inner.md", agent("inner", ""));
    sandbox.write("reenact.toml", "[growth]\ndepth = 2\nwidth = 5\ntotal = 9\n[run]\nlost = 7\n");
    sandbox.write("sub/c.yaml", format!("limits: {{parallel: 3, duration: 1h}}\n{GOOD}"));
    sandbox.write("w.yaml", "steps:\n  - {id: a, workflow: sub/c.yaml}\n  - {id: b, workflow: sub/c.yaml}\n");
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--detach"]);
    let started = sandbox.history("r")[0]["data"].clone();
    let path = std::fs::canonicalize(sandbox.work("sub/c.yaml")).unwrap();
    let [child] = started["children"].as_array().unwrap().as_slice() else { panic!("{started:#}") };
    assert_eq!(child["file"], path.to_str().unwrap());
    assert_eq!(child["work_folder"], path.parent().unwrap().to_str().unwrap());
    assert_eq!((&child["parallel"], &child["lost_limit"]), (&json!(3), &json!(7)));
    assert_eq!(child["duration_limit_us"], json!(3_600_000_000_u64));
    let names = |agents: &Value| -> Vec<String> {
        let names = agents.as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(names(&started["agents"]), ["other"], "all that can do a step, for plans");
    assert_eq!(names(&child["agents"]), ["inner"], "a child's agents are found from its own folder");
    let growth = json!({"depth": 2, "width": 5, "total": 9, "fallback_attempts": 2, "critical_fails": true,
        "items": 100_000, "handoffs": 5});
    assert_eq!(started["growth"], growth);
    sandbox.write("reenact.toml", "[growth]\ntotal = 0\n");
    sandbox.json(4, &["run", "w.yaml", "--id", "fixed", "--detach"]);
    assert_eq!(
        sandbox.history("fixed")[0]["data"]["agents"],
        json!([]),
        "a run that cannot grow names its agents"
    );
}

#[test]
fn an_agent_says_who_stands_in_for_it_and_how_much_its_steps_matter() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "agents/a.md",
        agent("Main", "fallback: {agent: stand-in, prompt_suffix: ' Briefly.'}\ncriticality: critical"),
    );
    sandbox.write("w.yaml", "steps:\n  - id: x\n    agent: main\n    optional: true\n");
    refused(
        &sandbox,
        "w.yaml",
        ("RE-1301", "w.yaml", 3, 12, "agent `Main` falls back on another: no agent is named `stand-in`"),
    );
    sandbox.write("agents/b.md", agent("Stand_In", ""));
    let warned = said(&sandbox, 0, "w.yaml", "warnings");
    assert_eq!(warned.len(), 1);
    assert_eq!((warned[0].0.as_str(), warned[0].2, warned[0].3), ("RE-1112", 2, 9));
    assert!(warned[0].4.contains("`x` is critical"), "{warned:?}");
    sandbox.write("reenact.toml", "[run]\nfail_if_critical_skipped = false\n");
    assert_eq!(said(&sandbox, 0, "w.yaml", "warnings"), []);
}

#[test]
fn who_stands_in_is_taken_over_from_the_agent_and_a_critical_step_is_never_left_out() {
    let sandbox = Sandbox::new();
    let fails = |more: &str| agent("main", more).replace("[\"true\"]", "[\"false\"]");
    sandbox.write("w.yaml", "steps:\n  - id: x\n    agent: main\n    optional: true\n");
    sandbox.write("agents/b.md", agent("Stand_In", ""));
    sandbox.write("agents/a.md", fails("fallback: {agent: stand-in}"));
    let report = sandbox.json(0, &["run", "w.yaml"]);
    assert_eq!(report["steps"][0]["agent"], "Stand_In", "{report:#}");
    assert_eq!(report["steps"][0]["degraded"], true);
    sandbox.write("agents/a.md", fails(""));
    assert_eq!(sandbox.json(0, &["run", "w.yaml"])["steps"][0]["status"], "skipped");
    sandbox.write("agents/a.md", fails("criticality: critical"));
    assert_eq!(sandbox.json(1, &["run", "w.yaml"])["steps"][0]["status"], "failed");
}

#[test]
fn every_reviewer_is_asked_what_the_configuration_asks_first() {
    let sandbox = Sandbox::new();
    sandbox.write("reenact.toml", "[approvals]\nchecklist = ['Is it Friday?']\n");
    sandbox.write("w.yaml", "steps:\n  - {id: x, run: 'true', approve: before, checklist: [Look]}\n");
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let history = sandbox.history("r");
    let asked = history.iter().find(|event| event["type"] == "approval_requested").unwrap();
    assert_eq!(asked["data"]["checklist"], json!(["Is it Friday?", "Look"]));
}
