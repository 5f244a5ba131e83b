//! The core, fed by hand: each test is an order of inputs, and what must come out.

mod clocks;
mod driving;
mod left_alone;
mod repeated;
mod toy;

use std::sync::Arc;

use super::*;
use crate::events::commit::Commit;
use crate::kernel::{At, Blobs};
use crate::testing::{Hosted, MemoryBlobs};
use toy::{Ask, Counter, NOON, Task, live};

/// A core whose outputs are read as words.
struct Fed {
    core: HostCore<Counter, &'static str>,
    now: Timestamp,
    /// How far the wall clock was set, in µs.
    wall_set_by_us: i64,
    taken_back: usize,
    /// Whether this process lacks what it needs.
    lacks: bool,
    /// The commits that would be stored, in order.
    commits: Vec<Commit>,
}

impl Fed {
    fn new(driving: Driving) -> Self {
        let stream = StreamId::new(Counter::KIND, "fed");
        let core = HostCore::new(stream, driving, NOON, Now::at(NOON), Duration::from_secs(30));
        Self { core, now: NOON, wall_set_by_us: 0, taken_back: 0, lacks: false, commits: Vec::new() }
    }

    /// One that is loaded: these tasks are open.
    fn with(driving: Driving, open: &[u64]) -> Self {
        let mut fed = Self::new(driving);
        fed.outputs();
        fed.load(open);
        fed
    }

    /// What comes out when it is loaded, and these tasks are open.
    fn load(&mut self, open: &[u64]) -> Vec<String> {
        let mut fold = Fold::<Counter>::default();
        for (id, version) in open.iter().zip(1..) {
            let at = At { stream: self.core.stream(), version: Version(version), time: self.now };
            fold.state.evolve(&toy::Event::Opened(*id), &at, &mut EffectChanges::default()).unwrap();
            fold.head.version = at.version;
        }
        self.feed(Input::Loaded(Ok(Box::new(fold))))
    }

    /// One by which these tasks were opened, that drives them.
    fn driving(open: &[u64]) -> Self {
        let mut fed = Self::with(Driving::Nobody, &[]);
        fed.decide(Input::Command {
            command: Ask::Open(open.to_vec()),
            envelope: Envelope::default(),
            drives: true,
            reply: None,
        });
        fed.decide(Input::Appended);
        fed
    }

    /// What comes out after an input, and once it is known whether it may go on, without deciding what waits.
    fn feed(&mut self, input: Input<Counter, &'static str>) -> Vec<String> {
        self.core.feed(input, self.clocks());
        let mut outputs = self.outputs();
        if matches!(self.core.driving(), Driving::Asked(_)) && self.core.wants_to_decide() {
            self.borrow();
            outputs.extend(self.outputs());
        }
        outputs
    }

    /// Lets it decide once.
    fn borrow(&mut self) {
        let mut core = std::mem::replace(&mut self.core, Self::new(Driving::Nobody).core);
        core.decide(self);
        self.core = core;
    }

    /// What comes out after an input, and after deciding what waits.
    fn decide(&mut self, input: Input<Counter, &'static str>) -> Vec<String> {
        let mut outputs = self.feed(input);
        for round in 0.. {
            if !self.core.wants_to_decide() {
                break;
            }
            assert!(round < 10, "it wants to decide, and does not");
            self.borrow();
            outputs.extend(self.outputs());
        }
        outputs
    }

    fn clocks(&self) -> Now {
        Now { steady: self.now, wall: Timestamp(self.now.0 + self.wall_set_by_us) }
    }

    fn outputs(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(output) = self.core.output() {
            words.push(match &output {
                Output::Perform { effect, .. } => format!("perform {}", effect.0),
                Output::Close { effect, given_up } => {
                    format!("close {effect}{}", ["", " given up"][usize::from(*given_up)])
                }
                Output::Clear(tasks) => {
                    format!("clear {:?}", tasks.iter().map(Effect::id).collect::<Vec<_>>())
                }
                Output::Reply { to, result: Ok(version) } => format!("reply {to} {version}"),
                Output::Reply { to, result: Err(problem) } => format!("refuse {to} {:?}", problem.code),
                Output::Driven(driven) => format!("driven {driven}"),
                Output::Wake(due) => {
                    let after_noon = |at: Option<Timestamp>| at.map(|at| at.since(NOON).as_secs());
                    match (after_noon(due.steady), after_noon(due.wall)) {
                        (steady, None) => format!("wake {steady:?}"),
                        (steady, wall) => format!("wake {steady:?} wall {wall:?}"),
                    }
                }
                other => other.name().to_owned(),
            });
            if let Output::Append { commit, .. } = output {
                self.commits.push(commit);
            }
        }
        words
    }
}

