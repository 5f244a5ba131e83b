//! What somebody waits for at a terminal: whole processes, from their start to their exit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::engine::{Engine, fan_out, start_of};
use crate::figures::{Figures, median};

/// How often each is tried; the median counts.
const TRIES: usize = 9;

/// How long `reenact run` takes of one step of one program where no run was before, in microseconds.
pub(crate) fn cold_us(reenact: &Path, dir: &Path) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let folder = tempfile::tempdir_in(dir)?;
        std::fs::write(folder.path().join("w.yaml"), "steps: [{id: a, run: ['true']}]")?;
        took.push(took_us(reenact, folder.path(), &folder.path().join("data"), &["run", "w.yaml"])?);
    }
    Ok(median(took))
}

/// Adds how long `why` takes of a run of that many steps side by side whose last step failed, and as a multiple of what
/// `replay --at` takes there.
pub(crate) async fn why(figures: &mut Figures, reenact: &Path, dir: &Path, steps: usize) -> Result<()> {
    let fresh = Engine::start(dir)?;
    let last = "  - {id: last, agent: refuse, with: {number: '{{ steps.each.output[0] }}'}}\n";
    let run = fresh.engine.fail(start_of(&format!("on_failure: stop\n{}{last}", fan_out(steps)))?).await?;
    let folder = fresh.close().await?;
    let (mut whys, mut replays) = (Vec::new(), Vec::new());
    // Three events an item: somewhere behind the middle.
    let at = (2 * steps).to_string();
    for _ in 0..TRIES {
        let took = |arguments: &[&str]| took_us(reenact, dir, folder.path(), arguments);
        replays.push(took(&["replay", run.as_str(), "--at", &at])?);
        whys.push(took(&["why", run.as_str()])?);
    }
    let (why, replay) = (median(whys), median(replays));
    figures.add("why", "ms", why / 1e3);
    figures.add("why", "replay_at_ms", replay / 1e3);
    figures.add("why", "of_replay_at", why / replay);
    Ok(())
}

fn took_us(reenact: &Path, cwd: &Path, data: &Path, arguments: &[&str]) -> Result<f64> {
    let mut command = Command::new(reenact);
    command.arg("--data").arg(data).args(arguments).current_dir(cwd).stdin(Stdio::null());
    let since = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let took = since.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took.as_secs_f64() * 1e6)
}
