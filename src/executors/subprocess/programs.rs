//! The programs that are at work, those that a process which died left at work, and how both are ended.
//!
//! Each is written into a table beside the store before it is started, with all by which what it starts can be known but
//! its own number, and once more when it has one. So there is no moment in which this process can be killed and what it
//! started cannot be found. A program that works for long is looked at now and then, and what left its group is written
//! down, too.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::super::{Failure, Task, children};
use super::helpers;
use super::proc;
use super::table::{PLACE_BYTES, Table};
use super::traces::{Claim, Ending, KILL_WAIT, Known, Scan, Strangers, Traces};
use crate::events::ids::{Hash, RunId, StepId};
use crate::events::problem::Code;
use crate::files;

/// The file of the table, in the folder of programs.
const TABLE: &str = "running";

/// How often a program that works for long is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// The programs of one process, and where they are written down.
#[derive(Debug, Default)]
pub struct Programs {
    folder: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// None before the first program is started, and where nothing is written down.
    table: Option<Table>,
    /// What a process that died left, or this one failed to end, by step.
    left: HashMap<String, Vec<Left>>,
    at_work: BTreeMap<u64, AtWork>,
    next: u64,
    looked_at: Option<Instant>,
    /// When the last one ended, in clock ticks: what came before may be its.
    ended_at: u64,
}

/// A program at work.
#[derive(Debug)]
struct AtWork {
    place: Option<usize>,
    written: Written,
    /// The last moment, in clock ticks, at which another was at work, too.
    shared_until: u64,
    strangers: Strangers,
}

/// What stands in the table, as JSON. (What an older version wrote is a file for each program, with more in it.)
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    /// Names the step of the run.
    #[serde(default)]
    key: String,
    attempt: u32,
    /// The start of the machine that it belongs to.
    boot: String,
    #[serde(flatten)]
    traces: Traces,
}

/// A program that was left at work.
#[derive(Debug, Clone)]
struct Left {
    at: RecordedIn,
    /// None if what is written there is not what any version writes.
    written: Option<Written>,
}

/// The place where something is written down.
#[derive(Debug, Clone)]
enum RecordedIn {
    Table(usize),
    /// By an older version.
    File(PathBuf),
    Nowhere,
}

/// The right to start a program, and the record of it. Dropped without having been [`ended`](Ticket::ended), the program
/// counts as left at work.
#[derive(Debug)]
pub(super) struct Ticket {
    programs: Arc<Programs>,
    number: u64,
}

