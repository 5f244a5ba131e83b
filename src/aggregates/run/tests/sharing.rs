//! Runs that share contexts stand still, and wait for room, without keeping others from what they share.

use super::play::{Play, order};
use crate::aggregates::context::{LockSays, OfContext};
use crate::aggregates::run::shared::{LEASE, SharedEffect};
use crate::aggregates::run::{Ask, LockOf, OfShared, Raise, RunEffect};
use crate::events::ids::{ContextKey, ContextName, KeyVersion, LockFence, StepId};
use crate::events::json::Json;
use crate::events::run::SpendLimits;
use crate::kernel::Aggregate;
use crate::workflow::work::{Failure, Stop};

const LOCKED: &str = "name: w\ncontexts: {t: team}\nsteps:\n  - {id: a, run: 'true', needs: []}\n  - {id: b, run: 'echo {{ contexts.t.k }}', needs: [], locks: [t/one, t/two]}";

fn team() -> ContextName {
    ContextName::parse("team").unwrap()
}

fn read(play: &mut Play, step: &str) -> Vec<String> {
    let key = ContextKey::parse("k").unwrap();
    let values = vec![(team(), key, KeyVersion(1), Json::from(&serde_json::json!("v")))];
    let says = OfShared::Read { step: StepId::grown(step), values };
    play.ask(Ask::OfShared(Box::new(says)))
}

fn shared(play: &Play) -> Vec<SharedEffect> {
    let open = play.state().open().into_iter();
    let shared = open.filter_map(|effect| match effect {
        RunEffect::Shared(effect) => Some(effect),
        _ => None,
    });
    shared.collect()
}

fn awaited(play: &Play) -> Vec<LockOf> {
    let awaited = shared(play).into_iter().filter_map(|effect| match effect {
        SharedEffect::Lock { of, .. } => Some(of),
        _ => None,
    });
    awaited.collect()
}

fn given_back(play: &Play) -> Vec<LockOf> {
    let given = shared(play).into_iter().filter_map(|effect| match effect {
        SharedEffect::GiveBack(of) => Some(of),
        _ => None,
    });
    given.collect()
}

fn grant(play: &mut Play, of: &LockOf) -> Vec<String> {
    let LockOf { context, lock, owner } = of.clone();
    let says = LockSays::Granted { fence: LockFence(7), until: play.now.after(LEASE) };
    play.ask(Ask::OfShared(Box::new(OfShared::Lock(OfContext { context, lock, owner, says }))))
}

#[test]
fn a_run_that_pauses_after_a_step_reads_anew_when_it_goes_on() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps:\n  - {id: a, run: 'true', needs: []}\n  - {id: b, run: 'echo {{ contexts.t.k }}', needs: []}";
    let mut play = Play::start_until(yaml, "a");
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_paused", "preparation_withdrawn b"]);
    assert_eq!(read(&mut play, "b"), [""; 0], "an answer that comes late is nobody's");
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "context_awaited b"]);
    assert_eq!(read(&mut play, "b"), ["context_read b", "attempt_started b"]);
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_completed"]);
}

#[test]
fn what_was_read_before_a_pause_is_read_again_after_it() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps: [{id: b, run: 'echo {{ contexts.t.k }}'}]";
    let mut play = Play::start(yaml);
    play.slots = 0;
    assert_eq!(read(&mut play, "b"), ["context_read b"]);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn b"]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "context_awaited b"]);
}

#[test]
fn a_paused_run_waits_for_no_lock_and_keeps_none_but_those_of_open_attempts() {
    let mut play = Play::start(LOCKED);
    assert_eq!(read(&mut play, "b"), ["context_read b", "lock_requested b"]);
    let first = awaited(&play).remove(0);
    assert_eq!(grant(&mut play, &first), ["lock_acquired b", "context_awaited b"]);
    assert_eq!(read(&mut play, "b"), ["context_read b", "lock_requested b"]);
    let second = awaited(&play).remove(0);
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn b"]);
    assert_eq!((awaited(&play), given_back(&play)), (vec![], vec![first, second.clone()]));
    assert_eq!(grant(&mut play, &second), [""; 0], "granted too late, it is given back");
    assert_eq!(play.complete("a", "1"), ["step_completed a"]);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "context_awaited b"]);
    read(&mut play, "b");
    for is_last in [false, true] {
        let of = awaited(&play).remove(0);
        grant(&mut play, &of);
        let read = read(&mut play, "b");
        assert_eq!(read.last().is_some_and(|last| last == "attempt_started b"), is_last, "{read:?}");
    }
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused"], "an attempt keeps its locks");
    assert_eq!(play.complete("b", "1"), ["step_completed b", "run_completed"]);
}

