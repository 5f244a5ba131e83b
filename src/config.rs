//! The configuration. `config/default.toml` explains every key; this module finds the files, lays them over each other
//! key by key, and says where a mistake is.
//!
//! - `layer`: a file, or the environment, as keys with places
//! - `keys`: every key, and what it takes
//! - `values`: how the values of keys are read
//! - `notify`: who is told of what
//! - [`trust`]: which folders' own programs may be run

mod keys;
mod layer;
mod notify;
#[cfg(test)]
mod tests;
pub mod trust;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::actors::notify::Notice;
use crate::events::ids::Hash;
use crate::events::problem::Problem;
use crate::text_file::{self, Kind};
use crate::workflow::parse::StepDefaults;
use layer::Setting;

/// The defaults, with the comments that explain them.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// Everything that can be configured. Where a field has no docs of its own, `config/default.toml` has them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Folders or files with agents; relative ones mean the work folder.
    pub agent_paths: Vec<PathBuf>,
    /// `[store]`
    pub store: Store,
    /// `[run]`
    pub run: Run,
    /// `[defaults]`: what holds for steps where their file says nothing.
    pub defaults: StepDefaults,
    /// `[growth]`
    pub growth: Growth,
    /// `[approvals]`
    pub approvals: Approvals,
    /// `[process]`
    pub process: Process,
    /// `[expressions]`
    pub expressions: Expressions,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[actors]`
    pub actors: Actors,
    /// `[log]`
    pub log: Log,
    /// `[[notify]]`
    pub notify: Vec<Notice>,
    /// `[agents.NAME]`: keys that override those of an agent's file, each checked.
    pub agents: BTreeMap<String, toml::Table>,
    /// The current folder's own `reenact.toml`, if it names programs, or addresses to be told, that are in effect.
    pub project: Option<Project>,
}

/// A configuration that came with a folder, be it the user's or a clone of somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The file.
    pub file: PathBuf,
    /// What it holds, as its hash.
    pub hash: Hash,
    /// Its keys that name programs or addresses.
    pub programs: BTreeSet<String>,
}

/// How events are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Store {
    /// What an acknowledged event survives.
    pub durability: Durability,
    /// The size of the page cache.
    pub cache_bytes: u64,
}

/// What an acknowledged event survives. There is nothing weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut.
    #[default]
    Power,
    /// The death of the process.
    Process,
}

/// Bounds of a run whose file has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// Attempts at once.
    pub parallel: u32,
    /// Lost attempts that end a step.
    pub lost: u32,
    /// Tries of a fallback agent, at most.
    pub max_fallback_attempts: u32,
    /// Whether a critical step that could be skipped when it fails, fails all the same.
    pub fail_if_critical_skipped: bool,
    /// Whether who sees a run through is told of what is done in a lesser way.
    pub warn_on_fallback: bool,
}

/// How far a run may grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Growth {
    /// Plans inside of plans.
    pub depth: u32,
    /// Steps of one plan.
    pub width: u32,
    /// Steps of all plans of a run; 0 lets none grow.
    pub total: u32,
    /// Steps of all fan-outs of a run.
    pub items: u32,
}

/// What every request for an approval holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approvals {
    /// What reviewers are to look at, before what the step says.
    pub checklist: Vec<String>,
    /// The program, with its arguments, that tells how things stand; empty is none.
    pub check: Vec<String>,
}

/// How programs are run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Further names that pass from the environment.
    pub environment: Vec<String>,
    /// From TERM to KILL.
    pub grace: Duration,
    /// The bound of stdout.
    pub output_bytes_max: usize,
}

/// What expressions may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expressions {
    /// The names that `env.NAME` may use.
    pub env: Vec<String>,
}

/// How the process ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shutdown {
    /// How long attempts at work may go on.
    pub grace: Duration,
}

/// What hosts runs and agents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actors {
    /// Threads; 0 is one for each core.
    pub arbiters: usize,
    /// How long a run stays in memory after its last event.
    pub passivate_after: Duration,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The home folder, for `~/.config/reenact/config.toml` and `~/` in paths.
    pub home: Option<PathBuf>,
    /// The current folder, for `./reenact.toml`.
    pub cwd: PathBuf,
    /// `--config FILE`: this one has to be there.
    pub explicit: Option<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Whether the programs that `./reenact.toml` names are left out.
    pub without_project_programs: bool,
}

/// The configuration of a folder.
pub const PROJECT_FILE: &str = "reenact.toml";

impl Sources {
    /// Those of this process.
    ///
    /// # Errors
    /// When the current folder is gone.
    pub fn of_process(explicit: Option<PathBuf>) -> io::Result<Self> {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let env: BTreeMap<_, _> = std::env::vars_os().filter_map(texts).collect();
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Ok(Self { home, cwd: std::env::current_dir()?, explicit, env, without_project_programs: false })
    }

    /// The folder of the user's own configuration; as the XDG specification has it, a relative one is ignored.
    pub fn user_folder(&self) -> Option<PathBuf> {
        let xdg = self.env.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        xdg.or_else(|| self.home.as_ref().map(|home| home.join(".config")))
            .map(|folder| folder.join("reenact"))
    }
}

impl Config {
    /// The defaults alone, with nothing of the user's, of a folder, or of the environment.
    ///
    /// # Errors
    /// Never: the defaults are tested.
    pub fn built_in() -> Result<Self, Problem> {
        let mut config = Self::default();
        config.apply(layer::of_file(DEFAULT, "config/default.toml")?)?;
        Ok(config)
    }

    /// Reads all layers.
    ///
    /// # Errors
    /// `RE-5001` with the place for what is wrong in a file; `RE-1101` for a file that is there, or was asked for, and cannot
    /// be read.
    pub fn load(sources: &Sources) -> Result<Self, Problem> {
        let mut config = Self::built_in()?;
        let user = sources.user_folder().map(|folder| folder.join("config.toml"));
        if let Some(file) = user
            && let Some(text) = text_file::read_if_there(&file, Kind::Configuration)?
        {
            config.apply(layer::of_file(&text, &file.display().to_string())?)?;
        }
        config.apply_project(sources)?;
        if let Some(file) = &sources.explicit {
            let shown = file.display().to_string();
            let text = text_file::read(&sources.cwd.join(file), &shown, Kind::Configuration)?;
            config.apply(layer::of_file(&text, &shown)?)?;
        }
        config.apply(layer::of_environment(&sources.env))?;
        keys::check_defaults(&config.defaults)?;
        if let Some(home) = &sources.home {
            config.agent_paths = config.agent_paths.into_iter().map(|path| under_home(home, path)).collect();
        }
        Ok(config)
    }

    /// What a folder's own configuration says, and which programs it names.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn of_project(folder: &Path) -> Result<Option<Project>, Problem> {
        let mut config = Self::default();
        config.apply_project(&Sources { cwd: folder.to_path_buf(), ..Sources::default() })?;
        Ok(config.project)
    }

    fn apply_project(&mut self, sources: &Sources) -> Result<(), Problem> {
        let file = sources.cwd.join(PROJECT_FILE);
        let Some(text) = text_file::read_if_there(&file, Kind::Configuration)? else { return Ok(()) };
        let mut settings = layer::of_file(&text, &file.display().to_string())?;
        if sources.without_project_programs {
            // They are checked all the same.
            Self::default().apply(layer::of_file(&text, &file.display().to_string())?)?;
            settings.retain(|setting| keys::names_program(&setting.path, &setting.value).is_none());
        }
        let programs: BTreeSet<_> = settings
            .iter()
            .filter_map(|setting| keys::names_program(&setting.path, &setting.value))
            .collect();
        self.apply(settings)?;
        self.project =
            (!programs.is_empty()).then(|| Project { file, hash: Hash::of(text.as_bytes()), programs });
        Ok(())
    }

    /// Later layers win: what they set is the user's own.
    fn apply(&mut self, settings: Vec<Setting>) -> Result<(), Problem> {
        settings.into_iter().try_for_each(|setting| {
            let Setting { path, value, origin } = setting;
            if let Some(project) = &mut self.project {
                project.programs.remove(&keys::known_as(&path));
            }
            keys::set(self, &path, value).map_err(|problem| origin.place(problem))
        })?;
        self.project = self.project.take().filter(|project| !project.programs.is_empty());
        Ok(())
    }
}

fn under_home(home: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix("~").map(|rest| home.join(rest)).unwrap_or(path)
}
