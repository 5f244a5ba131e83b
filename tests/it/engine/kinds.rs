//! Streams of a kind that the engine knows nothing of live as runs do; and what breaks one stream breaks no other.

use std::sync::Arc;
use std::time::Duration;

use reenact::actors::hosting::kind::Kinds;
use reenact::actors::system::System;
use reenact::aggregates::run::RunStatus;
use reenact::events::commit::{Commit, Header};
use reenact::events::ids::{Hash, StreamId, Version};
use reenact::events::problem::{Code, Problem};
use reenact::events::time::Timestamp;
use reenact::store::fault::Fault;

use super::children::echo;
use super::counter::{Ask, Counters, Happened};
use super::kit::{Kit, faulty, id, on_actix, start_of, status};

async fn ask(system: &System, name: &str, ask: Ask) -> Result<Version, Problem> {
    system.hosting().ask::<Counters>(&StreamId::new("counter", name), || ask.clone(), false).await
}

/// Where a counter is, and what it has counted.
async fn seen(system: &System, name: &str) -> (Version, &'static str, String) {
    let stream = StreamId::new("counter", name);
    let kind = system.kind(&stream).unwrap();
    let seen = kind.seen(&**system.store(), &stream, Version(u64::MAX)).await.unwrap();
    (seen.0.version, seen.0.status, seen.1.text().to_owned())
}

fn counters(kit: &Kit) -> System {
    kit.start_with(Kinds::default().with(Counters))
}

#[test]
fn a_stream_of_another_kind_is_asked_performs_sleeps_and_goes_on_after_the_process_ended() {
    on_actix(async {
        let kit = Kit::new();
        let system = counters(&kit);
        assert_eq!(ask(&system, "c", Ask::Count(3)).await.unwrap(), Version(1));
        assert_eq!(ask(&system, "c", Ask::Count(1_001)).await.unwrap_err().code, Code::BadInput);
        let at = Timestamp(kit.clock.now().steady.0 + 1_000_000);
        assert_eq!(ask(&system, "c", Ask::Alarm(at)).await.unwrap(), Version(2));
        assert_eq!(ask(&system, "c", Ask::Double).await.unwrap(), Version(3));
        let stream = StreamId::new("counter", "c");
        system.hosting().watch(&stream).unwrap().wait_for(|live| live.version == Version(4)).await.unwrap();
        assert_eq!(
            seen(&system, "c").await,
            (Version(4), "counting", "6".into()),
            "what it wanted done is done"
        );
        system.shut_down(std::future::ready(())).await.unwrap();

        let next = counters(&kit);
        next.hosting().drive(&stream).await;
        kit.hand.advance(Duration::from_secs(1));
        next.hosting().at_rest(&stream).await.unwrap();
        assert_eq!(seen(&next, "c").await, (Version(5), "counting", "7".into()), "its alarm has rung");
        next.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// What one stream asks of another it asks until it is answered, and the other takes it in once: whichever commit is the last
/// before the process is gone.
#[test]
fn what_one_stream_gives_another_takes_once_whenever_the_process_ends() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while gives_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 4, "it ended {nth} times only");
    }
}

/// Whether there was such a commit.
fn gives_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let first = counters(&kit);
        store.fail_append(nth, fault);
        reached = give(&first).await.is_err();
        drop(first.shut_down(std::future::ready(())).await);
        store.mend();
        let second = counters(&kit);
        give(&second).await.unwrap();
        let ends = (seen(&second, "a").await.2, seen(&second, "b").await.2);
        assert_eq!(ends, ("7".into(), "3".into()), "{nth} {fault:?}");
        second.shut_down(std::future::ready(())).await.unwrap();
    });
    reached
}

