//! `fan-out.yaml`: a step for each file, some at a time, and one that adds up.

use std::fs;

use serde_json::{Value, json};

use super::sandbox;
use crate::support::Sandbox;

const FILE: &str = "examples/fan-out.yaml";

/// Names, words and lines of the files in a folder, by name, counted without the example.
fn counted(sandbox: &Sandbox, folder: &str) -> (Vec<String>, Vec<usize>, usize) {
    let mut names: Vec<_> = fs::read_dir(sandbox.work(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let read = |name: &String| fs::read_to_string(sandbox.work(folder).join(name)).unwrap();
    let words = names.iter().map(|name| read(name).split_whitespace().count()).collect();
    let lines = names.iter().map(|name| read(name).lines().count()).sum();
    (names, words, lines)
}

fn expected(sandbox: &Sandbox, folder: &str) -> Value {
    let (files, words, lines) = counted(sandbox, folder);
    let total = json!({"files": files.len(), "words": words.iter().sum::<usize>(), "lines": lines});
    json!({"total": total, "files": files, "words": words})
}

fn step<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

#[test]
fn every_file_is_counted_and_the_sum_is_that_of_all() {
    let sandbox = sandbox();
    let report = sandbox.json(0, &["run", FILE]);
    assert_eq!(report["output"], expected(&sandbox, "examples/data"));
    assert_eq!(step(&report, "count[0]")["output"]["place"], 0);
    assert_eq!(step(&report, "remark")["status"], "skipped");
    assert_eq!(report["degraded"], false, "what `if` skips takes nothing away");
}

#[test]
fn a_step_with_a_true_condition_runs() {
    let sandbox = sandbox();
    let report = sandbox.json(0, &["run", FILE, "--input", "long=10"]);
    assert_eq!(step(&report, "remark")["output"], json!({"stdout": "132 words are a lot to read"}));
}

#[test]
fn as_many_items_run_at_once_as_max_parallel_says_and_no_more() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "bounded"]);
    let (mut open, mut most) = (0, 0);
    for event in sandbox.history("bounded") {
        if event["data"]["step"].as_str().is_some_and(|step| step.starts_with("count[")) {
            match event["type"].as_str().unwrap() {
                "attempt_started" => open += 1,
                "step_completed" => open -= 1,
                _ => {}
            }
        }
        most = most.max(open);
    }
    assert_eq!((open, most), (0, 2));
}

#[test]
fn no_name_of_a_file_is_too_odd() {
    let sandbox = sandbox();
    for name in ["it's.txt", "$(touch pwned).txt", "a \"b\" \\c.txt", "-n.txt", "ümläut {{ x }}.txt"] {
        sandbox.write(&format!("examples/odd/{name}"), "one two\nthree\n");
    }
    let report = sandbox.json(0, &["run", FILE, "--input", "folder=odd"]);
    assert_eq!(report["output"], expected(&sandbox, "examples/odd"));
}

#[test]
fn a_folder_without_files_sums_up_to_nothing() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.work("examples/empty")).unwrap();
    let report = sandbox.json(0, &["run", FILE, "--input", "folder=empty"]);
    assert_eq!(
        report["output"],
        json!({"total": {"files": 0, "words": 0, "lines": 0}, "files": [], "words": []})
    );
}
