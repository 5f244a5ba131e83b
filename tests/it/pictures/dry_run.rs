//! What a run would do, without one.

use std::collections::BTreeSet;

use reenact::testing::Dice;
use serde_json::{Value, json};

use crate::support::Sandbox;

const SHIP: &str = r#"
name: ship
input:
  type: object
  required: [version]
  properties: {version: {type: string}, dry: {type: boolean, default: true}}
steps:
  - {id: last, needs: [tag], run: ["publish", "{{ input.version }}", "{{ run.id }}"], approve: before, approvers: [ada]}
  - id: build-it
    needs: []
    run: make {{ input.version }}
    env: {TO: "{{ env.TARGET }}"}
  - id: tag
    run: git tag {{ input.version }} {{ steps['build-it'].output.commit }}
    compensate: {run: "untag {{ input.version }} {{ outcome }} {{ output.n }}"}
  - {id: never, needs: [], if: not input.dry, run: "true"}
  - {id: lacks, needs: [never], run: "echo {{ steps.never.output }}"}
  - {id: later, needs: [tag], if: "steps.tag.output.ok", sleep: 1m}
  - {id: each, needs: [], for_each: "[input.version, 'b c']", run: "cp {{ item }} {{ index }}"}
  - {id: some, needs: [tag], for_each: steps.tag.output.list, prompt: "{{ item }}", agent: helper}
"#;

const HELPER: &str = "---\nname: helper\ndescription: Helps\nexecutor: subprocess\ncommand: [cat]\n---\n";

fn shipped() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("ship.yaml", SHIP);
    sandbox.write("agents/helper.md", HELPER);
    sandbox.configure("[expressions]\nenv = [\"TARGET\"]\n");
    sandbox
}

fn dry_run(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let mut command = sandbox.command(&[&["--json", "run", "--dry-run", "ship.yaml"], arguments].concat());
    command.env("TARGET", "x86 64");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    ended.json()
}

#[test]
fn what_would_be_done_is_shown_in_its_order_rendered_as_far_as_it_is_known() {
    let sandbox = shipped();
    let shown = dry_run(&sandbox, &["--input", "version=1'2"]);
    assert_eq!(shown["workflow"], "ship");
    assert_eq!(shown["input"], json!({"version": "1'2", "dry": true}), "defaults are filled in");
    let wanted = json!([
        {"id": "build-it", "needs": [], "agent": "shell", "unknown": [],
         "work": {"run": "make '1'\\''2'", "env": {"TO": "x86 64"}}},
        {"id": "tag", "needs": ["build-it"], "agent": "shell", "unknown": ["steps['build-it'].output"],
         "work": {"run": "git tag {{ input.version }} {{ steps['build-it'].output.commit }}"},
         "compensate": {"agent": "shell", "when": "completed", "unknown": ["outcome", "steps.tag.output"],
                        "work": {"run": "untag {{ input.version }} {{ outcome }} {{ output.n }}"}}},
        {"id": "last", "needs": ["tag"], "agent": "shell", "unknown": ["run.id"],
         "work": {"run": ["publish", "1'2", "{{ run.id }}"]},
         "approve": {"when": "before", "approvers": ["ada"], "approvals": 1}},
        {"id": "never", "needs": [], "agent": "shell", "unknown": [], "work": {"run": "true"}, "skipped": "if",
         "if": {"expression": "not input.dry", "outcome": false, "unknown": []}},
        {"id": "lacks", "needs": ["never"], "agent": "shell", "unknown": [], "skipped": "dependency",
         "work": {"run": "echo {{ steps.never.output }}"}},
        {"id": "later", "needs": ["tag"], "agent": null, "unknown": [], "work": {"sleep": "1m"},
         "if": {"expression": "steps.tag.output.ok", "outcome": null, "unknown": ["steps.tag.output"]}},
        {"id": "each", "needs": [], "agent": "shell", "unknown": [], "work": {"run": "cp {{ item }} {{ index }}"},
         "for_each": {"count": 2, "items": [
            {"id": "each[0]", "unknown": [], "work": {"run": "cp '1'\\''2' '0'"}},
            {"id": "each[1]", "unknown": [], "work": {"run": "cp 'b c' '1'"}}]}},
        {"id": "some", "needs": ["tag"], "agent": "helper", "unknown": ["steps.tag.output"],
         "work": {"prompt": "{{ item }}"}, "for_each": {"count": null, "items": []}},
    ]);
    for (step, wanted) in shown["steps"].as_array().unwrap().iter().zip(wanted.as_array().unwrap()) {
        assert_eq!(step, wanted, "{step}");
    }
    assert_eq!(shown["steps"].as_array().unwrap().len(), 8);
    // A run that is named has that name.
    let named = dry_run(&sandbox, &["--input", "version=1", "--id", "seven", "--until", "tag"]);
    assert_eq!(named["steps"][2]["work"]["run"], json!(["publish", "1", "seven"]));
    assert_eq!((&named["steps"][2]["unknown"], &named["until"]), (&json!([]), &json!("tag")));
}

