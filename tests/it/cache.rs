//! Steps with a `cache`, with the real binary: what is taken again, and what is not.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// Each call leaves a line, so that it is counted.
const AGENT: &str = "---\nname: thinker\ndescription: Thinks\nexecutor: subprocess\ncommand: [sh, -c, \"echo x >> calls; wc -l < calls\"]\n---\nThink.\n";

const WORKFLOW: &str = "
name: w
input: {type: object, properties: {topic: {type: string, default: tea}}}
steps:
  - id: think
    agent: thinker
    prompt: \"About {{ input.topic }}\"
    cache: {ttl: 1h, files: ['docs/**/*.md']}
output: \"{{ steps.think.output }}\"
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("agents/thinker.md", AGENT);
    sandbox.write("w.yaml", WORKFLOW);
    sandbox.write("docs/a.md", "one");
    sandbox
}

/// Runs it, and answers whether its step took an earlier answer.
fn is_cached(sandbox: &Sandbox, more: &[&str]) -> bool {
    let report = sandbox.json(0, &[&["run", "w.yaml"], more].concat());
    let step = &report["steps"][0];
    let cached = step["cached"].as_bool().unwrap();
    assert_eq!(step["attempts"], u64::from(!cached), "{report}");
    assert_eq!(report["degraded"], false);
    cached
}

fn calls(sandbox: &Sandbox) -> usize {
    std::fs::read_to_string(sandbox.work("calls")).map_or(0, |calls| calls.lines().count())
}

fn kept(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.json(0, &["cache", "list"])["answers"].as_array().unwrap().clone()
}

#[test]
fn the_same_is_asked_once_until_agent_prompt_input_or_a_file_changes() {
    let sandbox = sandbox();
    let nothing = sandbox.json(0, &["cache", "list"]);
    assert_eq!(nothing["answers"], json!([]));
    assert!(!sandbox.data().exists(), "to look makes no data folder");
    assert!(!is_cached(&sandbox, &["--id", "first"]));
    assert!(is_cached(&sandbox, &["--id", "second"]));
    let hit = sandbox.events("second", "cache_hit").remove(0);
    let source = &hit["data"]["source"];
    assert_eq!((&source["run"], &source["step"]), (&json!("first"), &json!("think")));
    let kept_at = sandbox.events("first", "answer_kept").remove(0)["version"].clone();
    assert_eq!(source["version"], kept_at);
    assert!(!is_cached(&sandbox, &["--input", "topic=coffee"]), "another prompt");
    assert!(is_cached(&sandbox, &["--input", "topic=coffee"]));
    sandbox.write("docs/deep/b.md", "two");
    assert!(!is_cached(&sandbox, &[]), "one more file");
    assert!(is_cached(&sandbox, &[]));
    sandbox.write("docs/a.md", "other");
    assert!(!is_cached(&sandbox, &[]), "a changed file");
    sandbox.write("docs/a.txt", "no matter");
    assert!(is_cached(&sandbox, &[]));
    sandbox.write("agents/thinker.md", AGENT.replace("Think.", "Think well."));
    assert!(!is_cached(&sandbox, &[]), "another agent");
    sandbox.write("agents/thinker.md", AGENT);
    assert!(is_cached(&sandbox, &[]), "the first one again");
    assert_eq!(calls(&sandbox), 5);
    let text = sandbox.reenact(&["why", "second", "think"]);
    assert!(text.stdout.contains("took what `think` of run first had answered"), "{text}");
}

#[test]
fn a_run_without_cache_asks_anew_and_what_it_answers_is_taken_from_then_on() {
    let sandbox = sandbox();
    assert!(!is_cached(&sandbox, &["--id", "a"]));
    assert!(!is_cached(&sandbox, &["--id", "b", "--no-cache"]));
    assert!(is_cached(&sandbox, &["--id", "c"]));
    let taken = sandbox.events("c", "cache_hit").remove(0);
    assert_eq!(taken["data"]["source"]["run"], "b");
    assert_eq!(sandbox.count("b", "cache_bypassed", None), 1);
    // It is said again of the same run, or of one that began without.
    assert_eq!(sandbox.json(0, &["run", "w.yaml", "--id", "b", "--no-cache"])["run"], "b");
    let late = sandbox.json(2, &["run", "w.yaml", "--id", "c", "--no-cache"]);
    assert!(late["error"]["hint"].as_str().unwrap().contains("--no-cache"), "{late}");
}

#[test]
fn an_answer_that_is_older_than_its_ttl_is_not_taken() {
    let sandbox = sandbox();
    sandbox.write("w.yaml", WORKFLOW.replace("ttl: 1h", "ttl: 1ms"));
    assert!(!is_cached(&sandbox, &[]));
    assert!(!is_cached(&sandbox, &[]));
    let kept = kept(&sandbox);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0]["expires"].is_string() && kept[0]["hits"] == 0, "{kept:?}");
}

