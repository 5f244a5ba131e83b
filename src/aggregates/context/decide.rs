//! What comes of a command. What is late counts as over before it is recorded: a command is refused, or not, by what holds at
//! that moment; and only what is taken records what was late.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::command::{Acquire, ContextAsk, Set};
use super::locks::{Lock, Waiter};
use super::rejection::{ContextRejection, Found};
use super::{Context, Entry};
use crate::events::context::{
    ContextSet, Held, KeySet, LockAwaited, LockExpired, LockGranted, LockReleased, LockRenewed,
    LockWaitEndTold, LockWaitEnded, WaitEnd,
};
use crate::events::ids::{KeyVersion, LockName};
use crate::events::limits::{
    CONTEXT_KEYS_MAX, CONTEXT_LOCKS_MAX, CONTEXT_VALUE_BYTES_MAX, LEASE_MAX, LOCK_WAITERS_MAX,
};
use crate::events::time::{Timestamp, micros};
use crate::kernel::{Draft, Moment};

type Result<T = ()> = std::result::Result<T, ContextRejection>;

pub(super) fn decide(draft: &mut Draft<'_, Context>, ask: ContextAsk, moment: &Moment<'_>) -> Result {
    let now = moment.now;
    match ask {
        ContextAsk::Set(wanted) => set(draft, wanted, now)?,
        ContextAsk::Acquire(wanted) => acquire(draft, wanted, now)?,
        ContextAsk::Renew { held, owner, lease } => {
            is_lease(lease)?;
            is_holder(draft.state(), &held, Some(&owner), now)?;
            draft.emit(LockRenewed { held, until: now.after(lease) });
        }
        ContextAsk::Release { held, owner } => {
            is_holder(draft.state(), &held, Some(&owner), now)?;
            release(draft, held, now);
        }
        ContextAsk::Withdraw { lock, owner } => withdraw(draft, lock, owner, now),
        ContextAsk::Told { lock, owner } => {
            if draft.state().is_unheard(&lock, &owner) {
                draft.emit(LockWaitEndTold { lock, owner });
            }
        }
        ContextAsk::Due => {
            let late =
                |(name, lock): (&LockName, &Lock)| lock.due().filter(|at| *at <= now).map(|_| name.clone());
            let late: Vec<LockName> = draft.state().locks.iter().filter_map(late).collect();
            late.iter().for_each(|lock| settle(draft, lock, now));
        }
    }
    Ok(())
}

fn set(draft: &mut Draft<'_, Context>, Set { keys, by, held }: Set, now: Timestamp) -> Result {
    let state = draft.state();
    let mut given = BTreeSet::new();
    if keys.is_empty() {
        return Err(ContextRejection::Nothing);
    }
    for wanted in &keys {
        let (key, size_bytes) = (&wanted.key, wanted.value.text().len());
        if !given.insert(key) {
            return Err(ContextRejection::Twice(key.clone()));
        }
        if size_bytes > CONTEXT_VALUE_BYTES_MAX {
            return Err(ContextRejection::ValueTooLarge { key: key.clone(), size_bytes });
        }
    }
    if let Some(held) = &held {
        // Whoever holds it writes under whatever name they like.
        is_holder(state, held, None, now).map_err(|refused| of_writer(refused, &by))?;
    }
    for wanted in &keys {
        let found = state.keys.get(&wanted.key);
        if let Some(expected) = wanted.expected.filter(|expected| *expected != version(found)) {
            let (key, found) = (wanted.key.clone(), described(found));
            return Err(ContextRejection::Conflict { key, expected, found });
        }
    }
    let fresh = keys.iter().filter(|wanted| !wanted.value.is_null() && !state.keys.contains_key(&wanted.key));
    if state.keys.len() + fresh.count() > CONTEXT_KEYS_MAX {
        return Err(ContextRejection::TooManyKeys);
    }
    let mut written = Vec::with_capacity(keys.len());
    for wanted in keys {
        let found = draft.state().keys.get(&wanted.key);
        let version = match (wanted.value.is_null(), found) {
            // To remove what is not there changes nothing.
            (true, found) if version(found) == KeyVersion(0) => continue,
            (true, _) => KeyVersion(0),
            (false, found) => found.map_or(KeyVersion(0), |entry| entry.last).next(),
        };
        written.push(KeySet { key: wanted.key, version, value: draft.payload(wanted.value) });
    }
    if !written.is_empty() {
        draft.emit(ContextSet { keys: written, by, held });
    }
    Ok(())
}

fn version(found: Option<&Entry>) -> KeyVersion {
    found.map_or(KeyVersion(0), Entry::version)
}

fn described(found: Option<&Entry>) -> Found {
    match found {
        None => Found::Nothing,
        Some(Entry { value: None, by, .. }) => Found::Removed { by: Arc::clone(by) },
        Some(Entry { last, by, .. }) => Found::Value { version: *last, by: Arc::clone(by) },
    }
}