impl Environment<Counter> for Fed {
    fn now(&mut self) -> Now {
        self.clocks()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(MemoryBlobs::default())
    }

    fn seed(&mut self) -> u64 {
        0
    }

    fn grant(&mut self, _: &Counter, _: &Ask, _: &[Task]) -> Option<()> {
        Some(())
    }

    fn may_drive(&mut self, _: &Counter) -> Result<(), Problem> {
        if self.lacks { Err(Problem::new(Code::AgentLacking, "it is not here")) } else { Ok(()) }
    }

    fn take_back(&mut self) {
        self.taken_back += 1;
    }
}

fn ask(command: Ask, reply: &'static str) -> Input<Counter, &'static str> {
    Input::Command { command, envelope: Envelope::default(), drives: false, reply: Some(reply) }
}

fn later(seconds: u64) -> Timestamp {
    NOON.after(Duration::from_secs(seconds))
}

fn conflict() -> Input<Counter, &'static str> {
    Input::Conflict(Problem::new(Code::Busy, "somebody else wrote to it"))
}

const DRIVE: Input<Counter, &str> = Input::Drive { residency: Residency::Pinned, since: NOON };
const PINNED: Driving = Driving::Asked(Residency::Pinned);
const UNTIL_IDLE: Driving = Driving::Asked(Residency::UntilIdle);

#[test]
fn nobody_is_answered_and_nothing_performed_before_it_is_durable() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    assert_eq!(fed.decide(ask(Ask::Open(vec![2, 4]), "ada")), ["append"]);
    assert!(fed.core.durable().is_none());
    assert_eq!(fed.feed(Input::Appended), ["perform 2", "perform 4", "show", "reply ada 2"]);
}

#[test]
fn what_is_asked_while_a_commit_is_on_its_way_waits_and_is_decided_together() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    assert_eq!(fed.decide(ask(Ask::Count(1), "ada")), ["append"]);
    assert!(fed.decide(ask(Ask::Count(2), "bob")).is_empty());
    assert!(fed.decide(ask(Ask::Done(7), "cyd")).is_empty());
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 1", "append"]);
    assert_eq!(fed.commits.last().map(Commit::last), Some(Version(3)));
    assert_eq!(fed.decide(Input::Appended), ["show", "reply bob 3", "reply cyd 3"]);
}

#[test]
fn a_refusal_changes_nothing_of_what_is_decided_beside_it() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    fed.feed(ask(Ask::End, "ada"));
    assert_eq!(fed.decide(ask(Ask::Count(1), "bob")), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 1", "refuse bob UnknownRun"]);
    assert_eq!(fed.decide(ask(Ask::Count(1), "cyd")), ["show", "refuse cyd UnknownRun"]);
}

#[test]
fn what_a_dead_process_left_running_is_ended_before_it_counts_as_lost() {
    let mut fed = Fed::new(PINNED);
    assert_eq!(fed.outputs(), ["load"]);
    assert_eq!(fed.load(&[2, 3]), ["driven true", "perform 3", "show"]);
    assert_eq!(fed.decide(Input::Saved), ["clear [2]"]);
    assert!(fed.decide(ask(Ask::Count(1), "ada")).is_empty(), "nothing is decided meanwhile");
    assert_eq!(fed.decide(Input::Cleared), ["append"]);
    assert_eq!(fed.commits.last().map(Commit::last), Some(Version(4)), "lost, and counted");
    assert_eq!(fed.decide(Input::Appended), ["close 2", "show", "reply ada 4"]);
    assert_eq!(fed.core.in_flight(), 1);
}

