//! Agents that are models and use tools: each turn and each call is a step, and what is recorded is never paid for twice.

use serde_json::{Value, json};

use super::{KINDS, Machine};
use crate::support::provider::{Does, USUAL};
use crate::support::wait_until;

const HELPER: &str =
    "---\nname: helper\ndescription: Helps\ntools: [lookup, hold]\n---\nYou look things up.\n";
/// A tool that is a program: it answers what it was given, and notes that it was called.
const LOOKUP: &str =
    "---\nname: lookup\ndescription: Looks a word up\nexecutor: subprocess\ncommand: [sh, lookup.sh]\n---\n";
/// A tool that waits for as long as a file is not there.
const HOLD: &str = "---\nname: hold\ndescription: Waits\nexecutor: subprocess\ncommand: [sh, hold.sh]\n---\n";
const ONE: &str = "name: one\nsteps:\n  - {id: s, agent: helper, prompt: 'What is a dodo?'}\noutput: '{{ steps.s.output.stdout }}'\n";

fn machine(kind: &str) -> Machine {
    let machine = Machine::new(kind);
    let write = |name: &str, text: &str| drop(machine.sandbox.write(name, text));
    write("agents/helper.md", HELPER);
    write("agents/lookup.md", LOOKUP);
    write("agents/hold.md", HOLD);
    write(
        "lookup.sh",
        "echo \"$REENACT_STEP\" >> called; sed 's/.*\"input\":{\"word\":\"\\([a-z]*\\)\".*/{\"meaning\":\"\\1!\"}/'",
    );
    write(
        "hold.sh",
        "echo \"$REENACT_STEP\" >> called; touch held; while [ ! -e go ]; do sleep 0.01; done; echo held on",
    );
    write("one.yaml", ONE);
    machine
}

