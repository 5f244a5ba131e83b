//! What the agents of a run share: who writes it when, and who must not.

use super::play::Play;
use super::*;
use crate::workflow::work::AgentRequest;

const AB: &str = "
name: w
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: b, needs: [a], run: 'echo {{ context.k }}', on_error: continue}";

/// A step is done, and writes that beside its answer.
fn done(play: &mut Play, step: &str, output: &str, writes: &[(&str, &str)]) -> Vec<String> {
    let request = |(key, value): &(&str, &str)| AgentRequest::Context {
        key: (*key).to_owned(),
        value: Json::parse(value).unwrap(),
    };
    let started = play.open(step);
    let output = Output {
        output: Json::parse(output).unwrap(),
        requests: writes.iter().map(request).collect(),
        ..Output::default()
    };
    play.ask(Ask::Completed { step: started.step.clone(), fence: started.fence, output })
}

/// Keys, versions, and who wrote them.
fn shared(play: &Play) -> Vec<(String, u64, String)> {
    let context = play.state().context().iter();
    context.map(|(key, known)| (key.to_string(), known.version.0, known.step.to_string())).collect()
}

#[test]
fn what_an_attempt_writes_is_in_the_commit_of_what_it_came_to_and_the_next_sees_it() {
    let mut play = Play::start(AB);
    let words =
        done(&mut play, "a", r#"{"context": {"l": {"m": 1}}}"#, &[("k", "\"ann\""), ("k", "\"bob\"")]);
    assert_eq!(
        words,
        [
            "context_changed a",
            "context_changed a",
            "context_changed a",
            "step_completed a",
            "attempt_started b"
        ]
    );
    assert_eq!(shared(&play), [("k".into(), 2, "a".into()), ("l".into(), 1, "a".into())]);
    assert_eq!(play.work("b")["run"], "echo 'bob'");
}

#[test]
fn a_key_that_nobody_wrote_fails_who_uses_it_and_is_named() {
    let mut play = Play::start(AB);
    let words = play.complete("a", r#"{"context": {"other": 1}}"#);
    assert_eq!(words[2..], ["step_failed b", "run_completed"]);
    let node = play.state().node(&StepId::grown("b")).unwrap().1;
    let error = node.doing.error.as_ref().unwrap();
    assert_eq!((error.code, error.class), (Code::ExpressionFailed, Class::Validation));
    assert!(error.message.contains("`context` has: other"), "{}", error.message);
}

#[test]
fn who_expects_another_version_writes_nothing_and_may_try_again() {
    let yaml = "name: w\nsteps: [{id: a, run: 'true', retry: {attempts: 2, initial: 1s}}]";
    let mut play = Play::start(yaml);
    let words = done(&mut play, "a", "{}", &[("l", "1"), ("k@1", "1")]);
    assert_eq!(words, ["attempt_failed a", "retry_scheduled a"]);
    assert!(shared(&play).is_empty(), "all or nothing");
    play.sleep(Duration::from_secs(2));
    let words = done(&mut play, "a", "{}", &[("l", "1"), ("k@0", "1"), ("k@1", "2")]);
    assert_eq!(
        words[..4],
        ["context_changed a", "context_changed a", "context_changed a", "step_completed a"]
    );
    assert_eq!(shared(&play), [("k".into(), 2, "a".into()), ("l".into(), 1, "a".into())]);
}

#[test]
fn a_key_that_is_removed_is_not_there_and_no_version_of_it_comes_again() {
    let mut play = Play::start(AB);
    let writes = [("k", "1"), ("k@1", "null"), ("k@0", "2"), ("k@2", "null"), ("k@0", "null")];
    let words = done(&mut play, "a", r#"{"context": {"l": 1}}"#, &writes);
    assert_eq!(words[5..], ["step_completed a", "step_failed b", "run_completed"]);
    assert_eq!(shared(&play), [("k".into(), 2, "a".into()), ("l".into(), 1, "a".into())]);
    let error = play.state().node(&StepId::grown("b")).unwrap().1.doing.error.clone().unwrap();
    assert!(error.message.contains("`context` has: l"), "{}", error.message);
}

#[test]
fn what_cannot_be_written_fails_the_attempt_for_good() {
    let long = "k".repeat(65);
    for key in ["", "a b", "a.b", "1a", "k@x", "@1", "ä", "../k", &long] {
        let mut play = Play::start("name: w\nsteps: [{id: a, run: 'true'}]");
        let words = done(&mut play, "a", "{}", &[(key, "1")]);
        assert_eq!(words[..2], ["attempt_failed a", "step_failed a"], "{key}");
    }
    let mut play = Play::start("name: w\nsteps: [{id: a, run: 'true'}]");
    let many: Vec<(String, String)> = (0..1001).map(|key| (format!("k{key}"), "1".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(done(&mut play, "a", "{}", &many)[..2], ["attempt_failed a", "step_failed a"]);
}

#[test]
fn a_rollback_leaves_it_and_a_compensation_may_write() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'true', compensate: {run: 'undo {{ context.k }}'}}, {id: b, run: 'true'}]",
    );
    done(&mut play, "a", "{}", &[("k", "7")]);
    play.fail("b", exit(Class::Validation));
    play.ask(Ask::Go);
    assert_eq!(play.work("a")["run"], "undo '7'");
    let words = done(&mut play, "a", "{}", &[("k@1", "8")]);
    assert_eq!(words, ["context_changed undo a", "step_compensated a", "run_compensated"]);
    assert_eq!(shared(&play), [("k".into(), 2, "a".into())]);
}

#[test]
fn an_answer_that_is_not_taken_writes_nothing() {
    let yaml = "name: w\nsteps: [{id: a, run: 'true', schema: {type: object, required: [x]}}]";
    let mut play = Play::start(yaml);
    assert_eq!(done(&mut play, "a", "{}", &[("k", "1")])[..2], ["attempt_failed a", "step_failed a"]);
    assert!(shared(&play).is_empty());
}
