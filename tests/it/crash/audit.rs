//! What must hold of a run after every kill, and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::generated::Workflow;
use crate::support::Sandbox;

/// An attempt: what it does, and a number. It does a step, or undoes one: `undo:STEP`.
type Attempt = (String, u64);

/// What was seen of a run so far.
pub(super) struct Audit {
    run: &'static str,
    /// The events that somebody was told of: version, then type and hash.
    acknowledged: BTreeMap<u64, (String, String)>,
    open_attempts: usize,
}

impl Audit {
    pub(super) fn new(run: &'static str) -> Self {
        Self { run, acknowledged: BTreeMap::new(), open_attempts: 0 }
    }

    /// Whether the run is known to have begun.
    pub(super) fn has_begun(&self) -> bool {
        !self.acknowledged.is_empty()
    }

    /// All that happened, for a person who has to find out why.
    pub(super) fn shown(&self, sandbox: &Sandbox) -> String {
        format!("{}\n{}", Log::read(sandbox).text, shown(&sandbox.history(self.run)))
    }

    /// How many attempts were open when it was last looked at.
    pub(super) fn open_attempts(&self) -> usize {
        self.open_attempts
    }

    /// Reads the history, and holds it against all that was known before.
    pub(super) fn look(&mut self, sandbox: &Sandbox) {
        // Read before the history: the program of an attempt starts after its event is durable.
        let log = Log::read(sandbox);
        let ended = sandbox.reenact(&["--json", "history", self.run]);
        if ended.code() == Some(2) && !self.has_begun() {
            assert!(ended.stdout.contains("RE-1003"), "{ended}");
            assert_eq!(log.starts.len(), 0, "a program of a run that is not recorded: {ended}");
            return;
        }
        assert_eq!(ended.code(), Some(0), "{ended}");
        let history = ended.json_lines();
        let told: BTreeMap<_, _> =
            history.iter().map(|event| (number(event, "version"), name_of(event))).collect();
        assert!(told.keys().copied().eq(1..=history.len() as u64), "a gap in {ended}");
        for (version, event) in &self.acknowledged {
            assert_eq!(told.get(version), Some(event), "version {version} was acknowledged\n{ended}");
        }
        let started = attempts(&history, "attempt_started");
        for attempt in &log.starts {
            assert!(
                started.contains(attempt),
                "the program of {attempt:?} ran before its event was durable\n{ended}"
            );
        }
        let over = |kind| attempts(&history, kind).into_iter().filter(|(_, number)| *number > 0).count();
        let ends = ["step_completed", "step_compensated", "attempt_failed", "attempt_lost"];
        self.open_attempts = started.len() - ends.into_iter().map(over).sum::<usize>();
        self.acknowledged = told;
    }

    /// The run is completed: everything was done, and done once.
    pub(super) fn conclude(&self, sandbox: &Sandbox, workflow: &Workflow) {
        let (log, history) = (Log::read(sandbox), sandbox.history(self.run));
        let context = || format!("{}\n{}", workflow.text(), self.shown(sandbox));
        assert_eq!(history.last().unwrap()["type"], "run_completed", "{}", context());
        let completed = attempts(&history, "step_completed");
        for step in workflow.worked.iter().chain(&workflow.sleeps) {
            let times = completed.iter().filter(|(name, _)| name == step).count();
            assert_eq!(times, 1, "step {step} was completed {times} times\n{}", context());
        }
        assert_eq!(
            log.alive,
            [""; 0],
            "an attempt started beside what an earlier one had left\n{}",
            context()
        );
        check_sleeps(&history);
        self.check_work(sandbox);
    }

    /// What was recorded as done or undone was, and once in each generation; the store is whole.
    pub(super) fn check_work(&self, sandbox: &Sandbox) {
        let (log, history) = (Log::read(sandbox), sandbox.history(self.run));
        let distinct: BTreeSet<_> = log.starts.iter().collect();
        assert_eq!(distinct.len(), log.starts.len(), "an attempt was started twice\n{}", self.shown(sandbox));
        let keys = check_keys(&history, &log);
        let succeeded = ["step_completed", "step_compensated"].into_iter();
        for done in succeeded.flat_map(|kind| attempts(&history, kind)).filter(|(_, number)| *number > 0) {
            let shown = || self.shown(sandbox);
            assert!(log.ends.contains(&done), "{done:?} is recorded, and was not done\n{}", shown());
            let is_later = |start: &&Attempt| start.0 == done.0 && start.1 > done.1;
            let later = log.starts.iter().filter(is_later).find(|start| keys[start] == keys[&done]);
            assert_eq!(later, None, "what {done:?} had done was done again\n{}", shown());
        }
        let verified = sandbox.json(0, &["verify"]);
        assert_eq!(verified["ok"], true, "{verified}");
    }
}

