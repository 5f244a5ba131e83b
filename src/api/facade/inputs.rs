//! What a run and its steps were given.

use std::collections::HashMap;

use super::Facade;
use crate::actors::hosting::context::read_problem;
use crate::events::ids::{StepId, StreamId, Version};
use crate::events::json::Payload;
use crate::events::problem::Problem;
use crate::events::run::{Purpose, RunEvent};
use crate::kernel::Blobs;
use crate::views::presenters::report::{RunReport, agents};

/// How many events are read at once.
const PAGE: usize = 1_024;

impl Facade {
    /// One run, with what it and its steps were given.
    pub(super) async fn whole(&self, run: &str) -> Result<RunReport, Problem> {
        let run = self.resolve(run).await?;
        self.with_inputs(self.report(&run).await?, true).await
    }

    /// Adds to a report what its run was given, the agents with which it began, and what each step's last attempt at doing it, if that is wanted.
    pub(super) async fn with_inputs(
        &self,
        mut report: RunReport,
        wanted: bool,
    ) -> Result<RunReport, Problem> {
        if !wanted {
            return Ok(report);
        }
        let (stream, mut after) = (StreamId::of_run(&report.run), Version(0));
        let mut given: HashMap<StepId, Payload> = HashMap::new();
        let library = &**self.system.library();
        let read = |payload: &Payload| library.json(payload).map_err(|unreadable| unreadable.problem());
        while after < report.version {
            let page = self.system.store().read_stream(&stream, after, PAGE).await;
            let page = page.map_err(|error| read_problem(&error))?;
            let Some(last) = page.last() else { break };
            after = last.version;
            let until = report.version;
            let began = page.iter().filter(|recorded| recorded.version <= until);
            for recorded in
                began.filter(|recorded| matches!(&*recorded.event.kind, "run_started" | "attempt_started"))
            {
                match recorded.decode() {
                    Ok(RunEvent::RunStarted(started)) => {
                        report.input = Some(read(&started.input)?);
                        report.agents = agents(&started);
                    }
                    Ok(RunEvent::AttemptStarted(started)) if started.purpose == Purpose::Do => {
                        given.insert(started.step, started.input);
                    }
                    _ => {}
                }
            }
        }
        for step in &mut report.steps {
            step.input = given.get(&step.id).map(read).transpose()?;
        }
        Ok(report)
    }
}
