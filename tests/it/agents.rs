//! Agents that are paused, drained, listed and checked, with the real binary.

use serde_json::Value;

use crate::support::{Sandbox, wait_until};

/// An agent whose attempts say so in `log`, and a workflow whose first step waits for the file `go`.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    let agent = "---\nname: Worker Agent\ndescription: Works\nexecutor: subprocess\n\
                 command: [sh, -c, 'echo $REENACT_RUN $REENACT_STEP $REENACT_PURPOSE $REENACT_ATTEMPT >> log']\nconcurrency: 2\n---\n";
    sandbox.write("agents/worker.md", agent);
    sandbox.write("one.yaml", "name: one\nsteps:\n  - {id: a, agent: worker}\n");
    let gate = "'echo started >> gate; for _ in $(seq 3000); do [ -e go ] && break; sleep 0.01; done'";
    sandbox.write(
        "two.yaml",
        format!("name: two\nsteps:\n  - {{id: gate, run: {gate}}}\n  - {{id: a, agent: worker}}\n"),
    );
    sandbox.write(
        "undone.yaml",
        "name: undone\nsteps:\n  - {id: a, run: 'true', compensate: {agent: worker}}\n  - {id: b, run: exit 1}\n",
    );
    sandbox
}

fn log(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.work("log")).unwrap_or_default()
}

fn waits_for(report: &Value) -> Vec<(&str, &str, &str)> {
    let waiting = report["waiting_for"].as_array().unwrap().iter();
    let text = |value: &'_ Value| -> &str {
        value.as_str().map_or("", |text| Box::leak(text.to_owned().into_boxed_str()))
    };
    waiting.map(|one| (text(&one["kind"]), text(&one["id"]), text(&one["step"]))).collect()
}

fn code(refused: &Value) -> &str {
    refused["error"]["code"].as_str().unwrap()
}