/// All attempts at doing a step in one generation, and all at undoing it, carry one key, which nothing else has. Answers
/// the key of each attempt.
fn check_keys(history: &[Value], log: &Log) -> BTreeMap<Attempt, String> {
    let mut of_work: BTreeMap<(String, u64), BTreeSet<&str>> = BTreeMap::new();
    let mut of_attempts = BTreeMap::new();
    for event in history.iter().filter(|event| event["type"] == "attempt_started") {
        let ((name, number), key) = (attempt(event), text(event, "idempotency_key"));
        of_work.entry((name.clone(), event["data"]["generation"].as_u64().unwrap())).or_default().insert(key);
        of_attempts.insert((name, number), key.to_owned());
    }
    assert!(of_work.values().all(|keys| keys.len() == 1), "{of_work:?}");
    let keys: BTreeSet<_> = of_work.values().flatten().collect();
    assert_eq!(keys.len(), of_work.len(), "two works share a key: {of_work:?}");
    for (attempt, key) in &log.keys {
        assert_eq!(&of_attempts[attempt], key, "{attempt:?} was given another key than was recorded");
    }
    of_attempts
}

/// A sleep is over late rather than never, and never early.
fn check_sleeps(history: &[Value]) {
    for set in
        history.iter().filter(|event| event["type"] == "timer_set" || event["type"] == "retry_scheduled")
    {
        let timer = text(set, "timer");
        let fired: Vec<_> = history
            .iter()
            .filter(|event| event["type"] == "timer_fired" && text(event, "timer") == timer)
            .collect();
        assert_eq!(fired.len(), 1, "timer {timer} fired {} times", fired.len());
        let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(time(&fired[0]["at"]) >= time(&set["data"]["at"]), "timer {timer} fired early");
    }
}

/// What the programs wrote down.
struct Log {
    text: String,
    starts: Vec<Attempt>,
    ends: BTreeSet<Attempt>,
    keys: Vec<(Attempt, String)>,
    alive: Vec<String>,
}

impl Log {
    fn read(sandbox: &Sandbox) -> Self {
        let text = fs::read_to_string(sandbox.work("log")).unwrap_or_default();
        let (mut starts, mut ends, mut keys, mut alive) =
            (Vec::new(), BTreeSet::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["start", name, number, key] => {
                    let attempt = ((*name).to_owned(), number.parse().unwrap());
                    starts.push(attempt.clone());
                    keys.push((attempt, (*key).to_owned()));
                }
                ["end", name, number] => {
                    ends.insert(((*name).to_owned(), number.parse().unwrap()));
                }
                ["alive", ..] => alive.push(line.to_owned()),
                ["process", ..] => {}
                _ => panic!("`{line}` in the log"),
            }
        }
        Self { text, starts, ends, keys, alive }
    }
}

fn attempts(history: &[Value], kind: &str) -> Vec<Attempt> {
    history.iter().filter(|event| event["type"] == kind).map(attempt).collect()
}

/// The attempt that an event is about.
fn attempt(event: &Value) -> Attempt {
    let undoes = event["type"] == "step_compensated" || event["data"]["purpose"] == "compensate";
    let step = text(event, "step");
    let name = if undoes { format!("undo:{step}") } else { step.to_owned() };
    (name, event["data"]["attempt"].as_u64().unwrap())
}

fn name_of(event: &Value) -> (String, String) {
    let named = |key: &str| event[key].as_str().unwrap().to_owned();
    (named("type"), named("hash"))
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap()
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event["data"][key].as_str().unwrap()
}

fn shown(history: &[Value]) -> String {
    history.iter().map(|event| format!("{event}\n")).collect()
}

/// Whether a process group has a process that has not ended.
pub(crate) fn group_lives(group: &str) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.into_iter().any(|stat| {
        let fields: Vec<_> =
            stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
        matches!(fields.as_slice(), [state, _, its_group, ..] if *its_group == group && *state != "Z")
    })
}
