//! What docs/goals.md shows can be done as it stands there: its command prints what the page says, its plan and its answers are taken,
//! its file is valid, and the file of the team is what it shows.

use serde_json::Value;

use super::told::plain;
use crate::support::Sandbox;

const PAGE: &str = include_str!("../../../docs/goals.md");

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begins = format!("\n```{language}\n");
    PAGE.split(begins.as_str()).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

fn json(block: &str) -> Value {
    serde_json::from_str(block).unwrap_or_else(|why| panic!("{why}: {block}"))
}

/// The project that the page begins with.
fn shop() -> Sandbox {
    let sandbox = Sandbox::new();
    assert!(PAGE.contains("`reenact init shop --template goal --type web`"));
    sandbox.json(0, &["init", "shop", "--template", "goal", "--type", "web"]);
    sandbox
}

#[test]
fn the_goal_of_the_page_is_reached_as_the_page_shows_it_and_its_team_shares_that_file() {
    let sandbox = shop();
    let [block] = blocks("console")[..] else { panic!("there is another command") };
    let (command, shown) = block.split_once('\n').unwrap();
    assert_eq!(command, "$ reenact run --goal \"a page that shows today's orders\" --id first");
    let mut run = sandbox.command(&["run", "--goal", "a page that shows today's orders", "--id", "first"]);
    run.current_dir(sandbox.work("shop"));
    let ended = sandbox.start(run).wait();
    assert_eq!(ended.code(), Some(0), "{ended}");
    let at = shown.find("first  goal").unwrap();
    let lines = |text: &str| text.trim_end().lines().map(plain).collect::<Vec<_>>();
    assert_eq!(lines(&ended.stdout), lines(&shown[at..]), "{ended}");
    // Which of two that run side by side is the first differs.
    let sorted = |text: &str| {
        let mut lines = lines(text);
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ended.stderr), sorted(&shown[..at]), "{ended}");
    let team = sandbox.work("shop/.ai-agents/state/team-communication.json");
    let is = json(&std::fs::read_to_string(team).unwrap());
    let shown = blocks("json").into_iter().map(json).find(|value| value["run"] == "first").unwrap();
    for key in ["run", "workflow", "status", "decisions", "messages"] {
        assert_eq!(is[key], shown[key], "{key}");
    }
    assert_eq!(is["tasks"][0], shown["tasks"][0]);
    assert_eq!(is["tasks"].as_array().unwrap().len(), 3);
}

#[test]
fn the_plan_the_answer_and_the_file_of_the_page_are_taken() {
    let sandbox = Sandbox::new();
    let shown: Vec<Value> = blocks("json").into_iter().map(json).collect();
    let of = |key: &str| shown.iter().find(|value| value["run"].is_null() && !value[key].is_null()).unwrap();
    let (plan, answer) = (of("tasks"), of("test_suites"));
    sandbox
        .write("agents/answers.yaml", format!("- {{step: plan, output: {plan}}}\n- {{output: {answer}}}\n"));
    for name in ["manager", "backend_dev", "qa"] {
        sandbox.write(
            &format!("agents/{name}.md"),
            format!("---\nname: {name}\ndescription: x\nexecutor: scripted\nscript: answers.yaml\n---\n"),
        );
    }
    let [file] = blocks("yaml")[..] else { panic!("there is another file") };
    sandbox.write("w.yaml", file.replace("make test", "'true'"));
    sandbox.json(4, &["run", "w.yaml", "--id", "r", "--input", "goal=x"]);
    let report = sandbox.json(0, &["approve", "r", "--resume"]);
    let said = report["steps"].as_array().unwrap().last().unwrap()["output"]["stdout"].clone();
    assert_eq!(said, answer["notes"], "{report}");
}
