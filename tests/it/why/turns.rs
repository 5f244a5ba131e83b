//! Why an agent that uses tools answered what it did.

use super::command::{chain, says};
use crate::support::Sandbox;

const HELPER: &str = "---\nname: helper\ndescription: Helps\nexecutor: scripted\nscript: helper.yaml\ntools: [lookup, fails]\n---\n";
const SCRIPT: &str = "- {step: 's/turn[1]', output: {tool_calls: [{name: lookup, arguments: {word: dodo}}, {name: fails}]}}\n\
                      - {step: 's/turn[2]', output: {tool_calls: [{name: lookup}]}}\n- {step: s, output: {by: helper}}\n";

fn tool(name: &str, command: &str) -> String {
    format!(
        "---\nname: {name}\ndescription: Does\nexecutor: subprocess\ncommand: [sh, -c, '{command}']\n---\n"
    )
}

#[test]
fn what_an_agent_answered_is_followed_through_its_turns_and_its_tools() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/helper.md", HELPER);
    sandbox.write("agents/helper.yaml", SCRIPT);
    sandbox.write("agents/lookup.md", tool("lookup", "echo a bird"));
    sandbox.write("agents/fails.md", tool("fails", "echo oops >&2; exit 65"));
    sandbox.write("w.yaml", "name: w\nsteps:\n  - {id: a, run: echo dodo}\n  - {id: s, agent: helper, prompt: 'What is {{ steps.a.output.stdout }}?'}\n");
    sandbox.json(0, &["run", "w.yaml", "--id", "r"]);
    let chain_of_step = chain(&sandbox, &["r", "s"]);
    let steps: Vec<_> = chain_of_step.iter().map(|link| link["step"].as_str().unwrap_or_default()).collect();
    let expected = [
        "s",
        "s/turn[3]",
        "s/turn[2]/tool[1]",
        "s/turn[2]",
        "s/turn[1]/tool[2]",
        "s/turn[1]/tool[1]",
        "s/turn[1]",
        "a",
    ];
    let mut once = steps.clone();
    once.dedup();
    let places: Vec<_> = expected.iter().map(|step| steps.iter().position(|found| found == step)).collect();
    assert!(places.iter().all(Option::is_some), "{steps:?}");
    assert_eq!(once.last(), Some(&"a"), "{steps:?}");
    let told = |step: &str| {
        let link = chain_of_step.iter().find(|link| link["step"] == step).unwrap();
        link["says"].as_str().unwrap().to_owned()
    };
    assert_eq!(told("s/turn[1]"), "`s/turn[1]` wanted tools to be used: `lookup`, `fails`");
    assert!(told("s/turn[1]/tool[2]").contains("oops"), "{}", told("s/turn[1]/tool[2]"));
    assert!(says(&chain_of_step, "step_completed").contains("`s` answered"));
}
