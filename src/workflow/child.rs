//! The runs that steps start.

use crate::events::ids::{RunId, StepId};

/// The id of the run that a step starts, the same whenever that is asked.
pub fn child_id(run: &RunId, step: &StepId, generation: u32) -> RunId {
    let mut hasher = blake3::Hasher::new();
    for part in [run.as_str(), step.as_str()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let hash = hasher.update(&generation.to_le_bytes()).finalize();
    let bytes = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
    RunId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}
