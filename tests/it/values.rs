//! Values on their way through a run: digits, keys that stand twice, and what expressions may make.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::json;

use crate::support::{Sandbox, wait_until};

/// A code such as `02134` became 2134.0, and 1.10 became 1.1 as a part of something.
#[test]
fn a_number_keeps_its_digits_from_the_file_to_the_report() {
    let sandbox = Sandbox::new();
    sandbox.write("child.yaml", "input: {properties: {price: {}, rate: {type: number, default: 2.50}}}\nsteps: [{id: x, run: 'echo says {{ input }}'}]\noutput: ['{{ input.price }}', '{{ input.rate }}', '{{ steps.x.output.stdout }}']\n");
    sandbox.write(
        "w.yaml",
        r#"
steps:
  - id: program
    run: "echo '{\"version\":1.10,\"far\":1e400,\"big\":123456789012345678901234567890}'"
  - id: zips
    for_each: [02134, 1.10]
    run: echo {{ item }}
  - {id: child, workflow: child.yaml, with: {price: "{{ input.price }}"}}
output:
  given: "{{ input }}"
  parts: ["{{ steps.program.output.version }}", "{{ steps.program.output.far }}", "{{ [steps.program.output.big] }}"]
  zips: "{{ steps.zips.output | map(attribute='stdout') | list }}"
  child: "{{ steps.child.output }}"
  written: 0x1F
"#,
    );
    sandbox.write("in.json", r#"{"code": 1.000, "price": 3.10}"#);
    let ended = sandbox.reenact(&[
        "run",
        "w.yaml",
        "--id",
        "r",
        "--input-file",
        "in.json",
        "--input",
        "e:=1E5",
        "--json",
    ]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    let printed = ended.stdout.clone();
    let expected = r#""output":{"given":{"code":1.000,"price":3.10,"e":1E5},"parts":[1.10,1e400,[123456789012345678901234567890]],"zips":["02134","1.10"],"child":[3.10,2.50,"says {\"price\":3.10,\"rate\":2.50}"],"written":"0x1F"}"#;
    assert!(printed.contains(expected), "{printed}");
    let status = sandbox.reenact(&["status", "r", "--json"]).stdout;
    assert!(status.contains(expected), "{status}");
    let history = sandbox.reenact(&["history", "r", "--json"]).stdout;
    assert!(history.contains(r#""price":3.10"#) && history.contains("1E5"), "{history}");
}

/// A reviewer changed the first `to` of an answer, the page said so, and the program that read the answer took the second.
#[test]
fn a_key_that_stands_twice_is_refused_wherever_json_comes_in() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, run: \"echo '{\\\"x\\\":[{\\\"to\\\":1,\\\"to\\\":2}]}'\"}]\n");
    sandbox.write("wait.yaml", "steps: [{id: a, wait_for: go}]\n");
    sandbox.write("dup.json", "{\"a\": {\"to\": 1,\n \"to\": 2}}");
    sandbox.write("comment.json", "{\"a\": 1 // one\n}");
    sandbox.write("dup.yaml", "a: {to: 1, to: 2}\n");
    sandbox.write("w.json", "{\"steps\": [{\"id\": \"a\", \"run\": \"true\", \"run\": \"x\"}]}");
    let report = sandbox.json(1, &["run", "w.yaml"]);
    assert_eq!(report["error"]["code"], "RE-3030", "{report}");
    assert_eq!(report["error"]["class"], "validation");
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("the key `to` stands twice in the object at `x[0]`"),
        "{report}"
    );
    let refused = |arguments: &[&str], line: Option<(u64, u64)>| {
        let answer = sandbox.json(2, arguments);
        let error = answer["error"].as_object().or_else(|| answer["files"][0]["errors"][0].as_object());
        let error = error.unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(error["class"], "validation", "{answer}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains("at line 1 column"), "{message}");
        if let Some((line, column)) = line {
            assert_eq!(
                (&error["at"]["line"], &error["at"]["column"]),
                (&json!(line), &json!(column)),
                "{answer}"
            );
        }
        message.to_owned()
    };
    assert!(
        refused(&["run", "wait.yaml", "--input-file", "dup.json"], Some((2, 2)))
            .contains("`to` stands twice")
    );
    refused(&["run", "wait.yaml", "--input-file", "comment.json"], Some((1, 9)));
    refused(&["run", "wait.yaml", "--input-file", "dup.yaml"], Some((1, 12)));
    assert!(
        refused(&["run", "wait.yaml", "--input", "k:={\"to\":1,\"to\":2}"], None)
            .contains("`to` stands twice")
    );
    assert!(refused(&["validate", "w.json"], Some((1, 39))).contains("`run` stands twice"));
    sandbox.json(4, &["run", "wait.yaml", "--id", "waits"]);
    assert!(refused(&["signal", "waits", "go", "{\"to\":1,\"to\":2}"], None).contains("`to` stands twice"));
    refused(&["approve", "waits", "a", "--set", "k:={\"to\":1,\"to\":2}"], None);
}

#[test]
fn the_socket_takes_no_request_with_a_key_twice() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "steps: [{id: a, sleep: 1h}]\n");
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    let socket = sandbox.data().join("control.sock");
    wait_until("the holder listens", || UnixStream::connect(&socket).is_ok());
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"{\"control\":{\"run\":\"r\",\"run\":\"s\"}}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("the key `run` stands twice in the object at `control`"), "{answer}");
    holder.kill();
}

