//! What a file says about its phases: who is asked about each of them as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostics::{Diagnostics, Fields};
use super::gates;
use super::keys::Keys;
use super::kinds::NAME_CHARS_MAX;
use super::steps::Draft;
use super::tree::{Tree, Value};
use crate::events::ids::StepId;
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::Gate;
use crate::workflow::definition::{PhaseRules, Step};
use crate::workflow::phases::circles;

/// How many phases people may be asked about.
const PHASES_MAX: usize = 1_000;

pub(super) const KEYS: Keys = Keys {
    known: &[
        gates::APPROVE,
        gates::APPROVERS,
        gates::APPROVALS,
        gates::EXPIRES,
        gates::CHECKLIST,
        gates::REQUIRE_CHECKLIST,
    ],
    required: &["approve"],

    elsewhere: &[
        ("on_error", ONE_STEP),
        ("optional", ONE_STEP),
        ("if", ONE_STEP),
        ("needs", ONE_STEP),
        ("retry", ONE_STEP),
        ("compensate", ONE_STEP),
        ("steps", "steps say themselves which phase they belong to: give each a `phase`"),
    ],

    ..Keys::of("a phase")
};
const ONE_STEP: &str = "it says something about one step: write it there";

/// The phases that people are asked about, with their places.
pub(super) struct Phases<'t> {
    pub(super) rules: BTreeMap<String, PhaseRules>,
    places: Vec<(String, &'t Tree)>,
}

impl<'t> Phases<'t> {
    pub(super) fn read<'s: 't>(
        report: &mut Diagnostics<'s>,
        tree: Option<&'t Tree>,
        drafts: &[Draft<'_>],
    ) -> Self {
        let mut phases = Self { rules: BTreeMap::new(), places: Vec::new() };
        let Some(tree) = tree else { return phases };
        let Value::Map(entries) = &tree.value else {
            report.wants("phases", "a map of names and what is said about each", tree);
            return phases;
        };
        if let Some((first, _)) = entries.get(PHASES_MAX) {
            let message =
                format!("`phases` has {} entries, and no more than {PHASES_MAX} are allowed", entries.len());
            report.refuse(first, Problem::new(Code::TooLarge, message));
            return phases;
        }
        for (key, value) in entries {
            let Some(name) = report.line("a name in `phases`", NAME_CHARS_MAX, key) else { continue };
            is_known(report, name, key, drafts);
            if let Some(rules) = rules(report, name, key, value) {
                warn_of_asking_twice(report, name, rules.approval.gate, drafts);
                phases.rules.insert(name.to_owned(), rules);
                phases.places.push((name.to_owned(), key));
            }
        }
        phases
    }

    /// Refuses what would wait for itself: a step of a phase that needs a step that waits for the
    /// answer about the phase.
    pub(super) fn refuse_circles(&self, report: &mut Diagnostics<'_>, steps: &[Arc<Step>]) {
        for (phase, circle) in circles(steps, &self.rules) {
            let Some((_, place)) = self.places.iter().find(|(name, _)| *name == phase) else { continue };
            let told = |id: &StepId| match id.as_str().strip_prefix(StepId::PHASE) {
                Some(phase) => format!("the approval of `{phase}`"),
                None => id.to_string(),
            };
            let names: Vec<String> = circle.iter().chain(circle.first()).map(told).collect();
            let message = format!("the approval of phase `{phase}` waits for itself: {}", names.join(" → "));
            report.refuse(place, Problem::new(Code::PhaseCircle, message));
        }
    }
}

fn rules(report: &mut Diagnostics<'_>, name: &str, key: &Tree, value: &Tree) -> Option<PhaseRules> {
    if matches!(value.value, Value::Null) {
        return says_nothing(report, name, key);
    }
    let fields = Fields::read(report, "a phase", &KEYS, value)?;
    let problems = report.problems.len();
    let approval = gates::approval(report, &fields);
    if approval.is_none() && report.problems.len() == problems && !fields.refused_some() {
        return says_nothing(report, name, key);
    }
    Some(PhaseRules { approval: approval? })
}

fn says_nothing(report: &mut Diagnostics<'_>, name: &str, key: &Tree) -> Option<PhaseRules> {
    let problem = Problem::new(Code::BadValue, format!("nothing is said about the phase `{name}`"));
    report.refuse(key, problem.hint("add `approve: before` or `approve: after`, or take it out"));
    None
}

fn is_known(report: &mut Diagnostics<'_>, name: &str, key: &Tree, drafts: &[Draft<'_>]) {
    let mut known: Vec<&str> =
        drafts.iter().filter_map(|draft| draft.phase).map(|(phase, _)| phase).collect();
    if known.contains(&name) {
        return;
    }
    known.sort_unstable();
    let problem = Problem::new(Code::UnknownPhase, format!("no step belongs to the phase `{name}`"));
    report.refuse(
        key,
        match nearest(name, known) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        },
    );
}

/// Warns of a step that asks for an approval of its own, beside the one of its phase.
fn warn_of_asking_twice(report: &mut Diagnostics<'_>, name: &str, gate: Gate, drafts: &[Draft<'_>]) {
    for draft in drafts.iter().filter(|draft| draft.phase.is_some_and(|(phase, _)| phase == name)) {
        let Some(step) = &draft.step else { continue };
        if step.approval.as_ref().is_some_and(|approval| approval.gate == gate) {
            let first = match gate {
                Gate::After => "about the step first",
                Gate::Before => "about the phase first",
            };
            let message = format!(
                "`{}` and its phase `{name}` both have an `approve`: people are asked twice, {first}",
                step.id
            );
            let hint = "take one of them out, if one answer is enough";
            report.warn(draft.place, Problem::new(Code::Contradiction, message).hint(hint).step(&step.id));
        }
    }
}
