//! Beginning runs: from what was said to the first event.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Facade, view_problem};
use crate::actors::blocking::blocking;
use crate::aggregates::run::{Insists, Run, RunStatus, StartChild, StartRun};
use crate::api::new_run_id;
use crate::api::protocol::Response;
use crate::api::spec::{BoundWorkflow, Resolved, RunSpec, Workflow};
use crate::api::start::Resolver;
use crate::config::Config;
use crate::events::ids::AgentName;
use crate::events::json::{Blob, Json};
use crate::events::limits::RUN_LABELS_BYTES_MAX;
use crate::events::problem::{Code, Problem};
use crate::executors::AgentDefinition;
use crate::executors::discovery::Catalog;
use crate::executors::rehearsal::Rehearsal;
use crate::kernel::Blobs;
use crate::workflow::definition::Definition;
use crate::workflow::input::check_input;

impl Facade {
    /// Begins a run, or finds the run of that id that does the same.
    ///
    /// # Errors
    /// The first of what is wrong with it; when the id is taken by a run that does something else.
    pub(super) async fn begin(
        &self,
        spec: RunSpec,
        drive: bool,
        only_recorded: bool,
    ) -> Result<Response, Problem> {
        let spec = match spec.workflow {
            Workflow::Resolved(_) => spec,
            _ => self.resolve_spec(spec).await.map_err(first)?,
        };
        let run = spec.id.clone().unwrap_or_else(new_run_id);
        let start = self.start_run(spec)?;
        let insists = Insists { only_recorded, ..start.insists };
        let start = StartRun { drive, insists, ..start };
        let statuses = self.system.runs().statuses(std::slice::from_ref(&run)).await;
        let was = statuses.map_err(|error| view_problem(&error))?.get(&run).copied();
        if was.is_some() {
            let (state, _) = self.system.fold(&run).await?;
            is_answered_so(&state, &start, &**self.system.library())?;
        }
        let version = self.system.begin(&run, start).await?;
        Ok(Response::Begun { run, version, was })
    }

    /// The status of the run that a spec, which is resolved, would attach to; none if one would begin.
    ///
    /// # Errors
    /// Those of beginning it.
    pub(super) async fn foresee(&self, spec: RunSpec) -> Result<Option<RunStatus>, Problem> {
        let run = spec.id.clone().unwrap_or_else(new_run_id);
        let start = self.start_run(spec)?;
        let (state, _) = self.system.fold(&run).await?;
        if state.about().is_none() {
            return self.system.admit(&run, &start).await.map(|()| None);
        }
        is_answered_so(&state, &start, &**self.system.library())?;
        let meant = state.may_be_meant_by(&start, &**self.system.library());
        meant.map_err(|why| why.problem().of_run(&run))?;
        Ok(Some(state.status()))
    }

    /// Reads and checks a workflow and what it is started with.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub async fn resolve_spec(&self, spec: RunSpec) -> Result<RunSpec, Vec<Problem>> {
        let resolver = Arc::clone(&self.resolver);
        // Resolving reads files, so it blocks.
        let resolving = blocking(move || resolver.resolve(spec)).await;
        let (spec, warnings) = resolving.map_err(|problem| vec![problem])??;
        for warning in warnings {
            tracing::warn!(code = warning.code.text(), "{warning}");
        }
        Ok(spec)
    }

    /// The agents that there are for a program that embeds this, and the configuration under which they are found.
    ///
    /// # Errors
    /// When the process is ending.
    pub async fn catalog(&self) -> Result<(Config, PathBuf, Catalog), Problem> {
        let resolver = Arc::clone(&self.resolver);
        let reading = blocking(move || {
            let Resolver { config, cwd, registered } = &*resolver;
            let catalog = Catalog::discover(cwd, registered, &config.agent_paths, &config.agents);
            (config.clone(), cwd.clone(), catalog)
        });
        reading.await
    }

    fn start_run(&self, spec: RunSpec) -> Result<StartRun, Problem> {
        let Workflow::Resolved(resolved) = &spec.workflow else {
            return Err(Problem::new(Code::Internal, "a run begins with what was not read"));
        };
        let Resolved { root, children, growth, stuck } = &**resolved;
        let definition_blob = blob(&root.definition);
        let definition = self.definition(&definition_blob, &root.definition)?;
        check_labels(&definition.name, &spec)?;
        let insists = Insists {
            parallel: spec.parallel.is_some(),
            duration_limit: spec.timeout.is_some(),
            only_recorded: false,
        };
        Ok(StartRun {
            input: check_input(definition.input.as_ref(), &spec.input).map_err(first)?,
            definition,
            definition_blob,
            tags: spec.tags,
            work_folder: root.work_folder.as_str().into(),
            parent: None,
            environment: spec.environment.unwrap_or_default(),
            agents: agents(&root.agents),
            parallel: spec.parallel.unwrap_or(root.parallel),
            lost_limit: root.lost_limit,
            duration_limit: spec.timeout.or(root.duration_limit),
            until: spec.until,
            children: children.iter().map(start_child).collect(),
            growth: *growth,
            stuck: stuck.clone(),
            routed: spec.routed,
            bypasses_cache: spec.no_cache,
            insists,
            drive: false,
        })
    }

    /// A definition, read and checked once as long as it is remembered.
    fn definition(&self, blob: &Blob, json: &Json) -> Result<Arc<Definition>, Problem> {
        let blobs: &dyn Blobs = &**self.system.library();
        if let Some(definition) = blobs.remembered_value(&blob.reference.hash) {
            return Ok(definition);
        }
        let definition = Definition::from_json(json.text())
            .map_err(|problem| Problem::new(Code::BadRequest, problem.message))?;
        definition.check_names()?;
        Ok(Arc::new(definition))
    }
}

