//! Recovery is bounded: who drives all runs loads those that are due, a few at a time, and puts them away when they
//! sleep.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use reenact::actors::clock::ManualClock;
use reenact::actors::hosting::attentions::{AttentionRows, Kind};
use reenact::actors::hosting::load::load;
use reenact::actors::system::System;
use reenact::aggregates::run::{self, Ask, Order, Run, RunStatus, StartRun};
use reenact::events::ids::{RunId, StreamId, Version};
use reenact::events::json::Json;
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::events::time::Timestamp;
use reenact::kernel::Deadline;
use reenact::kernel::projection::Projection;
use reenact::kernel::standing::{KindFold, Standing};
use reenact::store::memory::MemoryStore;
use reenact::store::{EventStore, ViewChange, ViewRow};
use reenact::views::projections::runs::{RunFilter, RunRow, RunRows};
use reenact::views::projector::Projector;
use reenact::views::standings::Standings;

use super::kit::{Kit, id, on_actix, start_of, status};

fn order() -> Order {
    Order { by: "ada".into(), reason: None }
}

fn approve(request: &str) -> Ask {
    Ask::Approve { request: request.to_owned(), by: "ada".into(), note: None, edits: None, hash: None }
}

/// Runs that were begun and that nobody drives.
async fn record(system: &System, count: usize, start: &StartRun) -> Vec<RunId> {
    let runs: Vec<_> = (0..count).map(|number| id(&format!("r{number}"))).collect();
    for run in &runs {
        system.begin(run, StartRun { drive: false, ..start.clone() }).await.unwrap();
    }
    runs
}

/// The same store in the hands of another process, at the same time of day.
pub(super) fn restart(kit: &Kit) -> Kit {
    let hand = ManualClock::at(kit.clock.now().wall);
    let fresh = Kit { hand: hand.clone(), clock: Arc::new(hand), ..Kit::new() };
    Kit { store: Arc::clone(&kit.store), functions: kit.functions.clone(), slots: kit.slots, ..fresh }
}

#[test]
fn runs_that_wait_for_a_slot_are_loaded_a_few_at_a_time_and_all_complete() {
    on_actix(async {
        let kit = Kit { slots: 4, ..Kit::new() };
        let gate = kit.gated("slow");
        let system = kit.start();
        let runs = record(&system, 1_000, &start_of("[{id: a, agent: slow}, {id: b, agent: slow}]")).await;
        // Recording them loaded them; a process that starts has none of them.
        let kit = restart(&kit);
        let system = kit.start();
        let mut rested = system.drive_all();
        let (mut most, mut ended) = (0, 0);
        gate.called(4).await;
        while ended < runs.len() {
            gate.open(4);
            tokio::task::yield_now().await;
            most = most.max(system.in_memory());
            while let Ok(told) = rested.try_recv() {
                assert_eq!(told.unwrap().how.unwrap(), RunStatus::Completed.text());
                ended += 1;
            }
        }
        assert!(most <= 256 + 4 + 64, "{most} runs were in memory");
        assert_eq!((gate.most(), gate.calls()), (4, 2 * runs.len()));
        assert!(rested.recv().await.is_none(), "nothing is left to drive");
    });
}

#[test]
fn runs_that_sleep_stay_on_disk_until_their_timer_is_due_and_then_go_on() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        gate.open(1_000);
        let system = kit.start();
        for number in 0..300 {
            let sleep = if number % 3 == 0 { "1h" } else { "3d" };
            let steps = format!("[{{id: a, sleep: {sleep}}}, {{id: b, agent: work}}]");
            system.begin(&id(&format!("r{number}")), start_of(&steps)).await.unwrap();
        }
        let kit = restart(&kit);
        let system = kit.start();
        let mut rested = system.drive_all();
        // Whatever it does at the start is done when it has looked at one that is asked.
        let probe = id("probe");
        system.begin(&probe, StartRun { drive: false, ..start_of("[{id: b, agent: work}]") }).await.unwrap();
        assert_eq!(rested.recv().await.unwrap().unwrap().stream.run().unwrap(), probe);
        assert!(system.in_memory() <= 1, "who sleeps is on disk, and the probe about to go");
        kit.hand.advance(Duration::from_secs(3_600));
        for _ in 0..100 {
            assert_eq!(rested.recv().await.unwrap().unwrap().how.unwrap(), RunStatus::Completed.text());
        }
        assert_eq!(gate.calls(), 101);
        assert!(rested.try_recv().is_err());
        kit.hand.advance(Duration::from_secs(3 * 86_400));
        for _ in 0..200 {
            assert_eq!(rested.recv().await.unwrap().unwrap().how.unwrap(), RunStatus::Completed.text());
        }
        assert!(rested.recv().await.is_none(), "it ends when none sleeps any more");
    });
}

