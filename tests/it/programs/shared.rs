//! What runs share: their programs read and write contexts of the workflow, and hold their locks, also when the process that
//! runs them is killed.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

fn data_of(sandbox: &Sandbox, run: &str, kind: &str) -> Vec<Value> {
    sandbox.events(run, kind).iter().map(|event| event["data"].clone()).collect()
}

#[test]
fn what_a_step_reads_is_recorded_with_its_version_and_seen_again_when_it_is_another_by_then() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/reader.md", "---\nname: reader\ndescription: Reads\ncommand: [cat]\n---\n");
    sandbox.write(
        "w.yaml",
        r#"
name: w
contexts: {prices: tea-prices}
steps:
  - {id: quote, run: "echo {{ contexts.prices.tea * 2 }}", if: "contexts.prices.tea > 1"}
  - {id: none, run: "true", if: "contexts.prices.coffee is defined"}
  - {id: read, agent: reader, with: {tea: "{{ contexts.prices.tea }}", none: "{{ contexts.prices.coffee | default('-') }}"}}
output: "{{ steps.quote.output.stdout }}"
"#,
    );
    sandbox.json(0, &["context", "set", "tea-prices", "tea:=3"]);
    sandbox.json(0, &["context", "set", "tea-prices", "tea:=4"]);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["output"], "8");
    assert_eq!(report["steps"][1]["status"], "skipped");
    let read = &report["steps"][2]["output"];
    assert_eq!(read["input"], json!({"tea": 4, "none": "-"}));
    let entry = |value: Value, version| json!({"value": value, "version": version});
    let known = json!({"prices": {"tea": entry(json!(4), 2), "coffee": entry(Value::Null, 0)}});
    assert_eq!(read["contexts"], known);
    sandbox.json(0, &["context", "set", "tea-prices", "tea:=9"]);
    let reads = data_of(&sandbox, "r", "context_read");
    let first = json!({"step": "quote", "context": "tea-prices", "key": "tea", "version": 2, "value": 4});
    assert_eq!((&reads[0], reads.len()), (&first, 4), "{reads:?}");
    let why = sandbox.reenact(&["why", "r", "quote"]).stdout;
    assert!(why.contains("`quote` read `tea` of the context `tea-prices` (version 2): 4"), "{why}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

/// Each adds one to what all of them count, until that works.
const COUNT: &str = r#"
name: count
contexts: {c: counter}
steps:
  - id: add
    run: echo "CONTEXT c/n@$VERSION=$((N + 1))"
    env: {N: "{{ contexts.c.n | default(0) }}", VERSION: "{{ contexts.c.n | default(0) }}"}
    retry: {attempts: 50, policy: fixed, initial: 10ms}
"#;

#[test]
fn runs_that_write_one_key_at_once_lose_no_count() {
    let sandbox = Sandbox::new();
    sandbox.write("count.yaml", COUNT);
    let runs: Vec<_> = (0..6)
        .map(|run| sandbox.spawn(&["--json", "run", "count.yaml", "--id", &format!("r{run}")]))
        .collect();
    for run in runs {
        let ended = run.wait();
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
    let counted = sandbox.json(0, &["context", "get", "counter", "n"]);
    assert_eq!((&counted["value"], &counted["version"]), (&json!(6), &json!(6)));
    let by: Vec<_> = sandbox.reenact(&["--json", "context", "history", "counter", "n"]).json_lines();
    let mut by: Vec<_> = by.iter().map(|line| line["by"].as_str().unwrap().to_owned()).collect();
    by.sort_unstable();
    assert_eq!(by, ["r0/add", "r1/add", "r2/add", "r3/add", "r4/add", "r5/add"]);
}

#[test]
fn a_program_reaches_no_context_but_those_of_its_workflow() {
    let sandbox = Sandbox::new();
    for (nth, (line, code, says)) in [
        ("CONTEXT counter/n=1", "RE-1409", "no context by the alias `counter`"),
        ("CONTEXT ../n=1", "RE-1409", "no context by the alias `..`"),
        ("CONTEXT d/n=1", "RE-1409", "did you mean `c`?"),
        ("CONTEXT c/a.b=1", "RE-1401", "letters"),
        ("CONTEXT c/n/m=1", "RE-1401", "letters"),
        ("CONTEXT c/n@x=1", "RE-1401", "`x` in `n@x` is no version"),
        ("CONTEXT c/n@7=1", "RE-1404", "version 7"),
    ]
    .into_iter()
    .enumerate()
    {
        let steps = format!("  - {{id: a, run: \"echo CONTEXT own=1; echo '{line}'\"}}\n");
        sandbox.write("w.yaml", format!("name: w\ncontexts: {{c: counter}}\nsteps:\n{steps}"));
        let id = format!("r{nth}");
        let report = sandbox.json(1, &["run", "w.yaml", "--id", &id]);
        let error = &report["steps"][0]["error"];
        assert_eq!(error["code"], code, "{line}: {report}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(sandbox.count(&id, "context_changed", None), 0, "all or nothing");
    }
    let refused = sandbox.json(2, &["context", "get", "counter"]);
    assert_eq!(refused["error"]["code"], "RE-1402", "nothing was written");
}

/// Two attempts that are inside at once leave a mark.
const ALONE: &str = r#"
name: alone
contexts: {c: shared}
steps:
  - id: work
    run: |
      mkdir inside || { touch together; exit 78; }
      echo "$REENACT_RUN" >> order
      sleep 0.05
      rmdir inside
      echo "CONTEXT c/last=\"$REENACT_RUN\""
    locks: [c/door]
"#;

#[test]
fn orch_006_attempts_that_hold_one_lock_are_never_inside_together() {
    let sandbox = Sandbox::new();
    sandbox.write("alone.yaml", ALONE);
    let runs: Vec<_> = (0..5)
        .map(|run| sandbox.spawn(&["--json", "run", "alone.yaml", "--id", &format!("r{run}")]))
        .collect();
    for run in runs {
        let ended = run.wait();
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
    assert!(!sandbox.work("together").exists());
    let fences: Vec<_> = (0..5)
        .flat_map(|run| data_of(&sandbox, &format!("r{run}"), "lock_acquired"))
        .map(|acquired| acquired["fence"].as_u64().unwrap())
        .collect();
    assert_eq!(fences.len(), 5);
    let order = std::fs::read_to_string(sandbox.work("order")).unwrap();
    let last = sandbox.json(0, &["context", "get", "shared", "last"]);
    assert_eq!(last["value"].as_str(), order.lines().last());
}

#[test]
fn a_lock_whose_process_was_killed_is_given_back_when_its_run_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hold.yaml",
        "name: hold\ncontexts: {c: shared}\nsteps:\n  - id: work\n    run: test -e again && exit 0; touch again; sleep 60\n    locks: [c/door]\n",
    );
    let run = sandbox.spawn(&["--json", "run", "hold.yaml", "--id", "r"]);
    wait_until("it is inside", || sandbox.work("again").exists());
    let locks = sandbox.reenact(&["--json", "context", "locks", "shared"]).stdout;
    assert!(locks.contains("r/work#1"), "{locks}");
    run.kill();
    // Another run waits for it: this one goes on first, and lets go.
    sandbox.write("alone.yaml", ALONE);
    let other = sandbox.spawn(&["--json", "run", "alone.yaml", "--id", "other"]);
    wait_until("it waits", || {
        let status = sandbox.reenact(&["--json", "status", "other"]).stdout;
        status.contains("\"kind\":\"lock\"") && status.contains("\"id\":\"shared/door\"")
    });
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(report["steps"][0]["attempts"], 2, "the first is lost");
    let ended = other.wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let owners: Vec<_> = data_of(&sandbox, "r", "lock_requested");
    let owners: Vec<_> = owners.iter().map(|requested| requested["owner"].as_str().unwrap()).collect();
    assert_eq!(owners, ["r/work#1", "r/work#2"]);
}

#[test]
fn what_is_wrong_with_contexts_and_locks_is_said_before_anything_starts() {
    let sandbox = Sandbox::new();
    for (file, code, says, line) in [
        ("contexts: [a]\nsteps: [{id: a, run: x}]\n", "RE-1104", "`contexts` takes a map", 2),
        ("contexts: {a-b: c}\nsteps: [{id: a, run: x}]\n", "RE-1401", "`a-b` is no alias", 2),
        ("contexts: {a: ../c}\nsteps: [{id: a, run: x}]\n", "RE-1401", "`../c`", 2),
        (
            "contexts: {a: c}\nsteps:\n  - {id: a, run: 'echo {{ contexts.b.k }}'}\n",
            "RE-1202",
            "no context has the alias `b`",
            4,
        ),
        (
            "contexts: {a: c}\nsteps:\n  - {id: a, run: 'echo {{ contexts.a }}'}\n",
            "RE-1202",
            "has to be written out",
            4,
        ),
        (
            "contexts: {a: c}\nsteps:\n  - {id: a, run: 'echo {{ contexts[input.x] }}'}\n",
            "RE-1202",
            "one key at a time",
            4,
        ),
        (
            "contexts: {a: c}\nsteps:\n  - {id: a, run: x}\noutput: '{{ contexts.a.k }}'\n",
            "RE-1202",
            "cannot read shared contexts",
            5,
        ),
        ("steps:\n  - {id: a, run: x, locks: [door]}\n", "RE-1401", "`door` names no lock", 3),
        ("steps:\n  - {id: a, run: x, locks: [c/do or]}\n", "RE-1401", "`do or`", 3),
        ("steps:\n  - {id: a, sleep: 1s, locks: [c/door]}\n", "RE-1112", "`locks` says nothing there", 3),
        ("steps:\n  - {id: a, workflow: x.yaml, locks: [c/door]}\n", "RE-1112", "locks of their own", 3),
    ] {
        sandbox.write("w.yaml", format!("name: w\n{file}"));
        let checked = sandbox.json(2, &["validate", "w.yaml"]);
        let errors = checked["files"][0]["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["code"] == code);
        let error = error.unwrap_or_else(|| panic!("{file}: {errors:?}"));
        assert!(error["message"].as_str().unwrap().contains(says), "{file}: {error}");
        assert_eq!(error["at"]["line"], line, "{file}");
    }
}
