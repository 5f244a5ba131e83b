//! Seeds, and what every case must leave as it was.

use std::ops::Range;
use std::process::Command;

use reenact::testing::Dice;

use crate::support::{Ended, Sandbox};

/// How much memory, as addresses, a process may have before it is ended: far more than any case needs.
const ADDRESSES_KIB_MAX: u64 = 6 * 1024 * 1024;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays a case for each of so many seeds, or for the one that the environment names.
pub(super) fn play(cases: u64, mut case: impl FnMut(u64, Dice)) {
    let seeds: Range<u64> = match setting("REENACT_FUZZ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..cases * setting("REENACT_FUZZ_ROUNDS").unwrap_or(1),
    };
    for seed in seeds {
        let shown = Shown(seed);
        case(seed, Dice::of(seed));
        drop(shown);
    }
}

/// Says which seed it was when a case fails.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("play it again with REENACT_FUZZ_SEED={}", self.0);
        }
    }
}

/// Runs the binary with bounded memory to its end.
pub(super) fn bounded(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let plain = sandbox.command(arguments);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {ADDRESSES_KIB_MAX}; exec \"$@\"")).arg("sh");
    command.arg(plain.get_program()).args(plain.get_args());
    command.current_dir(plain.get_current_dir().unwrap()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    sandbox.start(command).wait()
}

/// Begins a run that waits for a signal: whatever happens to others, it can still go on.
pub(super) fn begin_innocent(sandbox: &Sandbox) {
    sandbox
        .write("innocent.yaml", "name: innocent\nsteps: [{id: w, wait_for: go}, {id: done, run: echo done}]");
    sandbox.json(4, &["run", "innocent.yaml", "--id", "innocent"]);
}

/// Lets that run go on to its end, and proves the store whole.
pub(super) fn end_innocent(sandbox: &Sandbox) {
    sandbox.json(0, &["signal", "innocent", "go"]);
    assert_eq!(sandbox.json(0, &["resume", "innocent"])["status"], "completed");
    assert_eq!(sandbox.json(0, &["verify"])["ok"], true);
}
