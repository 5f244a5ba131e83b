//! Agents hand their work over: real programs, over crashes, and what people and programs see of it.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// An agent that runs this under a shell; more keys of its file may be given.
fn agent(sandbox: &Sandbox, name: &str, keys: &str, script: &str) {
    let command = serde_json::to_string(&["sh", "-c", script]).unwrap();
    let text =
        format!("---\nname: {name}\ndescription: x\nexecutor: subprocess\ncommand: {command}\n{keys}\n---\n");
    sandbox.write(&format!("agents/{name}.md"), text);
}

/// A script that hands over.
fn hands_over(to: &str, context: &str) -> String {
    format!(
        "cat <<'END'\nmy part is done\nHANDOFF DECLARATION:\nTo: {to}\nReason: it is {to}'s turn\nContext:\n{context}\nEND\n"
    )
}

fn steps(report: &Value, key: &str) -> Vec<String> {
    report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step[key].to_string().trim_matches('"').to_owned())
        .collect()
}

#[test]
fn fourteen_agents_hand_over_one_to_the_next() {
    const NAMES: [&str; 14] = [
        "dns_specialist",
        "azure_architect",
        "security_analyst",
        "finops_engineer",
        "data_analyst",
        "jobs",
        "profile_advisor",
        "financial_advisor",
        "cloud_architect",
        "personal_assistant",
        "devops_architect",
        "email_specialist",
        "prompt_engineer",
        "knowledge_sharing",
    ];
    let sandbox = Sandbox::new();
    for (number, name) in NAMES.iter().enumerate() {
        match NAMES.get(number + 1) {
            // Each names the next as it likes.
            Some(next) => {
                let spelt = format!("{}-Agent", next.replace('_', " "));
                agent(
                    &sandbox,
                    name,
                    &format!("handoffs: [{next}]"),
                    &hands_over(&spelt, &format!("  - Part {number}: {name}")),
                );
            }
            None => agent(&sandbox, name, "handoffs: []", "cat"),
        }
    }
    sandbox.write("w.yaml", "name: w\nsteps:\n  - {id: first, agent: dns_specialist, prompt: set it all up}\n  - {id: next, run: 'echo {{ steps.first.output.input.reason }}'}");
    let refused = sandbox.json(1, &["run", "w.yaml", "--id", "long"]);
    assert_eq!(refused["error"]["code"], "RE-1605", "{}", refused["error"]);
    assert_eq!(refused["error"]["step"], "first/handoff[5]");
    sandbox.write("reenact.toml", "[growth]\nhandoffs_max = 13\n");
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!((&report["handoffs"]["chain"], &report["handoffs"]["total"]), (&json!(NAMES), &json!(13)));
    let hop = &report["handoffs"]["hops"][12];
    assert_eq!((&hop["from"], &hop["to"]), (&json!("prompt_engineer"), &json!("knowledge_sharing")));
    assert_eq!((&hop["step"], hop["context_bytes"].as_u64()), (&json!("first/handoff[12]"), Some(29)));
    let agents = steps(&report, "agent");
    assert_eq!(agents[..14], NAMES.map(str::to_owned));
    // The last answered the document that it got, and that is what the first answered.
    let told = &report["steps"][0]["output"];
    assert_eq!(told["input"]["task"], "set it all up");
    assert_eq!(told["input"]["work"].as_array().map(Vec::len), Some(13));
    assert_eq!(
        told["input"]["work"][0],
        json!({"agent": "dns_specialist", "output": {"stdout": "my part is done"}})
    );
    assert_eq!(told["input"]["context"], json!({"part_12": "prompt_engineer"}));
    assert_eq!(report["steps"][14]["output"]["stdout"], "it is knowledge sharing-Agent's turn");
}

#[test]
fn a_handoff_is_in_the_commit_of_the_answer_and_a_crash_in_the_next_loses_none_of_it() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "a", "", &hands_over("b", "  - Key data: {\"n\": [1, 2]}"));
    agent(&sandbox, "b", "", "touch started; until test -e go; do sleep 0.01; done; echo done");
    sandbox.write("w.yaml", "name: w\nsteps:\n  - {id: s, agent: a, compensate: {run: 'echo {{ output.stdout }} > undone'}}\n  - {id: t, run: 'echo {{ steps.s.output.stdout }}; test -e ok'}");
    let run = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("the second agent is at work", || sandbox.work("started").exists());
    run.kill();
    let told: Vec<_> = sandbox
        .history("r")
        .iter()
        .map(|event| {
            format!("{} {}", event["type"].as_str().unwrap(), event["data"]["step"].as_str().unwrap_or("-"))
        })
        .collect();
    let at = told.iter().position(|said| said == "handoff_declared s").unwrap();
    assert_eq!(
        told[at..at + 4],
        ["handoff_declared s", "step_added s/handoff[1]", "step_completed s", "attempt_started s/handoff[1]"]
    );
    sandbox.write("go", "");
    let report = sandbox.json(3, &["resume", "r"]);
    assert_eq!(steps(&report, "status"), ["compensated", "completed", "failed"], "{report:#}");
    assert_eq!(std::fs::read_to_string(sandbox.work("undone")).unwrap(), "done\n");
    assert_eq!(sandbox.count("r", "attempt_lost", Some("s/handoff[1]")), 1);
    assert_eq!(sandbox.count("r", "handoff_declared", None), 1);
}

