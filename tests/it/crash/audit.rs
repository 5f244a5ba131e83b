//! What must hold of a run after every kill, and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::generated::Workflow;
use crate::support::Sandbox;

/// An attempt: a step and a number.
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
        let ended: usize = ["step_completed", "attempt_failed", "attempt_lost"].into_iter().map(over).sum();
        self.open_attempts = started.len() - ended;
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
        let distinct: BTreeSet<_> = log.starts.iter().collect();
        assert_eq!(distinct.len(), log.starts.len(), "an attempt was started twice\n{}", context());
        for attempt @ (step, last) in completed.iter().filter(|(_, attempt)| *attempt > 0) {
            assert!(log.ends.contains(attempt), "{attempt:?} is recorded, and was not done\n{}", context());
            let later = log.starts.iter().find(|(name, number)| name == step && number > last);
            assert_eq!(later, None, "a completed step ran again\n{}", context());
        }
        assert_eq!(
            log.alive,
            [""; 0],
            "an attempt started beside what an earlier one had left\n{}",
            context()
        );
        self.check_keys(&history, &log);
        check_sleeps(&history);
        let verified = sandbox.json(0, &["verify"]);
        assert_eq!(verified["ok"], true, "{verified}");
    }

    /// All attempts of a step carry one key, which no other step has.
    fn check_keys(&self, history: &[Value], log: &Log) {
        let mut recorded: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for event in history.iter().filter(|event| event["type"] == "attempt_started") {
            recorded.entry(text(event, "step")).or_default().insert(text(event, "idempotency_key"));
        }
        assert!(recorded.values().all(|keys| keys.len() == 1), "{recorded:?}");
        let keys: BTreeSet<_> = recorded.values().flatten().collect();
        assert_eq!(keys.len(), recorded.len(), "two steps share a key: {recorded:?}");
        for (step, key) in &log.keys {
            assert!(
                recorded[step.as_str()].contains(key.as_str()),
                "{step} was given another key than was recorded"
            );
        }
    }
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
    keys: Vec<(String, String)>,
    alive: Vec<String>,
}

impl Log {
    fn read(sandbox: &Sandbox) -> Self {
        let text = fs::read_to_string(sandbox.work("log")).unwrap_or_default();
        let (mut starts, mut ends, mut keys, mut alive) =
            (Vec::new(), BTreeSet::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["start", step, attempt, key] => {
                    starts.push(((*step).to_owned(), attempt.parse().unwrap()));
                    keys.push(((*step).to_owned(), (*key).to_owned()));
                }
                ["end", step, attempt] => {
                    ends.insert(((*step).to_owned(), attempt.parse().unwrap()));
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
    let of_kind = history.iter().filter(|event| event["type"] == kind);
    of_kind
        .map(|event| (text(event, "step").to_owned(), event["data"]["attempt"].as_u64().unwrap()))
        .collect()
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
