//! Programs that use the crate are told of events as they are recorded.

use futures_util::{FutureExt, StreamExt};
use reenact::actors::subscribe::EventFilter;
use reenact::events::commit::Recorded;
use reenact::events::ids::{Position, RunId};
use reenact::events::problem::Problem;

use super::kit::{Kit, id, on_actix, start_of};

const WORK: &str = "[{id: a, agent: work}]";

fn kinds(recorded: &[Recorded]) -> Vec<&str> {
    recorded.iter().map(|recorded| &*recorded.event.kind).collect()
}

fn run_of(recorded: Option<Result<Recorded, Problem>>) -> RunId {
    recorded.unwrap().unwrap().header.stream.run().unwrap()
}

#[test]
fn a_subscriber_sees_what_is_recorded_and_then_what_comes_in_order_and_once() {
    on_actix(async {
        let kit = Kit::new();
        kit.gated("work").open(100);
        let system = kit.start();
        for number in 0..3 {
            let run = id(&format!("r{number}"));
            system.begin(&run, start_of(WORK)).await.unwrap();
            system.ended(&run).await.unwrap();
        }
        let mut all = system.subscribe(EventFilter::default());
        let mut seen = Vec::new();
        while seen.len() < 15 {
            seen.push(all.next().await.unwrap().unwrap());
        }
        assert!(all.next().now_or_never().is_none(), "nothing more is recorded");
        system.begin(&id("late"), start_of(WORK)).await.unwrap();
        seen.push(all.next().await.unwrap().unwrap());
        let of_one = ["run_started", "step_added", "attempt_started", "step_completed", "run_completed"];
        assert_eq!(kinds(&seen[..5]), of_one);
        system.ended(&id("late")).await.unwrap();
        system.shut_down(std::future::pending()).await.unwrap();
        let rest: Vec<_> = all.map(|recorded| recorded.unwrap()).collect().await;
        seen.extend(rest);
        // The last is what was recorded before the store was closed.
        assert!(seen.iter().map(|recorded| recorded.position.0).eq(1..=20), "{:?}", kinds(&seen));
    });
}

#[test]
fn a_filter_admits_types_runs_and_what_comes_after_a_position() {
    on_actix(async {
        let kit = Kit::new();
        kit.gated("work").open(100);
        let system = kit.start();
        let ends =
            |after| EventFilter { types: vec!["run_completed".into()], after, ..EventFilter::default() };
        let mut before = system.subscribe(ends(Position(0)));
        for number in 0..4 {
            let run = id(&format!("r{number}"));
            system.begin(&run, start_of(WORK)).await.unwrap();
            system.ended(&run).await.unwrap();
        }
        let middle = *kit.store.committed().borrow();
        let mut of_run = system.subscribe(EventFilter { run: Some(id("r2")), ..EventFilter::default() });
        let mut after = system.subscribe(ends(middle));
        system.begin(&id("final"), start_of(WORK)).await.unwrap();
        for number in 0..4 {
            assert_eq!(run_of(before.next().await), id(&format!("r{number}")));
        }
        assert_eq!(run_of(after.next().await), id("final"));
        for _ in 0..5 {
            assert_eq!(run_of(of_run.next().await), id("r2"));
        }
        assert!(of_run.next().now_or_never().is_none());
        system.shut_down(std::future::pending()).await.unwrap();
        assert!(of_run.next().await.is_none(), "it ends with the engine");
    });
}

/// Ten thousand events wait in the store, not in memory, and none is left out.
#[test]
fn who_reads_slowly_holds_up_nobody_and_misses_nothing() {
    on_actix(async {
        let kit = Kit::new();
        kit.gated("work").open(10_000);
        let system = kit.start();
        let mut slow = system.subscribe(EventFilter::default());
        let first = slow.next();
        let items: Vec<_> = (0..3_000).map(|item| item.to_string()).collect();
        let steps = format!("[{{id: a, for_each: [{}], agent: work}}]", items.join(", "));
        system.begin(&id("wide"), start_of(&steps)).await.unwrap();
        assert_eq!(run_of(first.await), id("wide"));
        system.ended(&id("wide")).await.unwrap();
        let end = kit.store.committed().borrow().0;
        assert!(end > 9_000);
        for position in 2..=end {
            assert_eq!(slow.next().await.unwrap().unwrap().position, Position(position));
        }
    });
}
