//! `reenact test`: tests of workflows, each of every kind passing and failing.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Sandbox, wait_until};

/// A saga of three steps; `ship` fails where the input says so.
const WORKFLOW: &str = "name: trip
input: {type: object, properties: {to: {type: string, default: Oslo}}}
steps:
  - {id: book, run: 'echo book >> traces; echo \"{\\\"seat\\\": 7}\"', compensate: {run: 'echo unbook >> traces'}}
  - {id: ask, agent: clerk, prompt: 'May we go to {{ input.to }}?', retry: {attempts: 3, initial: 10ms}, compensate: {agent: clerk}}
  - {id: pay, run: 'echo pay >> traces; echo paid {{ steps.book.output.seat }}', retry: {attempts: 3, initial: 10ms}}
output: {seat: '{{ steps.book.output.seat }}', says: '{{ steps.ask.output.says }}'}
";

const CLERK: &str =
    "---\nname: clerk\ndescription: Answers\nexecutor: subprocess\ncommand: [sh, clerk.sh]\n---\n";

fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("trip.yaml", WORKFLOW);
    sandbox.write("agents/clerk.md", CLERK);
    sandbox.write("clerk.sh", "echo clerk >> traces; echo '{\"says\": \"yes\"}'");
    sandbox.json(0, &["run", "trip.yaml", "--mode", "record"]);
    fs::remove_file(sandbox.work("traces")).unwrap();
    fs::remove_dir_all(sandbox.data()).unwrap();
    sandbox
}

/// A file of one test with the cassette, which holds this further.
fn test(further: &str) -> String {
    format!(
        "workflow: ../trip.yaml\ntests:\n  - name: a trip\n    cassette: ../trip.cassette.json\n{further}"
    )
}

/// Runs a file of tests, which ends with that code: what is told of its first test.
fn tested(sandbox: &Sandbox, code: i32, text: &str) -> Value {
    sandbox.write("tests/trip.test.yaml", text);
    let told = sandbox.json(code, &["test", "tests/trip.test.yaml"]);
    assert_eq!(told["ok"], code == 0, "{told}");
    told["tests"][0].clone()
}

