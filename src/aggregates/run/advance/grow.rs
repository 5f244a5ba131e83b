//! The graph grows: items of a fan-out, rounds of a loop, steps of a plan.

use std::sync::Arc;

use super::{Advance, StartError};
use crate::aggregates::run::{Impossible, Node, Run, RunRejection, StepIndex, StepPhase};
use crate::events::codec::Encoded;
use crate::events::ids::StepId;
use crate::events::json::{Blob, BlobRef, Json, Payload};
use crate::events::limits::FAN_OUT_BYTES_MAX;
use crate::events::problem::{Class, Code, Problem};
use crate::events::run::*;
use crate::workflow::answer;
use crate::workflow::definition::{Definition, Step};
use crate::workflow::output;
use crate::workflow::scope::Scope;
use crate::workflow::work::Failure;

/// Why what a step answered is not taken.
pub(in crate::aggregates::run) struct NotTaken {
    pub(in crate::aggregates::run) failure: Failure,
    /// What it answered, where its work is done all the same: the step's `output` could not be made of that.
    pub(in crate::aggregates::run) answered: Option<Box<Json>>,
}

impl From<Failure> for NotTaken {
    fn from(failure: Failure) -> Self {
        Self { failure, answered: None }
    }
}

impl Advance<'_, '_> {
    /// Adds a step for each item.
    pub(super) fn fan_out(&mut self, place: StepIndex, step: &Step) -> Result<(), RunRejection> {
        let items = match self.items(place, step) {
            Ok(items) => items,
            Err(hindrance) => return self.hinder(place, hindrance),
        };
        if let Some(why) = self.too_many(place, step, &items)? {
            return self.fail(place, Code::TooManyItems.class(), Code::TooManyItems, why);
        }
        let (id, planned) = self.grower(place)?;
        if items.is_empty() {
            return self.complete(place, Json::of(&[(); 0]).unwrap_or_default());
        }
        self.fanned_bytes += self.bytes_of(place, step, &items)?;
        for (index, value) in items.into_iter().enumerate() {
            let value = self.draft.payload(value);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.draft.emit(StepAdded {
                inside: Some(id.clone()),
                item: Some(Item { index, value }),
                planned,
                ..step.added(id.item(index as usize), Because::ForEach)
            });
        }
        Ok(())
    }

    /// Why the run cannot grow by a step for each of these items, if it cannot.
    pub(super) fn too_many(
        &self,
        place: StepIndex,
        step: &Step,
        items: &[Json],
    ) -> Result<Option<String>, RunRejection> {
        let run = self.draft.state();
        let id = self.node(place)?.id();
        let may_be = run.about().ok_or(Impossible::NotBegun)?.started.growth.items as usize;
        let mut is = run.fanned as usize + items.len();
        if is > may_be {
            // What grew there before it started anew comes back.
            is -= (0..items.len()).filter(|index| run.node(&id.item(*index)).is_some()).count();
        }
        if is > may_be {
            let what = "steps would be added by all fan-outs of the run together";
            return Ok(Some(format!("{is} {what}, and no more than {may_be} may be")));
        }
        let bytes = self.fanned_bytes.saturating_add(self.bytes_of(place, step, items)?);
        Ok((bytes > FAN_OUT_BYTES_MAX).then(|| {
            format!("{} items would add {bytes} bytes at once, and {FAN_OUT_BYTES_MAX} may be", items.len())
        }))
    }

    /// About how much a step for each of these items adds to the store at once, in bytes: with the items themselves, also
    /// where these are stored beside the commit.
    fn bytes_of(&self, place: StepIndex, step: &Step, items: &[Json]) -> Result<usize, RunRejection> {
        /// What the numbers, lengths and the hash take that differ from item to item.
        const FRAME_BYTES: usize = 128;
        let (id, planned) = self.grower(place)?;
        let one = RunEvent::from(StepAdded {
            inside: Some(id.clone()),
            planned,
            ..step.added(id.item(items.len()), Because::ForEach)
        });
        let each = FRAME_BYTES + one.encode().map_or(0, |bytes| bytes.len());
        Ok(items.iter().fold(0_usize, |sum, item| sum.saturating_add(each + item.text().len())))
    }