/// Checks that what a run which is there asks for is answered by whom somebody says who starts it again: who wants a replay is not to
/// be given a run that asks models.
///
/// # Errors
/// [`Code::RunIdTaken`] when it is not.
fn is_answered_so(run: &Run, asked: &StartRun, blobs: &dyn Blobs) -> Result<(), Problem> {
    let Some(about) = run.about() else { return Ok(()) };
    let recorded = about.started.agents.iter().map(|bound| blobs.read(&bound.definition.hash));
    let recorded = recorded.collect::<Result<Vec<_>, _>>().map_err(|unreadable| unreadable.problem())?;
    let wanted = asked.agents.iter().map(|(_, definition)| &definition.bytes[..]);
    if answering(recorded.iter().map(|bytes| &bytes[..])) == answering(wanted) {
        return Ok(());
    }
    let message = format!("run `{}` began in another mode, or with another script or cassette", about.id);
    Err(Problem::new(Code::RunIdTaken, message).of_run(&about.id))
}

/// Who answers for agents, by their definitions. What else these say may have changed since.
fn answering<'a>(definitions: impl Iterator<Item = &'a [u8]>) -> BTreeSet<String> {
    let answers = |bytes: &[u8]| {
        let definition: AgentDefinition = serde_json::from_slice(bytes).ok()?;
        let Rehearsal { script, cassette } = definition.rehearsal?;
        let cassette = cassette.map(|used| (used.does, used.file));
        serde_json::to_string(&(cassette, script)).ok()
    };
    definitions.filter_map(answers).collect()
}

fn first(problems: Vec<Problem>) -> Problem {
    let none = || Problem::new(Code::Internal, "something is wrong, and nobody said what");
    problems.into_iter().next().unwrap_or_else(none)
}

/// Whether the list of runs has room for what a run is called and tagged with.
///
/// # Errors
/// [`Code::TooLarge`] when it has not.
pub fn check_labels(workflow: &str, spec: &RunSpec) -> Result<(), Problem> {
    let bytes = Json::of(&(workflow, &spec.tags)).map_or(usize::MAX, |json| json.text().len());
    if bytes <= RUN_LABELS_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "the workflow's name and the run's tags have {bytes} bytes together, and {RUN_LABELS_BYTES_MAX} may be"
    );
    Err(Problem::new(Code::TooLarge, message)
        .hint("name and tag it more shortly: long values belong into its input"))
}

fn start_child(child: &BoundWorkflow) -> StartChild {
    StartChild {
        file: Arc::clone(&child.file),
        definition: blob(&child.definition),
        work_folder: child.work_folder.as_str().into(),
        agents: agents(&child.agents),
        parallel: child.parallel,
        lost_limit: child.lost_limit,
        duration_limit: child.duration_limit,
    }
}

fn agents(agents: &[(AgentName, Json)]) -> Vec<(AgentName, Blob)> {
    agents.iter().map(|(name, definition)| (name.clone(), blob(definition))).collect()
}

fn blob(json: &Json) -> Blob {
    Blob::new(json.text().as_bytes())
}
