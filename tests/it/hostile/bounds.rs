//! Bounds: what is as large as may be is taken, what is larger by one is refused with its code, and nothing else happens.
//! Bounds of the store are met in `store::sled::tests::bounds`, those of the control socket in `handover::hostile`.

use serde_json::{Value, json};

use super::kit::bounded;
use crate::support::Sandbox;

/// A bound of workflow files: its name, a file of that size, the bound, and the code beyond it.
type OfFiles = (&'static str, fn(usize) -> String, usize, &'static str);

fn step(keys: &str) -> String {
    format!("name: w\nsteps:\n- {{id: a, {keys}}}\n")
}

fn list(item: &str, length: usize) -> String {
    vec![item; length].join(", ")
}

const OF_FILES: &[OfFiles] = &[
    (
        "bytes of a file",
        |size| {
            let file = step("run: 'true'");
            let rest = size - file.len() - 2;
            format!("{file}# {}", "x".repeat(rest))
        },
        1024 * 1024,
        "RE-1113",
    ),
    (
        "steps",
        |size| {
            let steps: String = (0..size).map(|step| format!("- {{id: s{step}, run: x}}\n")).collect();
            format!("steps:\n{steps}")
        },
        10_000,
        "RE-1113",
    ),
    ("id of a step", |size| format!("steps: [{{id: {}, run: x}}]", "i".repeat(size)), 64, "RE-1109"),
    ("name of a signal", |size| step(&format!("wait_for: {}", "s".repeat(size))), 64, "RE-1104"),
    ("path of a child", |size| step(&format!("workflow: {}", "f".repeat(size))), 4096, "RE-1104"),
    ("people", |size| step(&format!("run: x, approve: before, approvals: {size}")), 100, "RE-1104"),
    (
        "points of a checklist",
        |size| step(&format!("run: x, approve: before, checklist: [{}]", list("look", size))),
        100,
        "RE-1113",
    ),
    (
        "characters of a point",
        |size| step(&format!("run: x, approve: before, checklist: [{}]", "p".repeat(size))),
        500,
        "RE-1104",
    ),
    ("rounds", |size| step(&format!("run: x, repeat: {{until: 'false', max: {size}}}")), 10_000, "RE-1104"),
    ("length of time in days", |size| step(&format!("sleep: {size}d")), 36_600, "RE-1111"),
    (
        "bytes of an expression",
        |size| step(&format!("run: x, if: \"'{}'\"", "x".repeat(size - 2))),
        64 * 1024,
        "RE-1201",
    ),
    (
        "parts of an expression in a row",
        |size| step(&format!("run: x, if: \"{}\"", vec!["1"; size].join("+"))),
        900,
        "RE-1201",
    ),
    (
        "levels of an expression",
        |size| step(&format!("run: x, if: \"{}1{}\"", "(".repeat(size), ")".repeat(size))),
        59,
        "RE-1201",
    ),
    (
        "levels of YAML",
        // The map, `steps`, its item and `with` are four.
        |size| step(&format!("agent: b, with: {}1{}", "[".repeat(size - 4), "]".repeat(size - 4))),
        100,
        "RE-1209",
    ),
];