#[test]
fn nothing_is_lost_that_this_process_performs() {
    let mut fed = Fed::driving(&[2]);
    assert_eq!(fed.decide(DRIVE), ["show"]);
    assert_eq!(fed.decide(Input::Recover { reply: Some("ada") }), ["show", "reply ada 1"]);
    // Nor what was opened by a command before it in the same commit.
    fed.feed(ask(Ask::Open(vec![6]), "bob"));
    assert_eq!(fed.decide(Input::Recover { reply: None }), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["perform 6", "show", "reply bob 2"]);
}

#[test]
fn a_conflict_loads_again_and_takes_the_stream_over() {
    let mut fed = Fed::driving(&[2, 3]);
    assert_eq!(fed.decide(ask(Ask::Count(1), "ada")), ["append"]);
    assert_eq!(fed.decide(conflict()), ["refuse ada Busy", "load"]);
    assert!(fed.decide(ask(Ask::Count(1), "bob")).is_empty(), "nothing is decided on a state that is stale");
    // It goes on driven: what this process performed is given up, and is stopped when it is recorded as lost.
    // What another stream was asked it is asked again.
    assert_eq!(fed.load(&[2, 3]), ["driven true", "perform 3", "show"]);
    assert_eq!(fed.decide(Input::Saved), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["close 2 given up", "show", "reply bob 4"]);
}

#[test]
fn what_comes_of_an_attempt_that_was_given_up_does_not_count() {
    let mut fed = Fed::driving(&[2]);
    fed.decide(Input::LetGo);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.decide(conflict());
    fed.load(&[2]);
    assert!(fed.decide(Input::Settled { effect: 2, command: Some(Ask::Done(2)) }).is_empty());
    assert_eq!(fed.decide(DRIVE), ["driven true", "show", "append"]);
    let lost = crate::events::codec::to_bytes(&toy::Event::Lost(2)).unwrap();
    assert_eq!(fed.commits.last().unwrap().events[0].payload, lost);
}

#[test]
fn a_result_that_a_conflict_swallows_is_not_awaited_for_ever_though_nobody_drives() {
    let mut fed = Fed::driving(&[2]);
    fed.decide(Input::LetGo);
    assert_eq!(fed.decide(Input::Settled { effect: 2, command: Some(Ask::Done(2)) }), ["append"]);
    assert_eq!(fed.decide(conflict()), ["load"]);
    assert_eq!(fed.load(&[2]), ["show"]);
    assert_eq!(fed.decide(DRIVE), ["driven true", "show", "append"]);
    assert_eq!(fed.decide(Input::Appended), ["close 2 given up", "driven false", "show"]);
}

#[test]
fn what_this_process_lets_go_of_is_recorded_as_lost_or_performed_again() {
    let mut fed = Fed::driving(&[2, 3]);
    assert_eq!(fed.decide(Input::Settled { effect: 3, command: None }), ["perform 3", "show"]);
    assert_eq!(fed.decide(Input::Settled { effect: 2, command: None }), ["show", "append"]);
    assert_eq!(fed.decide(Input::Appended), ["close 2", "show"]);
}

#[test]
fn what_was_parked_meanwhile_stays_parked_whatever_comes_of_what_was_on_its_way() {
    let problem = || Problem::new(Code::Internal, "it panicked");
    let begun: [fn() -> Fed; 3] = [
        || Fed::new(PINNED),
        || {
            let mut fed = Fed::with(PINNED, &[]);
            fed.decide(ask(Ask::Count(1), "ada"));
            fed
        },
        || {
            let mut fed = Fed::with(PINNED, &[2]);
            fed.decide(Input::Saved);
            fed
        },
    ];
    let answers: [fn() -> Input<Counter, &'static str>; 5] = [
        || Input::Loaded(Ok(Box::default())),
        || Input::Appended,
        conflict,
        || Input::Cleared,
        || Input::Saved,
    ];
    for (begin, answer) in begun.iter().flat_map(|begin| answers.map(|answer| (begin, answer))) {
        let mut fed = begin();
        fed.core.park(problem());
        fed.outputs();
        assert!(fed.decide(answer()).is_empty());
        assert_eq!(fed.decide(ask(Ask::Count(1), "bob")), ["refuse bob Internal"]);
    }
}

#[test]
fn what_somebody_else_closed_meanwhile_is_stopped_at_once() {
    let mut fed = Fed::driving(&[2]);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.decide(conflict());
    assert_eq!(fed.load(&[]), ["close 2 given up", "driven true", "driven false", "show"]);
}