#[test]
fn what_is_cleared_does_not_come_back_when_all_is_folded_anew() {
    let sandbox = sandbox();
    sandbox.write("s.yaml", "name: s\nsteps: [{id: a, run: 'echo 1', cache: {}}]");
    assert!(!is_cached(&sandbox, &[]));
    sandbox.json(0, &["run", "s.yaml"]);
    assert_eq!(kept(&sandbox).len(), 2);
    assert_eq!(sandbox.json(0, &["cache", "clear", "--agent", "Thinker_agent"])["cleared"], 1);
    let left = kept(&sandbox);
    assert_eq!((left.len(), &left[0]["agent"]), (1, &json!("shell")));
    assert!(!is_cached(&sandbox, &[]));
    assert!(is_cached(&sandbox, &[]));
    assert_eq!(sandbox.json(0, &["cache", "clear"])["cleared"], 2);
    assert_eq!(sandbox.json(0, &["cache", "clear"])["cleared"], 0);
    assert!(kept(&sandbox).is_empty());
    assert!(!is_cached(&sandbox, &[]));
    let cleared = sandbox.reenact(&["history", "cache/answers", "--json"]);
    assert_eq!(cleared.json_lines().len(), 3, "{cleared}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn what_nobody_takes_goes_first_when_there_is_too_much() {
    let sandbox = sandbox();
    // There is room for two: each counts 256 bytes and its own few.
    sandbox.configure("[cache]\nmax_bytes = 600\n");
    let asks = |topic: &str| is_cached(&sandbox, &["--input", &format!("topic={topic}")]);
    assert!(!asks("a"));
    assert!(!asks("b"));
    assert!(asks("a"), "a is taken, so b goes first");
    assert!(!asks("c"));
    assert!(asks("a"));
    assert!(!asks("b"), "it had to go");
    let listed = sandbox.json(0, &["cache", "list"]);
    assert_eq!(listed["answers"].as_array().unwrap().len(), 2);
    assert!(listed["bytes"].as_u64().unwrap() <= 600 && listed["max_bytes"] == 600, "{listed}");
}

#[test]
fn a_run_that_is_killed_asks_once_more_at_most_and_then_nobody_does() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "agents/thinker.md",
        AGENT.replace("wc -l < calls", "touch begun; while [ ! -e go ]; do sleep 0.01; done; echo 1"),
    );
    sandbox.write("w.yaml", WORKFLOW);
    let run = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("it has begun", || sandbox.work("begun").exists());
    run.kill();
    std::fs::write(sandbox.work("go"), "").unwrap();
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!((&report["status"], &report["steps"][0]["cached"]), (&json!("completed"), &json!(false)));
    assert_eq!(calls(&sandbox), 2);
    assert!(is_cached(&sandbox, &[]));
    assert_eq!(calls(&sandbox), 2);
}

#[test]
fn what_a_cache_may_not_stand_beside_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    for (beside, word) in [
        ("compensate: {run: undo}", "`cache` and `compensate`"),
        ("irreversible: true", "`cache` and `irreversible`"),
        ("repeat: {until: 'true', max: 2}", "`cache` and `repeat`"),
        ("approve: after", "`cache` and `approve: after`"),
    ] {
        sandbox.write(
            "w.yaml",
            format!("name: w\nsteps:\n  - id: a\n    run: x\n    {beside}\n    cache: {{}}\n"),
        );
        let ended = sandbox.json(2, &["validate", "w.yaml"]);
        let error = &ended["files"][0]["errors"][0];
        assert_eq!((&error["code"], &error["at"]["line"]), (&json!("RE-1112"), &json!(6)), "{ended}");
        assert!(error["message"].as_str().unwrap().contains(word), "{ended}");
    }
    for (cache, code) in [
        ("{files: ['../x']}", "RE-1104"),
        ("{files: [/etc/*]}", "RE-1104"),
        ("{files: ['a[']}", "RE-1104"),
        ("{ttl: 0s}", "RE-1104"),
        ("{tll: 1h}", "RE-1103"),
    ] {
        sandbox.write("w.yaml", format!("name: w\nsteps:\n  - id: a\n    run: x\n    cache: {cache}\n"));
        let ended = sandbox.json(2, &["validate", "w.yaml"]);
        assert_eq!(ended["files"][0]["errors"][0]["code"], code, "{cache}: {ended}");
    }
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: x, compensate: none, cache: {}}]");
    assert_eq!(sandbox.json(0, &["validate", "w.yaml"])["files"][0]["ok"], true);
}

/// Nobody but the store knows them by then.
#[test]
fn a_secret_is_in_no_answer_that_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.configure("[process]\nsecrets = [\"TOKEN\"]\n");
    sandbox.write(
        "w.yaml",
        "name: w\nsteps: [{id: a, run: 'echo $TOKEN; echo MASK: open-sesame; echo open-sesame', cache: {}}]",
    );
    for cached in [false, true] {
        let mut command = sandbox.command(&["--json", "run", "w.yaml"]);
        command.env("TOKEN", "hunter2-hunter2");
        let ended = sandbox.start(command).wait();
        assert_eq!(ended.json()["steps"][0]["cached"], cached, "{ended}");
        let all = [ended.stdout.as_str(), ended.stderr.as_str()].concat();
        assert!(!all.contains("hunter2") && !all.contains("open-sesame"), "{all}");
    }
}