/// What did not come as it was to.
fn differing(result: &Value) -> Vec<&str> {
    result["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|differs| differs["what"].as_str().unwrap())
        .collect()
}

#[test]
fn a_test_passes_where_all_comes_as_it_was_to() {
    let sandbox = machine();
    let expect = "    expect:\n      status: completed\n      output: {says: 'yes', seat: 7}\n      outputs: {book: {seat: 7.0}, pay: {stdout: paid 7}}\n      \
                  steps: {ask: completed}\n      attempts: {ask: 1}\n      order: [book, pay]\n      compensations: []\n";
    let result = tested(&sandbox, 0, &test(expect));
    assert_eq!(
        (&result["ok"], &result["name"], &result["differences"]),
        (&json!(true), &json!("a trip"), &json!([]))
    );
    assert!(!sandbox.work("traces").exists(), "nothing was started");
    assert!(!sandbox.data().exists(), "its data lay elsewhere");
    assert_eq!(fs::read_dir(sandbox.tmp()).unwrap().count(), 0, "and is gone");
}

#[test]
fn everything_that_does_not_come_as_it_was_to_is_told_with_what_came() {
    let sandbox = machine();
    let expect = "    expect:\n      status: failed\n      output: {says: 'no', seat: 7}\n      outputs: {book: {seat: 8}}\n      steps: {ask: failed}\n      \
                  attempts: {ask: 2}\n      order: [pay, book]\n      compensations: [book]\n      error: RE-3001\n";
    let result = tested(&sandbox, 1, &test(expect));
    let all =
        ["status", "error", "output", "outputs.book", "steps.ask", "attempts.ask", "order", "compensations"];
    assert_eq!(differing(&result), all, "{result}");
    let output = &result["differences"][3];
    assert_eq!((&output["expected"], &output["found"]), (&json!("{\"seat\":8}"), &json!("{\"seat\": 7}")));
    let ended = sandbox.reenact(&["test", "tests/trip.test.yaml"]);
    assert_eq!(ended.code(), Some(1), "{ended}");
    for part in [
        "✗ a trip",
        "outputs.book",
        "expected  {\"seat\":8}",
        "found     {\"seat\": 7}",
        "0 passed, 1 failed",
    ] {
        assert!(ended.stdout.contains(part), "no `{part}`: {ended}");
    }
}

#[test]
fn failures_are_injected_into_doing_and_undoing() {
    let sandbox = machine();
    // Once: it is tried again, and the cassette answers.
    let once = "    fail: {step: pay, attempt: 1, class: transient}\n    expect: {status: completed, attempts: {pay: 2, ask: 1}}\n";
    tested(&sandbox, 0, &test(once));
    // For good: what was done is undone, in order. The cassette holds no undoing, so the test says what it comes to.
    let undone = "    fail: {step: pay, class: fatal, message: the bank is closed}\n    answers: [{purpose: compensate, step: '*', output: null}]\n    \
                  expect: {status: compensated, compensations: [ask, book], steps: {pay: failed}}\n";
    tested(&sandbox, 0, &test(undone));
    let result = tested(&sandbox, 1, &test(&undone.replace("[ask, book]", "[book, ask]")));
    assert_eq!(differing(&result), ["compensations"]);
    assert_eq!(result["differences"][0]["found"], "ask, book");
    // One that cannot be undone leaves the run stuck.
    let stuck = "    fail:\n      - {step: pay, class: fatal}\n      - {step: ask, purpose: compensate, class: fatal}\n    \
                 expect: {status: stuck}\n";
    tested(&sandbox, 0, &test(stuck));
    assert!(!sandbox.work("traces").exists());
}

#[test]
fn a_process_is_killed_where_the_test_says_and_the_run_goes_on() {
    let sandbox = machine();
    // The next attempt starts in the commit in which the process dies: it is lost, and the failure is that of the first that counts.
    let crashes = "    crash_after: [book, ask]\n    fail: {step: pay, attempt: 1}\n    \
                   expect: {status: completed, output: {says: 'yes', seat: 7}, attempts: {book: 1, ask: 1, pay: 2}, order: [book, ask, pay]}\n";
    tested(&sandbox, 0, &test(crashes));
    assert!(!sandbox.work("traces").exists());
    assert_eq!(fs::read_dir(sandbox.tmp()).unwrap().count(), 0);
    // A step that never completes cannot be crashed after.
    let never = "    crash_after: pay\n    fail: {step: pay, class: fatal}\n    answers: [{purpose: compensate, step: '*', output: null}]\n    expect: {status: compensated}\n";
    let result = tested(&sandbox, 1, &test(never));
    assert!(result["error"].as_str().unwrap().contains("`pay`"), "{result}");
}

#[test]
fn a_program_that_runs_is_done_once_though_its_process_is_killed_after_it() {
    let sandbox = machine();
    let text = "workflow: ../trip.yaml\ntests:\n  - name: programs\n    answers: [{agent: clerk, output: {says: 'yes'}}]\n    crash_after: [book, pay]\n    \
                expect: {status: completed, outputs: {pay: {stdout: paid 7}}}\n";
    tested(&sandbox, 0, text);
    assert_eq!(fs::read_to_string(sandbox.work("traces")).unwrap(), "book\npay\n");
}

#[test]
fn agents_are_answered_for_by_the_test_and_never_started() {
    let sandbox = machine();
    let text = |says: &str| {
        format!(
            "workflow: ../trip.yaml\ntests:\n  - name: scripted\n    input: {{to: Rome}}\n    answers:\n      - {{step: book, purpose: do, output: {{seat: 1}}}}\n      - {{step: pay, output: {{}}}}\n{says}    \
             expect: {{status: completed, output: {{seat: 1, says: maybe}}}}\n"
        )
    };
    tested(&sandbox, 0, &text("      - {agent: clerk, prompt: Rome, output: {says: maybe}}\n"));
    // Nobody answers for Paris: it fails, and what was booked is undone by its program.
    let result = tested(&sandbox, 1, &text("      - {agent: clerk, prompt: Paris, output: {says: maybe}}\n"));
    assert_eq!(differing(&result), ["status", "output"]);
    assert!(result["differences"][0]["found"].as_str().unwrap().contains("RE-3027"), "{result}");
    assert_eq!(fs::read_to_string(sandbox.work("traces")).unwrap(), "unbook\n");
}

#[test]
fn a_test_that_takes_too_long_is_ended_with_what_it_started() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'echo $$ > pid; exec sleep 600'}]\n");
    sandbox.write(
        "t.yaml",
        "workflow: w.yaml\ntests: [{name: long, timeout: 2s, expect: {status: completed}}]\n",
    );
    let told = sandbox.json(1, &["test", "t.yaml"]);
    assert!(told["tests"][0]["error"].as_str().unwrap().contains("longer than 2s"), "{told}");
    let pid = fs::read_to_string(sandbox.work("pid")).unwrap();
    wait_until("its program is gone", || !fs::exists(format!("/proc/{}", pid.trim())).unwrap());
    assert_eq!(fs::read_dir(sandbox.tmp()).unwrap().count(), 0);
}

