//! Who does a task that is assigned to nobody: who would be asked if somebody asked for it, by the rules that are built in. What
//! somebody adds to those is no part of a decision, which would be another one where they are not.

use super::{Candidate, Goal};
use crate::events::problem::Problem;
use crate::workflow::routing::{self, Context, Index, Past, Rules};

/// The agents of a plan, ready to be asked about.
pub(super) struct Fitting<'a> {
    rules: Rules,
    agents: Index,
    candidates: &'a [Candidate],
}

impl<'a> Fitting<'a> {
    /// Those to whom tasks of a goal may be assigned.
    ///
    /// # Errors
    /// Never: the rules that are built in are tested.
    pub(super) fn of(goal: &Goal<'a>) -> Result<Self, Problem> {
        let rules = Rules::built_in()?;
        let agents: Vec<_> = goal.candidates.iter().map(described).collect();
        Ok(Self { agents: Index::of(&rules, &agents), rules, candidates: goal.candidates })
    }

    /// The place of the candidate that fits best; none if nobody does. Of those that fit alike, the one that has fewest tasks.
    pub(super) fn best(&self, task: &str, loads: &[u32]) -> Option<usize> {
        let understood = self.rules.classify(task, &Context::default());
        let fits = self.agents.rank(&self.rules, task, &understood);
        let most = fits.first()?.score;
        let alike = fits.iter().take_while(|fit| fit.score == most);
        let places = alike.filter_map(|fit| self.candidates.iter().position(|one| one.name == fit.name));
        places.min_by_key(|place| (loads.get(*place).copied().unwrap_or_default(), *place))
    }
}

/// What an agent says of itself, and nothing of how often it succeeded: that is not a part of the run.
fn described(candidate: &Candidate) -> routing::Candidate<'_> {
    routing::Candidate {
        name: &candidate.name,
        description: &candidate.skills.description,
        expertise: candidate.skills.expertise().iter().map(String::as_str).collect(),
        body: "",
        past: Past::default(),
    }
}
