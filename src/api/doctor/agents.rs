//! The agents, and the programs that they and others need.

use std::ffi::OsStr;
use std::path::Path;

use super::{Check, Patient};
use crate::config::Config;
use crate::events::ids::AgentName;
use crate::events::problem::Problem;
use crate::executors::ExecutorKind;
use crate::executors::delivery::Target;
use crate::executors::discovery::Catalog;
use crate::executors::subprocess::{SHELL, program_file};

const AGENTS: &str = "agents";
const PROGRAMS: &str = "programs";

pub(super) fn check(patient: &Patient, config: &Config) -> Vec<Check> {
    let folder = &patient.sources.cwd;
    let catalog = config.catalog(folder, &[]);
    let mut checks: Vec<Check> = catalog
        .errors()
        .iter()
        .map(|problem| Check::problem(AGENTS, problem, &patient.call))
        .chain(
            catalog
                .warnings_of_places()
                .iter()
                .map(|problem| Check::problem(AGENTS, problem, &patient.call).only_a_warning()),
        )
        .collect();
    let mut needed: Vec<(String, String)> = vec![("steps with `run`".to_owned(), SHELL.to_owned())];
    let mut usable = Vec::new();
    for name in catalog.names().map(AgentName::new) {
        let check = |problem: &Problem| Check::problem(&format!("agent {name}"), problem, &patient.call);
        match catalog.find(&name) {
            Err(problem) => checks.push(check(&problem)),
            // Files of other tools may be read here, and be meant for them only.
            Ok(found) => match found.definition.check_usable() {
                Err(problem) => checks.push(check(&problem).only_a_warning()),
                Ok(()) => {
                    usable.push(name.to_string());
                    let program = found.definition.command.first();
                    let is_program = found.definition.executor == ExecutorKind::Subprocess;
                    needed.extend(
                        program
                            .filter(|_| is_program)
                            .map(|program| (format!("agent `{name}`"), program.clone())),
                    );
                }
            },
        }
        let nobodies = catalog.unknown_handoffs_of(&name);
        let odd = catalog.warnings_of(&name).iter().chain(&nobodies);
        checks.extend(odd.map(|warning| check(warning).only_a_warning()));
    }
    checks.extend(manager(config, &catalog, patient));
    if checks.is_empty() {
        checks.push(Check::good(AGENTS, format!("steps can name {}", some_of(&usable))));
    }
    needed.extend(others(config));
    checks.extend(programs(&needed, folder));
    checks
}

/// What is wrong with the agent that is asked about others which are stuck: no run with agents begins without it.
fn manager(config: &Config, catalog: &Catalog, patient: &Patient) -> Option<Check> {
    let found = catalog.find(config.stuck.manager.as_ref()?);
    let wrong = found.and_then(|found| found.definition.check_usable()).err()?;
    Some(Check::problem("`stuck.manager`", &wrong, &patient.call))
}

/// What else the configuration has run.
fn others(config: &Config) -> impl Iterator<Item = (String, String)> {
    let check =
        config.approvals.check.first().map(|program| ("`approvals.check`".to_owned(), program.clone()));
    let told = config.notify.iter().filter_map(|notice| match &notice.target {
        Target::Command(command) => command.first(),
        Target::Url { .. } => None,
    });
    check.into_iter().chain(told.map(|program| ("`notify`".to_owned(), program.clone())))
}

/// Who needs a program, and which.
fn programs(needed: &[(String, String)], folder: &Path) -> Vec<Check> {
    let path = std::env::var_os("PATH");
    let missing: Vec<_> = needed
        .iter()
        .filter(|(_, program)| program_file(program, path.as_deref(), folder).is_none())
        .map(|(who, program)| missing(who, program, path.as_deref(), folder))
        .collect();
    match missing.is_empty() {
        true => {
            let mut found: Vec<_> = needed.iter().map(|(_, program)| format!("`{program}`")).collect();
            found.dedup();
            vec![Check::good(PROGRAMS, format!("found, and may be executed: {}", some_of(&found)))]
        }
        false => missing,
    }
}

fn missing(who: &str, program: &str, path: Option<&OsStr>, folder: &Path) -> Check {
    if !program.contains('/') {
        let path = path.unwrap_or_default().display();
        let says = format!("{who} needs `{program}`, which is nowhere along PATH ({path})");
        return Check::wrong(PROGRAMS, says, "install it, or name its path");
    }
    let file = folder.join(program);
    let shown = file.display();
    match file.is_file() {
        true => {
            let says = format!("{who} needs `{shown}`, which may not be executed");
            Check::wrong(PROGRAMS, says, format!("`chmod +x {shown}` lets it be"))
        }
        false => {
            let says = format!("{who} needs `{shown}`, which is not there");
            Check::wrong(PROGRAMS, says, "make it, or name another; relative paths mean the current folder")
        }
    }
}

/// The first of several names, and how many there are beside them.
fn some_of(names: &[String]) -> String {
    const NAMED_MAX: usize = 8;
    let named = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
