//! What a run makes of what its children tell it, and of what its parent answers.

use std::time::Duration;

use super::people::signal;
use super::play::{Play, word};
use super::*;
use crate::aggregates::run::child::child_id;
use crate::aggregates::run::kin::{ChildSays, EndedChild, ForParent, OfChild, Says, Wants, Word};
use crate::events::ids::{RunId, Version};
use crate::events::problem::Problem;
use crate::kernel::Own;
use crate::testing::MemoryBlobs;
use crate::workflow::work::Child;

const PARENT: &str = "name: w\nsteps: [{id: c, workflow: child.yaml}, {id: z, run: 'true'}]";

fn first_child() -> RunId {
    child_id(&RunId::parse("r").unwrap(), &StepId::grown("c"), 1, None)
}

/// The child of step `c` says something.
pub(super) fn hear(play: &mut Play, says: ChildSays) -> Vec<String> {
    let run = children(play).pop().unwrap();
    play.ask(Ask::OfChild(Box::new(OfChild { run, step: StepId::grown("c"), says })))
}

/// The runs that were started for step `c`.
fn children(play: &Play) -> Vec<RunId> {
    let started = play.log.iter().filter_map(|event| match event {
        RunEvent::ChildStarted(started) => Some(started.run.clone()),
        _ => None,
    });
    started.collect()
}

pub(super) fn ended(status: RunStatus, failure: Option<(Class, &str)>) -> ChildSays {
    let seen = Child { status, version: Version(9), past_return: false, degraded: false };
    let failure = failure.map(|(class, message)| (class, message.to_owned()));
    ChildSays::Ended(Box::new(EndedChild { seen, output: Json::null(), failure }))
}

/// A child of some run.
fn begin_child(yaml: &str) -> Play {
    let parent = Parent { run: RunId::parse("up").unwrap(), step: StepId::grown("c") };
    Play::start_as(yaml, |start| start.parent = Some(parent))
}

/// What an effect says to another run.
fn said(play: &Play, effect: &RunEffect) -> Ask {
    let message = play.state().message(effect).unwrap();
    (message.write)(&MemoryBlobs::default()).unwrap().command().unwrap()
}

/// The step after it went on with nothing, and completed.
#[test]
fn a_child_that_completed_without_its_output_fails_the_step_of_its_parent_as_a_dependency() {
    let mut child =
        begin_child("name: child\nsteps: [{id: a, run: 'true'}]\noutput: '{{ steps.a.output.gone }}'");
    child.complete("a", "{}");
    assert_eq!(child.result().0, RunStatus::Completed);
    let tells = child.state().open().into_iter().find(|effect| matches!(effect, RunEffect::Tell(_)));
    let Ask::OfChild(tidings) = said(&child, &tells.unwrap()) else { panic!("it tells its parent") };
    let mut play = Play::start(PARENT);
    let words = hear(&mut play, tidings.says);
    assert_eq!(words[..3], ["child_ended c", "attempt_failed c", "step_failed c"]);
    assert_eq!(words.last().unwrap(), "attempt_started undo c", "what the child did is undone");
    let failed = play.log.iter().find_map(|event| match event {
        RunEvent::StepFailed(failed) => Some((failed.class, failed.code)),
        _ => None,
    });
    assert_eq!(failed, Some((Class::Dependency, Code::ChildFailed)));
}