#[test]
fn people_read_what_would_be_done() {
    let sandbox = shipped();
    let mut command = sandbox.command(&["run", "--dry-run", "ship.yaml", "--input", "version=1"]);
    command.env("TARGET", "x");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let wanted = r#"ship: 8 steps; nothing was started
input: {"version":"1","dry":true}
1. build-it, by shell
     make '1'
     env: {"TO":"x"}
2. tag, by shell, after build-it
     git tag {{ input.version }} {{ steps['build-it'].output.commit }}
     known later: steps['build-it'].output
     undone by shell:
       untag {{ input.version }} {{ outcome }} {{ output.n }}
       known later: outcome, steps.tag.output
3. last, by shell, after tag
     ["publish","1","{{ run.id }}"]
     known later: run.id
     waits for an approval before it: ada must grant it
4. never, by shell, skipped: its `if` is not true
     if not input.dry: not true
5. lacks, by shell, after never, skipped: it uses the output of a step that is skipped
6. later, after tag
     if steps.tag.output.ok: depends on steps.tag.output
     sleep: 1m
7. each, by shell
     for each of 2:
       each[0]
         cp '1' '0'
       each[1]
         cp 'b c' '1'
8. some, by helper, after tag
     for each of a list that is not known yet:
       prompt: {{ item }}
       known later: steps.tag.output
"#;
    assert_eq!(ended.stdout, wanted);
}

#[test]
fn what_a_run_would_refuse_is_refused_and_nothing_is_left_behind() {
    let sandbox = shipped();
    let files = || {
        let entries = std::fs::read_dir(sandbox.work("")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    let before = files();
    for (arguments, code) in [
        (&["ship.yaml"][..], "RE-1203"),
        (&["ship.yaml", "--input", "version:=7"], "RE-1203"),
        (&["none.yaml"], "RE-1201"),
        (&["ship.yaml", "--input", "version=1", "--until", "nothing"], "RE-1006"),
        (&["ship.yaml", "--input", "version=1", "--detach"], "RE-1001"),
        (&["ship.yaml", "--input", "version=1", "--show", "quiet"], "RE-1001"),
        (&["ship.yaml", "--input", "version=1", "--id", "a/b"], "RE-1002"),
    ] {
        let refused = sandbox.json(2, &[&["run", "--dry-run"], arguments].concat());
        if code != "RE-1001" {
            let run = sandbox.json(2, &[&["run"], arguments].concat());
            assert_eq!(refused, run, "{arguments:?}");
        }
        assert!(refused["error"]["code"].is_string(), "{refused}");
    }
    dry_run(&sandbox, &["--input", "version=1"]);
    // A data folder is made beside the work folder where none is named.
    let mut unnamed = sandbox.command(&["run", "--dry-run", "ship.yaml", "--input", "version=1"]);
    unnamed.env_remove("REENACT_DATA").env("TARGET", "x");
    assert_eq!(sandbox.start(unnamed).wait().code(), Some(0));
    assert_eq!(files(), before);
    assert!(!sandbox.data().exists());
}

#[test]
fn what_would_fail_whatever_happens_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps: [{id: a, run: 'echo {{ input.list.x }}'}, {id: b, for_each: input.n, run: x}]",
    );
    let shown = sandbox.json(0, &["run", "--dry-run", "w.yaml", "--input", "list:=[1]", "--input", "n:=5"]);
    let errors: Vec<_> =
        shown["steps"].as_array().unwrap().iter().map(|step| &step["error"]["code"]).collect();
    assert_eq!(errors, ["RE-1204", "RE-1207"]);
    assert_eq!(shown["steps"][0]["work"]["run"], "echo {{ input.list.x }}");
}

