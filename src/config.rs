//! The configuration. `config/default.toml` explains every key; this module finds the files, merges them key
//! by key, and says where a mistake is.
//!
//! - `layer`: a file, or the environment, as keys with places
//! - `keys`: every key, and what it takes
//! - `values`: how the values of keys are read
//! - `models`: models, and who answers for them
//! - `notify`: who is told of which events; `log`: what is logged
//! - [`shown`]: each setting, and where its value comes from
//! - [`trust`]: which folders' own programs may be run

mod keys;
mod layer;
mod log;
mod models;
mod notify;
pub mod shown;
#[cfg(test)]
mod tests;
pub mod trust;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::actors::notify::Notice;
use crate::events::conversation::Window;
use crate::events::ids::{AgentName, Hash};
use crate::events::problem::{Code, Problem};
use crate::executors::AgentDefinition;
use crate::executors::delivery::Target;
use crate::executors::discovery::Catalog;
use crate::executors::llm::models::Models;
use crate::executors::rehearsal::Answers;
use crate::executors::tools;
use crate::text_file::{self, Kind};
use crate::workflow::parse::StepDefaults;
use layer::Setting;
pub use log::{Log, LogFormat};

/// The defaults, with the comments that explain them.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// Everything that can be configured. Fields without a description of their own
/// are described in `config/default.toml`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Folders or files with agents; relative paths start in the work folder.
    pub agent_paths: Vec<PathBuf>,
    /// The agent that is meant where none is named.
    pub default_agent: Option<AgentName>,
    /// The sections `[models.NAME]`, `[providers.NAME]` and `[llm]`.
    pub models: Models,
    /// The section `[store]` of the configuration.
    pub store: Store,
    /// The section `[run]` of the configuration.
    pub run: Run,
    /// The section `[defaults]`: what applies to steps whose file does not say.
    pub defaults: StepDefaults,
    /// The section `[growth]` of the configuration.
    pub growth: Growth,
    /// The section `[stuck]` of the configuration.
    pub stuck: Stuck,
    /// The section `[routing]` of the configuration.
    pub routing: Routing,
    /// The section `[goal]` of the configuration.
    pub goal: Goal,
    /// The section `[team]` of the configuration.
    pub team: Team,
    /// The section `[conversation]` of the configuration.
    pub conversation: Conversation,
    /// The section `[approvals]` of the configuration.
    pub approvals: Approvals,
    /// The section `[process]` of the configuration.
    pub process: Process,
    /// The section `[expressions]` of the configuration.
    pub expressions: Expressions,
    /// The section `[shutdown]` of the configuration.
    pub shutdown: Shutdown,
    /// The section `[actors]` of the configuration.
    pub actors: Actors,
    /// The section `[cache]` of the configuration.
    pub cache: Cache,
    /// The section `[tools]` of the configuration.
    pub tools: tools::Settings,
    /// The section `[log]` of the configuration.
    pub log: Log,
    /// The sections `[[notify]]`, one for each notice.
    pub notify: Vec<Notice>,
    /// The sections `[agents.NAME]`: keys that override those of an agent's file, each checked.
    pub agents: BTreeMap<String, toml::Table>,
    /// The current folder's own `reenact.toml`, if it names programs, addresses to notify or a file to log to, and
    /// they are in effect.
    pub project: Option<Project>,
}

/// A configuration that came with a folder, which may be the user's own or a clone of somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The path of the file.
    pub file: PathBuf,
    /// The hash of the file's content.
    pub hash: Hash,
    /// The keys in it that name programs or addresses.
    pub programs: BTreeSet<String>,
}

/// The settings of the store of events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Store {
    /// What an acknowledged event survives.
    pub durability: Durability,
    /// The size of the page cache, in bytes.
    pub cache_bytes: u64,
}

/// What an acknowledged event survives. There is no weaker choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// It survives a power cut.
    #[default]
    Power,
    /// It survives the death of the process, but not a power cut.
    Process,
}

/// Bounds of a run, where its file sets none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// How many attempts may run at once.
    pub parallel: u32,
    /// How many lost attempts end a step.
    pub lost: u32,
    /// How often a fallback agent is tried, at most.
    pub max_fallback_attempts: u32,
    /// Whether a critical step that fails counts as failed even where it could be skipped.
    pub fail_if_critical_skipped: bool,
    /// Whether a person who follows a run is told when something is done in a lesser way.
    pub warn_on_fallback: bool,
}