/// Fifty bytes of an expression ended the process for want of memory, and a deep one overflowed its stack: each start again.
#[test]
fn an_expression_that_makes_gigabytes_fails_its_step_and_nothing_else() {
    let sandbox = Sandbox::new();
    let worst = [
        r#"("x"*1000000)|replace("","y"*10000)"#,
        r#""%2000000000d"|format(1)"#,
        r#"[1]|batch(2000000000,"x")"#,
        r#"range(99999)|join("x"*100000)"#,
        r#"([1]*100000000)|list"#,
        r#"("x"*9000000)~("x"*9000000)"#,
        "1 is divisibleby 0",
    ];
    for (place, source) in worst.iter().enumerate() {
        let file = json!({"steps": [{"id": "a", "run": "true", "if": source}]});
        let name = format!("w{place}.json");
        sandbox.write(&name, file.to_string());
        let mut limited = std::process::Command::new("sh");
        let command = sandbox.command(&["run", &name, "--json"]);
        limited
            .args(["-c", "ulimit -v 3000000; exec \"$@\"", "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        limited.current_dir(command.get_current_dir().unwrap());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => limited.env(key, value),
                None => limited.env_remove(key),
            };
        }
        let ended = limited.output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(report["error"]["code"], "RE-1204", "{source}: {report}");
        assert_eq!(ended.status.code(), Some(1), "{source}");
    }
    sandbox.write(
        "deep.json",
        json!({"steps": [{"id": "a", "run": "true", "if": "-".repeat(30_000) + "1"}]}).to_string(),
    );
    assert_eq!(sandbox.reenact(&["validate", "deep.json"]).code(), Some(2));
    let plan = json!({"add_steps": [{"id": "x", "run": "true", "if": "-".repeat(6_000) + "1"}]});
    sandbox.write("plan.json", plan.to_string());
    sandbox.write("p.yaml", "steps: [{id: s, run: cat plan.json}]\n");
    assert_eq!(sandbox.json(1, &["run", "p.yaml"])["error"]["code"], "RE-3022");
    sandbox
        .write("nested.yaml", "steps: [{id: s, run: \"python3 -c 'print(\\\"[\\\"*128+\\\"]\\\"*128)'\"}]\n");
    let report = sandbox.json(1, &["run", "nested.yaml"]);
    assert_eq!(report["error"]["code"], "RE-3030", "{report}");
}

/// What a program prints is seldom what others are to get, and it was put together in a shell.
#[test]
fn an_output_is_made_of_what_a_program_printed_and_where_it_cannot_be_the_work_is_undone() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "w.yaml",
        r#"
input: {properties: {key: {type: string, default: n}}}
steps:
  - id: count
    run: echo '7 files'
    output: {n: "{{ output.stdout | split(' ') | first | int }}", of: "{{ input.key }}"}
    schema: {type: object, properties: {n: {type: integer}}}
  - id: pick
    run: touch done.txt; echo '{"n":1}'
    output: output[input.key]
    compensate: {run: "mv done.txt {{ outcome }}-{{ output.n }}.txt"}
output: "{{ steps.count.output }}"
"#,
    );
    let ended = sandbox.reenact(&["run", "w.yaml", "--id", "good", "--json"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["output"], json!({"n": 7, "of": "n"}));
    let said = sandbox.reenact(&["transcript", "good", "count", "--json"]).json();
    assert_eq!(said["stdout"], "7 files\n");

    let undone = sandbox.reenact(&["run", "w.yaml", "--id", "bad", "--input", "key=m", "--json"]);
    assert_eq!(undone.code(), Some(3), "{undone}");
    assert_eq!(undone.json()["error"]["class"], "validation");
    assert!(sandbox.work("completed-1.txt").exists(), "{undone}");
}
