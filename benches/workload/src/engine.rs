//! An engine on a fresh store, and what it did.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use reenact::actors::agents::roster::Roster;
use reenact::actors::clock::SystemClock;
use reenact::actors::system::{Settings, System};
use reenact::aggregates::run::{Ask, Order, RunStatus, StartRun};
use reenact::events::ids::RunId;
use reenact::events::json::{Blob, Json};
use reenact::events::problem::{Class, Code};
use reenact::events::run::RunEvent;
use reenact::executors::function::{FunctionCall, Functions};
use reenact::executors::{AgentDefinition, Executors, Failure};
use reenact::store::sled::{SledOptions, SledStore};
use reenact::store::verify::{disk_bytes, verify};
use reenact::workflow::parse::{Known, parse};

/// No more attempts are made at once than this: enough that no measurement waits for a slot.
pub(crate) const SLOTS: u32 = 1_024;

/// An engine.
pub(crate) struct Engine {
    system: System,
}

/// An engine on a store that nobody used before, which is deleted with it.
pub(crate) struct Fresh {
    pub(crate) engine: Engine,
    folder: tempfile::TempDir,
}

/// What an engine left on the disk.
pub(crate) struct Left {
    pub(crate) commits: u64,
    pub(crate) event_bytes: u64,
    pub(crate) disk_bytes: u64,
}

impl Engine {
    /// Starts an engine on a fresh store below `dir`, durable to a power cut. It has the functions `work`, which answers
    /// its number and one, and `refuse`, which fails.
    pub(crate) fn start(dir: &Path) -> Result<Fresh> {
        let folder = tempfile::tempdir_in(dir)?;
        Ok(Fresh { engine: Self::open(folder.path(), SLOTS, register)?, folder })
    }

    /// Starts an engine on the store in `folder`, durable to a power cut, with these functions and so many slots for each.
    pub(crate) fn open(folder: &Path, slots: u32, register: impl FnOnce(&Functions)) -> Result<Self> {
        let executors = Executors::default();
        register(&executors.functions);
        Self::open_with(folder, slots, executors)
    }

    /// The same with these executors.
    pub(crate) fn open_with(folder: &Path, slots: u32, executors: Executors) -> Result<Self> {
        let store = SledStore::open(folder, SledOptions::default())?;
        let roster = Roster { executors, shell: AgentDefinition::shell(), function_slots: slots };
        let patience = Duration::from_secs(60);
        let settings = Settings {
            arbiters: 0,
            passivate_after: patience,
            grace: patience,
            runs: None,
            team: None,
            check: Vec::new(),
            ..Settings::default()
        };
        let system = System::start(Arc::new(store), roster, Arc::new(SystemClock), settings);
        Ok(Self { system })
    }

    /// Begins a run, or goes on with it.
    pub(crate) async fn begin(&self, run: &RunId, start: StartRun) -> Result<()> {
        self.system.begin(run, start).await?;
        Ok(())
    }

    /// Ends when the run has completed.
    pub(crate) async fn completed(&self, run: &RunId) -> Result<()> {
        let ended = self.system.ended(run).await?;
        ensure!(ended.status == RunStatus::Completed.text(), "the run {run} did not complete");
        Ok(())
    }

    /// The engine as the library has it.
    pub(crate) fn system(&self) -> &System {
        &self.system
    }

    /// Sees one run through.
    pub(crate) async fn run(&self, start: StartRun) -> Result<RunId> {
        let run = RunId::from_uuid(uuid::Uuid::now_v7());
        self.begin(&run, start).await?;
        self.completed(&run).await?;
        Ok(run)
    }

    /// Sees one run fail.
    pub(crate) async fn fail(&self, start: StartRun) -> Result<RunId> {
        let run = RunId::from_uuid(uuid::Uuid::now_v7());
        self.begin(&run, start).await?;
        let failed = self.system.ended(&run).await?;
        ensure!(failed.status == RunStatus::Failed.text(), "the run {run} did not fail");
        Ok(run)
    }

    /// Sees one run through to its rollback; answers how long that took.
    pub(crate) async fn roll_back(&self, start: StartRun) -> Result<Duration> {
        let run = self.fail(start).await?;
        let order = Order { by: "bench".into(), reason: None };
        let since = Instant::now();
        self.system.ask(&run, Ask::Rollback { order, to: None }).await?;
        self.system.drive(&run).await;
        let undone = self.system.ended(&run).await?;
        ensure!(undone.status == RunStatus::Compensated.text(), "the run {run} was not undone");
        Ok(since.elapsed())
    }

    /// Ends in order.
    pub(crate) async fn shut_down(&self) -> Result<()> {
        self.system.shut_down(std::future::pending()).await?;
        Ok(())
    }
}

