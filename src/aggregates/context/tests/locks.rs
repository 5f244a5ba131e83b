//! Locks: who holds them, who waits for them, and what they are told.

use super::*;
use crate::events::limits::{CONTEXT_LOCKS_MAX, LEASE_MAX, LOCK_WAITERS_MAX};
use crate::kernel::{Blobs, Effect, Lasts};
use crate::testing::MemoryBlobs;

fn granted(owner: &str, fence: u64, until: i64) -> ContextEvent {
    let (lock, owner, until) = (lock("build"), owner.into(), at(until));
    LockGranted { lock, owner, fence: LockFence(fence), until, tells: None }.into()
}

fn awaited(owner: &str, until: i64) -> ContextEvent {
    let (lock, owner, until) = (lock("build"), owner.into(), at(until));
    LockAwaited { lock, owner, lease_us: 10_000_000, until, tells: None }.into()
}

fn ended(owner: &str, why: WaitEnd, holder: Option<&str>) -> ContextEvent {
    LockWaitEnded { lock: lock("build"), owner: owner.into(), why, holder: holder.map(Into::into) }.into()
}

fn expired(fence: u64) -> ContextEvent {
    LockExpired { held: held("build", fence) }.into()
}

fn released(fence: u64) -> ContextEvent {
    LockReleased { held: held("build", fence) }.into()
}

/// Ada holds it until 11, bob waits until 60, then cara until 5.
fn awaited_lock() -> Given<Context> {
    prices().events([granted("ada", 1, 11), awaited("bob", 60), awaited("cara", 5)])
}

#[test]
fn a_lock_is_granted_in_order_and_each_grant_has_a_greater_number() {
    let context = prices().when(wait("build", "ada", 60)).then([granted("ada", 1, 11)]);
    let context = context.when(wait("build", "bob", 60)).then([awaited("bob", 60)]);
    let context = context.when(wait("build", "cara", 60)).then([awaited("cara", 60)]);
    for again in ["ada", "bob", "cara"] {
        context.clone().when(wait("build", again, 90)).then([]);
    }
    let context =
        context.at(at(2)).when(release("build", "ada", 1)).then([released(1), granted("bob", 2, 12)]);
    let context = context.when(release("build", "bob", 2)).then([released(2), granted("cara", 3, 12)]);
    let context = context.when(release("build", "cara", 3)).then([released(3)]);
    assert!(context.state().locks().is_empty());
    context.when(take("other", "ada")).then_events(|_| ());
}

#[test]
fn who_does_not_wait_is_refused_and_told_who_holds_it() {
    let refused = |refused: &ContextRejection| {
        code(refused) == Code::LockHeld && refused.to_string() == "the lock `build` is held by `ada`"
    };
    awaited_lock().when(take("build", "dora")).then_rejected(refused);
    let over = |refused: &ContextRejection| code(refused) == Code::LockWaitOver;
    awaited_lock().at(at(3)).when(wait("build", "dora", 3)).then_rejected(over);
}

#[test]
fn a_stranger_gives_back_and_renews_nothing() {
    for stranger in [
        release("build", "eve", 1),
        release("build", "ada", 2),
        release("build", "bob", 1),
        release("none", "ada", 1),
        renew("build", "eve", 1),
        renew("build", "ada", 7),
    ] {
        awaited_lock().when(stranger).then_rejected(|refused| code(refused) == Code::LockNotHeld);
    }
    awaited_lock().when(release("build", "eve", 1)).then_rejected(|refused| {
        refused.to_string() == "`eve` does not hold the lock `build` by grant 1: `ada` holds it by grant 1"
    });
}

#[test]
fn a_lease_that_ends_goes_to_the_next_and_its_holder_comes_back_in_vain() {
    let late = awaited_lock().at(at(11));
    late.clone().when(release("build", "ada", 1)).then_rejected(|refused| code(refused) == Code::LockNotHeld);
    late.clone().when(renew("build", "ada", 1)).then_rejected(|refused| code(refused) == Code::LockNotHeld);
    let timed_out = ended("cara", WaitEnd::TimedOut, Some("ada"));
    let late = late.when(ContextAsk::Due).then([timed_out, expired(1), granted("bob", 2, 21)]);
    late.clone().when(release("build", "ada", 1)).then_rejected(|refused| code(refused) == Code::LockNotHeld);
    let late = late.when(wait("build", "ada", 60)).then([awaited("ada", 60)]);
    assert_eq!(queue(late.state(), "build"), ["bob", "ada"]);
    late.when(ContextAsk::Due).then([]);
}

