//! The rules of a run, each by what is decided and what follows.

mod agents;
mod cache;
mod context;
mod control;
mod conversations;
mod damaged;
mod delivering;
mod driven;
mod family;
mod found;
mod goal;
mod growing;
mod handoffs;
mod hints;
mod impossible;
mod many;
mod messages;
mod models;
mod needs;
mod output;
mod pages;
mod people;
mod phases;
mod play;
mod random;
mod report;
mod rounds;
mod saga;
mod sharing;
mod snapshot;
mod spend;
mod streaming;
mod stuck;
mod tasks;
mod tries;
mod turns;
mod waited;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::events::json::{Blob, Json};
use crate::events::problem::{Class, Code};
use crate::events::run::*;
use crate::testing::given;
use crate::workflow::parse::{Known, parse};
use crate::workflow::work::{Failure, Output, Stop};
use play::Play;

fn exit(class: Class) -> Failure {
    Failure::new(Code::ExitUnknown, "exit 1").class(class)
}

const A_THEN_B: &str = "name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: 'true'}]";

#[test]
fn a_completion_and_the_next_start_are_one_commit() {
    let mut play = Play::start(A_THEN_B);
    assert_eq!(play.complete("a", "1"), ["step_completed a", "attempt_started b"]);
    assert_eq!(play.complete("b", "2"), ["step_completed b", "run_completed"]);
    assert_eq!(play.result(), (RunStatus::Completed, false));
}

#[test]
fn without_a_slot_a_step_waits_and_starts_in_a_commit_of_its_own() {
    let mut play = Play::start(A_THEN_B);
    play.slots = 0;
    assert_eq!(play.complete("a", "1"), ["step_completed a"]);
    let waiting = RunEffect::Start {
        step: StepId::grown("b"),
        agent: Some(AgentName::new("shell")),
        purpose: Purpose::Do,
    };
    assert_eq!(play.state().open(), [waiting]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Go), ["attempt_started b"]);
}

#[test]
fn only_the_newest_fence_may_report() {
    let mut play = Play::start(A_THEN_B);
    let old = play.open("a").fence;
    assert_eq!(play.recover(), ["attempt_lost a", "attempt_started a"]);
    let late = Ask::Completed { step: StepId::grown("a"), fence: old, output: Output::default() };
    assert_eq!(play.ask(late), [""; 0]);
    assert!(play.open("a").fence > old);
    assert_eq!(play.complete("a", "1").len(), 2);
}

#[test]
fn all_attempts_of_a_generation_carry_one_idempotency_key() {
    let mut play = Play::start(A_THEN_B);
    let first = play.open("a");
    play.recover();
    let second = play.open("a");
    assert_eq!((second.attempt, &second.idempotency_key), (2, &first.idempotency_key));
    play.complete("a", "1");
    assert_ne!(play.open("b").idempotency_key, first.idempotency_key);
}

#[test]
fn lost_attempts_end_a_step_only_at_their_own_limit() {
    let mut play = Play::start(A_THEN_B);
    for _ in 0..2 {
        assert_eq!(play.recover(), ["attempt_lost a", "attempt_started a"]);
    }
    assert_eq!(play.recover(), ["attempt_lost a", "step_failed a", "run_failed a"]);
    assert_eq!(play.result(), (RunStatus::Failed, false));
}

#[test]
fn an_orderly_end_does_not_count_as_a_loss() {
    let mut play = Play::start(A_THEN_B);
    for _ in 0..10 {
        play.slots = 0;
        assert_eq!(play.ask(Ask::Interrupt), ["attempt_lost a"]);
        play.slots = 1;
        assert_eq!(play.ask(Ask::Go), ["attempt_started a"]);
    }
    for _ in 0..2 {
        assert_eq!(play.recover(), ["attempt_lost a", "attempt_started a"]);
    }
}

#[test]
fn transient_failures_are_tried_again_up_to_the_attempts_of_the_policy() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'true', retry: {policy: fixed, attempts: 3, initial: 2s, jitter: 0}}]",
    );
    assert_eq!(play.fail("a", exit(Class::Transient)), ["attempt_failed a", "retry_scheduled a"]);
    assert_eq!(play.status("a"), "retrying");
    assert_eq!(play.sleep(Duration::from_millis(1999)), [""; 0], "never early");
    assert_eq!(play.sleep(Duration::from_millis(1)), ["timer_fired", "attempt_started a"]);
    play.recover();
    assert_eq!(play.open("a").attempt, 3, "a lost attempt has a number");
    assert_eq!(play.fail("a", exit(Class::Unknown)), ["attempt_failed a", "retry_scheduled a"]);
    play.sleep(Duration::from_secs(2));
    assert_eq!(play.fail("a", exit(Class::Transient)), ["attempt_failed a", "step_failed a", "run_failed a"]);
}