/// A run was driven with all others when a client asked for it, too. It rested, the client left, and it was still in memory
/// when somebody granted what it asked: nobody let it go on before it was put away, half a minute later.
#[test]
fn a_run_that_somebody_saw_through_goes_on_as_soon_as_it_is_answered() {
    on_actix(async {
        let kit = Kit::new();
        let (first, second) = (kit.gated("first"), kit.gated("second"));
        let system = kit.start();
        let steps = "[{id: a, agent: first}, {id: b, agent: second, approve: before}, {id: c, sleep: 1h}]";
        let run = record(&system, 1, &start_of(steps)).await.remove(0);
        // Without one that sleeps, who drives them all ends when this one rests.
        let sleeps = StartRun { drive: false, ..start_of("[{id: a, sleep: 3d}]") };
        system.begin(&id("sleeper"), sleeps).await.unwrap();
        let _rested = system.drive_all();
        first.called(1).await;
        system.drive(&run).await;
        first.open(1);
        assert_eq!(system.ended(&run).await.unwrap().status, RunStatus::Waiting.text());
        system.ask(&run, approve("b")).await.unwrap();
        second.called(1).await;
    });
}

/// A run that sleeps again and again leaves no timer behind, and is told of once.
#[test]
fn a_run_that_sleeps_between_its_steps_is_put_away_each_time() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        gate.open(10);
        let system = kit.start();
        let steps = "[{id: a, agent: work}, {id: b, sleep: 1h}, {id: c, agent: work}, {id: d, sleep: 2h}]";
        let run = record(&system, 1, &start_of(steps)).await.remove(0);
        let system = restart(&kit);
        let (kit, system) = (&system, system.start());
        let mut rested = system.drive_all();
        for (timers, hours) in [(1, 1), (2, 2)] {
            let set = |event: &RunEvent| matches!(event, RunEvent::TimerSet(_));
            while kit.count(&run, set).await < timers || system.in_memory() > 0 {
                tokio::task::yield_now().await;
            }
            assert!(!system.is_driven(&run) && system.drives_all());
            kit.hand.advance(Duration::from_secs(hours * 3_600));
        }
        assert_eq!(rested.recv().await.unwrap().unwrap().how.unwrap(), RunStatus::Completed.text());
        assert!(rested.recv().await.is_none());
        assert_eq!(gate.calls(), 2);
    });
}

#[test]
fn a_paused_run_is_left_alone_until_somebody_lets_it_go_on() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        gate.open(10);
        let system = kit.start();
        let runs = record(&system, 3, &start_of("[{id: a, agent: work}]")).await;
        let sleeper = id("sleeper");
        system.begin(&sleeper, StartRun { drive: false, ..start_of("[{id: a, sleep: 1h}]") }).await.unwrap();
        for run in &runs {
            system.ask(run, Ask::Pause(order())).await.unwrap();
        }
        let kit = restart(&kit);
        let system = kit.start();
        let mut rested = system.drive_all();
        kit.until(&sleeper, |event| matches!(event, RunEvent::TimerSet(_))).await;
        system.ask(&runs[1], Ask::Unpause(order())).await.unwrap();
        let told = rested.recv().await.unwrap().unwrap();
        assert_eq!(
            (told.stream.run().unwrap(), told.how.unwrap()),
            (runs[1].clone(), RunStatus::Completed.text())
        );
        kit.hand.advance(Duration::from_secs(3_600));
        assert_eq!(rested.recv().await.unwrap().unwrap().stream.run().unwrap(), sleeper);
        assert!(rested.recv().await.is_none(), "those that are paused keep nobody");
        assert_eq!(gate.calls(), 1);
    });
}

