//! One test: its processes one after the other, the first of which may be killed, and what came of the run.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::watch;

use super::TestResult;
use super::life::{COMPLETED, FAILED, Life, UNDONE};
use crate::api::spec::RunSpec;
use crate::cli::Scene;
use crate::events::json::Json;
use crate::events::time::format_duration;
use crate::workflow::suite::{Found, WorkflowTest};

/// How long a process may take to stop what it started, once it is told to end.
const END_WAIT: Duration = Duration::from_secs(15);

/// How many lines of what a process said are told where it came to nothing.
const SAID_LINES_MAX: usize = 10;

/// A test that can be run.
pub(super) struct Trial {
    /// Its file, as it was named.
    pub(super) file: String,
    pub(super) test: WorkflowTest,
    /// What it starts, with all that it names read.
    pub(super) spec: RunSpec,
}

/// A folder for the data of a test, for as long as it lives.
struct TestFolder(PathBuf);

impl TestFolder {
    fn new() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("reenact-test-{}", uuid::Uuid::now_v7().simple()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        // What cannot be removed lies where the system removes it some day.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Trial {
    /// Runs it to its end, or until it is to stop.
    pub(super) async fn run(&self, scene: &Scene, stopped: watch::Receiver<bool>) -> TestResult {
        let since = Instant::now();
        let came = match TestFolder::new() {
            Ok(folder) => self.lives(scene, &folder, stopped).await,
            Err(error) => Err(format!("there is no folder for it: {error}")),
        };
        let (differences, error) = match came {
            Ok(found) => (self.test.expected.differences(&found), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        TestResult {
            file: self.file.clone(),
            name: self.test.name.clone(),
            ok: differences.is_empty() && error.is_none(),
            duration_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            differences: differences.into_iter().map(Into::into).collect(),
            error,
        }
    }

    /// One process after the other, until none is killed any more.
    async fn lives(
        &self,
        scene: &Scene,
        folder: &TestFolder,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Found, String> {
        let deadline = tokio::time::Instant::now() + self.test.timeout;
        let run = self.spec.id.clone().ok_or("its run has no id")?;
        let mut crashes = self.test.crash_after.iter();
        let mut start = Some(Box::new(self.spec.clone()));
        loop {
            let fatal = crashes.next();
            let life = Life { start: start.take(), run: run.clone(), fatal: fatal.cloned() };
            let ended = self.life(scene, folder, &life, deadline, &mut stopped).await?;
            match fatal {
                Some(_) if ended.status.signal() == Some(Signal::KILL.as_raw()) => {}
                Some(step) if ended.status.signal().is_none() => {
                    let found = found(&ended).map_or_else(|why| why, |found| found.status);
                    return Err(format!("`{step}`, after which it was to crash, did not complete: {found}"));
                }
                _ => return found(&ended),
            }
        }
    }

    /// One process, until it ends.
    async fn life(
        &self,
        scene: &Scene,
        folder: &TestFolder,
        life: &Life,
        deadline: tokio::time::Instant,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<Output, String> {
        let told = |error: io::Error| format!("no process could be started for it: {error}");
        let json = serde_json::to_vec(life).map_err(|error| error.to_string())?;
        let mut command = Command::new(std::env::current_exe().map_err(told)?);
        command.arg("--json").arg("--data").arg(folder.0.join("data"));
        if let Some(config) = &scene.sources.explicit {
            command.arg("--config").arg(config);
        }
        command.args(["test", "--life"]).current_dir(&scene.cwd).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(told)?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // One that has ended already says why.
                let _ = stdin.write_all(&json).await;
            }
        };
        let whole = async { tokio::join!(feed, child.wait_with_output()).1 };
        let mut whole = std::pin::pin!(whole);
        let why = tokio::select! {
            biased;
            ended = &mut whole => return ended.map_err(told),
            () = tokio::time::sleep_until(deadline) => {
                format!("it took longer than {}", format_duration(self.test.timeout))
            }
            _ = stopped.wait_for(|stopped| *stopped) => "it was interrupted".to_owned(),
        };
        if let Some(pid) = pid {
            // It stops what it started.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = tokio::time::timeout(END_WAIT, whole).await;
        Err(why)
    }
}

/// What a process told of the run.
#[derive(Deserialize)]
struct Told {
    status: String,
    output: Json,
    error: Option<ErrorTold>,
    steps: Vec<StepTold>,
}

#[derive(Deserialize)]
struct ErrorTold {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct StepTold {
    id: String,
    status: String,
    output: Json,
}

/// An event that a process told.
#[derive(Deserialize)]
struct EventTold {
    #[serde(rename = "type")]
    kind: String,
    data: OfEvent,
}

#[derive(Deserialize)]
struct OfEvent {
    step: String,
    purpose: Option<String>,
}

/// What came of the run, as the last process tells it.
fn found(ended: &Output) -> Result<Found, String> {
    let stdout = String::from_utf8_lossy(&ended.stdout);
    let mut lines = stdout.lines();
    let report = lines.next().and_then(|line| serde_json::from_str::<Told>(line).ok());
    let Some(Told { status, output, error, steps }) = report else {
        let said = String::from_utf8_lossy(&ended.stderr);
        let all: Vec<&str> = said.lines().collect();
        let last = all.get(all.len().saturating_sub(SAID_LINES_MAX)..).unwrap_or_default();
        return Err(format!("it came to nothing ({}): {}", ended.status, last.join("\n")));
    };
    let mut found =
        Found { status, output, error: error.map(|error| (error.code, error.message)), ..Found::default() };
    for StepTold { id, status, output } in steps {
        found.outputs.insert(id.clone(), output);
        found.steps.insert(id, status);
    }
    for line in lines {
        let event: EventTold =
            serde_json::from_str(line).map_err(|error| format!("an event of it cannot be read: {error}"))?;
        let OfEvent { step, purpose } = event.data;
        let is_done = purpose.as_deref().is_none_or(|purpose| purpose == "do");
        match event.kind.as_str() {
            COMPLETED => {
                *found.attempts.entry(step.clone()).or_default() += 1;
                found.order.push(step);
            }
            FAILED if is_done => *found.attempts.entry(step).or_default() += 1,
            UNDONE => found.compensations.push(step),
            _ => {}
        }
    }
    Ok(found)
}
