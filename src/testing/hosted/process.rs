//! What a process does for an aggregate, and what it must not do.

use std::collections::{HashMap, HashSet};

use super::stored::Effects;
use crate::kernel::{Due, Effect, Lasts};

/// What a process does for an aggregate.
#[derive(Clone)]
pub(super) struct Process<E: Effect> {
    /// The effects that it performs, by their ids.
    made: HashMap<E::Id, Made<E>>,
    count: u64,
    /// Open effects that any process has begun and that do not outlive that process.
    begun: HashSet<E::Id>,
    /// Those of them whose dead process left nothing running, or what it left running was ended.
    cleared: HashSet<E::Id>,
    pub(super) driven: bool,
    /// When it wants to be woken.
    pub(super) wake: Due,
}

/// An effect that is performed.
#[derive(Clone)]
struct Made<E> {
    effect: E,
    began: u64,
    /// Whether its result was reported.
    settled: bool,
}

impl<E: Effect> Default for Process<E> {
    fn default() -> Self {
        Self {
            made: HashMap::new(),
            count: 0,
            begun: HashSet::new(),
            cleared: HashSet::new(),
            driven: false,
            wake: Due::NEVER,
        }
    }
}

fn is_lasting<E: Effect>(effect: &E) -> bool {
    matches!(effect.lasts(), Lasts::Process | Lasts::Answer)
}

impl<E: Effect + PartialEq> Process<E> {
    pub(super) fn performs(&self) -> impl Iterator<Item = &E> {
        let made = self.made.values().filter(|made| !made.settled);
        made.map(|made| &made.effect).filter(|effect| is_lasting(*effect))
    }

    pub(super) fn began(&self, effect: &E::Id) -> Option<u64> {
        self.made.get(effect).map(|made| made.began)
    }

    pub(super) fn perform(&mut self, effect: E, open: &Effects<E>) -> Result<(), String> {
        let id = effect.id();
        if open.get(&id) != Some(&effect) {
            return Err(format!("{effect:?} is performed, and not recorded"));
        }
        match effect.lasts() {
            Lasts::Told | Lasts::Elsewhere => {}
            Lasts::Process if !self.begun.insert(id.clone()) => {
                return Err(format!("{effect:?} is performed by a second process"));
            }
            Lasts::Process | Lasts::Answer => {
                if self.made.contains_key(&id) {
                    return Err(format!("{effect:?} is performed twice"));
                }
            }
            Lasts::Hint | Lasts::Until(_) => return Err(format!("{effect:?} is not to be performed")),
        }
        self.count += 1;
        self.made.insert(id, Made { effect, began: self.count, settled: false });
        Ok(())
    }

    pub(super) fn settle(&mut self, effect: &E::Id, is_let_go: bool) {
        if is_let_go {
            self.made.remove(effect);
            // This process has ended the effect itself.
            self.cleared.insert(effect.clone());
        } else if let Some(made) = self.made.get_mut(effect) {
            made.settled = true;
        }
    }

    pub(super) fn close(&mut self, effect: &E::Id, given_up: bool) -> Result<(), String> {
        let was = self.made.remove(effect);
        match (given_up, was) {
            (true, None) => Err(format!("{effect:?} is to be stopped, and nobody performs it")),
            _ => Ok(()),
        }
    }

    /// Ends what a dead process left running.
    pub(super) fn clear(&mut self, effect: &E, open: &Effects<E>) -> Result<(), String> {
        let id = effect.id();
        if self.made.contains_key(&id) || !open.contains_key(&id) {
            return Err(format!("{effect:?} was not left by a dead process"));
        }
        self.cleared.insert(id);
        Ok(())
    }

    /// Checks that a commit may close an effect: before what a dead process left running is ended, nobody may
    /// be told of it.
    pub(super) fn may_close(&mut self, effect: &E::Id, open: &Effects<E>) -> Result<(), String> {
        self.begun.remove(effect);
        let is_ended = self.cleared.remove(effect) || self.made.contains_key(effect);
        match open.get(effect).map(Effect::lasts) {
            Some(Lasts::Process) if !is_ended => {
                Err(format!("{effect:?} is closed, and what a dead process left running is not ended"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn drive(&mut self, driven: bool) -> Result<(), String> {
        if std::mem::replace(&mut self.driven, driven) == driven {
            return Err(format!("that it is driven ({driven}) is no news"));
        }
        if !driven {
            self.forget_sent();
        }
        Ok(())
    }

    /// Forgets what other streams were asked: they are to be asked again.
    pub(super) fn forget_sent(&mut self) {
        self.made.retain(|_, made| made.effect.lasts() != Lasts::Answer);
    }

    /// Checks that it may be put away, and puts it away.
    pub(super) fn is_over(&mut self) -> Result<(), String> {
        let left: Vec<_> = self.performs().collect();
        match () {
            () if !left.is_empty() => Err(format!("it is put away while {left:?} are performed")),
            () if self.driven => Err("it is put away while it is driven".to_owned()),
            () if self.wake.is_some() => Err("it is put away while it waits to be woken".to_owned()),
            () => {
                self.die();
                Ok(())
            }
        }
    }

    pub(super) fn die(&mut self) {
        self.made.clear();
        self.cleared.clear();
        (self.driven, self.wake) = (false, Due::NEVER);
    }

    /// Checks what must hold when no more outputs come.
    pub(super) fn check(&self, is_active: bool, open: &Effects<E>) -> Result<(), String> {
        if !self.driven {
            return match self.wake {
                Due::NEVER => Ok(()),
                due => Err(format!("nobody drives it, and it wants to be woken at {due:?}")),
            };
        }
        if !is_active {
            return Err("it is driven, and not in memory".to_owned());
        }
        for effect in open.values() {
            let is_forgotten = match effect.lasts() {
                Lasts::Hint | Lasts::Elsewhere => false,
                Lasts::Told | Lasts::Process | Lasts::Answer => !self.made.contains_key(&effect.id()),
                Lasts::Until(deadline) => !self.wake.covers(deadline),
            };
            if is_forgotten {
                return Err(format!("{effect:?} is open, and forgotten"));
            }
        }
        Ok(())
    }
}
