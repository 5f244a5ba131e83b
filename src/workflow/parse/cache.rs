//! The key `cache` of a step: when it may take an earlier answer in place of an attempt.

use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Keys, Takes, key};
use super::saga;
use super::tree::{Tree, Value};
use super::values::{Use, Values};
use crate::events::problem::{Code, Problem};
use crate::events::run::Gate;
use crate::workflow::cache::{GLOBS_MAX, check_glob};
use crate::workflow::definition::{Approval, CacheRules};

pub(super) const KEYS: Keys = Keys {
    known: &[
        key("ttl", Takes::Duration, "how old the answer may be; any age if it is left out"),
        key("files", Takes::Texts, "globs of files in the work folder that may not have changed since"),
    ],
    ..Keys::of("`cache`")
};

/// What cannot stand beside it, each with the reason.
const ALONE: [(&str, &str); 7] = [
    (
        "compensate",
        "an answer from the cache did nothing that could be undone, and the step says that it does",
    ),
    (
        "irreversible",
        "a step that does what cannot be undone is to do it, and not to answer what it did before",
    ),
    ("repeat", "each round is another try, and would be given the answer of the one before"),
    ("plan", "a plan is made for a run and what it has done, and not for another"),
    ("workflow", "the steps of a child have a `cache` of their own"),
    ("sleep", "a `sleep` answers nothing"),
    ("wait_for", "a signal is waited for, and not answered from before"),
];

/// Reads the key, with the expressions in it.
pub(super) fn read<'t, 's: 't>(
    report: &mut Diagnostics<'s>,
    step: &Fields<'t>,
    uses: &mut Vec<Use<'t>>,
    approval: Option<&Approval>,
) -> Option<CacheRules> {
    let (key, tree) = (step.key("cache")?, step.get("cache")?);
    for (other, why) in ALONE {
        let Some(beside) = step.get(other).filter(|tree| stands_in_the_way(other, tree)) else { continue };
        let message = format!("`cache` and `{other}` cannot stand in one step: {why}");
        let hint = format!("take out `cache`, or `{other}` in line {}", beside.line);
        report.refuse(key, Problem::new(Code::Contradiction, message).hint(hint));
    }
    if approval.is_some_and(|approval| approval.gate == Gate::After) {
        let message = "`cache` and `approve: after` cannot stand in one step: what people refused would be answered again";
        let hint = "take out `cache`, or let people be asked in a step of their own";
        report.refuse(key, Problem::new(Code::Contradiction, message).hint(hint));
    }
    let fields = Fields::read(report, "cache", &KEYS, tree)?;
    let ttl = fields.get("ttl").and_then(|tree| report.positive_duration("ttl", tree));
    let Some(files) = fields.get("files") else { return Some(CacheRules { ttl, files: None }) };
    let items = report.list("files", files)?;
    if let Some(first) = items.get(GLOBS_MAX) {
        let message =
            format!("`files` names {} globs, and no more than {GLOBS_MAX} are allowed", items.len());
        report.refuse(first, Problem::new(Code::TooLarge, message));
        return None;
    }
    for item in items {
        let Some(text) = report.text("files", item) else { continue };
        // What is rendered is checked then.
        if let Some(why) = check_glob(text).err().filter(|_| !text.contains("{{")) {
            let hint = "name files in the work folder, as in `src/**/*.rs`";
            report.refuse(item, Problem::new(Code::BadValue, why).hint(hint));
        }
    }
    let mut values = Values { report, uses: Vec::new() };
    let files = values.template("files", files);
    uses.append(&mut values.uses);
    Some(CacheRules { ttl, files })
}

/// Whether a key that stands there says what cannot be beside it.
fn stands_in_the_way(key: &str, tree: &Tree) -> bool {
    match &tree.value {
        Value::Bool(is) => *is,
        Value::Text(word) => key != "compensate" || word != saga::NONE,
        _ => true,
    }
}