#[test]
fn a_rollback_that_is_paused_waits_for_no_lock_until_it_goes_on() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps:\n  - {id: a, run: 'true', locks: [t/one], compensate: {run: undo}}\n  - {id: b, run: 'false'}";
    let mut play = Play::start(yaml);
    let of = awaited(&play).remove(0);
    grant(&mut play, &of);
    play.complete("a", "1");
    let asked = play.roll_back(None);
    assert!(!asked.iter().any(|event| event == "lock_requested a"), "b is being stopped: {asked:?}");
    let stopped = play.fail("b", Failure::stopped(Stop::Cancelled));
    assert_eq!(stopped.last().unwrap(), "lock_requested undo a", "{stopped:?}");
    assert_eq!(play.ask(Ask::Pause(order())), ["run_paused", "preparation_withdrawn a"]);
    assert_eq!(awaited(&play), []);
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "lock_requested undo a"]);
    let of = awaited(&play).remove(0);
    assert_eq!(grant(&mut play, &of), ["lock_acquired a", "attempt_started undo a"]);
    assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
}

// It was taken from steps that were prepared, and the fold said that it cannot be.
#[test]
fn what_a_limit_stops_holds_no_lock_until_it_is_raised() {
    let mut play = Play::start(
        "name: w\nlimits: {calls: 1}\ncontexts: {t: team}\nsteps: [{id: a, run: x, needs: [], locks: [t/one]}, {id: b, run: x, needs: []}]",
    );
    let of = awaited(&play).remove(0);
    assert_eq!(play.attempts().len(), 1, "b has the only call");
    let stopped = grant(&mut play, &of);
    assert_eq!(stopped, ["lock_acquired a", "budget_exhausted a", "preparation_withdrawn a"]);
    assert_eq!(given_back(&play), [of]);
    play.complete("b", "1");
    let limits = SpendLimits { calls: Some(2), ..SpendLimits::default() };
    let raise = Raise { limits, by: "ada".into(), reason: None };
    assert_eq!(play.ask(Ask::RaiseBudget(Box::new(raise))), ["budget_raised", "lock_requested a"]);
    let of = awaited(&play).remove(0);
    assert_eq!(grant(&mut play, &of), ["lock_acquired a", "attempt_started a", "budget_reserved a"]);
    assert_eq!(play.complete("a", "1"), ["budget_settled a", "step_completed a", "run_completed"]);
}

#[test]
fn no_more_steps_wait_for_locks_than_may_run_and_none_without_a_slot() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps: [{id: all, for_each: [1,2,3,4,5,6], run: 'true', locks: [t/one]}]";
    let mut play = Play::start_with(yaml, "{}", 3);
    assert_eq!(awaited(&play).len(), 3, "as many as may run");
    let first = awaited(&play).remove(0);
    assert_eq!(grant(&mut play, &first).last().unwrap(), "attempt_started all[0]");
    assert_eq!(awaited(&play).len(), 2, "with the one that runs");
    let done = play.complete("all[0]", "1");
    assert_eq!(done, ["step_completed all[0]", "lock_requested all[3]"]);
    play.slots = 0;
    let next = awaited(&play).remove(0);
    assert_eq!(
        grant(&mut play, &next),
        ["lock_acquired all[1]"],
        "no slot: it has a lock, and no other waits for one"
    );
    assert_eq!(awaited(&play).len(), 2);
}

/// The lock was granted to a step for which there was no room any more, because another waited for that very lock.
#[test]
fn what_holds_a_lock_is_tried_before_others_wait_for_one() {
    let yaml = "name: w\ncontexts: {t: team}\nsteps:\n  - {id: a, run: x, needs: [], locks: [t/one], retry: {attempts: 2, initial: 1s, jitter: 0}}\n  - {id: b, run: x, needs: [], locks: [t/one]}\n  - {id: c, agent: ada, needs: [], locks: [t/one]}";
    let mut play = Play::start_with(yaml, "{}", 1);
    let of = awaited(&play).remove(0);
    assert_eq!(grant(&mut play, &of).last().unwrap(), "attempt_started c", "agents come in order");
    play.complete("c", "1");
    let of = awaited(&play).remove(0);
    assert_eq!(grant(&mut play, &of).last().unwrap(), "attempt_started a");
    play.fail("a", super::exit(crate::events::problem::Class::Transient));
    let of = awaited(&play).remove(0);
    assert_eq!(play.sleep(std::time::Duration::from_secs(1)), ["timer_fired"], "b waits for the lock");
    play.slots = 0;
    assert_eq!(grant(&mut play, &of), ["lock_acquired b"]);
    play.slots = 1;
    assert_eq!(play.ask(Ask::Go), ["attempt_started b"]);
    assert_eq!(play.complete("b", "1"), ["step_completed b", "lock_requested a"]);
}
