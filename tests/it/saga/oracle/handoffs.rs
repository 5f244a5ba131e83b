//! How the work of a step goes on from agent to agent.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Grows, Known, Oracle, Part, State, Step};
use crate::saga::model::{Condition, HANDOFFS};

/// That another agent is to go on, as an attempt says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::saga) struct Hand {
    pub(in crate::saga) to: &'static str,
    /// What that one has to know: a key and its value.
    pub(in crate::saga) item: (&'static str, u64),
}

/// A handoff that was made in the chain of a step.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    from: &'static str,
    item: (&'static str, u64),
}

impl Oracle {
    /// The step with which the chain began that a step is part of.
    fn chain_begins(&self, place: usize) -> usize {
        let step = &self.steps[place];
        if step.part == Part::Handed { step.inside.expect("it grew in one") } else { place }
    }

    /// Whether a handoff may not be made.
    pub(super) fn is_bad_handoff(&self, place: usize, undoes: bool, hand: &Hand, output: &Value) -> bool {
        let hops = &self.steps[self.chain_begins(place)].handoffs;
        let agent = self.steps[place].agent();
        let is_unknown = !["other", "third", "world"].contains(&hand.to);
        // What the files of the agents say.
        let is_forbidden = agent == "other" && hand.to != "world" || agent == "third" && hand.to == "third";
        let is_in_chain = hand.to == agent || hops.iter().any(|hop| hop.from == hand.to);
        let is_old = hops.iter().any(|hop| hop.item == hand.item);
        let is_plan = output["plan"].is_u64();
        undoes || is_unknown || is_forbidden || is_plan || hops.len() >= HANDOFFS || is_in_chain && is_old
    }

    /// Another agent goes on with the work of a step, which completes.
    pub(super) fn hand_over(&mut self, place: usize, hand: &Hand, output: &Value) {
        let first = self.chain_begins(place);
        let (from, is_handed) = (self.steps[place].agent(), first != place);
        let given = self.work(place).expect("it was given");
        self.steps[first].handoffs.push(Hop { from, item: hand.item });
        let chain: Vec<&str> =
            self.steps[first].handoffs.iter().map(|hop| hop.from).chain([hand.to]).collect();
        let told = |key: &str| if is_handed { given[key].clone() } else { Value::Null };
        let mut work = told("work").as_array().cloned().unwrap_or_default();
        work.push(json!({ "agent": from, "output": output }));
        // Whoever stands in has a prompt, and the others have none.
        let prompt = if self.steps[place].fallen_back { json!(" again") } else { Value::Null };
        let told = json!({
            "task": if is_handed { told("task") } else { prompt },
            "input": if is_handed { told("input") } else { given.clone() },
            "work": work,
            "reason": "it says so",
            "context": { hand.item.0: hand.item.1.to_string() },
            "handoff": { "chain": chain },
        });
        let (rules, locals) = (Arc::clone(&self.steps[place].rules), self.steps[place].locals.clone());
        let is_part = self.steps[place].is_part();
        let rules = Step {
            needs: Vec::new(),
            grows: Grows::Nothing,
            condition: Condition::Always,
            uses: None,
            fallback: false,
            gate: rules.gate.filter(|_| !is_part),
            undo: None,
            ..(*rules).clone()
        };
        let id = format!("{}/handoff[{}]", self.steps[first].id, self.steps[first].handoffs.len());
        self.add(id.clone(), Arc::new(rules), locals, first, Part::Handed);
        let next = self.place_of(&id);
        let waits_for = if is_handed { vec![place] } else { Vec::new() };
        let step = &mut self.steps[next];
        (step.waits_for, step.handed, step.taken_over_by) = (waits_for, told, Some(hand.to));
    }

    /// What a step answered that others handed over is what the whole answers.
    pub(super) fn hand_up(&mut self, place: usize, came_through: bool) {
        let first = self.chain_begins(place);
        if first == place || self.steps[first].state != State::Completed {
            return;
        }
        self.steps[first].in_vain = !came_through;
        if came_through {
            self.steps[first].output = self.steps[place].output.clone();
        }
    }
}

impl Known {
    /// Its work is done anew: nobody has handed it over.
    pub(super) fn forget_its_chain(&mut self) {
        self.handoffs.clear();
        self.in_vain = false;
    }
}