fn acquire(draft: &mut Draft<'_, Context>, wanted: Acquire, now: Timestamp) -> Result {
    let Acquire { lock, owner, lease, until, tells } = wanted;
    is_lease(lease)?;
    let found = draft.state().locks.get(&lock);
    let holder = found.and_then(|found| found.holder_at(now)).map(|holder| &holder.owner);
    let waiting = found.into_iter().flat_map(|found| found.waiting_at(now)).map(|waiter| &waiter.owner);
    // Who has it or comes first, then the others in order.
    let before: Vec<&Arc<str>> = holder.into_iter().chain(waiting).collect();
    if before.contains(&&owner) {
        return Ok(());
    }
    let Some(holder) = before.first().map(|first| Arc::clone(first)) else {
        let another = found.is_none();
        make_room(draft, &lock, another, now)?;
        grant(draft, lock, Waiter { owner, lease, since: now, until: now, tells }, now);
        return Ok(());
    };
    match until {
        None => Err(ContextRejection::Held { lock, holder }),
        Some(until) if until <= now => Err(ContextRejection::WaitOver { lock, holder }),
        Some(_) if before.len() > LOCK_WAITERS_MAX => Err(ContextRejection::TooManyWaiters(lock)),
        Some(until) => {
            settle(draft, &lock, now);
            let lease_us = micros(lease);
            draft.emit(LockAwaited { lock, owner, lease_us, until, tells });
            Ok(())
        }
    }
}

/// Records what of a lock is late that is about to be granted; where there are as many locks as may be, what of any is.
fn make_room(draft: &mut Draft<'_, Context>, lock: &LockName, another: bool, now: Timestamp) -> Result {
    let state = draft.state();
    if !another || state.locks.len() < CONTEXT_LOCKS_MAX {
        settle(draft, lock, now);
        return Ok(());
    }
    let is_taken = |lock: &Lock| lock.holder_at(now).is_some() || lock.waiting_at(now).next().is_some();
    if state.locks.values().filter(|lock| is_taken(lock)).count() >= CONTEXT_LOCKS_MAX {
        return Err(ContextRejection::TooManyLocks);
    }
    let all: Vec<LockName> = state.locks.keys().cloned().collect();
    all.iter().for_each(|lock| settle(draft, lock, now));
    Ok(())
}

fn withdraw(draft: &mut Draft<'_, Context>, lock: LockName, owner: Arc<str>, now: Timestamp) {
    let Some(found) = draft.state().locks.get(&lock) else { return };
    let holder = found.holder.as_ref().map(|holder| Arc::clone(&holder.owner));
    if found.holder_at(now).is_some_and(|holder| holder.owner == owner) {
        if let Some(held) = found.held(&lock) {
            release(draft, held, now);
        }
    } else if found.waiting.iter().any(|waiter| waiter.owner == owner) {
        draft.emit(LockWaitEnded { lock, owner, why: WaitEnd::Withdrawn, holder });
    }
}

fn is_lease(lease: Duration) -> Result {
    let fits = lease >= Duration::from_micros(1) && lease <= LEASE_MAX;
    if fits { Ok(()) } else { Err(ContextRejection::BadLease { lease }) }
}

/// Checks that a lock is held now by that grant, and by that owner if one is named.
fn is_holder(state: &Context, held: &Held, owner: Option<&Arc<str>>, now: Timestamp) -> Result {
    let found = state.locks.get(&held.lock);
    if found.is_some_and(|lock| lock.is_held_by(owner.map(|owner| &**owner), held.fence, now)) {
        return Ok(());
    }
    let holder = found.and_then(|found| found.holder_at(now));
    Err(ContextRejection::NotHeld {
        lock: held.lock.clone(),
        fence: held.fence,
        owner: owner.cloned().unwrap_or_else(|| "".into()),
        holder: holder.map(|holder| (Arc::clone(&holder.owner), holder.fence)),
    })
}

fn of_writer(refused: ContextRejection, by: &Arc<str>) -> ContextRejection {
    match refused {
        ContextRejection::NotHeld { lock, fence, holder, .. } => {
            ContextRejection::NotHeld { lock, fence, owner: Arc::clone(by), holder }
        }
        other => other,
    }
}

fn release(draft: &mut Draft<'_, Context>, held: Held, now: Timestamp) {
    let lock = held.lock.clone();
    end_waits(draft, &lock, now);
    draft.emit(LockReleased { held });
    grant_next(draft, &lock, now);
}

/// Records what of a lock is late, and grants it to the next who waits for it if it is free.
fn settle(draft: &mut Draft<'_, Context>, lock: &LockName, now: Timestamp) {
    end_waits(draft, lock, now);
    let found = draft.state().locks.get(lock).filter(|found| found.holder_at(now).is_none());
    if let Some(held) = found.and_then(|found| found.held(lock)) {
        draft.emit(LockExpired { held });
    }
    grant_next(draft, lock, now);
}

/// Who waits for no longer than until now gets nothing, though the lock may be free: nobody may listen any more.
fn end_waits(draft: &mut Draft<'_, Context>, lock: &LockName, now: Timestamp) {
    let Some(found) = draft.state().locks.get(lock) else { return };
    let holder = found.holder.as_ref().map(|holder| Arc::clone(&holder.owner));
    let late = found.waiting.iter().filter(|waiter| waiter.until <= now);
    let late: Vec<Arc<str>> = late.map(|waiter| Arc::clone(&waiter.owner)).collect();
    for owner in late {
        let (lock, holder) = (lock.clone(), holder.clone());
        draft.emit(LockWaitEnded { lock, owner, why: WaitEnd::TimedOut, holder });
    }
}

fn grant_next(draft: &mut Draft<'_, Context>, lock: &LockName, now: Timestamp) {
    let found = draft.state().locks.get(lock).filter(|found| found.holder.is_none());
    if let Some(next) = found.and_then(|found| found.waiting.front().cloned()) {
        grant(draft, lock.clone(), next, now);
    }
}

fn grant(draft: &mut Draft<'_, Context>, lock: LockName, to: Waiter, now: Timestamp) {
    let (fence, until) = (draft.state().fence.next(), now.after(to.lease));
    draft.emit(LockGranted { lock, owner: to.owner, fence, until, tells: to.tells });
}
