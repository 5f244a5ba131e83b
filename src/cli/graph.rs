//! `reenact graph FILE|RUN`: the picture of a workflow file, or of a run with where its steps are.

use std::path::Path;

use serde::Serialize;

use super::arguments::{GraphArguments, GraphFormat};
use super::control::ask_about_a_run;
use super::see::{self, Exchange, Signals};
use super::text::terminal::written;
use super::{Exit, Scene};
use crate::api::protocol::{Request, Response};
use crate::api::wording::Worded;
use crate::events::problem::{Code, Problem};
use crate::views::presenters::graph::{Format, Graph};

/// The JSON that `graph --json` prints.
#[derive(Clone, Serialize)]
struct Drawn {
    #[serde(flatten)]
    graph: Graph,
    /// The picture in the format that was asked for, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Worded for Drawn {}

pub(super) async fn graph(scene: &Scene, arguments: GraphArguments) -> Result<Exit, Problem> {
    let graph = match arguments.file() {
        Some(file) => match of_file(scene, &file) {
            Ok(graph) => graph,
            Err(problems) => return Ok(scene.say.problems(&problems)),
        },
        None => match of_run(scene, arguments.of).await? {
            Some(graph) => graph,
            None => return Ok(Exit::Interrupted),
        },
    };
    let format = arguments.format.map(|format| match format {
        GraphFormat::Mermaid => Format::Mermaid,
        GraphFormat::Dot => Format::Dot,
        GraphFormat::Text => Format::Text,
    });
    let text = format.map(|format| graph.written(format));
    scene.say.result(&Drawn { graph, text }, |Drawn { graph, text }| {
        written(text.as_deref().unwrap_or(&graph.written(Format::Text)))
    });
    Ok(Exit::Good)
}

/// A file is checked as for a run: what could not run is not drawn.
fn of_file(scene: &Scene, file: &Path) -> Result<Graph, Vec<Problem>> {
    let family = scene.check(file).map_err(|wrong| wrong.errors)?;
    scene.say.warnings(&family.warnings);
    Ok(Graph::of_workflow(&family.root.definition))
}

/// None when a signal came.
async fn of_run(scene: &Scene, run: String) -> Result<Option<Graph>, Problem> {
    let mut signals = Signals::listen()?;
    let request = Request::Graph { run: run.clone() };
    let asked = ask_about_a_run(scene, &run, &request, &mut signals).await.map_err(|problem| match problem {
        unknown if unknown.code == Code::UnknownRun => neither(&run, unknown),
        other => other,
    });
    match asked? {
        Exchange::Interrupted => Ok(None),
        Exchange::Response(Response::Graph(graph), door) => {
            see::leave(door, &mut signals).await?;
            Ok(Some(*graph))
        }
        Exchange::Response(other, _) => Err(other.mismatch()),
    }
}

/// Nothing is called so, neither a run nor a file.
fn neither(of: &str, unknown: Problem) -> Problem {
    if of == "last" {
        return unknown;
    }
    let message = format!("{}, and there is no file `{of}`", unknown.message);
    Problem { message, ..unknown }
}