/// Lets counter `a` count to 10 and give 3 to `b`, unless it has.
async fn give(system: &System) -> Result<(), Problem> {
    let a = StreamId::new("counter", "a");
    system.hosting().drive(&a).await;
    let at = async || seen(system, "a").await.0;
    if at().await == Version(0) {
        ask(system, "a", Ask::Count(10)).await?;
    }
    if at().await == Version(1) {
        ask(system, "a", Ask::Give("b".to_owned(), 3)).await?;
    }
    system.hosting().drive(&a).await;
    system.hosting().at_rest(&a).await.map(drop)
}

#[test]
fn a_stream_hears_that_another_refuses_or_cannot_go_on() {
    on_actix(async {
        let kit = Kit::new();
        let system = counters(&kit);
        append(&system, "broken", &[Happened::Counted(1), Happened::Poisoned]).await;
        for (to, by) in [("b", 2_000), ("broken", 1)] {
            let a = StreamId::new("counter", "a");
            ask(&system, "a", Ask::Give(to.to_owned(), by)).await.unwrap();
            system.hosting().drive(&a).await;
            system.hosting().at_rest(&a).await.unwrap();
            assert_eq!(seen(&system, "a").await.2, "0");
        }
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// It was told as what a newer version wrote.
#[test]
fn what_contradicts_its_own_history_parks_and_is_told_as_that() {
    on_actix(async {
        let kit = Kit::new();
        let system = counters(&kit);
        append(&system, "a", &[Happened::Counted(1), Happened::Gave]).await;
        for _ in 0..2 {
            let refused = ask(&system, "a", Ask::Count(1)).await.unwrap_err();
            assert_eq!(refused.code, Code::Impossible, "{refused}");
            assert!(refused.message.contains("nothing was to be given"), "{refused}");
        }
        ask(&system, "b", Ask::Count(1)).await.unwrap();
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// One that could not be decided, folded or performed took its actor with it, and whoever asked it waited for ever.
#[test]
fn what_panics_parks_the_stream_that_it_happens_to_and_no_other() {
    on_actix(async {
        let kit = Kit::new();
        echo(&kit);
        let system = counters(&kit);
        append(&system, "fold", &[Happened::Counted(1), Happened::Poisoned]).await;
        ask(&system, "perform", Ask::Count(1)).await.unwrap();
        let broken = [
            ("decide", Ask::PanicWhileDeciding),
            ("evolve", Ask::PanicWhileFolding),
            ("fold", Ask::Count(1)),
        ];
        for (name, first) in broken {
            let refused = ask(&system, name, first).await.unwrap_err();
            assert!(refused.message.contains("on purpose"), "{name}: {refused}");
            let parked = ask(&system, name, Ask::Count(1)).await.unwrap_err();
            assert_eq!(
                (parked.code, &parked.message),
                (Code::RunParked, &refused.message),
                "it stays parked"
            );
            let rests = system.hosting().at_rest(&StreamId::new("counter", name)).await;
            assert_eq!(rests.unwrap_err().message, refused.message, "{name}: nobody waits for it");
        }
        let durable = ask(&system, "perform", Ask::PanicWhilePerforming).await;
        assert!(durable.is_ok() || durable.is_err_and(|error| error.message.contains("on purpose")));
        assert!(ask(&system, "perform", Ask::Count(1)).await.is_err(), "it is parked");
        assert_eq!(
            seen(&system, "perform").await,
            (Version(2), "doubling", "1".into()),
            "as it was recorded"
        );

        assert_eq!(ask(&system, "sound", Ask::Count(2)).await.unwrap(), Version(1));
        system.begin(&id("r"), start_of("[{id: a, agent: echo}]")).await.unwrap();
        assert_eq!(status(system.ended(&id("r")).await), RunStatus::Completed);
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Records what no decision would.
async fn append(system: &System, name: &str, events: &[Happened]) {
    let header = Header {
        stream: StreamId::new("counter", name),
        first: Version(1),
        recorded_at: Timestamp(1),
        correlation: None,
        causation: "test".into(),
        code_version: "test".into(),
        origin: None,
    };
    let commit = Commit::seal(header, events, Hash::default()).unwrap();
    system.store().append(commit, Vec::new()).await.unwrap();
}
