//! What a step says about who must grant it: `approve`, `approvers`, `approvals`, `expires`, `checklist`,
//! `require_checklist`.

use super::diagnostics::{Diagnostics, Fields};
use super::keys::{Key, Takes, key, words};
use super::tree::{Tree, Value};
use crate::events::problem::{Code, Problem};
use crate::events::run::Gate;
use crate::workflow::definition::Approval;

/// The keys by which steps and phases say it.
pub(super) const APPROVE: Key = key(
    "approve",
    Takes::Word(|| words(&GATES)),
    "who has to grant it: `before` it is done, or `after`, what it answered",
);
pub(super) const APPROVERS: Key = key("approvers", Takes::Texts, "who may answer; anybody if it is left out");
pub(super) const APPROVALS: Key =
    key("approvals", Takes::Count(PEOPLE_MAX), "how many different people have to grant it");
pub(super) const EXPIRES: Key = key("expires", Takes::Duration, "how long there is to answer");
pub(super) const CHECKLIST: Key = key("checklist", Takes::Texts, "what a reviewer is to look at");
pub(super) const REQUIRE_CHECKLIST: Key =
    key("require_checklist", Takes::Flag, "whether every point has to be ticked before a grant counts");

const GATES: [(&str, Gate); 2] = [("before", Gate::Before), ("after", Gate::After)];

/// How many people may be named, and how many may be needed. A longer list is a group of
/// people, and belongs elsewhere.
const PEOPLE_MAX: u32 = 100;

const NAME_CHARS_MAX: usize = 100;

/// The approval that a step needs; none if it needs none.
pub(super) fn approval(report: &mut Diagnostics<'_>, fields: &Fields<'_>) -> Option<Approval> {
    let Some(tree) = fields.get("approve") else {
        for Key { name, .. } in [APPROVERS, APPROVALS, EXPIRES, CHECKLIST, REQUIRE_CHECKLIST] {
            if let Some(place) = fields.key(name) {
                let message = format!("`{name}` says nothing without `approve`");
                let hint = "add `approve: before` or `approve: after`, or take it out";
                report.refuse(place, Problem::new(Code::Contradiction, message).hint(hint));
            }
        }
        return None;
    };
    let gate = report.choice("approve", &GATES, tree);
    let approvers = match fields.get("approvers") {
        Some(tree) => approvers(report, tree),
        None => Some(Vec::new()),
    };
    let needed = match fields.get("approvals") {
        Some(tree) => needed(report, tree, approvers.as_deref()),
        None => Some(1),
    };
    let expires = fields.get("expires").and_then(|tree| report.positive_duration("expires", tree));
    let checklist = fields.get("checklist").map(|tree| checklist(report, tree)).unwrap_or_default();
    let required = fields.get("require_checklist");
    let require_checklist = required.and_then(|tree| report.flag("require_checklist", tree)).unwrap_or(false);
    let (gate, approvers, needed) = (gate?, approvers?, needed?);
    Some(Approval { gate, approvers, needed, expires, checklist, require_checklist })
}

/// The names of those who may answer; none if something is wrong with the list.
fn approvers(report: &mut Diagnostics<'_>, tree: &Tree) -> Option<Vec<String>> {
    if let Value::Text(name) = &tree.value {
        let problem = Problem::new(Code::BadValue, "`approvers` takes a list of names, and this is a text");
        report.refuse(tree, problem.hint(format!("write `approvers: [{name}]`")));
        return None;
    }
    let items = report.list("approvers", tree)?;
    if items.is_empty() {
        let problem = Problem::new(Code::BadValue, "`approvers` names nobody, and so nobody could answer");
        report.refuse(tree, problem.hint("name somebody, or leave it out: then anybody may answer"));
        return None;
    }
    if items.len() > PEOPLE_MAX as usize {
        let message = format!("`approvers` takes at most {PEOPLE_MAX} names, and this has {}", items.len());
        report.refuse(tree, Problem::new(Code::TooLarge, message));
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for item in items {
        let name = report.line("approvers", NAME_CHARS_MAX, item)?;
        if names.iter().any(|earlier| earlier == name) {
            let problem = Problem::new(Code::Contradiction, format!("`{name}` stands twice in `approvers`"));
            report.refuse(item, problem.hint("take one out: each answers once"));
            return None;
        }
        names.push(name.to_owned());
    }
    Some(names)
}

/// How many people must grant it.
fn needed(report: &mut Diagnostics<'_>, tree: &Tree, approvers: Option<&[String]>) -> Option<u32> {
    let needed = report.count_to("approvals", PEOPLE_MAX, tree)?;
    let there = approvers.map_or(0, <[String]>::len);
    if there > 0 && needed as usize > there {
        let people = if there == 1 { "is 1 approver".to_owned() } else { format!("are {there} `approvers`") };
        let message = format!("`approvals: {needed}` can never be reached: there {people}");
        let hint = "name more `approvers`, or ask for fewer `approvals`";
        report.refuse(tree, Problem::new(Code::Contradiction, message).hint(hint));
        return None;
    }
    Some(needed)
}

fn checklist(report: &mut Diagnostics<'_>, tree: &Tree) -> Vec<String> {
    let points = report.list("checklist", tree).unwrap_or_default();
    if points.len() > Approval::POINTS_MAX {
        let message = format!(
            "`checklist` takes at most {} points, and this has {}",
            Approval::POINTS_MAX,
            points.len()
        );
        report.refuse(tree, Problem::new(Code::TooLarge, message));
        return Vec::new();
    }
    let point = |point| report.line("checklist", Approval::POINT_CHARS_MAX, point).map(str::to_owned);
    points.iter().filter_map(point).collect()
}
