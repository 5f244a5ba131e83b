//! What is typed so far, as far as it can be understood.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, CommandFactory};

use crate::api::folder;
use crate::api::spec::RunSpec;
use crate::api::start::Resolver;
use crate::cli::arguments::Arguments;
use crate::config::{Config, Sources};

/// The words of a command line, and where it is typed.
pub(super) struct Typed {
    /// Of the innermost verb.
    matches: ArgMatches,
    data: Option<PathBuf>,
    config: Option<PathBuf>,
    pub(super) here: PathBuf,
}

impl Typed {
    /// The words that a shell has given this process, behind `--`; none if nothing of them is understood.
    pub(super) fn of_process() -> Option<Self> {
        let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
        let mut matches = Arguments::command().ignore_errors(true).try_get_matches_from(words).ok()?;
        let mut path = |id: &str| matches.remove_one::<PathBuf>(id);
        let (data, config) = (path("data"), path("config"));
        while let Some((_, inner)) = matches.remove_subcommand() {
            matches = inner;
        }
        Some(Self { matches, data, config, here: std::env::current_dir().ok()? })
    }

    /// The text of an argument, or what holds without it.
    pub(super) fn text(&self, id: &str) -> Option<&str> {
        self.matches.try_get_one::<String>(id).ok().flatten().map(String::as_str)
    }

    /// The words behind `help`.
    pub(super) fn helped_with(&self) -> Vec<String> {
        self.matches.try_get_many::<String>("verbs").ok().flatten().into_iter().flatten().cloned().collect()
    }

    /// The data folder that is meant, if there is one of this user.
    pub(super) fn store(&self) -> Option<PathBuf> {
        let data = folder::meant(folder::named(self.data.as_deref()).as_deref(), &self.here).ok()?;
        (folder::is_store(&data) && folder::is_yours(&data)).then_some(data)
    }

    /// The configuration, as far as it can be read; of the folder's own nothing that names programs.
    pub(super) fn config(&self) -> Option<Config> {
        let sources = Sources::of_process(self.config.clone()).ok()?;
        Config::load(&Sources { without_project_programs: true, ..sources })
            .or_else(|_| Config::built_in())
            .ok()
    }

    /// The names of all agents.
    pub(super) fn agents(&self) -> Vec<String> {
        let Some(config) = self.config() else { return Vec::new() };
        let catalog = config.catalog(&self.here, &[]);
        catalog.names().map(str::to_owned).collect()
    }

    /// The steps and the phases of the workflow file that is named.
    pub(super) fn steps_of_file(&self) -> Vec<String> {
        self.definition().unwrap_or_default()
    }

    fn definition(&self) -> Option<Vec<String>> {
        let file: &PathBuf = self.matches.try_get_one("file").ok()??;
        let resolver = Resolver { config: self.config()?, cwd: self.here.clone(), registered: Vec::new() };
        let family = resolver.read(&RunSpec::file(Path::new(file))).ok()?;
        let steps = &family.root.definition.steps;
        let ids = steps.iter().map(|step| step.id.to_string());
        let mut names: Vec<String> = Vec::new();
        for name in ids.chain(steps.iter().filter_map(|step| step.phase.as_ref().map(ToString::to_string))) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(names)
    }
}
