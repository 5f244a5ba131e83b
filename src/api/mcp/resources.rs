//! What can be read without a tool: the list of runs, a run, its history.

use rmcp::model::{Resource, ResourceTemplate};
use serde_json::Value;

use super::answer::{Answer, Failed};
use super::desk::Desk;
use super::tools::look;
use crate::events::ids::RunId;

/// What all of them are.
pub(super) const MIME_TYPE: &str = "application/json";

/// The resource with the runs, and what the others begin with.
const RUNS: &str = "reenact://runs";

/// What the resource with a run's history ends with.
const HISTORY: &str = "/history";

/// How many runs the resource has, newest first. More has the tool `runs_list`.
const RUNS_MAX: usize = 100;

/// How many runs are listed as resources of their own.
const LISTED_MAX: usize = 20;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// The newest runs.
    Runs,
    /// One run.
    Run(RunId),
    /// The beginning of its history.
    History(RunId),
}

impl Name {
    /// The resource that a URI names.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix(RUNS)?;
        if rest.is_empty() {
            return Some(Self::Runs);
        }
        let rest = rest.strip_prefix('/')?;
        match rest.strip_suffix(HISTORY) {
            Some(run) => RunId::parse(run).ok().map(Self::History),
            None => RunId::parse(rest).ok().map(Self::Run),
        }
    }
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |uri: &str, name: &str, says: &str| {
        ResourceTemplate::new(uri, name).with_description(says).with_mime_type(MIME_TYPE)
    };
    vec![
        template("reenact://runs/{run}", "run", "One run: its steps, what it waits for, what came of it"),
        template(
            "reenact://runs/{run}/history",
            "history",
            "The events of a run from the first; `next` says from which on the tool history has more",
        ),
    ]
}

/// The resources that there are: the list, and the newest runs in it.
pub(super) fn listed(runs: &Value) -> Vec<Resource> {
    let list = Resource::new(RUNS, "runs").with_description("The newest runs").with_mime_type(MIME_TYPE);
    let runs = runs["runs"].as_array().into_iter().flatten().take(LISTED_MAX);
    let of_runs = runs.filter_map(|run| {
        let (id, status) = (run["run"].as_str()?, run["status"].as_str()?);
        let says = format!("{}, {status}", run["workflow"].as_str()?);
        Some(Resource::new(format!("{RUNS}/{id}"), id).with_description(says).with_mime_type(MIME_TYPE))
    });
    std::iter::once(list).chain(of_runs).collect()
}

/// What a resource says.
pub(super) async fn read(desk: &Desk, name: Name) -> Result<Answer, Failed> {
    match name {
        Name::Runs => look::newest(desk, RUNS_MAX).await,
        Name::Run(run) => look::one(desk, &run).await,
        Name::History(run) => look::beginning(desk, &run).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_resource_or_none() {
        let run = || RunId::parse("a.b").unwrap();
        assert_eq!(Name::parse("reenact://runs"), Some(Name::Runs));
        assert_eq!(Name::parse("reenact://runs/a.b"), Some(Name::Run(run())));
        assert_eq!(Name::parse("reenact://runs/a.b/history"), Some(Name::History(run())));
        for none in [
            "",
            "reenact://run",
            "reenact://runs/",
            "reenact://runs/a/b",
            "reenact://runsx",
            "file:///etc/passwd",
        ] {
            assert_eq!(Name::parse(none), None, "{none}");
        }
    }
}