    fn items(&self, place: StepIndex, step: &Step) -> Result<Vec<Json>, StartError> {
        let run = self.draft.state();
        let granted = run.steps.get(place).and_then(|node| node.granted.as_ref());
        match granted.and_then(|request| run.people.requests.get(request)) {
            Some(granted) => Ok(self.asked_of(granted)?.items.unwrap_or_default()),
            None => Ok(step.items(&self.scope(Some(place), &step.references())?)?),
        }
    }

    /// What the steps have in common that a step grows.
    fn grower(&self, place: StepIndex) -> Result<(StepId, Option<BlobRef>), RunRejection> {
        let node = self.node(place)?;
        Ok((node.id().clone(), node.added.planned))
    }

    /// Adds a step that a definition of its own says, which is recorded with it.
    pub(in crate::aggregates::run) fn add_grown(&mut self, added: StepAdded, definition: Definition) {
        let blob = Blob::new(definition.to_json().text().as_bytes());
        let planned = Some(self.draft.attach_value(blob, Arc::new(definition)));
        self.draft.emit(StepAdded { planned, ..added });
    }

    /// A loop goes round once more.
    pub(super) fn add_round(&mut self, place: StepIndex, step: &Step) -> Result<(), RunRejection> {
        let (id, planned) = self.grower(place)?;
        let round = u32::try_from(self.node(place)?.children.len() + 1).unwrap_or(u32::MAX);
        self.draft.emit(StepAdded {
            inside: Some(id.clone()),
            planned,
            ..step.added(id.round(round), Because::Repeat)
        });
        Ok(())
    }

    /// All is done with that grew in a step so far.
    pub(super) fn inner_done(&mut self, place: StepIndex) -> Result<(), RunRejection> {
        let node = self.node(place)?;
        if !node.is_done_inside() {
            return Ok(());
        }
        if let Some(why) = self.unguided(place)? {
            return self.fail(place, Class::Fatal, Code::AgentStuck, why);
        }
        match self.node(place)?.added.kind {
            StepKind::Repeat { .. } => self.round_done(place),
            StepKind::Work { .. } if self.has_turns(place)? => self.turn_done(place),
            StepKind::FanOut { .. }
            | StepKind::Work { .. }
            | StepKind::Sleep
            | StepKind::Wait { .. }
            | StepKind::AskOfPhase => {
                let outputs = self.list_of(&self.node(place)?.children)?;
                self.complete(place, outputs)
            }
        }
    }

    /// A round is done with: it was the last, or there is another.
    fn round_done(&mut self, place: StepIndex) -> Result<(), RunRejection> {
        let step = self.template(place)?;
        let node = self.node(place)?;
        let rounds = node.children.len();
        let used = rounds - node.rounds_before.min(rounds);
        let Some(last) = node.children.last().and_then(|last| self.draft.state().steps.get(*last)) else {
            return Ok(());
        };
        if let StepPhase::Skipped { reason: SkipReason::Dependency, message } = &last.doing.phase {
            return self.skip(place, SkipReason::Dependency, message.clone());
        }
        let output = last.output().cloned();
        match self.is_last_round(place, &step, rounds, output.as_ref()) {
            Ok(Some(output)) => return self.complete(place, output),
            Ok(None) => {}
            Err(hindrance) => return self.hinder(place, hindrance),
        }
        let max = step.repeat.as_ref().map_or(0, |repeat| repeat.max);
        if used < max as usize {
            return self.add_round(place, &step);
        }
        let code = Code::RoundsUsedUp;
        self.fail(place, code.class(), code, format!("`until` was not true after {max} rounds"))
    }

    /// The output of the loop, if its `until` is true. A round that was given up has none, and is not the last.
    fn is_last_round(
        &self,
        place: StepIndex,
        step: &Step,
        rounds: usize,
        output: Option<&Payload>,
    ) -> Result<Option<Json>, StartError> {
        let Some(output) = output else { return Ok(None) };
        let output = self.draft.json(output, self.moment)?;
        Ok(self.is_over(place, step, rounds, output.clone())?.then_some(output))
    }

