//! Signals come before or after they are waited for, and are the output of who waits.

use super::{first, step, waiting, with};

const WAITS: &str = "name: waits
steps:
  - {id: one, wait_for: market open}
  - {id: two, wait_for: close, timeout: 1h}
output: '{{ [steps.one.output, steps.two.output] }}'
";

#[test]
fn a_signal_is_the_output_of_the_step_that_waits_for_it() {
    let (sandbox, report) = waiting(WAITS);
    assert_eq!(
        (&report["waiting_for"][0]["kind"], first(&report).as_str()),
        (&"signal".into(), "market open")
    );
    let shown = sandbox.reenact(&["status", "r"]).stdout;
    assert!(shown.contains("reenact signal r 'market open'"), "{shown}");
    let big = "{\"n\": 123456789012345678901234567890}";
    let recorded = sandbox.json(0, &["signal", "r", "market open", big, "--by", "exchange"]);
    assert_eq!((&recorded["run"], &recorded["status"]), (&"r".into(), &"running".into()));
    let report = sandbox.reenact(&["--json", "resume", "r"]);
    assert_eq!(report.code(), Some(4), "{report}");
    assert!(report.stdout.contains("123456789012345678901234567890"), "every digit is kept: {report}");
    let report = report.json();
    assert!(report["waiting_for"][0]["expires"].is_string(), "{report:#}");
    sandbox.json(0, &["signal", "r", "close"]);
    let report = sandbox.json(0, &["resume", "r"]);
    assert!(step(&report, "two")["output"].is_null());
    let signals: Vec<_> =
        sandbox.history("r").into_iter().filter(|event| event["type"] == "signal_received").collect();
    assert_eq!(
        (&signals[0]["data"]["by"], &signals[0]["data"]["name"]),
        (&"exchange".into(), &"market open".into())
    );
}

#[test]
fn a_signal_that_comes_before_it_is_waited_for_is_kept() {
    let sandbox = with(WAITS);
    let pending = sandbox.json(4, &["run", "w.yaml", "--id", "r", "--detach"]);
    assert_eq!(pending["status"], "pending");
    sandbox.json(0, &["signal", "r", "close", "\"late\""]);
    sandbox.json(0, &["signal", "r", "market open", "1"]);
    assert_eq!(sandbox.json(0, &["resume", "r"])["output"], serde_json::json!([1, "late"]));
}

#[test]
fn a_run_that_has_ended_takes_no_signal() {
    let (sandbox, _) = waiting(WAITS);
    sandbox.json(0, &["cancel", "r"]);
    let error = sandbox.json(2, &["signal", "r", "close"])["error"].clone();
    assert_eq!(error["code"], "RE-2001", "{error}");
    assert_eq!(sandbox.count("r", "signal_received", None), 0);
}
