//! `sales.yaml`: months of sales are checked, summed up and reported, and people are asked only if too much is wrong.

use std::fs;

use serde_json::{Value, json};

use super::hang::Hanging;
use super::sandbox;

const FILE: &str = "examples/sales.yaml";

fn report_of(report: &Value) -> String {
    fs::read_to_string(report["output"]["report"].as_str().unwrap()).unwrap()
}

fn sum_and_bad(report: &Value) -> (i64, i64, i64) {
    let number = |key: &str| report["output"][key].as_i64().unwrap();
    (number("items"), number("cents"), number("bad"))
}

#[test]
fn months_of_sales_are_reported_without_the_lines_that_are_none() {
    let sandbox = sandbox();
    let report = sandbox.json(0, &["run", FILE, "--id", "r"]);
    assert_eq!(sum_and_bad(&report), (3, 96_440, 2));
    let text = report_of(&report);
    assert!(text.contains("# Sales of 2026-01, 2026-02, 2026-03\n"), "{text}");
    assert!(
        text.contains("| chair | 9 | 405.00 |\n| lamp | 6 | 119.40 |\n| table | 2 | 440.00 |\n"),
        "{text}"
    );
    let said = sandbox.reenact(&["logs", "r", "clean[1]"]);
    assert!(said.stdout.contains("2026-02.csv:4: no sale: 2026-02-11,lamp,one,1990"), "{said}");
}

#[test]
fn somebody_looks_first_where_too_many_lines_are_none() {
    let sandbox = sandbox();
    let report = sandbox.json(4, &["run", FILE, "--id", "r", "--input", "max_bad=1"]);
    assert_eq!(report["waiting_for"][0]["step"], "look");
    let report = sandbox.json(0, &["approve", "r", "look", "--resume"]);
    assert_eq!(sum_and_bad(&report), (3, 96_440, 2));
}

#[test]
fn a_folder_without_sales_is_told_and_nothing_is_reported() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.work("examples/empty")).unwrap();
    let report = sandbox.json(1, &["run", FILE, "--id", "r", "--input", "folder=empty"]);
    assert_eq!(
        (&report["error"]["step"], &report["error"]["class"]),
        (&json!("months"), &json!("validation"))
    );
}

/// A file is there, and nobody has recorded the step that made it.
#[test]
fn a_report_that_is_killed_after_each_file_is_the_same_report() {
    let first = sandbox();
    let expected = report_of(&first.json(0, &["run", FILE, "--id", "r"]));
    let sandbox = sandbox();
    let hanging = Hanging::after(&sandbox, &["mv"], "do");
    let (ended, kills) = hanging.see_through(&["run", FILE, "--id", "r"], &["resume", "r"], || {});
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(kills >= 3, "the months at once or one by one, the sum, and the report: {kills}");
    assert_eq!(report_of(&sandbox.status("r")), expected);
}
