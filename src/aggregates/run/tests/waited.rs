//! How long a run has waited for somebody, as its events tell it.

use std::time::Duration;

use super::family::hear;
use super::people::{approve, signal};
use super::play::{Play, order};
use super::{A_THEN_B, exit};
use crate::aggregates::run::kin::ChildSays;
use crate::aggregates::run::{Ask, Run, RunStatus};
use crate::events::ids::Version;
use crate::events::problem::Class;
use crate::testing::given;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long it has waited by now, which its events alone say.
fn waited(play: &Play) -> Duration {
    let mut folded = given::<Run>("run/r");
    for (event, at) in play.log.iter().zip(&play.times) {
        folded = folded.at(*at).events([event.clone()]);
    }
    assert_eq!(folded.state().waited(play.now), play.state().waited(play.now));
    play.state().waited(play.now)
}

#[test]
fn a_run_that_nobody_has_to_act_for_has_not_waited() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: a, run: 'false', retry: {attempts: 2, initial: 9s, jitter: 0}}, {id: b, sleep: 1h}, {id: c, run: x}]",
    );
    play.sleep(secs(5));
    play.fail("a", exit(Class::Transient));
    play.sleep(secs(9));
    play.sleep(secs(5));
    play.complete("a", "1");
    play.sleep(secs(3600));
    play.complete("c", "1");
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Completed, secs(0)));
}

#[test]
fn time_in_which_people_are_waited_for_is_no_work_until_something_runs_again() {
    let mut play = Play::start("name: w\nsteps: [{id: a, run: x}, {id: b, run: x, approve: before}]");
    play.sleep(secs(2));
    play.complete("a", "1");
    play.sleep(secs(60));
    assert_eq!(waited(&play), secs(60), "so far");
    play.driven_since = None;
    play.slots = 0;
    play.ask(approve("b", "ada"));
    play.sleep(secs(7));
    assert_eq!(waited(&play), secs(67), "it was granted, and nobody drives it");
    play.slots = 1;
    play.driven_since = Some(play.now);
    play.ask(Ask::Go);
    play.sleep(secs(3));
    play.complete("b", "1");
    play.sleep(secs(100));
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Completed, secs(67)));
}

#[test]
fn nothing_is_waited_for_as_long_as_another_branch_works() {
    let mut play =
        Play::start("name: w\nsteps: [{id: a, run: x, needs: []}, {id: s, wait_for: go, needs: []}]");
    play.sleep(secs(30));
    assert_eq!(waited(&play), secs(0));
    play.complete("a", "1");
    play.sleep(secs(4));
    assert_eq!(waited(&play), secs(4));
    play.ask(signal("go", "1"));
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Completed, secs(4)));
}

#[test]
fn a_pause_counts_from_when_the_last_attempt_has_ended() {
    let mut play = Play::start(A_THEN_B);
    play.ask(Ask::Pause(order()));
    play.sleep(secs(8));
    play.complete("a", "1");
    play.sleep(secs(20));
    play.ask(Ask::Unpause(order()));
    play.sleep(secs(1));
    play.complete("b", "1");
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Completed, secs(20)));
}

#[test]
fn what_lies_between_an_end_and_going_on_was_waited() {
    let mut play = Play::start("name: w\non_failure: stop\nsteps: [{id: a, run: x}]");
    play.sleep(secs(1));
    play.fail("a", exit(Class::Unknown));
    play.sleep(secs(500));
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Failed, secs(0)), "it is over");
    play.retry();
    play.ask(Ask::Go);
    play.sleep(secs(2));
    play.complete("a", "1");
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Completed, secs(500)));
}

#[test]
fn a_run_waits_while_its_child_or_an_agent_does() {
    let mut play = Play::start("name: w\nsteps: [{id: c, workflow: child.yaml}, {id: z, agent: worker}]");
    play.sleep(secs(2));
    hear(&mut play, ChildSays::Rests(Version(5)));
    play.sleep(secs(30));
    hear(&mut play, ChildSays::Goes(Version(6)));
    play.sleep(secs(2));
    assert_eq!(waited(&play), secs(30));
    let mut play = Play::start("name: w\nsteps: [{id: a, run: x}, {id: z, agent: worker}]");
    play.pause_agent("worker");
    play.complete("a", "1");
    play.pause_agent("worker");
    play.sleep(secs(40));
    play.free_agent("worker");
    play.ask(Ask::Go);
    play.complete("z", "1");
    assert_eq!((play.result().0, waited(&play)), (RunStatus::Completed, secs(40)));
}
