//! What runs of tests begin with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregates::run::{StartChild, StartRun};
use crate::events::json::{Blob, Json};
use crate::events::run::{GrowthLimits, StuckLimits};
use crate::workflow::definition::Definition;

/// What a run begins with, for tests: everything but the definition and the input is as small as it can be.
pub fn start_of(definition: Definition, input: Json) -> StartRun {
    StartRun {
        definition_blob: Blob::new(definition.to_json().text().as_bytes()),
        parallel: definition.limits.parallel.unwrap_or(16),
        lost_limit: definition.limits.lost.unwrap_or(5),
        duration_limit: definition.limits.duration,
        definition: Arc::new(definition),
        input,
        tags: BTreeMap::new(),
        work_folder: "/".into(),
        parent: None,
        environment: BTreeMap::new(),
        agents: Vec::new(),
        until: None,
        children: Vec::new(),
        growth: GrowthLimits::USUAL,
        stuck: StuckLimits::default(),
        routed: None,
        bypasses_cache: false,
        insists: Default::default(),
        drive: true,
    }
}

/// A workflow that steps start as a run of its own under the name `file`, for tests: everything else is as small as it can be.
pub fn child_of(file: &str, definition: &Definition) -> StartChild {
    StartChild {
        file: file.into(),
        definition: Blob::new(definition.to_json().text().as_bytes()),
        work_folder: "/".into(),
        agents: Vec::new(),
        parallel: 16,
        lost_limit: 5,
        duration_limit: None,
    }
}
