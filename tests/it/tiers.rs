//! What agents and the configuration say of steps, and what is told of it: to whoever validates a file, and to whoever sees a
//! run through that goes on in a lesser way.

use serde_json::{Value, json};

use crate::support::Sandbox;

/// An agent's file: a program that ends with that exit code.
fn agent(sandbox: &Sandbox, name: &str, exit: u32, more: &str) {
    let head = format!("---\nname: {name}\ndescription: d\nexecutor: subprocess\n");
    let command = format!("command: ['sh', '-c', 'exit {exit}']\n");
    sandbox.write(&format!("agents/{name}.md"), format!("{head}{command}{more}\n---\n"));
}

fn codes(problems: &Value) -> Vec<&str> {
    problems.as_array().unwrap().iter().map(|problem| problem["code"].as_str().unwrap()).collect()
}

// Warnings of agents' files reached nobody: who misspelt `concurrency` was never told.
#[test]
fn agents_that_a_workflow_names_are_warned_of_and_no_others() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "worker", 0, "color: red\ntools: search\nmodel: small\nfallback: {agent: second}");
    agent(&sandbox, "second", 0, "concurency: 4");
    agent(&sandbox, "unnamed", 0, "color: blue");
    sandbox.write(".claude/agents/worker.md", "# Another worker");
    sandbox.write("w.yaml", "steps: [{id: a, agent: worker}]");
    let file = sandbox.json(0, &["validate", "w.yaml"])["files"][0].clone();
    let mut found = codes(&file["warnings"]);
    found.sort_unstable();
    assert_eq!(found, ["RE-1303", "RE-1303", "RE-1304", "RE-1306"], "{file:#}");
    let about = |word: &str| {
        let warnings = file["warnings"].as_array().unwrap();
        warnings.iter().find(|warning| warning["message"].as_str().unwrap().contains(word)).unwrap().clone()
    };
    let idle = about("`tools`");
    assert!(
        idle["message"]
            .as_str()
            .unwrap()
            .contains("only models call tools, and its executor is `subprocess`"),
        "{idle}"
    );
    assert_eq!(idle["at"]["line"], 7);
    assert!(idle["at"]["file"].as_str().unwrap().ends_with("agents/worker.md"), "{idle}");
    assert!(about("`concurency`")["hint"].as_str().unwrap().contains("`concurrency`"));
    let human = sandbox.reenact(&["validate", "w.yaml"]);
    assert!(human.stdout.contains("warning[RE-1306]") && !human.stdout.contains("blue"), "{human}");
    let run = sandbox.reenact(&["--json", "run", "w.yaml"]);
    assert_eq!((run.code(), run.stderr.matches("warning[").count()), (Some(0), 4), "{run}");

    let mut configured = sandbox.command(&["--json", "validate", "w.yaml"]);
    configured.env("REENACT_AGENTS__SECOND__TOOLS", "search");
    let warnings = sandbox.start(configured).wait().json()["files"][0]["warnings"].to_string();
    assert!(warnings.contains("`tools` of agent `second`"), "{warnings}");
}

#[test]
fn validate_tells_all_that_is_wrong_in_one_go() {
    let sandbox = Sandbox::new();
    let text = "name: v
steps:
  - {id: n, workflow: missing.yaml}
  - {id: q, agent: nobody}
  - {id: p, run: \"echo {{ nosuch }}\"}
  - {id: c, workflow: child.yaml}
  - {id: x, run: 'true', nedes: []}
  - {id: w, agent: worker}
";
    sandbox.write("v.yaml", text);
    sandbox.write("child.yaml", "steps:\n- {id: k, agent: ghost}\n- {id: l, run: 'echo {{ other }}'}");
    agent(&sandbox, "worker", 0, "color: red");
    let file = sandbox.json(2, &["validate", "v.yaml"])["files"][0].clone();
    let place = |error: &Value| {
        (error["at"]["file"].as_str().unwrap().to_owned(), error["at"]["line"].as_u64().unwrap())
    };
    let errors = file["errors"].as_array().unwrap();
    let found: Vec<_> = errors.iter().map(place).zip(codes(&file["errors"])).collect();
    let own = |line, code| (("v.yaml".to_owned(), line), code);
    let child = |line, code| (("child.yaml".to_owned(), line), code);
    let expected = [
        own(3, "RE-1116"),
        own(4, "RE-1301"),
        own(5, "RE-1202"),
        child(2, "RE-1301"),
        child(3, "RE-1202"),
        own(7, "RE-1103"),
    ];
    assert_eq!(found, expected, "{file:#}");
    assert_eq!(codes(&file["warnings"]), ["RE-1303"], "what is odd is told beside what is wrong");
}

#[test]
fn a_step_of_an_optional_agent_is_left_out_when_it_fails_unless_it_says_something_else() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "linter", 1, "optional: true");
    agent(&sandbox, "spell", 1, "skip_if_unavailable: true");
    agent(&sandbox, "plain", 1, "");
    sandbox.write("reenact.toml", "[agents.plain]\noptional = true\n");
    let steps = "{id: a, needs: [], agent: linter}, {id: b, needs: [], agent: spell}, {id: c, needs: [], agent: plain}";
    sandbox.write("w.yaml", format!("steps: [{steps}, {{id: d, run: echo done}}]"));
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["degraded"], true);
    for step in report["steps"].as_array().unwrap() {
        let status = if step["id"] == "d" { "completed" } else { "skipped" };
        assert_eq!(step["status"], status, "{step}");
    }
    for own in ["optional: false", "on_error: retry_then_fail"] {
        sandbox.write("own.yaml", format!("steps: [{{id: a, agent: linter, {own}}}]"));
        assert_eq!(sandbox.json(1, &["run", "own.yaml"])["status"], "failed", "{own}");
    }
    sandbox.write("all.yaml", "defaults: {on_error: retry_then_fail}\nsteps: [{id: a, agent: linter}]");
    assert_eq!(sandbox.json(1, &["run", "all.yaml"])["status"], "failed");
    // A run does not read agents again: whoever goes on with it finds what was recorded.
    sandbox.write("later.yaml", "steps: [{id: a, agent: linter}]");
    sandbox.json(4, &["run", "later.yaml", "--id", "later", "--detach"]);
    agent(&sandbox, "linter", 1, "");
    assert_eq!(sandbox.json(0, &["resume", "later"])["degraded"], true);
    sandbox.write("agents/linter.md", "---\nname: linter\ndescription: d\noptional: maybe\n---\n");
    let refused = sandbox.json(2, &["run", "later.yaml"]);
    assert_eq!(refused["error"]["code"], "RE-1302", "{refused}");
}

