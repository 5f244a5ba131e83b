//! What expressions see of a run, and which part of it an expression uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::events::ids::{RunId, StepId};
use crate::events::json::Json;
use crate::events::run::Undoes;

/// What expressions see. Whoever evaluates puts in what the [`References`] ask for; the rest may be left out.
#[derive(Debug, Clone)]
pub struct Scope {
    /// `input`
    pub input: Json,
    /// `run.id`
    pub run: RunId,
    /// `env.NAME`: what was captured when the run started.
    pub env: BTreeMap<String, String>,
    /// `steps.ID`
    pub steps: BTreeMap<StepId, StepView>,
    /// `index`, from 0, and `item`, in a step of a fan-out.
    pub item: Option<(u32, Json)>,
    /// `round`, from 1, and its `output`, in the `until` of a loop.
    pub round: Option<(u32, Json)>,
    /// What is undone, in a compensation.
    pub undone: Option<Undone>,
}

/// The step that a compensation undoes, as its expressions see it: `outcome`, `output` and `steps.ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Its id in the definition. For an item of a fan-out it is that of the whole, so that `steps.ID` means the item's
    /// own step.
    pub step: StepId,
    /// `outcome`. If it is unknown, `output` is null.
    pub outcome: Undoes,
    /// `steps.ID`. Its output, null if there is none, is `output` as well.
    pub view: StepView,
}

/// What expressions see of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// `steps.ID.status`
    pub status: &'static str,
    /// `steps.ID.attempts`
    pub attempts: u32,
    /// `steps.ID.output`. None where there is none: the step was skipped, its failure was tolerated, or it is not done.
    pub output: Option<Json>,
}

/// What an expression or a template uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Of which steps.
    pub steps: StepReferences,
    /// Whether the run's input.
    pub input: bool,
    /// Whether the item of the fan-out, or its index.
    pub item: bool,
}

/// The steps that an expression uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepReferences {
    /// Exactly these: they are named, as in `steps.a.output` and `steps['a-b'].output`.
    These(BTreeSet<StepId>),
    /// Any: a name is computed, as in `steps[name]`, or the steps are used as a whole.
    All,
}

impl Default for StepReferences {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl References {
    /// Adds what another uses.
    pub fn add(&mut self, other: &Self) {
        match (&mut self.steps, &other.steps) {
            (StepReferences::These(mine), StepReferences::These(theirs)) => {
                mine.extend(theirs.iter().cloned())
            }
            (all, StepReferences::All) => *all = StepReferences::All,
            (StepReferences::All, StepReferences::These(_)) => {}
        }
        self.input |= other.input;
        self.item |= other.item;
    }
}

impl<'a> FromIterator<&'a References> for References {
    fn from_iter<I: IntoIterator<Item = &'a References>>(all: I) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }
}