#[test]
fn steps_that_fail_at_once_are_not_tried_again_at_once() {
    // Eight items that failed together all waited 75, 150, 300 ms: the seed of their jitter was how far the run was.
    let steps: Vec<_> =
        (0..200).map(|n| format!("{{id: s{n}, needs: [], run: x, retry: {{max: 1s}}}}")).collect();
    let mut play = Play::start_with(&format!("name: w\nsteps: [{}]", steps.join(", ")), "{}", 200);
    (play.slots, _) = (200, play.ask(Ask::Go));
    for n in 0..200 {
        play.fail(&format!("s{n}"), exit(Class::Transient));
    }
    let delays: Vec<_> = play
        .log
        .iter()
        .filter_map(|event| match event {
            RunEvent::RetryScheduled(scheduled) => Some(scheduled.at.since(play.now)),
            _ => None,
        })
        .collect();
    assert_eq!(delays.len(), 200);
    assert!(delays.iter().all(|delay| (750..=1000).contains(&delay.as_millis())), "{delays:?}");
    assert!(delays.iter().collect::<BTreeSet<_>>().len() >= 150, "{delays:?}");
}

#[test]
fn validation_and_dependency_failures_are_not_tried_again() {
    for class in [Class::Validation, Class::Dependency] {
        let mut play = Play::start("name: w\nsteps: [{id: a, run: 'true', retry: {attempts: 3}}]");
        assert_eq!(play.fail("a", exit(class)), ["attempt_failed a", "step_failed a", "run_failed a"]);
    }
}

#[test]
fn a_failure_lets_what_runs_end_and_starts_nothing_new() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'true', needs: []}, {id: b, run: 'true', needs: []}, {id: c, run: 'true', needs: [b]}]",
    );
    assert_eq!(play.fail("a", exit(Class::Unknown)), ["attempt_failed a", "step_failed a"]);
    assert_eq!(play.state().status(), RunStatus::Running);
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_failed a"]);
    assert_eq!((play.status("b"), play.status("c")), ("completed", "pending"));
}

#[test]
fn fail_fast_and_fatal_cancel_what_runs() {
    let both = |a: &str| {
        format!("name: w\nsteps: [{{id: a, run: 'true', needs: []{a}}}, {{id: b, run: 'true', needs: []}}]")
    };
    for (file, class) in
        [(both(", on_error: fail_fast"), Class::Transient), (both(", on_error: continue"), Class::Fatal)]
    {
        let mut play = Play::start(&file);
        play.fail("a", exit(class));
        let stop = RunEffect::Stop { step: StepId::grown("b"), fence: play.open("b").fence };
        assert!(play.state().open().contains(&stop));
        assert_eq!(
            play.fail("b", Failure::stopped(Stop::Cancelled)),
            ["attempt_failed b", "step_cancelled b", "run_failed a"]
        );
        assert_eq!(play.status("b"), "cancelled");
    }
}

#[test]
fn a_tolerated_failure_degrades_the_run() {
    let file = |on_error: &str| {
        format!("name: w\nsteps: [{{id: a, run: 'true', on_error: {on_error}}}, {{id: b, run: 'true'}}]")
    };
    for (on_error, events, status) in [
        ("continue", ["attempt_failed a", "step_failed a", "attempt_started b"], "failed"),
        ("retry_then_skip", ["attempt_failed a", "step_skipped a", "attempt_started b"], "skipped"),
    ] {
        let mut play = Play::start(&file(on_error));
        assert_eq!(play.fail("a", exit(Class::Validation)), events);
        assert_eq!(play.status("a"), status);
        play.complete("b", "1");
        assert_eq!(play.result(), (RunStatus::Completed, true));
    }
}

#[test]
fn a_step_whose_condition_is_false_is_skipped_and_what_needs_it_goes_on() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'true'}, {id: b, run: 'true', if: steps.a.output == 1}, {id: c, run: 'true'}]",
    );
    assert_eq!(play.complete("a", "2"), ["step_completed a", "step_skipped b", "attempt_started c"]);
    play.complete("c", "1");
    assert_eq!(play.result(), (RunStatus::Completed, false), "an `if` does not degrade");
}

