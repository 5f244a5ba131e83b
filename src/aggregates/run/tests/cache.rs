//! A step with a `cache` takes an earlier answer, or keeps its own for others.

use std::time::Duration;

use super::play::{Play, order};
use crate::aggregates::run::{Ask, FoundAnswer, OfShared, RunEffect, RunStatus, SharedEffect};
use crate::events::ids::{Hash, RunId, StepId, Version};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::{AnswerKept, AnswerSource, CacheAwaited, RunEvent};
use crate::kernel::Aggregate;

const CACHED: &str =
    "name: w\nsteps:\n  - {id: a, run: 'true', cache: {ttl: 1h, files: ['*.md']}}\n  - {id: b, run: 'true'}";

/// What is looked up.
fn looks_up(play: &Play) -> Vec<CacheAwaited> {
    let open = play.state().open().into_iter();
    let awaited = open.filter_map(|effect| match effect {
        RunEffect::Shared(SharedEffect::LookUp(awaited)) => Some((*awaited).clone()),
        _ => None,
    });
    awaited.collect()
}

fn found(play: &mut Play, step: &str, answer: Option<&str>) -> Vec<String> {
    let source = AnswerSource {
        run: RunId::parse("other").unwrap(),
        step: StepId::grown("made"),
        version: Version(4),
    };
    let found = |answer| FoundAnswer {
        source,
        answer: Json::parse(answer).unwrap(),
        artifacts: vec!["dist/a".to_owned()],
    };
    let key = Hash::of(b"key");
    let says = OfShared::LookedUp { step: StepId::grown(step), key, found: answer.map(found) };
    play.ask(Ask::OfShared(Box::new(says)))
}

