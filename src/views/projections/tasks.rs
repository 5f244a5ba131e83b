//! Attempts that are handed out: which tasks are open, and who has them.
//!
//! Under `f`, the key of the agent and the time of the offer stands a task that nobody has; under `h`, that key and the end of
//! the lease one that somebody has. So whoever wants the next of an agent reads a few rows, however many there are. Under `p`, a
//! run and an attempt stands where the row of that attempt is; under `c` and a command that took a task, the same; under `r` and a
//! run, how many of its tasks are open, and whether it is paused. They are folded when somebody asks, from where the last fold ended.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aggregates::run::RunStatus;
use crate::events::codec::{from_bytes, to_bytes};
use crate::events::commit::Recorded;
use crate::events::ids::{AgentName, CommandId, Fence, RUN_KIND, RunId, StepId, StreamId};
use crate::events::limits::VIEW_KEY_BYTES_MAX;
use crate::events::run::{Purpose, RunEvent};
use crate::events::time::Timestamp;
use crate::kernel::projection::{Page, Projection, Rows};
use crate::kernel::standing::Known;
use crate::views::projector::{Projector, ViewError};

const VIEW: &str = "tasks";

/// The prefixes of keys.
const FREE: u8 = b'f';
const HELD: u8 = b'h';
const PLACE: u8 = b'p';
const RUN: u8 = b'r';
const COMMAND: u8 = b'c';

/// How much of a name, and of what somebody says, stands in a row, in characters: a row is bounded.
const WORD_CHARS_MAX: usize = 200;

/// A task that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// The run that hands it out.
    pub run: RunId,
    /// The step that is tried.
    pub step: StepId,
    /// What the attempt is for.
    pub purpose: Purpose,
    /// The attempt's number for that purpose at its step, from 1.
    pub attempt: u32,
    /// The attempt's number in its run.
    pub fence: Fence,
    /// The agent in whose name it is to be taken, as the run calls it.
    pub agent: AgentName,
    /// What it is about, in a few words.
    pub description: String,
    /// When it was handed out.
    pub since: Timestamp,
    /// Who took it last, if nobody has recorded that their lease is over.
    pub held: Option<HeldRow>,
}

/// Who has a task, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRow {
    /// The number of the lease.
    pub lease: u32,
    /// The name of who has it.
    pub by: String,
    /// When the lease ends, by the wall clock.
    pub until: Timestamp,
    /// The command by which they took it.
    pub command: Option<CommandId>,
    /// How far they said that they are, from 0 to 100.
    pub percent: Option<u8>,
    /// What they said that they are doing.
    pub text: Option<String>,
}

/// Which tasks of a run are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OfRun {
    open: u64,
    /// Whether it is paused, and hands out none of them.
    paused: bool,
}

/// The read model of tasks.
pub struct TasksView {
    projector: Arc<Projector>,
}

/// Tasks of an agent that may be taken, the longest open first.
#[derive(Debug, Default)]
pub struct NextTasks {
    /// Some of them.
    pub rows: Vec<TaskRow>,
    /// When the first lease ends of those that somebody has, by the wall clock; none if nobody has any.
    pub next_end: Option<Timestamp>,
}

impl TasksView {
    /// What this projector keeps up, among others: [`TaskRows`] is one of its projections.
    pub fn new(projector: Arc<Projector>) -> Self {
        Self { projector }
    }

    /// All tasks that are open, or those of an agent: agents in the order of their names, those that nobody has before the
    /// others, and among them the longest open first.
    ///
    /// # Errors
    /// When the store cannot be read, or rows cannot be saved.
    pub async fn list(&self, agent: Option<&AgentName>) -> Result<Vec<TaskRow>, ViewError> {
        self.projector.catch_up().await?;
        let mut all = Vec::new();
        for kind in [FREE, HELD] {
            let prefix = agent.map_or_else(|| vec![kind], |agent| of_agent(kind, agent));
            let rows = self.projector.saved_rows(VIEW, &prefix).await?;
            // A row that this version cannot read is as good as none.
            all.extend(rows.iter().filter_map(|row| from_bytes::<TaskRow>(&row.bytes).ok()));
        }
        all.sort_by(|one, other| {
            let order = |row: &TaskRow| (row.agent.key(), row.held.is_some(), row.since, row.fence);
            order(one).cmp(&order(other))
        });
        Ok(all)
    }

