//! What somebody is told to do instead of what is refused can be done.

use super::exit;
use super::play::{Play, order};
use crate::aggregates::run::Ask;
use crate::events::ids::StepId;
use crate::events::problem::Class;
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

/// What the commands ask that stand in a hint; none for those that nothing refuses, and for those that only show how
/// they are written.
fn named(hint: &str) -> Vec<(&str, Ask)> {
    let commands = hint.split('`').skip(1).step_by(2).filter(|quoted| quoted.starts_with("reenact "));
    let asks = commands.filter_map(|command| {
        let words: Vec<_> = command.split(' ').collect();
        let ask = match words.get(1..)? {
            ["pause", _] => Ask::Pause(order()),
            ["unpause", _] => Ask::Unpause(order()),
            ["retry", _] => Ask::Retry { order: order(), step: None },
            ["cancel", _] => Ask::Cancel { order: order(), rollback: false },
            ["rollback", _] => Ask::Rollback { order: order(), to: None },
            ["rollback", _, "--to", step] => Ask::Rollback { order: order(), to: Some((*step).into()) },
            ["resume" | "status", _] | ["rollback", "resolve", ..] => return None,
            other => panic!("{other:?} is no command"),
        };
        Some((command, ask))
    });
    asks.collect()
}

#[test]
fn no_hint_names_a_command_that_is_refused_too() {
    let mut followed = 0;
    for (what, play) in runs().into_iter().chain(runs_that_send()) {
        for ask in asks() {
            let Some(problem) = play.refusal(&ask) else { continue };
            for (command, instead) in named(&problem.hint) {
                followed += 1;
                // Only the definition knows what may be started once only: a retry says it when it is asked.
                let Some(refused) = play.refusal(&instead) else { continue };
                let leads_on = named(&refused.hint).iter().all(|(_, last)| play.refusal(last).is_none());
                let is_known_late = what.ends_with("once only") && leads_on;
                assert!(is_known_late, "{what}: {ask:?}\n{problem:?}\n`{command}`: {refused:?}");
            }
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn a_run_that_is_stuck_with_what_may_be_started_once_only_can_be_ended() {
    let refused = stuck_once().refusal(&Ask::Retry { order: order(), step: None }).unwrap();
    assert!(refused.hint.contains("reenact cancel "), "{refused:?}");
}

#[test]
fn a_step_whose_id_reads_like_a_placeholder_is_named_as_it_is() {
    let mut play = Play::start("steps: [{id: RUN, run: 'true', irreversible: true}]");
    play.complete("RUN", "1");
    let refused = play.refusal(&Ask::Rollback { order: order(), to: None }).unwrap();
    assert!(refused.hint.contains("--to RUN`"), "{refused:?}");
}