/// When agents are stuck, and who is asked then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stuck {
    /// How often an agent may give the same answer; 0 for as often as it likes.
    pub answers: u32,
    /// How often the same agent may hand over to the same other that hands back; 0 for as often as they like.
    pub handoffs: u32,
    /// How long an attempt of an agent may take without coming to an end; zero for no limit.
    pub time: Duration,
    /// The agent that is asked; none if nobody is.
    pub manager: Option<AgentName>,
}

/// How far a run may grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Growth {
    /// How many plans may lie one inside another.
    pub depth: u32,
    /// How many steps one plan may add.
    pub width: u32,
    /// How many steps all plans of a run may add; with 0 no plan may add any.
    pub total: u32,
    /// How many steps all fan-outs of a run may add.
    pub items: u32,
    /// How many handoffs the chain of a step may have; 0 for none.
    pub handoffs_max: u32,
}

/// How requests are understood for which nobody names an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// A file of rules that is added to what is built in; none if there is none.
    pub rules: Option<PathBuf>,
}

/// How goals are reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Goal {
    /// The agent that plans; none for `stuck.manager`.
    pub manager: Option<AgentName>,
}

/// What the agents of a team share that reaches a goal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Team {
    /// The path of its file, in the work folder; none for no file.
    pub path: Option<PathBuf>,
}

/// How much of a conversation is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conversation {
    /// How many tokens the window has.
    pub window: u32,
    /// With more than this share of it in use it is compressed.
    pub compress_at: f64,
    /// Compressing leaves no more than this share of it in use.
    pub target: f64,
    /// The summary has no more than this share of it.
    pub summary: f64,
    /// How many of the last turns stay.
    pub keep_last: u32,
}

impl Conversation {
    /// The same in tokens.
    pub fn window(&self) -> Window {
        // A share of a number is no larger than the number.
        let share = |share: f64| (f64::from(self.window) * share) as u32;
        Window {
            tokens: self.window,
            compress_above: share(self.compress_at),
            target: share(self.target),
            summary: share(self.summary),
            keep_last: self.keep_last,
        }
    }
}

/// What every request for an approval holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approvals {
    /// Points that reviewers are to look at, listed before those of the step.
    pub checklist: Vec<String>,
    /// The program and its arguments that check the state of the work; empty for none.
    pub check: Vec<String>,
}

/// The settings of programs that agents run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Further names of environment variables that are passed on.
    pub environment: Vec<String>,
    /// Names of environment variables that are passed on, and whose values are told to nobody.
    pub secrets: Vec<String>,
    /// How long a program has between TERM and KILL.
    pub grace: Duration,
    /// How many bytes a program may write to stdout; beyond that its attempt fails.
    pub output_bytes_max: usize,
}

/// What expressions may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expressions {
    /// The names of environment variables that `env.NAME` may use.
    pub env: Vec<String>,
}

/// The settings of the end of the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shutdown {
    /// How long attempts that are being made may go on.
    pub grace: Duration,
}

/// The process's actors, which host runs and agents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actors {
    /// How many threads run them; 0 for one per core.
    pub arbiters: usize,
    /// How long a run stays in memory after its last event.
    pub passivate_after: Duration,
}

/// The answers that are kept for steps which may take them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cache {
    /// How many bytes they may have together.
    pub max_bytes: u64,
}

/// The places from which the configuration is read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The home folder, for `~/.config/reenact/config.toml` and for `~/` in paths.
    pub home: Option<PathBuf>,
    /// The current folder, for `./reenact.toml`.
    pub cwd: PathBuf,
    /// The file of `--config FILE`, which must exist.
    pub explicit: Option<PathBuf>,
    /// The environment variables, by name.
    pub env: BTreeMap<String, String>,
    /// Whether programs that `./reenact.toml` names are left out.
    pub without_project_programs: bool,
}

/// The name of a folder's own configuration file.
pub const PROJECT_FILE: &str = "reenact.toml";

impl Sources {
    /// The sources of this process.
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

