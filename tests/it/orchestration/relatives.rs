//! A run that a step has started is seen from its parent, and its parent from it; a parent of which nothing goes on but
//! a child that waits does so too.

use serde_json::{Value, json};

use super::{first, log, step, with};
use crate::support::Sandbox;

/// The run `r`, whose step `inner` has started a run that waits, and the report of `r`.
fn family() -> (Sandbox, Value) {
    let sandbox = with(
        "name: outer
steps:
  - {id: inner, workflow: inner.yaml, with: {n: 1}}
  - {id: after, run: 'echo {{ steps.inner.output }} >> log'}
",
    );
    sandbox.write(
        "inner.yaml",
        "name: inner
steps: [{id: a, run: 'echo a{{ input.n }} >> log', approve: before}]
output: done
",
    );
    let report = sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    (sandbox, report)
}

#[test]
fn parent_and_child_are_seen_from_each_other() {
    let (sandbox, report) = family();
    let child = first(&report);
    assert_eq!(report["children"], json!([{"run": child, "step": "inner", "status": null}]));
    assert_eq!(step(&report, "inner")["child"], child.as_str());
    let below = sandbox.status(&child);
    assert_eq!(
        (&below["workflow"], &below["parent"]),
        (&"inner".into(), &json!({"run": "r", "step": "inner"}))
    );
    let (above, below) =
        (sandbox.reenact(&["status", "r"]).stdout, sandbox.reenact(&["status", &child]).stdout);
    assert!(above.contains(&format!("run of `inner`: {child}")), "{above}");
    assert!(below.contains("started by `inner` of run r"), "{below}");
}

#[test]
fn a_parent_waits_while_its_child_does_and_goes_on_with_it() {
    let (sandbox, report) = family();
    let child = first(&report);
    // Also when nobody holds the store: nothing of it could go on.
    for report in [&report, &sandbox.status("r")] {
        assert_eq!((&report["status"], &report["driven"]), (&"waiting".into(), &true.into()), "{report:#}");
        let waiting = &report["waiting_for"][0];
        assert_eq!((&waiting["kind"], &waiting["step"]), (&"child".into(), &"inner".into()));
    }
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert!(shown.contains(&format!("reenact status {child}")), "{shown}");
    assert_eq!(sandbox.json(4, &["resume", "r"])["status"], "waiting");
    sandbox.json(0, &["approve", &child, "a"]);
    let between = sandbox.status("r");
    assert_eq!((&between["status"], &between["driven"]), (&"running".into(), &false.into()));
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!(report["children"][0]["status"], "completed");
    assert_eq!(log(&sandbox), ["a1", "done"]);
}
