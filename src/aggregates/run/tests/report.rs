//! What agents say of their work in their answers, and what follows from it.

use super::play::Play;
use super::*;
use crate::workflow::work::Failure;

const ONE: &str = "
name: w
steps:
  - {id: a, agent: ada}
  - {id: b, run: echo}";

const WITH_SCHEMA: &str = "
name: w
steps:
  - {id: a, agent: ada, schema: {type: object, required: [n]}}";

const TRIED_TWICE: &str = "
name: w
steps:
  - {id: a, agent: ada, retry: {attempts: 2, initial: 1s}}";

/// A text as a JSON answer.
fn text(text: &str) -> String {
    serde_json::json!({ "text": text }).to_string()
}

fn completed(play: &Play, step: &str) -> (Option<String>, Vec<String>, bool) {
    let (_, node) = play.state().node(&StepId::grown(step)).unwrap();
    let StepPhase::Completed(done) = &node.doing.phase else { panic!("{:?}", node.doing.phase) };
    let summary = done.said.as_ref().and_then(|said| said.summary.as_deref().map(str::to_owned));
    (summary, done.artifacts.clone(), done.degraded)
}

#[test]
fn what_an_agent_says_of_its_work_is_recorded_with_it() {
    let mut play = Play::start(ONE);
    let answer = "Done.\n## Summary\nAll zones.\n## Status\ncompleted with errors\nCreated: `a.md`";
    assert_eq!(play.complete("a", &text(answer)), ["step_completed a", "attempt_started b"]);
    assert_eq!(completed(&play, "a"), (Some("All zones.".to_owned()), vec!["a.md".to_owned()], true));
    play.complete("b", r#"{"stdout":"x"}"#);
    assert_eq!(play.result(), (RunStatus::Completed, true), "a lesser result degrades the run");
    assert_eq!(
        completed(&play, "b"),
        (Some("x".to_owned()), vec![], false),
        "the first line stands for a summary"
    );
}

#[test]
fn an_agent_that_answers_that_it_failed_has_failed() {
    let mut play = Play::start(TRIED_TWICE);
    let failed = r#"{"status":"failed","summary":"no access","error":"403"}"#;
    assert_eq!(play.complete("a", failed), ["attempt_failed a", "retry_scheduled a"]);
    play.sleep(Duration::from_secs(2));
    play.complete("a", &text("## Summary\nNo access.\n\nStatus: failed"));
    assert_eq!(play.result(), (RunStatus::Failed, false));
    let (_, node) = play.state().node(&StepId::grown("a")).unwrap();
    let error = node.doing.error.as_ref().unwrap();
    assert_eq!((error.code, error.class), (Code::AnswerSaysFailed, Class::Unknown));
    assert!(error.message.contains("No access."), "{}", error.message);
}

#[test]
fn what_a_command_finds_out_is_no_word_of_its_own_work_unless_it_is_a_report() {
    let run = |answer: &str| {
        let mut play = Play::start(ONE);
        play.complete("a", "1");
        play.complete("b", answer);
        (play.status("b"), play.result())
    };
    assert_eq!(run(r#"{"status":"failed","job":7}"#), ("completed", (RunStatus::Completed, false)));
    assert_eq!(run(r#"{"stdout":"Status: failed"}"#), ("completed", (RunStatus::Completed, false)));
    assert_eq!(run(r#"{"status":"failed","summary":"it broke"}"#).0, "failed");
}

#[test]
fn of_a_text_answer_the_last_json_block_is_the_output_where_json_is_declared() {
    let mut play = Play::start(WITH_SCHEMA);
    play.complete("a", &text("First:\n```json\n{\"n\":1}\n```\nno, rather\n```json\n{\"n\": 2}\n```\n"));
    assert_eq!(play.output("a"), Some(serde_json::json!({"n": 2})));
    assert_eq!(completed(&play, "a").0.as_deref(), Some("First:"));

    for (answer, says) in [
        ("```json\n{\"n\":\n```", "the last block of JSON in its answer is none"),
        ("```json\n{\"m\":1}\n```", "n"),
        ("{\"n\":1} and a text", "n"),
    ] {
        let mut play = Play::start(WITH_SCHEMA);
        play.complete("a", &text(answer));
        let (_, node) = play.state().node(&StepId::grown("a")).unwrap();
        let error = node.doing.error.as_ref().unwrap();
        assert_eq!(
            (error.code, error.message.contains(says)),
            (Code::OutputSchema, true),
            "{}",
            error.message
        );
    }
}

#[test]
fn a_schema_of_a_text_is_that_of_the_text() {
    let yaml = "name: w\nsteps:\n  - {id: a, agent: ada, schema: {type: object, properties: {text: {type: string}}}}";
    let mut play = Play::start(yaml);
    play.complete("a", &text("```json\n1\n```"));
    assert_eq!(play.output("a"), Some(serde_json::json!({"text": "```json\n1\n```"})));
}

#[test]
fn an_undoing_that_says_that_it_failed_is_tried_again() {
    let yaml = "
name: w
steps:
  - {id: a, run: x, compensate: {agent: undoer}}
  - {id: b, run: y}";
    let mut play = Play::start(yaml);
    play.complete("a", "1");
    play.fail("b", Failure::new(Code::ExitUnknown, "no"));
    play.ask(Ask::Go);
    let tried = play.complete("a", r#"{"status":"failed"}"#);
    assert_eq!(tried, ["attempt_failed undo a", "retry_scheduled undo a"]);
}
