//! `reenact trust [DIR]`: lets the programs be run that a folder's own configuration names.

use serde::Serialize;

use super::arguments::TrustArguments;
use super::text::terminal::{Text, terminal};
use super::{Exit, Scene};
use crate::api::wording::Worded;
use crate::config::{Config, PROJECT_FILE, Project, trust as kept};
use crate::events::ids::Hash;
use crate::events::problem::{Code, Problem};

/// The JSON that `trust --json` prints.
#[derive(Clone, Serialize)]
struct Trusted {
    file: String,
    /// The hash of what the file holds; none if it names no program.
    hash: Option<Hash>,
    /// The keys that name what may be run.
    programs: Vec<String>,
}

impl Worded for Trusted {}

pub(super) fn trust(scene: &Scene, arguments: TrustArguments) -> Result<Exit, Problem> {
    let folder = scene.cwd.join(arguments.dir.unwrap_or_default());
    let file = folder.join(PROJECT_FILE);
    let folder = folder.canonicalize().map_err(|error| {
        Problem::new(Code::FileNotRead, format!("the folder `{}` cannot be used: {error}", folder.display()))
    })?;
    if !file.exists() {
        return Err(Problem::new(Code::FileNotRead, format!("there is no `{}`", file.display())));
    }
    let Some(project) = Config::of_project(&folder)? else {
        let nothing = Trusted { file: file.display().to_string(), hash: None, programs: Vec::new() };
        scene.say.result(&nothing, text);
        return Ok(Exit::Good);
    };
    let not_kept = |why: String| Problem::new(Code::TrustNotKept, why);
    let user = scene.user_folder.as_ref();
    let user = user.ok_or_else(|| not_kept("neither HOME nor XDG_CONFIG_HOME is set".to_owned()))?;
    kept::trust(user, &project).map_err(|error| not_kept(format!("{}: {error}", user.display())))?;
    let Project { file, hash, programs } = project;
    let (file, programs) = (file.display().to_string(), programs.into_iter().collect());
    let trusted = Trusted { file, hash: Some(hash), programs };
    scene.say.result(&trusted, text);
    Ok(Exit::Good)
}

fn text(trusted: &Trusted) -> Text {
    match trusted.hash {
        Some(_) => {
            terminal!("trusted as it is now: {} ({})", trusted.file, trusted.programs.join(", "))
        }
        None => terminal!("{} names no program: there is nothing to trust", trusted.file),
    }
}