#[test]
fn whoever_looks_on_reads_of_each_handoff() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "a", "", &hands_over("b", "- N: 1"));
    agent(&sandbox, "b", "", "echo fine");
    sandbox.write("w.yaml", "name: w\nsteps: [{id: s, agent: a}]");
    let ran = sandbox.reenact(&["run", "w.yaml", "--id", "r"]);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stderr.contains("s: hands over to b: it is b's turn"), "{ran}");
    let text = sandbox.reenact(&["graph", "r", "--format", "text"]);
    assert!(text.stdout.contains("s/handoff[1]"), "{text}");
    let declared =
        sandbox.history("r").into_iter().find(|event| event["type"] == "handoff_declared").unwrap();
    let meant = json!({"step": "s", "attempt": 1, "from": "a", "to": "b", "reason": "it is b's turn", "context": {"n": "1"}});
    assert_eq!(declared["data"], meant);
}

#[test]
fn what_is_wrong_with_a_handoff_fails_the_step_and_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    let declaration = |rest: &str| format!("printf '%s\\n' 'HANDOFF DECLARATION:' {rest}");
    for (name, script, code, says) in [
        ("lacks", declaration("'To: b' 'Context:' '- A: 1'"), "RE-1601", "it has no `Reason:`"),
        ("empty", declaration("'To: b' 'Reason: r' 'Context:'"), "RE-1601", "it has no context"),
        ("typo", hands_over("securty reviewer", "- A: 1"), "RE-1602", "did you mean `security_reviewer`?"),
        ("loop", hands_over("loop", "- A: 1"), "RE-1604", "tells nothing new"),
        ("twice", hands_over("b", "- A: 1").repeat(2), "RE-1606", "more than one handoff"),
    ] {
        agent(&sandbox, name, "", &script);
        agent(&sandbox, "security_reviewer", "", "true");
        sandbox
            .write("w.yaml", format!("name: w\nsteps: [{{id: s, agent: {name}, retry: {{attempts: 3}}}}]"));
        let report = sandbox.json(1, &["run", "w.yaml", "--id", name]);
        assert_eq!(report["error"]["code"], code, "{name}: {}", report["error"]);
        assert_eq!(report["error"]["class"], "validation");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{name}: {message}");
    }
}

/// What a run may hand over to is known when it starts, whatever happens to the files then, and however little it may grow.
#[test]
fn a_run_keeps_the_agents_with_which_it_began() {
    let sandbox = Sandbox::new();
    agent(
        &sandbox,
        "a",
        "handoffs: [b]",
        &format!("touch began; until test -e go; do sleep 0.01; done; {}", hands_over("b", "- A: 1")),
    );
    agent(&sandbox, "b", "handoffs: 'c, nobody'", &hands_over("c", "- B: 1"));
    agent(&sandbox, "c", "handoffs: []", "echo the old one");
    sandbox.write("reenact.toml", "[growth]\ntotal = 0\n");
    sandbox.write("w.yaml", "name: w\nsteps: [{id: s, agent: a}]");
    let run = sandbox.spawn(&["--json", "run", "w.yaml", "--id", "r"]);
    wait_until("the run has begun", || sandbox.work("began").exists());
    agent(&sandbox, "c", "", "echo the new one");
    std::fs::remove_file(sandbox.work("agents/b.md")).unwrap();
    sandbox.write("go", "");
    let ended = run.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["steps"][2]["output"]["stdout"], "the old one");
    agent(&sandbox, "b", "handoffs: 'c, nobody'", "true");
    let checked = sandbox.json(0, &["validate", "w.yaml"]);
    let warnings = checked["files"][0]["warnings"].to_string();
    assert!(!warnings.contains("nobody"), "of agents that no step names there are no warnings: {warnings}");
    sandbox.write("w.yaml", "name: w\nsteps: [{id: s, agent: b}]");
    let checked = sandbox.json(0, &["validate", "w.yaml"]);
    let warnings = checked["files"][0]["warnings"].to_string();
    assert!(warnings.contains("agent `b` may hand over to `nobody`, and cannot"), "{warnings}");
}
