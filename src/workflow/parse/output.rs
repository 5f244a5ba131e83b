//! The key `output` of a step: what its output is made of.

use super::diagnostics::{Diagnostics, Fields};
use super::tree::Value;
use super::values::{Use, Values};
use crate::workflow::definition::StepOutput;

/// Reads the key, with the expressions in it: an expression, or a map or a list that holds some.
pub(super) fn read<'t, 's: 't>(
    report: &mut Diagnostics<'s>,
    step: &Fields<'t>,
) -> (Option<StepOutput>, Vec<Use<'t>>) {
    let Some(tree) = step.get("output") else { return (None, Vec::new()) };
    let mut values = Values { report, uses: Vec::new() };
    let output = match &tree.value {
        Value::Map(_) | Value::List(_) => values.template("output", tree).map(StepOutput::Made),
        Value::Text(_) => values.expression("output", tree).map(StepOutput::Of),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            values.report.wants("output", "an expression, a map or a list", tree);
            None
        }
    };
    (output, values.uses)
}