impl Programs {
    /// Programs that are written down in that folder, which is made when the first one starts: `DATA/processes`. If there is
    /// none, nobody can end what this process leaves at work when it is killed.
    pub fn in_folder(folder: Option<PathBuf>) -> Arc<Self> {
        // What a program is told of it has to be true wherever that works.
        let folder = folder.map(|folder| std::path::absolute(&folder).unwrap_or(folder));
        Arc::new(Self { folder, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, with the table open if there is to be one. What stands in it is what a process that died left.
    fn opened(&self, make: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let Some(folder) = self.folder.as_ref().filter(|_| state.table.is_none()) else { return Ok(state) };
        if !make && !is_there(folder)? {
            return Ok(state);
        }
        files::folder(folder)?;
        let (table, taken) = Table::open(&folder.join(TABLE))?;
        let mut left: HashMap<String, Vec<Left>> = HashMap::new();
        let of_table = taken.into_iter().filter_map(|(place, text)| {
            let written = serde_json::from_slice::<Written>(&text).ok();
            let key = written.as_ref().map(|written| written.key.clone());
            Some((key?, Left { at: RecordedIn::Table(place), written }))
        });
        for (key, found) in of_table.chain(older(folder)?) {
            left.entry(key).or_default().push(found);
        }
        let marks: HashSet<&str> =
            left.values().flatten().filter_map(|left| Some(&*left.written.as_ref()?.traces.mark)).collect();
        remove_inputs(folder, &marks)?;
        (state.table, state.left) = (Some(table), left);
        Ok(state)
    }

    /// Writes down that a program is about to start, which gets these pipes.
    ///
    /// # Errors
    /// When that is not possible: then nobody could end it if this process died.
    pub(super) fn announce(self: &Arc<Self>, task: &Task, pipes: Vec<u64>) -> io::Result<Ticket> {
        let mut state = self.opened(true)?;
        let session = Some(proc::own_session());
        let (mark, since) = (self.mark(task), proc::now_ticks());
        let traces = Traces { mark, leader: None, since, pipes, strays: Vec::new(), session };
        let written = Written {
            key: key(&task.run, &task.step),
            attempt: task.attempt,
            boot: proc::boot().to_owned(),
            traces,
        };
        let place = state.table.as_mut().map(Table::take);
        let at_work = AtWork { place, written, shared_until: state.ended_at, strangers: Strangers::new() };
        at_work.write(state.table.as_ref())?;
        let number = state.next;
        state.next += 1;
        state.at_work.insert(number, at_work);
        drop(state);
        Ok(Ticket { programs: Arc::clone(self), number })
    }

    /// Names one attempt of one run in one data folder. (It is no secret, so it may be as short as it is unique.)
    pub(super) fn mark(&self, task: &Task) -> String {
        let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
        let named = format!("{folder}\0{}\0{}\0{}", task.run, task.step, task.fence);
        let mut mark = Hash::of(named.as_bytes()).to_string();
        mark.truncate(32);
        mark
    }

    /// The file for the document of an attempt that is too big for a pipe.
    pub(super) fn input_file(&self, task: &Task) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(input_name(&self.mark(task))))
    }

    /// Ends what an earlier attempt of this step left running (TERM, after `grace` KILL), and waits until it is gone.
    /// Nothing is done, in microseconds, if no attempt of it was lost.
    ///
    /// # Errors
    /// [`Code::LeftoverLives`] when it does not end: nothing may be started beside it.
    pub(super) async fn end_leftover(
        self: &Arc<Self>,
        run: &RunId,
        step: &StepId,
        grace: Duration,
    ) -> Result<(), Failure> {
        let key = key(run, step);
        let left = match self.opened(false) {
            Ok(state) => state.left.get(&key).cloned().unwrap_or_default(),
            Err(error) => return Err(lives(&format!("what was left running cannot be read: {error}"))),
        };
        for left in left {
            let Some(written) = &left.written else {
                return Err(lives(&format!("{} is not what any version writes", left.at)));
            };
            if written.boot == proc::boot() && !written.traces.mark.is_empty() {
                let attempt = written.attempt;
                let traces = written.traces.clone();
                if !end(
                    move || Some((traces.clone(), Claim::Lost)),
                    grace,
                    || {
                        tracing::info!(%run, %step, attempt, "ending what a lost attempt left running");
                    },
                )
                .await
                {
                    return Err(lives("what it left outlives KILL"));
                }
            }
            self.forget(&key, &left).map_err(|error| lives(&error.to_string()))?;
        }
        Ok(())
    }

    /// Forgets what is written of one that is gone.
    fn forget(&self, key: &str, left: &Left) -> io::Result<()> {
        let mut state = self.state();
        match (&left.at, &mut state.table) {
            (RecordedIn::Table(place), Some(table)) => table.clear(*place)?,
            (RecordedIn::File(path), _) => files::if_there(fs::remove_file(path))?,
            _ => {}
        }
        state.left.remove(key);
        if let (Some(folder), Some(written)) = (&self.folder, &left.written) {
            files::if_there(fs::remove_file(folder.join(input_name(&written.traces.mark))))?;
        }
        Ok(())
    }

    /// Looks, if nobody did for long and there may be something to see: whoever starts many programs that are done at once has
    /// orphans to take off the kernel's list, too. It does so meanwhile.
    pub(super) fn look_again(self: &Arc<Self>) {
        let looked_at = self.state().looked_at;
        if children::adopts() && looked_at.is_none_or(|then| then.elapsed() >= LOOK) {
            let programs = Arc::clone(self);
            // Nobody waits for it.
            tokio::spawn(helpers::run(move || programs.look()));
        }
    }

    /// Looks at all that are at work, and writes down what left its group. It blocks, and does nothing if that was done a
    /// moment ago.
    pub(super) fn look(&self) {
        let now = Instant::now();
        {
            let mut state = self.state();
            if state.looked_at.is_some_and(|then| now.duration_since(then) < LOOK / 2) {
                return;
            }
            state.looked_at = Some(now);
        }
        let Some(scan) = Scan::now() else { return };
        let mut state = self.state();
        let State { table, at_work, .. } = &mut *state;
        let claims: Vec<_> = at_work.keys().map(|number| claim(at_work, *number)).collect();
        for (at_work, claim) in at_work.values_mut().zip(claims) {
            let AtWork { written: Written { traces, .. }, strangers, .. } = at_work;
            if traces.leader.is_none() {
                continue;
            }
            scan.keep_living(strangers);
            let strays = traces.strays(&traces.find(&scan, claim, strangers));
            if strays != traces.strays {
                traces.strays = strays;
                if let Err(error) = at_work.write(table.as_ref()) {
                    tracing::warn!(%error, "what left its process group cannot be written down");
                }
            }
        }
        drop(state);
        // Looked at within a moment, the same is seen: what looking costs others is bounded.
        let took = now.elapsed();
        if took > LOOK / 50 {
            self.state().looked_at = Instant::now().checked_add(took * 50);
        }
    }
}

/// What may be that one's: of orphans of which nothing tells whose they are, those that came while no other was at work.
fn claim(at_work: &BTreeMap<u64, AtWork>, number: u64) -> Claim {
    let one = at_work.get(&number).filter(|_| at_work.len() == 1);
    let alone_since = one.and_then(|one| {
        let began = one.written.traces.leader?.started_ticks;
        // In the tick that they shared it may have been the other.
        Some(began.max(one.shared_until + 1))
    });
    Claim::AtWork { alone_since }
}

impl AtWork {
    fn write(&self, table: Option<&Table>) -> io::Result<()> {
        let (Some(table), Some(place)) = (table, self.place) else { return Ok(()) };
        let mut written = self.written.clone();
        let mut line = serde_json::to_vec(&written)?;
        while line.len() >= PLACE_BYTES && written.traces.strays.pop().is_some() {
            line = serde_json::to_vec(&written)?;
        }
        table.put(place, &line)
    }
}

impl Ticket {
    /// Writes down which process it became.
    pub(super) fn started(&self, leader: Pid) {
        let mut state = self.programs.state();
        let State { table, at_work, .. } = &mut *state;
        let Some(one) = at_work.get_mut(&self.number) else { return };
        one.written.traces.leader = proc::process(leader).map(|process| Known {
            pid: leader.as_raw_nonzero().get(),
            started_ticks: process.started_ticks,
        });
        // If it fails, it is still known by its mark.
        if let Err(error) = one.write(table.as_ref()) {
            tracing::warn!(%error, "which process a program became cannot be written down");
        }
    }