/// Registers `work`, which answers its number and one, and `refuse`, which fails.
pub(crate) fn register(functions: &Functions) {
    functions.register("work", |call: FunctionCall| async move {
        let number: u64 = call.input::<serde_json::Value>()?["number"].as_u64().unwrap_or_default();
        Ok::<_, Failure>(number + 1)
    });
    functions.register("refuse", |_: FunctionCall| async {
        Err::<(), _>(Failure::new(Code::FunctionFailed, "as it should").class(Class::Validation))
    });
}

impl Fresh {
    /// Ends in order, and starts another on the same store.
    pub(crate) async fn reopen(self) -> Result<Self> {
        self.engine.shut_down().await?;
        let engine = Engine::open(self.folder.path(), SLOTS, register)?;
        Ok(Self { engine, ..self })
    }

    /// Ends in order, and leaves the store.
    pub(crate) async fn close(self) -> Result<tempfile::TempDir> {
        self.engine.shut_down().await?;
        Ok(self.folder)
    }

    /// Ends in order, and looks at what is left on the disk.
    pub(crate) async fn end(self) -> Result<Left> {
        self.engine.shut_down().await?;
        let disk_bytes = disk_bytes(self.folder.path())?;
        let store = SledStore::open(self.folder.path(), SledOptions::default())?;
        let references = |event: RunEvent| event.blobs();
        let report =
            verify(&store, |recorded| recorded.decode().map(references).map_err(|error| error.to_string()))
                .await?;
        ensure!(report.problems.is_empty(), "the store is damaged: {:?}", report.problems);
        Ok(Left { commits: report.commits, event_bytes: report.event_bytes, disk_bytes })
    }
}

/// What begins a run of such a workflow.
pub(crate) fn start_of(yaml: &str) -> Result<StartRun> {
    let parsed = parse(yaml, "bench.yaml", &Known::default())
        .map_err(|problems| anyhow!("the bench's workflow: {problems:?}"))?;
    let text = parsed.definition.to_json();
    Ok(StartRun {
        definition: Arc::new(parsed.definition),
        definition_blob: Blob::new(text.text().as_bytes()),
        input: Json::parse("{}")?,
        tags: Default::default(),
        work_folder: "/".into(),
        parent: None,
        environment: Default::default(),
        agents: Vec::new(),
        parallel: SLOTS,
        lost_limit: 5,
        duration_limit: None,
        until: None,
        children: Vec::new(),
        growth: Default::default(),
        stuck: Default::default(),
        insists: Default::default(),
        routed: None,
        bypasses_cache: false,
        drive: true,
    })
}

/// A workflow of so many steps, each after the one above it.
pub(crate) fn sequential(steps: usize) -> String {
    let mut yaml = "name: sequential\nsteps:\n".to_owned();
    for step in 0..steps {
        // A String takes all that is written to it.
        let _ = writeln!(yaml, "  - id: step_{step}\n    agent: work\n    with: {{number: {step}}}");
    }
    yaml
}

/// A workflow of one step that is done for each of so many items.
pub(crate) fn fan_out(items: usize) -> String {
    let items: Vec<_> = (0..items).map(|item| item.to_string()).collect();
    format!(
        "name: fan_out\nsteps:\n  - id: each\n    agent: work\n    for_each: [{}]\n    with: {{number: '{{{{ item }}}}'}}\n",
        items.join(", ")
    )
}

/// A workflow of so many steps side by side, and one that needs them all.
pub(crate) fn parallel(steps: usize) -> String {
    let mut yaml = "name: parallel\nsteps:\n".to_owned();
    let ids: Vec<_> = (0..steps).map(|step| format!("step_{step}")).collect();
    for (number, id) in ids.iter().enumerate() {
        let _ =
            writeln!(yaml, "  - id: {id}\n    needs: []\n    agent: work\n    with: {{number: {number}}}");
    }
    let _ = writeln!(
        yaml,
        "  - id: join\n    needs: [{}]\n    agent: work\n    with: {{number: 0}}",
        ids.join(", ")
    );
    yaml
}

/// A workflow of so many steps side by side that can be undone, and one that fails.
pub(crate) fn undoable(steps: usize) -> String {
    let mut yaml = "name: undoable\non_failure: stop\nsteps:\n".to_owned();
    let ids: Vec<_> = (0..steps).map(|step| format!("step_{step}")).collect();
    for (number, id) in ids.iter().enumerate() {
        let work = format!("agent: work, with: {{number: {number}}}");
        let _ = writeln!(yaml, "  - {{id: {id}, needs: [], {work}, compensate: {{{work}}}}}");
    }
    let _ = writeln!(yaml, "  - {{id: join, needs: [{}], agent: refuse}}", ids.join(", "));
    yaml
}