#[test]
fn everybody_who_waits_is_told_when_it_cannot_go_on() {
    let mut fed = Fed::with(PINNED, &[9]);
    assert_eq!(fed.decide(ask(Ask::Count(1), "ada")), ["append"]);
    assert!(fed.decide(ask(Ask::Count(1), "bob")).is_empty());
    let failed = Input::Failed(Problem::new(Code::StoreFailed, "the disk is full"));
    let told = ["refuse ada StoreFailed", "refuse bob StoreFailed", "driven false", "wake None", "parked"];
    assert_eq!(fed.decide(failed), told);
    assert_eq!(fed.decide(ask(Ask::Count(1), "cyd")), ["refuse cyd StoreFailed"]);
    assert!(fed.decide(DRIVE).is_empty());
    fed.now = later(60);
    assert_eq!(fed.decide(Input::Tick), ["passivate"]);
}

#[test]
fn a_timer_goes_off_when_its_moment_has_come_and_never_before() {
    let mut fed = Fed::new(PINNED);
    fed.outputs();
    assert_eq!(fed.load(&[9, 5]), ["driven true", "wake Some(5)", "show"]);
    fed.now = Timestamp(later(5).0 - 1);
    assert_eq!(fed.decide(Input::Tick), ["wake Some(5)"], "it is woken too early, and waits on");
    fed.now = later(5);
    assert_eq!(fed.decide(Input::Tick), ["wake Some(9)", "append"]);
    assert_eq!(fed.decide(Input::Appended), ["close 5", "show"]);
    fed.now = later(11);
    let late = ["show", "reply ada 3", "append"];
    assert!(fed.decide(ask(Ask::Done(7), "ada")).ends_with(&late.map(str::to_owned)), "late, not never");
}

/// It was forgotten: the wake-up had come, and waited behind a commit while the clock was set back.
#[test]
fn a_timer_is_waited_on_whose_clock_is_set_back_before_it_is_decided() {
    let mut fed = Fed::new(PINNED);
    fed.outputs();
    fed.load(&[5]);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.now = later(5);
    assert!(fed.feed(Input::Tick).is_empty(), "a commit is on its way");
    fed.now = later(2);
    assert!(fed.decide(Input::Appended).contains(&"wake Some(5)".to_owned()), "its moment is yet to come");
    fed.now = later(5);
    assert_eq!(fed.decide(Input::Tick), ["append"]);
}

/// A run that no one drove once it had met another owner stayed in memory for ever.
#[test]
fn what_was_given_up_is_put_away_once_it_has_reported_though_nobody_drives() {
    let mut fed = Fed::driving(&[2]);
    fed.decide(Input::LetGo);
    fed.decide(ask(Ask::Count(1), "ada"));
    fed.feed(conflict());
    fed.load(&[2]);
    fed.now = later(60);
    assert!(!fed.decide(Input::Tick).contains(&"passivate".to_owned()), "it is performed still");
    fed.decide(Input::Settled { effect: 2, command: Some(Ask::Done(2)) });
    assert!(fed.decide(Input::Tick).contains(&"passivate".to_owned()), "nobody waits for anything");
}

#[test]
fn what_is_lent_is_put_away_when_it_has_nothing_to_do_for_now() {
    let mut fed = Fed::with(UNTIL_IDLE, &[9]);
    fed.core.go_if_over(Now::at(fed.now));
    assert_eq!(fed.outputs(), ["driven false", "wake None", "passivate"]);
    // So it is when only people or others make it go on.
    let mut fed = Fed::with(UNTIL_IDLE, &[4]);
    fed.core.go_if_over(Now::at(fed.now));
    assert_eq!(fed.outputs(), ["passivate"]);
    // What is due soon is awaited, and so is what somebody named.
    for (driving, open) in [(UNTIL_IDLE, 1), (PINNED, 9)] {
        let mut fed = Fed::with(driving, &[open]);
        fed.core.go_if_over(Now::at(fed.now));
        assert!(fed.outputs().is_empty());
    }
}

