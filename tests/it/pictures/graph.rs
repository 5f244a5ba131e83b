//! The picture of a workflow, and of a run, in each format.

use serde_json::json;

use super::syntax;
use crate::support::{Sandbox, wait_until};

/// A workflow with something of everything.
const RELEASE: &str = "
name: release
phases: {ship: {approve: before, approvers: [ada]}}
steps:
  - {id: fetch, run: 'true'}
  - {id: lint, needs: [], run: 'true'}
  - id: build
    needs: [fetch, lint]
    run: echo built
    compensate: {run: echo undone}
  - id: copy
    for_each: [a, b, c]
    run: test {{ item }} != c || { until test -e go; do sleep 0.01; done; false; }
  - {id: nap, needs: [build], sleep: 10ms}
  - {id: go, if: 'false', wait_for: approval}
  - {id: publish, needs: [copy, nap], phase: ship, run: publish, irreversible: true}
on_failure: stop
";

fn drawn(sandbox: &Sandbox, of: &str, format: &str) -> String {
    let ended = sandbox.reenact(&["graph", of, "--format", format]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended.stdout
}

#[test]
fn a_file_is_drawn_as_text() {
    let sandbox = Sandbox::new();
    sandbox.write("release.yaml", RELEASE);
    let text = "\
release
1  fetch       shell
   lint        shell
2  build       shell                      after fetch, lint, undone by shell
3  copy        shell                      after build, for each
   nap         sleeps 10ms                after build
4  go          waits for signal approval  after nap, if false
   phase:ship  people are asked           after copy, nap, phase ship
5  publish     shell                      after copy, nap, phase:ship, phase ship, cannot be undone
";
    assert_eq!(drawn(&sandbox, "release.yaml", "text"), text);
    assert_eq!(sandbox.reenact(&["graph", "release.yaml"]).stdout, text, "text is the default");
    assert!(!sandbox.data().exists(), "a file is drawn without a store");
}

#[test]
fn a_file_is_drawn_for_mermaid() {
    let sandbox = Sandbox::new();
    sandbox.write("release.yaml", RELEASE);
    let mermaid = "\
---
title: \"release\"
---
flowchart TD
    n0[\"fetch<br/>shell\"]
    n1[\"lint<br/>shell\"]
    n2[\"build<br/>shell<br/>undone by shell\"]
    n3[[\"copy<br/>shell<br/>for each\"]]
    n4([\"nap<br/>sleeps 10ms\"])
    n5([\"go<br/>waits for signal approval<br/>if false\"])
    subgraph p1[\"phase ship\"]
        n6{{\"phase:ship<br/>people are asked\"}}
        n7[\"publish<br/>shell<br/>cannot be undone\"]
    end
    n0 --> n2
    n1 --> n2
    n2 --> n3
    n2 --> n4
    n4 --> n5
    n3 --> n6
    n4 --> n6
    n3 --> n7
    n4 --> n7
    n6 --> n7
";
    assert_eq!(drawn(&sandbox, "release.yaml", "mermaid"), mermaid);
}

#[test]
fn a_file_is_drawn_for_graphviz() {
    let sandbox = Sandbox::new();
    sandbox.write("release.yaml", RELEASE);
    let dot = "\
digraph \"release\" {
    node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\"];
    n0 [label=\"fetch\\nshell\"];
    n1 [label=\"lint\\nshell\"];
    n2 [label=\"build\\nshell\\nundone by shell\"];
    n3 [label=\"copy\\nshell\\nfor each\", shape=box3d];
    n4 [label=\"nap\\nsleeps 10ms\", shape=ellipse];
    n5 [label=\"go\\nwaits for signal approval\\nif false\", shape=ellipse];
    subgraph cluster_p1 {
        label=\"phase ship\";
        n6 [label=\"phase:ship\\npeople are asked\", shape=hexagon];
        n7 [label=\"publish\\nshell\\ncannot be undone\"];
    }
    n0 -> n2;
    n1 -> n2;
    n2 -> n3;
    n2 -> n4;
    n4 -> n5;
    n3 -> n6;
    n4 -> n6;
    n3 -> n7;
    n4 -> n7;
    n6 -> n7;
}
";
    assert_eq!(drawn(&sandbox, "release.yaml", "dot"), dot);
}

#[test]
fn a_run_is_drawn_with_where_its_steps_are() {
    let sandbox = Sandbox::new();
    sandbox.write("release.yaml", RELEASE);
    let run = sandbox.spawn(&["--json", "run", "release.yaml", "--id", "r"]);
    // The item that fails stops what has not begun: it fails when nothing else is left to do.
    wait_until("the run began", || sandbox.reenact(&["history", "r"]).code() == Some(0));
    wait_until("all but one item has ended", || {
        sandbox.count("r", "step_skipped", None) == 1 && sandbox.count("r", "step_completed", None) == 6
    });
    sandbox.write("go", "");
    assert_eq!(run.wait().code(), Some(1));
    let before = sandbox.history("r");
    let text = "\
release  failed  run r
1  ✓ fetch       shell
   ✓ lint        shell
2  ✓ build       shell                      after fetch, lint, undone by shell
3  ✗ copy        shell                      after build, for each of 3: 2 completed, 1 failed
   ✓ nap         sleeps 10ms                after build
4  - go          waits for signal approval  after nap, if false
     phase:ship  people are asked           after copy, nap, phase ship
5    publish     shell                      after copy, nap, phase:ship, phase ship, cannot be undone
";
    for of in ["r", "last", "run/r"] {
        assert_eq!(drawn(&sandbox, of, "text"), text);
    }
    let mermaid = drawn(&sandbox, "r", "mermaid");
    syntax::mermaid(&mermaid);
    for line in [
        "    n3[[\"copy<br/>shell<br/>for each of 3: 2 completed, 1 failed<br/>failed\"]]\n",
        "    class n0,n1,n2,n4 completed\n",
        "    class n3 failed\n",
        "    classDef failed fill:#ffebe9,stroke:#cf222e,color:#1f2328\n",
    ] {
        assert!(mermaid.contains(line), "{line}{mermaid}");
    }
    let dot = drawn(&sandbox, "r", "dot");
    syntax::dot(&dot);
    let copy = "n3 [label=\"copy\\nshell\\nfor each of 3: 2 completed, 1 failed\\nfailed\", shape=box3d, fillcolor=\"#ffebe9\", color=\"#cf222e\"];";
    assert!(dot.contains(copy), "{dot}");
    let data = sandbox.json(0, &["graph", "r"]);
    assert_eq!((&data["run"], &data["status"]), (&json!("r"), &json!("failed")));
    assert_eq!(data["nodes"][3]["grown"], json!({"completed": 2, "failed": 1}));
    assert_eq!(data["edges"][0], json!({"from": "fetch", "to": "build", "kind": "needs"}));
    assert_eq!(sandbox.json(0, &["graph", "r", "--format", "text"])["text"], text);
    assert_eq!(sandbox.history("r"), before, "who looks records nothing");
}

#[test]
fn steps_of_a_plan_stand_under_their_planner() {
    let sandbox = Sandbox::new();
    let plan = r#"{"add_steps": [{"id": "one", "run": "true"}, {"id": "two", "needs": ["one"], "for_each": [1, 2], "run": "true"}]}"#;
    sandbox.write(
        "plan.yaml",
        format!("name: planned\nsteps: [{{id: plan, run: [echo, '{plan}']}}, {{id: end, run: 'true'}}]"),
    );
    sandbox.json(0, &["run", "plan.yaml", "--id", "r"]);
    let text = "\
planned  completed  run r
1  ✓ plan        shell
     ✓ plan/one  shell
     ✓ plan/two  shell  after plan/one, for each of 2: 2 completed
2  ✓ end         shell  after plan
";
    assert_eq!(drawn(&sandbox, "r", "text"), text);
    let mermaid = drawn(&sandbox, "r", "mermaid");
    assert!(mermaid.contains("    n0 -.-> n1\n    n1 --> n2\n    n0 --> n3\n"), "{mermaid}");
}

#[test]
fn names_that_mean_something_to_a_format_mean_nothing_in_it() {
    let sandbox = Sandbox::new();
    let names = [
        "a\"]; n9 --> n0; b[\"c",
        "end",
        "%%{init: {}}%%",
        "a\\",
        "\\\" ]; evil [label=\"x",
        "</b><script>alert(1)</script>",
        "`markdown` #35; &amp; <br/>",
        "}} subgraph {",
        "日本 é",
        "---\ntitle: x",
        "a --> b; c",
    ];
    for (number, odd) in names.iter().enumerate() {
        let flat = odd.replace('\n', " ");
        let file = format!("w{number}.json");
        let workflow = json!({
            "name": flat,
            "phases": {&*flat: {"approve": "after"}},
            "steps": [
                {"id": "a", "run": "true", "phase": flat},
                {"id": "b", "wait_for": flat, "if": format!("{} == 'x'", json!(flat))},
            ],
        });
        sandbox.write(&file, workflow.to_string());
        let checked = sandbox.reenact(&["validate", &file]);
        assert_eq!(checked.code(), Some(0), "{odd}: {checked}");
        let picture = syntax::mermaid(&drawn(&sandbox, &file, "mermaid"));
        assert_eq!((picture.nodes, picture.edges), (3, 3), "{odd}");
        let picture = syntax::dot(&drawn(&sandbox, &file, "dot"));
        assert_eq!((picture.nodes, picture.edges), (3, 3), "{odd}");
        assert_eq!(drawn(&sandbox, &file, "text").lines().count(), 4, "{odd}");
    }
}

#[test]
fn what_could_not_run_is_not_drawn() {
    let sandbox = Sandbox::new();
    sandbox.write("circle.yaml", "name: w\nsteps: [{id: a, needs: [b], run: x}, {id: b, run: x}]");
    sandbox.write("list.yaml", "- 1");
    for of in ["circle.yaml", "list.yaml", "none.yaml"] {
        let refused = sandbox.json(2, &["graph", of]);
        let validated = &sandbox.json(2, &["validate", of])["files"][0]["errors"][0];
        assert_eq!(&refused["error"], validated, "{of}");
    }
    for nothing in ["nobody", "last", "run/nobody"] {
        assert_eq!(sandbox.json(2, &["graph", nothing])["error"]["code"], "RE-1003", "{nothing}");
    }
    assert!(sandbox.reenact(&["graph", "nobody"]).stderr.contains("there is no file `nobody`"));
    assert_eq!(sandbox.reenact(&["graph", "circle.yaml", "--format", "svg"]).code(), Some(2));
    assert!(!sandbox.data().exists());
}
