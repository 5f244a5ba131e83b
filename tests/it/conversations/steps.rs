//! Steps that go on with a conversation, with the real binary and real programs.

use serde_json::{Value, json};

use super::export;
use crate::support::{Sandbox, wait_until};

/// An agent that answers how many turns it was told, and what was said last.
const TELLER: &str = "---\nname: teller\ndescription: Tells\ncommand: [sh, bin/teller]\n---\n";
const PROGRAM: &str =
    r#"cat > "told-$REENACT_STEP.json"; echo "step $REENACT_STEP"; date +%N >> "told-$REENACT_STEP.log""#;

fn with_teller() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bin/teller", PROGRAM);
    sandbox.write("agents/teller.md", TELLER);
    sandbox
}

fn told(sandbox: &Sandbox, step: &str) -> Value {
    let text = std::fs::read_to_string(sandbox.work(&format!("told-{step}.json"))).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["conversation"].clone()
}

fn said(sandbox: &Sandbox, conversation: &str) -> Vec<String> {
    let lines = export(sandbox, conversation);
    let text = |line: &Value| {
        let name = line["name"].as_str().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{}{name}: {}", line["role"].as_str().unwrap(), line["content"].as_str().unwrap())
    };
    lines[1..].iter().map(text).collect()
}

#[test]
fn steps_of_a_run_are_told_what_was_said_before_and_what_they_say_is_added() {
    let sandbox = with_teller();
    sandbox.json(0, &["conversation", "add", "review", "Be brief.", "--role", "system", "--pin"]);
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: a, agent: teller, prompt: 'Why, {{ run.id }}?', conversation: review}\n  - {id: check, run: 'echo all green', conversation: review}\n  - {id: b, agent: teller, prompt: 'So?', with: {n: 7}, conversation: review}\n",
    );
    let report = sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    assert_eq!(report["status"], "completed");
    let told = told(&sandbox, "b");
    assert_eq!((&told["name"], told["turns"].as_array().unwrap().len()), (&json!("review"), 4));
    assert_eq!(told["turns"][1], json!({"turn": 2, "role": "user", "text": "Why, r?"}));
    assert_eq!(told["turns"][3], json!({"turn": 4, "role": "tool", "name": "shell", "text": "all green"}));
    let all = [
        "system: Be brief.",
        "user: Why, r?",
        "assistant teller: step a",
        "tool shell: all green",
        "user: So?\n\n{\"n\":7}",
        "assistant teller: step b",
    ];
    assert_eq!(said(&sandbox, "review"), all);
    // What a step knew stands in the history of its run.
    let read = sandbox.events("r", "conversation_read");
    assert_eq!((&read[2]["data"]["version"], read.len()), (&told["version"], 3));
    let why = sandbox.json(0, &["why", "r", "b"]);
    let says = why["chain"].to_string();
    assert!(says.contains("was told what was at hand of the conversation `review`"), "{says}");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}

#[test]
fn a_name_with_the_id_of_the_run_is_a_conversation_of_that_run_alone() {
    let sandbox = with_teller();
    sandbox.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: a, agent: teller, prompt: 'Why?', conversation: 'of-{{ run.id }}'}\n  - {id: b, agent: teller, prompt: 'So?', conversation: 'of-{{ run.id }}'}\n",
    );
    for run in ["one", "two"] {
        sandbox.json(0, &["run", "w.yaml", "--id", run]);
        assert_eq!(told(&sandbox, "a")["turns"], json!([]));
        assert_eq!(told(&sandbox, "b")["turns"].as_array().unwrap().len(), 2);
        assert_eq!(said(&sandbox, &format!("of-{run}")).len(), 4);
    }
}

#[test]
fn a_task_that_is_handed_out_tells_the_conversation_and_its_answer_is_added() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/ann.md", "---\nname: ann\ndescription: Looks\nexecutor: external\n---\n");
    sandbox.write(
        "w.yaml",
        "name: w\nsteps: [{id: a, agent: ann, prompt: 'Is it good?', conversation: review}]\n",
    );
    sandbox.json(0, &["conversation", "add", "review", "I made it blue."]);
    sandbox.json(4, &["run", "w.yaml", "--id", "r"]);
    let task = sandbox.json(0, &["tasks", "next", "--agent", "ann"]);
    assert_eq!(task["conversation"]["turns"][0]["text"], "I made it blue.");
    let answer = sandbox.write("answer", "It is.");
    let mut command =
        sandbox.command(&["--json", "tasks", "complete", task["id"].as_str().unwrap(), "--resume"]);
    command.stdin(std::fs::File::open(answer).unwrap());
    let ended = sandbox.start(command).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let all = ["user: I made it blue.", "user: Is it good?", "assistant ann: {\"text\":\"It is.\"}"];
    assert_eq!(said(&sandbox, "review"), all);
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let sandbox = with_teller();
    for (step, wanted) in [
        ("agent: teller, prompt: p, conversation: 'a b'", "RE-1701"),
        ("agent: teller, prompt: p, conversation: ''", "RE-1701"),
        ("agent: teller, prompt: p, conversation: [a]", "RE-1104"),
        ("agent: teller, prompt: p, conversation: '{{ nowhere }}'", "RE-1202"),
        ("agent: teller, prompt: p, conversation: c, cache: {}", "RE-1112"),
        ("sleep: 1s, conversation: c", "RE-1112"),
        ("wait_for: go, conversation: c", "RE-1112"),
        ("workflow: w.yaml, conversation: c", "RE-1112"),
    ] {
        sandbox.write("w.yaml", format!("name: w\nsteps: [{{id: a, {step}}}]\n"));
        let checked = sandbox.reenact(&["--json", "validate", "w.yaml"]).json();
        let file = &checked["files"][0];
        let codes: Vec<&str> =
            file["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&wanted), "{step}: {checked}");
        let refused = sandbox.reenact(&["--json", "run", "w.yaml"]);
        assert_eq!(refused.code(), Some(2), "{step}: {refused}");
    }
    assert_eq!(sandbox.json(0, &["conversation", "list"])["conversations"], json!([]));
}

/// Killed wherever it is, and driven on: every step adds its two turns once, in order, and is told all that was added before.
#[test]
fn no_turn_of_a_step_is_lost_or_there_twice_though_the_process_is_killed() {
    let sandbox = with_teller();
    let steps: String = (0..12)
        .map(|n| format!("  - {{id: s{n}, agent: teller, prompt: 'ask {n}', conversation: review}}\n"))
        .collect();
    sandbox.write("w.yaml", format!("name: w\nlimits: {{lost: 100}}\nsteps:\n{steps}"));
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--detach"]);
    let events = || sandbox.history("r").len();
    let mut kills = 0;
    loop {
        let before = events();
        let driving = sandbox.spawn(&["--json", "resume", "r"]);
        // With the next event, wherever that is.
        wait_until("it goes on", || {
            let ended = sandbox.status("r")["status"] == "completed";
            ended || events() > before
        });
        if sandbox.status("r")["status"] == "completed" {
            assert_eq!(driving.wait().code(), Some(0));
            break;
        }
        driving.kill();
        kills += 1;
    }
    assert!(kills > 3, "it was killed {kills} times");
    let wanted: Vec<String> =
        (0..12).flat_map(|n| [format!("user: ask {n}"), format!("assistant teller: step s{n}")]).collect();
    assert_eq!(said(&sandbox, "review"), wanted);
    for n in 0..12 {
        assert_eq!(told(&sandbox, &format!("s{n}"))["turns"].as_array().unwrap().len(), 2 * n);
    }
    assert_eq!(sandbox.count("r", "conversation_continued", None), 12);
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}
