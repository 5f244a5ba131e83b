//! Files of agents, those of other tools too: each loads, or says what is wrong with it and where, and the others go on. With
//! the real binary.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Sandbox;

/// A machine with the files of other tools, two of them without front matter.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agents");
    for file in ["storage_engineer_agent.md", "network_engineer_agent_v2.md"] {
        sandbox.write(&format!("agents/{file}"), fs::read(fixtures.join(file)).unwrap());
    }
    sandbox.write(".claude/agents/copy-editor.md", fs::read(fixtures.join("copy-editor.md")).unwrap());
    sandbox
}

fn agent<'a>(listed: &'a Value, name: &str) -> &'a Value {
    let agents = listed["agents"].as_array().unwrap();
    agents.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {listed}"))
}

/// The codes and lines of what is said of a file.
fn said<'a>(file: &'a Value, kind: &str) -> Vec<(&'a str, Option<u64>)> {
    let all = file[kind].as_array().unwrap().iter();
    all.map(|one| (one["code"].as_str().unwrap(), one["at"]["line"].as_u64())).collect()
}

#[test]
fn files_of_other_tools_load_and_say_to_whom_they_hand_over() {
    let sandbox = machine();
    let checked = sandbox.json(0, &["agents", "validate", "agents"]);
    assert_eq!(checked["ok"], true, "{checked}");
    let [network, storage] = &checked["files"].as_array().unwrap()[..] else { panic!("{checked}") };
    // The copy editor is found elsewhere; of the others nobody has heard.
    assert_eq!(said(network, "warnings"), []);
    assert_eq!(said(storage, "warnings"), [("RE-1309", Some(88)), ("RE-1309", Some(89))], "{storage}");
    let looked = sandbox.reenact(&["--json", "doctor"]).json();
    let nobody =
        |check: &&Value| check["says"].as_str().unwrap().contains("hand over to `Data Protection Officer`");
    let found = looked["checks"].as_array().unwrap().iter().find(nobody);
    assert_eq!(found.unwrap_or_else(|| panic!("{looked}"))["state"], "warning");
    let listed = sandbox.json(0, &["agents", "list", "--handoffs"]);
    let storage = agent(&listed, "storage_engineer_agent");
    assert_eq!(storage["description"], "Storage Engineer Agent");
    assert_eq!(
        storage["handoffs"],
        json!(["network_engineer_agent_v2", "Release Principal Manager", "Data Protection Officer"])
    );
    assert_eq!(storage["handoffs_from"], json!(["network_engineer_agent_v2"]));
    assert_eq!(
        agent(&listed, "network_engineer_agent_v2")["handoffs"],
        json!(["storage_engineer_agent", "copy-editor"])
    );
    let editor = agent(&listed, "copy-editor");
    assert_eq!(
        (&editor["handoffs"], &editor["executor"]),
        (&Value::Null, &"llm".into()),
        "it may hand over to any"
    );
    let pair =
        |from: &str, to: &str, known: bool| json!({"from": from, "to": to, "known": known, "count": 0});
    let handoffs = listed["handoffs"].as_array().unwrap();
    assert_eq!(handoffs.len(), 5, "{listed}");
    assert!(handoffs.contains(&pair("network_engineer_agent_v2", "copy-editor", true)));
    assert!(handoffs.contains(&pair("storage_engineer_agent", "Data Protection Officer", false)));
    assert_eq!(sandbox.json(0, &["agents"])["handoffs"], Value::Null, "only if it is asked for");
    let people = sandbox.reenact(&["agents", "list", "--handoffs"]).stdout;
    assert!(people.contains("Data Protection Officer (there is no such agent)"), "{people}");
    assert!(
        people.lines().any(|line| line.starts_with("copy-editor ") && line.ends_with("→ any agent")),
        "{people}"
    );
    let shown = sandbox.reenact(&["agents", "show", "Storage Engineer"]).stdout;
    assert!(shown.contains("may hand over to: network_engineer_agent_v2, "), "{shown}");
    assert!(shown.contains("named for handoffs by: network_engineer_agent_v2"), "{shown}");
}

#[test]
fn a_file_of_another_tool_does_steps_by_a_program_that_the_configuration_names() {
    let sandbox = machine();
    sandbox.configure(
        "[agents.Copy_Editor]\ncommand = [\"sh\", \"-c\", \"cat > got; echo done\"]\nhandoffs = \"network engineer\"\n",
    );
    let report = sandbox.json(0, &["ask", "--agent", "COPY EDITOR", "is this fit to be sent?"]);
    assert_eq!(report["output"], json!({"stdout": "done"}));
    let got: Value = serde_json::from_slice(&fs::read(sandbox.work("got")).unwrap()).unwrap();
    let about = &got["agent"];
    assert_eq!(
        (&about["tools"], &about["model"], &about["color"]),
        (&json!(["Read", "Grep", "Edit"]), &"inherit".into(), &"purple".into()),
        "a text with commas is a list; what is not known is kept"
    );
    assert!(about["system"].as_str().unwrap().starts_with("You make texts short and true."), "{about}");
    let shown = sandbox.json(0, &["agents", "show", "copy editor"]);
    assert_eq!(shown["handoffs"], json!(["network_engineer_agent_v2"]));
}

