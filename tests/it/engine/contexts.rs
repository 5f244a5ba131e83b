//! Streams that want a lock of a context, each in the hands of an engine that is ended anywhere.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use reenact::actors::hosting::kind::Kinds;
use reenact::actors::system::System;
use reenact::events::ids::{StreamId, Version};
use reenact::events::problem::Problem;
use reenact::events::time::Timestamp;
use reenact::store::fault::Fault;
use serde_json::{Value, json};

use super::kit::{Kit, faulty, on_actix};
use super::seeker::{Ask, LEASE, Seekers};

fn seekers(kit: &Kit) -> System {
    kit.start_with(Kinds::default().with(Seekers))
}

fn stream(name: &str) -> StreamId {
    StreamId::new("seeker", name)
}

fn shared() -> StreamId {
    StreamId::new("context", "shared")
}

/// So long after now.
fn later(kit: &Kit, length: Duration) -> Timestamp {
    kit.clock.now().steady.after(length)
}

async fn ask(system: &System, name: &str, ask: Ask) -> Result<Version, Problem> {
    system.hosting().drive(&stream(name)).await;
    let version = system.hosting().ask::<Seekers>(&stream(name), || ask.clone(), true).await?;
    system.hosting().drive(&stream(name)).await;
    Ok(version)
}

async fn state(system: &System, stream: &StreamId) -> (Version, Value) {
    let kind = system.kind(stream).unwrap();
    let (standing, state) = kind.seen(&**system.store(), stream, Version(u64::MAX)).await.unwrap();
    (standing.version, state.value())
}

/// The grants that a seeker got, and what went wrong.
async fn got(system: &System, name: &str) -> Value {
    state(system, &stream(name)).await.1
}

/// Ends when that holds of the state of a stream.
async fn until(kit: &Kit, system: &System, stream: &StreamId, holds: impl Fn(&Value) -> bool) {
    let mut committed = kit.store.committed();
    loop {
        committed.mark_unchanged();
        if holds(&state(system, stream).await.1) {
            return;
        }
        committed.changed().await.unwrap();
    }
}