    /// The program has ended, and nothing of it has to be ended any more.
    pub(super) fn ended(self) {
        let mut state = self.programs.state();
        let State { table, at_work, .. } = &mut *state;
        let Some(one) = at_work.remove(&self.number) else { return };
        let ended_at = note_shared(at_work);
        if let (Some(table), Some(place)) = (table, one.place)
            && let Err(error) = table.clear(place)
        {
            // No harm: what it names is no more, or was left on purpose.
            tracing::debug!(%error, "the record of a program cannot be cleared");
        }
        state.ended_at = ended_at;
    }

    /// Ends all of it: TERM, after `grace` KILL. Answers whether nothing of it lives.
    pub(super) async fn end(&self, grace: Duration) -> bool {
        let (programs, number) = (Arc::clone(&self.programs), self.number);
        let traces = move || {
            let state = programs.state();
            let one = state.at_work.get(&number)?;
            Some((one.written.traces.clone(), claim(&state.at_work, number)))
        };
        end(traces, grace, || ()).await
    }
}

/// One that was at work has ended: what comes from now on is not its.
fn note_shared(at_work: &mut BTreeMap<u64, AtWork>) -> u64 {
    let now = proc::now_ticks();
    at_work.values_mut().for_each(|other| other.shared_until = now);
    now
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.programs.state();
        // It is not there if it has ended.
        if let Some(one) = state.at_work.remove(&self.number) {
            state.ended_at = note_shared(&mut state.at_work);
            let at = one.place.map_or(RecordedIn::Nowhere, RecordedIn::Table);
            let left = Left { at, written: Some(one.written.clone()) };
            state.left.entry(one.written.key).or_default().push(left);
        }
    }
}

