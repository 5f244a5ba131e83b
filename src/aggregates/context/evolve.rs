//! What each event makes true.

use std::sync::Arc;
use std::time::Duration;

use super::command::{ContextEffect, ContextEffectId};
use super::locks::{Holder, Lock, Waiter};
use super::{Context, Entry, Unheard};
use crate::events::context::{
    ContextEvent, ContextSet, Held, LockAwaited, LockExpired, LockGranted, LockReleased, LockRenewed,
    LockWaitEndTold, LockWaitEnded, WaitEnd,
};
use crate::events::ids::{KeyVersion, LockName};
use crate::events::time::Timestamp;
use crate::kernel::{At, EffectChanges};

type Changes = EffectChanges<ContextEffect>;

/// What an event contradicts.
pub(super) type Folded = Result<(), &'static str>;

impl Context {
    pub(super) fn fold(&mut self, event: &ContextEvent, at: &At<'_>, changes: &mut Changes) -> Folded {
        if self.name.is_none() {
            self.name = at.stream.context();
        }
        match event {
            ContextEvent::ContextSet(set) => self.set(set, at.time),
            ContextEvent::LockAwaited(awaited) => self.awaited(awaited, at.time, changes),
            ContextEvent::LockGranted(granted) => self.granted(granted, at.time, changes),
            ContextEvent::LockRenewed(LockRenewed { held, until }) => {
                self.change(&held.lock, changes, |lock, changes| {
                    let holder = lock.holder.as_mut().filter(|holder| holder.fence == held.fence);
                    let holder = holder.ok_or("the lock is not held by that grant")?;
                    holder.until = *until;
                    changes.close(ContextEffectId::Granted(held.lock.clone()));
                    tell_granted(&held.lock, holder, changes);
                    Ok(())
                })
            }
            ContextEvent::LockReleased(LockReleased { held })
            | ContextEvent::LockExpired(LockExpired { held }) => self.freed(held, changes),
            ContextEvent::LockWaitEnded(ended) => self.wait_ended(ended, changes),
            ContextEvent::LockWaitEndTold(LockWaitEndTold { lock, owner }) => {
                if !self.is_unheard(lock, owner) {
                    return Err("there was nothing to be told");
                }
                self.no_more_unheard(lock, owner, changes);
                Ok(())
            }
        }
    }

    fn set(&mut self, ContextSet { keys, by, held }: &ContextSet, at: Timestamp) -> Folded {
        let is_held = |held: &Held| {
            self.locks.get(&held.lock).and_then(|lock| lock.held(&held.lock)).as_ref() == Some(held)
        };
        if !held.as_ref().is_none_or(is_held) {
            return Err("it was written under a lock that is not held by that grant");
        }
        for set in keys {
            let entry = self.keys.entry(set.key.clone()).or_insert_with(|| Entry {
                last: KeyVersion(0),
                value: None,
                by: Arc::clone(by),
                at,
            });
            match set.version {
                KeyVersion(0) if entry.value.is_none() => return Err("a key is removed that is not there"),
                KeyVersion(0) => entry.value = None,
                version if version == entry.last.next() => {
                    (entry.last, entry.value) = (version, Some(set.value.clone()));
                }
                _ => return Err("the version of a key is not the one after the last"),
            }
            (entry.by, entry.at) = (Arc::clone(by), at);
        }
        Ok(())
    }

    fn awaited(&mut self, awaited: &LockAwaited, at: Timestamp, changes: &mut Changes) -> Folded {
        let LockAwaited { lock, owner, lease_us, until, tells } = awaited;
        self.no_more_unheard(lock, owner, changes);
        self.change(lock, changes, |lock, _| {
            let holder = lock.holder.as_ref().ok_or("it waits for a lock that nobody holds")?;
            if holder.owner == *owner || lock.waiting.iter().any(|waiter| waiter.owner == *owner) {
                return Err("it holds the lock, or waits for it already");
            }
            let (owner, lease, tells) = (Arc::clone(owner), Duration::from_micros(*lease_us), tells.clone());
            lock.waiting.push_back(Waiter { owner, lease, since: at, until: *until, tells });
            Ok(())
        })
    }

