//! A workflow file and those that its steps start, read and checked together: what runs never meets a file that is
//! missing or wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Scene, bind};
use crate::events::json::Json;
use crate::events::problem::{Code, Place, Problem};
use crate::executors::AgentDefinition;
use crate::executors::discovery::Catalog;
use crate::text_file::{self, Kind};
use crate::workflow::definition::{Definition, Does};
use crate::workflow::input::check_input;
use crate::workflow::parse::{self, Known, NamedChild, Partly};

/// Workflows are not started deeper inside each other. Whoever needs more has most likely made a mistake, and each level
/// is a run of its own.
const DEPTH_MAX: usize = 32;

/// A workflow file that can be run.
pub(super) struct Checked {
    pub(super) definition: Definition,
    /// The agents that its steps and compensations name, as files and the configuration define them; and where it may
    /// grow, all that a plan could name.
    pub(super) agents: Vec<AgentDefinition>,
    /// The folder of the file.
    pub(super) work_folder: PathBuf,
}

/// What keeps files from being run.
pub(super) struct Wrong {
    /// Everything, file by file, in the order of their lines.
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// A workflow file with all that its steps start, directly or not.
pub(super) struct Family {
    pub(super) root: Checked,
    /// By what the definitions call them: absolute paths.
    pub(super) children: Vec<(String, Checked)>,
    pub(super) warnings: Vec<Problem>,
}

/// Reads a workflow file and checks all of it, the agents and the workflows that it names too.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn check(scene: &Scene, path: &Path) -> Result<Family, Wrong> {
    let shown = path.display().to_string();
    let whole = text_file::whole_path(&scene.cwd.join(path), &shown)
        .map_err(|problem| Wrong { errors: vec![problem], warnings: Vec::new() })?;
    let mut reader = Reader {
        scene,
        here: fs::canonicalize(&scene.cwd).unwrap_or_else(|_| scene.cwd.clone()),
        catalogs: BTreeMap::new(),
        above: Vec::new(),
        met: BTreeSet::new(),
        children: BTreeMap::new(),
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    let root = reader.file(&whole, &shown);
    match root {
        Some(root) if reader.errors.is_empty() => {
            let children = reader.children.into_iter().filter_map(|(file, child)| Some((file, child?)));
            Ok(Family { root, children: children.collect(), warnings: reader.warnings })
        }
        _ => Err(Wrong { errors: reader.errors, warnings: reader.warnings }),
    }
}

struct Reader<'a> {
    scene: &'a Scene,
    /// The current folder, as the system calls it.
    here: PathBuf,
    /// By the folder in which agents are looked for.
    catalogs: BTreeMap<PathBuf, Catalog>,
    /// The files that lead to the one that is being read, as people and as the system call them.
    above: Vec<(String, PathBuf)>,
    /// Files that were begun: each is read once, whoever names it.
    met: BTreeSet<String>,
    /// By their absolute paths; none for what is wrong.
    children: BTreeMap<String, Option<Checked>>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader<'_> {
    /// Reads a file, and those that it names. What is wrong is among the errors.
    fn file(&mut self, whole: &Path, shown: &str) -> Option<Checked> {
        let mut partly = match read(self.scene, whole, shown) {
            Ok(partly) => partly,
            Err(problem) => {
                self.errors.push(problem);
                return None;
            }
        };
        let folder = whole.parent().unwrap_or(&self.scene.cwd).to_path_buf();
        let mut own = std::mem::take(&mut partly.problems);
        let agents = self.agents(&mut partly, &folder, shown, &mut own);
        let mut found: Vec<_> =
            own.into_iter().map(|problem| (place_of(problem.at.as_ref()), problem)).collect();
        let before = self.errors.len();
        self.above.push((shown.to_owned(), whole.to_path_buf()));
        for child in std::mem::take(&mut partly.children) {
            let definition = partly.read.as_mut().map(|parsed| &mut parsed.definition);
            if let Err(problem) = self.child(definition, &folder, &child) {
                self.errors.push(placed(problem, &child.at).step(&child.step));
            }
            // What is wrong with another file is told where that is named.
            let there = place_of(Some(&child.at));
            found.extend(self.errors.drain(before..).map(|problem| (there, problem)));
        }
        self.above.pop();
        found.sort_by_key(|(place, _)| *place);
        self.errors.extend(found.into_iter().map(|(_, problem)| problem));
        Some(Checked { definition: partly.read?.definition, agents: agents?, work_folder: folder })
    }

