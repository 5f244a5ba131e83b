//! A run that a step of another run starts: its id, what it begins with, and what its end means for the step.

use std::sync::Arc;
use std::time::Duration;

use super::{About, End, Insists, Phase, Run, RunStatus, StartChild, StartRun};
use crate::events::ids::{AgentName, RunId, StepId, Version};
use crate::events::json::{Blob, BlobRef, Json};
use crate::events::problem::{Class, Code};
use crate::events::run::{AgentBinding, ChildBinding, Parent, Purpose, RollbackCause};
use crate::kernel::{Blobs, Unreadable};
use crate::workflow::definition::Definition;
use crate::workflow::input::check_input;
use crate::workflow::schema::Schema;
use crate::workflow::work::{Child, Failure, Output};

/// The id of the run that a step starts in one of its generations: a UUID (version 8) of the hash of the three. Whoever
/// starts it, and however often, it is the same run.
pub fn child_id(run: &RunId, step: &StepId, generation: u32) -> RunId {
    let mut hasher = blake3::Hasher::new();
    for part in [run.as_str(), step.as_str()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.update(&generation.to_le_bytes()).finalize_xof().fill(&mut bytes);
    RunId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What a step's child begins with. It has the tags of its parent, sees the same environment, and may grow as far.
///
/// # Errors
/// When its input does not fit, or what was recorded of it cannot be read.
pub fn start(
    parent: &About,
    step: &StepId,
    binding: &ChildBinding,
    with: &Json,
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
        insists: Insists::default(),
        drive: true,
    })
}

/// What the end of a child means for an attempt at doing, or at undoing, the step that it is for; none while it goes on.
///
/// # Errors
/// When its output cannot be read.
pub fn outcome(
    child: &Run,
    version: Version,
    purpose: Purpose,
    blobs: &dyn Blobs,
) -> Result<Option<Result<Output, Failure>>, Unreadable> {
    let (Some(about), Phase::Ended(ended)) = (child.about(), child.life()) else { return Ok(None) };
    let id = &about.id;
    let result = match (&ended.how, purpose) {
        (End::Completed { output, .. }, Purpose::Do) => Ok(blobs.json(output)?),
        (End::Compensated(_), Purpose::Compensate) => Ok(Json::null()),
        (End::Failed(failed), Purpose::Do) => {
            let message = format!("child run `{id}` failed: {}", failed.message);
            Err(Failure::new(Code::ChildFailed, message).class(failed.class))
        }
        (End::Compensated(cause), Purpose::Do) => Err(rolled_back(id, cause)),
        (End::Cancelled, Purpose::Do) => Err(never_again(format!("child run `{id}` was cancelled"))),
        (End::Stuck(stuck, _), _) => {
            let message = format!("child run `{id}` is stuck: {}", stuck.message);
            Err(Failure::new(Code::ChildStuck, message))
        }
        (End::Completed { .. } | End::Failed(_) | End::Cancelled, Purpose::Compensate) => {
            let status = child.status().text();
            Err(never_again(format!("child run `{id}` is not rolled back, but {status}")))
        }
    };
    let seen = Some(seen(child, version));
    Ok(Some(match result {
        Ok(output) => Ok(Output { output, child: seen, ..Output::default() }),
        Err(failure) => Err(Failure { child: seen, ..failure }),
    }))
}

/// How a child is, for the parent to record.
pub fn seen(child: &Run, version: Version) -> Child {
    Child {
        status: child.status(),
        version,
        past_return: child.is_past_return(),
        degraded: child.is_degraded(),
    }
}

/// Whether a child that has ended can go forward again.
pub fn may_go_on(status: RunStatus) -> bool {
    matches!(status, RunStatus::Failed | RunStatus::Stuck)
}

/// A child that is rolled back cannot be tried again: it takes another generation of its step to do anew what it did.
fn rolled_back(id: &RunId, cause: &RollbackCause) -> Failure {
    match cause {
        RollbackCause::Failure { class, message, .. } => {
            let failure = never_again(format!("child run `{id}` failed and was rolled back: {message}"));
            let class = if class.may_retry() { failure.class } else { *class };
            failure.class(class)
        }
        RollbackCause::Cancel | RollbackCause::Request { .. } => {
            never_again(format!("child run `{id}` was rolled back"))
        }
    }
}

fn never_again(message: String) -> Failure {
    Failure::new(Code::ChildFailed, message).class(Class::Validation)
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
