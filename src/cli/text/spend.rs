//! What a run may spend and has spent, as a person reads it.

use super::colour;
use super::terminal::{Call, Text, name, terminal};
use crate::events::ids::RunId;
use crate::events::json::Json;
use crate::events::money::{Dollars, parse_usd};
use crate::events::run::SpendKind;
use crate::views::presenters::report::{
    AgentUsage, BudgetReport, LimitReport, RunReport, SpendReport, UsageReport,
};

/// How many agents have a line of what they used up; `--json` has all.
const AGENTS_SHOWN: usize = 20;

/// All that `budget show` tells.
pub(in crate::cli) fn budget(shown: &SpendReport, call: &Call) -> Text {
    let status = colour::status(shown.status.text());
    let mut lines = vec![terminal!("{}  {}  {}", &shown.run, name(&shown.workflow), status)];
    match &shown.budget {
        Some(budget) => lines.extend(kinds(budget)),
        None => lines.push(terminal!("no limit of calls, tokens or money")),
    }
    if let Some(limit) = &shown.exhausted {
        lines.extend(met(&shown.run, limit, call));
    }
    lines.extend(by_agent(&shown.usage, &shown.agents));
    Text::lines(lines)
}

/// What is used of each limit, in a line of `status`; none of a run that has no limit.
pub(super) fn used(report: &RunReport) -> Option<Text> {
    let kinds = kinds(report.budget.as_ref()?);
    Some(terminal!("spent: {}", Text::joined(kinds, ", ")))
}

/// What was used up, in a line; none where no model was called.
pub(super) fn line(usage: &UsageReport) -> Option<Text> {
    (usage.calls > 0).then(|| terminal!("used up: {}", one(usage)))
}

/// What agents report that they used up, with a line for each once the run has ended; none if they report nothing.
pub(super) fn summary(report: &RunReport) -> Vec<Text> {
    if report.status.has_ended() {
        by_agent(&report.usage, &report.spend)
    } else {
        line(&report.usage).into_iter().collect()
    }
}

/// What a limit does not allow, and how it is raised.
pub(super) fn met(run: &RunId, limit: &LimitReport, call: &Call) -> Vec<Text> {
    let LimitReport { kind, used, reserved, wanted, limit, .. } = limit;
    let open = is_some(reserved).then(|| terminal!(", {} reserved", read(*kind, reserved)));
    let wants = is_some(wanted).then(|| terminal!(", and the next attempt wants {}", read(*kind, wanted)));
    let says = terminal!(
        "{} used{} of {}{}",
        read(*kind, used),
        open.unwrap_or_default(),
        read(*kind, limit),
        wants.unwrap_or_default()
    );
    let option = format!("--{kind}");
    let raise = call.command(["budget", "raise", run.as_str(), &option, &more(*kind, limit)]);
    vec![terminal!("limit met: {}", says), terminal!("  raise:  {}", raise)]
}

/// Whether a number is more than nothing.
fn is_some(number: &Json) -> bool {
    !matches!(number.text(), "0" | "0.0")
}

/// Twice as much, as it is written behind an option.
fn more(kind: SpendKind, limit: &Json) -> String {
    match kind {
        SpendKind::Usd => {
            let nanos = parse_usd(limit.text()).unwrap_or_default().saturating_mul(2);
            Dollars(nanos).to_string().trim_start_matches('$').to_owned()
        }
        _ => limit.text().parse::<u64>().unwrap_or_default().saturating_mul(2).to_string(),
    }
}

fn kinds(budget: &BudgetReport) -> Vec<Text> {
    let of = |kind| {
        let limit = budget.limits.get(kind)?;
        let (used, reserved) = (budget.used.get(kind)?, budget.reserved.get(kind)?);
        let open = is_some(&reserved).then(|| terminal!(", {} reserved", bare(kind, &reserved)));
        Some(terminal!("{} of {}{}", bare(kind, &used), read(kind, &limit), open.unwrap_or_default()))
    };
    SpendKind::ALL.into_iter().filter_map(of).collect()
}

/// A number with what it counts.
fn read(kind: SpendKind, number: &Json) -> Text {
    let nanos = |number: &Json| parse_usd(number.text()).unwrap_or_default();
    match kind {
        SpendKind::Usd => terminal!("{}", kind.amount(nanos(number))),
        _ => terminal!("{}", kind.amount(number.text().parse().unwrap_or_default())),
    }
}

fn bare(kind: SpendKind, number: &Json) -> Text {
    match kind {
        SpendKind::Usd => read(kind, number),
        _ => terminal!("{}", number.text()),
    }
}

fn by_agent(usage: &UsageReport, agents: &[AgentUsage]) -> Vec<Text> {
    if agents.is_empty() {
        return Vec::new();
    }
    let width = agents.iter().map(|agent| name(agent.agent.as_str()).width()).max().unwrap_or(0);
    let line = |AgentUsage { agent, usage }: &AgentUsage| {
        terminal!("  {}  {}", name(agent.as_str()).padded(width), one(usage))
    };
    let mut lines = vec![terminal!("used up: {}", one(usage))];
    lines.extend(agents.iter().take(AGENTS_SHOWN).map(line));
    if agents.len() > AGENTS_SHOWN {
        lines.push(terminal!("  and {} more agents", agents.len() - AGENTS_SHOWN));
    }
    lines
}

fn one(usage: &UsageReport) -> Text {
    terminal!(
        "{}, {} in, {} out, {}",
        SpendKind::Calls.amount(usage.calls),
        SpendKind::Tokens.amount(usage.input_tokens),
        usage.output_tokens,
        Dollars(usage.usd_nanos()).to_string()
    )
}
