//! Cassettes: what agents, programs and tools answered is kept while a run goes on, and given again with nobody asked: `files` what
//! is no cassette, `kills` what a process that dies leaves.

mod files;
mod kills;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::provider::{Does, KEY, Provider, USUAL};
use crate::support::{Ended, Sandbox, copy_folder};

/// Both formats, by what the configuration calls them.
const KINDS: [&str; 2] = ["openai", "anthropic"];

const FILE: &str = "w.yaml";
const CASSETTE: &str = "w.cassette.json";

/// A program that fails the first time, an agent that is a model, one that uses a tool, one that is a program; each leaves a trace
/// where it does something.
const WORKFLOW: &str = r#"name: w
input: {type: object, properties: {topic: {type: string, default: tea}}}
steps:
  - id: flaky
    run: 'echo flaky >> traces; if [ -e second ]; then pwd; echo {{ run.id }}; else touch second; exit 75; fi'
    retry: {attempts: 3, initial: 10ms}
  - {id: numbers, run: 'echo numbers >> traces; echo "{\"n\": 12345678901234567890123, \"f\": 1.10}"'}
  - {id: draft, agent: writer, prompt: 'Write about {{ input.topic }}, in {{ steps.flaky.output.stdout }}, by {{ steps.numbers.output }}.'}
  - {id: each, for_each: [same, same], run: 'echo each >> traces; date +%N; echo {{ item }}'}
  - {id: find, agent: helper, prompt: 'What is a dodo?'}
  - {id: check, agent: checker, with: {text: '{{ steps.draft.output.stdout }}'}}
  - {id: fails, run: 'echo fails >> traces; echo broken >&2; exit 65', on_error: continue}
output: {draft: '{{ steps.draft.output.stdout }}', found: '{{ steps.find.output.stdout }}'}
"#;

/// A machine with a model, programs and a tool.
struct Machine {
    sandbox: Sandbox,
    provider: Provider,
}

impl Machine {
    fn new(kind: &str) -> Self {
        let (sandbox, provider) = (Sandbox::new(), Provider::new());
        sandbox.write(FILE, WORKFLOW);
        sandbox.write(
            "agents/writer.md",
            "---\nname: writer\ndescription: Writes\nmodel: quick\n---\nYou write.\n",
        );
        sandbox.write(
            "agents/helper.md",
            "---\nname: helper\ndescription: Helps\ntools: [lookup]\n---\nYou look up.\n",
        );
        let program = |name: &str| {
            format!(
                "---\nname: {name}\ndescription: Does\nexecutor: subprocess\ncommand: [sh, {name}.sh]\n---\n"
            )
        };
        sandbox.write("agents/lookup.md", program("lookup"));
        sandbox.write("agents/checker.md", program("checker"));
        sandbox.write("lookup.sh", "echo lookup >> traces; echo '{\"meaning\": \"a bird\"}'");
        sandbox
            .write("checker.sh", "echo checker >> traces; echo 'ARTIFACT: traces'; echo '{\"good\": true}'");
        sandbox.configure(&provider.configuration(kind));
        Self { sandbox, provider }
    }

    /// The binary with these arguments, and the key.
    fn reenact(&self, arguments: &[&str]) -> Ended {
        let mut command: Command = self.sandbox.command(&[&["--json"], arguments].concat());
        command.env("LOCAL_KEY", KEY);
        self.sandbox.start(command).wait()
    }

    fn record(&self) -> Value {
        self.provider
            .then([Does::says("Tea is a leaf."), Does::wants_tool("lookup", json!({ "word": "dodo" }))]);
        let ended = self.reenact(&["run", FILE, "--mode", "record"]);
        assert_eq!(ended.code(), Some(0), "{ended}");
        ended.json()
    }

    /// Another machine with the same files and the cassette, but without a model, a key, or what programs left.
    fn elsewhere(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        copy_folder(&self.sandbox.work("agents"), &sandbox.work("agents"));
        for file in [FILE, CASSETTE] {
            fs::copy(self.sandbox.work(file), sandbox.work(file)).unwrap();
        }
        sandbox
    }
}

