//! Agents in the engine: the newest limits hold over all runs, a rate is kept, and whoever waits for a paused agent is found again
//! whenever the process ends.

use std::sync::Arc;
use std::time::Duration;

use reenact::actors::system::System;
use reenact::aggregates::agent::Turn;
use reenact::aggregates::run::{Order, RunStatus, StartRun};
use reenact::events::commit::Recorded;
use reenact::events::ids::{AgentName, Position};
use reenact::events::json::Blob;
use reenact::events::problem::Problem;
use reenact::events::run::RunEvent;
use reenact::kernel::core::Envelope;
use reenact::store::fault::Fault;

use super::kit::{Kit, faulty, id, on_actix, start_of, status};

/// What begins a run whose agent `gate` is a function with that definition.
fn defined(steps: &str, keys: &str) -> StartRun {
    let text = format!(r#"{{"name":"gate","description":"","executor":"function"{keys}}}"#);
    StartRun { agents: vec![(AgentName::new("gate"), Blob::new(text.as_bytes()))], ..start_of(steps) }
}

async fn turn(system: &System, to: Turn) -> Result<(), Problem> {
    let order = Order { by: "ada".into(), reason: None };
    let (agent, envelope) = (AgentName::new("gate"), Envelope::default());
    system.live().turn(&agent, (to, true), order, &envelope).await.map(drop)
}

/// The types of what happened to agents.
async fn of_agents(kit: &Kit) -> Vec<String> {
    let all = kit.store.read_all(Position(0), usize::MAX).await.unwrap();
    let of_agents = all.iter().filter(|recorded: &&Recorded| recorded.header.stream.kind() == "agent");
    of_agents.map(|recorded| recorded.event.kind.to_string()).collect()
}

const WIDE: &str = "[{id: a, agent: gate, for_each: [1, 2, 3, 4, 5, 6, 7, 8]}]";

#[test]
fn two_runs_share_the_slots_of_an_agent() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("gate");
        let system = kit.start();
        for run in ["one", "two"] {
            system.begin(&id(run), defined("[{id: a, agent: gate}]", r#","concurrency":1"#)).await.unwrap();
        }
        gate.called(1).await;
        gate.open(2);
        for run in ["one", "two"] {
            assert_eq!(status(system.ended(&id(run)).await), RunStatus::Completed);
        }
        assert_eq!((gate.most(), gate.calls()), (1, 2));
        system.shut_down(std::future::ready(())).await.unwrap();
        assert_eq!(of_agents(&kit).await, ["agent_registered"]);
    });
}

