//! `swarm.yaml`: four specialists of two languages, none of whom was told who comes next.

use serde_json::json;

use super::sandbox;

const FILE: &str = "examples/swarm.yaml";
const CHAIN: [&str; 4] = ["triage", "query_analyst", "schema_fixer", "scribe"];

#[test]
fn specialists_go_on_where_the_one_before_them_hands_over_though_one_of_them_dies() {
    let sandbox = sandbox();
    let report = sandbox.json(0, &["run", FILE, "--id", "swarm"]);
    assert_eq!(report["output"]["by"], json!(CHAIN));
    assert_eq!(report["output"]["fix"], "CREATE INDEX prices_by_article ON prices (article);");
    let found = report["output"]["report"].as_array().unwrap();
    assert_eq!(found[0], "triage: The requests to /cart take 970.333 ms on average, all others are fast.");
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!((&report["handoffs"]["chain"], &report["handoffs"]["total"]), (&json!(CHAIN), &json!(3)));
    let steps: Vec<_> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["id"].as_str().unwrap(),
                step["agent"].as_str().unwrap(),
                step["attempts"].as_u64().unwrap(),
            )
        })
        .collect();
    let meant = [
        ("look", "triage", 1),
        ("look/handoff[1]", "query_analyst", 2),
        ("look/handoff[2]", "schema_fixer", 1),
        ("look/handoff[3]", "scribe", 1),
        ("note", "shell", 1),
    ];
    assert_eq!(steps, meant, "the second was killed in its middle, and tried again");
    let healthy = sandbox.json(0, &["run", FILE, "--id", "healthy", "--input", "dies:=false"]);
    assert_eq!(healthy["output"], report["output"]);
    assert_eq!(sandbox.count("healthy", "attempt_failed", None), 0);
}

#[test]
fn why_tells_how_the_work_went_from_one_to_the_next() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "swarm"]);
    let why = sandbox.json(0, &["why", "swarm", "note"]);
    let told: Vec<_> = why["chain"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|cause| cause["type"] == "handoff_declared")
        .map(|cause| (cause["step"].as_str().unwrap(), cause["says"].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), 3, "{why:#}");
    assert_eq!(told[2].0, "look");
    assert!(told[2].1.starts_with("triage handed over to query_analyst in `look`: what is slow"), "{told:?}");
    let graph = sandbox.reenact(&["graph", "swarm", "--format", "mermaid"]);
    assert!(graph.stdout.contains("-. hands over .->"), "{graph}");
}

#[test]
fn who_may_not_hand_over_to_another_does_not() {
    let sandbox = sandbox();
    let file = sandbox.work("examples/agents/query_analyst.md");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[schema_fixer]", "[scribe]")).unwrap();
    let report = sandbox.json(1, &["run", FILE]);
    assert_eq!(
        (&report["error"]["code"], &report["error"]["class"]),
        (&json!("RE-1603"), &json!("validation"))
    );
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("`schema_fixer`, and may hand over only to `scribe`"), "{message}");
}
