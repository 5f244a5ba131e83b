//! `reenact init [DIR]`: begins a new project.

use std::path::Path;

use serde::Serialize;

use super::arguments::InitArguments;
use super::text::{Call, Text, terminal};
use super::{Exit, Scene};
use crate::api::project::Template;
use crate::api::wording::Worded;
use crate::events::problem::{Code, Problem};
use crate::views::for_shell;

/// The JSON that `init --json` prints.
#[derive(Clone, Serialize)]
struct Begun {
    /// The folder of the project, as it was named.
    folder: String,
    template: &'static str,
    /// The files that were made.
    files: Vec<String>,
    /// The command that starts the first run.
    next: String,
}

impl Worded for Begun {}

pub(super) fn init(scene: &Scene, arguments: InitArguments) -> Result<Exit, Problem> {
    let name = arguments.template;
    let template = match &arguments.kind {
        None => Template::named(&name)
            .ok_or_else(|| Problem::new(Code::Usage, format!("there is no template `{name}`")))?,
        Some(kind) => Template::of_type(&name, kind).ok_or_else(|| {
            let message = format!("the template `{name}` is not there in types such as `{kind}`");
            Problem::new(Code::Usage, message).hint("`--type` is for `--template goal`")
        })?,
    };
    // An empty path is this folder.
    let folder = arguments.dir.filter(|dir| dir != ".").unwrap_or_default();
    template.write(&folder)?;
    let files = template.paths().map(|path| folder.join(path).display().to_string()).collect();
    let next = next(scene, &folder, template);
    let begun = Begun { folder: shown(&folder), template: template.name, files, next };
    scene.say.result(&begun, |begun| {
        let made = begun.files.iter().map(|file| terminal!("made {}", file));
        Text::lines(made.chain([terminal!("now: {}", begun.next.as_str())]))
    });
    Ok(Exit::Good)
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() }
}

/// The command that starts the first run of the project.
fn next(scene: &Scene, folder: &Path, template: &Template) -> String {
    if folder.as_os_str().is_empty() {
        return scene.call.command(["run", template.workflow()]);
    }
    // From the folder of the project a relative path would mean another one.
    let data = scene.call.data.as_ref().map(|data| scene.cwd.join(data).display().to_string());
    let run = Call { data }.command(["run", template.workflow()]);
    let folder = folder.display().to_string();
    let dashes = if folder.starts_with('-') { "-- " } else { "" };
    format!("cd {dashes}{} && {run}", for_shell(&folder))
}
