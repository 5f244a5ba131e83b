//! What expressions see of a run, and which parts of it an expression uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::events::ids::{ContextKey, RunId, StepId};
use crate::events::json::Json;
use crate::events::run::Undoes;

/// What expressions see. The caller puts in what the [`References`] ask for; the rest may be left out.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The variable `input`: the run's input.
    pub input: Json,
    /// The variable `run.id`: the id of the run.
    pub run: RunId,
    /// The variables `env.NAME`: values that were recorded when the run started.
    pub env: BTreeMap<String, String>,
    /// The variables `steps.ID`: the steps.
    pub steps: BTreeMap<StepId, StepView>,
    /// The variables `context.KEY`: what the agents of the run share.
    pub context: BTreeMap<String, Json>,
    /// The variables `contexts.ALIAS.KEY`: what was read of contexts that runs share. A key that was not there is not there.
    pub contexts: BTreeMap<String, BTreeMap<String, Json>>,
    /// In a step of a fan-out: `index`, from 0, and `item`.
    pub item: Option<(u32, Json)>,
    /// In the `until` of a loop: `round`, from 1, and its `output`.
    pub round: Option<(u32, Json)>,
    /// In the `output` of a step: what it answered, which is `output`.
    pub answer: Option<Json>,
    /// In a compensation: the step that is undone.
    pub undone: Option<Undone>,
}

/// The step that a compensation undoes, as its expressions see it: `outcome`, `output` and `steps.ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Its id in the definition. For an item of a fan-out it is the id of the whole, so that `steps.ID` means
    /// the item's own step.
    pub step: StepId,
    /// The variable `outcome`. If it is unknown, `output` is null.
    pub outcome: Undoes,
    /// The variable `steps.ID`. Its output, null if it has none, is also the variable `output`.
    pub view: StepView,
}

/// What expressions see of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// The attribute `status` of `steps.ID`, in a word.
    pub status: &'static str,
    /// The attribute `attempts` of `steps.ID`: how many there were.
    pub attempts: u32,
    /// The attribute `output` of `steps.ID`. None if the step was skipped, its failure was tolerated, or
    /// it is not done.
    pub output: Option<Json>,
}

/// The parts of a scope that an expression or a template uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// The steps that it uses.
    pub steps: StepReferences,
    /// Whether it uses the run's input.
    pub input: bool,
    /// Whether it uses the item of the fan-out, or its index.
    pub item: bool,
    /// Whether it uses what the agents of the run share.
    pub context: bool,
    /// The keys of shared contexts that it uses, each behind the alias of its context.
    pub contexts: BTreeSet<(String, ContextKey)>,
}

/// The steps that an expression uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepReferences {
    /// Exactly these, because all are named, as in `steps.a.output` and `steps['a-b'].output`.
    These(BTreeSet<StepId>),
    /// Any step: a name is computed, as in `steps[name]`, or `steps` is used as a whole.
    All,
}

impl Default for StepReferences {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl References {
    /// Adds the parts that another one uses.
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
        self.context |= other.context;
        self.contexts.extend(other.contexts.iter().cloned());
    }
}

impl<'a> FromIterator<&'a References> for References {
    fn from_iter<I: IntoIterator<Item = &'a References>>(all: I) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|one| sum.add(one));
        sum
    }
}
