//! What is recorded of each decision of the engine: on what it was made, and what of another stream it is part of.

use reenact::aggregates::run::child::child_id;
use reenact::aggregates::run::{Run, RunStatus, StartChild, StartRun};
use reenact::events::codec::Encoded;
use reenact::events::commit::Recorded;
use reenact::events::ids::{RunId, StepId, StreamId, Version};
use reenact::events::json::Blob;
use reenact::events::run::RunEvent;
use reenact::events::time::Timestamp;
use reenact::kernel::redecide::{Past, redecide};
use reenact::testing::MemoryBlobs;
use reenact::testing::simulation::child_of;
use reenact::workflow::parse::{Known, parse};

use super::children::{echo, through};
use super::kit::{Kit, id, on_actix, start_of};

/// A workflow that a step starts, as a part of what a run begins with.
fn file(name: &str, steps: &str) -> StartChild {
    let text = format!("name: {name}\nsteps: {steps}\n");
    child_of(name, &parse(&text, name, &Known::default()).unwrap().definition)
}

/// A run, its child and its child's child, seen through to their end.
async fn three_generations(kit: &Kit) -> [RunId; 3] {
    echo(kit);
    let long = "x".repeat(600);
    let child = file("child.yaml", "[{id: c, workflow: grand.yaml, with: {n: 1}}]");
    let grandchild = file("grand.yaml", &format!("[{{id: a, agent: echo, with: {{n: {long}}}}}]"));
    let start = start_of("[{id: c, workflow: child.yaml}, {id: after, agent: echo, with: 2, needs: [c]}]");
    let system = kit.start();
    let start = StartRun { children: vec![child, grandchild], ..start };
    assert_eq!(through(&system, start).await, RunStatus::Completed);
    let child = child_id(&id("p"), &StepId::grown("c"), 1, None);
    let grandchild = child_id(&child, &StepId::grown("c"), 1, None);
    [id("p"), child, grandchild]
}

/// The events of a run, decision by decision.
async fn decisions(kit: &Kit, run: &RunId) -> Vec<Vec<Recorded>> {
    let events: Vec<_> = kit.events(run).await.into_iter().map(|(recorded, _)| recorded).collect();
    let of = |event: &Recorded| (event.header.first, event.event.decision);
    events.chunk_by(|one, other| of(one) == of(other)).map(<[Recorded]>::to_vec).collect()
}

#[test]
fn what_a_step_starts_is_about_the_root_run_and_part_of_the_attempt_that_started_it() {
    on_actix(async {
        let kit = Kit::new();
        let [root, child, grandchild] = three_generations(&kit).await;
        for (run, parent) in [(&root, None), (&child, Some(&root)), (&grandchild, Some(&child))] {
            let decisions = decisions(&kit, run).await;
            let about = parent.map(|_| "p");
            let told = |event: &Recorded| event.header.correlation.as_deref() == about;
            assert!(decisions.iter().flatten().all(told), "{run} is about {about:?}");
            let began = decisions[0][0].decision.as_ref().unwrap();
            let cause = began.causation.as_ref().map(|cause| (cause.stream.clone(), &*cause.effect));
            assert_eq!(cause, parent.map(|parent| (StreamId::of_run(parent), "attempt/1")), "{run}");
        }
    });
}

/// What the real engine recorded, with the slots that it had: the code of today comes to the same, decision by decision.
#[test]
fn what_the_engine_decided_can_be_decided_again() {
    on_actix(async {
        let kit = Kit::new();
        for run in three_generations(&kit).await {
            let (mut state, stream) = (Run::default(), StreamId::of_run(&run));
            let decisions = decisions(&kit, &run).await;
            assert!(decisions.len() > 1, "{run} was decided at once");
            for decided in decisions {
                let events: Vec<RunEvent> = decided.iter().map(|event| event.decode().unwrap()).collect();
                let (first, decision) = (&decided[0], decided[0].decision.as_ref().unwrap());
                let past = Past {
                    stream: &stream,
                    version: Version(first.version.0 - 1),
                    time: first.header.recorded_at,
                    decision,
                    events: &events,
                };
                let again = redecide(&mut state, &past, &content(&kit).await).unwrap();
                let payloads = |events: &[RunEvent]| -> Vec<_> {
                    events.iter().map(|event| (event.kind(), event.encode().unwrap())).collect()
                };
                assert_eq!(payloads(&again), payloads(&events), "`{}` of {run}", decision.command.name);
            }
        }
    });
}

/// The record is what it depends on: with other slots something else would have been decided.
#[test]
fn what_is_decided_again_depends_on_what_was_recorded() {
    on_actix(async {
        let kit = Kit::new();
        let [run, ..] = three_generations(&kit).await;
        let decided = decisions(&kit, &run).await.swap_remove(0);
        let events: Vec<RunEvent> = decided.iter().map(|event| event.decode().unwrap()).collect();
        let mut decision = (**decided[0].decision.as_ref().unwrap()).clone();
        let stream = StreamId::of_run(&run);
        decision.grants = None;
        let (version, time) = (Version(0), Timestamp(1));
        let past = Past { stream: &stream, version, time, decision: &decision, events: &events };
        let again = redecide(&mut Run::default(), &past, &content(&kit).await).unwrap();
        assert!(again.len() < events.len(), "nothing starts where nothing was granted");
    });
}

/// All content of the store.
async fn content(kit: &Kit) -> MemoryBlobs {
    let (mut blobs, store) = (MemoryBlobs::default(), &kit.store);
    for reference in store.blobs(None, usize::MAX).await.unwrap() {
        blobs.keep(&Blob { reference, bytes: store.blob(&reference.hash).unwrap().unwrap() });
    }
    blobs
}