/// The codes of all that is wrong with a workflow file.
fn codes(sandbox: &Sandbox, text: &str) -> Vec<String> {
    sandbox.write("w.yaml", text);
    let ended = sandbox.reenact(&["--json", "validate", "w.yaml"]);
    assert!(matches!(ended.code(), Some(0 | 2)), "{ended}");
    let errors = ended.json()["files"][0]["errors"].as_array().unwrap().clone();
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_is_taken_up_to_each_bound_and_refused_beyond_it() {
    let sandbox = Sandbox::new();
    let mut wrong = Vec::new();
    for (name, file, bound, code) in OF_FILES {
        let within = codes(&sandbox, &file(*bound));
        if within.iter().any(|found| found == code) {
            wrong.push(format!("{name}: {bound} is refused: {within:?}"));
        }
        let beyond = codes(&sandbox, &file(bound + bound / 4 + 1));
        if !beyond.iter().any(|found| found == code) {
            wrong.push(format!("{name}: a quarter more than {bound} is not {code}: {beyond:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs a workflow of one step that grows by what `answer` says, with small bounds of growth.
fn grown(growth: &str, answer: &Value) -> Value {
    let sandbox = Sandbox::new();
    sandbox.write("bounds.toml", format!("[growth]\n{growth}\n"));
    sandbox.write("answer", answer.to_string());
    sandbox.write("w.yaml", "name: w\non_failure: stop\nsteps: [{id: p, run: cat answer}]");
    let ended = sandbox.reenact(&["--json", "--config", "bounds.toml", "run", "w.yaml", "--id", "r"]);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    ended.json()
}

#[test]
fn a_run_grows_up_to_each_bound_and_not_beyond() {
    let plan = |steps: usize| {
        let steps: Vec<_> =
            (0..steps).map(|step| json!({"id": format!("s{step}"), "run": ["true"]})).collect();
        json!({"add_steps": steps})
    };
    let fan_out = |items: usize| json!({"add_steps": [{"id": "f", "for_each": format!("range({items})"), "run": ["true"]}]});
    let nested = json!({"add_steps": [{"id": "q", "run": ["echo", plan(1).to_string()]}]});
    for (growth, within, beyond, code) in [
        ("width = 3", plan(3), plan(4), "RE-3023"),
        ("total = 3", plan(3), plan(4), "RE-3023"),
        ("depth = 1", plan(1), nested, "RE-3023"),
        ("items = 5", fan_out(5), fan_out(6), "RE-3029"),
    ] {
        let run = grown(growth, &within);
        assert_eq!(run["status"], "completed", "{growth}: {run}");
        let run = grown(growth, &beyond);
        assert_eq!(
            (run["status"].as_str(), run["error"]["code"].as_str()),
            (Some("failed"), Some(code)),
            "{run}"
        );
        assert_eq!(run["error"]["class"], "validation", "{run}");
    }
}

#[test]
fn what_a_program_writes_is_taken_up_to_its_bound() {
    let sandbox = Sandbox::new();
    sandbox.write("bounds.toml", "[process]\noutput_max = \"4KiB\"\n");
    for (bytes, exit, code) in [(4096, 0, None), (4097, 1, Some("RE-3010"))] {
        let file = format!("steps: [{{id: a, run: \"head -c {bytes} /dev/zero | tr '\\\\0' x\"}}]");
        sandbox.write("w.yaml", file);
        let run = sandbox.json(exit, &["--config", "bounds.toml", "run", "w.yaml"]);
        assert_eq!(run["error"]["code"].as_str(), code, "{run}");
    }
}

#[test]
fn an_expression_makes_text_and_items_up_to_its_bounds() {
    const MIB: usize = 1024 * 1024;
    let sandbox = Sandbox::new();
    let ranges = |count: usize| vec!["(range(99999)|list|length)"; count].join(" + ");
    for (expression, code) in [
        (format!("('x' * {}) != ''", 15 * MIB), None),
        (format!("('x' * {}) != ''", 17 * MIB), Some("RE-1204")),
        (format!("{} > 0", ranges(3)), None),
        (format!("{} > 0", ranges(30)), Some("RE-1204")),
    ] {
        let file = json!({"steps": [{"id": "a", "if": expression, "run": ["true"]}]});
        sandbox.write("w.yaml", file.to_string());
        let run = bounded(&sandbox, &["--json", "run", "w.yaml"]).json();
        assert_eq!(run["error"]["code"].as_str(), code, "{expression}: {run}");
    }
}

#[test]
fn what_people_give_is_taken_up_to_its_bounds() {
    let sandbox = Sandbox::new();
    sandbox.write("w.yaml", "name: w\nsteps: [{id: a, run: 'true'}]");
    let id = |length: usize| "i".repeat(length);
    sandbox.json(0, &["run", "w.yaml", "--id", &id(64)]);
    assert_eq!(sandbox.json(2, &["run", "w.yaml", "--id", &id(65)])["error"]["code"], "RE-1002");
    let tag = |length: usize| format!("k={}", "v".repeat(length));
    sandbox.json(0, &["run", "w.yaml", "--tag", &tag(2047)]);
    assert_eq!(sandbox.json(2, &["run", "w.yaml", "--tag", &tag(2048)])["error"]["code"], "RE-1113");
    let deep = |levels: usize| format!("x:={}1{}", "[".repeat(levels), "]".repeat(levels));
    sandbox.json(0, &["run", "w.yaml", "--input", &deep(90)]);
    assert_eq!(sandbox.json(2, &["run", "w.yaml", "--input", &deep(101)])["error"]["code"], "RE-1203");
    let input = |mib: usize| format!("{{\"x\": \"{}\"}}", "x".repeat(mib * 1024 * 1024));
    sandbox.write("in.json", input(31));
    sandbox.json(0, &["run", "w.yaml", "--input-file", "in.json"]);
    sandbox.write("in.json", input(32));
    assert_eq!(sandbox.json(2, &["run", "w.yaml", "--input-file", "in.json"])["error"]["code"], "RE-1113");
    assert_eq!(sandbox.json(0, &["list"])["runs"].as_array().unwrap().len(), 4);
}
