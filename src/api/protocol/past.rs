//! A stream as it was at one of its versions.

use serde::{Deserialize, Serialize};

use super::HistoryLine;
use crate::events::ids::Version;
use crate::events::json::Json;
use crate::views::presenters::report::RunReport;
use crate::views::presenters::stream::StreamReport;

/// A run, or a stream of another kind, as it was right after one of its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The run or the stream, as it was then.
    pub shown: Shown,
    /// The event that was the newest then.
    pub event: HistoryLine,
    /// Its fields with all that is stored beside it; none where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Json>,
    /// The newest version that there is.
    pub newest: Version,
}

/// What is shown of a stream as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A run; its effects are what would have been done next.
    Run(Box<RunReport>),
    /// A stream of another kind.
    Stream(Box<StreamReport>),
}

impl Shown {
    /// The name by which it is asked for: the id of a run, or the name of a stream.
    pub fn name(&self) -> &str {
        match self {
            Self::Run(report) => report.run.as_str(),
            Self::Stream(report) => report.stream.as_str(),
        }
    }
}
