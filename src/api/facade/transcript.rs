//! What was said during an attempt.

use super::{Facade, unknown};
use crate::actors::hosting::context::read_problem;
use crate::events::ids::{RunId, StepId, StreamId, Version};
use crate::events::problem::{Code, Problem, nearest};
use crate::events::run::{Purpose, RunEvent};
use crate::views::presenters::transcript::{AttemptReport, Search};

/// How many events are read at once.
const PAGE: usize = 1_024;

impl Facade {
    pub(super) async fn transcript(
        &self,
        run: &str,
        step: &StepId,
        purpose: Purpose,
        attempt: Option<u32>,
    ) -> Result<AttemptReport, Problem> {
        let run = self.resolve(run).await?;
        self.has_step(&run, step).await?;
        let mut search = Search::new(step.clone(), purpose, attempt);
        let (stream, mut after) = (StreamId::of_run(&run), Version(0));
        loop {
            let page = self.system.store().read_stream(&stream, after, PAGE).await;
            let page = page.map_err(|error| read_problem(&error))?;
            let Some(last) = page.last() else { break };
            after = last.version;
            for recorded in &page {
                let event: RunEvent = recorded.decode().map_err(|error| {
                    Problem::new(Code::RunParked, format!("version {}: {error}", recorded.version))
                })?;
                search.see(event, recorded.header.recorded_at);
            }
        }
        let attempts = search.attempts();
        let found = search.report(run.clone(), &**self.system.library());
        let found = found.map_err(|unreadable| unreadable.problem())?;
        found.ok_or_else(|| no_attempt(&run, step, purpose, attempt, attempts))
    }

    pub(super) async fn has_step(&self, run: &RunId, step: &StepId) -> Result<(), Problem> {
        let (state, _) = self.system.fold(run).await?;
        if state.about().is_none() {
            return Err(unknown(run.as_str()));
        }
        let known = || state.nodes().iter().map(|node| node.id().as_str());
        if known().any(|id| id == step.as_str()) {
            return Ok(());
        }
        let problem = Problem::new(Code::NoSuchStep, format!("`{run}` has no step `{step}`"));
        Err(match nearest(step.as_str(), known()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.of_run(run),
        })
    }
}

fn no_attempt(run: &RunId, step: &StepId, purpose: Purpose, attempt: Option<u32>, attempts: u32) -> Problem {
    let what = if purpose == Purpose::Compensate { "at undoing" } else { "at" };
    let which = attempt.map_or_else(String::new, |attempt| format!(" {attempt}"));
    let there = match attempts {
        0 => "there is none".to_owned(),
        1 => "there is one".to_owned(),
        several => format!("there are {several}"),
    };
    let problem = Problem::new(Code::NoSuchAttempt, format!("no attempt{which} {what} `{step}`: {there}"));
    problem.step(step).of_run(run)
}
