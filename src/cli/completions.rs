//! `reenact completions SHELL`: what a shell needs to complete command lines.

use clap::CommandFactory;
use serde::Serialize;

use super::arguments::{Arguments, CompletionsArguments};
use super::text::terminal::written;
use super::{Exit, Scene};
use crate::api::wording::Worded;
use crate::events::problem::Problem;

/// The JSON that `completions --json` prints.
#[derive(Clone, Serialize)]
struct Completions {
    shell: String,
    script: String,
}

impl Worded for Completions {}

pub(super) fn completions(scene: &Scene, arguments: &CompletionsArguments) -> Result<Exit, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "reenact", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let completions = Completions { shell: arguments.shell.to_string(), script };
    scene.say.result(&completions, |completions| written(&completions.script));
    Ok(Exit::Good)
}
