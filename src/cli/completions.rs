//! `reenact completions SHELL`: what a shell needs to complete command lines.

use serde::Serialize;

use super::arguments::CompletionsArguments;
use super::text::terminal::written;
use super::{Exit, Scene, complete};
use crate::api::wording::Worded;
use crate::events::problem::{Code, Problem};

/// The JSON that `completions --json` prints.
#[derive(Clone, Serialize)]
struct Completions {
    shell: String,
    script: String,
}

impl Worded for Completions {}

pub(super) fn completions(scene: &Scene, arguments: &CompletionsArguments) -> Result<Exit, Problem> {
    let shell = arguments.shell.to_string();
    let script = complete::script(&shell)
        .ok_or_else(|| Problem::new(Code::Usage, format!("nothing is known of the shell `{shell}`")))?;
    let completions = Completions { shell, script };
    scene.say.result(&completions, |completions| written(&completions.script));
    Ok(Exit::Good)
}
