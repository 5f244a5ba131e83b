//! What is known by a running engine: its streams, its read models, its store and its time.

use std::sync::Arc;

use tokio::sync::watch;

use super::System;
use crate::actors::clock::Clock;
use crate::actors::hosting::Hosting;
use crate::actors::hosting::attentions::Attentions;
use crate::actors::hosting::kind::AnyKind;
use crate::actors::library::Library;
use crate::actors::runs::Runs;
use crate::events::conversation::Window;
use crate::events::ids::StreamId;
use crate::events::problem::Problem;
use crate::executors::logs::Logs;
use crate::store::EventStore;
use crate::views::projections::cache::CacheView;
use crate::views::projections::conversations::ConversationsView;
use crate::views::projections::handoffs::HandoffsView;
use crate::views::projections::runs::RunsView;
use crate::views::projections::successes::SuccessesView;
use crate::views::projections::tasks::TasksView;

impl System {
    /// What is known of the kind of a stream.
    ///
    /// # Errors
    /// When nothing is.
    pub fn kind(&self, stream: &StreamId) -> Result<&dyn AnyKind, Problem> {
        self.hosting.kind(stream)
    }

    /// What programs say.
    pub fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }

    /// The hosting of streams of any kind.
    pub fn hosting(&self) -> &Arc<Hosting> {
        &self.hosting
    }

    /// The store in which events live.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.hosting.book().context().store
    }

    /// The content of the store, by hash.
    pub fn library(&self) -> &Arc<Library> {
        &self.hosting.book().context().library
    }

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

    /// How much is in the window of a conversation where nobody says otherwise.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// The answers that are kept.
    pub fn cache(&self) -> &CacheView {
        &self.cache
    }

    /// The conversations that there are.
    pub fn conversations(&self) -> &ConversationsView {
        &self.conversations
    }

    /// Tells when nothing starts any more.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// The read model of runs.
    pub fn runs(&self) -> &Arc<RunsView> {
        &self.runs
    }

    /// The read model of what needs attention, and when.
    pub fn attentions(&self) -> &Arc<Attentions> {
        &self.attentions
    }

    /// The time, as everything here sees it.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.hosting.book().context().clock
    }

    /// The number of streams that are in memory.
    pub fn in_memory(&self) -> usize {
        self.hosting.book().in_memory().len()
    }

    /// The runs that live here, and what they know of agents.
    pub fn live(&self) -> &Arc<Runs> {
        &self.live
    }
}
