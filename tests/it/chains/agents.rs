//! Whom a chain names: who does a subtask, who stands in, and to whom it may be handed over.

use serde_json::json;

use super::{CHAINS, run, sandbox, status_of};

#[test]
fn an_agent_that_is_not_there_is_told_with_the_nearest_and_the_default_agent_stands_in() {
    let sandbox = sandbox();
    let (file, given, _) = CHAINS[0];
    let text = std::fs::read_to_string(sandbox.work(file)).unwrap();
    sandbox.write("other.md", text.replace("You are the Harbour Pilot", "You are the Harbor Pilot"));
    let error = sandbox.json(2, &run("other.md", "r", given))["error"].clone();
    assert_eq!((&error["code"], &error["at"]["line"]), (&"RE-1301".into(), &38.into()), "{error}");
    assert_eq!(error["hint"], "did you mean `harbour_pilot`?");
    assert_eq!(error["step"], "subtask_1");
    assert!(!sandbox.data().exists());

    sandbox.configure("default_agent = \"Scribe\"\n");
    let checked = sandbox.json(0, &["validate", "other.md"])["files"][0].clone();
    assert_eq!(
        (&checked["warnings"][0]["code"], &checked["warnings"][0]["at"]["line"]),
        (&"RE-1313".into(), &38.into())
    );
    assert_eq!(checked["subtasks"][0]["agent"], "scribe");
    let report = sandbox.json(0, &run("other.md", "r", given));
    assert_eq!(status_of(&report, "subtask_1")["agent"], "scribe");
    assert_eq!(status_of(&report, "subtask_2")["agent"], "dredging_planner");
    // Its YAML names who stands in: of a workflow file nobody else is meant.
    let yaml = sandbox.json(0, &["convert", "other.md"])["yaml"].as_str().unwrap().to_owned();
    assert!(yaml.contains("agent: scribe\n"), "{yaml}");
    sandbox.write("w.yaml", "steps: [{id: a, agent: Harbor Pilot}]");
    assert_eq!(sandbox.json(2, &["run", "w.yaml"])["error"]["code"], "RE-1301");
}

const HANDS_OVER: &str = "- prompt: in search of a cause\n  stdout: |\n    HANDOFF DECLARATION:\n    To: TO\n    Reason: it is the current\n    Context:\n      - Work completed: the bulb is fine\n";
const TAKES_OVER: &str = "- prompt: Handed over to you\n  output: {cause: a worn contact, evidence: []}\n";

#[test]
fn the_second_of_two_agents_is_the_one_to_whom_the_first_may_hand_over() {
    let (file, given, _) = CHAINS[1];
    for (to, code) in [("electrician", 0), ("scribe", 1)] {
        let sandbox = sandbox();
        let answers = std::fs::read_to_string(sandbox.work("answers.yaml")).unwrap();
        sandbox.write("answers.yaml", format!("{TAKES_OVER}{}{answers}", HANDS_OVER.replace("TO", to)));
        // What its own file says of handoffs does not count for this subtask.
        let keeper = std::fs::read_to_string(sandbox.work("agents/keeper.md")).unwrap();
        sandbox.write("agents/keeper.md", keeper.replace("---\nYou", "handoffs: [scribe]\n---\nYou"));
        let report = sandbox.json(code, &run(file, "r", given));
        if code == 0 {
            assert_eq!(report["handoffs"]["chain"], json!(["keeper", "electrician"]), "{report}");
            assert_eq!(report["output"]["cause"]["cause"], "a worn contact");
        } else {
            assert_eq!(report["error"]["code"], "RE-1603", "{report}");
        }
        // The same holds of a step in YAML.
        let yaml = sandbox.reenact(&["convert", file]).stdout;
        assert!(yaml.contains("    handoffs: [electrician]\n"), "{yaml}");
        sandbox.write("w.yaml", yaml);
        let report = sandbox.json(code, &run("w.yaml", "y", given));
        assert_eq!(report["handoffs"]["total"].as_u64().unwrap_or_default(), u64::from(code == 0));
    }
}

#[test]
fn nobody_can_be_handed_to_who_is_not_there() {
    let sandbox = sandbox();
    let (file, given, _) = CHAINS[1];
    std::fs::remove_file(sandbox.work("agents/electrician.md")).unwrap();
    let error = sandbox.json(2, &run(file, "r", given))["error"].clone();
    assert_eq!((&error["code"], &error["at"]["line"]), (&"RE-1301".into(), &53.into()), "{error}");
    sandbox.configure("default_agent = \"scribe\"\n");
    let checked = sandbox.json(0, &["validate", file])["files"][0].clone();
    assert!(checked["warnings"].to_string().contains("nobody can hand over to it"), "{checked}");
    sandbox.json(0, &run(file, "r", given));
}

#[test]
fn a_chain_is_run_without_whom_nobody_can_be_handed_to_here() {
    let sandbox = sandbox();
    let (file, given, _) = CHAINS[1];
    sandbox.write(
        "agents/electrician.md",
        "---\nname: electrician\ndescription: Finds what is wrong with wires\nexecutor: llm\n---\n",
    );
    sandbox.json(0, &run(file, "r", given));
}