#[test]
fn nothing_is_put_away_while_something_of_it_goes_on_here() {
    let mut fed = Fed::with(UNTIL_IDLE, &[3, 9]);
    fed.core.go_if_over(Now::at(fed.now));
    fed.now = later(8);
    fed.core.go_if_over(Now::at(fed.now));
    assert!(fed.outputs().is_empty(), "a task is performed");
    let mut fed = Fed::with(Driving::Nobody, &[]);
    let (command, envelope) = (Ask::Open(vec![2]), Envelope::default());
    fed.decide(Input::Command { command, envelope, drives: true, reply: None });
    fed.now = later(60);
    assert!(fed.decide(Input::Tick).is_empty(), "a commit is on its way");
    fed.decide(Input::Appended);
    for input in [Input::Tick, Input::LetGo, Input::Tick] {
        assert!(!fed.decide(input).contains(&"passivate".to_owned()), "a task is performed");
    }
    fed.decide(Input::Settled { effect: 2, command: Some(Ask::Done(2)) });
    fed.decide(Input::Appended);
    fed.now = later(120);
    assert_eq!(fed.decide(Input::Tick), ["passivate"]);
}

#[test]
fn what_is_asked_is_recorded_while_nobody_drives_it_and_goes_on_when_somebody_does() {
    let mut fed = Fed::with(Driving::Nobody, &[3, 9, 4]);
    assert!(fed.decide(Input::Tick).is_empty());
    // What it performs comes before what it is told, which may be to stop it.
    let begins = ["driven true", "perform 3", "perform 4", "wake Some(9)", "show", "show"];
    assert_eq!(fed.decide(DRIVE), begins);
    assert_eq!(fed.decide(Input::LetGo), ["driven false", "wake None", "show"]);
    // Another stream that was asked has been let go of too, or may have been.
    assert_eq!(fed.decide(DRIVE), begins);
}

#[test]
fn a_process_that_ends_lets_nothing_start_whoever_wants_it() {
    let mut fed = Fed::with(PINNED, &[9]);
    assert_eq!(fed.decide(Input::Close), ["wake None", "show"]);
    assert_eq!(fed.decide(DRIVE), ["show"]);
    assert_eq!(fed.core.driving(), Driving::Closed);
}

#[test]
fn a_snapshot_is_of_what_is_durable() {
    let mut fed = Fed::with(Driving::Nobody, &[]);
    assert_eq!(fed.decide(ask(Ask::Count(2_000), "ada")), ["append"]);
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 2000", "snapshot"]);
    fed.decide(ask(Ask::Count(2_000), "ada"));
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 4000"], "one is still being saved");
    fed.decide(Input::Saved);
    fed.decide(ask(Ask::Count(1), "ada"));
    assert_eq!(fed.decide(Input::Appended), ["show", "reply ada 4001", "snapshot"]);
}

#[test]
fn a_counter_that_is_saved_goes_on_from_there() {
    let mut host = Hosted::<Counter>::new(StreamId::new(Counter::KIND, "saved"), (), NOON);
    for _ in 0..3 {
        host.ask(Ask::Count(700), false).unwrap().unwrap().unwrap();
        host.crash();
    }
    assert!(host.take_trail().contains(&"snapshot"));
    host.ask(Ask::End, false).unwrap().unwrap().unwrap();
    assert_eq!((host.state().done, host.head().version), (2_100, Version(2_101)));
}

#[test]
fn a_process_may_die_again_wherever_it_takes_over() {
    let mut deaths = 0;
    for (nth, again, residency) in (0..40).flat_map(|nth| {
        (0..20).flat_map(move |again| {
            [Residency::Pinned, Residency::UntilIdle].map(|residency| (nth, again, residency))
        })
    }) {
        let mut host = Hosted::<Counter>::new(StreamId::new(Counter::KIND, "twice"), (), NOON);
        host.die_before(nth);
        live(&mut host, residency).unwrap();
        let first = host.is_dead();
        host.crash();
        host.die_before(again);
        host.drive(residency).unwrap();
        deaths += usize::from(first && host.is_dead());
        host.crash();
        host.drive(residency).unwrap();
        live(&mut host, residency).unwrap_or_else(|why| panic!("{nth}, {again}: {why}"));
        host.check_prefixes().unwrap();
        let Counter { done, lost, open, over } = host.state();
        assert!(done + lost == 4 && *lost < 2 && open.is_empty() && *over, "{:?}", host.history());
    }
    assert!(deaths > 100, "{deaths}");
}