/// A parent that rests is woken by nobody but its child, and the process that had recorded the child's end died before it told
/// of it.
#[test]
fn a_child_that_had_rested_tells_its_end_until_its_parent_has_heard_of_it() {
    let told = |play: &Play| {
        let tells = play.state().open().into_iter().find(|effect| matches!(effect, RunEffect::Tell(_)));
        let tells = tells.unwrap();
        let problem = |code| Run::answered(&tells, Err(Problem::new(code, "no")));
        assert!(problem(Code::RunParked).is_none());
        let is_told = |ask: &Ask| matches!(ask, Ask::ParentTold { .. });
        assert!(problem(Code::UnknownRun).as_ref().is_some_and(is_told), "nobody is there to be told");
        (play.state().message(&tells).unwrap().insists, Run::answered(&tells, Ok(Version(1))).unwrap())
    };
    let mut play = begin_child(
        "name: child\nsteps: [{id: a, run: 'true', compensate: {run: undo}}, {id: s, wait_for: go}]",
    );
    play.complete("a", "1");
    assert_eq!(play.ask(signal("go", "1"))[1..], ["step_completed s", "run_completed", "telling_began"]);
    let attention = play.state().attention();
    assert_eq!((attention.own, attention.over), (Own::Now, true));
    assert!(!attention.is_at_rest() && play.state().status() == RunStatus::Completed);
    let (insists, first) = told(&play);
    assert!(insists);
    // It goes on before that is heard, and ends once more.
    assert_eq!(play.roll_back(None)[0], "rollback_started");
    assert_eq!(play.ask(first.clone()), [""; 0]);
    assert!(!told(&play).0);
    let words = play.complete("a", "1");
    assert_eq!(words, ["step_compensated a", "run_compensated", "telling_began"]);
    let ended_at = play.state().ended_at();
    play.sleep(Duration::from_secs(60));
    assert_eq!(play.ask(first), [""; 0], "it was another end");
    let (insists, last) = told(&play);
    assert!(insists);
    assert_eq!(play.ask(last.clone()), ["parent_told"]);
    assert_eq!(play.state().attention(), Attention::OVER);
    assert_eq!((play.state().ended_at(), play.ask(last)), (ended_at, Vec::new()));
    assert!(!told(&play).0, "whoever asks is told so again, and that is all");
}

/// Its parent does not rest, and asks by itself.
#[test]
fn a_child_that_has_never_rested_records_nothing_of_whom_it_tells() {
    let mut play = begin_child("name: child\nsteps: [{id: a, run: 'true'}]");
    assert_eq!(play.complete("a", "1"), ["step_completed a", "run_completed"]);
    assert_eq!(play.state().attention(), Attention::OVER);
    let mut alone = Play::start("name: w\nsteps: [{id: s, wait_for: go}]");
    assert_eq!(alone.ask(signal("go", "1")).last().unwrap(), "run_completed");
}

#[test]
fn each_try_after_a_child_took_too_long_starts_another_run() {
    let mut play = Play::start(
        "name: w\nsteps: [{id: c, workflow: child.yaml, timeout: 10s, retry: {attempts: 3, initial: 1s}}]",
    );
    for tries in 1..=3 {
        let attempt = play.open("c");
        assert_eq!((attempt.attempt, children(&play).len()), (tries, tries as usize));
        assert_eq!(play.sleep(Duration::from_secs(11)), ["timer_fired"]);
        // It is undone before the next one begins.
        let stop = RunEffect::Stop { step: StepId::grown("c"), fence: attempt.fence };
        assert!(play.state().open().contains(&stop));
        let Ask::ForParent(asked) = said(&play, &stop) else { panic!("its child is told") };
        assert!(matches!(asked.wants, Wants::Cancelled { rollback: true }), "{:?}", asked.wants);
        let words = hear(&mut play, ended(RunStatus::Compensated, None));
        assert_eq!(words[..2], ["child_ended c", "attempt_failed c"]);
        play.sleep(Duration::from_secs(8));
    }
    let runs = children(&play);
    assert_eq!(runs[0], first_child());
    assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), 3, "{runs:?}");
    assert_eq!(play.result().0, RunStatus::Failed);
}

#[test]
fn a_child_that_may_not_pass_the_point_of_no_return_undoes_itself() {
    let yaml = "name: child\nsteps:\n  - {id: a, run: 'true', compensate: {run: undo}}\n  - {id: pay, run: 'true', irreversible: true}";
    let parent = Parent { run: RunId::parse("up").unwrap(), step: StepId::grown("c") };
    let wants = Wants::Answered { granted: false };
    let refusals = [
        Ask::ReturnRefused { reason: "it is being cancelled".to_owned() },
        Ask::ForParent(Box::new(ForParent { parent, wants })),
    ];
    for refusal in refusals {
        let mut play = begin_child(yaml);
        assert_eq!(play.complete("a", "1"), ["step_completed a", "return_asked pay"]);
        assert!(play.state().open().contains(&RunEffect::AskReturn));
        let words = play.ask(refusal.clone());
        let begins = ["return_answered", "step_cancelled pay", "cancel_requested", "rollback_started"];
        assert_eq!(words[..4], begins);
        let is_rollback =
            |event: &RunEvent| matches!(event, RunEvent::CancelRequested(cancel) if cancel.rollback);
        assert!(play.log.iter().any(is_rollback));
        assert!(!play.state().open().contains(&RunEffect::AskReturn));
        play.ask(Ask::Go);
        play.complete("a", "1");
        assert_eq!(play.result().0, RunStatus::Compensated);
        // That it is refused once more changes nothing.
        assert_eq!(play.ask(refusal), [""; 0]);
        assert!(!play.log.iter().any(|event| word(event) == "attempt_started pay"));
    }
}