/// Ends all that is found by these traces: TERM, after `grace` KILL. Answers whether nothing of it lives.
async fn end(
    traces: impl Fn() -> Option<(Traces, Claim)> + Send + Sync + 'static,
    grace: Duration,
    found_some: impl FnOnce(),
) -> bool {
    let shared = Arc::new((traces, Mutex::new(Ending::default())));
    let mut found_some = Some(found_some);
    for (signal, time) in [(Signal::TERM, grace), (Signal::KILL, KILL_WAIT)] {
        let (until, mut pause) = (Instant::now() + time, Duration::from_millis(1));
        loop {
            let shared = Arc::clone(&shared);
            // The kernel has no event for the end of processes that are not one's own, so this looks again and again.
            let looked = helpers::run(move || {
                let (traces, ending) = &*shared;
                let (Some((traces, claim)), Some(scan)) = (traces(), Scan::now()) else { return 0 };
                ending.lock().unwrap_or_else(PoisonError::into_inner).look(&traces, &scan, claim, signal)
            });
            match looked.await {
                Ok(0) => return true,
                Ok(_) => found_some.take().into_iter().for_each(|tell| tell()),
                Err(error) => tracing::warn!(%error, "what has to be ended cannot be looked for"),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
    false
}

fn lives(why: &str) -> Failure {
    Failure::new(Code::LeftoverLives, format!("an earlier attempt may still be at work: {why}"))
}

/// A grown step's id has characters that a file's name may not have, and any length.
fn key(run: &RunId, step: &StepId) -> String {
    let step = Hash::of(step.as_str().as_bytes()).to_string();
    format!("{run}~{}", step.get(..32).unwrap_or(&step))
}

fn input_name(mark: &str) -> String {
    format!("input-{mark}.json")
}

fn is_there(folder: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(folder) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Far more than any record has.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// What an older version wrote down: a file for each program.
fn older(folder: &Path) -> io::Result<Vec<(String, Left)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
        let Some(key) = name.filter(|name| name.contains('~')) else { continue };
        let mut text = Vec::new();
        files::read(&path)?.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
        let written = serde_json::from_slice(&text).ok();
        found.push((key.to_owned(), Left { at: RecordedIn::File(path.clone()), written }));
    }
    Ok(found)
}

/// Removes the documents of programs that are not at work any more.
fn remove_inputs(folder: &Path, marks: &HashSet<&str>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let mark = name.and_then(|name| name.strip_prefix("input-")?.strip_suffix(".json"));
        if mark.is_some_and(|mark| !marks.contains(mark)) {
            files::if_there(fs::remove_file(path))?;
        }
    }
    Ok(())
}

impl std::fmt::Display for RecordedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(place) => write!(f, "place {place} of `{TABLE}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Nowhere => f.write_str("nothing"),
        }
    }
}