/// What matters of a report that is the same elsewhere: the run's own id and folder are not.
fn came_to(report: &Value, sandbox: &Sandbox) -> Value {
    let id = report["run"].as_str().unwrap();
    let text = report["steps"].to_string();
    let text =
        text.replace(id, "RUN").replace(sandbox.work("").to_str().unwrap().trim_end_matches('/'), "FOLDER");
    let steps: Value = serde_json::from_str(&text).unwrap();
    let of_step = |step: &Value| {
        json!([
            step["id"],
            step["status"],
            step["agent"],
            step["attempts"],
            step["output"],
            step["error"],
            step["usage"],
            step["artifacts"]
        ])
    };
    json!([
        report["status"],
        report["output"],
        steps.as_array().unwrap().iter().map(of_step).collect::<Vec<_>>()
    ])
}

#[test]
fn a_recording_is_replayed_elsewhere_with_nothing_started_and_nobody_asked() {
    for kind in KINDS {
        let machine = Machine::new(kind);
        let recorded = machine.record();
        assert_eq!(recorded["output"], json!({ "draft": "Tea is a leaf.", "found": USUAL }));
        let (calls, traces) = (machine.provider.calls(), machine.sandbox.work("traces"));
        let traces_before = fs::read_to_string(&traces).unwrap();
        assert_eq!((calls, traces_before.lines().count()), (3, 8), "{kind}: {traces_before}");

        let elsewhere = machine.elsewhere();
        let replayed = elsewhere.json(0, &["run", FILE, "--mode", "replay"]);
        assert_eq!(came_to(&replayed, &elsewhere), came_to(&recorded, &machine.sandbox), "{kind}");
        let draft = &replayed["steps"].as_array().unwrap().iter().find(|step| step["id"] == "flaky").unwrap()
            ["output"];
        let here = elsewhere.work("").to_str().unwrap().trim_end_matches('/').to_owned();
        let expected = format!("{here}\n{}", replayed["run"].as_str().unwrap());
        assert_eq!(draft["stdout"], json!(expected), "the folder and the run are those of now");
        assert_eq!(machine.provider.calls(), calls, "nobody is asked");
        assert!(
            !elsewhere.work("traces").exists() && !elsewhere.work("second").exists(),
            "nothing is started"
        );
        let called = elsewhere.events(replayed["run"].as_str().unwrap(), "model_called");
        assert_eq!(called.len(), 3, "what models said is in the history");
        // Again, and on the machine itself: its programs are not started either.
        machine.reenact(&["run", FILE, "--mode", "replay"]);
        assert_eq!(fs::read_to_string(&traces).unwrap(), traces_before);
        assert_eq!(machine.provider.calls(), calls);
    }
}

#[test]
fn what_was_not_recorded_fails_with_what_is_nearest_and_how_it_differs() {
    let machine = Machine::new("openai");
    machine.record();
    let calls = machine.provider.calls();
    let elsewhere = machine.elsewhere();
    let report = elsewhere.json(1, &["run", FILE, "--mode", "replay", "--input", "topic=coffee"]);
    let error = &report["error"];
    assert_eq!(
        (&error["code"], &error["class"], &error["step"]),
        (&json!("RE-2301"), &json!("validation"), &json!("draft"))
    );
    let message = error["message"].as_str().unwrap();
    for part in ["agent `writer`", "step `draft`", "- ", "tea", "+ ", "coffee", CASSETTE] {
        assert!(message.contains(part), "no `{part}`: {message}");
    }
    // Another prompt of the system, another model: it is asked otherwise.
    elsewhere
        .write("agents/writer.md", "---\nname: writer\ndescription: Writes\nmodel: large\n---\nYou write.\n");
    let report = elsewhere.json(1, &["run", FILE, "--mode", "replay"]);
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("\"quick\"") && message.contains("\"large\""), "{message}");
    assert_eq!(machine.provider.calls(), calls);
}

#[test]
fn a_step_of_another_name_gets_what_was_answered_to_the_same_request() {
    let sandbox = Sandbox::new();
    let file = |id: &str| format!("name: w\nsteps:\n  - {{id: {id}, run: 'echo x >> traces; date +%N'}}\n");
    sandbox.write(FILE, file("one"));
    let recorded = sandbox.json(0, &["run", FILE, "--mode", "record"]);
    sandbox.write(FILE, file("other"));
    let replayed = sandbox.json(0, &["run", FILE, "--mode", "replay"]);
    assert_eq!(replayed["steps"][0]["output"], recorded["steps"][0]["output"]);
    // A second time nobody was asked.
    sandbox
        .write(FILE, "name: w\nsteps:\n  - {id: a, for_each: [1, 2], run: 'echo x >> traces; date +%N'}\n");
    let replayed = sandbox.json(0, &["run", FILE, "--mode", "replay"]);
    let outputs = &replayed["steps"][0]["output"];
    assert_eq!(outputs[0], outputs[1], "both are a first try");
    assert_eq!(fs::read_to_string(sandbox.work("traces")).unwrap().lines().count(), 1);
}

