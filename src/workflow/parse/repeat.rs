//! The key `repeat`: a step that is done again and again.

use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key};
use super::tree::Tree;
use super::values::{Use, Values};
use crate::events::problem::{Code, Problem};
use crate::workflow::definition::Repeat;

pub(super) const KEYS: Keys = Keys {
    known: &[
        key(
            "until",
            Takes::Expression,
            "an expression over `output` and `round`: the loop ends when it is true",
        ),
        key("max", Takes::Count(ROUNDS_MAX), "how many rounds there are at most"),
    ],
    required: &["until", "max"],

    elsewhere: &[
        ("retry", "write it in the step: it holds for each round"),
        ("timeout", "write it in the step: it holds for each attempt"),
        ("sleep", "let the step itself wait between its rounds"),
    ],

    ..Keys::of("`repeat`")
};

/// How many rounds a loop may have: each round is a step of the run's graph, and a file may
/// have as many steps.
const ROUNDS_MAX: u32 = 10_000;

/// The kinds of steps that cannot be repeated, each with a hint.
const ALONE: [(&str, &str); 3] = [
    ("for_each", "put the loop into a workflow of its own, and start that with `workflow`"),
    ("sleep", "a `sleep` is as long as it says"),
    ("wait_for", "wait for each signal in a step of its own"),
];

/// Reads the key, with the expression in it.
pub(super) fn read<'t, 's: 't>(
    report: &mut Diagnostics<'s>,
    step: &Fields<'t>,
) -> (Option<Repeat>, Vec<Use<'t>>) {
    let (Some(key), Some(tree)) = (step.key("repeat"), step.get("repeat")) else { return (None, Vec::new()) };
    for (kind, hint) in ALONE.iter().filter(|(kind, _)| step.get(kind).is_some()) {
        let message = format!("`repeat` and `{kind}` cannot stand in one step");
        report.refuse(key, Problem::new(Code::Contradiction, message).hint(*hint));
    }
    let Some(fields) = Fields::read(report, "repeat", &KEYS, tree) else { return (None, Vec::new()) };
    let mut values = Values { report, uses: Vec::new() };
    let until = match fields.get("until") {
        Some(tree) => values.expression("until", tree),
        None => missing(values.report, &fields, tree, "until", "say when it ends: `until: output.ready`"),
    };
    let uses = values.uses;
    let max = match fields.get("max") {
        Some(tree) => report.count_to("max", ROUNDS_MAX, tree),
        None => missing(report, &fields, tree, "max", "say how many rounds there are at most: `max: 10`"),
    };
    (until.zip(max).map(|(until, max)| Repeat { until, max }), uses)
}

fn missing<T>(
    report: &mut Diagnostics<'_>,
    fields: &Fields<'_>,
    tree: &Tree,
    key: &str,
    hint: &str,
) -> Option<T> {
    // A key that was refused may be the one that is missing.
    if !fields.refused_some() {
        report.refuse(tree, Problem::new(Code::BadValue, format!("`repeat` has no `{key}`")).hint(hint));
    }
    None
}