#[test]
fn a_paused_agent_keeps_a_run_waiting_which_is_killed_and_resumed_and_goes_on_when_it_takes_work() {
    let sandbox = machine();
    let holder = sandbox.spawn(&["--json", "run", "two.yaml", "--id", "r"]);
    wait_until("the gate runs", || sandbox.work("gate").exists());
    let turned = sandbox.json(0, &["agents", "pause", "WORKER", "--reason", "it is down"]);
    assert_eq!((&turned["status"], &turned["version"]), (&"paused".into(), &1.into()), "beside its holder");
    assert_eq!(sandbox.json(0, &["agents", "pause", "worker"])["version"], 1, "again, nothing happens");
    holder.kill();
    sandbox.write("go", "");
    let report = sandbox.json(4, &["resume", "r"]);
    assert_eq!(report["status"], "waiting");
    assert_eq!(waits_for(&report), [("agent", "Worker Agent", "a")]);
    assert_eq!(report["driven"], true, "nobody need drive it");
    let people = sandbox.reenact(&["status", "r"]);
    assert!(people.stdout.contains("agents unpause"), "{people}");
    sandbox.json(4, &["resume", "r"]);
    assert_eq!((log(&sandbox).as_str(), sandbox.count("r", "agent_awaited", None)), ("", 1));
    assert_eq!(sandbox.json(0, &["agents", "unpause", "worker"])["status"], "active");
    assert_eq!(sandbox.status("r")["interrupted"], true, "it can go on, and nobody drives it");
    assert_eq!((sandbox.status("r")["status"].clone(), log(&sandbox).as_str()), ("running".into(), ""));
    let report = sandbox.json(0, &["resume", "r"]);
    assert_eq!((&report["status"], &report["steps"][1]["attempts"]), (&"completed".into(), &1.into()));
    assert_eq!(log(&sandbox), "r a do 1\n");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn a_run_that_begins_while_its_agent_is_paused_waits_from_its_beginning() {
    let sandbox = machine();
    sandbox.json(0, &["agents", "pause", "worker"]);
    let report = sandbox.json(4, &["run", "one.yaml", "--id", "r"]);
    assert_eq!((&report["status"], log(&sandbox).as_str()), (&"waiting".into(), ""));
    let ended = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!(ended.json()["status"], "waiting", "{ended}");
    sandbox.json(0, &["cancel", "r"]);
    assert_eq!(sandbox.status("r")["status"], "cancelled", "it can be ended all the same");
}

#[test]
fn a_rollback_whose_agent_is_paused_waits_and_goes_on() {
    let sandbox = machine();
    sandbox.json(0, &["agents", "pause", "worker"]);
    let report = sandbox.json(4, &["run", "undone.yaml", "--id", "r"]);
    assert_eq!(
        (&report["status"], waits_for(&report)),
        (&"waiting".into(), vec![("agent", "Worker Agent", "a")])
    );
    assert_eq!(report["steps"][0]["status"], "compensating");
    sandbox.json(0, &["agents", "unpause", "worker"]);
    assert_eq!(sandbox.json(3, &["resume", "r"])["status"], "compensated");
    assert_eq!(log(&sandbox), "r a compensate 1\n");
}

#[test]
fn who_drives_all_goes_on_with_what_waited_as_soon_as_the_agent_takes_work() {
    let sandbox = machine();
    sandbox.write("sleeps.yaml", "name: sleeps\nsteps:\n  - {id: nap, sleep: 1d}\n");
    sandbox.json(0, &["agents", "pause", "worker"]);
    sandbox.json(4, &["run", "one.yaml", "--id", "r"]);
    sandbox.json(4, &["run", "sleeps.yaml", "--id", "s", "--detach"]);
    let holder = sandbox.spawn(&["--json", "resume", "--all"]);
    wait_until("the sleeper sleeps", || sandbox.count("s", "timer_set", None) == 1);
    assert_eq!(sandbox.status("r")["status"], "waiting");
    sandbox.json(0, &["agents", "unpause", "worker"]);
    wait_until("it is completed", || sandbox.status("r")["status"] == "completed");
    assert_eq!(log(&sandbox), "r a do 1\n");
    holder.interrupt();
    assert_eq!(holder.wait().code(), Some(130));
}

/// The process that let it take work again may have died before it told the runs.
#[test]
fn who_waited_is_told_by_the_next_process_if_the_one_that_was_to_died() {
    let sandbox = machine();
    sandbox.json(0, &["agents", "pause", "worker"]);
    sandbox.json(4, &["run", "one.yaml", "--id", "r"]);
    sandbox.json(0, &["agents", "unpause", "worker"]);
    sandbox.json(0, &["agents", "pause", "worker"]);
    sandbox.json(4, &["resume", "r"]);
    assert_eq!(sandbox.count("r", "agent_awaited", None), 2);
    sandbox.json(0, &["agents", "unpause", "worker"]);
    let ended = sandbox.reenact(&["--json", "resume", "--all"]);
    assert_eq!((ended.code(), ended.json()["status"].clone()), (Some(0), "completed".into()), "{ended}");
}

#[test]
fn nothing_is_recorded_of_an_agent_that_nobody_knows() {
    let sandbox = machine();
    for verb in ["pause", "unpause", "drain"] {
        let refused = sandbox.json(2, &["agents", verb, "Worker Agnet"]);
        assert_eq!(code(&refused), "RE-1301");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("Worker Agent"), "{refused}");
    }
    assert!(!sandbox.data().exists(), "not even a data folder is made");
    sandbox.json(0, &["run", "one.yaml", "--id", "r"]);
    let before = sandbox.json(0, &["verify"])["events"].clone();
    assert_eq!(code(&sandbox.json(2, &["agents", "pause", "nobody"])), "RE-1301");
    assert_eq!(code(&sandbox.json(2, &["agents", "show", "nobody"])), "RE-1301");
    sandbox.json(0, &["agents"]);
    sandbox.json(0, &["agents", "show", "worker"]);
    assert_eq!(sandbox.json(0, &["agents", "unpause", "worker"])["status"], "active");
    assert_eq!(sandbox.json(0, &["verify"])["events"], before);
    std::fs::remove_file(sandbox.work("agents/worker.md")).unwrap();
    assert_eq!(sandbox.json(0, &["agents", "pause", "worker"])["status"], "paused", "its history knows it");
}

#[test]
fn agents_are_listed_and_shown_with_what_files_and_history_say_of_them() {
    let sandbox = machine();
    sandbox.write("agents/bad.md", "---\nname: bad\ndescription: x\nrate: often\n---\n");
    let listed = sandbox.json(0, &["agents"]);
    let names: Vec<_> = listed["agents"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["bad", "shell", "Worker Agent"]);
    assert_eq!(listed["agents"][0]["error"]["code"], "RE-1302");
    assert_eq!(
        (&listed["agents"][1]["source"], &listed["agents"][1]["concurrency"]),
        (&"built in".into(), &16.into())
    );
    sandbox.json(0, &["run", "one.yaml", "--id", "r"]);
    sandbox.json(0, &["agents", "drain", "worker", "--by", "ada", "--reason", "it moves"]);
    let shown = sandbox.json(0, &["agents", "show", "worker_agent"]);
    assert_eq!(
        (&shown["source"], &shown["executor"], &shown["status"]),
        (&"file".into(), &"subprocess".into(), &"draining".into())
    );
    assert_eq!((&shown["draining"]["by"], &shown["draining"]["reason"]), (&"ada".into(), &"it moves".into()));
    assert_eq!(
        (&shown["concurrency"], &shown["version"], &shown["slots"]),
        (&2.into(), &2.into(), &Value::Null)
    );
    assert_eq!(shown["definition"].as_str().unwrap().len(), 64);
    let holder = sandbox.spawn(&["--json", "run", "two.yaml", "--id", "r2"]);
    assert_eq!(holder.wait().code(), Some(2), "it is draining");
    let people = sandbox.reenact(&["agents", "show", "worker"]);
    assert!(people.stdout.contains("draining by ada"), "{people}");
}

