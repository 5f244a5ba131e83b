//! `reenact list`: runs, newest first.

use serde::Serialize;

use super::arguments::ListArguments;
use super::see::{self, Exchange, Signals};
use super::{Exit, Scene, start, text};
use crate::aggregates::run::RunStatus;
use crate::api::folder::is_store;
use crate::api::protocol::{Request, Response};
use crate::api::wording::Worded;
use crate::events::problem::{Code, Problem, nearest};
use crate::views::projections::runs::{RunFilter, RunRow};

/// The JSON that `list --json` prints.
#[derive(Clone, Serialize)]
pub(super) struct Listed {
    pub(super) runs: Vec<RunRow>,
    /// All runs are listed at once; a bound is `--limit`.
    next: Option<String>,
}

impl Worded for Listed {}

pub(super) async fn list(scene: &Scene, arguments: ListArguments) -> Result<Exit, Problem> {
    let filter = RunFilter {
        status: arguments.status.as_deref().map(status).transpose()?,
        workflow: arguments.workflow,
        tags: start::pairs(&arguments.tags, "tag")?,
        unfinished: false,
        no_children: false,
        limit: arguments.limit,
    };
    let mut runs = Vec::new();
    if is_store(&scene.house.data) {
        let mut signals = Signals::listen()?;
        let door = scene.open().await?;
        match see::ask(scene, door, &Request::List { filter }, &mut signals, &mut |_| {}).await? {
            Exchange::Interrupted => return Ok(Exit::Interrupted),
            Exchange::Response(Response::Runs(rows), door) => {
                runs = rows;
                see::leave(door, &mut signals).await?;
            }
            Exchange::Response(other, _) => return Err(other.mismatch()),
        }
    }
    scene.say.result(&Listed { runs, next: None }, |listed| text::runs(&listed.runs));
    Ok(Exit::Good)
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    RunStatus::ALL.iter().copied().find(|status| status.text() == text).ok_or_else(|| {
        let problem = Problem::new(Code::Usage, format!("`{text}` is no status of a run"));
        let names = RunStatus::ALL.iter().map(|status| status.text());
        match nearest(text, names.clone()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("there are {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}