#[test]
fn the_results_are_well_formed_junit_whatever_is_in_them() {
    let sandbox = machine();
    let name = "'<&\"]]> \u{1b}[31m'";
    let text = format!(
        "workflow: trip.yaml\ntests:\n  - name: good\n    cassette: trip.cassette.json\n    expect: {{status: completed}}\n  \
         - name: 'bad <&\"]]> ü'\n    cassette: trip.cassette.json\n    expect: {{status: failed, output: {name}}}\n"
    );
    sandbox.write("odd & <file>.yaml", text.replace('\u{1b}', "\\e"));
    let told = sandbox.json(1, &["test", "odd & <file>.yaml", "--junit", "report.xml", "--jobs", "1"]);
    assert_eq!((&told["passed"], &told["failed"]), (&json!(1), &json!(1)), "{told}");
    let xml = fs::read_to_string(sandbox.work("report.xml")).unwrap();
    let read = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let suite = &read.test_suites[0];
    assert_eq!((suite.name.as_str(), suite.tests, suite.failures), ("odd & <file>.yaml", 2, 1), "{xml}");
    assert_eq!(suite.test_cases[1].name.as_str(), "bad <&\"]]> ü");
    let only = sandbox.json(0, &["test", "odd & <file>.yaml", "--only", "goo"]);
    assert_eq!(only["passed"], 1, "{only}");
    assert_eq!(sandbox.json(2, &["test", "odd & <file>.yaml", "--only", "none"])["error"]["code"], "RE-1001");
}

#[test]
fn a_bad_file_of_tests_is_told_with_its_place_and_runs_nothing() {
    let sandbox = machine();
    let good = test("    expect: {status: completed}\n");
    for (text, code, line) in [
        (good.replace("status", "statsu"), "RE-1103", Some(5)),
        (good.replace("completed", "done"), "RE-1104", Some(5)),
        (good.replace("trip.yaml", "none.yaml"), "RE-1101", None),
        (good.replace("trip.cassette", "none"), "RE-2302", Some(3)),
        (test("    crash_after: boko\n    expect: {status: completed}\n"), "RE-2009", Some(5)),
        (test("    expect: {status: completed, outputs: {boko: 1}}\n"), "RE-2009", Some(5)),
        (test("    input: {to: 7}\n    expect: {status: completed}\n"), "RE-1203", Some(3)),
        ("workflow: [".to_owned(), "RE-1102", Some(1)),
    ] {
        sandbox.write("t/t.yaml", &text);
        let error = sandbox.json(2, &["test", "t/t.yaml"])["error"].clone();
        assert_eq!(error["code"], code, "{text}: {error}");
        if let Some(line) = line {
            assert_eq!(error["at"]["line"], line, "{text}: {error}");
        }
    }
    assert_eq!(sandbox.json(2, &["test"])["error"]["code"], "RE-1001");
    // The process of a test does nothing without its test.
    assert_eq!(sandbox.json(2, &["test", "--life"])["error"]["code"], "RE-1001");
    assert!(!sandbox.work("traces").exists() && !sandbox.data().exists());
}
