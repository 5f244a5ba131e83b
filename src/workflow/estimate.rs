//! What an attempt may spend at most, as far as that is known before it begins: so much is reserved for it.

use serde::{Deserialize, Serialize};

use super::work::Work;
use crate::events::run::Spend;
use crate::kernel::ReadBlob;

/// What an agent's definition says that one attempt of it uses at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptBudget {
    /// How many calls of models; none for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// How many tokens; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How much money, in billionths of a US dollar; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_nanos: Option<u64>,
}

/// What a run asks of an agent's recorded definition before an attempt of it begins: what that may cost.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Costs {
    /// What one attempt uses at most, where the agent's definition says it.
    #[serde(default)]
    pub budget: Option<AttemptBudget>,
}

impl ReadBlob for Costs {
    fn read_blob(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// What an attempt spends at most: what its agent's definition says, for the work as it was rendered. Only calls are always
/// known, for an attempt is one.
pub fn estimate(costs: &Costs, _work: &Work) -> Spend {
    let AttemptBudget { calls, tokens, usd_nanos } = costs.budget.unwrap_or_default();
    Spend {
        calls: calls.unwrap_or(1),
        tokens: tokens.unwrap_or_default(),
        usd_nanos: usd_nanos.unwrap_or_default(),
    }
}