#[test]
fn using_an_output_that_is_not_there_skips_the_step_as_a_dependency_failure() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'true', if: 'false'}, {id: b, run: 'echo {{ steps.a.output }}'}]",
    );
    assert_eq!((play.status("a"), play.status("b")), ("skipped", "skipped"));
    assert_eq!(play.result(), (RunStatus::Completed, true));
    assert_eq!(play.ask(Ask::Go), [""; 0], "nothing follows the end");
}

#[test]
fn a_fan_out_does_each_item_within_its_width_and_answers_the_list_in_order() {
    let mut play = Play::start_with(
        "name: w\ninput: {type: object, properties: {n: {type: array}}}\nsteps: [{id: a, for_each: input.n, max_parallel: 2, agent: f, with: '{{ item }}'}]\noutput: '{{ steps.a.output }}'",
        "{\"n\": [10, 20, 30]}",
        16,
    );
    assert_eq!(play.work("a[0]"), serde_json::json!({ "with": 10 }));
    assert_eq!(play.status("a[2]"), "pending");
    assert_eq!(play.complete("a[1]", "\"b\""), ["step_completed a[1]", "attempt_started a[2]"]);
    play.complete("a[2]", "\"c\"");
    assert_eq!(play.complete("a[0]", "\"a\""), ["step_completed a[0]", "step_completed a", "run_completed"]);
    let Some(RunEvent::RunCompleted(end)) = play.log.last() else { panic!() };
    assert_eq!(end.output, crate::events::json::Payload::Inline(Json::parse("[\"a\",\"b\",\"c\"]").unwrap()));
}

#[test]
fn a_fan_out_over_nothing_completes_with_an_empty_list() {
    let play = Play::start("name: w\nsteps: [{id: a, for_each: [], run: 'true'}, {id: b, run: 'true'}]");
    assert_eq!((play.status("a"), play.status("b")), ("completed", "running"));
}

#[test]
fn a_fan_out_over_no_list_fails() {
    let play = Play::start("name: w\nsteps: [{id: a, for_each: 'run.id', run: 'true'}]");
    assert_eq!(play.result(), (RunStatus::Failed, false));
    let Some(RunEvent::RunFailed(failed)) = play.log.last() else { panic!() };
    assert_eq!((failed.code, failed.class), (Code::NotAList, Class::Validation));
}