/// What it was granted was over when it was stuck; its parent, which is past that point with it, could only refuse.
#[test]
fn a_child_that_is_past_the_point_of_no_return_does_not_ask_again() {
    let mut child = begin_child(
        "name: child\nsteps:\n  - {id: pay, run: 'true', irreversible: true}\n  - {id: b, run: 'true'}\n  - {id: send, run: 'true', irreversible: true}",
    );
    assert!(child.state().open().contains(&RunEffect::AskReturn));
    let parent = Parent { run: RunId::parse("up").unwrap(), step: StepId::grown("c") };
    child.ask(Ask::ForParent(Box::new(ForParent { parent, wants: Wants::Answered { granted: true } })));
    child.complete("pay", "1");
    child.fail("b", exit(Class::Fatal));
    assert_eq!(child.state().status(), RunStatus::Stuck);
    child.retry();
    child.ask(Ask::Go);
    assert_eq!(child.complete("b", "1"), ["step_completed b", "attempt_started send"]);
    child.complete("send", "1");
    assert_eq!(child.result().0, RunStatus::Completed);
}

#[test]
fn the_time_for_which_its_child_rests_does_not_count_for_a_run() {
    let mut play = Play::start_as(PARENT, |start| start.duration_limit = Some(Duration::from_secs(10)));
    assert_eq!(play.sleep(Duration::from_secs(4)), [""; 0]);
    assert_eq!(hear(&mut play, ChildSays::Rests(Version(5))), ["child_rested c"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
    assert_eq!(play.sleep(Duration::from_secs(3_600)), [""; 0]);
    assert_eq!(hear(&mut play, ChildSays::Goes(Version(6))), ["child_stirred c"]);
    assert_eq!(play.state().status(), RunStatus::Running);
    assert_eq!(play.sleep(Duration::from_secs(5)), [""; 0]);
    assert_eq!(play.sleep(Duration::from_secs(2)), ["timer_fired"]);
}

#[test]
fn what_a_child_says_is_taken_in_once_and_in_its_order() {
    let mut play = Play::start(PARENT);
    let rests = || ChildSays::Rests(Version(5));
    assert_eq!(hear(&mut play, rests()), ["child_rested c"]);
    assert_eq!(hear(&mut play, rests()), [""; 0]);
    assert_eq!(hear(&mut play, ChildSays::Goes(Version(7))), ["child_stirred c"]);
    assert_eq!(hear(&mut play, rests()), [""; 0], "it was overtaken");
    assert_eq!(hear(&mut play, ChildSays::Rests(Version(8))), ["child_rested c"]);
    assert_eq!(hear(&mut play, ChildSays::Goes(Version(7))), [""; 0], "it was overtaken");
}

#[test]
fn a_child_tells_its_parent_what_is_news_and_nothing_else() {
    let tells = |play: &Play| {
        play.state().open().into_iter().find_map(|effect| match effect {
            RunEffect::Tell(Word { says, .. }) => Some(says),
            _ => None,
        })
    };
    let mut play =
        begin_child("name: child\nsteps: [{id: a, run: 'true', approve: before}, {id: b, run: 'true'}]");
    assert_eq!(tells(&play), Some(Says::Rests));
    let request = play.state().people().open.iter().next().unwrap().to_string();
    play.ask(Ask::Approve { request, by: "ada".into(), note: None, edits: None, hash: None });
    assert_eq!(tells(&play), Some(Says::Goes));
    play.complete("a", "1");
    assert_eq!(tells(&play), Some(Says::Goes));
    play.complete("b", "1");
    assert_eq!(tells(&play), Some(Says::Ended));
}
