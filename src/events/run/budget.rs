//! What a run may spend, and what it has spent.
//!
//! Spend is reserved in the commit in which an attempt starts, and settled in that in which it ends: what is held at any
//! moment follows from the events alone.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::events::ids::{Fence, StepId};
use crate::events::money::Dollars;

/// What is spent, or may be: a number of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spend {
    /// Attempts at doing steps, and calls of models beyond one an attempt.
    pub calls: u64,
    /// Tokens that went in or came out.
    pub tokens: u64,
    /// Money, in billionths of a US dollar.
    pub usd_nanos: u64,
}

impl Spend {
    /// What an attempt has spent that reports this: it is a call, also where it called no model.
    pub const fn of(usage: Usage) -> Self {
        let calls = if usage.calls == 0 { 1 } else { usage.calls };
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        Self { calls, tokens, usd_nanos: usage.usd_nanos }
    }

    /// The sum of both; a number that would overflow stays at its largest value.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            tokens: self.tokens.saturating_add(other.tokens),
            usd_nanos: self.usd_nanos.saturating_add(other.usd_nanos),
        }
    }

    /// The larger number of each kind.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        Self {
            calls: self.calls.max(other.calls),
            tokens: self.tokens.max(other.tokens),
            usd_nanos: self.usd_nanos.max(other.usd_nanos),
        }
    }

    /// The number of a kind.
    pub const fn get(self, kind: SpendKind) -> u64 {
        match kind {
            SpendKind::Calls => self.calls,
            SpendKind::Tokens => self.tokens,
            SpendKind::Usd => self.usd_nanos,
        }
    }
}

/// The kinds of spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpendKind {
    /// Attempts, and calls of models.
    Calls,
    /// Tokens.
    Tokens,
    /// Money, in billionths of a US dollar.
    Usd,
}

impl SpendKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Calls, Self::Tokens, Self::Usd];

    /// The word for it in files.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Tokens => "tokens",
            Self::Usd => "usd",
        }
    }

    /// A number of this kind, for people.
    pub fn amount(self, number: u64) -> String {
        match self {
            Self::Calls if number == 1 => "1 call".to_owned(),
            Self::Tokens if number == 1 => "1 token".to_owned(),
            Self::Calls | Self::Tokens => format!("{number} {self}"),
            Self::Usd => Dollars(number).to_string(),
        }
    }
}

impl fmt::Display for SpendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How much may be spent, of each kind; none for as much as there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpendLimits {
    /// How many calls.
    pub calls: Option<u64>,
    /// How many tokens.
    pub tokens: Option<u64>,
    /// How much money, in billionths of a US dollar.
    pub usd_nanos: Option<u64>,
}

impl SpendLimits {
    /// The limit of a kind, if there is one.
    pub const fn get(self, kind: SpendKind) -> Option<u64> {
        match kind {
            SpendKind::Calls => self.calls,
            SpendKind::Tokens => self.tokens,
            SpendKind::Usd => self.usd_nanos,
        }
    }

    /// Those that there are.
    pub fn set(self) -> impl Iterator<Item = (SpendKind, u64)> {
        SpendKind::ALL.into_iter().filter_map(move |kind| Some((kind, self.get(kind)?)))
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.calls.is_none() && self.tokens.is_none() && self.usd_nanos.is_none()
    }

    /// The limits of another where that has some, else these.
    #[must_use]
    pub fn replaced_by(self, other: Self) -> Self {
        Self {
            calls: other.calls.or(self.calls),
            tokens: other.tokens.or(self.tokens),
            usd_nanos: other.usd_nanos.or(self.usd_nanos),
        }
    }
}

/// What becomes of a run whose next attempt a limit does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLimit {
    /// It waits until somebody raises the limit.
    #[default]
    Wait,
    /// It fails.
    Fail,
}

/// In one commit with the run's start, before its steps: it may spend so much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSet {
    /// How much, of each kind.
    pub limits: SpendLimits,
    /// What becomes of it when that is not enough.
    pub on_limit: OnLimit,
}

/// Of a run with limits, right behind the start of an attempt at doing a step: it may spend as much as it is thought to at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetReserved {
    /// The step that is tried.
    pub step: StepId,
    /// The attempt's number in its run, by which the reservation is named.
    pub fence: Fence,
    /// What is reserved.
    pub amount: Spend,
}

/// In the commit in which such an attempt ends, before that: what it has spent counts from here on, and nothing is reserved
/// for it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSettled {
    /// The step that was tried.
    pub step: StepId,
    /// The attempt's number in its run.
    pub fence: Fence,
    /// What it has spent: what it reports, or what was reserved where nobody can know.
    pub spent: Spend,
}

/// What is left is not enough for the next attempt: none starts before some of what is reserved comes back, or the limit is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetExhausted {
    /// The step whose attempt did not start.
    pub step: StepId,
    /// The kind of which there is not enough.
    pub kind: SpendKind,
    /// How much of it is used.
    pub used: u64,
    /// How much is reserved for attempts that are open.
    pub reserved: u64,
    /// How much the attempt wanted.
    pub wanted: u64,
    /// The limit.
    pub limit: u64,
}

impl BudgetExhausted {
    /// What happened, in a sentence without a full stop.
    pub fn says(&self) -> String {
        let amount = |number| self.kind.amount(number);
        let or_none = |number, says: String| if number == 0 { String::new() } else { says };
        format!(
            "the run's limit of {} does not allow step `{}`{}: {} used{}",
            amount(self.limit),
            self.step,
            or_none(self.wanted, format!(", which wants {}", amount(self.wanted))),
            amount(self.used),
            or_none(self.reserved, format!(" and {} reserved", amount(self.reserved))),
        )
    }
}

/// Somebody lets a run spend more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRaised {
    /// The new limits of the kinds that were raised.
    pub limits: SpendLimits,
    /// The name of the person or program that raised them.
    pub by: Arc<str>,
    /// Their reason, if they gave one.
    pub reason: Option<String>,
}