#[test]
fn what_is_done_in_a_lesser_way_is_told_while_the_run_is_seen_through() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "first", 1, "");
    agent(&sandbox, "second", 0, "");
    let text = "name: lesser
steps:
  - {id: a, agent: first, fallback: {agent: second}}
  - {id: b, agent: first, optional: true}
  - {id: c, run: exit 3, on_error: continue}
  - {id: d, if: 'false', run: 'true'}
  - {id: e, run: 'true'}
";
    sandbox.write("w.yaml", text);
    let warnings = |arguments: &[&str], quiet: bool| {
        let mut command = sandbox.command(arguments);
        if quiet {
            command.env("REENACT_RUN__WARN_ON_FALLBACK", "false");
        }
        let ended = sandbox.start(command).wait();
        assert_eq!(ended.code(), Some(0), "{ended}");
        let lines = ended.stderr.lines().filter(|line| line.starts_with("warning: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        "step `a`: fallback from agent `first` to `second`",
        "step `a` is done, degraded",
        "step `b` is skipped",
        "step `c` failed, and the run goes on without it",
    ];
    for arguments in [&["run", "w.yaml"][..], &["--json", "run", "w.yaml"]] {
        let told = warnings(arguments, false);
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, words) in told.iter().zip(expected) {
            assert!(told.contains(words), "{told}");
        }
        assert!(warnings(arguments, true).is_empty());
    }
    // Who goes on with a run is told of what happens from there on.
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--until", "a"]);
    sandbox.json(0, &["unpause", "r"]);
    assert_eq!(warnings(&["resume", "r"], false).len(), 2);
}

#[test]
fn defaults_of_the_configuration_hold_where_the_file_says_nothing_and_are_recorded() {
    let sandbox = Sandbox::new();
    let config = "[defaults]\ntimeout = '5m'\n[defaults.retry]\nattempts = 2\ninitial = '1ms'\njitter = 0\n";
    sandbox.write("reenact.toml", config);
    let failing = |name: &str, more: &str| {
        sandbox.write(&format!("{name}.yaml"), format!("name: {name}\n{more}"));
        sandbox.json(1, &["run", &format!("{name}.yaml"), "--id", name])["steps"][0]["attempts"].clone()
    };
    assert_eq!(failing("none", "steps: [{id: a, run: exit 1}]"), 2);
    assert_eq!(failing("own", "steps: [{id: a, run: exit 1, retry: {attempts: 3}}]"), 3);
    assert_eq!(failing("file", "defaults: {retry: {attempts: 4}}\nsteps: [{id: a, run: exit 1}]"), 4);
    assert_eq!(failing("off", "defaults: {retry: {policy: none}}\nsteps: [{id: a, run: exit 1}]"), 1);
    assert_eq!(failing("once", "steps: [{id: a, run: exit 1, at_most_once: true}]"), 1);
    let deadline =
        &sandbox.history("none").into_iter().find(|event| event["type"] == "attempt_started").unwrap();
    assert!(!deadline["data"]["deadline"].is_null(), "{deadline}");

    // What holds for a run is what was configured when it started.
    sandbox.write("later.yaml", "steps: [{id: a, run: exit 1}]");
    sandbox.json(4, &["run", "later.yaml", "--id", "later", "--detach"]);
    sandbox.write("reenact.toml", "");
    assert_eq!(sandbox.json(1, &["resume", "later"])["steps"][0]["attempts"], 2);

    for (config, words) in [
        ("[defaults.retry]\npolicy = 'often'", "one of none, fixed"),
        ("[defaults.retry]\npolicy = 'none'\nattempts = 2", "one attempt"),
        ("[defaults.retry]\ninitial = '2m'\nmax = '1m'", "shorter"),
        ("[defaults]\ntimeout = '0s'", "longer than zero"),
        ("[defaults.retry]\nattemps = 2", "`defaults.retry.attempts`"),
        ("[defaults.retry]\njitter = 2", "0 to 1"),
    ] {
        sandbox.write("reenact.toml", config);
        let error = sandbox.json(2, &["run", "later.yaml"])["error"].clone();
        assert_eq!(error["code"], json!("RE-5001"), "{config}: {error}");
        assert!(error.to_string().contains(words), "{config}: {error}");
    }
}
