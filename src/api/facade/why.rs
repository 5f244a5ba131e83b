//! Why a run, or a step of it, is as it is: its events are read from the last to the first, as far as that is wanted.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Facade, unknown_run};
use crate::actors::hosting::context::read_problem;
use crate::aggregates::run::Run;
use crate::events::commit::Recorded;
use crate::events::ids::{RunId, StepId, StreamId, Version};
use crate::events::problem::{Code, Problem};
use crate::events::run::{Parent, RunEvent};
use crate::kernel::{Blobs, Unreadable};
use crate::views::presenters::why::{Cause, LINKS_MAX, Past, Seen, Walk, WhyReport};
use crate::workflow::definition::Definition;

/// How many events are read at once. The first few mostly have all: what went wrong is told at the end.
const PAGES: [u64; 3] = [64, 1_024, 8_192];

/// How far it is followed which run has started which.
const RUNS_MAX: usize = 8;

/// The links of one run and of those that it has started, and who has given it what it used, if that is a link.
struct Followed {
    chain: Vec<Cause>,
    given_by: Option<Parent>,
}

impl Facade {
    pub(super) async fn why(&self, run: &str, step: Option<&StepId>) -> Result<WhyReport, Problem> {
        let run = self.resolve(run).await?;
        if let Some(step) = step {
            self.has_step(&run, step).await?;
        }
        let (state, head) = self.system.fold(&run).await?;
        let definition = self.definition_of(&run, &state)?;
        let past = Past::new(&state, &definition, &**self.system.library());
        let walk = Walk::new(&run, past, step, LINKS_MAX);
        let Followed { mut chain, mut given_by } = self.walk(&run, walk, head.version, RUNS_MAX).await?;
        for _ in 0..RUNS_MAX {
            let Some(Parent { run, step }) = given_by.take() else { break };
            // What has started it may be in another store.
            let Ok((state, head)) = self.system.fold(&run).await else { break };
            let Ok(definition) = self.definition_of(&run, &state) else { break };
            let past = Past::new(&state, &definition, &**self.system.library());
            let walk = Walk::of_giver(&run, past, &step, LINKS_MAX.saturating_sub(chain.len()));
            let followed = self.walk(&run, walk, head.version, 0).await?;
            chain.extend(followed.chain);
            given_by = followed.given_by;
        }
        Ok(WhyReport { run, step: step.cloned(), chain })
    }

    /// The definition of a run.
    pub(super) fn definition_of(&self, run: &RunId, state: &Run) -> Result<Arc<Definition>, Problem> {
        let about = state.about().ok_or_else(|| unknown_run(run.as_str()))?;
        let blobs: &dyn Blobs = &**self.system.library();
        blobs.value(&about.started.definition.hash).map_err(|unreadable: Unreadable| unreadable.problem())
    }

    /// Looks at the events of a run from that version on back.
    fn walk<'a>(
        &'a self,
        run: &'a RunId,
        mut walk: Walk<'a>,
        from: Version,
        runs: usize,
    ) -> BoxFuture<'a, Result<Followed, Problem>> {
        async move {
            let (mut before, mut given_by) = (from.next(), None);
            let mut sizes = PAGES.into_iter();
            let mut size = 0;
            while !walk.is_over() && before > Version(1) {
                size = sizes.next().unwrap_or(size);
                let after = Version(before.0.saturating_sub(size.saturating_add(1)));
                let page = self.page(run, after, before).await?;
                for recorded in page.iter().rev() {
                    if walk.is_over() {
                        break;
                    }
                    if !walk.could_be(&recorded.event.kind, |text| recorded.may_say(text)) {
                        continue;
                    }
                    let event = decoded(recorded)?;
                    match walk.see(recorded.version, recorded.header.recorded_at, &event) {
                        Seen::On => {}
                        Seen::Parent(parent) => given_by = Some(parent),
                        Seen::Child(child, version) => {
                            let below = self.child(&child, version, walk.left(), runs).await?;
                            walk.after_child(&event, below.chain, below.given_by.is_some());
                        }
                    }
                }
                before = after.next();
            }
            if given_by.is_none() && walk.wants_start() {
                for recorded in self.page(run, Version(0), Version(2)).await? {
                    let event = decoded(&recorded)?;
                    if let Seen::Parent(parent) =
                        walk.see(recorded.version, recorded.header.recorded_at, &event)
                    {
                        given_by = Some(parent);
                    }
                }
            }
            Ok(Followed { chain: walk.chain(), given_by })
        }
        .boxed()
    }

    /// The chain of a run that another has started, as it was at that version.
    async fn child(&self, run: &RunId, at: Version, links: usize, runs: usize) -> Result<Followed, Problem> {
        let nothing = Followed { chain: Vec::new(), given_by: None };
        let Some(runs) = runs.checked_sub(1) else { return Ok(nothing) };
        // It may not be there, or be shorter than was told, where a store is damaged.
        let Ok((state, head)) = self.system.fold_at(run, at).await else { return Ok(nothing) };
        let Ok(definition) = self.definition_of(run, &state) else { return Ok(nothing) };
        let past = Past::new(&state, &definition, &**self.system.library());
        self.walk(run, Walk::new(run, past, None, links), head.version, runs).await
    }

    /// The events of a run between two versions.
    pub(super) async fn page(
        &self,
        run: &RunId,
        after: Version,
        before: Version,
    ) -> Result<Vec<Recorded>, Problem> {
        let count = before.0.saturating_sub(after.0).saturating_sub(1);
        let limit = usize::try_from(count).unwrap_or(usize::MAX);
        let page = self.system.store().read_stream(&StreamId::of_run(run), after, limit).await;
        page.map_err(|error| read_problem(&error))
    }
}

pub(super) fn decoded(recorded: &Recorded) -> Result<RunEvent, Problem> {
    recorded
        .decode()
        .map_err(|error| Problem::new(Code::RunParked, format!("version {}: {error}", recorded.version)))
}