#[test]
fn a_lease_is_as_long_as_it_was_renewed() {
    let renewed = LockRenewed { held: held("build", 1), until: at(20) };
    let context = awaited_lock().at(at(10)).when(renew("build", "ada", 1)).then([renewed.into()]);
    let context =
        context.at(at(19)).when(ContextAsk::Due).then([ended("cara", WaitEnd::TimedOut, Some("ada"))]);
    context.at(at(20)).when(ContextAsk::Due).then([expired(1), granted("bob", 2, 30)]);
}

/// Nobody need have recorded that a lease was over before somebody else asks.
#[test]
fn what_is_late_is_over_whether_it_was_recorded_or_not() {
    let free = prices().events([granted("ada", 1, 11)]).at(at(11));
    assert_eq!(free.state().attention().own, Own::None, "nobody waits for it");
    free.when(take("build", "bob")).then([expired(1), granted("bob", 2, 21)]);
    // Bob waited before.
    let late = awaited_lock().at(at(30));
    late.clone()
        .when(take("build", "dora"))
        .then_rejected(|refused| refused.to_string() == "the lock `build` is held by `bob`");
    late.when(wait("build", "dora", 60)).then([
        ended("cara", WaitEnd::TimedOut, Some("ada")),
        expired(1),
        granted("bob", 2, 40),
        awaited("dora", 60),
    ]);
}

#[test]
fn who_waits_in_vain_gets_nothing_though_the_lock_is_free_by_then() {
    let late = awaited_lock().at(at(60));
    let (cara, bob) =
        (ended("cara", WaitEnd::TimedOut, Some("ada")), ended("bob", WaitEnd::TimedOut, Some("ada")));
    late.when(ContextAsk::Due).then([bob, cara, expired(1)]);
    let late = awaited_lock().at(at(6)).when(release("build", "ada", 1));
    late.then([ended("cara", WaitEnd::TimedOut, Some("ada")), released(1), granted("bob", 2, 16)]);
}

#[test]
fn who_wants_a_lock_no_more_leaves_be_it_granted_or_not() {
    let withdraw = |owner: &str| ContextAsk::Withdraw { lock: lock("build"), owner: owner.into() };
    let context = awaited_lock().when(withdraw("bob")).then([ended("bob", WaitEnd::Withdrawn, Some("ada"))]);
    let context = context.when(withdraw("bob")).then([]);
    let context = context.when(withdraw("ada")).then([released(1), granted("cara", 2, 11)]);
    context.at(at(30)).when(withdraw("cara")).then([]);
}

/// Ada holds one and waits for the other, and bob the other way round.
#[test]
fn who_waits_for_each_other_does_so_only_until_the_time_of_the_first_is_over() {
    let context = prices().when(take("one", "ada")).then_events(|_| ());
    let context = context.when(take("two", "bob")).then_events(|_| ());
    let context = context.when(wait_for_stream("two", "ada", 5)).then_events(|_| ());
    let context = context.when(wait("one", "bob", 6)).then_events(|_| ());
    let when = context.at(at(5)).when(ContextAsk::Due);
    let told: Vec<_> = when.changes().still_open().cloned().collect();
    let (to, owner, holder) = (StreamId::new("run", "ada"), "ada".into(), Some("bob".into()));
    assert_eq!(told, [ContextEffect::TellWaitEnded { to, lock: lock("two"), owner, holder }]);
    let context = when.then_events(|events| assert_eq!(events.len(), 1));
    context.when(release("one", "ada", 1)).then_events(|events| assert_eq!(events.len(), 2));
}

#[test]
fn a_stream_is_told_that_it_holds_a_lock_for_as_long_as_it_does() {
    let context = prices().when(take("build", "ada")).then_events(|_| ());
    let context = context.when(wait_for_stream("build", "r", 60)).then_events(|_| ());
    assert_eq!(context.state().attention().own, Own::At(at(11)));
    let when = context.at(at(2)).when(release("build", "ada", 1));
    let told: Vec<_> = when.changes().still_open().cloned().collect();
    let context = when.then_events(|_| ());
    assert_eq!(told, context.state().open());
    assert_eq!(told[0].lasts(), Lasts::Told);
    let message = context.state().message(&told[0]).unwrap();
    assert_eq!((&message.to, message.asks, message.insists), (&StreamId::new("run", "r"), false, false));
    let blobs: &dyn Blobs = &MemoryBlobs::default();
    let says = (message.write)(blobs).unwrap().command::<OfContext>().unwrap();
    let (context_name, says_what) = (says.context.as_str().to_owned(), says.says);
    assert_eq!((context_name.as_str(), &*says.owner), ("prices", "r"));
    assert_eq!(says_what, LockSays::Granted { fence: LockFence(2), until: at(12) });
    let context = context.when(renew("build", "r", 2)).then_events(|_| ());
    assert!(
        matches!(&context.state().open()[..], [ContextEffect::TellGranted { until, .. }] if *until == at(12))
    );
    let context = context.when(release("build", "r", 2)).then_events(|_| ());
    assert_eq!(context.state().open(), []);
}

