//! What a run may spend, what it has spent, and through whom.

use serde::{Deserialize, Serialize};

use super::{RunReport, UsageReport};
use crate::aggregates::run::{Budget, Run, RunStatus};
use crate::events::ids::{AgentName, RunId};
use crate::events::json::Json;
use crate::events::money::decimal;
use crate::events::run::{BudgetExhausted, OnLimit, Spend, SpendKind, SpendLimits};

/// Numbers of each kind of spend; null where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Attempts, and calls of models beyond one an attempt.
    pub calls: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// Money in US dollars, exactly: a JSON number.
    pub usd: Option<Json>,
}

/// What a run may spend, and what of that is used and reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetReport {
    /// Its limits.
    pub limits: Amounts,
    /// What attempts that are over have spent.
    pub used: Amounts,
    /// What is reserved for those that are open.
    pub reserved: Amounts,
    /// What becomes of it at a limit: `wait` or `fail`.
    pub on_limit: OnLimit,
}

/// A limit that does not allow the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReport {
    /// Whose limit it is.
    pub of: String,
    /// The kind of which there is not enough: `calls`, `tokens` or `usd`. All numbers below are of that kind.
    pub kind: SpendKind,
    /// How much is used.
    pub used: Json,
    /// How much is reserved for attempts that are open.
    pub reserved: Json,
    /// How much the attempt wants.
    pub wanted: Json,
    /// The limit.
    pub limit: Json,
}

/// What an agent has used up in a run, as it reports it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentUsage {
    /// The name of the agent, as steps name it.
    pub agent: AgentName,
    /// What it has used up.
    #[serde(flatten)]
    pub usage: UsageReport,
}

/// What a run may spend, and what it has spent, without all else that is to be told of it.
#[derive(Debug, Clone, Serialize)]
pub struct SpendReport {
    /// The id of the run.
    pub run: RunId,
    /// The name of the workflow.
    pub workflow: String,
    /// The status of the run.
    pub status: RunStatus,
    /// What it may spend; null without a limit.
    pub budget: Option<BudgetReport>,
    /// The limit that does not allow its next attempt; null while it waits for none.
    pub exhausted: Option<LimitReport>,
    /// What its attempts report that they used up.
    pub usage: UsageReport,
    /// The same for each agent that reports something.
    pub agents: Vec<AgentUsage>,
}

impl From<RunReport> for SpendReport {
    fn from(report: RunReport) -> Self {
        let exhausted = report.waiting_for.into_iter().find_map(|waiting| waiting.limit);
        let RunReport { run, workflow, status, budget, usage, spend: agents, .. } = report;
        Self { run, workflow, status, budget, exhausted, usage, agents }
    }
}

impl Amounts {
    fn of(limits: SpendLimits) -> Self {
        let usd = limits.usd_nanos.map(|nanos| amount(SpendKind::Usd, nanos));
        Self { calls: limits.calls, tokens: limits.tokens, usd }
    }

    fn spent(spent: Spend) -> Self {
        let Spend { calls, tokens, usd_nanos } = spent;
        Self::of(SpendLimits { calls: Some(calls), tokens: Some(tokens), usd_nanos: Some(usd_nanos) })
    }

    /// The number of a kind as JSON, if there is one.
    pub fn get(&self, kind: SpendKind) -> Option<Json> {
        match kind {
            SpendKind::Calls => self.calls.map(|number| amount(kind, number)),
            SpendKind::Tokens => self.tokens.map(|number| amount(kind, number)),
            SpendKind::Usd => self.usd.clone(),
        }
    }
}

impl LimitReport {
    /// What was lacking, with what is used and reserved by now.
    pub(super) fn of(lacks: &BudgetExhausted, budget: &Budget) -> Self {
        let amount = |number| amount(lacks.kind, number);
        Self {
            of: "run".to_owned(),
            kind: lacks.kind,
            used: amount(budget.used.get(lacks.kind)),
            reserved: amount(budget.reserved.get(lacks.kind)),
            wanted: amount(lacks.wanted),
            limit: amount(lacks.limit),
        }
    }
}

/// A number of a kind as JSON: money in dollars.
fn amount(kind: SpendKind, number: u64) -> Json {
    let text = match kind {
        SpendKind::Calls | SpendKind::Tokens => number.to_string(),
        SpendKind::Usd => decimal(number),
    };
    Json::made(&text).unwrap_or_default()
}

/// What a run may spend; none without a limit.
pub(super) fn budget(run: &Run) -> Option<BudgetReport> {
    let Budget { limits, on_limit, used, reserved, .. } = run.budget()?;
    Some(BudgetReport {
        limits: Amounts::of(*limits),
        used: Amounts::spent(*used),
        reserved: Amounts::spent(*reserved),
        on_limit: *on_limit,
    })
}

/// What its agents have used up, each that reports something.
pub(super) fn by_agent(run: &Run) -> Vec<AgentUsage> {
    let report = |(agent, usage): (&AgentName, &_)| AgentUsage {
        agent: agent.clone(),
        usage: UsageReport::from(*usage),
    };
    run.usage_by_agent().iter().map(report).collect()
}
