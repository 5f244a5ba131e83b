//! A workflow that starts another, with real programs and real kills: whoever dies, both runs go on where they were.

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// A parent whose child is `child.yaml`.
fn sandbox(child: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "parent.yaml",
        "name: parent\nsteps:\n  - {id: before, run: echo once >> before}\n  - {id: c, workflow: flows/child.yaml, with: {n: 3}}\n  - {id: after, run: 'echo {{ steps.c.output.sum }} >> after'}\noutput: '{{ steps.c.output }}'\n",
    );
    sandbox
        .write("flows/child.yaml", format!("name: child\ninput: {{type: object, required: [n]}}\n{child}"));
    sandbox
}

/// The run that `parent` has started.
fn child(sandbox: &Sandbox) -> Option<String> {
    let history = sandbox.history("p");
    let started = history.iter().find(|event| event["type"] == "child_started")?;
    Some(started["data"]["run"].as_str().unwrap().to_owned())
}

fn step<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

fn lines(sandbox: &Sandbox, file: &str) -> usize {
    std::fs::read_to_string(sandbox.work(file)).map_or(0, |text| text.lines().count())
}

const ASKS: &str = "steps:\n  - {id: a, run: 'echo once >> a'}\n  - {id: b, run: 'printf \"{%ssum%s: %d}\" \\\" \\\" {{ input.n }}', approve: before}\noutput: '{{ steps.b.output }}'\n";

#[test]
fn a_parent_waits_with_its_child_and_both_go_on_when_that_is_answered() {
    let sandbox = sandbox(ASKS);
    for verb in [&["run", "parent.yaml", "--id", "p"][..], &["resume", "p"]] {
        let waiting = sandbox.json(4, verb);
        let child = child(&sandbox).unwrap();
        assert_eq!((&waiting["status"], &waiting["driven"]), (&json!("waiting"), &json!(true)));
        assert_eq!(step(&waiting, "c")["status"], "waiting");
        let awaited = &waiting["waiting_for"][0];
        assert_eq!((&awaited["kind"], &awaited["id"]), (&json!("child"), &json!(child)));
        assert_eq!(sandbox.status("p")["status"], "waiting", "that is so also when nobody holds the store");
        assert_eq!(sandbox.status(&child)["parent"]["run"], "p");
    }
    let child = child(&sandbox).unwrap();
    sandbox.json(0, &["approve", &child, "b"]);
    let done = sandbox.json(0, &["resume", "p"]);
    assert_eq!((&done["status"], &done["output"]), (&json!("completed"), &json!({"sum": 3})));
    assert_eq!(step(&done, "c")["attempts"], 1, "all processes went on with the same");
    assert_eq!((lines(&sandbox, "before"), lines(&sandbox, "after")), (1, 1));
    assert_eq!(lines(&sandbox, "flows/a"), 1, "its work folder is that of its own file");
    assert_eq!(sandbox.status(&child)["status"], "completed");
}

#[test]
fn a_process_that_is_killed_while_a_child_works_changes_nothing() {
    let sandbox = sandbox(
        "steps:\n  - {id: a, run: 'echo once >> a'}\n  - {id: b, run: 'echo at-it >> b; [ -e go ] || sleep 100'}\noutput: {sum: 4}\n",
    );
    let process = sandbox.spawn(&["run", "parent.yaml", "--id", "p"]);
    wait_until("the child is at work", || lines(&sandbox, "flows/b") == 1);
    process.kill();
    assert_eq!(sandbox.status("p")["driven"], false);
    sandbox.write("flows/go", "");
    let done = sandbox.json(0, &["resume", "p"]);
    assert_eq!(done["output"], json!({"sum": 4}));
    assert_eq!((lines(&sandbox, "before"), lines(&sandbox, "flows/a"), lines(&sandbox, "after")), (1, 1, 1));
    assert_eq!(lines(&sandbox, "flows/b"), 2, "what was open is tried again");
}

/// Nobody drives the parent, and yet its child is not left behind.
#[test]
fn a_parent_whose_process_was_killed_is_cancelled_with_its_child() {
    let sandbox = sandbox("steps:\n  - {id: b, run: 'echo at-it >> b; sleep 100'}\n");
    let process = sandbox.spawn(&["run", "parent.yaml", "--id", "p"]);
    wait_until("the child is at work", || lines(&sandbox, "flows/b") == 1);
    process.kill();
    assert_eq!(sandbox.json(0, &["cancel", "p"])["status"], "cancelled");
    assert_eq!(sandbox.status(&child(&sandbox).unwrap())["status"], "cancelled");
}

