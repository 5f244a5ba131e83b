//! What the read models know.

use std::sync::Arc;

use super::System;
use crate::actors::hosting::attentions::Attentions;
use crate::views::projections::cache::CacheView;
use crate::views::projections::handoffs::HandoffsView;
use crate::views::projections::runs::RunsView;
use crate::views::projections::successes::SuccessesView;
use crate::views::projections::tasks::TasksView;

impl System {
    /// How often agents handed over to each other.
    pub fn handoffs(&self) -> &HandoffsView {
        &self.handoffs
    }

    /// How often agents did what they were to do.
    pub fn successes(&self) -> &SuccessesView {
        &self.successes
    }

    /// The tasks that are open.
    pub fn tasks(&self) -> &TasksView {
        &self.tasks
    }

    /// The answers that are kept.
    pub fn cache(&self) -> &CacheView {
        &self.cache
    }

    /// The read model of runs.
    pub fn runs(&self) -> &Arc<RunsView> {
        &self.runs
    }

    /// The read model of what needs attention, and when.
    pub fn attentions(&self) -> &Arc<Attentions> {
        &self.attentions
    }
}