fn waiting(shared: &Value) -> usize {
    shared["locks"]["build"]["waiting"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_stream_that_waits_gets_the_lock_when_its_holder_gives_it_back() {
    on_actix(async {
        let kit = Kit::new();
        let system = seekers(&kit);
        let far = later(&kit, Duration::from_secs(3_600));
        ask(&system, "a", Ask::Want(far, true)).await.unwrap();
        until(&kit, &system, &stream("a"), |got| got[0] == json!([1])).await;
        ask(&system, "b", Ask::Want(far, false)).await.unwrap();
        until(&kit, &system, &shared(), |shared| waiting(shared) == 1).await;
        ask(&system, "a", Ask::GiveBack).await.unwrap();
        system.hosting().at_rest(&stream("b")).await.unwrap();
        assert_eq!((got(&system, "a").await, got(&system, "b").await), (json!([[1], []]), json!([[2], []])));
        assert_eq!(state(&system, &shared()).await.1["locks"], json!({}));
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

#[test]
fn a_holder_that_keeps_a_lock_loses_it_when_its_lease_is_over_and_cannot_give_it_back() {
    on_actix(async {
        let kit = Kit::new();
        let system = seekers(&kit);
        let far = later(&kit, Duration::from_secs(3_600));
        ask(&system, "a", Ask::Want(far, true)).await.unwrap();
        until(&kit, &system, &stream("a"), |got| got[0] == json!([1])).await;
        ask(&system, "b", Ask::Want(far, true)).await.unwrap();
        until(&kit, &system, &shared(), |shared| waiting(shared) == 1).await;
        kit.hand.advance(LEASE);
        until(&kit, &system, &stream("b"), |got| got[0] == json!([2])).await;
        ask(&system, "a", Ask::GiveBack).await.unwrap();
        until(&kit, &system, &stream("a"), |got| got[1] == json!(["RE-1407"])).await;
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Whose holder is dead.
#[test]
fn a_lease_ends_in_the_next_process_and_who_waited_gets_the_lock() {
    on_actix(async {
        let kit = Kit::new();
        let system = seekers(&kit);
        let far = later(&kit, Duration::from_secs(3_600));
        ask(&system, "a", Ask::Want(far, true)).await.unwrap();
        until(&kit, &system, &stream("a"), |got| got[0] == json!([1])).await;
        ask(&system, "b", Ask::Want(far, false)).await.unwrap();
        until(&kit, &system, &shared(), |shared| waiting(shared) == 1).await;
        system.shut_down(std::future::ready(())).await.unwrap();
        let next = seekers(&kit);
        next.hosting().drive(&stream("b")).await;
        kit.hand.advance(LEASE);
        next.hosting().at_rest(&stream("b")).await.unwrap();
        assert_eq!(got(&next, "b").await, json!([[2], []]));
        next.shut_down(std::future::ready(())).await.unwrap();
    });
}

#[test]
fn two_streams_that_would_wait_for_ever_are_told_that_they_waited_in_vain() {
    on_actix(async {
        let kit = Kit::new();
        let system = seekers(&kit);
        let (soon, far) = (later(&kit, Duration::from_secs(5)), later(&kit, Duration::from_secs(3_600)));
        ask(&system, "a", Ask::Want(far, true)).await.unwrap();
        until(&kit, &system, &stream("a"), |got| got[0] == json!([1])).await;
        ask(&system, "b", Ask::Want(soon, false)).await.unwrap();
        until(&kit, &system, &shared(), |shared| waiting(shared) == 1).await;
        kit.hand.advance(Duration::from_secs(5));
        system.hosting().at_rest(&stream("b")).await.unwrap();
        assert_eq!(got(&system, "b").await, json!([[], ["in vain, for a"]]));
        system.hosting().at_rest(&shared()).await.unwrap();
        // The context has heard that it was heard.
        let (version, _) = state(&system, &shared()).await;
        assert_eq!(version, Version(4));
        system.shut_down(std::future::ready(())).await.unwrap();
    });
}

/// Whichever commit is the last before the process is gone.
#[test]
fn every_stream_gets_the_lock_once_and_gives_it_back_whenever_the_process_ends() {
    for fault in [Fault::BeforeStoring, Fault::AfterStoring] {
        let mut nth = 1;
        while all_get_it_though_it_ends_at(nth, fault) {
            nth += 1;
        }
        assert!(nth > 8, "it ended {nth} times only");
    }
}

/// Whether there was such a commit.
fn all_get_it_though_it_ends_at(nth: u64, fault: Fault) -> bool {
    let mut reached = false;
    on_actix(async {
        let store = Arc::new(faulty());
        let kit = Kit { store: Arc::clone(&store) as _, ..Kit::new() };
        let first = seekers(&kit);
        store.fail_append(nth, fault);
        reached = all_seek(&kit, &first).await.is_err();
        drop(first.shut_down(std::future::ready(())).await);
        store.mend();
        let second = seekers(&kit);
        all_seek(&kit, &second).await.unwrap();
        let mut fences = Vec::new();
        for name in ["a", "b", "c"] {
            let got = got(&second, name).await;
            // Whoever asks again to give back what was given back before does not hold it any more.
            let failed = got[1].as_array().unwrap().iter().filter(|code| **code != "RE-1407");
            assert_eq!(failed.count(), 0, "{name} {nth} {fault:?}: {got}");
            assert_eq!(got[0].as_array().unwrap().len(), 1, "{name} {nth} {fault:?}");
            fences.push(got[0][0].as_u64().unwrap());
        }
        fences.sort_unstable();
        assert_eq!(fences, [1, 2, 3], "{nth} {fault:?}");
        assert_eq!(state(&second, &shared()).await.1["locks"], json!({}), "{nth} {fault:?}");
        second.shut_down(std::future::ready(())).await.unwrap();
    });
    reached
}

/// Lets three seekers want the lock, unless they have; ends when all have given it back.
async fn all_seek(kit: &Kit, system: &System) -> Result<(), Problem> {
    let far = later(kit, Duration::from_secs(3_600));
    for name in ["a", "b", "c"] {
        if state(system, &stream(name)).await.0 == Version(0) {
            ask(system, name, Ask::Want(far, false)).await?;
        }
        system.hosting().drive(&stream(name)).await;
    }
    // Whoever waits for another whose process is gone waits in vain: the first that cannot go on says so.
    let streams = ["a", "b", "c"].map(stream);
    try_join_all(streams.iter().map(|stream| system.hosting().at_rest(stream))).await.map(drop)
}