/// SIGINT lets go of both: what runs of the child is stopped after the grace, and tried again later.
#[test]
fn an_interrupted_parent_takes_its_child_along() {
    let sandbox =
        sandbox("steps:\n  - {id: b, run: 'echo at-it >> b; [ -e go ] || sleep 100'}\noutput: {sum: 5}\n");
    let mut command = sandbox.command(&["run", "parent.yaml", "--id", "p"]);
    command.env("REENACT_SHUTDOWN__GRACE", "10ms");
    let process = sandbox.start(command);
    wait_until("the child is at work", || lines(&sandbox, "flows/b") == 1);
    process.interrupt();
    assert_eq!(process.wait().code(), Some(130));
    let child = child(&sandbox).unwrap();
    let lost = sandbox.history(&child).into_iter().find(|event| event["type"] == "attempt_lost").unwrap();
    assert_eq!(lost["data"]["interrupted"], true);
    for run in ["p", &child] {
        assert_eq!(sandbox.count(run, "cancel_requested", None), 0, "{run}");
    }
    sandbox.write("flows/go", "");
    assert_eq!(sandbox.json(0, &["resume", "p"])["output"], json!({"sum": 5}));
}

#[test]
fn a_child_is_rolled_back_with_its_parent_and_cancelled_with_it() {
    let sandbox = sandbox(
        "steps:\n  - {id: a, run: 'echo done >> a', compensate: {run: 'echo undone >> a'}}\n  - {id: b, run: '[ ! -e slow ] || { echo at-it >> b; sleep 100; }'}\noutput: {sum: 6}\n",
    );
    assert_eq!(sandbox.json(0, &["run", "parent.yaml", "--id", "p"])["status"], "completed");
    assert_eq!(sandbox.json(3, &["rollback", "p"])["status"], "compensated");
    assert_eq!(sandbox.status(&child(&sandbox).unwrap())["status"], "compensated");
    assert_eq!(std::fs::read_to_string(sandbox.work("flows/a")).unwrap(), "done\nundone\n");
    sandbox.write("flows/slow", "");
    let process = sandbox.spawn(&["run", "parent.yaml", "--id", "q", "--json"]);
    wait_until("the child is at work", || lines(&sandbox, "flows/b") == 1);
    sandbox.json(0, &["cancel", "q"]);
    assert_eq!(process.wait().code(), Some(6));
    let started = sandbox.history("q").into_iter().find(|event| event["type"] == "child_started").unwrap();
    assert_eq!(sandbox.status(started["data"]["run"].as_str().unwrap())["status"], "cancelled");
}

/// Who rolled back `last` undid the child that the run had started, and left the run as it was.
#[test]
fn the_last_run_is_the_last_that_somebody_started() {
    let sandbox = sandbox(
        "steps:\n  - {id: a, run: 'true', compensate: {run: 'echo undone >> a'}}\noutput: {sum: 1}\n",
    );
    sandbox.json(0, &["run", "parent.yaml", "--id", "p"]);
    assert_eq!(sandbox.json(0, &["status", "last"])["run"], "p");
    let child = child(&sandbox).unwrap();
    let runs = sandbox.json(0, &["list"])["runs"].clone();
    assert_eq!((&runs[0]["run"], &runs[0]["parent"]), (&json!(child), &json!("p")), "it is the newer one");
    assert!(runs[1].get("parent").is_none());
    sandbox.json(3, &["rollback", "last"]);
    for run in ["p", &child] {
        assert_eq!(sandbox.status(run)["status"], "compensated", "{run}");
    }
}

/// A parent and its child were two runs, and `resume` asked which of them was meant.
#[test]
fn a_run_that_is_interrupted_with_its_child_is_one_to_go_on_with() {
    let sandbox =
        sandbox("steps:\n  - {id: b, run: 'echo at-it >> b; [ -e go ] || sleep 100'}\noutput: {sum: 8}\n");
    let process = sandbox.spawn(&["run", "parent.yaml", "--id", "p"]);
    wait_until("the child is at work", || lines(&sandbox, "flows/b") == 1);
    process.kill();
    sandbox.write("flows/go", "");
    let done = sandbox.json(0, &["resume"]);
    assert_eq!((&done["run"], &done["output"]), (&json!("p"), &json!({"sum": 8})));
}
