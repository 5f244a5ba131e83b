//! What asks about phases, and what waits for the answers.

use std::collections::BTreeSet;

use super::*;

/// A step of a run: one of the file, by its place there, or one that asks about a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::saga) enum Vertex {
    Step(usize),
    Phase(&'static str),
}

impl Model {
    /// The steps of a run in its order: what is asked before a phase comes before its first step, and what is asked after
    /// it after its last.
    pub(in crate::saga) fn vertices(&self) -> Vec<Vertex> {
        let mut vertices = Vec::new();
        for place in 0..self.steps.len() {
            let gate = self.gate_of(place);
            let is_one_of =
                |other: usize| gate.is_some_and(|(phase, _)| self.steps[other].phase == Some(phase));
            let asks = |before: bool, is_end: bool| {
                gate.filter(|(_, gate)| gate.before == before && is_end)
                    .map(|(phase, _)| Vertex::Phase(phase))
            };
            vertices.extend(asks(true, !(0..place).any(is_one_of)));
            vertices.push(Vertex::Step(place));
            vertices.extend(asks(false, !(place + 1..self.steps.len()).any(is_one_of)));
        }
        vertices
    }

    /// What a step waits for beside what it says that it needs.
    pub(in crate::saga) fn waits_for(&self, vertex: Vertex) -> Vec<Vertex> {
        match vertex {
            Vertex::Step(place) => {
                let own = self.gate_of(place).filter(|(_, gate)| gate.before);
                let needs = self.steps[place].needs.iter().copied();
                own.map(|(phase, _)| Vertex::Phase(phase))
                    .into_iter()
                    .chain(self.answers_about(needs, self.steps[place].phase))
                    .collect()
            }
            Vertex::Phase(phase) => {
                let members =
                    || (0..self.steps.len()).filter(|place| self.steps[*place].phase == Some(phase));
                if !self.gate(phase).before {
                    return members().map(Vertex::Step).collect();
                }
                let needs: BTreeSet<usize> =
                    members().flat_map(|member| self.steps[member].needs.clone()).collect();
                let is_after =
                    |place: usize| members().any(|member| member == place || self.comes_after(place, member));
                let others: Vec<usize> = needs.into_iter().filter(|need| !is_after(*need)).collect();
                let answers = self.answers_about(others.clone().into_iter(), Some(phase));
                others.into_iter().map(Vertex::Step).chain(answers).collect()
            }
        }
    }

    /// The phases that have to be granted before those may be used, by who is not of that phase.
    fn answers_about(
        &self,
        needs: impl Iterator<Item = usize>,
        own: Option<&'static str>,
    ) -> BTreeSet<Vertex> {
        let gates = needs.filter_map(|need| self.gate_of(need));
        let after = gates.filter(|(phase, gate)| !gate.before && own != Some(*phase));
        after.map(|(phase, _)| Vertex::Phase(phase)).collect()
    }

    fn gate_of(&self, place: usize) -> Option<(&'static str, ApprovalRule)> {
        self.phases.iter().find(|(phase, _)| self.steps[place].phase == Some(phase)).copied()
    }

    pub(in crate::saga) fn gate(&self, phase: &str) -> ApprovalRule {
        self.phases.iter().find(|(name, _)| *name == phase).expect("the phase is asked about").1
    }

    fn comes_after(&self, place: usize, other: usize) -> bool {
        self.steps[place].needs.iter().any(|need| *need == other || self.comes_after(*need, other))
    }

    /// Whether something waits for itself.
    pub(in crate::saga) fn is_circular(&self) -> bool {
        let all = self.vertices();
        let mut done: BTreeSet<Vertex> = BTreeSet::new();
        loop {
            let ready = |vertex: &&Vertex| {
                let needs: &[usize] = match vertex {
                    Vertex::Step(place) => &self.steps[*place].needs,
                    Vertex::Phase(_) => &[],
                };
                !done.contains(vertex)
                    && needs.iter().all(|need| done.contains(&Vertex::Step(*need)))
                    && self.waits_for(**vertex).iter().all(|other| done.contains(other))
            };
            let Some(next) = all.iter().find(ready).copied() else { return done.len() < all.len() };
            done.insert(next);
        }
    }
}

impl Step {
    /// What asks about a phase.
    pub(in crate::saga) fn asks_of(phase: &'static str, gate: ApprovalRule) -> Self {
        Self {
            needs: Vec::new(),
            does: Does::AskOfPhase,
            grows: Grows::Nothing,
            condition: Condition::Always,
            uses: None,
            tries: 1,
            on_error: OnError::Fail,
            fallback: false,
            gate: Some(gate),
            schema: false,
            phase: Some(phase),
            undo: None,
            harmless: false,
            irreversible: false,
            at_most_once: false,
        }
    }
}