    fn granted(&mut self, granted: &LockGranted, at: Timestamp, changes: &mut Changes) -> Folded {
        let LockGranted { lock: name, owner, fence, until, tells } = granted;
        if *fence <= self.fence {
            return Err("the number of the grant was given before");
        }
        self.fence = *fence;
        self.no_more_unheard(name, owner, changes);
        self.change(name, changes, |lock, changes| {
            if lock.holder.is_some() {
                return Err("somebody holds the lock already");
            }
            if lock.waiting.front().is_some_and(|first| first.owner != *owner) {
                return Err("somebody else waited for the lock before");
            }
            lock.waiting.pop_front();
            let (owner, tells) = (Arc::clone(owner), tells.clone());
            let holder = Holder { owner, fence: *fence, since: at, until: *until, tells };
            tell_granted(name, &holder, changes);
            lock.holder = Some(holder);
            Ok(())
        })
    }

    fn freed(&mut self, held: &Held, changes: &mut Changes) -> Folded {
        self.change(&held.lock, changes, |lock, changes| {
            if lock.held(&held.lock).as_ref() != Some(held) {
                return Err("the lock is not held by that grant");
            }
            lock.holder = None;
            changes.close(ContextEffectId::Granted(held.lock.clone()));
            Ok(())
        })
    }

    fn wait_ended(&mut self, ended: &LockWaitEnded, changes: &mut Changes) -> Folded {
        let LockWaitEnded { lock: name, owner, why, holder } = ended;
        let mut tells = None;
        self.change(name, changes, |lock, _| {
            let place = lock.waiting.iter().position(|waiter| waiter.owner == *owner);
            let waiter =
                place.and_then(|place| lock.waiting.remove(place)).ok_or("it did not wait for the lock")?;
            tells = waiter.tells;
            Ok(())
        })?;
        if let Some(to) = tells.filter(|_| *why == WaitEnd::TimedOut) {
            let (lock, owner, holder) = (name.clone(), Arc::clone(owner), holder.clone());
            let unheard = Unheard { to, lock, owner, holder };
            changes.open(unheard.effect());
            self.unheard.push(unheard);
        }
        Ok(())
    }

    /// Whoever asks again has gone on from what there was to tell them.
    fn no_more_unheard(&mut self, lock: &LockName, owner: &Arc<str>, changes: &mut Changes) {
        if self.is_unheard(lock, owner) {
            self.unheard.retain(|unheard| !unheard.is_about(lock, owner));
            changes.close(ContextEffectId::WaitEnded(lock.clone(), Arc::clone(owner)));
        }
    }

    /// Changes a lock, and when somebody has to be woken for it.
    fn change(
        &mut self,
        name: &LockName,
        changes: &mut Changes,
        change: impl FnOnce(&mut Lock, &mut Changes) -> Folded,
    ) -> Folded {
        let lock = self.locks.entry(name.clone()).or_default();
        let before = lock.due();
        change(lock, changes)?;
        let due = lock.due();
        if lock.is_forgotten() {
            self.locks.remove(name);
        }
        if due != before {
            if before.is_some() {
                changes.close(ContextEffectId::Wake(name.clone()));
            }
            due.into_iter().for_each(|at| changes.open(ContextEffect::Wake { lock: name.clone(), at }));
        }
        Ok(())
    }
}

fn tell_granted(lock: &LockName, holder: &Holder, changes: &mut Changes) {
    holder.told(lock).into_iter().for_each(|effect| changes.open(effect));
}

impl Holder {
    /// What its stream is told, if one is.
    pub(super) fn told(&self, lock: &LockName) -> Option<ContextEffect> {
        let held = Held { lock: lock.clone(), fence: self.fence };
        let (owner, until) = (Arc::clone(&self.owner), self.until);
        self.tells.clone().map(|to| ContextEffect::TellGranted { to, owner, held, until })
    }
}