#[test]
fn what_is_wrong_with_one_file_is_said_with_its_place_and_the_others_go_on() {
    let sandbox = Sandbox::new();
    let head = |name: &str| format!("---\nname: {name}\ndescription: x\n");
    let file = |name: &str, bytes: &[u8]| drop(sandbox.write(&format!("agents/{name}.md"), bytes));
    let good = format!("\u{feff}{}command: [echo, hello]\n---\nDo it.\n", head("good")).replace('\n', "\r\n");
    file("good", good.as_bytes());
    file("bad_yaml", format!("{}tools: [a\n---\n", head("bad_yaml")).as_bytes());
    file("open", format!("{}# never closed\n", head("open")).as_bytes());
    file("latin1", b"---\nname: latin1\ndescription: caf\xe9\n---\n");
    file("huge", format!("{}---\n{}", head("huge"), "x".repeat(1024 * 1024)).as_bytes());
    file("nameless", b"---\ndescription: x\n---\n");
    file("tools", format!("{}tools: {{a: 1}}\n---\n", head("tools")).as_bytes());
    file("empty", b"");
    fs::create_dir(sandbox.work("agents/folder.md")).unwrap();
    symlink("loop.md", sandbox.work("agents/loop.md")).unwrap();
    symlink("nowhere", sandbox.work("agents/nowhere.md")).unwrap();
    let checked = sandbox.json(1, &["agents", "validate", "agents"]);
    let errors: Vec<_> = checked["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["file"].as_str().unwrap(), said(one, "errors")))
        .collect();
    let wrong = |code: &'static str, line: u64| vec![(code, Some(line))];
    assert_eq!(
        errors,
        [
            ("agents/bad_yaml.md", wrong("RE-1302", 4)),
            ("agents/empty.md", Vec::new()),
            ("agents/folder.md", wrong("RE-1101", 1)),
            ("agents/good.md", Vec::new()),
            ("agents/huge.md", wrong("RE-1113", 1)),
            ("agents/latin1.md", wrong("RE-1302", 3)),
            ("agents/loop.md", wrong("RE-1101", 1)),
            ("agents/nameless.md", wrong("RE-1302", 1)),
            ("agents/nowhere.md", wrong("RE-1101", 1)),
            ("agents/open.md", wrong("RE-1302", 1)),
            ("agents/tools.md", wrong("RE-1302", 4)),
        ],
        "{checked}"
    );
    for name in ["bad_yaml", "huge", "latin1", "loop", "nowhere", "open", "tools"] {
        let alone = sandbox.json(1, &["agents", "validate", &format!("agents/{name}.md")]);
        assert_eq!(alone["ok"], false, "{name}: {alone}");
    }
    let listed = sandbox.json(0, &["agents", "list", "--handoffs"]);
    assert_eq!(
        (&agent(&listed, "loop")["error"]["code"], &agent(&listed, "good")["error"]),
        (&"RE-1101".into(), &Value::Null)
    );
    assert_eq!(sandbox.json(0, &["ask", "--agent", "good", "go"])["output"], json!({"stdout": "hello"}));
    for name in ["latin1", "loop", "folder"] {
        let refused = sandbox.json(2, &["ask", "--agent", name, "go"]);
        assert!(
            refused["error"]["at"]["file"].as_str().unwrap().ends_with(&format!("{name}.md")),
            "{refused}"
        );
    }
}

#[test]
fn a_changed_file_is_for_runs_that_start_after_and_a_run_keeps_what_it_began_with() {
    let sandbox = Sandbox::new();
    let define = |says: &str| {
        let text = format!("---\nname: talker\ndescription: x\ncommand: [echo, {says}]\n---\n");
        sandbox.write("agents/talker.md", text);
    };
    define("old");
    let hash = || sandbox.json(0, &["agents", "show", "talker"])["hash"].as_str().unwrap().to_owned();
    let old = hash();
    sandbox.json(4, &["ask", "--agent", "talker", "go", "--id", "before", "--detach"]);
    define("new");
    let new = hash();
    assert_ne!(old, new);
    assert_eq!(
        sandbox.json(0, &["ask", "--agent", "talker", "go", "--id", "after"])["output"],
        json!({"stdout": "new"})
    );
    fs::remove_file(sandbox.work("agents/talker.md")).unwrap();
    assert_eq!(sandbox.json(0, &["resume", "before"])["output"], json!({"stdout": "old"}), "as it began");
    for (run, hash) in [("before", &old), ("after", &new)] {
        let began_with = json!([{"name": "talker", "definition": hash}]);
        assert_eq!(sandbox.json(0, &["status", run, "-v"])["agents"], began_with);
        assert_eq!(sandbox.json(0, &["replay", run, "--at", "1"])["agents"], began_with);
        assert_eq!(sandbox.json(0, &["replay", run])["agents"], began_with);
        assert_eq!(sandbox.status(run)["agents"], Value::Null, "only if it is asked for");
        for people in
            [sandbox.reenact(&["status", run, "-v"]), sandbox.reenact(&["replay", run, "--at", "4"])]
        {
            assert!(people.stdout.contains(&format!("talker {}", &hash[..12])), "{people}");
        }
    }
}