#[test]
fn a_client_of_another_process_records_and_replays_as_if_it_held_the_store() {
    let sandbox = Sandbox::new();
    sandbox.write("folder/w.yaml", "name: w\nsteps:\n  - {id: a, run: 'echo a >> traces; date +%N'}\n");
    let holder = sandbox.holder();
    let recorded = sandbox.json(0, &["run", "folder/w.yaml", "--mode", "record"]);
    let replayed = sandbox.json(0, &["run", "folder/w.yaml", "--mode", "replay"]);
    assert_eq!(replayed["steps"][0]["output"], recorded["steps"][0]["output"]);
    assert_eq!(fs::read_to_string(sandbox.work("folder/traces")).unwrap(), "a\n");
    sandbox.write("go", "");
    assert_eq!(holder.wait().code(), Some(0));
}

#[test]
fn a_script_answers_for_agents_and_for_the_programs_that_it_names() {
    let machine = Machine::new("openai");
    machine.sandbox.write(
        "answers.yaml",
        "- {step: flaky, output: {stdout: here}}\n- {agent: Writer, attempt: 1, output: {stdout: scripted}}\n- {step: find, output: {stdout: nothing}}\n- {agent: checker, output: {good: false}}\n",
    );
    let ended = machine.reenact(&["run", FILE, "--mode", "scripted", "--script", "answers.yaml"]);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(ended.json()["output"], json!({ "draft": "scripted", "found": "nothing" }));
    assert_eq!(machine.provider.calls(), 0);
    let traces = fs::read_to_string(machine.sandbox.work("traces")).unwrap();
    assert_eq!(
        traces, "numbers\neach\neach\nfails\n",
        "programs of the workflow run, unless they are answered for"
    );
    // Who is answered for by nobody fails, and is not asked.
    machine.sandbox.write("answers.yaml", "- {step: flaky, output: {stdout: here}}\n");
    let ended = machine.reenact(&["run", FILE, "--mode", "scripted", "--script", "answers.yaml"]);
    assert_eq!(ended.json()["error"]["code"], "RE-3027", "{ended}");
    assert_eq!(machine.provider.calls(), 0);
}

#[test]
fn no_key_stands_in_a_cassette_or_in_what_is_told_of_one() {
    let machine = Machine::new("openai");
    machine.sandbox.configure(&format!(
        "{}[process]\nsecrets = ['LOCAL_KEY']\n",
        machine.provider.configuration("openai")
    ));
    machine.sandbox.write(
        "leaks.yaml",
        "name: leaks\nsteps:\n  - {id: a, run: 'echo \"$LOCAL_KEY\"; echo \"$LOCAL_KEY\" >&2'}\n  - {id: b, agent: writer, prompt: 'say {{ steps.a.output.stdout }}'}\n",
    );
    let said = format!("The key is {KEY}.");
    machine.provider.then([Does::says(&said)]);
    let mut shown = vec![machine.reenact(&["run", "leaks.yaml", "--mode", "record"])];
    assert_eq!(shown[0].code(), Some(0), "{}", shown[0]);
    shown.push(machine.reenact(&["run", "leaks.yaml", "--mode", "replay"]));
    let text = fs::read_to_string(machine.sandbox.work("leaks.yaml")).unwrap().replace("say", "tell");
    machine.sandbox.write("leaks.yaml", text);
    shown.push(machine.reenact(&["run", "leaks.yaml", "--mode", "replay"]));
    assert!(shown[2].stdout.contains("RE-2301"), "{}", shown[2]);
    for ended in &shown {
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(KEY), "{ended}");
    }
    let cassette = fs::read_to_string(machine.sandbox.work("leaks.cassette.json")).unwrap();
    assert!(cassette.contains("[LOCAL_KEY]"), "{cassette}");
    assert!(holds_key(machine.sandbox.root()).is_empty(), "{:?}", holds_key(machine.sandbox.root()));
}

/// The files below a folder in which the key stands.
fn holds_key(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(holds_key(&path));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
