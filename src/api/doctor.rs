//! What is wrong with a set-up: the store and who holds it, the disk below it, the configuration, the agents with the programs
//! that they need, the clock. It changes nothing: no event is appended, no folder made, no lock kept.
//!
//! - `store`: the data folder, who holds its store, and a quick look into it
//! - `writable`: whether all that lies there can be written
//! - `disk`: how much room there is, and how long a sync takes
//! - `configuration`: what is configured, and whether it is in effect
//! - `agents`: the agents, and the programs that are needed
//! - `providers`: who answers for models
//! - `clock`: whether the machine's clock tells the time

mod agents;
mod clock;
mod configuration;
mod disk;
mod providers;
mod store;
mod writable;

use std::path::PathBuf;

use serde::Serialize;

use super::wording::{Call, Worded};
use crate::config::{Config, Sources};
use crate::events::problem::Problem;
use crate::store::sled::{NEWEST_FORMAT, OLDEST_FORMAT};

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The data folder that is meant, which need not be there; or why none can be.
    pub data: Result<PathBuf, Problem>,
    /// The places from which the configuration is read.
    pub sources: Sources,
    /// Why what the folder's own configuration names to be run or told is not in effect.
    pub untrusted: Option<Problem>,
    /// How the command line was called, for the commands that help.
    pub call: Call,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Checkup {
    /// Whether nothing is wrong; warnings do not count.
    pub ok: bool,
    /// Each thing that was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its name, which stays the same from version to version.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found, in a sentence.
    pub says: String,
    /// What can be done about it; none where nothing has to be.
    pub hint: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Somebody should look at it.
    Warning,
    /// Runs fail, or cannot be begun, until it is mended.
    Wrong,
}

impl Worded for Checkup {}

impl Check {
    fn good(name: &str, says: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Good, says: says.into(), hint: None }
    }

    fn warning(name: &str, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), state: State::Warning, ..Self::good(name, says) }
    }

    fn wrong(name: &str, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), state: State::Wrong, ..Self::good(name, says) }
    }

    /// A problem that something else was met with.
    fn problem(name: &str, problem: &Problem, call: &Call) -> Self {
        let at = problem.at.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
        let says = format!("{}{} ({})", at.unwrap_or_default(), problem.message, problem.code);
        Self::wrong(name, says, call.hint(&problem.remedies))
    }

    fn only_a_warning(self) -> Self {
        Self { state: State::Warning, ..self }
    }
}

/// Looks at all of it.
pub async fn examine(patient: &Patient) -> Checkup {
    let mut checks = vec![versions()];
    let loaded = Config::load(&patient.sources);
    // What is wrong with the configuration is told below. All else is looked at as without it.
    let config = loaded.clone().or_else(|_| Config::built_in()).unwrap_or_default();
    checks.extend(configuration::check(patient, &loaded));
    checks.extend(agents::check(patient, &config));
    checks.extend(providers::check(&config));
    let newest = match &patient.data {
        Ok(data) => {
            checks.extend(disk::check(data));
            checks.extend(writable::check(data));
            let (of_store, newest) = store::check(data, &config, patient).await;
            checks.extend(of_store);
            newest
        }
        Err(problem) => {
            checks.push(Check::problem("data", problem, &patient.call));
            None
        }
    };
    checks.push(clock::check(newest));
    Checkup { ok: checks.iter().all(|check| check.state != State::Wrong), checks }
}

fn versions() -> Check {
    let version = env!("CARGO_PKG_VERSION");
    let stores = format!(
        "it reads stores of the formats {OLDEST_FORMAT} to {NEWEST_FORMAT}, and writes {NEWEST_FORMAT}"
    );
    Check::good("version", format!("reenact {version}: {stores}"))
}
