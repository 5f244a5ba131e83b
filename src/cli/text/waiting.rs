//! What a run waits for, each with the command that answers it.

use super::{from_here, moment, printable};
use crate::events::ids::RunId;
use crate::events::time::Timestamp;
use crate::views::for_shell;
use crate::views::report::{Approvers, RunReport, Waiting};

/// How many of them are shown: a fan-out may wait for thousands.
const SHOWN: usize = 8;

/// What a run waits for; what needs nobody is said in a line.
pub(super) fn waiting(report: &RunReport) -> Vec<String> {
    let all = &report.waiting_for;
    let mut lines: Vec<_> = all.iter().take(SHOWN).flat_map(|waiting| one(&report.run, waiting)).collect();
    if all.len() > SHOWN {
        let (more, run) = (all.len() - SHOWN, &report.run);
        lines.push(format!("waits for {more} more: reenact --json status {run}"));
    }
    lines
}

fn one(run: &RunId, waiting: &Waiting) -> Vec<String> {
    let Waiting { kind, id, step, phase, expires, approval, .. } = waiting;
    let until = until(*expires);
    match (kind.as_str(), approval) {
        ("approval", Some(approval)) => {
            let what = match phase {
                Some(phase) => format!("the phase `{}`", printable(phase)),
                None => format!("`{step}`"),
            };
            let mut lines = vec![format!("waits for an approval of {what}{}{until}", who(approval))];
            lines.extend(approval.file.as_ref().map(|file| format!("  read:   {}", from_here(file))));
            lines.push(format!("  grant:  reenact approve {run} {id}"));
            lines.push(format!("  refuse: reenact reject {run} {id} --reason R"));
            lines
        }
        ("signal", _) => vec![
            format!("waits for the signal `{}` in `{step}`{until}", printable(id)),
            format!("  send:   reenact signal {run} {} [JSON]", for_shell(id)),
        ],
        ("child", _) => vec![
            format!("waits for the run of `{step}`, which waits itself"),
            format!("  look:   reenact status {id}"),
        ],
        (kind, _) => vec![format!("waits: {kind} of `{step}`{until}")],
    }
}

fn until(expires: Option<Timestamp>) -> String {
    expires.map(|at| format!(" until {}", moment(at))).unwrap_or_default()
}

/// Who may answer, where not anybody may, and how many still have to.
fn who(approval: &Approvers) -> String {
    let names: Vec<_> = approval.approvers.iter().map(|name| printable(name)).collect();
    let by = if names.is_empty() { String::new() } else { format!(" by {}", names.join(" or ")) };
    match approval.needed {
        0 | 1 => by,
        needed => format!("{by}, {} of {needed} granted", approval.granted.len()),
    }
}
