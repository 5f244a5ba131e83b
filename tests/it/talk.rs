//! What agents that talk have to do for whoever uses them, each in its plainest form with real programs: a shared context, messages,
//! updates of the context, locks, and results that are handed on.

use serde_json::json;

use crate::support::Sandbox;

/// An agent whose program is that text of the shell.
fn agent(sandbox: &Sandbox, name: &str, program: &str) {
    sandbox.write(&format!("bin/{name}"), program);
    let file = format!("---\nname: {name}\ndescription: Does its part\ncommand: [sh, bin/{name}]\n---\n");
    sandbox.write(&format!("agents/{name}.md"), file);
}

#[test]
fn shared_context_management() {
    let sandbox = Sandbox::new();
    agent(
        &sandbox,
        "finder",
        r#"cat >&2; echo 'CONTEXT region="north"'; echo 'CONTEXT found={"ids":[7,9]}'; echo '{}'"#,
    );
    let workflow = "
name: w
steps:
  - {id: find, agent: finder}
  - {id: use, run: \"echo {{ context.found.ids | length }} in {{ context.region }}\"}
output: {said: '{{ steps.use.output.stdout }}', all: '{{ context.found }}'}";
    sandbox.write("w.yaml", workflow);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["output"], json!({"said": "2 in north", "all": {"ids": [7, 9]}}));
    let found = sandbox.json(0, &["context", "get", "r", "found"]);
    assert_eq!(
        (&found["value"], &found["version"], &found["by"]),
        (&json!({"ids": [7, 9]}), &json!(1), &json!("find"))
    );
}

#[test]
fn message_passing() {
    let sandbox = Sandbox::new();
    let asks =
        r#"cat >&2; echo 'SEND: {"to":"answerer","kind":"request","correlation":"q","body":6}'; echo '{}'"#;
    agent(&sandbox, "asker", asks);
    let answers = r#"n=$(grep -o '"body":[0-9]*' | cut -d: -f2)
echo "SEND: {\"to\":\"asker\",\"kind\":\"response\",\"correlation\":\"q\",\"body\":$((n * 7))}"; echo '{}'"#;
    agent(&sandbox, "answerer", answers);
    agent(&sandbox, "reader", "cat");
    let workflow = "
name: w
steps: [{id: ask, agent: asker}, {id: answer, agent: answerer}, {id: read, agent: asker}]";
    sandbox.write("w.yaml", workflow);
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let shown = sandbox.reenact(&["--json", "messages", "r", "--correlation", "q"]).json_lines();
    let told: Vec<_> =
        shown.iter().map(|message| (&message["kind"], &message["state"], &message["body"])).collect();
    assert_eq!(told[0], (&json!("request"), &json!("handled"), &json!(6)));
    assert_eq!(told[1], (&json!("response"), &json!("handled"), &json!(42)));
}

#[test]
fn context_updates() {
    let sandbox = Sandbox::new();
    agent(&sandbox, "first", "cat >&2; echo 'CONTEXT count@0=1'; echo '{}'");
    agent(&sandbox, "late", "cat >&2; echo 'CONTEXT count@0=5'; echo '{}'");
    agent(&sandbox, "second", "cat >&2; echo 'CONTEXT count@1=2'; echo '{}'");
    let workflow = "
name: w
steps:
  - {id: a, agent: first}
  - {id: b, agent: late, on_error: continue}
  - {id: c, agent: second}
output: '{{ context.count }}'";
    sandbox.write("w.yaml", workflow);
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["output"], 2, "who expects an old version writes nothing");
    assert_eq!(report["steps"][1]["error"]["code"], "RE-1404");
}

#[test]
fn context_locking() {
    let sandbox = Sandbox::new();
    // Without the lock each would read what the other has not written yet.
    let adds = "n=$(cat n); sleep 0.05; echo $((n + 1)) > n; echo '{}'";
    sandbox.write("n", "0");
    agent(&sandbox, "adder", adds);
    let workflow = "
name: w
contexts: {t: team}
steps: [{id: add, for_each: [1, 2, 3, 4, 5, 6], agent: adder, locks: [t/n]}]";
    sandbox.write("w.yaml", workflow);
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(std::fs::read_to_string(sandbox.work("n")).unwrap().trim(), "6");
    let locks = sandbox.json(0, &["context", "locks", "team"]);
    assert_eq!(locks["locks"], json!([]), "all are given back");
}

#[test]
fn result_handoffs() {
    let sandbox = Sandbox::new();
    let hands_over = "cat >&2
printf 'It is a question of money.\\n\\nHANDOFF DECLARATION:\\nTo: accountant\\nReason: it is about money\\nContext:\\n  - Amount: 12.50\\n'";
    agent(&sandbox, "clerk", hands_over);
    agent(&sandbox, "accountant", "grep -o '\"amount\":[^,}]*' | head -1");
    let ended = sandbox.json(0, &["ask", "--agent", "clerk", "What is owed?", "--id", "r"]);
    assert_eq!(ended["handoffs"]["chain"], json!(["clerk", "accountant"]));
    assert!(ended["output"]["stdout"].as_str().unwrap().contains("12.5"), "{ended}");
}