#[test]
fn the_slots_of_an_agent_are_seen_beside_the_process_that_has_them() {
    let sandbox = machine();
    let holder = sandbox.spawn(&["--json", "run", "two.yaml", "--id", "r"]);
    wait_until("the gate runs", || sandbox.work("gate").exists());
    let shown = sandbox.json(0, &["agents", "show", "shell"]);
    assert_eq!(shown["slots"], serde_json::json!({"in_use": 1, "waiting": 0}));
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn a_draining_agent_begins_no_run_and_goes_on_with_those_that_are_there() {
    let sandbox = machine();
    sandbox.json(4, &["run", "one.yaml", "--id", "before", "--detach"]);
    sandbox.json(0, &["agents", "drain", "worker"]);
    assert_eq!(code(&sandbox.json(2, &["run", "one.yaml", "--id", "after"])), "RE-1308");
    assert_eq!(
        code(&sandbox.json(2, &["run", "undone.yaml", "--id", "after"])),
        "RE-1308",
        "it would undo it"
    );
    sandbox.write("up.yaml", "name: up\nsteps:\n  - {id: c, workflow: one.yaml}\n");
    assert_eq!(code(&sandbox.json(2, &["run", "up.yaml", "--id", "after"])), "RE-1308", "its child names it");
    // Who may only be handed a step over, or be assigned a task, is named as well.
    let first = "---\nname: first\ndescription: x\ncommand: [cat]\n---\n";
    sandbox.write("agents/first.md", first);
    sandbox.write("over.yaml", "steps: [{id: a, agent: first, handoffs: [worker]}]\n");
    sandbox.write("goal.yaml", "steps: [{id: a, agent: first, prompt: x, plan: {agents: [worker]}}]\n");
    for file in ["over.yaml", "goal.yaml"] {
        assert_eq!(code(&sandbox.json(2, &["run", file, "--id", "after"])), "RE-1308", "{file}");
    }
    assert_eq!(code(&sandbox.json(2, &["status", "after"])), "RE-1003", "nothing was started");
    assert_eq!(sandbox.json(0, &["run", "one.yaml", "--id", "before"])["status"], "completed");
    sandbox.json(0, &["agents", "unpause", "worker"]);
    sandbox.json(0, &["run", "one.yaml", "--id", "after"]);
}

#[test]
fn the_history_of_an_agent_is_read_and_walked_through_as_that_of_a_run() {
    let sandbox = machine();
    sandbox.json(0, &["run", "one.yaml", "--id", "r"]);
    sandbox.json(0, &["run", "one.yaml", "--id", "again"]);
    sandbox.json(0, &["agents", "pause", "worker", "--by", "ada"]);
    let history = sandbox.history("agent/Worker-Agent");
    let types: Vec<_> = history.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["agent_registered", "agent_paused"], "registered once with each definition");
    assert_eq!((&history[0]["data"]["concurrency"], &history[1]["data"]["by"]), (&2.into(), &"ada".into()));
    let state = sandbox.json(0, &["replay", "agent/worker", "--at", "1"]);
    assert_eq!((&state["status"], &state["version"]), (&"active".into(), &1.into()));
    assert_eq!(sandbox.json(0, &["replay", "agent/worker"])["state"]["paused"]["by"], "ada");
    sandbox.json(2, &["history", "agent/nobody"]);
    sandbox.json(2, &["replay", "agent/worker", "--at", "9"]);
}

#[test]
fn the_files_of_agents_are_checked_with_places() {
    let sandbox = machine();
    let good = sandbox.json(0, &["agents", "validate", "agents/worker.md"]);
    assert_eq!((&good["ok"], &good["files"][0]["agent"]), (&true.into(), &"Worker Agent".into()));
    sandbox.write(
        "agents/odd.md",
        "---\nname: odd\ndescription: x\ntools: search\ncolour: red\nexecutor: external\n---\n",
    );
    let odd = sandbox.json(0, &["agents", "validate", "agents"]);
    let warnings = odd["files"][0]["warnings"].as_array().unwrap();
    let seen: Vec<_> = warnings
        .iter()
        .map(|one| (one["code"].as_str().unwrap(), one["at"]["line"].as_u64().unwrap()))
        .collect();
    assert!(seen.contains(&("RE-1303", 5)) && seen.contains(&("RE-1306", 4)), "{odd}");
    sandbox.write("agents/bad.md", "---\nname: bad\ndescription: x\nrate: often\n---\n");
    let bad = sandbox.json(1, &["agents", "validate", "agents"]);
    let error = &bad["files"][0]["errors"][0];
    assert_eq!((&error["at"]["file"], &error["at"]["line"]), (&"agents/bad.md".into(), &4.into()), "{bad}");
    sandbox.json(2, &["agents", "validate", "nowhere.md"]);
    assert_eq!(sandbox.reenact(&["agents", "validate"]).code(), Some(2));
    assert!(!sandbox.data().exists());
}
