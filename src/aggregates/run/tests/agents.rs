//! A paused agent starts nothing, and what wants it waits without failing: that follows from the run's own history.

use std::time::Duration;

use super::people::{approve, signal};
use super::play::{Play, order};
use super::{A_THEN_B, exit};
use crate::aggregates::run::{Ask, Run, RunStatus};
use crate::events::ids::AgentName;
use crate::events::problem::Class;
use crate::events::run::{AgentAwaitEnded, AgentAwaited, RunEvent};
use crate::kernel::{Aggregate, Attention, Own, People};
use crate::testing::given;

const ADA_AND_SHELL: &str =
    "name: w\nsteps: [{id: a, agent: ada, needs: []}, {id: b, run: 'true', needs: []}]";

/// Paused while its step could start: nothing does.
fn paused(yaml: &str, agent: &str) -> Play {
    let mut play = Play::start_as(yaml, |start| start.drive = false);
    play.driven_since = Some(play.now);
    play.paused.insert(AgentName::new(agent));
    play.recover();
    play
}

#[test]
fn a_run_that_waits_only_for_a_paused_agent_is_waiting_and_goes_on_when_it_takes_work() {
    let mut play = paused(A_THEN_B, "shell");
    assert_eq!(play.state().attention().own, Own::Now);
    assert_eq!(play.pause_agent("shell"), ["agent_awaited"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    let attention = play.state().attention();
    assert_eq!(attention, Attention { people: People::Until(None), ..Attention::default() });
    assert!(attention.is_waiting() && play.state().startable(&Ask::Go).0.is_empty());
    assert_eq!(play.pause_agent("shell"), [""; 0], "that is known");
    assert_eq!(play.recover(), [""; 0], "nor does the next process start it");
    assert_eq!(play.free_agent("shell"), ["agent_await_ended"]);
    assert_eq!(play.state().status(), RunStatus::Pending);
    assert_eq!(play.ask(Ask::Go), ["attempt_started a"]);
    assert_eq!(play.free_agent("shell"), [""; 0]);
    assert_eq!((play.open("a").attempt, play.state().attention().own), (1, Own::Now));
}

#[test]
fn what_others_do_goes_on_meanwhile_and_what_runs_ends() {
    let mut play = paused(ADA_AND_SHELL, "ada");
    assert_eq!(play.attempts().len(), 1);
    assert_eq!(play.pause_agent("ada"), ["agent_awaited"]);
    assert_eq!(play.state().status(), RunStatus::Running, "`b` runs");
    assert_eq!(play.pause_agent("shell"), [""; 0], "no step of it waits");
    assert_eq!(play.complete("b", "1"), ["step_completed b"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    play.free_agent("ada");
    play.ask(Ask::Go);
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_completed"]);
}

#[test]
fn a_retry_whose_agent_was_paused_meanwhile_waits_and_keeps_its_attempts() {
    let mut play =
        Play::start("name: w\nsteps: [{id: a, run: x, retry: {attempts: 2, initial: 1s, jitter: 0}}]");
    play.fail("a", exit(Class::Transient));
    play.paused.insert(AgentName::new("shell"));
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired"]);
    assert_eq!(play.pause_agent("shell"), ["agent_awaited"]);
    play.sleep(Duration::from_secs(3_600));
    play.free_agent("shell");
    assert_eq!(play.ask(Ask::Go), ["attempt_started a"]);
    assert_eq!(play.open("a").attempt, 2);
    let happened = play.fail("a", exit(Class::Transient));
    assert_eq!(happened, ["attempt_failed a", "step_failed a", "run_failed a"], "waiting used up none");
}

#[test]
fn a_rollback_whose_agent_is_paused_waits_as_well() {
    let undone = "{id: a, run: x, compensate: {agent: ada}}, {id: b, run: y, compensate: {run: undo}}";
    let mut play = Play::start(&format!("name: w\nsteps: [{undone}, {{id: c, run: z}}]"));
    play.complete_all(&["a", "b"]);
    play.paused.insert(AgentName::new("ada"));
    play.fail("c", exit(Class::Validation));
    play.ask(Ask::Go);
    assert_eq!(play.complete("b", "1"), ["step_compensated b", "compensation_started a"]);
    assert_eq!(play.state().status(), RunStatus::Compensating);
    assert_eq!(play.pause_agent("ada"), ["agent_awaited"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert_eq!(play.recover(), [""; 0]);
    assert_eq!(play.free_agent("ada"), ["agent_await_ended"]);
    assert_eq!(play.state().status(), RunStatus::Compensating);
    assert_eq!(play.ask(Ask::Go), ["attempt_started undo a"]);
    assert_eq!(play.complete("a", "1"), ["step_compensated a", "run_compensated"]);
}

#[test]
fn a_run_that_is_cancelled_or_rolled_back_waits_no_longer_for_what_it_does_not_want() {
    let mut play = paused(A_THEN_B, "shell");
    play.pause_agent("shell");
    let cancel = Ask::Cancel { order: order(), rollback: false };
    assert_eq!(play.ask(cancel), ["cancel_requested", "agent_await_ended", "run_cancelled"]);

    let mut play = paused(ADA_AND_SHELL, "ada");
    play.pause_agent("ada");
    let failed = play.fail("b", exit(Class::Fatal));
    assert_eq!(failed, ["attempt_failed b", "step_failed b", "agent_await_ended", "run_failed b"]);
    assert!(play.state().awaited_agents().is_empty());
    assert_eq!(play.retry(), ["retry_requested"]);
    assert_eq!(play.ask(Ask::Go), ["attempt_started b"]);
    assert_eq!(play.pause_agent("ada"), ["agent_awaited"], "it wants it again");
}

#[test]
fn a_person_may_pause_a_run_that_waits_for_an_agent_and_let_it_go_on() {
    let mut play = paused(A_THEN_B, "shell");
    play.pause_agent("shell");
    play.ask(Ask::Pause(order()));
    assert_eq!(play.state().status(), RunStatus::Paused);
    assert_eq!(play.free_agent("shell"), ["agent_await_ended"]);
    assert_eq!(play.pause_agent("shell"), [""; 0], "nothing of it is to start");
    play.paused.clear();
    assert_eq!(play.ask(Ask::Unpause(order())), ["run_unpaused", "attempt_started a"]);
}

/// What people are asked and what sleeps is seen beside it.
#[test]
fn a_run_that_sleeps_or_asks_people_meanwhile_is_what_it_was() {
    let sleeps = "name: w\nsteps: [{id: a, run: x, needs: []}, {id: n, sleep: 1h, needs: []}]";
    let mut play = paused(sleeps, "shell");
    play.pause_agent("shell");
    assert_eq!(play.state().status(), RunStatus::Running);
    assert!(matches!(play.state().attention().own, Own::At(_)));
    play.sleep(Duration::from_secs(3_600));
    assert_eq!(play.state().status(), RunStatus::Waiting);

    let asks = "name: w\nsteps: [{id: a, run: x, needs: []}, {id: p, run: y, approve: before, needs: []}, {id: s, wait_for: go, needs: []}]";
    let mut play = paused(asks, "shell");
    play.pause_agent("shell");
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert_eq!(play.ask(approve("p", "ada")), ["approval_granted"]);
    assert_eq!(play.ask(signal("go", "1")), ["signal_received", "step_completed s"]);
    assert_eq!(play.state().status(), RunStatus::Waiting, "`p` could start, and waits as well");
    play.free_agent("shell");
    assert_eq!(play.ask(Ask::Go), ["attempt_started a", "attempt_started p"]);
}

#[test]
fn the_time_of_a_run_stands_still_while_it_waits_for_an_agent() {
    let mut play = Play::start_limited(A_THEN_B, Duration::from_secs(10));
    play.sleep(Duration::from_secs(4));
    play.paused.insert(AgentName::new("shell"));
    play.complete("a", "1");
    play.pause_agent("shell");
    assert_eq!(play.sleep(Duration::from_secs(3_600)), [""; 0]);
    play.free_agent("shell");
    play.ask(Ask::Go);
    assert_eq!(play.sleep(Duration::from_secs(5)), [""; 0]);
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired"]);
}

#[test]
fn who_does_not_drive_the_run_does_not_know_what_could_start() {
    let mut play = paused(A_THEN_B, "shell");
    play.driven_since = None;
    assert_eq!(play.pause_agent("shell"), [""; 0]);
}

#[test]
fn to_wait_for_an_agent_twice_or_for_one_that_nothing_wants_cannot_follow() {
    let play = paused(A_THEN_B, "shell");
    let before = || given::<Run>("run/r").events(play.log.clone());
    let awaited = |agent: &str| RunEvent::from(AgentAwaited { agent: AgentName::new(agent) });
    let ended = RunEvent::from(AgentAwaitEnded { agent: AgentName::new("shell") });
    assert!(before().fold(&awaited("shell")).is_ok());
    assert!(before().fold(&awaited("ada")).is_err());
    assert!(before().events([awaited("shell")]).fold(&awaited("shell")).is_err());
    assert!(before().fold(&ended).is_err());
    assert!(before().events([awaited("shell")]).fold(&ended).is_ok());
}
