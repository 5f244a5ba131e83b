//! The official clients from npm, of both generations, work with the server. Needs Node with both packages; `.ci/run` installs
//! them, and says where in `REENACT_MCP_CLIENTS`.

use std::process::Command;

use serde_json::json;

use super::work::chain;
use crate::support::Sandbox;

/// The variable that names the folder in which both packages are.
const FOLDER: &str = "REENACT_MCP_CLIENTS";

const SCRIPT: &str = include_str!("official.mjs");

#[test]
fn the_official_clients_do_the_steps_of_a_chain() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        eprintln!(
            "skipped: {FOLDER} names no folder with the packages `@modelcontextprotocol/sdk` and `@modelcontextprotocol/client`; `.ci/run` does"
        );
        return;
    };
    let sandbox = Sandbox::new();
    chain(&sandbox);
    let environment = json!({
        "PATH": std::env::var("PATH").unwrap_or_default(),
        "HOME": sandbox.root().join("home"),
        "TMPDIR": sandbox.tmp(),
        "REENACT_DATA": sandbox.data(),
    });
    let ended = Command::new("node")
        .current_dir(folder)
        .args(["--input-type=module", "-e", SCRIPT, "--", env!("CARGO_BIN_EXE_reenact")])
        .arg(sandbox.work(""))
        .arg(environment.to_string())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{stdout}{stderr}");
    let did: Vec<&str> = stdout.lines().collect();
    let all = ["one did 2 steps", "older did 2 steps", "found did 2 steps", "newest did 2 steps"];
    assert_eq!(did, all, "{stderr}");
    for run in ["one", "older", "found", "newest"] {
        let by = sandbox.events(run, "task_taken")[0]["data"]["by"].clone();
        assert!(by.as_str().unwrap().starts_with(&format!("{run} for ")), "{by}");
    }
}