fn kept(play: &Play) -> Vec<AnswerKept> {
    let kept = play.log.iter().filter_map(|event| match event {
        RunEvent::AnswerKept(kept) => Some(kept.clone()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn a_hit_completes_the_step_without_an_attempt_or_a_slot_and_the_next_starts_in_its_commit() {
    let mut play = Play::start(CACHED);
    assert_eq!(play.status("a"), "pending");
    let awaited = looks_up(&play).remove(0);
    assert_eq!((awaited.ttl_us, awaited.reads), (Some(3_600_000_000), true));
    assert_eq!(awaited.files.iter().map(|file| &**file).collect::<Vec<_>>(), ["*.md"]);
    play.slots = 1;
    assert_eq!(
        found(&mut play, "a", Some("{\"x\": 1}")),
        ["cache_hit a", "step_completed a", "attempt_started b"]
    );
    let Some(RunEvent::StepCompleted(done)) =
        play.log.iter().find(|event| matches!(event, RunEvent::StepCompleted(_)))
    else {
        panic!("{:?}", play.log)
    };
    assert_eq!((done.cached, done.attempt, &*done.artifacts), (true, 0, &["dist/a".to_owned()][..]));
    assert_eq!(done.usage, Default::default());
    assert_eq!(found(&mut play, "a", Some("2")), [""; 0], "said once more it changes nothing");
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_completed"]);
    assert_eq!(kept(&play), []);
}

#[test]
fn after_a_miss_the_step_is_tried_and_what_it_answers_is_kept() {
    let mut play = Play::start(CACHED);
    assert_eq!(found(&mut play, "a", None), ["cache_missed a", "attempt_started a"]);
    assert_eq!(play.complete("a", "{\"x\": 1}"), ["answer_kept a", "step_completed a", "attempt_started b"]);
    let kept = kept(&play).remove(0);
    assert_eq!((kept.key, kept.attempt, kept.ttl_us), (Hash::of(b"key"), 1, Some(3_600_000_000)));
    assert_eq!(kept.agent.as_str(), "shell");
}

#[test]
fn a_run_that_bypasses_the_cache_takes_no_answer_and_keeps_its_own() {
    let mut play = Play::start_as(CACHED, |start| start.bypasses_cache = true);
    assert!(play.log.iter().any(|event| matches!(event, RunEvent::CacheBypassed(_))));
    assert!(!looks_up(&play).remove(0).reads);
    assert_eq!(found(&mut play, "a", Some("1")), ["cache_missed a", "attempt_started a"]);
    assert_eq!(play.complete("a", "2")[0], "answer_kept a");
}

#[test]
fn what_failed_is_looked_up_again_before_it_is_tried_again() {
    let file = "name: w\nsteps: [{id: a, run: x, cache: {}, retry: {attempts: 3, initial: 1s, jitter: 0}}]";
    let mut play = Play::start(file);
    found(&mut play, "a", None);
    play.fail("a", super::exit(Class::Transient));
    assert_eq!(kept(&play), []);
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired", "cache_awaited a"]);
    assert_eq!(found(&mut play, "a", None), ["cache_missed a", "attempt_started a"]);
    assert_eq!(play.recover(), ["attempt_lost a", "cache_awaited a"]);
    assert_eq!(found(&mut play, "a", Some("1")), ["cache_hit a", "step_completed a", "run_completed"]);
    assert_eq!(play.result(), (RunStatus::Completed, false));
}

/// Whoever takes over asks again: the effect lasts until it is answered.
#[test]
fn what_is_looked_up_when_the_process_ends_is_looked_up_by_the_next() {
    let mut play = Play::start(CACHED);
    let before = looks_up(&play);
    assert_eq!(play.recover(), [""; 0]);
    assert_eq!(looks_up(&play), before);
}

#[test]
fn an_answer_that_the_step_cannot_take_is_none() {
    let file = "name: w\nsteps: [{id: a, run: x, cache: {}, schema: {type: object}}]";
    let mut play = Play::start(file);
    assert_eq!(found(&mut play, "a", Some("7")), ["cache_missed a", "attempt_started a"]);
    let file = "name: w\nsteps: [{id: a, run: x, cache: {}, output: 'output.n', schema: {type: integer}}]";
    let mut play = Play::start(file);
    assert_eq!(found(&mut play, "a", Some("{\"n\": 3}"))[0], "cache_hit a");
    assert!(play.log.iter().any(|event| matches!(event, RunEvent::StepCompleted(done)
        if done.output == crate::events::json::Payload::Inline(Json::parse("3").unwrap()))));
    let mut play = Play::start(file);
    found(&mut play, "a", None);
    play.complete("a", "{\"n\": 4}");
    let answer = kept(&play).remove(0).answer;
    assert_eq!(answer, crate::events::json::Payload::Inline(Json::parse("{\"n\": 4}").unwrap()));
}

#[test]
fn an_attempt_that_does_more_than_answer_is_not_kept() {
    for answer in [
        "{\"context\": {\"k\": 1}}",
        "{\"add_steps\": [{\"id\": \"p\", \"run\": \"true\"}]}",
        "{\"status\": \"completed_with_errors\", \"summary\": \"s\"}",
    ] {
        let mut play = Play::start("name: w\nsteps: [{id: a, agent: ada, cache: {}}]");
        found(&mut play, "a", None);
        play.complete("a", answer);
        assert_eq!(kept(&play), [], "{answer}");
        assert!(play.log.iter().any(|event| matches!(event, RunEvent::StepCompleted(_))), "{answer}");
    }
}

#[test]
fn what_changed_before_a_slot_was_there_is_looked_up_again() {
    let file = "name: w\nsteps:\n  - {id: w, agent: ada, needs: []}\n  - {id: a, run: 'echo {{ context.k | default(0) }}', needs: [], cache: {}}";
    let mut play = Play::start_with(file, "{}", 2);
    let before = looks_up(&play).remove(0);
    play.slots = 0;
    assert_eq!(found(&mut play, "a", None), ["cache_missed a"]);
    let done = play.complete("w", "{\"context\": {\"k\": 1}}");
    assert_eq!(done.last().unwrap(), "cache_awaited a", "{done:?}");
    assert_ne!(looks_up(&play).remove(0).work, before.work);
}

#[test]
fn a_paused_run_looks_up_nothing_and_anew_when_it_goes_on() {
    let mut play = Play::start(CACHED);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn a"]);
    assert_eq!(looks_up(&play), []);
    assert_eq!(found(&mut play, "a", Some("1")), [""; 0], "an answer that comes late is nobody's");
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "cache_awaited a"]);
    play.slots = 0;
    assert_eq!(found(&mut play, "a", None), ["cache_missed a"]);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn a"]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "cache_awaited a"]);
}

#[test]
fn files_that_cannot_be_read_fail_the_step_and_a_glob_may_not_lead_out() {
    let mut play = Play::start(CACHED);
    let why = (Code::CacheFiles, "the globs name more than 10000 files".to_owned());
    let says = OfShared::NotLookedUp { step: StepId::grown("a"), why };
    assert_eq!(play.ask(Ask::OfShared(Box::new(says))), ["step_failed a", "run_failed a"]);
    let file = "name: w\nsteps: [{id: a, run: x, cache: {files: ['{{ run.id }}/../..']}}]";
    let play = Play::start(file);
    assert_eq!(play.status("a"), "failed");
}

#[test]
fn each_item_has_a_key_of_its_own_and_an_approval_comes_before() {
    let file = "name: w\nsteps: [{id: all, for_each: [1, 2], run: 'echo {{ item }}', cache: {}}]";
    let mut play = Play::start(file);
    let awaited = looks_up(&play);
    assert_eq!(awaited.len(), 2);
    assert_ne!(awaited[0].work, awaited[1].work);
    found(&mut play, "all[1]", Some("20"));
    found(&mut play, "all[0]", None);
    play.complete("all[0]", "10");
    assert_eq!(play.result(), (RunStatus::Completed, false));
    let play = Play::start("name: w\nsteps: [{id: a, run: x, approve: before, cache: {}}]");
    assert_eq!((looks_up(&play), play.status("a")), (vec![], "waiting"));
}