/// Runs that wait for an approval, and one that sleeps and so keeps the process that drives them all.
async fn waiting(kit: &Kit, count: usize, gate: &str) -> Vec<RunId> {
    let system = kit.start();
    let runs: Vec<_> = (0..count).map(|number| id(&format!("r{number}"))).collect();
    for run in &runs {
        system.begin(run, start_of(gate)).await.unwrap();
        assert_eq!(status(system.ended(run).await), RunStatus::Waiting);
    }
    system.begin(&id("sleeper"), start_of("[{id: a, sleep: 1d}]")).await.unwrap();
    kit.until(&id("sleeper"), |event| matches!(event, RunEvent::TimerSet(_))).await;
    runs
}

#[test]
fn a_run_that_waits_for_an_approval_is_loaded_when_it_is_given_and_no_other_is() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        let runs = waiting(&kit, 100, "[{id: a, agent: work, approve: before}]").await;
        let kit = restart(&kit);
        let system = kit.start();
        let mut rested = system.drive_all();
        system.ask(&runs[42], approve("a")).await.unwrap();
        gate.called(1).await;
        assert_eq!(system.in_memory(), 1, "who waits is on disk");
        gate.open(1);
        let told = rested.recv().await.unwrap().unwrap();
        assert_eq!(
            (told.stream.run().unwrap(), told.how.unwrap()),
            (runs[42].clone(), RunStatus::Completed.text())
        );
        kit.hand.advance(Duration::from_secs(86_400));
        assert_eq!(rested.recv().await.unwrap().unwrap().stream.run().unwrap(), id("sleeper"));
        assert!(rested.recv().await.is_none(), "those that wait keep nobody");
    });
}

#[test]
fn an_approval_that_was_recorded_when_the_process_died_lets_its_step_start_in_the_next_once() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("work");
        gate.open(10);
        let runs = waiting(&kit, 3, "[{id: a, agent: work, approve: before}]").await;
        // Nobody drives it here, and then that process is gone.
        let system = restart(&kit).start();
        system.ask(&runs[1], approve("a")).await.unwrap();
        std::mem::forget(system);
        let system = restart(&kit).start();
        let mut rested = system.drive_all();
        let told = rested.recv().await.unwrap().unwrap();
        assert_eq!(
            (told.stream.run().unwrap(), told.how.unwrap()),
            (runs[1].clone(), RunStatus::Completed.text())
        );
        assert_eq!(gate.calls(), 1);
    });
}

#[test]
fn a_request_that_nobody_answers_in_time_expires_while_all_runs_are_driven() {
    on_actix(async {
        let kit = Kit::new();
        kit.gated("work");
        let runs = waiting(&kit, 3, "[{id: a, agent: work, approve: before, expires: 1h}]").await;
        let kit = restart(&kit);
        let system = kit.start();
        let mut rested = system.drive_all();
        system.ask(&runs[0], Ask::Pause(order())).await.unwrap();
        assert_eq!(rested.recv().await.unwrap().unwrap().how.unwrap(), RunStatus::Paused.text());
        assert!(system.in_memory() <= 1, "who waits is on disk");
        kit.hand.advance(Duration::from_secs(3_600));
        for _ in 1..3 {
            let told = rested.recv().await.unwrap().unwrap();
            assert_eq!(told.how.unwrap(), RunStatus::Failed.text(), "{}", told.stream);
        }
        assert_eq!(system.fold(&runs[0]).await.unwrap().0.status(), RunStatus::Paused);
    });
}

/// A client that saw a run through by name must not lose it to who drives them all.
#[test]
fn a_run_that_somebody_drives_by_name_stays_in_memory_and_is_driven() {
    on_actix(async {
        let kit = Kit::new();
        let system = kit.start();
        let run = record(&system, 1, &start_of("[{id: a, sleep: 1h}]")).await.remove(0);
        let mut rested = system.drive_all();
        system.drive(&run).await;
        kit.until(&run, |event| matches!(event, RunEvent::TimerSet(_))).await;
        assert!(system.is_driven(&run));
        kit.hand.advance(Duration::from_secs(3_600));
        assert_eq!(system.ended(&run).await.unwrap().status, RunStatus::Completed.text());
        while rested.recv().await.is_some() {}
    });
}

/// When a run is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Now,
    At(Timestamp),
}

