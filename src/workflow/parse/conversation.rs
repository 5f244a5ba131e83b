//! The key `conversation` of a step: the conversation with which it goes on.

use super::diagnostics::{Diagnostics, Fields};
use super::tree::Value;
use super::values::{Use, Values};
use crate::events::ids::ConversationName;
use crate::events::problem::{Code, Problem};
use crate::workflow::template::Template;

/// Reads the key, with the expressions in it.
pub(super) fn read<'t, 's: 't>(
    report: &mut Diagnostics<'s>,
    step: &Fields<'t>,
    uses: &mut Vec<Use<'t>>,
) -> Option<Template> {
    let (key, tree) = (step.key("conversation")?, step.get("conversation")?);
    if step.get("workflow").is_some() {
        let message =
            "the steps of a child go on with conversations of their own: `conversation` says nothing there";
        report.contradiction(key, message);
        return None;
    }
    if let Some(cache) = step.get("cache") {
        let message = "`conversation` and `cache` cannot stand in one step: an earlier answer was given to what was said then";
        let hint = format!("take out `conversation`, or `cache` in line {}", cache.line);
        report.refuse(key, Problem::new(Code::Contradiction, message).hint(hint));
    }
    let mut values = Values { report, uses: Vec::new() };
    let name = values.text("conversation", tree);
    uses.append(&mut values.uses);
    if let Value::Text(text) = &tree.value
        // What is rendered is checked then.
        && !text.contains("{{")
        && let Err(why) = ConversationName::parse(text)
    {
        report.refuse(tree, Problem::new(Code::BadConversationName, why.to_string()));
    }
    name
}
