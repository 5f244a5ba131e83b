//! Real programs, through `sh`.

mod converses;
mod docs;
mod ends;
mod lost;
mod masks;
mod says;
mod transcripts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::events::ids::{AgentName, Fence, RunId, StepId};
use crate::events::problem::Code;
use crate::events::run::{Outcome, Purpose, Undoes};
use crate::executors::{Progress, Stop};
use crate::workflow::work::{Command, Work};

/// Longer than anything takes; only what hangs meets it.
const LONG: Duration = Duration::from_secs(60);

fn task(folder: &Path, work: Work) -> Task {
    Task {
        run: RunId::parse("r1").unwrap(),
        step: StepId::parse("build").unwrap().item(0),
        attempt: 2,
        generation: 3,
        fence: Fence(7),
        idempotency_key: format!("key-of-{}", folder.display()).into(),
        purpose: Purpose::Do,
        agent: AgentName::new("shell"),
        work_folder: folder.to_str().unwrap().into(),
        work,
        compensates: None,
        context: Default::default(),
        contexts: Default::default(),
        conversation: None,
        locks: Default::default(),
        messages: Vec::new(),
        schema: None,
        turn: None,
        nth: 1,
        within: None,
    }
}

fn shell(text: &str) -> Work {
    Work { run: Some(Command::Shell(text.to_owned())), ..Work::default() }
}

fn list(words: &[&str]) -> Work {
    Work {
        run: Some(Command::List(words.iter().map(|word| (*word).to_owned()).collect())),
        ..Work::default()
    }
}

/// An attempt at work, and the ends that a run would hold.
struct Attempt {
    stop: watch::Sender<Option<Stop>>,
    progress: watch::Receiver<Progress>,
    end: JoinHandle<Result<Output, Failure>>,
}

impl Attempt {
    fn start(executor: SubprocessExecutor, task: Task) -> Self {
        let (stop, stopped) = watch::channel(None);
        let (shown, progress) = watch::channel(Progress::default());
        let context = Context::new(stopped, shown);
        let end = tokio::spawn(async move { executor.execute(task, context).await });
        Self { stop, progress, end }
    }

    async fn end(self) -> Result<Output, Failure> {
        tokio::time::timeout(LONG, self.end).await.expect("the attempt hangs").unwrap()
    }

    /// Waits until the program says `PROGRESS: 1 PID`.
    async fn says_pid(&mut self) -> Pid {
        let said = tokio::time::timeout(LONG, self.progress.wait_for(|progress| progress.percent == 1));
        pid(&said.await.expect("the program says nothing").unwrap().text)
    }
}

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

fn options(folder: &Path) -> Options {
    Options {
        grace: Duration::from_millis(200),
        programs: Programs::in_folder(Some(folder.join("processes"))),
        ..Options::default()
    }
}

fn start(folder: &Path, work: Work) -> Attempt {
    Attempt::start(
        SubprocessExecutor::new(&AgentDefinition::shell(), Arc::new(options(folder))),
        task(folder, work),
    )
}

async fn run(work: Work) -> Result<Output, Failure> {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), work).end().await
}

async fn stdout_of(work: Work) -> String {
    let output = run(work).await.unwrap();
    output.output.value()["stdout"].as_str().expect("the output is no text").to_owned()
}

fn lives(pid: Pid) -> bool {
    proc::process(pid).is_some_and(|process| !process.ended)
}

/// How many programs are written down.
fn records(folder: &Path) -> usize {
    let table = folder.join("processes/running");
    if table.exists() { table::Table::open(&table).unwrap().1.len() } else { 0 }
}