/// The rows of the list, and who is due when, as the folds of all runs say.
async fn oracle(system: &System, runs: &[RunId]) -> (Vec<(RunId, RunStatus)>, Vec<(RunId, Next)>) {
    let (mut rows, mut due) = (Vec::new(), Vec::new());
    for run in runs {
        let (state, head) = system.fold(run).await.unwrap();
        if head.version.0 > 0 {
            rows.push((run.clone(), state.status()));
            due.extend(next_of(&state).into_iter().map(|next| (run.clone(), next)));
        }
    }
    (rows, due)
}

/// What `resume --all` is documented to look at, said in other words than the engine does: what comes by itself, and then what
/// people are to say in time.
fn next_of(run: &Run) -> Vec<Next> {
    let timers = run.open_timers();
    let deadlines = timers.iter().filter_map(|wake| match wake {
        reenact::aggregates::run::RunEffect::Wake { at, .. } => Some(*at),
        _ => None,
    });
    let (own, people): (Vec<_>, Vec<_>) = deadlines.partition(|at| matches!(at, Deadline::Steady(_)));
    let firsts = [own, people].map(|all| all.into_iter().map(Deadline::at).min().map(Next::At));
    match run.status() {
        RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Compensated
        | RunStatus::Cancelled
        | RunStatus::Stuck => Vec::new(),
        _ if run.wants_driving() => vec![Next::Now],
        RunStatus::Paused => Vec::new(),
        _ => firsts.into_iter().flatten().collect(),
    }
}

async fn listed(system: &System) -> (Vec<(RunId, RunStatus)>, Vec<(RunId, Next)>) {
    let rows = system.runs().list(&RunFilter::default()).await.unwrap();
    let mut rows: Vec<_> = rows.into_iter().map(|RunRow { run, status, .. }| (run, status)).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut due = Vec::new();
    for kind in [Kind::Own, Kind::Expiry] {
        for one in system.attentions().due(kind, None, usize::MAX).await.unwrap() {
            let next = if one.at.0 == 0 { Next::Now } else { Next::At(one.at) };
            due.push((one.stream.run().unwrap(), next));
        }
    }
    due.sort_by(|a, b| a.0.cmp(&b.0));
    (rows, due)
}

const WORKFLOWS: [&str; 8] = [
    "[{id: a, agent: work, approve: before, expires: 30s}, {id: b, agent: work}]",
    "[{id: a, wait_for: go, timeout: 20s}, {id: b, sleep: 5s, needs: []}]",
    "[{id: a, agent: work, repeat: {until: round >= 2, max: 3}}, {id: b, agent: work, approve: after}]",
    "[{id: a, agent: work}, {id: b, sleep: 10s}, {id: c, agent: work}]",
    "[{id: a, sleep: 5s}, {id: b, agent: fail, retry: {attempts: 3, initial: 10s}}]",
    "[{id: a, for_each: [1, 2, 3], sleep: 20s}, {id: b, agent: work, needs: []}]",
    "[{id: a, agent: work, compensate: {agent: work}}, {id: b, agent: fail}]",
    "[{id: a, agent: work, compensate: {agent: fail, retry: {attempts: 1}}}, {id: b, agent: fail}]",
];

/// What may happen to one of a few runs.
#[derive(Debug, Clone)]
enum Deed {
    Begin { drive: bool, workflow: usize },
    Ask(usize),
    Pass(u64),
    List,
    Restart { deleted: bool },
}

fn deeds() -> impl Strategy<Value = Vec<(usize, Deed)>> {
    let deed = prop_oneof![
        3 => (any::<bool>(), 0..WORKFLOWS.len()).prop_map(|(drive, workflow)| Deed::Begin { drive, workflow }),
        4 => (0..8usize).prop_map(Deed::Ask),
        2 => (1..15u64).prop_map(Deed::Pass),
        1 => Just(Deed::List),
        1 => any::<bool>().prop_map(|deleted| Deed::Restart { deleted }),
    ];
    prop::collection::vec((0..6usize, deed), 1..25)
}

