//! How far steps are, as they say, from any terminal; and what was executed.

use serde_json::json;

use super::with;
use crate::support::{wait_for, wait_until};

#[test]
fn status_shows_how_far_each_step_says_that_it_is() {
    let waits = "until [ -e go ]; do sleep 0.01; done";
    let sandbox = with(&format!(
        "  - {{id: a, needs: [], run: 'echo \"PROGRESS: 40 copying \"; {waits}; echo \"PROGRESS: 100\"'}}\n  - {{id: b, needs: [], run: '{waits}'}}\n"
    ));
    let holder = sandbox.spawn(&["run", "w.yaml", "--id", "r"]);
    wait_until("it is at work", || sandbox.data().join("runs/r/logs/a.1.log").exists());
    let watches = sandbox.spawn(&["--json", "status", "r", "--watch"]);
    let report = wait_for("it is told how far it is", || {
        let ended = sandbox.reenact(&["--json", "status", "r"]);
        if ended.code() != Some(0) {
            return None;
        }
        Some(ended.json()).filter(|report| report["steps"][0]["progress"] != json!(null))
    });
    assert_eq!(report["steps"][0]["progress"], json!({"percent": 40, "text": "copying"}));
    assert_eq!(report["steps"][1]["progress"], json!(null));
    assert!(sandbox.reenact(&["status", "r"]).stdout.contains("40% copying"));
    wait_until("who watches sees it", || watches.stdout().contains("\"text\":\"copying\""));
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
    assert_eq!(watches.wait().code(), Some(0));
    let after = sandbox.status("r");
    assert_eq!(after["steps"][0]["progress"], json!(null), "nothing runs any more");
}

#[test]
fn a_transcript_shows_what_was_executed_where_and_with_which_variables() {
    let sandbox = with(
        "  - {id: a, run: 'echo said', cwd: sub, env: {TOKEN: sesame, OTHER: open}}\n  - {id: b, run: [echo, 'a b', $x]}\n",
    );
    sandbox.write("sub/file", "");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let a = sandbox.json(0, &["transcript", "r", "a"]);
    assert_eq!((&a["command"], &a["variables"]), (&json!("echo said"), &json!(["OTHER", "TOKEN"])));
    assert!(a["folder"].as_str().unwrap().ends_with("/work/sub"), "{a}");
    let b = sandbox.json(0, &["transcript", "r", "b"]);
    assert_eq!((&b["command"], &b["variables"]), (&json!(["echo", "a b", "$x"]), &json!(null)));
    let shown = sandbox.reenact(&["transcript", "r", "a"]).stdout;
    assert!(shown.contains("── command, by the shell\necho said\n── in "), "{shown}");
    assert!(shown.contains("── with the variables OTHER, TOKEN\n── stdout\nsaid\n"), "{shown}");
    assert!(sandbox.reenact(&["transcript", "r", "b"]).stdout.contains("── command\necho 'a b' '$x'\n"));
    for shown in [a.to_string(), shown] {
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
