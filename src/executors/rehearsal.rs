//! How the work of an agent is answered in place of itself: by a script, or from a cassette. It is recorded with the agent's
//! definition, so that a run which is resumed, by whomever, goes on in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::json::Json;
use crate::workflow::script::Script;

/// How what the steps of a run ask for is answered, as it is said when the run is started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Who answers what the script does not.
    pub mode: Mode,
    /// The answers that are given first, where one fits. A program of the workflow itself takes only one that names a step or an
    /// agent.
    #[serde(default)]
    pub script: Script,
}

/// Who answers what the steps of a run ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Those who do the work.
    #[default]
    Live,
    /// Those who do the work; all of it is kept in this cassette.
    Record(PathBuf),
    /// This cassette. Nobody outside is asked, and nothing is started.
    Replay(PathBuf),
    /// The script. Only what steps run themselves is run.
    Scripted,
}

impl Mode {
    /// The same, with a path that means the same from any folder.
    #[must_use]
    pub fn in_folder(&self, folder: &Path) -> Self {
        match self {
            Self::Record(file) => Self::Record(folder.join(file)),
            Self::Replay(file) => Self::Replay(folder.join(file)),
            Self::Live | Self::Scripted => self.clone(),
        }
    }
}

impl Answers {
    /// Whether earlier answers of other runs would get in the way: a recording would lack them.
    pub const fn are_taped(&self) -> bool {
        matches!(self.mode, Mode::Record(_) | Mode::Replay(_))
    }
}

/// How the work of one agent is answered in place of itself, as it is recorded with its definition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The answers that are given first, where one fits.
    #[serde(default, skip_serializing_if = "Script::is_empty")]
    pub script: Script,
    /// The cassette in which the others are kept, or that they are from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cassette: Option<CassetteUse>,
}

/// What an agent has to do with a cassette.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CassetteUse {
    /// What is done with it.
    pub does: Taping,
    /// The absolute path of the cassette.
    pub file: PathBuf,
    /// The name of the recording, or of the replay: the id of the run that was started.
    pub take: Arc<str>,
    /// What of the agent's definition counts for what it is asked.
    pub asked: Json,
}

/// What is done with a cassette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taping {
    /// Answers are added to it.
    Record,
    /// Answers are taken from it.
    Replay,
}