    /// Whether the `until` of a loop is true once its last round has that output.
    pub(in crate::aggregates::run) fn is_over(
        &self,
        place: StepIndex,
        step: &Step,
        rounds: usize,
        output: Json,
    ) -> Result<bool, StartError> {
        let Some(repeat) = &step.repeat else { return Ok(false) };
        let round = u32::try_from(rounds).unwrap_or(u32::MAX);
        let mut scope = self.scope(Some(place), repeat.until.references())?;
        scope.round = Some((round, output));
        Ok(repeat.until.is_true(&scope)?)
    }

    /// The output of a step: all that it answered, or what its `output` makes of that.
    pub(in crate::aggregates::run) fn taken(
        &self,
        place: StepIndex,
        answer: Json,
    ) -> Result<Result<Json, NotTaken>, RunRejection> {
        let step = self.template(place)?;
        let answer = match answer::declared(step.schema.as_ref(), answer) {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(Failure::new(Code::OutputSchema, why).into())),
        };
        let output = match step.output.is_some() {
            false => answer,
            true => match self.made(place, &step, &answer) {
                Ok(output) => output.unwrap_or(answer),
                Err(hindrance) => {
                    let message = format!("its `output` cannot be made: {}", hindrance.of_the_step()?);
                    let failure = Failure::new(Code::ExpressionFailed, message);
                    return Ok(Err(NotTaken { failure, answered: Some(Box::new(answer)) }));
                }
            },
        };
        let wrong = self.is_wrong(place, &output)?;
        Ok(wrong.map_or(Ok(output), |failure| Err(NotTaken { failure, answered: None })))
    }

    fn made(&self, place: StepIndex, step: &Step, answer: &Json) -> Result<Option<Json>, StartError> {
        let scope = self.scope(Some(place), &step.output_references())?;
        Ok(step.made_output(&Scope { answer: Some(answer.clone()), ..scope })?)
    }

    /// Why the output of a step cannot be taken, if it cannot: its `schema`, or a plan that cannot join the run.
    pub(in crate::aggregates::run) fn is_wrong(
        &self,
        place: StepIndex,
        answer: &Json,
    ) -> Result<Option<Failure>, RunRejection> {
        let step = self.template(place)?;
        // The schema of a fan-out is that of each item.
        let is_list = matches!(self.node(place)?.added.kind, StepKind::FanOut { .. });
        let schema = step.schema.as_ref().filter(|_| !is_list);
        let wrong = schema.and_then(|schema| output::check(schema, answer).err());
        let wrong = wrong.map(|why| Problem::new(Code::OutputSchema, why));
        let wrong = match wrong {
            Some(wrong) => Some(wrong),
            None => self.planned(place, answer)?.err(),
        };
        Ok(wrong.map(|problem| Failure::new(problem.code, problem.message)))
    }

    /// The outputs of some steps as a list; null for those that have none.
    fn list_of(&self, places: &[StepIndex]) -> Result<Json, RunRejection> {
        let mut outputs = Vec::with_capacity(places.len());
        for place in places {
            let output = self.node(*place)?.output();
            let json = output.map(|output| self.draft.json(output, self.moment)).transpose()?;
            outputs.push(json.unwrap_or_default());
        }
        Ok(Json::of(&outputs).unwrap_or_default())
    }
}

impl Run {
    /// The step that an expression of this one means by an id: one of the same plan, of the plan around that, or of the
    /// run.
    pub(crate) fn meant(&self, place: Option<StepIndex>, id: &StepId) -> Option<&Node> {
        let planners = place.map(|place| self.planners(place)).unwrap_or_default();
        let sibling = planners.into_iter().find_map(|planner| self.node(&planner.id().planned(id)));
        sibling.or_else(|| self.node(id)).map(|(_, node)| node)
    }

    /// The steps of the same plan.
    pub(super) fn siblings(&self, place: StepIndex) -> impl Iterator<Item = &Node> {
        let planner = self.planners(place).into_iter().next();
        planner.into_iter().flat_map(|planner| self.steps.all(&planner.children))
    }

    /// The steps whose plans a step is in, the nearest first.
    pub(in crate::aggregates::run) fn planners(&self, place: StepIndex) -> Vec<&Node> {
        let mut planners = Vec::new();
        let mut next = self.steps.get(place);
        while let Some(node) = next {
            next = self.steps.outer(node);
            planners.extend(next.filter(|_| node.added.because == Because::Plan));
        }
        planners
    }
}
