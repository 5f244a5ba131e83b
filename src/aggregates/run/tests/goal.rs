//! Plans of tasks: what they become, how they are mended, and what becomes of tasks that are blocked or fail.

use serde_json::json;

use super::play::{Play, order};
use super::*;

const AGENTS: &[(&str, &str)] = &[
    ("boss", r#"{"description": "Plans"}"#),
    ("a", r#"{"description": "x", "settings": {"expertise": ["walls"]}}"#),
    ("b", r#"{"description": "builds roofs"}"#),
    ("shell", "{}"),
];

const FILE: &str = "name: w\non_failure: stop\nsteps: [{id: plan, agent: boss, prompt: a house, plan: {repairs: 2, max: 8}}]\noutput: \"{{ steps['plan/integration'].output }}\"";

fn start(yaml: &str) -> Play {
    Play::eager_with(yaml, AGENTS, |_| {})
}

const PLAN: &str = r#"{"tasks": [
    {"task_id": "walls", "description": "Build {{ walls }}", "assigned_to": "A"},
    {"task_id": "roof", "description": "A roof", "dependencies": ["walls"]}],
  "decisions": [{"decision": "red bricks", "affected_agents": ["a"]}]}"#;

const CIRCLE: &str = r#"{"tasks": [
    {"task_id": "walls", "description": "x", "assigned_to": "a", "dependencies": ["roof"]},
    {"task_id": "roof", "description": "x", "assigned_to": "nobody", "dependencies": ["walls"]}]}"#;

fn error(play: &Play) -> (Code, Class, String) {
    let failed = play.log.iter().rev().find_map(|event| match event {
        RunEvent::StepFailed(failed) => Some((failed.code, failed.class, failed.message.clone())),
        _ => None,
    });
    failed.unwrap()
}

