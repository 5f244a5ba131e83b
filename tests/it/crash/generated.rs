//! Workflows that follow from a seed, of programs that tell what happens to them.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;

use reenact::testing::Dice;

use crate::support::Sandbox;

/// The program of every step. It appends to `log` (a shell's `>>` is O_APPEND, a line is one write):
///
/// - `alive STEP ATTEMPT PID` for each process of an earlier attempt of this step that still lives
/// - `start STEP ATTEMPT KEY` when it begins
/// - `process STEP PID STARTED` for itself and for a helper in its group (STARTED in clock ticks since boot)
/// - `end STEP ATTEMPT` when it is done
///
/// Its arguments: how long it takes, in seconds, and below which attempt it fails.
const PROGRAM: &str = r#"#!/bin/sh
started_at() { read -r stat < "/proc/$1/stat" && set -- ${stat##*) } && [ "$1" != Z ] && echo "${20}"; }
{
  [ -e log ] && grep -F "process $REENACT_STEP " log | while read -r _ _ pid ticks; do
    [ "$(started_at "$pid")" = "$ticks" ] && echo "alive $REENACT_STEP $REENACT_ATTEMPT $pid" >> log
  done
  echo "start $REENACT_STEP $REENACT_ATTEMPT $REENACT_IDEMPOTENCY_KEY" >> log
  sleep 20 < /dev/null > /dev/null &
  helper=$!
  echo "process $REENACT_STEP $$ $(started_at $$)
process $REENACT_STEP $helper $(started_at $helper)" >> log
} 2> /dev/null
sleep "$1"
kill $helper
wait $helper
echo "end $REENACT_STEP $REENACT_ATTEMPT" >> log
[ "$REENACT_ATTEMPT" -ge "$2" ] || exit 75
echo "{\"step\": \"$REENACT_STEP\"}"
"#;

/// A workflow, and which steps it must have done in the end.
pub(super) struct Workflow {
    text: String,
    /// Steps that programs do, those that grow among them.
    pub(super) worked: Vec<String>,
    /// Steps that sleep.
    pub(super) sleeps: Vec<String>,
    /// Steps that the next one needs.
    ends: Vec<String>,
}

impl Workflow {
    /// Some segments, one after the other.
    pub(super) fn generate(random: &mut Dice) -> Self {
        let text = "name: generated\nlimits: {lost: 1000}\nsteps:\n".to_owned();
        let mut workflow = Self { text, worked: Vec::new(), sleeps: Vec::new(), ends: Vec::new() };
        for number in 0..4 + random.below(4) {
            match random.below(6) {
                0 => workflow.one(&format!("one{number}"), "0.03", random),
                // Long enough that it is still at work when the next attempt wants to start.
                5 => workflow.one(&format!("slow{number}"), "0.2", random),
                1 => workflow.flaky(&format!("flaky{number}")),
                2 => workflow.sleep(&format!("sleep{number}")),
                3 => workflow.fan_out(&format!("fan{number}"), 2 + random.below(4)),
                _ => workflow.branches(number, random),
            }
        }
        workflow.one("last", "0.01", random);
        workflow
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn write_to(&self, sandbox: &Sandbox) {
        sandbox.write("workflow.yaml", &self.text);
        let program = sandbox.write("step", PROGRAM);
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn add(&mut self, id: &str, does: &str) {
        let needs = self.ends.join(", ");
        writeln!(self.text, "  - id: {id}\n    needs: [{needs}]\n{does}").unwrap();
    }

    fn one(&mut self, id: &str, length: &str, random: &mut Dice) {
        let shell = if random.below(2) == 0 { format!("./step {length} 0") } else { String::new() };
        let does = if shell.is_empty() { format!("[./step, '{length}', '0']") } else { shell };
        self.add(id, &format!("    run: {does}"));
        self.worked.push(id.to_owned());
        self.ends = vec![id.to_owned()];
    }

    fn flaky(&mut self, id: &str) {
        let retry = "    retry: {policy: fixed, initial: 20ms, attempts: 5}";
        self.add(id, &format!("    run: [./step, '0.02', '3']\n{retry}"));
        self.worked.push(id.to_owned());
        self.ends = vec![id.to_owned()];
    }

    fn sleep(&mut self, id: &str) {
        self.add(id, "    sleep: 90ms");
        self.sleeps.push(id.to_owned());
        self.ends = vec![id.to_owned()];
    }

    fn fan_out(&mut self, id: &str, width: usize) {
        let items: Vec<_> = (0..width).map(|item| item.to_string()).collect();
        let many = format!("    for_each: [{}]\n    max_parallel: 2", items.join(", "));
        self.add(id, &format!("{many}\n    run: [./step, '0.02', '0']"));
        self.worked.extend(items.iter().map(|item| format!("{id}[{item}]")));
        self.ends = vec![id.to_owned()];
    }

    fn branches(&mut self, number: usize, random: &mut Dice) {
        let (before, mut ends) = (self.ends.clone(), Vec::new());
        for branch in ["left", "middle", "right"] {
            self.ends.clone_from(&before);
            self.one(&format!("{branch}{number}"), "0.04", random);
            ends.append(&mut self.ends);
        }
        self.ends = ends;
    }
}
