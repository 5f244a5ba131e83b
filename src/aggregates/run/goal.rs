//! Plans of tasks: what the agent that plans is told, what becomes of its plan, and of tasks that do not come through.

use super::advance::Advance;
use super::stuck::Stuck;
use super::{Impossible, Phase, Run, RunRejection, StepIndex};
use crate::events::ids::AgentName;
use crate::events::json::Json;
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::{AttemptStarted, Because, Purpose, RepairAsked, StuckOn};
use crate::events::text::{printable, shortened};
use crate::workflow::definition::{PlanOfTasks, Step, is_built_in};
use crate::workflow::goal::{self, Candidate, Goal, Skills};
use crate::workflow::stuck::fingerprint;
use crate::workflow::work::{Failure, Output, Repair, Work};

/// How much of what keeps an agent from going on a sentence about it holds, in characters.
const BLOCKERS_CHARS_TOLD: usize = 2_000;

impl Advance<'_, '_> {
    /// The steps that a plan of tasks adds, as the list of an `add_steps`.
    ///
    /// # Errors
    /// Within, everything that is wrong with the plan. Else what keeps the run from deciding at all.
    pub(super) fn tasks(
        &self,
        place: StepIndex,
        plan: &PlanOfTasks,
        answer: &Json,
    ) -> Result<Result<Json, Problem>, RunRejection> {
        let run = self.draft.state();
        let growth = run.about().ok_or(Impossible::NotBegun)?.started.growth;
        if growth.total == 0 {
            let why = "the configuration lets no plan add steps to a run: see `growth.total` there";
            return Ok(Err(Problem::new(Code::PlanTooLarge, why)));
        }
        let manager =
            self.node(place)?.agent().ok_or(Impossible::NoTemplate(self.node(place)?.id().clone()))?;
        let candidates = self.candidates(plan, manager)?;
        let tasks_max = self.tasks_left(place, plan);
        Ok(Goal { plan, manager, candidates: &candidates, tasks_max }.steps(answer))
    }

    /// Tells an agent that is to plan whom there is and how a plan is answered, and what is wrong with the one before.
    pub(super) fn tell_planner(
        &self,
        place: StepIndex,
        step: &Step,
        agent: &AgentName,
        work: &mut Work,
    ) -> Result<(), RunRejection> {
        let Some(plan) = &step.plan else { return Ok(()) };
        let candidates = self.candidates(plan, agent)?;
        let tasks_max = self.tasks_left(place, plan);
        goal::ask_for_plan(work, &Goal { plan, manager: agent, candidates: &candidates, tasks_max });
        let watch = self.node(place)?.watch.as_ref();
        if let Some(refused) = watch.and_then(|watch| watch.refused.as_ref()) {
            let answered = self.draft.json(&refused.answered, self.moment)?;
            goal::mend(work, Repair { answered, refused: refused.refused.clone() });
        }
        Ok(())
    }

    /// To whom tasks may be assigned.
    fn candidates(&self, plan: &PlanOfTasks, manager: &AgentName) -> Result<Vec<Candidate>, RunRejection> {
        let about = self.draft.state().about().ok_or(Impossible::NotBegun)?;
        let may = |name: &AgentName| match plan.agents.as_slice() {
            [] => !is_built_in(name) && name.key() != manager.key(),
            named => named.iter().any(|may| may.key() == name.key()),
        };
        let known = about.started.agents.iter().filter(|known| may(&known.name));
        let candidate = |known: &crate::events::run::AgentBinding| {
            let skills = self.draft.value::<Skills, _>(&known.definition.hash, self.moment)?;
            Ok::<_, RunRejection>(Candidate { name: known.name.clone(), skills: (*skills).clone() })
        };
        let candidates = known.map(candidate);
        // A plan that names tools means them.
        let is_meant = |candidate: &Candidate| !plan.agents.is_empty() || !candidate.skills.is_tool();
        candidates.filter(|candidate| candidate.as_ref().map_or(true, is_meant)).collect()
    }

    /// How many tasks a plan may have, of all that there may be together.
    fn tasks_left(&self, place: StepIndex, plan: &PlanOfTasks) -> usize {
        let used = self.draft.state().iterations(place);
        (plan.max as usize).saturating_sub(used)
    }