#[test]
fn a_stream_that_waited_in_vain_is_told_until_it_has_heard_it() {
    let context = prices().when(take("build", "ada")).then_events(|_| ());
    let context = context.when(wait_for_stream("build", "r", 5)).then_events(|_| ());
    let context = context.at(at(5)).when(ContextAsk::Due).then_events(|_| ());
    assert_eq!(context.state().attention().own, Own::Now);
    let [effect] = &context.state().open()[..] else { panic!("{:?}", context.state().open()) };
    assert!(context.state().message(effect).unwrap().insists);
    for answer in [Ok(Version(1)), Err(Problem::new(Code::RunParked, "it cannot go on"))] {
        let told = Context::answered(effect, answer).unwrap();
        let context = context.clone().when(told.clone()).then_events(|events| assert_eq!(events.len(), 1));
        assert_eq!((context.state().open(), context.state().attention().own), (vec![], Own::None));
        context.when(told).then([]);
    }
    // Whoever asks again has gone on from that.
    let context = context.when(wait_for_stream("build", "r", 90)).then_events(|_| ());
    assert!(matches!(&context.state().open()[..], [ContextEffect::Wake { .. }]));
}

#[test]
fn there_are_bounds_to_leases_locks_and_who_waits() {
    for lease in [Duration::ZERO, LEASE_MAX + SECOND] {
        let ask = Acquire { lock: lock("build"), owner: "ada".into(), lease, until: None, tells: None };
        prices().when(ContextAsk::Acquire(ask)).then_rejected(|refused| code(refused) == Code::Usage);
    }
    let mut context = prices().when(take("build", "ada")).then_events(|_| ());
    for number in 0..LOCK_WAITERS_MAX {
        context = context.when(wait("build", &format!("w{number}"), 60)).then_events(|_| ());
    }
    context.when(wait("build", "one-more", 60)).then_rejected(|refused| code(refused) == Code::ContextFull);
    let mut context = prices();
    for number in 0..CONTEXT_LOCKS_MAX {
        context = context.when(take(&format!("l{number}"), "ada")).then_events(|_| ());
    }
    context.clone().when(take("one-more", "bob")).then_rejected(|refused| code(refused) == Code::ContextFull);
    let context = context.at(at(11)).when(take("one-more", "bob"));
    let context = context.then_events(|events| assert_eq!(events.len(), CONTEXT_LOCKS_MAX + 1));
    assert_eq!(context.state().locks().len(), 1, "the leases of all others were over");
}

#[test]
fn an_event_that_contradicts_what_was_before_is_illegal() {
    let taken = prices().events([granted("ada", 1, 11)]);
    for wrong in [
        granted("bob", 2, 11),
        awaited("ada", 60),
        released(2),
        expired(3),
        ended("bob", WaitEnd::TimedOut, None),
    ] {
        assert!(taken.clone().fold(&wrong).is_err(), "{wrong:?}");
    }
    let free = taken.clone().events([released(1)]);
    assert!(free.clone().fold(&granted("bob", 1, 11)).is_err(), "the number was given before");
    assert!(free.clone().fold(&awaited("bob", 60)).is_err(), "nobody holds it");
    let queue = awaited_lock().events([released(1)]);
    assert!(
        queue.clone().fold(&granted("cara", 2, 11)).is_err()
            && queue.clone().fold(&granted("bob", 2, 11)).is_ok()
    );
    assert!(
        queue.clone().fold(&LockWaitEndTold { lock: lock("build"), owner: "bob".into() }.into()).is_err()
    );
}

#[test]
fn what_is_recorded_of_a_command_is_enough_to_decide_it_again() {
    let context = awaited_lock().at(at(11));
    for ask in [ContextAsk::Due, wait_for_stream("build", "dora", 70), take("other", "dora")] {
        let when = context.clone().when(ask);
        let again = when.redecided(context.state().clone()).unwrap().unwrap();
        when.then(again);
    }
    for ask in [renew("build", "ada", 1), release("build", "ada", 1)] {
        let when = awaited_lock().when(ask);
        let again = when.redecided(awaited_lock().state().clone()).unwrap().unwrap();
        when.then(again);
    }
}

#[test]
fn a_snapshot_is_the_state() {
    let context = awaited_lock().when(wait_for_stream("build", "r", 8)).then_events(|_| ());
    let context = context.at(at(8)).when(ContextAsk::Due).then_events(|_| ());
    let context = context.when(set("ada", &[("a", "[1]", None)])).then_events(|_| ());
    let state = context.state();
    assert_eq!(Context::restore(&state.snapshot().unwrap()).unwrap(), *state);
}
