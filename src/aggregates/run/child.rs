//! A run that a step of another run starts: its id, what it begins with, and what its end means for the step.

use std::sync::Arc;
use std::time::Duration;

use super::kin::EndedChild;
use super::start::{Insists, StartChild, StartRun};
use super::{About, RunStatus};
use crate::events::ids::{AgentName, RunId, StepId};
use crate::events::json::{Blob, BlobRef, Json};
use crate::events::problem::{Class, Code};
use crate::events::run::{AgentBinding, ChildBinding, Parent, Purpose};
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::definition::{Definition, WORKFLOW_AGENT};
use crate::workflow::input::check_input;
use crate::workflow::schema::Schema;
use crate::workflow::work::{Failure, Output};

/// Whether an attempt is made by a run of its own. Histories have a name where an agent's would stand.
pub fn is_made_by(agent: &AgentName) -> bool {
    agent.as_str() == WORKFLOW_AGENT
}

/// The id of the run that a step starts in one of its generations: a UUID (version 8) of the hash of the three. Whoever
/// starts it, and however often, it is the same run. Where the one before it has undone itself, or was cancelled, the attempt
/// that starts another is part of it too.
pub fn child_id(run: &RunId, step: &StepId, generation: u32, attempt: Option<u32>) -> RunId {
    let mut hasher = blake3::Hasher::new();
    for part in [run.as_str(), step.as_str()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.update(&generation.to_le_bytes());
    if let Some(attempt) = attempt {
        hasher.update(&attempt.to_le_bytes());
    }
    hasher.finalize_xof().fill(&mut bytes);
    RunId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What a step's child begins with. It has the tags of its parent, sees the same environment, may grow as far, and takes earlier answers
/// if that does.
///
/// # Errors
/// When its input does not fit, or what was recorded of it cannot be read.
pub fn start(
    parent: &About,
    step: &StepId,
    binding: &ChildBinding,
    with: &Json,
    bypasses_cache: bool,
    blobs: &dyn Blobs,
) -> Result<StartRun, Failure> {
    let definition = blobs.value::<Definition>(&binding.definition.hash).map_err(unreadable)?;
    let input = input(definition.input.as_ref(), with)?;
    let children = parent.started.children.iter().map(|child| start_child(child, blobs));
    Ok(StartRun {
        definition,
        definition_blob: blob(binding.definition, blobs).map_err(unreadable)?,
        input,
        tags: parent.started.tags.clone(),
        work_folder: Arc::clone(&binding.work_folder),
        parent: Some(Parent { run: parent.id.clone(), step: step.clone() }),
        environment: parent.started.environment.clone(),
        agents: agents(&binding.agents, blobs).map_err(unreadable)?,
        parallel: binding.parallel,
        lost_limit: binding.lost_limit,
        duration_limit: binding.duration_limit_us.map(Duration::from_micros),
        until: None,
        children: children.collect::<Result<_, _>>().map_err(unreadable)?,
        growth: parent.started.growth,
        stuck: parent.started.stuck.clone(),
        routed: None,
        bypasses_cache,
        insists: Insists::default(),
        drive: true,
    })
}

/// What the end of a child means for an attempt at doing, or at undoing, the step that it is for.
///
/// # Errors
/// When it has not come to what the attempt wants.
pub fn outcome(id: &RunId, ended: EndedChild, purpose: Purpose) -> Result<Output, Failure> {
    let EndedChild { seen, output, failure } = ended;
    let because = failure.as_ref().map_or(String::new(), |(_, message)| format!(": {message}"));
    let class = failure.map(|(class, _)| class);
    let failed = |what: &str, code: Code| Failure::new(code, format!("child run `{id}` {what}{because}"));
    let result = match (seen.status, purpose) {
        (RunStatus::Completed, Purpose::Do) if class.is_some() => {
            // What comes after it would go on with nothing.
            Err(failed("completed, and its output cannot be rendered", Code::ChildFailed)
                .class(Class::Dependency))
        }
        (RunStatus::Completed, Purpose::Do) => Ok(output),
        (RunStatus::Compensated, Purpose::Compensate) => Ok(Json::null()),
        (RunStatus::Failed, Purpose::Do) => {
            Err(failed("failed", Code::ChildFailed).class(class.unwrap_or(Class::Unknown)))
        }
        (RunStatus::Compensated, Purpose::Do) => {
            // It was what its own steps were tried again for.
            let class = class.filter(|class| !class.may_retry()).unwrap_or(Class::Validation);
            let what = if because.is_empty() { "was rolled back" } else { "failed and was rolled back" };
            Err(failed(what, Code::ChildFailed).class(class))
        }
        (RunStatus::Stuck, _) => Err(failed("is stuck", Code::ChildStuck)),
        (RunStatus::Cancelled, Purpose::Do) => {
            Err(failed("was cancelled", Code::ChildFailed).class(Class::Validation))
        }
        (status, _) => {
            let what = format!("is not rolled back, but {}", status.text());
            Err(failed(&what, Code::ChildFailed).class(Class::Validation))
        }
    };
    let seen = Some(seen);
    match result {
        Ok(output) => Ok(Output { output, child: seen, ..Output::default() }),
        Err(failure) => Err(Failure { child: seen, ..failure }),
    }
}

/// Whether a child of that status neither completes nor goes forward any more.
pub(super) fn is_over(status: &str) -> bool {
    [RunStatus::Compensated.text(), RunStatus::Cancelled.text()].contains(&status)
}

/// Whether a child that has ended can go forward again.
pub fn may_go_on(status: RunStatus) -> bool {
    matches!(status, RunStatus::Failed | RunStatus::Stuck)
}

/// A step without `with` gives its child an empty input.
fn input(schema: Option<&Schema>, with: &Json) -> Result<Json, Failure> {
    let given = if with.is_null() { Json::from(&serde_json::json!({})) } else { with.clone() };
    check_input(schema, &given).map_err(|problems| {
        let messages: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
        Failure::new(Code::BadInput, format!("the child workflow's input: {}", messages.join("; ")))
    })
}

pub(super) fn start_child(binding: &ChildBinding, blobs: &dyn Blobs) -> Result<StartChild, Unreadable> {
    Ok(StartChild {
        file: Arc::clone(&binding.file),
        definition: blob(binding.definition, blobs)?,
        work_folder: Arc::clone(&binding.work_folder),
        agents: agents(&binding.agents, blobs)?,
        parallel: binding.parallel,
        lost_limit: binding.lost_limit,
        duration_limit: binding.duration_limit_us.map(Duration::from_micros),
    })
}

pub(super) fn agents(
    bindings: &[AgentBinding],
    blobs: &dyn Blobs,
) -> Result<Vec<(AgentName, Blob)>, Unreadable> {
    bindings.iter().map(|agent| Ok((agent.name.clone(), blob(agent.definition, blobs)?))).collect()
}

pub(super) fn blob(reference: BlobRef, blobs: &dyn Blobs) -> Result<Blob, Unreadable> {
    Ok(Blob { reference, bytes: blobs.read(&reference.hash)? })
}

fn unreadable(unreadable: Unreadable) -> Failure {
    unreadable.problem().into()
}
