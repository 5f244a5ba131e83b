//! What agents say of their work in their answers, as far as it counts.

use std::sync::Arc;

use super::Run;
use super::child::is_made_by;
use crate::events::ids::AgentName;
use crate::events::json::{Json, Payload};
use crate::events::problem::Code;
use crate::events::run::Said;
use crate::events::text::printable;
use crate::kernel::Draft;
use crate::workflow::answer::{self, Status};
use crate::workflow::definition::SHELL_AGENT;
use crate::workflow::work::{Failure, Output};

/// What an agent says of its work.
pub(super) struct Report {
    /// Whether it did the work in a lesser way.
    pub(super) is_degraded: bool,
    /// What it names as made.
    pub(super) artifacts: Vec<String>,
    said: answer::Said,
}

impl Report {
    /// What an agent says of its work that answered so.
    pub(super) fn of(agent: &AgentName, output: &Output) -> Self {
        let said = said(agent, output);
        let mut artifacts = output.artifacts.clone();
        let new = said.artifacts.iter().filter(|path| !output.artifacts.contains(path));
        artifacts.extend(new.cloned());
        Self { is_degraded: said.status == Some(Status::CompletedWithErrors), artifacts, said }
    }

    /// The failure of an attempt that answered, and says in its answer that it failed.
    pub(super) fn failure(&self) -> Option<Failure> {
        let answer::Said { status, summary, error, first_line, .. } = &self.said;
        if *status != Some(Status::Failed) {
            return None;
        }
        let why = error.as_deref().or(summary.as_deref()).or(first_line.as_deref());
        let why = why.map(|why| format!(": {}", printable(why))).unwrap_or_default();
        Some(Failure::new(Code::AnswerSaysFailed, format!("its agent answered that it failed{why}")))
    }

    /// What is recorded of it. The first line of a text stands for a summary.
    pub(super) fn recorded(&self, draft: &mut Draft<'_, Run>) -> Option<Said> {
        let answer::Said { summary, first_line, metrics, .. } = &self.said;
        let summary: Option<Arc<str>> = summary.as_deref().or(first_line.as_deref()).map(Into::into);
        let metrics = (!metrics.is_empty()).then(|| Json::of(metrics).ok()).flatten();
        let metrics: Option<Payload> = metrics.map(|metrics| draft.payload(metrics));
        (summary.is_some() || metrics.is_some()).then_some(Said { summary, metrics })
    }
}

/// What an answer says of the work. A command of the workflow's own says by its exit status how it went: an object with a `status`
/// may be what it was to find out, so that only a whole report counts.
fn said(agent: &AgentName, output: &Output) -> answer::Said {
    if is_made_by(agent) {
        return answer::Said::default();
    }
    let mut said = answer::read(&output.output);
    if agent.as_str() == SHELL_AGENT && said.summary.is_none() {
        said.status = None;
    }
    said
}