/// The limit of the first definition held for ever.
#[test]
fn the_newest_limit_holds_for_all_definitions_of_a_name() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("gate");
        let system = kit.start();
        system.begin(&id("one"), defined(WIDE, r#","concurrency":1"#)).await.unwrap();
        gate.called(1).await;
        kit.hand.advance(Duration::from_secs(1));
        system.begin(&id("two"), defined("[{id: a, agent: gate}]", r#","concurrency":3"#)).await.unwrap();
        gate.called(3).await;
        kit.hand.advance(Duration::from_secs(1));
        // Three run; with this none of the others starts before two of them have ended.
        system.begin(&id("three"), defined("[{id: a, agent: gate}]", r#","concurrency":1"#)).await.unwrap();
        let load = || system.live().agents().dispatcher().load(&AgentName::new("Gate"));
        assert_eq!(load().in_use, 3);
        for ended in 1..=2 {
            gate.open(1);
            while load().in_use > 3 - ended {
                tokio::task::yield_now().await;
            }
            assert_eq!(gate.calls(), 3);
        }
        gate.open(20);
        for run in ["one", "two", "three"] {
            assert_eq!(status(system.ended(&id(run)).await), RunStatus::Completed);
        }
        assert_eq!((gate.most(), gate.calls()), (3, 10));
        system.shut_down(std::future::ready(())).await.unwrap();
        assert_eq!(of_agents(&kit).await, ["agent_registered"; 3]);
    });
}

#[test]
fn the_newest_limit_is_known_to_the_next_process_before_anything_starts() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("gate");
        let first = kit.start();
        first
            .begin(&id("old"), StartRun { drive: false, ..defined(WIDE, r#","concurrency":4"#) })
            .await
            .unwrap();
        kit.hand.advance(Duration::from_secs(1));
        gate.open(1);
        first.begin(&id("new"), defined("[{id: a, agent: gate}]", r#","concurrency":2"#)).await.unwrap();
        assert_eq!(status(first.ended(&id("new")).await), RunStatus::Completed);
        first.shut_down(std::future::ready(())).await.unwrap();
        let second = kit.start();
        second.drive(&id("old")).await;
        gate.called(3).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.calls(), 3, "one before, and two at once");
        gate.open(8);
        assert_eq!(status(second.ended(&id("old")).await), RunStatus::Completed);
        assert_eq!((gate.most(), gate.calls()), (2, 9));
        second.shut_down(std::future::ready(())).await.unwrap();
    });
}

#[test]
fn a_rate_is_kept_over_all_runs_and_what_exceeds_it_waits_in_order() {
    on_actix(async {
        let kit = Kit::new();
        let gate = kit.gated("gate");
        gate.open(100);
        let system = kit.start();
        for run in ["one", "two"] {
            system.begin(&id(run), defined(WIDE, r#","rate":"4/s""#)).await.unwrap();
        }
        let waiting = || system.live().agents().dispatcher().load(&AgentName::new("gate")).waiting;
        for started in [4, 5, 6] {
            gate.called(started).await;
            while waiting() < (16 - started) as u32 {
                tokio::task::yield_now().await;
            }
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(gate.calls(), started);
            kit.hand.advance(Duration::from_millis(250));
        }
        for _ in 0..10 {
            kit.hand.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        let moving = async {
            loop {
                kit.hand.advance(Duration::from_millis(250));
                tokio::task::yield_now().await;
            }
        };
        let both = async {
            for run in ["one", "two"] {
                assert_eq!(status(system.ended(&id(run)).await), RunStatus::Completed);
            }
        };
        tokio::select! {
            () = moving => {}
            () = both => {}
        }
        assert_eq!(gate.calls(), 16);
        let failed =
            |event: &RunEvent| matches!(event, RunEvent::AttemptFailed(_) | RunEvent::RetryScheduled(_));
        assert_eq!(kit.count(&id("one"), failed).await, 0);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

#[test]
fn what_waits_in_the_queue_when_its_agent_is_paused_waits_for_it() {
    on_actix(async {
        let kit = Kit { slots: 1, ..Kit::new() };
        let gate = kit.gated("gate");
        let system = kit.start();
        for run in ["one", "two"] {
            system.begin(&id(run), start_of("[{id: a, agent: gate}]")).await.unwrap();
        }
        gate.called(1).await;
        turn(&system, Turn::Pause).await.unwrap();
        gate.open(2);
        assert_eq!(status(system.ended(&id("one")).await), RunStatus::Completed, "what runs goes on");
        assert_eq!(status(system.ended(&id("two")).await), RunStatus::Waiting);
        turn(&system, Turn::Unpause).await.unwrap();
        system.drive(&id("two")).await;
        assert_eq!(status(system.ended(&id("two")).await), RunStatus::Completed);
        assert_eq!(gate.calls(), 2);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// An engine that was killed, and whose agent was paused before the next one began, made the attempt again at once: who drives
/// all that is due had not asked yet which agents are paused.
#[test]
fn what_was_interrupted_waits_for_an_agent_that_was_paused_meanwhile() {
    for _ in 0..10 {
        on_actix(async {
            let kit = Kit::new();
            let gate = kit.gated("gate");
            let first = kit.start();
            first.begin(&id("r"), start_of("[{id: a, agent: gate}]")).await.unwrap();
            gate.called(1).await;
            first.abandon().await;
            let second = kit.start();
            turn(&second, Turn::Pause).await.unwrap();
            second.abandon().await;
            let third = kit.start();
            third.keep_driving();
            kit.until(&id("r"), |event| matches!(event, RunEvent::AgentAwaited(_))).await;
            assert_eq!(kit.count(&id("r"), |event| matches!(event, RunEvent::AttemptStarted(_))).await, 1);
            gate.open(2);
            turn(&third, Turn::Unpause).await.unwrap();
            kit.until(&id("r"), |event| matches!(event, RunEvent::RunCompleted(_))).await;
            third.shut_down(std::future::ready(())).await.unwrap();
        });
    }
}

/// An agent is paused while a run wants it, and takes work again: whichever commit is the last before the process is gone.
#[test]
fn who_waits_for_an_agent_goes_on_once_whenever_the_process_ends() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while waits_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 7, "it ended {nth} times only");
    }
}

/// Whether there was such a commit.
fn waits_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let (gate, other) = (kit.gated("gate"), kit.gated("other"));
        gate.open(1_000);
        other.open(1_000);
        let first = kit.start();
        store.fail_append(nth, fault);
        reached = life(&first).await.is_err();
        drop(first.shut_down(std::future::ready(())).await);
        store.mend();
        let second = kit.start();
        life(&second).await.unwrap();
        second.shut_down(std::future::ready(())).await.unwrap();
        let done = |event: &RunEvent| matches!(event, RunEvent::StepCompleted(_));
        assert_eq!(kit.count(&id("r"), done).await, 2, "{nth} {fault:?}");
    });
    reached
}

/// Lets a run wait for a paused agent, and go on when that takes work, unless it has.
async fn life(system: &System) -> Result<(), Problem> {
    let ended = async || system.fold(&id("r")).await.map(|(run, _)| run.status());
    if ended().await? == RunStatus::Completed {
        return Ok(());
    }
    turn(system, Turn::Pause).await?;
    system.begin(&id("r"), start_of("[{id: b, agent: other}, {id: a, agent: gate}]")).await?;
    system.drive(&id("r")).await;
    system.ended(&id("r")).await?;
    turn(system, Turn::Unpause).await?;
    system.drive(&id("r")).await;
    system.ended(&id("r")).await.map(drop)
}