/// Whatever the workflow is, each of its steps is named once, after all that it needs.
#[test]
fn the_order_respects_what_steps_need() {
    let sandbox = Sandbox::new();
    for seed in 0..40 {
        let mut dice = Dice::of(seed);
        let count = 1 + dice.below(12);
        // Steps stand in the file in another order than they come.
        let mut places: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            places.swap(at, dice.below(at + 1));
        }
        let mut steps = vec![Value::Null; count];
        for (turn, place) in places.iter().enumerate() {
            let needs: Vec<String> =
                places[..turn].iter().filter(|_| dice.one_in(3)).map(|need| format!("s{need}")).collect();
            let mut step = json!({"id": format!("s{place}"), "needs": needs, "run": "true"});
            if dice.one_in(4) {
                step["if"] = json!(format!("{} == 1", dice.below(2)));
            }
            if dice.one_in(4) {
                step["for_each"] = json!([1, 2]);
            }
            steps[*place] = step;
        }
        sandbox.write("w.json", json!({"name": "w", "steps": steps}).to_string());
        let shown = sandbox.json(0, &["run", "--dry-run", "w.json"]);
        let mut named = BTreeSet::new();
        for step in shown["steps"].as_array().unwrap() {
            for need in step["needs"].as_array().unwrap() {
                assert!(named.contains(need.as_str().unwrap()), "seed {seed}: {step} {shown}");
            }
            assert!(
                named.insert(step["id"].as_str().unwrap().to_owned()),
                "seed {seed}: {step} is named twice"
            );
        }
        assert_eq!(named.len(), count, "seed {seed}");
    }
}

#[test]
fn the_docs_show_what_is_printed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(root.join("docs/looking.md")).unwrap();
    let sandbox = Sandbox::new();
    let blocks = docs.split("```console\n$ reenact ").skip(1);
    let blocks: Vec<&str> =
        blocks.filter(|block| block.starts_with("graph ") || block.starts_with("run ")).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let (command, shown) = block.split_once("```").unwrap().0.split_once('\n').unwrap();
        let mut command = sandbox.command(&command.split(' ').collect::<Vec<_>>());
        command.current_dir(root);
        let printed = sandbox.start(command).wait().stdout;
        match shown.strip_suffix("…\n") {
            Some(beginning) => assert!(printed.starts_with(beginning), "{printed}"),
            None => assert_eq!(printed, shown),
        }
    }
}

// What was checked with `--dry-run` was refused without it: the id was taken, or options could not take effect any more.
#[test]
fn what_a_run_would_refuse_a_dry_run_refuses_and_of_a_run_that_is_there_it_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "name: a\ninput: {type: object}\nsteps: [{id: one, run: 'true'}]");
    sandbox.json(0, &["run", "a.yaml", "--id", "there", "--tag", "x=1"]);
    let before = sandbox.history("there");
    let large = format!("x={}", "y".repeat(70_000));
    let refused: [&[&str]; 8] = [
        &["--id", "last"],
        &["--id", "no/id"],
        &["--id", "there", "--input", "n=1"],
        &["--id", "there", "--tag", "x=2"],
        &["--id", "there", "--until", "one"],
        &["--id", "there", "--timeout", "1s"],
        &["--id", "there", "--parallel", "3"],
        &["--id", "new", "--tag", &large],
    ];
    for options in refused {
        let ended = |dry: &[&str]| {
            let ended = sandbox.reenact(&[&["--json", "run", "a.yaml"], options, dry].concat());
            assert_eq!(ended.code(), Some(2), "{ended}");
            ended.json()
        };
        assert_eq!(ended(&["--dry-run"]), ended(&[]), "{options:?}");
    }
    let there = ["run", "a.yaml", "--dry-run", "--id", "there", "--tag", "x=1"];
    assert_eq!(sandbox.json(0, &there)["attaches"], json!({"run": "there", "status": "completed"}));
    let text = sandbox.reenact(&there);
    assert!(text.stdout.contains("run there is there already and completed"), "{text}");
    assert_eq!(sandbox.json(0, &["run", "a.yaml", "--dry-run", "--id", "new"]).get("attaches"), None);
    assert_eq!(sandbox.history("there"), before);
    assert_eq!(sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 1);
}