/// The calls of tools that were made, in order.
fn called(machine: &Machine) -> Vec<String> {
    let text = std::fs::read_to_string(machine.sandbox.work("called")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn word(word: &str) -> (&'static str, Value) {
    ("lookup", json!({ "word": word }))
}

/// What a request says of each message: who says it, and what it says, in few words.
fn told(kind: &str, body: &Value) -> Vec<(String, String)> {
    let messages = body["messages"].as_array().unwrap().iter().filter(|message| message["role"] != "system");
    let mut told: Vec<(String, String)> = Vec::new();
    for message in messages {
        let role = message["role"].as_str().unwrap().to_owned();
        match (kind, &message["content"]) {
            ("anthropic", Value::Array(blocks)) => told.extend(blocks.iter().map(|block| {
                let says = match block["type"].as_str().unwrap() {
                    "text" => block["text"].to_string(),
                    "tool_use" => format!("{}{}", block["name"].as_str().unwrap(), block["input"]),
                    _ => format!("→ {}", block["content"].as_str().unwrap()),
                };
                (role.clone(), says)
            })),
            (_, content) => {
                if role == "tool" {
                    told.push(("user".to_owned(), format!("→ {}", content.as_str().unwrap())));
                } else if !content.is_null() {
                    told.push((role.clone(), content.to_string()));
                }
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let function = &call["function"];
                    let (name, given) = (&function["name"], &function["arguments"]);
                    told.push((
                        role.clone(),
                        format!("{}{}", name.as_str().unwrap(), given.as_str().unwrap()),
                    ));
                }
            }
        }
    }
    told
}

#[test]
fn an_agent_uses_tools_until_it_has_its_answer() {
    for kind in KINDS {
        let machine = machine(kind);
        machine.provider.then([
            Does::WantsTools("I look both up.", vec![word("dodo"), word("bird")]),
            Does::WantsTools("", vec![word("extinct")]),
        ]);
        let report = machine.run(0, &["one.yaml", "--id", "r"]);
        assert_eq!(report["output"], USUAL, "{kind}");
        assert_eq!(report["degraded"], false);
        let steps: Vec<_> =
            report["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
        let expected = [
            "s",
            "s/turn[1]",
            "s/turn[1]/tool[1]",
            "s/turn[1]/tool[2]",
            "s/turn[2]",
            "s/turn[2]/tool[1]",
            "s/turn[3]",
        ];
        assert_eq!(steps, expected, "{kind}");
        assert_eq!(report["steps"][2]["output"], json!({ "meaning": "dodo!" }));
        assert_eq!(report["usage"]["calls"], 3, "of the model");
        let bodies = machine.provider.bodies();
        let [_, _, last] = bodies.as_slice() else { panic!("{kind}: {}", bodies.len()) };
        let says = |who: &str, what: &str| (who.to_owned(), what.to_owned());
        let conversation = [
            says("user", "\"What is a dodo?\""),
            says("assistant", "\"I look both up.\""),
            says("assistant", "lookup{\"word\":\"dodo\"}"),
            says("assistant", "lookup{\"word\":\"bird\"}"),
            says("user", "→ {\"meaning\":\"dodo!\"}"),
            says("user", "→ {\"meaning\":\"bird!\"}"),
            says("assistant", "lookup{\"word\":\"extinct\"}"),
            says("user", "→ {\"meaning\":\"extinct!\"}"),
        ];
        assert_eq!(told(kind, last), conversation, "{kind}");
        for body in &bodies {
            let names: Vec<_> = body["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| tool["name"].as_str().or(tool["function"]["name"].as_str()).unwrap().to_owned())
                .collect();
            assert_eq!(names, ["lookup", "hold"], "{kind}: {body}");
        }
        // What was said before is recorded with the turn that it was said in, and what is the same for all once.
        let calls = machine.calls("r");
        let is_said = |call: &Value| {
            (!call["system"].is_null(), !call["tools"].is_null(), call["messages"].as_array().unwrap().len())
        };
        let recorded: Vec<_> = calls.iter().map(is_said).collect();
        assert_eq!(recorded, [(true, true, 1), (false, false, 1), (false, false, 1)], "{kind}");
        assert_eq!(machine.reenact(&["verify"]).code(), Some(0));
    }
}

#[test]
fn what_an_agent_wants_that_cannot_be_done_it_is_told_and_if_it_insists_it_fails() {
    for kind in KINDS {
        let machine = machine(kind);
        machine.provider.then([
            Does::WantsTools("", vec![word("dodo"), ("delete_all", json!({ "path": "/" }))]),
            Does::WantsTools("", vec![word("dodo")]),
        ]);
        let report = machine.run(0, &["one.yaml", "--id", "r"]);
        assert_eq!(report["output"], USUAL, "{kind}");
        assert_eq!(
            called(&machine),
            ["s/turn[1]/tool[1]"],
            "{kind}: none of an answer of which one call is wrong"
        );
        let body = machine.provider.bodies()[1].to_string();
        assert!(body.contains("delete_all") && body.contains("only `lookup`, `hold`"), "{body}");
        let stubborn = || Does::wants_tool("delete_all", json!({}));
        machine.provider.then((0..10).map(|_| stubborn()));
        let report = machine.run(1, &["one.yaml", "--id", "q"]);
        assert_eq!(
            (&report["error"]["code"], &report["error"]["class"]),
            (&"RE-2124".into(), &"validation".into())
        );
        assert!(called(&machine).len() == 1, "{kind}: nothing was started");
    }
}

#[test]
fn what_is_given_to_a_tool_is_an_object_whatever_a_model_writes() {
    let machine = machine("openai");
    machine.provider.then([
        Does::WantsToolWith("lookup", "{\"word\": \"do"),
        Does::WantsToolWith("lookup", "[1]"),
        Does::WantsTools("", vec![word("dodo")]),
    ]);
    let report = machine.run(0, &["one.yaml", "--id", "r"]);
    assert_eq!(report["output"], USUAL);
    assert_eq!(called(&machine), ["s/turn[1]/tool[1]"]);
    let bodies = machine.provider.bodies();
    assert!(bodies[1].to_string().contains("what that does not take"), "{}", bodies[1]);
    assert!(bodies[2].to_string().contains("it is no object"), "{}", bodies[2]);
}

#[test]
fn a_process_that_is_killed_in_a_turn_or_in_a_tool_goes_on_there_and_pays_for_nothing_twice() {
    for kind in KINDS {
        for hangs in [Does::HangsBefore, Does::HangsWithin("It was a dark")] {
            let machine = machine(kind);
            machine.provider.then([Does::WantsTools("", vec![word("dodo"), word("bird")]), hangs.clone()]);
            let running = machine.sandbox.start(machine.command(&["run", "one.yaml", "--id", "r"]));
            wait_until("the second turn is asked", || machine.provider.calls() == 2);
            running.kill();
            machine.provider.then([Does::WantsTools("", vec![("hold", json!({})), word("extinct")])]);
            let running = machine.sandbox.start(machine.command(&["resume", "r"]));
            wait_until("the tool is at work", || machine.sandbox.work("held").exists());
            wait_until("the other is done", || {
                machine.sandbox.count("r", "step_completed", Some("s/turn[2]/tool[2]")) == 1
            });
            running.kill();
            machine.sandbox.write("go", "");
            let ended = machine.reenact(&["--json", "resume", "r"]);
            assert_eq!(ended.code(), Some(0), "{ended}");
            assert_eq!(ended.json()["output"], USUAL);
            // One for each turn, and the one that was lost.
            assert_eq!(machine.provider.calls(), 4, "{kind} {hangs:?}");
            let mut calls = called(&machine);
            calls.sort();
            let expected = [
                "s/turn[1]/tool[1]",
                "s/turn[1]/tool[2]",
                "s/turn[2]/tool[1]",
                "s/turn[2]/tool[1]",
                "s/turn[2]/tool[2]",
            ];
            assert_eq!(
                calls, expected,
                "{kind} {hangs:?}: what was at work is done once more, and nothing else"
            );
            assert_eq!(machine.sandbox.count("r", "attempt_lost", None), 2);
            assert_eq!(machine.reenact(&["verify"]).code(), Some(0));
        }
    }
}

#[test]
fn a_model_reads_files_hands_over_and_sends_messages_by_tools_that_are_built_in() {
    for kind in KINDS {
        let machine = machine(kind);
        machine.sandbox.write("notes.txt", "The dodo is extinct.\n");
        machine.sandbox.write(
            "agents/helper.md",
            "---\nname: helper\ndescription: Helps\ntools: Read, send, handoff\nmax_turns: 3\n---\n",
        );
        let told = json!({ "to": "writer", "kind": "notice", "body": "it is extinct" });
        let over = json!({ "to": "writer", "reason": "it writes better", "context": { "found": "extinct" } });
        machine.provider.then([
            Does::WantsTools("", vec![("read", json!({ "path": "notes.txt" })), ("send", told)]),
            // Alone, or not at all.
            Does::WantsTools("", vec![("handoff", over.clone()), ("read", json!({ "path": "notes.txt" }))]),
            Does::WantsTools("I hand over.", vec![("handoff", over)]),
        ]);
        let report = machine.run(0, &["one.yaml", "--id", "r"]);
        assert_eq!(report["output"], USUAL, "{kind}: {report}");
        assert_eq!(report["handoffs"]["chain"], json!(["helper", "writer"]), "{report}");
        let ids: Vec<_> =
            report["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
        let expected =
            ["s", "s/turn[1]", "s/turn[1]/tool[1]", "s/turn[1]/tool[2]", "s/turn[2]", "s/turn[2]/handoff[1]"];
        assert_eq!(ids, expected, "{kind}");
        assert_eq!(report["steps"][2]["output"]["content"], "The dodo is extinct.\n");
        let bodies = machine.provider.bodies();
        assert!(bodies[2].to_string().contains("called alone"), "{}", bodies[2]);
        let last = bodies.last().unwrap().to_string();
        assert!(last.contains("it writes better") && last.contains("it is extinct"), "{last}");
        assert_eq!(machine.sandbox.count("r", "message_handled", None), 1, "{kind}");
    }
}

#[test]
fn people_allow_a_call_of_a_tool_or_its_model_is_told_that_they_do_not() {
    let machine = machine("anthropic");
    machine.sandbox.write(
        "agents/helper.md",
        "---\nname: helper\ndescription: Helps\ntools: [write]\napprove: ['w*']\n---\n",
    );
    let write = |text: &str| ("write", json!({ "path": "made.txt", "content": text }));
    machine.provider.then([
        Does::WantsTools("", vec![write("first")]),
        Does::WantsTools("", vec![write("second")]),
        Does::says("{\"stdout\": \"both were tried\"}"),
    ]);
    let report = machine.run(4, &["one.yaml", "--id", "r"]);
    assert_eq!(report["waiting_for"][0]["step"], "s/turn[1]/tool[1]", "{report}");
    assert!(!machine.sandbox.work("made.txt").exists());
    assert_eq!(machine.reenact(&["approve", "r", "--resume"]).code(), Some(4));
    assert_eq!(std::fs::read_to_string(machine.sandbox.work("made.txt")).unwrap(), "first");
    let ended = machine.reenact(&["--json", "reject", "r", "--reason", "leave it", "--resume"]);
    assert_eq!(
        (ended.code(), ended.json()["output"].clone()),
        (Some(0), "both were tried".into()),
        "{ended}"
    );
    assert_eq!(std::fs::read_to_string(machine.sandbox.work("made.txt")).unwrap(), "first");
    assert!(
        machine.provider.bodies()[2].to_string().contains("leave it"),
        "{}",
        machine.provider.bodies()[2]
    );
}