fn ask(number: usize) -> Ask {
    match number {
        0 => Ask::Pause(order()),
        1 => Ask::Unpause(order()),
        2 => Ask::Cancel { order: order(), rollback: false },
        3 => Ask::Retry { order: order(), step: None },
        4 => Ask::Rollback { order: order(), to: None },
        5 => approve("a"),
        6 => Ask::Reject { request: "b".into(), by: "ada".into(), reason: "no".into() },
        _ => Ask::Signal { name: "go".into(), data: Json::null(), by: "ada".into() },
    }
}

/// Removes all rows, as a version would that keeps others.
async fn delete_rows(store: &dyn EventStore, view: &'static str) {
    let rows = store.view_rows(view, None, usize::MAX).await.unwrap();
    let rows = rows.into_iter().map(|row| ViewChange { key: row.key, bytes: None }).collect();
    store.save_view(view, reenact::events::ids::Position(0), rows).await.unwrap();
}

/// The read models that are kept up together.
const VIEWS: [&str; 2] = ["runs", "attentions"];

async fn all_rows(store: &dyn EventStore) -> Vec<ViewRow> {
    let mut rows = Vec::new();
    for view in VIEWS {
        rows.extend(store.view_rows(view, None, usize::MAX).await.unwrap());
    }
    rows
}

/// Tells where runs are by their folds alone.
struct Folds(Arc<dyn EventStore>);

#[async_trait]
impl Standings for Folds {
    fn kind(&self, kind: &str) -> Option<&KindFold> {
        (kind == "run").then_some(&run::FOLD)
    }

    async fn standing(&self, stream: &StreamId, _at_least: Version) -> Result<Standing, Problem> {
        let (state, head) = load::<Run>(&*self.0, stream).await?;
        Ok(Standing::of(&state, head.version))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_list_says_of_every_run_what_its_own_fold_says(deeds in deeds()) {
        on_actix(async {
            let store = MemoryStore::new();
            let kit = Kit { store: Arc::new(store.reopen()), ..Kit::new() };
            kit.functions.register("work", |_: reenact::executors::function::FunctionCall| async { Ok::<_, reenact::executors::Failure>(1) });
            kit.functions.register("fail", |_: reenact::executors::function::FunctionCall| async {
                Err::<(), _>(reenact::executors::Failure::new(reenact::events::problem::Code::FunctionFailed, "no"))
            });
            let (mut kit, runs) = (kit, (0..6).map(|number| id(&format!("r{number}"))).collect::<Vec<_>>());
            let mut system = kit.start();
            for (run, deed) in deeds {
                match deed {
                    Deed::Begin { drive, workflow } => {
                        let _ = system.begin(&runs[run], StartRun { drive, ..start_of(WORKFLOWS[workflow]) }).await;
                    }
                    // Most are refused, which is no matter here.
                    Deed::Ask(number) => drop(system.ask(&runs[run], ask(number)).await),
                    Deed::Pass(seconds) => kit.hand.advance(Duration::from_secs(seconds)),
                    Deed::List => system.runs().catch_up().await.unwrap(),
                    Deed::Restart { deleted } => {
                        system.shut_down(std::future::ready(())).await.unwrap();
                        kit = Kit { store: Arc::new(store.reopen()), ..restart(&kit) };
                        if deleted {
                            delete_rows(&*kit.store, "runs").await;
                        }
                        system = kit.start();
                    }
                }
            }
            system.shut_down(std::future::ready(())).await.unwrap();
            let kit = Kit { store: Arc::new(store.reopen()), ..restart(&kit) };
            let system = kit.start();
            let (folded, seen) = (oracle(&system, &runs).await, listed(&system).await);
            assert_eq!(seen, folded);
            let kept = all_rows(&*kit.store).await;
            for view in VIEWS {
                delete_rows(&*kit.store, view).await;
                assert_eq!(listed(&system).await, folded, "{view} made anew is the same");
            }
            for events in [1, 2, 7] {
                for view in VIEWS {
                    delete_rows(&*kit.store, view).await;
                }
                let both: Vec<Box<dyn Projection>> = vec![Box::new(RunRows), Box::new(AttentionRows)];
                let projector = Projector::new(Arc::clone(&kit.store), Arc::new(Folds(Arc::clone(&kit.store))), both);
                projector.with_pages_of(events).catch_up().await.unwrap();
                assert_eq!(all_rows(&*kit.store).await, kept, "so it is in pages of {events}");
            }
        });
    }
}
