//! What somebody is told to do instead of what is refused can be done.

use super::exit;
use super::play::{Play, order};
use crate::aggregates::run::{Ask, Refusal};
use crate::events::ids::StepId;
use crate::events::problem::{Class, Problem, Remedy};
use crate::events::run::Resolution;
use crate::workflow::work::{Failure, Stop};

const UNDONE: &str = "
steps:
  - {id: a, run: 'true', compensate: {run: undo, retry: {policy: none}}}
  - {id: b, run: 'true', compensate: {run: undo}}
  - {id: c, run: 'true'}
";

const SENT: &str = "
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: sent, run: 'true', irreversible: true}
  - {id: c, run: 'true'}
";

const SENT_ONCE: &str = "
steps:
  - {id: a, run: 'true', compensate: {run: undo}}
  - {id: sent, run: 'true', irreversible: true, at_most_once: true}
";

/// Runs that were brought to where they are refused something, each with what it is.
fn runs() -> Vec<(&'static str, Play)> {
    vec![
        ("pending", Play::start(UNDONE)),
        ("running", with(UNDONE, |play| play.complete_all(&["a"]))),
        ("paused", with(UNDONE, |play| drop(play.ask(Ask::Pause(order()))))),
        ("completed", with(UNDONE, |play| play.complete_all(&["a", "b", "c"]))),
        ("failed", with(&format!("on_failure: stop{UNDONE}"), fail_at_c)),
        (
            "failed, once only",
            with("{on_failure: stop, steps: [{id: a, run: x, at_most_once: true}]}", |play| {
                play.fail("a", exit(Class::Unknown));
            }),
        ),
        ("compensating", with(UNDONE, fail_at_c)),
        (
            "compensating, paused",
            with(UNDONE, |play| {
                fail_at_c(play);
                play.ask(Ask::Pause(order()));
            }),
        ),
        (
            "compensated",
            with(UNDONE, |play| {
                fail_at_c(play);
                play.complete_all(&["b", "a"]);
            }),
        ),
        (
            "stuck in a compensation",
            with(UNDONE, |play| {
                fail_at_c(play);
                play.complete("b", "1");
                play.fail("a", exit(Class::Fatal));
            }),
        ),
        (
            "cancelled",
            with(UNDONE, |play| {
                play.ask(Ask::Cancel { order: order(), rollback: false });
                play.fail("a", Failure::stopped(Stop::Cancelled));
            }),
        ),
        (
            "rolled back to a step",
            with(UNDONE, |play| {
                play.complete_all(&["a", "b", "c"]);
                play.roll_back(Some("a"));
                play.complete("b", "1");
            }),
        ),
    ]
}

/// Runs with an irreversible step.
fn runs_that_send() -> Vec<(&'static str, Play)> {
    vec![
        ("sending", with(SENT, |play| play.complete_all(&["a"]))),
        ("sent", with(SENT, |play| play.complete_all(&["a", "sent"]))),
        (
            "sent and paused",
            with(SENT, |play| {
                play.complete_all(&["a", "sent"]);
                play.ask(Ask::Pause(order()));
            }),
        ),
        ("sent and completed", with(SENT, |play| play.complete_all(&["a", "sent", "c"]))),
        (
            "sent and stuck",
            with(SENT, |play| {
                play.complete_all(&["a", "sent"]);
                play.fail("c", exit(Class::Unknown));
            }),
        ),
        (
            "sent and cancelled",
            with(SENT, |play| {
                play.complete_all(&["a", "sent"]);
                play.ask(Ask::Cancel { order: order(), rollback: false });
                play.fail("c", Failure::stopped(Stop::Cancelled));
            }),
        ),
        ("stuck, once only", stuck_once()),
    ]
}

/// Nobody knows whether it was sent, and it may not be sent again.
fn stuck_once() -> Play {
    with(SENT_ONCE, |play| {
        play.complete("a", "1");
        play.fail("sent", Failure::stopped(Stop::TimedOut));
    })
}