#[test]
fn an_item_that_fails_fails_the_whole_unless_it_is_tolerated() {
    let file = |more: &str| format!("name: w\nsteps: [{{id: a, for_each: [1, 2], run: 'true'{more}}}]");
    let mut play = Play::start(&file(""));
    play.fail("a[0]", exit(Class::Unknown));
    assert_eq!(play.complete("a[1]", "1"), ["step_completed a[1]", "step_failed a", "run_failed a[0]"]);

    let mut play = Play::start(&file(", on_error: continue"));
    play.fail("a[0]", exit(Class::Unknown));
    play.complete("a[1]", "5");
    let Some(RunEvent::StepCompleted(whole)) = play.log.iter().rev().nth(1) else { panic!() };
    assert_eq!(whole.output, crate::events::json::Payload::Inline(Json::parse("[null,5]").unwrap()));
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

#[test]
fn no_more_attempts_run_at_once_than_the_run_allows() {
    let mut play = Play::start_with("name: w\nsteps: [{id: a, for_each: [1, 2, 3], run: 'true'}]", "{}", 2);
    let open =
        |play: &Play| play.state().open().iter().filter(|e| matches!(e, RunEffect::Attempt(_))).count();
    assert_eq!(open(&play), 2);
    play.complete("a[0]", "1");
    assert_eq!(open(&play), 2);
}

#[test]
fn a_sleep_ends_when_its_time_has_come() {
    let mut play = Play::start("name: w\nsteps: [{id: a, sleep: 1h}, {id: b, run: 'true'}]");
    assert_eq!((play.status("a"), play.state().status()), ("waiting", RunStatus::Running));
    assert_eq!(play.sleep(Duration::from_secs(3599)), [""; 0]);
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired", "step_completed a", "attempt_started b"]);
}

#[test]
fn an_output_that_cannot_be_rendered_degrades_a_completed_run() {
    let mut play =
        Play::start("name: w\nsteps: [{id: a, run: 'true'}]\noutput: '{{ steps.a.output.nothing.there }}'");
    play.complete("a", "{}");
    let Some(RunEvent::RunCompleted(end)) = play.log.last() else { panic!() };
    assert!(end.degraded && end.error.is_some());
    assert_eq!(play.result(), (RunStatus::Completed, true));
}

/// A step with `on_error: continue` whose program was not there failed the run, and nothing said why.
#[test]
fn a_fatal_failure_is_tolerated_by_no_step_and_says_so() {
    for tolerates in ["on_error: continue", "on_error: retry_then_skip", "optional: true"] {
        let mut play = Play::start(&format!("name: w\nsteps: [{{id: a, run: x, {tolerates}}}]"));
        play.fail("a", exit(Class::Fatal));
        assert_eq!(play.state().status(), RunStatus::Failed, "{tolerates}");
        let Some(RunEvent::RunFailed(failed)) = play.log.last() else { panic!() };
        assert!(failed.message.contains("a fatal failure is never tolerated"), "{}", failed.message);
    }
}

#[test]
fn starting_again_attaches_only_to_the_same() {
    let play = Play::start(A_THEN_B);
    let Some(RunEvent::RunStarted(_)) = play.log.first() else { panic!() };
    let definition = parse(A_THEN_B, "x.yaml", &Known::default()).unwrap().definition;
    let start = |input: &str| {
        let definition_blob = Blob::new(definition.to_json().text().as_bytes());
        Ask::Start(Box::new(StartRun {
            definition: Arc::new(definition.clone()),
            definition_blob,
            input: Json::parse(input).unwrap(),
            tags: BTreeMap::new(),
            work_folder: "/elsewhere".into(),
            parent: None,
            environment: BTreeMap::new(),
            agents: Vec::new(),
            parallel: 1,
            lost_limit: 1,
            duration_limit: None,
            until: None,
            children: Vec::new(),
            growth: GrowthLimits::default(),
            stuck: StuckLimits::default(),
            routed: None,
            bypasses_cache: false,
            insists: Insists::default(),
            drive: false,
        }))
    };
    let run = play.run.unwrap();
    let run = run.when(start("{}")).then([]);
    let with = |change: fn(&mut StartRun)| {
        let mut command = start("{}");
        if let Ask::Start(start) = &mut command {
            change(start);
        }
        command
    };
    let is_refused = |change: fn(&mut StartRun)| {
        let refused = run.clone().when(with(change));
        refused.then_rejected(|why| matches!(why, RunRejection::Begun { .. }));
    };
    is_refused(|start| start.until = Some("a".into()));
    is_refused(|start| drop(start.tags.insert("x".to_owned(), "1".to_owned())));
    is_refused(|start| {
        (start.duration_limit, start.insists.duration_limit) = (Some(Duration::from_secs(1)), true)
    });
    is_refused(|start| start.insists.parallel = true);
    is_refused(|start| start.insists.only_recorded = true);
    let run = run.when(with(|start| start.duration_limit = Some(Duration::from_secs(1)))).then([]);
    run.when(start("{\"a\":1}")).then_rejected(|why| matches!(why, RunRejection::Taken(_)));
}

#[test]
fn what_cannot_follow_is_an_illegal_event() {
    let play = Play::start(A_THEN_B);
    let run = play.run.unwrap();
    let completed = |step: &str, attempt| {
        RunEvent::from(StepCompleted {
            step: StepId::grown(step),
            attempt,
            output: Default::default(),
            artifacts: Vec::new(),
            usage: Usage::default(),
            cached: false,
            degraded: false,
            transcript: None,
            said: None,
        })
    };
    for (event, why) in [
        (completed("a", 2), "another attempt"),
        (completed("b", 1), "a step that is not running"),
        (completed("c", 1), "a step that is not there"),
        (RunCompleted { output: Default::default(), degraded: false, error: None }.into(), "open steps"),
    ] {
        assert!(run.clone().fold(&event).is_err(), "{why}");
    }
}

#[test]
fn folding_all_events_gives_the_state_that_deciding_left() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, for_each: [1, 2], run: 'true', retry: {}}, {id: b, sleep: 1s}, {id: c, run: 'true'}]",
    );
    play.fail("a[0]", exit(Class::Transient));
    play.complete("a[1]", "1");
    play.sleep(Duration::from_secs(2));
    play.complete("a[0]", "1");
    play.sleep(Duration::from_secs(2));
    let folded = given::<Run>("run/r").at(Timestamp(1_000_000)).events(play.log.clone());
    let effects = |run: &Run| run.open();
    assert_eq!(effects(folded.state()), effects(play.state()));
    assert_eq!(folded.state().progress(), play.state().progress());
}
