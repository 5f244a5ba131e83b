//! What programs share: what one writes, another reads, and what it was then is seen again.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

#[test]
fn orch_006_what_a_program_writes_others_read_in_expressions_and_in_their_documents() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/reader.md", "---\nname: reader\ndescription: Reads\ncommand: [cat]\n---\n");
    sandbox.write(
        "w.yaml",
        r#"
name: w
steps:
  - id: find
    run: |
      echo 'CONTEXT owner="ann"'
      echo 'CONTEXT owner={"name": "bob", "since": 2}'
      echo found
  - {id: quote, run: "echo {{ context.owner.name }}"}
  - {id: read, agent: reader}
  - {id: answer, agent: reader, with: {all: "{{ context }}"}}
output: "{{ context.owner.since }}"
"#,
    );
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let steps = &report["steps"];
    assert_eq!(steps[0]["output"], json!({"stdout": "found"}), "its lines are taken out");
    assert_eq!(steps[1]["output"], json!({"stdout": "bob"}));
    let entry = json!({"owner": {"value": {"name": "bob", "since": 2}, "version": 2}});
    assert_eq!(steps[2]["output"]["context"], entry);
    assert_eq!(steps[3]["output"]["input"]["all"], json!({"owner": {"name": "bob", "since": 2}}));
    assert_eq!(report["output"], 2);
    let changed = sandbox.events("r", "context_changed");
    let told: Vec<_> =
        changed.iter().map(|event| (&event["data"]["version"], &event["data"]["step"])).collect();
    assert_eq!(told, [(&json!(1), &json!("find")), (&json!(2), &json!("find"))]);
    let completed = sandbox.events("r", "step_completed");
    let version = |event: &Value| event["version"].as_u64().unwrap();
    assert_eq!(version(&changed[1]) + 1, version(&completed[0]), "it comes before what it came to");
}

#[test]
fn orch_006_who_writes_what_another_has_written_meanwhile_reads_it_again() {
    let sandbox = Sandbox::new();
    // Each counts up by one what it has read, when both have read it.
    let count = r#"
    run: |
      touch at-$REENACT_STEP
      until test -e at-one && test -e at-two; do sleep 0.01; done
      echo "CONTEXT n@$VERSION=$((N + 1))"
    env: {N: "{{ context.n }}", VERSION: "{{ context.n + 1 }}"}
    retry: {attempts: 3, initial: 10ms}"#;
    sandbox.write(
        "w.yaml",
        format!(
            "name: w\nsteps:\n  - {{id: zero, run: \"echo CONTEXT n=0\"}}\n  - id: one\n    needs: [zero]{count}\n  - id: two\n    needs: [zero]{count}\noutput: \"{{{{ context.n }}}}\"\n"
        ),
    );
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["output"], 2, "no count is lost");
    let failed = sandbox.events("r", "attempt_failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    let failed = &failed[0]["data"];
    assert_eq!((&failed["code"], &failed["class"]), (&json!("RE-1404"), &json!("transient")));
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.contains("version 1 of `n`") && message.contains("it has version 2, written by"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_written_fails_its_step_and_nothing_is_written() {
    let sandbox = Sandbox::new();
    for (line, code, says) in [
        ("CONTEXT a/b=1", "RE-1409", "no context by the alias `a`"),
        ("CONTEXT n@x=1", "RE-1401", "`x` in `n@x` is no version"),
        ("CONTEXT ../n=1", "RE-1409", "no context by the alias `..`"),
        ("CONTEXT a.b=1", "RE-1401", "letters"),
    ] {
        sandbox.write(
            "w.yaml",
            format!("name: w\nsteps:\n  - {{id: a, run: \"echo CONTEXT ok=1; echo {line}\"}}\n"),
        );
        let id = format!("r{}", line.len());
        let report = sandbox.json(1, &["run", "w.yaml", "--id", &id]);
        let error = &report["steps"][0]["error"];
        assert_eq!(error["code"], code, "{report}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(sandbox.count(&id, "context_changed", None), 0, "all or nothing");
        std::fs::remove_dir_all(sandbox.data()).unwrap();
    }
}

#[test]
fn orch_006_an_attempt_that_dies_with_its_process_has_written_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - id: a\n    run: |\n      echo 'CONTEXT n=1'\n      test -e again && exit 0\n      touch again\n      sleep 60\n  - {id: b, run: \"echo {{ context.n }}\"}\n",
    );
    let run = sandbox.spawn(&["--json", "run", "w.yaml", "--id", "r"]);
    wait_until("it has written its line", || sandbox.work("again").exists());
    run.kill();
    assert!(sandbox.events("r", "context_changed").is_empty());
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(report["steps"][1]["output"], json!({"stdout": "1"}));
    assert_eq!(sandbox.events("r", "context_changed").len(), 1);
    let why = sandbox.reenact(&["why", "r", "b"]).stdout;
    assert!(why.contains("`a` wrote `n` into the context (version 1): 1"), "{why}");
}
