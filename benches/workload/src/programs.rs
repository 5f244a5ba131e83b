//! W5: what it costs that programs are steps. The same programs are started by `xargs` and by a shell, right before and
//! right after.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::figures::Figures;

/// How many programs run at once in a fan.
const AT_ONCE: usize = 16;

/// Adds what a fan and a chain of so many programs take, as whole processes, and as multiples of what `xargs -P` and a
/// shell's loop take for as many.
pub(crate) fn measure(
    figures: &mut Figures,
    reenact: &Path,
    dir: &Path,
    fan: usize,
    chain: usize,
) -> Result<()> {
    // `true` takes the number that `xargs` gives it, and minds it as little as all else.
    let many = format!("seq {fan} | xargs -P {AT_ONCE} -n 1 true");
    let steps = format!(
        "limits: {{parallel: {AT_ONCE}}}\nsteps: [{{id: all, for_each: range({fan}), max_parallel: {AT_ONCE}, run: ['true']}}]"
    );
    compare(figures, reenact, dir, &steps, &many, ["fan_ms", "xargs_ms", "fan_of_xargs"])?;
    let line: String = (0..chain).map(|step| format!("- {{id: s{step}, run: ['true']}}\n")).collect();
    let loops = format!("for step in $(seq {chain}); do /bin/true; done");
    let steps = format!("steps:\n{line}");
    compare(figures, reenact, dir, &steps, &loops, ["chain_ms", "loop_ms", "chain_of_loop"])
}

fn compare(
    figures: &mut Figures,
    reenact: &Path,
    dir: &Path,
    workflow: &str,
    shell: &str,
    [ours, theirs, ratio]: [&'static str; 3],
) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    std::fs::write(folder.path().join("w.yaml"), workflow)?;
    let shell_ms = || took_ms(Command::new("sh").args(["-c", shell]).current_dir(folder.path()));
    let before = shell_ms()?;
    let mut run = Command::new(reenact);
    let data = folder.path().join("data");
    let took = took_ms(run.arg("--data").arg(data).args(["run", "w.yaml"]).current_dir(folder.path()))?;
    let after = shell_ms()?;
    figures.add("w5", ours, took);
    figures.add("w5", theirs, f64::midpoint(before, after));
    figures.add("w5", ratio, took / f64::midpoint(before, after));
    Ok(())
}

fn took_ms(command: &mut Command) -> Result<f64> {
    let since = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(since.elapsed().as_secs_f64() * 1e3)
}
