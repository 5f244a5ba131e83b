//! Attempts that are handed out: who may take them, whose answer counts, and what comes when nobody answers.

use super::play::{Play, order};
use super::*;
use crate::aggregates::run::task::{OfTask, TaskDoes};
use crate::events::ids::{AgentName, Fence, StepId};
use crate::kernel::{Attention, Own, People};

const EVE: (&str, &str) = ("eve", r#"{"name":"eve","executor":"external"}"#);
const LENGTH: Duration = Duration::from_secs(60);

/// A run that knows an agent `eve` whose attempts are handed out.
fn play(steps: &str) -> Play {
    Play::eager_with(&format!("name: w\nsteps:\n{steps}"), &[EVE], |_| ())
}

fn fence(play: &Play, step: &str) -> Fence {
    let (_, node) = play.state().node(&StepId::grown(step)).unwrap();
    node.task.as_ref().unwrap_or_else(|| panic!("`{step}` is no task")).fence
}

fn of(fence: Fence, by: &str, does: TaskDoes) -> Ask {
    Ask::OfTask(Box::new(OfTask { fence, by: by.into(), does }))
}

fn take(play: &mut Play, step: &str, by: &str) -> Vec<String> {
    let fence = fence(play, step);
    play.ask(of(fence, by, TaskDoes::Take { length: LENGTH }))
}

fn complete(fence: Fence, lease: u32) -> Ask {
    of(fence, "ada", TaskDoes::Complete { lease, answer: Json::parse("{\"ok\":1}").unwrap() })
}

fn fail(fence: Fence, lease: u32, class: Class) -> Ask {
    of(fence, "ada", TaskDoes::Fail { lease, class, reason: "nobody knows".to_owned() })
}

const ONE: &str = "  - {id: a, agent: eve, prompt: look at it}\n  - {id: b, run: 'true'}\n";

#[test]
fn an_attempt_of_an_external_agent_is_a_task_and_its_run_waits_for_people() {
    let mut play = play(ONE);
    let names: Vec<_> = play.log.iter().map(play::word).collect();
    assert_eq!(names[3..], ["attempt_started a", "task_offered a"]);
    let RunEvent::TaskOffered(offered) = &play.log[4] else { panic!("{:?}", play.log) };
    assert_eq!((&*offered.description, offered.agent.as_str()), ("look at it", "eve"));
    assert_eq!((play.state().status(), play.status("a")), (RunStatus::Waiting, "waiting"));
    let waits = Attention { people: People::Until(None), own: Own::None, ..Attention::default() };
    assert_eq!(play.state().attention(), waits);
    assert!(play.state().needs().iter().all(|agent| agent.as_str() == "shell"), "nobody here makes it");
    assert_eq!(play.recover(), [""; 0], "it is not lost with a process");
    assert_eq!(play.ask(Ask::Interrupt), [""; 0]);
    assert_eq!(take(&mut play, "a", "ada"), ["task_taken a"]);
    assert_eq!(play.recover(), [""; 0], "nor is what somebody has");
    let fence = fence(&play, "a");
    assert_eq!(play.ask(complete(fence, 1)), ["step_completed a", "attempt_started b"]);
    assert_eq!(play.output("a").unwrap(), serde_json::json!({"ok": 1}));
}

#[test]
fn tasks_take_no_slot_and_do_not_count_as_attempts_that_run_at_once() {
    let file = "  - {id: a, agent: eve, for_each: [1, 2, 3], needs: []}\n  - {id: b, run: x, needs: []}\n  - {id: c, run: x, needs: []}\n";
    let play = Play::eager_with(&format!("name: w\nsteps:\n{file}"), &[EVE], |start| start.parallel = 1);
    assert_eq!(["a[0]", "a[1]", "a[2]"].map(|step| play.status(step)), ["waiting"; 3]);
    assert_eq!((play.status("b"), play.status("c")), ("running", "pending"));
    let slots = play.state().startable(&Ask::Go).0;
    assert!(!slots.contains_key(&AgentName::new("eve")), "{slots:?}");
    assert_eq!(play.state().status(), RunStatus::Running, "something of it runs here");
}

#[test]
fn only_who_has_a_task_answers_it_and_an_older_lease_is_refused_by_its_number() {
    let mut play = play(ONE);
    let a = fence(&play, "a");
    assert_eq!(play.refused(complete(a, 1)), Code::NoSuchTask, "nobody has taken it");
    take(&mut play, "a", "ada");
    assert_eq!(play.refused(of(a, "bob", TaskDoes::Take { length: LENGTH })), Code::TaskHeld);
    play.sleep(LENGTH - Duration::from_millis(1));
    assert_eq!(play.refused(of(a, "bob", TaskDoes::Take { length: LENGTH })), Code::TaskHeld);
    play.driven_since = None;
    play.sleep(Duration::from_millis(1));
    assert_eq!(play.refused(complete(a, 1)), Code::LeaseOver, "at that very moment it is over");
    assert_eq!(take(&mut play, "a", "bob"), ["task_lapsed a", "task_taken a"]);
    assert_eq!(play.refused(complete(a, 1)), Code::LeaseOver, "another has it");
    assert_eq!(play.refused(complete(a, 3)), Code::NoSuchTask);
    assert_eq!(play.refused(complete(Fence(9), 1)), Code::NoSuchTask);
    assert_eq!(play.ask(complete(a, 2)), ["step_completed a"], "it is recorded, and nobody drives it");
    assert_eq!(play.refused(complete(a, 2)), Code::TaskOver);
}

#[test]
fn a_heartbeat_lets_a_lease_last_and_says_how_far_it_is() {
    let mut play = play(ONE);
    take(&mut play, "a", "ada");
    let a = fence(&play, "a");
    play.sleep(LENGTH / 2);
    let beat = |percent, text: Option<&str>| {
        let text = text.map(str::to_owned);
        of(a, "ada", TaskDoes::Heartbeat { lease: 1, length: LENGTH, percent, text })
    };
    assert_eq!(play.ask(beat(Some(40), Some("reading"))), ["task_progressed a"]);
    play.sleep(LENGTH - Duration::from_millis(1));
    play.ask(beat(None, None));
    let (_, node) = play.state().node(&StepId::grown("a")).unwrap();
    let held = node.task.as_ref().unwrap().held.clone().unwrap();
    assert_eq!((held.percent, held.text.as_deref()), (Some(40), Some("reading")));
    let shorter = TaskDoes::Heartbeat { lease: 1, length: LENGTH / 2, percent: None, text: None };
    play.ask(of(a, "ada", shorter));
    let (_, node) = play.state().node(&StepId::grown("a")).unwrap();
    assert_eq!(node.task.as_ref().unwrap().held.as_ref().unwrap().until, held.until, "it is never shorter");
    assert_eq!(play.sleep(LENGTH), ["task_lapsed a"], "who drives it records that by itself");
    assert_eq!(play.refused(beat(None, None)), Code::LeaseOver);
}

#[test]
fn a_lease_ends_by_the_wall_clock_and_a_timeout_by_the_steady_one() {
    let mut play =
        play("  - {id: a, agent: eve, timeout: 10m, retry: {attempts: 2, initial: 1s, jitter: 0}}\n");
    take(&mut play, "a", "ada");
    play.wall_set_by_us = 1_000_000 * 61;
    let late = complete(fence(&play, "a"), 1);
    assert_eq!(play.refused(late), Code::LeaseOver);
    play.sleep(Duration::from_secs(1));
    assert_eq!(take(&mut play, "a", "bob"), ["task_taken a"]);
    assert_eq!(play.sleep(Duration::from_secs(598)), ["task_lapsed a"], "the timeout is never early");
    let over = play.sleep(Duration::from_secs(1));
    assert_eq!(over, ["timer_fired", "attempt_failed a", "retry_scheduled a"]);
    play.sleep(Duration::from_secs(2));
    assert_eq!(play.status("a"), "waiting", "it is handed out anew");
    let (_, node) = play.state().node(&StepId::grown("a")).unwrap();
    assert_eq!(node.task.as_ref().unwrap().leases, 0, "and nobody has it");
}

#[test]
fn a_task_that_nobody_ever_took_has_done_nothing() {
    let undo = "compensate: {run: undo, when: attempted}";
    let mut untaken = play(&format!("  - {{id: a, agent: eve, timeout: 1m, {undo}}}\n"));
    untaken.sleep(Duration::from_secs(60));
    assert_eq!(untaken.result().0, RunStatus::Failed, "there is nothing to undo");
    let mut taken = play(&format!("  - {{id: a, agent: eve, timeout: 1m, {undo}}}\n"));
    take(&mut taken, "a", "ada");
    taken.sleep(Duration::from_secs(60));
    let undone = taken.open("a");
    assert_eq!(undone.purpose, Purpose::Compensate, "nobody knows what was done");
    assert_eq!(taken.state().undoes(&undone.step).unwrap().0, Undoes::Unknown);
}

#[test]
fn what_may_be_started_once_only_is_not_handed_out_twice() {
    let mut play = play("  - {id: a, agent: eve, at_most_once: true}\n");
    take(&mut play, "a", "ada");
    play.driven_since = None;
    play.sleep(LENGTH);
    let happened = take(&mut play, "a", "bob");
    assert_eq!(happened, ["task_lapsed a", "attempt_failed a", "step_failed a", "run_failed a"]);
}

#[test]
fn a_paused_run_hands_out_nothing_and_takes_the_answers_of_what_it_has() {
    let mut play = play("  - {id: a, agent: eve, needs: []}\n  - {id: b, agent: eve, needs: []}\n");
    take(&mut play, "a", "ada");
    play.ask(Ask::Pause(order()));
    let (a, b) = (fence(&play, "a"), fence(&play, "b"));
    assert_eq!(play.refused(of(b, "bob", TaskDoes::Take { length: LENGTH })), Code::TaskNotHandedOut);
    assert_eq!(play.ask(complete(a, 1)), ["step_completed a"]);
    play.ask(Ask::Unpause(order()));
    assert_eq!(take(&mut play, "b", "bob"), ["task_taken b"]);
}

#[test]
fn a_run_that_is_cancelled_or_rolled_back_waits_for_nobody_outside() {
    let steps =
        "  - {id: a, agent: eve, needs: [], compensate: {run: undo}}\n  - {id: b, agent: eve, needs: []}\n";
    let mut play = play(steps);
    take(&mut play, "a", "ada");
    let a = fence(&play, "a");
    let happened = play.ask(Ask::Cancel { order: order(), rollback: false });
    let cancelled = ["attempt_failed a", "step_cancelled a", "attempt_failed b", "step_cancelled b"];
    assert_eq!(happened[0], "cancel_requested");
    assert_eq!(happened[1..5], cancelled);
    assert_eq!(play.result().0, RunStatus::Cancelled);
    assert_eq!(play.refused(complete(a, 1)), Code::TaskOver);

    let mut play = self::play(steps);
    take(&mut play, "a", "ada");
    let happened = play.roll_back(None);
    assert!(happened.contains(&"attempt_started undo a".to_owned()), "{happened:?}");
    assert!(!happened.iter().any(|word| word.ends_with("undo b")), "nobody had taken it: {happened:?}");
    assert_eq!(play.refused(complete(a, 1)), Code::TaskOver);
}

#[test]
fn a_step_that_fails_ends_what_others_have_not_answered() {
    let steps = "  - {id: a, agent: eve, needs: []}\n  - {id: b, run: 'false', needs: []}\n";
    let mut play = play(steps);
    take(&mut play, "a", "ada");
    play.fail("b", exit(Class::Validation));
    assert_eq!((play.status("a"), play.result().0), ("cancelled", RunStatus::Failed));
}

#[test]
fn who_may_have_begun_what_cannot_be_undone_is_awaited() {
    let steps =
        "  - {id: a, agent: eve, irreversible: true, needs: []}\n  - {id: b, run: 'false', needs: []}\n";
    let mut untaken = play(steps);
    assert!(!untaken.state().is_past_return(), "nobody has begun");
    untaken.fail("b", exit(Class::Validation));
    assert_eq!(untaken.result().0, RunStatus::Failed);

    let mut taken = play(steps);
    take(&mut taken, "a", "ada");
    assert!(taken.state().is_past_return());
    taken.fail("b", exit(Class::Validation));
    assert_eq!(taken.state().status(), RunStatus::Running, "its outcome is awaited");
    let a = fence(&taken, "a");
    assert_eq!(taken.refused(of(a, "bob", TaskDoes::Take { length: LENGTH })), Code::TaskNotHandedOut);
    let mut answered = Play { run: taken.run.clone(), log: Vec::new(), ..self::play(ONE) };
    answered.now = taken.now;
    assert_eq!(answered.ask(complete(a, 1))[0], "step_completed a");
    assert_eq!(answered.result().0, RunStatus::Stuck);
    assert_eq!(taken.sleep(LENGTH)[..2], ["task_lapsed a", "attempt_failed a"]);
    assert_eq!(taken.result().0, RunStatus::Stuck, "nobody knows what was done");
}

#[test]
fn what_people_do_is_failed_tried_again_handed_over_and_undone_as_all_else() {
    let steps =
        "  - {id: a, agent: eve, retry: {attempts: 2, initial: 1s, jitter: 0}, fallback: {agent: bob}}\n";
    let mut play = Play::eager_with(&format!("name: w\nsteps:\n{steps}"), &[EVE, ("bob", "{}")], |_| ());
    take(&mut play, "a", "ada");
    let a = fence(&play, "a");
    assert_eq!(play.ask(fail(a, 1, Class::Unknown)), ["attempt_failed a", "retry_scheduled a"]);
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired", "attempt_started a", "task_offered a"]);
    take(&mut play, "a", "ada");
    let happened = play.ask(fail(fence(&play, "a"), 1, Class::Unknown));
    assert_eq!(happened, ["attempt_failed a", "fallback_engaged a", "attempt_started a"]);
    assert_eq!(play.open("a").agent.as_str(), "bob");

    let mut play = Play::eager_with("name: w\nsteps: [{id: s, agent: eve}]", &[EVE, ("bob", "{}")], |_| ());
    take(&mut play, "s", "ada");
    let text = "done\nHANDOFF DECLARATION:\nTo: bob\nReason: r\nContext:\n- K: 1";
    let answer = Json::from(&serde_json::json!({ "text": text }));
    let happened = play.ask(of(fence(&play, "s"), "ada", TaskDoes::Complete { lease: 1, answer }));
    assert_eq!(happened[..3], ["handoff_declared s", "step_added s/handoff[1]", "step_completed s"]);

    let steps = "  - {id: a, run: x, compensate: {agent: eve, prompt: take it back}}\n  - {id: b, run: x}\n";
    let mut play = self::play(steps);
    play.complete("a", "7");
    play.fail("b", exit(Class::Validation));
    assert_eq!(play.state().status(), RunStatus::Waiting, "undoing it waits for people, too");
    take(&mut play, "a", "ada");
    assert_eq!(play.ask(complete(fence(&play, "a"), 1)), ["step_compensated a", "run_compensated"]);
}

#[test]
fn an_answer_that_is_not_what_the_step_wants_fails_the_attempt() {
    let mut play = play("  - {id: a, agent: eve, schema: {type: object, required: [x]}}\n");
    take(&mut play, "a", "ada");
    let happened = play.ask(complete(fence(&play, "a"), 1));
    assert_eq!(happened[0], "attempt_failed a");
    assert_eq!(play.result().0, RunStatus::Failed);
}

#[test]
fn a_task_holds_no_locks() {
    let file = "name: w\ncontexts: {t: things}\nsteps: [{id: a, agent: eve, locks: [t/one]}]";
    let play = Play::eager_with(file, &[EVE], |_| ());
    assert_eq!(play.result().0, RunStatus::Failed);
}

#[test]
fn time_in_which_people_have_a_task_does_not_count() {
    let mut play = Play::eager_with(&format!("name: w\nsteps:\n{ONE}"), &[EVE], |start| {
        start.duration_limit = Some(Duration::from_secs(10));
    });
    take(&mut play, "a", "ada");
    play.sleep(Duration::from_secs(50));
    play.ask(complete(fence(&play, "a"), 1));
    assert_eq!(play.sleep(Duration::from_secs(9)), [""; 0]);
    assert_eq!(play.sleep(Duration::from_secs(1))[0], "timer_fired");
}

/// Its lease went on while a context, or a conversation, took what came of it: it lapsed, and somebody else could take and do it again.
#[test]
fn a_task_that_was_answered_is_nobodys_any_more_while_others_take_what_comes_of_it() {
    let mut play = Play::eager_with(
        "name: w\ncontexts: {t: team}\nsteps:\n  - {id: a, agent: eve, prompt: look at it, timeout: 2m}\n",
        &[EVE],
        |_| (),
    );
    take(&mut play, "a", "ada");
    let task = fence(&play, "a");
    let answer = Json::parse("{\"context\": {\"t/k\": 1}}").unwrap();
    let done = of(task, "ada", TaskDoes::Complete { lease: 1, answer });
    assert_eq!(play.ask(done), ["attempt_answered a"]);
    assert_eq!(play.sleep(LENGTH * 3), [""; 0], "no lease of it ends any more");
    let take = of(task, "bob", TaskDoes::Take { length: LENGTH });
    assert_eq!(play.refused(take), Code::TaskOver);
}