    /// Some tasks of an agent that may be taken at that time of the wall clock, at least `count` if there are so many; none of a
    /// run that is paused.
    ///
    /// # Errors
    /// As for [`TasksView::list`].
    pub async fn next(
        &self,
        agent: &AgentName,
        wall: Timestamp,
        count: usize,
    ) -> Result<NextTasks, ViewError> {
        self.projector.catch_up().await?;
        let mut next = NextTasks::default();
        let mut paused = HashMap::new();
        for kind in [HELD, FREE] {
            let prefix = of_agent(kind, agent);
            let (mut after, mut found) = (prefix.clone(), 0);
            'rows: loop {
                let (rows, more) = self.rows(&prefix, &after, count.max(1)).await?;
                for row in rows {
                    if let Some(until) = row.held.as_ref().map(|held| held.until).filter(|end| *end > wall) {
                        next.next_end = Some(until);
                        break 'rows;
                    }
                    if !self.is_paused(&row.run, &mut paused).await? {
                        found += 1;
                        next.rows.push(row);
                    }
                }
                match more {
                    Some(more) if found < count => after = more,
                    _ => break,
                }
            }
        }
        next.rows.sort_by_key(|row| (row.since, row.fence));
        Ok(next)
    }

    /// The task that was taken by that command, as long as nobody else has it and it is open.
    ///
    /// # Errors
    /// As for [`TasksView::list`].
    pub async fn taken_by(&self, command: &CommandId) -> Result<Option<TaskRow>, ViewError> {
        self.projector.catch_up().await?;
        let store = self.projector.store();
        let Some(key) = store.view_row(VIEW, &command_key(command)).await? else { return Ok(None) };
        let row = store.view_row(VIEW, &key).await?;
        Ok(row.and_then(|row| from_bytes(&row).ok()))
    }

    async fn is_paused(&self, run: &RunId, known: &mut HashMap<RunId, bool>) -> Result<bool, ViewError> {
        if let Some(paused) = known.get(run) {
            return Ok(*paused);
        }
        let row = self.projector.store().view_row(VIEW, &run_key(run)).await?;
        let paused = row.and_then(|row| from_bytes::<OfRun>(&row).ok()).is_some_and(|row| row.paused);
        known.insert(run.clone(), paused);
        Ok(paused)
    }

    /// The next rows whose keys begin so, and the key after which more may come.
    async fn rows(
        &self,
        prefix: &[u8],
        after: &[u8],
        count: usize,
    ) -> Result<(Vec<TaskRow>, Option<Vec<u8>>), ViewError> {
        let page = self.projector.store().view_rows(VIEW, Some(after), count).await?;
        let last = page.last().filter(|last| page.len() == count && last.key.starts_with(prefix));
        let last = last.map(|last| last.key.clone());
        let meant = page.iter().filter(|row| row.key.starts_with(prefix));
        // A row that this version cannot read is as good as none.
        Ok((meant.filter_map(|row| from_bytes(&row.bytes).ok()).collect(), last))
    }
}

/// The rows of tasks.
pub struct TaskRows;

impl Projection for TaskRows {
    fn name(&self) -> &'static str {
        VIEW
    }

    fn shape(&self) -> u32 {
        2
    }

    fn reads(&self, page: &Page<'_>, rows: &Rows) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for (stream, events) in page.streams() {
            let Some(run) = run_of(stream, &events) else { continue };
            let key = run_key(&run);
            if rows.get(&key).is_some() {
                for place in events.iter().filter_map(|event| changed(&run, event)) {
                    keys.extend(rows.get(&place).map(<[u8]>::to_vec));
                    keys.push(place);
                }
            }
            keys.push(key);
        }
        keys
    }

    fn fold(&self, page: &Page<'_>, rows: &mut Rows) {
        for (stream, events) in page.streams() {
            let Some(run) = run_of(stream, &events) else { continue };
            let key = run_key(&run);
            let before = rows.get(&key).and_then(|row| from_bytes::<OfRun>(row).ok());
            let mut of_run = before.unwrap_or_default();
            for event in events {
                // Where no task is open nothing can become of one, and nothing is decoded for that.
                if of_run.open > 0 || &*event.event.kind == OFFERED {
                    fold_one(&run, event, &mut of_run, rows);
                }
            }
            let is_paused = |known: &Known| match known {
                Known::At(standing) => standing.status == RunStatus::Paused.text(),
                Known::Parked => true,
            };
            of_run.paused = page.known(stream).is_some_and(is_paused);
            match to_bytes(&of_run) {
                Ok(bytes) if of_run.open > 0 => rows.set(key, bytes),
                _ if before.is_some() => rows.remove(key),
                _ => {}
            }
        }
    }
}

const OFFERED: &str = "task_offered";

/// The types of events that change rows: what becomes of a task, and whether its run is paused.
const KINDS: [&str; 14] = [
    OFFERED,
    "task_taken",
    "task_progressed",
    "task_lapsed",
    "attempt_answered",
    "attempt_failed",
    "step_completed",
    "step_compensated",
    "run_paused",
    "run_unpaused",
    "retry_requested",
    "rollback_started",
    "cancel_requested",
    "compensation_resolved",
];

/// The run whose events these are, if any of them changes rows.
fn run_of(stream: &StreamId, events: &[&Recorded]) -> Option<RunId> {
    let is_run = stream.kind() == RUN_KIND && events.iter().any(|event| KINDS.contains(&&*event.event.kind));
    stream.run().filter(|_| is_run)
}