    /// The agents of a file. What is wrong is added to its problems, and what is odd to the warnings.
    fn agents(
        &mut self,
        partly: &mut Partly,
        folder: &Path,
        shown: &str,
        own: &mut Vec<Problem>,
    ) -> Option<Vec<AgentDefinition>> {
        let config = &self.scene.house.config;
        if !self.catalogs.contains_key(folder) {
            let catalog = Catalog::discover(folder, &config.agent_paths, &config.agents);
            self.errors.extend_from_slice(catalog.errors());
            self.warnings.extend_from_slice(catalog.warnings_of_places());
            self.catalogs.insert(folder.to_path_buf(), catalog);
        }
        let catalog = self.catalogs.get(folder)?;
        self.warnings.append(&mut partly.warnings);
        let (agents, warnings) = match bind::agents(partly, shown, catalog, config) {
            Ok(bound) => (Some(bound.agents), bound.warnings),
            Err((problems, warnings)) => {
                own.extend(problems);
                (None, warnings)
            }
        };
        // Workflows that name one agent are not told of it twice.
        let new = warnings.into_iter().filter(|warning| !self.warnings.contains(warning));
        let new: Vec<Problem> = new.collect();
        self.warnings.extend(new);
        agents
    }

    /// Reads a file that a step names, unless that was done, and gives the step its path.
    fn child(
        &mut self,
        definition: Option<&mut Definition>,
        folder: &Path,
        child: &NamedChild,
    ) -> Result<(), Problem> {
        let refused = |message: String| Problem::new(Code::ChildWorkflow, message);
        let whole = text_file::whole_path(&folder.join(&child.file), &child.file)
            .map_err(|problem| refused(format!("the workflow {}", problem.message)))?;
        let shown = self.shown(&whole);
        if let Some(at) = self.above.iter().position(|(_, above)| *above == whole) {
            let chain: Vec<&str> = self.above.iter().skip(at).map(|(shown, _)| shown.as_str()).collect();
            let message =
                format!("a workflow would start itself without end: {} → {shown}", chain.join(" → "));
            return Err(refused(message));
        }
        if self.above.len() > DEPTH_MAX {
            let first = self.above.first().map_or("", |(shown, _)| shown);
            let message =
                format!("`{shown}` would be started more than {DEPTH_MAX} workflows deep inside `{first}`");
            return Err(refused(message).hint("let fewer workflows start each other"));
        }
        let path = whole
            .to_str()
            .ok_or_else(|| refused(format!("the path of the workflow `{}` is not UTF-8", child.file)))?;
        if self.met.insert(path.to_owned()) {
            let before = self.errors.len();
            let checked = self.file(&whole, &shown);
            // What cannot even be read has no place of its own.
            for problem in self.errors.iter_mut().skip(before).filter(|problem| problem.at.is_none()) {
                let message = std::mem::take(&mut problem.message);
                // Links may lead to a file that is called otherwise.
                let message = match message.contains(&child.file) {
                    true => message,
                    false => format!("the workflow `{}`: {message}", child.file),
                };
                *problem = placed(refused(message), &child.at).step(&child.step);
            }
            self.children.insert(path.to_owned(), checked);
        }
        let Some(definition) = definition else { return Ok(()) };
        definition.set_child(&child.step, path);
        match self.children.get(path) {
            Some(Some(checked)) => takes(&checked.definition, definition, child, &shown),
            // What is wrong with it was told.
            _ => Ok(()),
        }
    }

    /// A file as people call it: from the current folder, if it is in there.
    fn shown(&self, whole: &Path) -> String {
        whole.strip_prefix(&self.here).unwrap_or(whole).display().to_string()
    }
}

/// Whether a child takes the input that it is given, as far as that is known before anything runs.
fn takes(child: &Definition, parent: &Definition, named: &NamedChild, shown: &str) -> Result<(), Problem> {
    let Some(Does::Workflow { with, .. }) = parent.step(&named.step).map(|step| &step.does) else {
        return Ok(());
    };
    let input = match with {
        Some(with) if with.is_constant() => Json::of(with).unwrap_or_default(),
        Some(_) => return Ok(()),
        None => Json::from(&serde_json::json!({})),
    };
    check_input(child.input.as_ref(), &input).map(drop).map_err(|problems| {
        let wrong: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
        Problem::new(Code::BadInput, format!("`{shown}` does not take its input: {}", wrong.join("; ")))
            .hint("`with` is its input: give it there what its `input` says")
    })
}

fn read(scene: &Scene, whole: &Path, shown: &str) -> Result<Partly, Problem> {
    if whole.extension().is_some_and(|kind| kind == "md") {
        let message = format!("{shown}: workflows in Markdown are not supported by this version");
        return Err(Problem::new(Code::NotBuilt, message).hint("write it as YAML: see docs/workflows.md"));
    }
    let text = text_file::read(whole, shown, Kind::Workflow)?;
    let config = &scene.house.config;
    let known = Known {
        env: &config.expressions.env,
        fallback_attempts: config.run.max_fallback_attempts,
        defaults: Some(&config.defaults),
    };
    Ok(parse::read(&text, shown, &known))
}

/// Line and column, by which problems are ordered.
fn place_of(at: Option<&Place>) -> (u64, u64) {
    at.map_or((0, 0), |at| (at.line, at.column))
}

fn placed(problem: Problem, at: &Place) -> Problem {
    problem.at(&at.file, at.line, at.column)
}