    /// The folder of the user's own configuration. A relative path in the environment is ignored, as
    /// the XDG specification says.
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
    /// `RE-5001` with the place for what is wrong in a file; `RE-1101` for a file that is there, or was asked
    /// for, and cannot be read.
    pub fn load(sources: &Sources) -> Result<Self, Problem> {
        let mut config = Self::built_in()?;
        config.apply(user_settings(sources)?)?;
        config.apply_project(sources)?;
        config.apply(explicit_settings(sources)?)?;
        config.apply(layer::of_environment(&sources.env))?;
        keys::check_defaults(&config.defaults)?;
        keys::check_conversation(&config.conversation)?;
        config.check_secrets()?;
        // Without what a folder's own file says of them, providers may be anything but whole.
        if !sources.without_project_programs {
            config.models.check()?;
        }
        if let Some(home) = &sources.home {
            config.agent_paths = config.agent_paths.into_iter().map(|path| under_home(home, path)).collect();
            config.log.file = config.log.file.map(|path| under_home(home, path));
            config.routing.rules = config.routing.rules.map(|path| under_home(home, path));
        }
        Ok(config)
    }

    /// The names of all environment variables whose values are told to nobody: `process.secrets`, and those that keys name
    /// which end with `_env`.
    pub fn secrets(&self) -> BTreeSet<String> {
        let tokens = self.notify.iter().filter_map(|notice| match &notice.target {
            Target::Url { token_env, .. } => token_env.clone(),
            Target::Command(_) => None,
        });
        let keys = self.models.key_variables().map(str::to_owned);
        self.process.secrets.iter().cloned().chain(tokens).chain(keys).collect()
    }

    /// The agents that work in a folder: those that the program has `registered`, files and the configuration define, each with the
    /// model that it means. Reads files, so it blocks for as long.
    pub fn catalog(&self, folder: &Path, registered: &[AgentDefinition]) -> Catalog {
        self.rehearsed_catalog(folder, registered, &Answers::default(), "")
    }

    /// The same, whose work is answered in place of themselves. `take` names the recording or the replay.
    pub fn rehearsed_catalog(
        &self,
        folder: &Path,
        registered: &[AgentDefinition],
        answers: &Answers,
        take: &str,
    ) -> Catalog {
        let found = Catalog::discover(folder, registered, &self.agent_paths, &self.agents);
        found.rehearsed(answers, take).for_models(&self.models)
    }

    /// Sets a key of an agent, as a person says it who starts a run: over every file. `text` is read as the environment's is.
    ///
    /// # Errors
    /// [`Code::BadConfig`] for what is no key of an agent, or does not take the value.
    pub fn set_of_agent(&mut self, agent: &str, key: &str, text: &str) -> Result<(), Problem> {
        let path = ["agents", agent, key].map(str::to_owned);
        keys::set(self, &path, layer::value_of_text(text))
    }

    /// Checks that no secret is read by expressions: what they read is recorded.
    fn check_secrets(&self) -> Result<(), Problem> {
        let secrets = self.secrets();
        match self.expressions.env.iter().find(|name| secrets.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "`expressions.env` names `{name}`, which is a secret: what expressions read is recorded"
                );
                Err(Problem::new(Code::BadConfig, message))
            }
        }
    }

    /// A folder's own configuration file; none if there is no such file, or it names
    /// no programs or addresses.
    ///
    /// # Errors
    /// The same as those of [`Config::load`].
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
            // They are checked even though they are not applied.
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

    /// Applies settings. Later layers win: what they set is the user's own choice.
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

/// The settings of the user's own file, if there is one.
fn user_settings(sources: &Sources) -> Result<Vec<Setting>, Problem> {
    let Some(folder) = sources.user_folder() else { return Ok(Vec::new()) };
    let file = folder.join("config.toml");
    let text = text_file::read_if_there(&file, Kind::Configuration)?;
    text.map_or_else(|| Ok(Vec::new()), |text| layer::of_file(&text, &file.display().to_string()))
}

/// The settings of the file that was named, if one was.
fn explicit_settings(sources: &Sources) -> Result<Vec<Setting>, Problem> {
    let Some(file) = &sources.explicit else { return Ok(Vec::new()) };
    let shown = file.display().to_string();
    let text = text_file::read(&sources.cwd.join(file), &shown, Kind::Configuration)?;
    layer::of_file(&text, &shown)
}

fn under_home(home: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix("~").map(|rest| home.join(rest)).unwrap_or(path)
}
