mod crashed;
mod keys;
mod locks;
mod random;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::events::context::*;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::testing::{Given, given};

const SECOND: Duration = Duration::from_secs(1);

fn prices() -> Given<Context> {
    given::<Context>("prices").at(at(1))
}

/// So many seconds after the beginning.
fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

fn key(name: &str) -> ContextKey {
    ContextKey::parse(name).unwrap()
}

fn lock(name: &str) -> LockName {
    LockName::parse(name).unwrap()
}

fn json(text: &str) -> Json {
    Json::read(text).unwrap()
}

/// Somebody sets keys, each to what stands behind it as JSON, with the version that is expected.
fn set(by: &str, keys: &[(&str, &str, Option<u64>)]) -> ContextAsk {
    let keys = keys.iter().map(|(name, value, expected)| SetKey {
        key: key(name),
        value: json(value),
        expected: expected.map(KeyVersion),
    });
    ContextAsk::Set(Set { keys: keys.collect(), by: by.into(), held: None })
}

fn held(name: &str, fence: u64) -> Held {
    Held { lock: lock(name), fence: LockFence(fence) }
}

/// Somebody wants a lock for ten seconds, and does not wait.
fn take(name: &str, owner: &str) -> ContextAsk {
    let (lock, owner) = (lock(name), owner.into());
    ContextAsk::Acquire(Acquire { lock, owner, lease: 10 * SECOND, until: None, tells: None })
}

/// Somebody wants a lock for ten seconds, and waits until so many seconds after the beginning.
fn wait(name: &str, owner: &str, until: i64) -> ContextAsk {
    let (lock, owner, until) = (lock(name), owner.into(), Some(at(until)));
    ContextAsk::Acquire(Acquire { lock, owner, lease: 10 * SECOND, until, tells: None })
}

/// The same, of somebody for whom a stream asks.
fn wait_for_stream(name: &str, owner: &str, until: i64) -> ContextAsk {
    match wait(name, owner, until) {
        ContextAsk::Acquire(wanted) => {
            ContextAsk::Acquire(Acquire { tells: Some(StreamId::new("run", owner)), ..wanted })
        }
        other => other,
    }
}

fn release(name: &str, owner: &str, fence: u64) -> ContextAsk {
    ContextAsk::Release { held: held(name, fence), owner: owner.into() }
}

fn renew(name: &str, owner: &str, fence: u64) -> ContextAsk {
    ContextAsk::Renew { held: held(name, fence), owner: owner.into(), lease: 10 * SECOND }
}

fn code(rejection: &ContextRejection) -> Code {
    Context::problem(rejection).code
}

/// Who holds a lock, and who waits for it.
fn queue(state: &Context, name: &str) -> Vec<String> {
    let found = state.locks().get(&lock(name));
    let holder = found.and_then(|found| found.holder.as_ref()).map(|holder| holder.owner.to_string());
    let waiting = found.into_iter().flat_map(|found| &found.waiting).map(|waiter| waiter.owner.to_string());
    holder.into_iter().chain(waiting).collect()
}
