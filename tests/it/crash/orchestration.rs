//! Whatever a run waits for, repeats or grows, it is killed in the middle of it and goes on where it was: people are asked
//! once, answers and signals are kept, rounds and plans are not begun anew, a fallback stays engaged, a child is the same.
//!
//! A program hangs once in each step, when it has done its work: the worst moment, for what it did is done and nobody has
//! recorded it. There its process is killed. So these tests need no luck; what does is killed at moments drawn from a seed.

mod agents;
mod children;
mod grown;
mod people;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{RUN, patient};
use crate::support::{Process, Sandbox, wait_until};

/// Does what its arguments say, and hangs then, once in each step and once in each of their compensations. What it does
/// is in the file `log`: `start NAME ATTEMPT KEY` and `end NAME ATTEMPT`, where NAME is the step's, or `undo:STEP`.
const HANGS_ONCE: &str = r#"#!/bin/sh
name=$REENACT_STEP
[ "$REENACT_PURPOSE" = do ] || name=undo:$name
echo "start $name $REENACT_ATTEMPT $REENACT_IDEMPOTENCY_KEY" >> log
"$@"
status=$?
echo "end $name $REENACT_ATTEMPT" >> log
hung=hung/$(echo "$name" | tr / .)
if [ ! -e "$hung" ]; then
  : > "$hung"
  sleep 600
fi
exit $status
"#;

/// A workflow of programs that hang, killed wherever they do.
struct Scene {
    sandbox: Sandbox,
    /// How many programs have hung, and were killed for it.
    kills: usize,
}

impl Scene {
    /// A workflow, whose programs hang where it says `./hangs`.
    fn of(workflow: &str) -> Self {
        let sandbox = Sandbox::new();
        let program = sandbox.write("hangs", HANGS_ONCE);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(sandbox.work("hung")).unwrap();
        sandbox.write("w.yaml", workflow);
        Self { sandbox, kills: 0 }
    }

    /// Another file of it.
    fn with(self, name: &str, text: &str) -> Self {
        self.sandbox.write(name, text);
        self
    }

    fn spawn(&self, arguments: &[&str]) -> Process {
        self.sandbox.start(patient(&self.sandbox, arguments))
    }

    fn hung(&self) -> usize {
        fs::read_dir(self.sandbox.work("hung")).unwrap().count()
    }

    /// Kills a process when one more program hangs.
    fn kill_when_it_hangs(&mut self, process: Process) {
        let before = self.kills;
        wait_until("a program hangs", || self.hung() > before);
        self.kill(process);
    }

    fn kill(&mut self, process: Process) {
        self.kills = self.hung();
        let status = process.kill();
        assert_eq!(status.code(), None, "it had ended before it was killed");
    }

    /// Starts the run, and kills it and resumes it until it ends, which must be with `code`; answers its report.
    fn survive(&mut self, code: i32) -> Value {
        self.survive_from(&["run", "w.yaml", "--id", RUN], code)
    }

    /// The same from another command on.
    fn survive_from(&mut self, first: &[&str], code: i32) -> Value {
        let arguments = [&["--json"], first].concat();
        let mut process = self.spawn(&arguments);
        loop {
            let before = self.kills;
            wait_until("a program hangs, or all is over", || self.hung() > before || !process.is_running());
            if !process.is_running() {
                let ended = process.wait();
                assert_eq!(ended.code(), Some(code), "{ended}\n{}", self.log());
                return ended.json();
            }
            self.kill(process);
            process = self.spawn(&["--json", "resume", RUN]);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.sandbox.work("log")).unwrap_or_default()
    }

    /// The names of what was done, in the order in which it was done first.
    fn done(&self) -> Vec<String> {
        let mut done: Vec<String> = Vec::new();
        for line in self.log().lines().filter_map(|line| line.strip_prefix("end ")) {
            let name = line.split(' ').next().unwrap();
            if !done.iter().any(|other| other == name) {
                done.push(name.to_owned());
            }
        }
        done
    }

    /// Checks that this was done, in this order and nothing else; each of it twice, for its first attempt was killed, under
    /// one key, which nothing else has. The store is whole.
    fn check(&self, done: &[&str]) {
        assert_eq!(self.done(), done, "{}", self.log());
        let mut tries: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let log = self.log();
        for line in log.lines().filter_map(|line| line.strip_prefix("start ")) {
            let [name, _, key] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("`{line}`") };
            tries.entry(name.to_owned()).or_default().push(key.to_owned());
        }
        let mut keys: Vec<_> = tries.values().map(|keys| &keys[0]).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), tries.len(), "two works share a key: {log}");
        assert!(tries.values().all(|keys| keys.len() == 2 && keys[0] == keys[1]), "{log}");
        assert_eq!(self.kills, done.len(), "something was not killed: {log}");
        assert_eq!(self.sandbox.json(0, &["verify"])["ok"], true);
    }

    /// How many events of that type the run has; about one step, where one is named.
    fn count(&self, kind: &str, step: Option<&str>) -> usize {
        self.sandbox.count(RUN, kind, step)
    }
}

/// The step of a report.
fn step<'r>(report: &'r Value, id: &str) -> &'r Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step `{id}`: {report:#}"))
}

/// What a report says that it waits for: kind, step and id.
fn awaited(report: &Value) -> Vec<(String, String, String)> {
    let text = |waiting: &Value, key: &str| waiting[key].as_str().unwrap().to_owned();
    let all = report["waiting_for"].as_array().unwrap().iter();
    all.map(|waiting| (text(waiting, "kind"), text(waiting, "step"), text(waiting, "id"))).collect()
}