fn with(yaml: &str, happens: impl FnOnce(&mut Play)) -> Play {
    let mut play = Play::start(yaml);
    happens(&mut play);
    play.ask(Ask::Go);
    play
}

fn fail_at_c(play: &mut Play) {
    play.complete_all(&["a", "b"]);
    play.fail("c", exit(Class::Unknown));
    play.ask(Ask::Go);
}

/// All that people ask of runs.
fn asks() -> Vec<Ask> {
    let all = |to: Option<&str>| Ask::Rollback { order: order(), to: to.map(Into::into) };
    let resolve = |step: &str| Ask::Resolve {
        by: "ada".into(),
        reason: "why".to_owned(),
        step: StepId::grown(step),
        how: Resolution::Skip,
    };
    let retry = |step: Option<&str>| Ask::Retry { order: order(), step: step.map(Into::into) };
    let mut asks = vec![Ask::Pause(order()), Ask::Unpause(order()), all(None), retry(None)];
    asks.extend([false, true].map(|rollback| Ask::Cancel { order: order(), rollback }));
    for step in ["a", "sent", "c"] {
        asks.extend([all(Some(step)), resolve(step), retry(Some(step))]);
    }
    asks
}

/// What is asked by what helps; none where that is nothing that a run could refuse, or only shows how it is written.
fn asked_by(remedy: &Remedy) -> Option<Ask> {
    let back = |to| Ask::Rollback { order: order(), to };
    Some(match remedy {
        Remedy::Pause => Ask::Pause(order()),
        Remedy::Unpause => Ask::Unpause(order()),
        Remedy::Retry | Remedy::RetryAll | Remedy::GoForward => Ask::Retry { order: order(), step: None },
        Remedy::Cancel => Ask::Cancel { order: order(), rollback: false },
        Remedy::RollBack | Remedy::RollBackRest | Remedy::RollBackAll => back(None),
        Remedy::RollBackTo(step) | Remedy::KeepWhole(step) | Remedy::DoAgainFrom { kept: step, .. } => {
            back(Some(step.as_str().into()))
        }
        Remedy::LookAtRun(_)
        | Remedy::Resume
        | Remedy::ResolveCompensation(_)
        | Remedy::StartAnother
        | Remedy::DoAnew
        | Remedy::AwaitEnd
        | Remedy::NothingRuns => return None,
        other => panic!("{other:?} helps no run"),
    })
}

/// What is asked by what helps against a problem.
fn instead(problem: &Problem) -> Vec<Ask> {
    problem.remedies.all.iter().filter_map(asked_by).collect()
}

#[test]
fn nothing_helps_that_is_refused_too() {
    let mut followed = 0;
    for (what, play) in runs().into_iter().chain(runs_that_send()) {
        for ask in asks() {
            let Some(problem) = play.refusal(&ask) else { continue };
            for next in instead(&problem) {
                followed += 1;
                // Only the definition knows what may be started once only: a retry says it when it is asked.
                let Some(refused) = play.refusal(&next) else { continue };
                let leads_on = instead(&refused).iter().all(|last| play.refusal(last).is_none());
                let is_known_late = what.ends_with("once only") && leads_on;
                assert!(is_known_late, "{what}: {ask:?}\n{problem:?}\n{next:?}: {refused:?}");
            }
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn a_run_that_is_stuck_with_what_may_be_started_once_only_can_be_ended() {
    let refused = stuck_once().rejection(&Ask::Retry { order: order(), step: None });
    let why = Refusal::StartedOnce(StepId::grown("sent"));
    assert_eq!(refused, Some(why.but([Remedy::Cancel, Remedy::DoAnew])));
}

#[test]
fn what_cannot_be_undone_any_more_can_be_undone_back_to_where_it_can() {
    let mut play = Play::start("steps: [{id: RUN, run: 'true', irreversible: true}]");
    play.complete("RUN", "1");
    let refused = play.rejection(&Ask::Rollback { order: order(), to: None });
    let step = StepId::grown("RUN");
    let why = Refusal::PastReturn { step: step.clone(), is_running: false };
    assert_eq!(refused, Some(why.but([Remedy::RollBackTo(step)])));
}
