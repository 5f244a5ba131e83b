//! What a run waits for, each with the command that answers it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::colour::Tone;
use super::spend;
use super::terminal::{Call, Text, name, terminal};
use super::{from_here, moment};
use crate::api::user::user;
use crate::events::ids::{RunId, StepId};
use crate::events::text::printable;
use crate::events::time::Timestamp;
use crate::views::for_shell;
use crate::views::presenters::report::{Approvers, RunReport, Waiting};

/// How many of the things that a run waits for are shown: a fan-out may wait for thousands.
const SHOWN: usize = 8;

/// The things that a run waits for, as many as are shown; what needs nobody is said in a line.
pub(super) fn waiting(report: &RunReport, call: Option<&Call>) -> Vec<Text> {
    let (all, now) = (&report.waiting_for, now());
    let mut lines = Vec::new();
    for waiting in all.iter().take(SHOWN) {
        let mut of_one = one(&report.run, waiting, call.unwrap_or(&Call::default()), now);
        if let Some(what) = of_one.first_mut() {
            *what = Tone::Warning.of(what);
        }
        // The commands stand below what it is about.
        of_one.truncate(if call.is_some() { of_one.len() } else { 1 });
        lines.extend(of_one);
    }
    if let (true, Some(call)) = (all.len() > SHOWN, call) {
        let command = call.command(["--json", "status", report.run.as_str()]);
        lines.push(terminal!("waits for {} more: {}", all.len() - SHOWN, command));
    }
    lines
}

/// The steps that wait for what nobody may say any more: nobody was there to record that it is too late.
pub(super) fn in_vain(report: &RunReport) -> HashSet<&StepId> {
    let now = now();
    report
        .waiting_for
        .iter()
        .filter(|waiting| is_in_vain(waiting, now))
        .map(|waiting| &waiting.step)
        .collect()
}

fn is_in_vain(waiting: &Waiting, now: Timestamp) -> bool {
    waiting.expires.is_some_and(|at| at <= now) && matches!(waiting.kind.as_str(), "approval" | "signal")
}

fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn one(run: &RunId, waiting: &Waiting, call: &Call, now: Timestamp) -> Vec<Text> {
    let Waiting { kind, id, step, phase, expires, approval, .. } = waiting;
    if is_in_vain(waiting, now) {
        return vec![
            terminal!("waited in vain for the {} of `{}`{}", kind, step, until(*expires)),
            terminal!("  go on:  {}", call.command(["resume", run.as_str()])),
        ];
    }
    let until = until(*expires);
    match (kind.as_str(), approval) {
        ("approval", Some(approval)) => {
            // What is asked stands on the page, and the command with its hash too.
            let grant = call.command(["approve", run.as_str(), id]);
            let refuse = call.command(["reject", run.as_str(), id, "--reason", "R"]);
            let what = match phase {
                Some(phase) => terminal!("the phase `{}`", phase),
                None => terminal!("`{}`", step),
            };
            let mut lines = vec![terminal!("waits for an approval of {}{}{}", what, who(approval), until)];
            lines.extend(approval.file.as_ref().map(|file| terminal!("  read:   {}", from_here(file))));
            if approval.require_checklist && !approval.unticked.is_empty() {
                let points: Vec<String> = approval.unticked.iter().map(u32::to_string).collect();
                let tick = call.command(["approve", run.as_str(), id, "--check", &points.join(",")]);
                lines.push(terminal!("  tick:   {}    # before it can be granted", tick));
            } else {
                lines.push(terminal!("  grant:  {}", grant));
            }
            lines.push(terminal!("  refuse: {}", refuse));
            lines.extend(who_else(approval));
            lines
        }
        ("signal", _) => vec![
            terminal!("waits for the signal `{}` in `{}`{}", name(id), step, until),
            terminal!("  send:   {}", call.command(["signal", run.as_str(), id])),
        ],
        ("agent", _) => vec![
            terminal!("waits for the agent `{}`, which is paused, in `{}`", name(id), step),
            terminal!("  let it work: {}", call.command(["agents", "unpause", id])),
        ],
        ("spend", _) => {
            let met = waiting.limit.as_ref().map(|limit| spend::met(run, limit, call));
            met.unwrap_or_else(|| vec![terminal!("waits to spend more than it may")])
        }
        ("task", _) => {
            let agent = waiting.agent.as_deref().unwrap_or_default();
            let held = waiting.lease_until.filter(|end| *end > now).and(waiting.by.as_ref());
            match (held, waiting.lease_until) {
                (Some(by), Some(end)) => vec![
                    terminal!(
                        "waits for `{}`, who has the task of `{}` until {}",
                        name(by),
                        step,
                        moment(end)
                    ),
                    terminal!("  look:   {}", call.command(["tasks", "--agent", agent])),
                ],
                _ => vec![
                    terminal!("waits for somebody to take the task of `{}`{}", step, until),
                    terminal!("  take:   {}", call.command(["tasks", "next", "--agent", agent])),
                ],
            }
        }
        ("child", _) => vec![
            terminal!("waits for the run of `{}`, which waits itself", step),
            terminal!("  look:   {}", call.command(["status", id])),
        ],
        (kind, _) => vec![terminal!("waits: {} of `{}`{}", kind, step, until)],
    }
}

fn until(expires: Option<Timestamp>) -> Text {
    expires.map(|at| terminal!(" until {}", moment(at))).unwrap_or_default()
}

/// That somebody has to be named for an answer to be taken: the user may not give it, or has. None where the user may.
fn who_else(approval: &Approvers) -> Option<Text> {
    let (user, asked) = (Arc::from(user()), &approval.approvers);
    let has_granted = |name: &Arc<str>| approval.granted.contains(name);
    let why = match has_granted(&user) {
        true => "has granted it",
        false if asked.is_empty() || asked.contains(&user) => return None,
        false => "is not asked",
    };
    let other = asked.iter().find(|name| !has_granted(name)).map_or("NAME", |name| name);
    Some(terminal!("  with --by {}, for {} {}", for_shell(&printable(other)), name(&user), why))
}

/// The people who may answer, where not anybody may, and how many still have to.
fn who(approval: &Approvers) -> Text {
    let names = Text::joined(approval.approvers.iter().map(|approver| name(approver)), " or ");
    let by = if names.is_empty() { names } else { terminal!(" by {}", names) };
    match approval.needed {
        0 | 1 => by,
        needed => terminal!("{}, {} of {} granted", by, approval.granted.len(), needed),
    }
}
