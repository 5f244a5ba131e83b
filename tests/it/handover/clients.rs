//! Verbs beside a run in another process.

use super::{gated, open, start_gated, starts, status};
use crate::support::{Sandbox, wait_until};

#[test]
fn every_verb_answers_the_same_beside_a_run_in_another_process() {
    let sandbox = Sandbox::new();
    sandbox.write("old.yaml", "name: old\nsteps:\n  - id: a\n    run: echo hi\n");
    sandbox.json(0, &["run", "old.yaml", "--id", "old"]);
    let ask = || {
        let listed = sandbox.json(0, &["list", "--workflow", "old"]);
        (sandbox.status("old"), sandbox.history("old"), listed, sandbox.json(0, &["resume", "old"]))
    };
    let alone = ask();
    let holder = start_gated(&sandbox, "holder");
    assert_eq!(ask(), alone);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
    let seen = sandbox.status("holder");
    assert_eq!((&seen["status"], &seen["driven"]), (&"running".into(), &true.into()));
    for (code, arguments) in
        [(2, ["status", "nobody"]), (2, ["history", "nobody"]), (2, ["resume", "nobody"])]
    {
        assert_eq!(sandbox.json(code, &arguments)["error"]["code"], "RE-1003");
    }
    sandbox.json(0, &["run", "old.yaml", "--id", "new"]);
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
    assert_eq!(status(&sandbox, "new"), "completed");
}

#[test]
fn file_input_agents_work_folder_and_environment_of_a_run_are_its_clients() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let agent = "---\nname: greeter\ndescription: Greets\nexecutor: subprocess\ncommand: [bin/greet]\n---\n";
    sandbox.write("sub/agents/greeter.md", agent);
    let program = sandbox.write("sub/bin/greet", "#!/bin/sh\necho greetings from $(pwd)\n");
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.write("sub/input.yaml", "who: world\n");
    let text = "name: sub\nsteps:\n  - id: where\n    run: 'pwd; echo {{ env.FLAVOUR }} {{ input.who }}'\n  \
                - id: greet\n    agent: greeter\n";
    sandbox.write("sub/sub.yaml", text);
    let mut command = sandbox.command(&["--json", "run", "sub.yaml", "--input-file", "input.yaml"]);
    command
        .current_dir(sandbox.work("sub"))
        .env("FLAVOUR", "sour")
        .env("REENACT_EXPRESSIONS__ENV", "FLAVOUR");
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let (report, folder) = (ended.json(), sandbox.work("sub"));
    let folder = folder.display();
    assert_eq!(report["steps"][0]["output"]["stdout"], format!("{folder}\nsour world"), "{ended}");
    assert_eq!(report["steps"][1]["output"]["stdout"], format!("greetings from {folder}"), "{ended}");
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn a_client_that_is_killed_stops_nothing() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    start_gated(&sandbox, "client").kill();
    assert_eq!(sandbox.status("client")["driven"], true);
    open(&sandbox, "client");
    wait_until("the run of the killed client is completed", || status(&sandbox, "client") == "completed");
    assert_eq!(starts(&sandbox, "client"), 1);
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn sigint_in_a_client_interrupts_its_run_and_no_other() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let client = start_gated(&sandbox, "client");
    client.interrupt();
    let ended = client.wait();
    assert_eq!(ended.code(), Some(130), "{ended}");
    let report = sandbox.status("client");
    assert_eq!((&report["status"], &report["driven"]), (&"running".into(), &false.into()));
    let lost = sandbox.history("client").into_iter().find(|event| event["type"] == "attempt_lost").unwrap();
    assert_eq!(lost["data"]["interrupted"], true);
    assert_eq!(starts(&sandbox, "holder"), 1);
    open(&sandbox, "client");
    assert_eq!(sandbox.json(0, &["resume", "client"])["status"], "completed");
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
    assert_eq!(sandbox.count("holder", "attempt_lost", None), 0);
}

#[test]
fn sigint_in_a_client_stops_nothing_that_another_client_sees_through() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let first = start_gated(&sandbox, "shared");
    let second = sandbox.spawn(&["--json", "run", "shared.yaml", "--id", "shared"]);
    // It has attached when the holder knows of it; of that it says nothing, but on stderr without --json.
    let third = sandbox.spawn(&["run", "shared.yaml", "--id", "shared"]);
    wait_until("a client has attached", || third.stderr().contains("run shared"));
    first.interrupt();
    assert_eq!(first.wait().code(), Some(130));
    assert_eq!(sandbox.status("shared")["driven"], true);
    open(&sandbox, "shared");
    assert_eq!(second.wait().json()["status"], "completed");
    assert_eq!(third.wait().code(), Some(0));
    assert_eq!((starts(&sandbox, "shared"), sandbox.count("shared", "attempt_lost", None)), (1, 0));
    open(&sandbox, "holder");
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn the_same_id_attaches_with_the_same_input_and_is_refused_with_another() {
    let sandbox = Sandbox::new();
    let holder = start_gated(&sandbox, "holder");
    let attached = sandbox.spawn(&["--json", "run", "holder.yaml", "--id", "holder"]);
    let refused = sandbox.json(2, &["run", "holder.yaml", "--id", "holder", "--input", "a=b"]);
    assert_eq!(refused["error"]["code"], "RE-1005");
    sandbox.write("other.yaml", gated("other"));
    assert_eq!(sandbox.json(2, &["run", "other.yaml", "--id", "holder"])["error"]["code"], "RE-1005");
    open(&sandbox, "holder");
    let (first, second) = (holder.wait(), attached.wait());
    assert_eq!((first.code(), second.code()), (Some(0), Some(0)), "{first}{second}");
    assert_eq!(first.json()["steps"], second.json()["steps"]);
    assert_eq!(starts(&sandbox, "holder"), 1);
    // With nobody else holding the store it is the same.
    assert_eq!(sandbox.json(0, &["run", "holder.yaml", "--id", "holder"])["status"], "completed");
    assert_eq!(sandbox.json(2, &["run", "other.yaml", "--id", "holder"])["error"]["code"], "RE-1005");
}