fn fold_one(run: &RunId, recorded: &Recorded, of_run: &mut OfRun, rows: &mut Rows) {
    let Some(place) = changed(run, recorded) else { return };
    // What cannot be decoded is reported by `verify`.
    let Ok(event) = recorded.decode::<RunEvent>() else { return };
    if let RunEvent::TaskOffered(offered) = event {
        let row = TaskRow {
            run: run.clone(),
            step: offered.step,
            purpose: offered.purpose,
            attempt: offered.attempt,
            fence: offered.fence,
            agent: offered.agent,
            description: offered.description,
            since: recorded.header.recorded_at,
            held: None,
        };
        of_run.open += u64::from(put(place, &row, rows));
        return;
    }
    let Some(key) = rows.get(&place).map(<[u8]>::to_vec) else { return };
    let row = rows.get(&key).and_then(|row| from_bytes::<TaskRow>(row).ok());
    rows.remove(key);
    let Some(mut row) = row else { return };
    // Only the newest lease counts, and only while it lasts; who goes on with it sets this anew below.
    if let Some(command) = row.held.as_ref().and_then(|held| held.command) {
        rows.remove(command_key(&command));
    }
    match event {
        RunEvent::TaskTaken(taken) => {
            let (lease, by, until) = (taken.lease, short(&taken.by), taken.until);
            let command = recorded.decision.as_ref().and_then(|decision| decision.id);
            row.held = Some(HeldRow { lease, by, until, command, percent: None, text: None });
        }
        RunEvent::TaskProgressed(progressed) => {
            if let Some(held) = &mut row.held {
                held.until = progressed.until;
                held.percent = progressed.percent.or(held.percent);
                held.text = progressed.text.as_deref().map(short).or_else(|| held.text.take());
            }
        }
        RunEvent::TaskLapsed(_) => row.held = None,
        // It is over.
        _ => {
            rows.remove(place);
            of_run.open = of_run.open.saturating_sub(1);
            return;
        }
    }
    put(place, &row, rows);
}

/// Sets the row of a task, and where that is. Answers whether it can be.
fn put(place: Vec<u8>, row: &TaskRow, rows: &mut Rows) -> bool {
    let key = row_key(row);
    match to_bytes(row) {
        Ok(bytes) if key.len() <= VIEW_KEY_BYTES_MAX => {
            rows.set(place, key.clone());
            if let Some(command) = row.held.as_ref().and_then(|held| held.command) {
                rows.set(command_key(&command), key.clone());
            }
            rows.set(key, bytes);
            true
        }
        _ => false,
    }
}

fn short(text: &str) -> String {
    text.chars().take(WORD_CHARS_MAX).collect()
}

/// Where the row of the attempt is named that an event is about, if something becomes of a task with such an event.
fn changed(run: &RunId, recorded: &Recorded) -> Option<Vec<u8>> {
    if !KINDS.contains(&&*recorded.event.kind) {
        return None;
    }
    let (step, purpose, attempt) = match recorded.decode().ok()? {
        RunEvent::TaskOffered(event) => (event.step, event.purpose, event.attempt),
        RunEvent::TaskTaken(event) => (event.step, event.purpose, event.attempt),
        RunEvent::TaskProgressed(event) => (event.step, event.purpose, event.attempt),
        RunEvent::TaskLapsed(event) => (event.step, event.purpose, event.attempt),
        RunEvent::AttemptAnswered(event) => (event.step, event.purpose, event.attempt),
        RunEvent::AttemptFailed(event) => (event.step, event.purpose, event.attempt),
        RunEvent::StepCompleted(event) => (event.step, Purpose::Do, event.attempt),
        RunEvent::StepCompensated(event) => (event.step, Purpose::Compensate, event.attempt),
        _ => return None,
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(step.as_str().as_bytes()).update(purpose.text().as_bytes()).update(&attempt.to_le_bytes());
    let mut of_attempt = [0; 16];
    hasher.finalize_xof().fill(&mut of_attempt);
    Some([&[PLACE], run.as_str().as_bytes(), &[0], &of_attempt].concat())
}

fn command_key(command: &CommandId) -> Vec<u8> {
    [&[COMMAND][..], &command.0].concat()
}

fn run_key(run: &RunId) -> Vec<u8> {
    [&[RUN], run.as_str().as_bytes()].concat()
}

/// What the keys of an agent's tasks begin with.
fn of_agent(kind: u8, agent: &AgentName) -> Vec<u8> {
    [&[kind], agent.key().as_bytes(), &[0]].concat()
}

fn row_key(row: &TaskRow) -> Vec<u8> {
    let (kind, at) = match &row.held {
        Some(held) => (HELD, held.until),
        None => (FREE, row.since),
    };
    let at = u64::try_from(at.0).unwrap_or_default().to_be_bytes();
    let (run, fence) = (row.run.as_str().as_bytes(), row.fence.0.to_be_bytes());
    // Those of one commit are in the order in which they began.
    [of_agent(kind, &row.agent).as_slice(), &at, run, &[0], &fence].concat()
}
