//! The store fails with every commit in turn, before or after it is stored, and with every one after that: the process is
//! gone. The next one goes on with the parent only, and all is as if nothing had happened.

use std::collections::BTreeMap;

use reenact::actors::system::System;
use reenact::aggregates::run::{Ask, RunStatus, StartRun};
use reenact::events::problem::{Class, Code, Problem};
use reenact::events::run::RunEvent;
use reenact::executors::Failure;
use reenact::executors::function::FunctionCall;
use reenact::kernel::Own;

use super::children::{self, child, echo, fold, order};
use super::kit::{id, whenever_the_process_ends};

/// A parent, its child, and how both end.
struct Family {
    parent: &'static str,
    child: &'static str,
    /// Whether somebody cancels the parent when its child has begun.
    cancelled: bool,
    ends: (RunStatus, RunStatus),
    /// How often which events of the child are recorded.
    counts: &'static [(&'static str, usize)],
}

#[test]
fn a_crash_at_any_commit_does_not_undo_less_or_more() {
    survive(&Family {
        parent: "[{id: c, workflow: child.yaml}, {id: b, agent: fail}]",
        child: "name: child\nsteps: [{id: a, agent: echo, compensate: {agent: echo}}, {id: b, agent: echo}]\n",
        cancelled: false,
        ends: (RunStatus::Compensated, RunStatus::Compensated),
        counts: &[("completed", 2), ("compensated", 1), ("rollback", 1)],
    });
}

#[test]
fn a_crash_at_any_commit_does_not_try_a_failed_child_again() {
    survive(&Family {
        parent: "[{id: c, workflow: child.yaml, on_error: continue}, {id: b, agent: echo}]",
        child: "name: child\non_failure: stop\nsteps: [{id: a, agent: echo}, {id: b, agent: fail}]\n",
        cancelled: false,
        ends: (RunStatus::Completed, RunStatus::Failed),
        counts: &[("completed", 1), ("failed", 1), ("retry", 0)],
    });
}

#[test]
fn a_crash_at_any_commit_does_not_lose_that_both_are_cancelled() {
    survive(&Family {
        parent: "[{id: c, workflow: child.yaml}, {id: b, agent: echo}]",
        child: "name: child\nsteps: [{id: a, agent: echo}, {id: s, sleep: 1h}]\n",
        cancelled: true,
        ends: (RunStatus::Cancelled, RunStatus::Cancelled),
        counts: &[("completed", 1), ("cancel", 1)],
    });
}

fn survive(family: &Family) {
    whenever_the_process_ends(6, async |ending| {
        let kit = ending.kit();
        echo(&kit);
        kit.functions.register("fail", |_: FunctionCall| async {
            Err::<(), _>(Failure::new(Code::FunctionFailed, "no").class(Class::Validation))
        });
        let second = ending.survived(&kit, async |system| see(family, system).await).await;
        let ends = (fold(&second, &id("p")).await.status(), fold(&second, &child()).await.status());
        assert_eq!(ends, family.ends, "{ending}");
        let mut counts = BTreeMap::new();
        for (_, event) in kit.events(&child()).await {
            *counts.entry(word(&event)).or_insert(0) += 1;
        }
        for (word, count) in family.counts {
            assert_eq!(counts.get(word).unwrap_or(&0), count, "{word}: {ending}");
        }
    });
}

/// Sees the parent to its end.
async fn see(family: &Family, system: &System) -> Result<(), Problem> {
    let start: StartRun = children::family(family.parent, family.child);
    system.begin(&id("p"), start).await?;
    if family.cancelled && !fold(system, &id("p")).await.status().has_ended() {
        let has_slept = async {
            let mut live_state = system.watch(&child());
            let sleeps =
                live_state.wait_for(|seen| seen.parked.is_some() || matches!(seen.attention.own, Own::At(_)));
            sleeps.await.map(|seen| seen.parked.clone())
        };
        let parent = id("p");
        let ended = system.ended(&parent);
        tokio::select! {
            slept = has_slept => if let Ok(Some(problem)) = slept { return Err(problem) },
            ended = ended => return ended.map(drop),
        }
        system.ask(&id("p"), Ask::Cancel { order: order(), rollback: false }).await?;
    }
    system.ended(&id("p")).await.map(drop)
}

fn word(event: &RunEvent) -> &'static str {
    match event {
        RunEvent::StepCompleted(_) => "completed",
        RunEvent::StepCompensated(_) => "compensated",
        RunEvent::AttemptFailed(_) => "failed",
        RunEvent::RollbackStarted(_) => "rollback",
        RunEvent::RetryRequested(_) => "retry",
        RunEvent::CancelRequested(_) => "cancel",
        _ => "other",
    }
}
