//! What a file says of contexts that runs share: by which aliases its expressions and agents name them, and which locks steps
//! hold.

use std::collections::BTreeMap;

use super::diagnostics::{Diagnostics, Fields};
use super::tree::{Tree, Value};
use crate::events::ids::{ContextKey, ContextName, LockName};
use crate::events::problem::{Code, Problem, nearest};
use crate::workflow::definition::StepLock;

/// How many shared contexts a workflow may name.
const CONTEXTS_MAX: usize = 64;

/// How many locks a step may hold: it gets them one after the other.
const LOCKS_MAX: usize = 16;

/// The shared contexts that steps may name.
#[derive(Debug, Clone, Default)]
pub(super) struct Contexts {
    pub(super) by_alias: BTreeMap<String, ContextName>,
    /// Whether no other may be named: what an agent planned touches no context but those of its run's workflow.
    pub(super) no_others: bool,
}

impl Contexts {
    /// Reads `contexts`.
    pub(super) fn read(report: &mut Diagnostics<'_>, tree: &Tree) -> Self {
        let mut contexts = Self::default();
        let Value::Map(entries) = &tree.value else {
            report.wants("contexts", "a map of aliases and names of contexts", tree);
            return contexts;
        };
        if let Some((first, _)) = entries.get(CONTEXTS_MAX) {
            let message = format!(
                "`contexts` has {} entries, and no more than {CONTEXTS_MAX} are allowed",
                entries.len()
            );
            report.refuse(first, Problem::new(Code::TooLarge, message));
            return contexts;
        }
        for (key, value) in entries {
            let alias = report.text("an alias in `contexts`", key);
            let name = report.text("contexts", value);
            let (Some(alias), Some(name)) = (alias, name) else { continue };
            if !is_alias(alias) {
                let message = format!("`{alias}` is no alias of a context");
                let problem = Problem::new(Code::BadContextName, message);
                report.refuse(key, problem.hint("use letters, digits and `_`, beginning with a letter"));
                continue;
            }
            match ContextName::parse(name) {
                Ok(name) => drop(contexts.by_alias.insert(alias.to_owned(), name)),
                Err(why) => report.refuse(value, Problem::new(Code::BadContextName, why.to_string())),
            }
        }
        contexts
    }

    /// The context that a lock names: by its alias, or else by its name.
    fn named(&self, text: &str) -> Result<ContextName, Problem> {
        match self.by_alias.get(text) {
            Some(name) => Ok(name.clone()),
            None if self.no_others => Err(self.unknown(text)),
            None => {
                ContextName::parse(text).map_err(|why| Problem::new(Code::BadContextName, why.to_string()))
            }
        }
    }

    /// An alias that is none.
    pub(super) fn unknown(&self, alias: &str) -> Problem {
        let problem = Problem::new(Code::UnknownName, format!("no context has the alias `{alias}`"));
        match nearest(alias, self.by_alias.keys().map(String::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("say at the top of the file `contexts: {{{alias}: NAME}}`")),
        }
    }
}

/// Whether expressions can write `contexts.ALIAS.key`, and `CONTEXT ALIAS/key` is not ambiguous.
fn is_alias(text: &str) -> bool {
    ContextKey::parse(text).is_ok() && ContextName::parse(text).is_ok() && !text.contains('-')
}

/// Reads the `locks` of a step, in the order in which all steps get theirs: so two that want the same ones never wait for each
/// other.
pub(super) fn locks(report: &mut Diagnostics<'_>, fields: &Fields<'_>, contexts: &Contexts) -> Vec<StepLock> {
    let Some(tree) = fields.get("locks") else { return Vec::new() };
    if let Some(key) = fields.key("locks").filter(|_| fields.get("workflow").is_some()) {
        report.contradiction(key, "the steps of a child hold locks of their own: `locks` says nothing there");
        return Vec::new();
    }
    let items = report.list("locks", tree).unwrap_or_default();
    if let Some(first) = items.get(LOCKS_MAX) {
        let message = format!("a step holds {LOCKS_MAX} locks at most, and this one has {}", items.len());
        report.refuse(first, Problem::new(Code::TooLarge, message));
        return Vec::new();
    }
    let mut locks = Vec::new();
    for item in items {
        let Some(text) = report.text("locks", item) else { continue };
        let parsed = text.split_once('/').ok_or_else(|| {
            let message = format!("`{text}` names no lock of a context");
            Problem::new(Code::BadContextName, message)
                .hint("write `CONTEXT/NAME`, as in `accounts/transfer`")
        });
        let lock = parsed.and_then(|(context, lock)| {
            let lock =
                LockName::parse(lock).map_err(|why| Problem::new(Code::BadContextName, why.to_string()))?;
            Ok(StepLock { context: contexts.named(context)?, lock })
        });
        match lock {
            Ok(lock) => locks.push(lock),
            Err(problem) => report.refuse(item, problem),
        }
    }
    locks.sort();
    let named = locks.len();
    locks.dedup();
    if locks.len() < named {
        let problem = Problem::new(Code::Contradiction, "a lock stands twice in `locks`");
        report.warn(tree, problem.hint("take one out"));
    }
    locks
}
