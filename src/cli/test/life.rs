//! A process of a test: it starts a run, or goes on with it, and tells what came of it. The process of the command line tells it on
//! stdin what to do; it does nothing without that.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::api::house::House;
use crate::api::spec::RunSpec;
use crate::cli::arguments::{HistoryArguments, ResumeArguments, Show, UntilArguments};
use crate::cli::say::Say;
use crate::cli::text::Call;
use crate::cli::{Exit, Scene, history, resume, run};
use crate::config::Config;
use crate::events::codec::Encoded;
use crate::events::commit::Commit;
use crate::events::ids::{RunId, StepId, StreamId};
use crate::events::problem::{Code, Problem};
use crate::events::run::RunEvent;
use crate::store::fatal::Fatal;

/// The types of the events that it tells.
pub(super) const COMPLETED: &str = "step_completed";
pub(super) const UNDONE: &str = "step_compensated";
pub(super) const FAILED: &str = "attempt_failed";

/// What a process of a test is to do.
#[derive(Serialize, Deserialize)]
pub(super) struct Life {
    /// The run to start; none to go on with the one that was started.
    pub(super) start: Option<Box<RunSpec>>,
    /// Its id.
    pub(super) run: RunId,
    /// The step with whose completion the process is killed.
    pub(super) fatal: Option<StepId>,
}

/// Does what stdin says. It prints the report of the run, and then a line for each event that counts.
pub(super) async fn live(scene: &Scene) -> Result<Exit, Problem> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| not_told(&error))?;
    let Life { start, run: id, fatal } = serde_json::from_str(&text).map_err(|error| not_told(&error))?;
    let fatal = fatal.map(|step| completion_of(&id, step));
    // Nobody outside hears of a test.
    let config = Config { notify: Vec::new(), ..scene.house.config.clone() };
    let call = Call::default();
    let scene = Scene {
        say: Say::new(true, call.clone()),
        call,
        steps: scene.steps,
        house: House { config, fatal, ..scene.house.clone() },
        cwd: scene.cwd.clone(),
        user_folder: scene.user_folder.clone(),
        sources: scene.sources.clone(),
        named: scene.named.clone(),
        log_is_named: scene.log_is_named,
    };
    let run = id.to_string();
    let exit = match start {
        Some(start) => run::see_through(&scene, *start, false, Show::Quiet).await?,
        None => {
            let until = UntilArguments { until: None };
            let arguments = ResumeArguments { run: Some(run.clone()), all: false, until, show: Show::Quiet };
            resume::resume(&scene, arguments).await?
        }
    };
    if matches!(exit, Exit::BadInput | Exit::Interrupted | Exit::StoreUnusable) {
        return Ok(exit);
    }
    let types = [COMPLETED, UNDONE, FAILED].map(str::to_owned).to_vec();
    let events = HistoryArguments { run, from: None, to: None, step: None, types, full: true, follow: false };
    history::history(&scene, events).await
}

/// A commit with which a step of a run completes.
fn completion_of(run: &RunId, step: StepId) -> Fatal {
    let stream = StreamId::of_run(run);
    Fatal::new(move |commit: &Commit| {
        let completes =
            |event: &RunEvent| matches!(event, RunEvent::StepCompleted(done) if done.step == step);
        let mut events = commit.events.iter().filter(|event| &*event.kind == COMPLETED);
        commit.header.stream == stream
            && events.any(|event| {
                RunEvent::decode(&event.kind, event.schema, &event.payload)
                    .is_ok_and(|event| completes(&event))
            })
    })
}

fn not_told(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::Usage, format!("nothing says what this process is to do: {error}"))
}