#[test]
fn a_plan_becomes_steps_whose_agents_are_told_what_they_need() {
    let mut play = start(FILE);
    let asked = play.work("plan");
    let prompt = asked["prompt"].as_str().unwrap();
    assert!(
        prompt.starts_with(
            "a house\n\n## Whom you may assign tasks to\n\n- `a`: x (walls)\n- `b`: builds roofs\n"
        ),
        "{prompt}"
    );
    assert!(!prompt.contains("`boss`") && prompt.contains("No more than 8 tasks"), "{prompt}");
    let words = play.complete("plan", PLAN);
    assert_eq!(
        words,
        [
            "step_added plan/walls",
            "step_added plan/roof",
            "step_added plan/integration",
            "step_completed plan",
            "attempt_started plan/walls"
        ]
    );
    let walls = play.work("plan/walls");
    let prompt = walls["prompt"].as_str().unwrap();
    assert!(prompt.contains("Build {{ walls }}") && prompt.contains("red bricks"), "{prompt}");
    play.recover();
    play.complete("plan/walls", r#"{"status": "completed", "notes": "four of them"}"#);
    let roof = play.work("plan/roof");
    assert_eq!(play.open("plan/roof").agent.as_str(), "b");
    let prompt = roof["prompt"].as_str().unwrap();
    assert!(prompt.contains("four of them") && !prompt.contains("red bricks"), "{prompt}");
    assert_eq!(roof["with"]["dependencies"]["walls"]["output"]["notes"], "four of them");
    play.complete("plan/roof", "{}");
    assert_eq!(play.open("plan/integration").agent.as_str(), "boss");
    play.complete("plan/integration", r#"{"status": "completed"}"#);
    assert_eq!(play.state().status(), RunStatus::Completed);
}

#[test]
fn a_refused_plan_is_mended_by_who_made_it_and_the_errors_are_told() {
    let mut play = start(FILE);
    let words = play.complete("plan", CIRCLE);
    assert_eq!(words, ["attempt_failed plan", "repair_asked plan", "attempt_started plan"]);
    play.recover();
    let asked = play.work("plan");
    let prompt = asked["prompt"].as_str().unwrap();
    for part in
        ["## Your last answer was refused", "circle: `walls` → `roof` → `walls`", "`nobody`", "You answered:"]
    {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    assert_eq!(asked["repair"]["answered"]["tasks"][0]["task_id"], "walls");
    play.complete("plan", PLAN);
    assert_eq!(play.status("plan/walls"), "running");
}

#[test]
fn a_plan_is_mended_so_often_only_and_then_the_step_fails_with_all_that_is_wrong() {
    let mut play = start(FILE);
    play.complete("plan", CIRCLE);
    play.complete("plan", r#""I would rather not""#);
    let words = play.complete("plan", CIRCLE);
    assert_eq!(words[..2], ["attempt_failed plan", "step_failed plan"]);
    let (code, class, message) = error(&play);
    assert_eq!((code, class), (Code::BadTasks, Class::Validation), "{message}");
    assert!(message.contains("circle") && message.contains("`nobody`"), "{message}");
    // A person lets it be tried again, and nothing is lost of what was said.
    play.ask(Ask::Retry { order: order(), step: None });
    play.complete("plan", CIRCLE);
    play.complete("plan", PLAN);
    assert_eq!(play.status("plan/walls"), "running");
}

#[test]
fn blockers_go_to_who_planned_whose_word_the_next_attempt_is_told() {
    let mut play = start(FILE);
    play.complete("plan", PLAN);
    let words = play.complete("plan/walls", r#"{"status": "blocked", "blockers": ["no bricks"]}"#);
    assert_eq!(
        words,
        [
            "attempt_failed plan/walls",
            "escalated plan/walls",
            "step_added plan/walls/guidance[1]",
            "attempt_started plan/walls/guidance[1]"
        ]
    );
    assert_eq!(play.open("plan/walls/guidance[1]").agent.as_str(), "boss");
    assert!(play.work("plan/walls/guidance[1]")["prompt"].as_str().unwrap().contains("no bricks"));
    play.recover();
    play.complete("plan/walls/guidance[1]", r#""take wood""#);
    assert!(play.work("plan/walls")["prompt"].as_str().unwrap().contains("take wood"));
    // Said again, nobody is asked again.
    let words = play.complete("plan/walls", r#"{"blockers": ["No  bricks"]}"#);
    assert_eq!(words[..2], ["attempt_failed plan/walls", "step_failed plan/walls"]);
    let (code, class, message) = error(&play);
    assert_eq!((code, class), (Code::TaskBlocked, Class::Validation), "{message}");
    assert!(message.contains("No  bricks") || message.contains("No bricks"), "{message}");
    assert_eq!(play.state().status(), RunStatus::Failed);
}

#[test]
fn a_task_that_fails_for_good_goes_to_who_planned_within_bounds() {
    let mut play = start(FILE);
    play.complete("plan", PLAN);
    for number in 1..=2 {
        let words = play.fail("plan/walls", Failure::new(Code::ExitValidation, "no mortar"));
        assert_eq!(words[1], "escalated plan/walls", "{words:?}");
        play.complete(&format!("plan/walls/guidance[{number}]"), &json!(format!("try {number}")).to_string());
    }
    let words = play.fail("plan/walls", Failure::new(Code::ExitValidation, "no mortar"));
    assert_eq!(words[..2], ["attempt_failed plan/walls", "step_failed plan/walls"]);
    assert_eq!(error(&play).0, Code::ExitValidation, "what it failed with");
}

#[test]
fn all_that_a_manager_is_asked_counts_against_one_bound() {
    let mut play = start(&FILE.replace("max: 8", "max: 4"));
    play.complete("plan", CIRCLE);
    // Three are left: the two tasks and the last step.
    play.complete("plan", PLAN);
    let words = play.fail("plan/walls", Failure::new(Code::ExitValidation, "no"));
    assert_eq!(words[..2], ["attempt_failed plan/walls", "step_failed plan/walls"]);
    let mut play = start(&FILE.replace("max: 8", "max: 1"));
    let words = play.complete("plan", PLAN);
    assert_eq!(words[..2], ["attempt_failed plan", "step_failed plan"], "after a repair no task could be");
    let (code, _, message) = error(&play);
    assert_eq!(code, Code::BadTasks);
    assert!(message.contains("there are 2, and no more than 1 may be"), "{message}");
}

#[test]
fn a_fatal_failure_and_one_of_a_command_are_nobodys_to_mend() {
    let mut play = start(&FILE.replace("max: 8", "max: 8, test: 'false'"));
    play.complete("plan", PLAN);
    play.complete("plan/walls", "{}");
    play.complete("plan/roof", "{}");
    let words = play.fail("plan/tests", Failure::new(Code::ExitUnknown, "1 test failed"));
    assert_eq!(words[..2], ["attempt_failed plan/tests", "step_failed plan/tests"]);
    let mut play = start(FILE);
    play.complete("plan", PLAN);
    let words = play.fail("plan/walls", Failure::new(Code::ExitFatal, "no"));
    assert_eq!(words[..2], ["attempt_failed plan/walls", "step_failed plan/walls"]);
}

#[test]
fn a_plan_waits_for_people_where_they_are_to_grant_it() {
    let mut play = start(&FILE.replace("prompt: a house", "prompt: a house, approve: after"));
    play.complete("plan", PLAN);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert!(play.state().node(&StepId::grown("plan/walls")).is_none());
    let words = play.ask(super::people::approve("plan", "ada"));
    assert!(words.contains(&"attempt_started plan/walls".to_owned()), "{words:?}");
}

#[test]
fn only_those_do_tasks_that_the_file_names() {
    let mut play = start(&FILE.replace("max: 8", "max: 8, agents: [b, boss], integrate: none"));
    play.complete("plan", PLAN);
    let prompt = play.work("plan")["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.contains("`A`, to whom no task may be assigned"), "{prompt}");
}