    /// What is recorded so that a plan which is refused is mended, if it may be.
    pub(super) fn repair(
        &mut self,
        place: StepIndex,
        attempt: &AttemptStarted,
        answer: &Json,
        failure: &Failure,
    ) -> Result<Option<RepairAsked>, RunRejection> {
        let step = self.template(place)?;
        let Some(plan) = step.plan.as_ref().filter(|_| attempt.purpose == Purpose::Do) else {
            return Ok(None);
        };
        let run = self.draft.state();
        let repairs = self.node(place)?.watch.as_ref().map_or(0, |watch| watch.repairs);
        // It counts itself, and a plan without a single task mends nothing.
        let is_bounded = repairs < plan.repairs && self.tasks_left(place, plan) > 1;
        // What the configuration forbids no plan can mend.
        let helps = failure.code != Code::PlanTooLarge && !step.at_most_once;
        if !is_bounded || !helps || run.phase != Phase::Going || self.is_given_up(place) {
            return Ok(None);
        }
        let (step, attempt) = (attempt.step.clone(), attempt.attempt);
        let (answered, refused) = (self.draft.payload(answer.clone()), failure.message.clone());
        Ok(Some(RepairAsked { step, attempt, answered, refused }))
    }

    /// What keeps the agent of a task from going on, as it says in its answer, and the failure of its attempt.
    pub(super) fn is_blocked(
        &self,
        attempt: &AttemptStarted,
        output: &Output,
    ) -> Result<Option<(Failure, Stuck)>, RunRejection> {
        let run = self.draft.state();
        let Some((place, _)) = run.node(&attempt.step) else { return Ok(None) };
        let is_of_task = attempt.purpose == Purpose::Do && !is_built_in(&attempt.agent);
        if !is_of_task || self.planner(place)?.is_none() {
            return Ok(None);
        }
        let Some(blockers) = goal::blockers(&output.output) else { return Ok(None) };
        let blockers_json = Json::from(&serde_json::Value::from(blockers.as_str()));
        let blockers = printable(&blockers).into_owned();
        let told = shortened(&blockers, BLOCKERS_CHARS_TOLD);
        let message = format!("its agent says what keeps it from going on: {told}");
        let why = StuckOn::Blocked { blockers: fingerprint(&blockers_json) };
        let seen = format!("`{}` cannot go on: {told}", attempt.agent);
        let stuck = Stuck::of_task(attempt, why, seen, Some(output.output.clone()));
        Ok(Some((Failure::new(Code::TaskBlocked, message), stuck)))
    }

    /// What the agent that planned is asked about a task that has failed for good, if it may be asked.
    pub(super) fn has_failed(
        &self,
        place: StepIndex,
        attempt: &AttemptStarted,
        (class, code): (Class, Code),
        message: &str,
    ) -> Result<Option<Stuck>, RunRejection> {
        let may = attempt.purpose == Purpose::Do && class != Class::Fatal && code != Code::TaskBlocked;
        let may = may && !is_built_in(&attempt.agent) && !self.is_given_up(place);
        if !may || self.planner(place)?.is_none() {
            return Ok(None);
        }
        let told = printable(message).into_owned();
        let told = shortened(&told, BLOCKERS_CHARS_TOLD);
        let seen = format!("the attempts of `{}` have failed, the last one so: {told}", attempt.agent);
        let stuck = Stuck::of_task(attempt, StuckOn::Failed { code }, seen, None);
        Ok(self.manager_for(place, &stuck)?.map(|_| stuck))
    }

    /// The step whose plan a step is a task of, and what that says of its plan.
    fn planner(&self, place: StepIndex) -> Result<Option<(StepIndex, Box<PlanOfTasks>)>, RunRejection> {
        let run = self.draft.state();
        let first = self.node(run.chain_begins(place))?;
        let Some(planner) = first.inside.filter(|_| first.added.because == Because::Plan) else {
            return Ok(None);
        };
        Ok(self.template(planner)?.plan.clone().map(|plan| (planner, plan)))
    }

    /// The agent that planned a task, as long as it may be asked about that.
    pub(super) fn manager_of_task(&self, place: StepIndex) -> Result<Option<AgentName>, RunRejection> {
        let Some((planner, plan)) = self.planner(place)? else { return Ok(None) };
        let run = self.draft.state();
        let asked = self.node(place)?.watch.as_ref().map_or(0, |watch| watch.escalations().count());
        let is_bounded = asked < plan.repairs as usize && run.iterations(planner) < plan.max as usize;
        Ok(self.node(planner)?.agent().filter(|_| is_bounded).cloned())
    }
}

impl Run {
    /// How many tasks, mended plans and questions there were in a plan of tasks so far.
    fn iterations(&self, planner: StepIndex) -> usize {
        let Some(node) = self.steps.get(planner) else { return 0 };
        let repairs = node.watch.as_ref().map_or(0, |watch| watch.repairs as usize);
        let tasks = self.steps.all(&node.children).filter(|child| child.added.because == Because::Plan);
        tasks.fold(repairs, |sum, task| {
            let asked = self.steps.all(&task.children).filter(|child| child.is_of_manager()).count();
            sum + 1 + asked
        })
    }
}
